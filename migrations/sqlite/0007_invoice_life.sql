-- What happens to an invoice after it is issued (SQLite): corrections, further invoices of one payment,
-- declarations to the tax authority, and messages that change their carrier.

-- How the first error of an invoice was corrected; it binds all later corrections of errors.
CREATE TABLE invoice_method (
    school_id   TEXT NOT NULL REFERENCES school (school_id),
    root_id     TEXT NOT NULL,          -- the invoice first issued
    method      TEXT NOT NULL CHECK (method IN ('ADJUSTING', 'REPLACING')),
    PRIMARY KEY (school_id, root_id),
    UNIQUE (school_id, root_id, method)
) STRICT;

CREATE TABLE invoice_0007 (
    school_id       TEXT NOT NULL,
    invoice_id      TEXT NOT NULL,
    form            TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    number          INTEGER NOT NULL,
    format          TEXT NOT NULL,      -- PBan
    payment_id      TEXT NOT NULL,      -- of a correction: that of the invoice it corrects
    state           TEXT NOT NULL CHECK (state IN ('NUMBERED', 'SIGNED', 'SENT', 'CODED', 'REFUSED')),
    issue_day       TEXT NOT NULL,
    total           INTEGER NOT NULL,
    vat             INTEGER NOT NULL,
    lookup_code     TEXT NOT NULL UNIQUE,
    document        TEXT NOT NULL,      -- JSON of the whole content, fixed with the number
    xml             TEXT,               -- signed bytes, as sent
    coded_xml       TEXT,               -- with the authority's code and signature, as received
    authority_code  TEXT,               -- MCCQT
    message_id      TEXT,               -- MTDiep of the live message; kept on every repeat
    refusal         TEXT,
    signed_at       INTEGER,
    sent_at         INTEGER,
    coded_at        INTEGER,
    kind            TEXT NOT NULL DEFAULT 'ORIGINAL' CHECK (kind IN ('ORIGINAL', 'ADJUSTING', 'REPLACING')),
    cause           TEXT NOT NULL DEFAULT '', -- what asked for it: nothing for the payment itself, a movement, a form
    related_id      TEXT,               -- the invoice that it adjusts or replaces
    root_id         TEXT,               -- the first invoice of that chain
    bound_method    TEXT,               -- of corrections of errors: the method of the first one
    carrier         TEXT,               -- who has the live message
    problem         TEXT,               -- why the carrier does not take it or does not answer
    tried_at        INTEGER,            -- since when there is that problem
    PRIMARY KEY (school_id, invoice_id),
    UNIQUE (school_id, form, symbol, number),
    FOREIGN KEY (school_id, form, symbol) REFERENCES invoice_series (school_id, form, symbol),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id),
    FOREIGN KEY (school_id, root_id, bound_method) REFERENCES invoice_method (school_id, root_id, method),
    CHECK ((kind = 'ORIGINAL') = (related_id IS NULL)),
    CHECK ((related_id IS NULL) = (root_id IS NULL)),
    CHECK (bound_method IS NULL OR bound_method = kind)
) STRICT;
INSERT INTO invoice_0007 (school_id, invoice_id, form, symbol, number, format, payment_id, state, issue_day,
                          total, vat, lookup_code, document, xml, coded_xml, authority_code, message_id, refusal,
                          signed_at, sent_at, coded_at)
SELECT school_id, invoice_id, form, symbol, number, format, payment_id, state, issue_day,
       total, vat, lookup_code, document, xml, coded_xml, authority_code, message_id, refusal,
       signed_at, sent_at, coded_at
  FROM invoice;
DROP TABLE invoice;
ALTER TABLE invoice_0007 RENAME TO invoice;
-- One invoice for each thing that asks for one, one correction for each, one replacement of an invoice.
CREATE UNIQUE INDEX invoice_of_payment ON invoice (school_id, payment_id, cause) WHERE related_id IS NULL;
CREATE UNIQUE INDEX invoice_correction_once ON invoice (school_id, related_id, cause) WHERE related_id IS NOT NULL;
CREATE UNIQUE INDEX invoice_replaced_once ON invoice (school_id, related_id) WHERE kind = 'REPLACING';
CREATE INDEX invoice_chain ON invoice (school_id, root_id) WHERE root_id IS NOT NULL;

-- By how much a correction changes what is documented of a collected amount; `invoice_line` stays.
CREATE TABLE invoice_change (
    school_id   TEXT NOT NULL,
    invoice_id  TEXT NOT NULL,          -- the correction
    payment_id  TEXT NOT NULL,
    seq         INTEGER NOT NULL,       -- the allocation
    amount      INTEGER NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (school_id, invoice_id, payment_id, seq),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id),
    FOREIGN KEY (school_id, payment_id, seq) REFERENCES invoice_line (school_id, payment_id, seq)
) STRICT;
CREATE INDEX invoice_change_line ON invoice_change (school_id, payment_id, seq);

-- Who corrected, and why.
CREATE TABLE invoice_correction (
    school_id   TEXT NOT NULL,
    invoice_id  TEXT NOT NULL,
    reason      TEXT NOT NULL CHECK (reason IN ('02', '05', '08', '13')), -- LDDCTThe
    why         TEXT NOT NULL,
    agreement   TEXT,                   -- the agreement with an organisation, or how a person was told
    step        INTEGER NOT NULL,       -- how many corrections of its chain there are with this one
    content     TEXT NOT NULL,          -- JSON: what the whole chain says once it stands
    made_by     TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (school_id, invoice_id),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id)
) STRICT;

-- Every message that carried an invoice or was meant to. The live one is the lock: only its carrier may
-- be given the invoice.
CREATE TABLE invoice_message (
    school_id   TEXT NOT NULL,
    message_id  TEXT NOT NULL,
    invoice_id  TEXT NOT NULL,
    carrier     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('LIVE', 'VOID')),
    uncertain_at INTEGER,               -- when it was last sent without an answer
    why_void    TEXT,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (school_id, message_id),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id),
    CHECK ((state = 'VOID') = (why_void IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX invoice_message_live ON invoice_message (school_id, invoice_id) WHERE state = 'LIVE';
INSERT INTO invoice_message (school_id, message_id, invoice_id, carrier, state, made_at)
SELECT school_id, message_id, invoice_id, '', 'LIVE', COALESCE(sent_at, signed_at, 0)
  FROM invoice WHERE message_id IS NOT NULL;

-- Registrations (01/ĐKTĐ-HĐĐT) and notices of wrong invoices (04/SS-HĐĐT).
CREATE TABLE tax_declaration (
    school_id       TEXT NOT NULL REFERENCES school (school_id),
    declaration_id  TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('REGISTRATION', 'ERROR_NOTICE')),
    request         TEXT NOT NULL,      -- token of the form: sent twice, made once
    state           TEXT NOT NULL CHECK (state IN ('SIGNED', 'SENT', 'ADMITTED', 'ACCEPTED', 'REFUSED')),
    format          TEXT NOT NULL,
    document        TEXT NOT NULL,      -- JSON of the content
    xml             TEXT NOT NULL,      -- signed bytes, as sent
    message_id      TEXT,
    carrier         TEXT,
    problem         TEXT,
    tried_at        INTEGER,
    refusal         TEXT,
    reply           TEXT,               -- the concluding message, as received
    made_by         TEXT NOT NULL,
    made_at         INTEGER NOT NULL,
    sent_at         INTEGER,
    concluded_at    INTEGER,
    PRIMARY KEY (school_id, declaration_id),
    UNIQUE (school_id, kind, request),
    CHECK ((state IN ('ACCEPTED', 'REFUSED')) = (concluded_at IS NOT NULL))
) STRICT;

-- The invoices of a notice, and what the authority said about each.
CREATE TABLE tax_declaration_invoice (
    school_id       TEXT NOT NULL,
    declaration_id  TEXT NOT NULL,
    place           INTEGER NOT NULL,   -- STT
    invoice_id      TEXT NOT NULL,
    why             TEXT NOT NULL,
    verdict         TEXT CHECK (verdict IN ('ACCEPTED', 'REFUSED')),
    verdict_text    TEXT,
    PRIMARY KEY (school_id, declaration_id, place),
    FOREIGN KEY (school_id, declaration_id) REFERENCES tax_declaration (school_id, declaration_id),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id)
) STRICT;

-- A payment may want a further receipt when money of it comes to another bill later.
CREATE TABLE payment_receipt_0007 (
    school_id   TEXT NOT NULL,
    receipt_id  TEXT NOT NULL,
    form        TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    number      INTEGER NOT NULL,
    payment_id  TEXT NOT NULL,
    cause       TEXT NOT NULL DEFAULT '', -- nothing for the payment itself, or the movement
    state       TEXT NOT NULL CHECK (state IN ('NUMBERED', 'SIGNED')),
    issue_day   TEXT NOT NULL,
    total       INTEGER NOT NULL,
    lookup_code TEXT NOT NULL UNIQUE,
    document    TEXT NOT NULL,          -- JSON of the whole content, fixed with the number
    xml         TEXT,                   -- signed bytes
    signed_at   INTEGER,
    PRIMARY KEY (school_id, receipt_id),
    UNIQUE (school_id, form, symbol, number),
    UNIQUE (school_id, payment_id, cause),
    FOREIGN KEY (school_id, form, symbol) REFERENCES invoice_series (school_id, form, symbol),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id)
) STRICT;
INSERT INTO payment_receipt_0007 (school_id, receipt_id, form, symbol, number, payment_id, state, issue_day,
                                  total, lookup_code, document, xml, signed_at)
SELECT school_id, receipt_id, form, symbol, number, payment_id, state, issue_day,
       total, lookup_code, document, xml, signed_at
  FROM payment_receipt;
DROP TABLE payment_receipt;
ALTER TABLE payment_receipt_0007 RENAME TO payment_receipt;

-- Which collected đồng each receipt documents: once.
CREATE TABLE payment_receipt_line (
    school_id   TEXT NOT NULL,
    payment_id  TEXT NOT NULL,
    seq         INTEGER NOT NULL,       -- the allocation
    receipt_id  TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    PRIMARY KEY (school_id, payment_id, seq),
    FOREIGN KEY (school_id, receipt_id) REFERENCES payment_receipt (school_id, receipt_id),
    FOREIGN KEY (school_id, payment_id, seq) REFERENCES allocation (school_id, payment_id, seq)
) STRICT;
INSERT INTO payment_receipt_line (school_id, payment_id, seq, receipt_id, amount)
SELECT a.school_id, a.payment_id, a.seq, r.receipt_id, a.amount
  FROM payment_receipt r
  JOIN allocation a ON a.school_id = r.school_id AND a.payment_id = r.payment_id AND a.target = 'BILL_LINE'
  JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id AND l.line_no = a.line_no
                  AND l.document_rule = 'RECEIPT';
