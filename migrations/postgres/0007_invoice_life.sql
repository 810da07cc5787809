-- What happens to an invoice after it is issued (PostgreSQL): corrections, further invoices of one payment,
-- declarations to the tax authority, and messages that change their carrier.

-- How the first error of an invoice was corrected; it binds all later corrections of errors.
CREATE TABLE invoice_method (
    school_id   TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    root_id     TEXT COLLATE "C" NOT NULL,          -- the invoice first issued
    method      TEXT NOT NULL CHECK (method IN ('ADJUSTING', 'REPLACING')),
    PRIMARY KEY (school_id, root_id),
    UNIQUE (school_id, root_id, method)
);

ALTER TABLE invoice DROP CONSTRAINT invoice_school_id_payment_id_key;
ALTER TABLE invoice ADD COLUMN kind TEXT NOT NULL DEFAULT 'ORIGINAL' CHECK (kind IN ('ORIGINAL', 'ADJUSTING', 'REPLACING'));
-- What asked for it: nothing for the payment itself, a movement, a form.
ALTER TABLE invoice ADD COLUMN cause TEXT COLLATE "C" NOT NULL DEFAULT '';
-- The invoice that it adjusts or replaces, and the first invoice of that chain.
ALTER TABLE invoice ADD COLUMN related_id TEXT COLLATE "C";
ALTER TABLE invoice ADD COLUMN root_id TEXT COLLATE "C";
-- Of corrections of errors: the method of the first one.
ALTER TABLE invoice ADD COLUMN bound_method TEXT;
-- Who has the live message, why he does not take it or does not answer, and since when.
ALTER TABLE invoice ADD COLUMN carrier TEXT;
ALTER TABLE invoice ADD COLUMN problem TEXT;
ALTER TABLE invoice ADD COLUMN tried_at TIMESTAMPTZ;
ALTER TABLE invoice ADD FOREIGN KEY (school_id, root_id, bound_method) REFERENCES invoice_method (school_id, root_id, method);
ALTER TABLE invoice ADD CHECK ((kind = 'ORIGINAL') = (related_id IS NULL));
ALTER TABLE invoice ADD CHECK ((related_id IS NULL) = (root_id IS NULL));
ALTER TABLE invoice ADD CHECK (bound_method IS NULL OR bound_method = kind);
-- One invoice for each thing that asks for one, one correction for each, one replacement of an invoice.
CREATE UNIQUE INDEX invoice_of_payment ON invoice (school_id, payment_id, cause) WHERE related_id IS NULL;
CREATE UNIQUE INDEX invoice_correction_once ON invoice (school_id, related_id, cause) WHERE related_id IS NOT NULL;
CREATE UNIQUE INDEX invoice_replaced_once ON invoice (school_id, related_id) WHERE kind = 'REPLACING';
CREATE INDEX invoice_chain ON invoice (school_id, root_id) WHERE root_id IS NOT NULL;

-- By how much a correction changes what is documented of a collected amount; `invoice_line` stays.
CREATE TABLE invoice_change (
    school_id   TEXT COLLATE "C" NOT NULL,
    invoice_id  TEXT COLLATE "C" NOT NULL,          -- the correction
    payment_id  TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,       -- the allocation
    amount      BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (school_id, invoice_id, payment_id, seq),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id),
    FOREIGN KEY (school_id, payment_id, seq) REFERENCES invoice_line (school_id, payment_id, seq)
);
CREATE INDEX invoice_change_line ON invoice_change (school_id, payment_id, seq);

-- Who corrected, and why.
CREATE TABLE invoice_correction (
    school_id   TEXT COLLATE "C" NOT NULL,
    invoice_id  TEXT COLLATE "C" NOT NULL,
    reason      TEXT NOT NULL CHECK (reason IN ('02', '05', '08', '13')), -- LDDCTThe
    why         TEXT NOT NULL,
    agreement   TEXT,                   -- the agreement with an organisation, or how a person was told
    step        BIGINT NOT NULL,       -- how many corrections of its chain there are with this one
    content     TEXT NOT NULL,          -- JSON: what the whole chain says once it stands
    made_by     TEXT NOT NULL,
    made_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, invoice_id),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id)
);

-- Every message that carried an invoice or was meant to. The live one is the lock: only its carrier may
-- be given the invoice.
CREATE TABLE invoice_message (
    school_id   TEXT COLLATE "C" NOT NULL,
    message_id  TEXT COLLATE "C" NOT NULL,
    invoice_id  TEXT COLLATE "C" NOT NULL,
    carrier     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('LIVE', 'VOID')),
    uncertain_at TIMESTAMPTZ,               -- when it was last sent without an answer
    why_void    TEXT,
    made_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, message_id),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id),
    CHECK ((state = 'VOID') = (why_void IS NOT NULL))
);
CREATE UNIQUE INDEX invoice_message_live ON invoice_message (school_id, invoice_id) WHERE state = 'LIVE';
INSERT INTO invoice_message (school_id, message_id, invoice_id, carrier, state, made_at)
SELECT school_id, message_id, invoice_id, '', 'LIVE', COALESCE(sent_at, signed_at, to_timestamp(0))
  FROM invoice WHERE message_id IS NOT NULL;

-- Registrations (01/ĐKTĐ-HĐĐT) and notices of wrong invoices (04/SS-HĐĐT).
CREATE TABLE tax_declaration (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    declaration_id  TEXT COLLATE "C" NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('REGISTRATION', 'ERROR_NOTICE')),
    request         TEXT COLLATE "C" NOT NULL,      -- token of the form: sent twice, made once
    state           TEXT NOT NULL CHECK (state IN ('SIGNED', 'SENT', 'ADMITTED', 'ACCEPTED', 'REFUSED')),
    format          TEXT NOT NULL,
    document        TEXT NOT NULL,      -- JSON of the content
    xml             TEXT NOT NULL,      -- signed bytes, as sent
    message_id      TEXT COLLATE "C",
    carrier         TEXT,
    problem         TEXT,
    tried_at        TIMESTAMPTZ,
    refusal         TEXT,
    reply           TEXT,               -- the concluding message, as received
    made_by         TEXT NOT NULL,
    made_at         TIMESTAMPTZ NOT NULL,
    sent_at         TIMESTAMPTZ,
    concluded_at    TIMESTAMPTZ,
    PRIMARY KEY (school_id, declaration_id),
    UNIQUE (school_id, kind, request),
    CHECK ((state IN ('ACCEPTED', 'REFUSED')) = (concluded_at IS NOT NULL))
);

-- The invoices of a notice, and what the authority said about each.
CREATE TABLE tax_declaration_invoice (
    school_id       TEXT COLLATE "C" NOT NULL,
    declaration_id  TEXT COLLATE "C" NOT NULL,
    place           BIGINT NOT NULL,   -- STT
    invoice_id      TEXT COLLATE "C" NOT NULL,
    why             TEXT NOT NULL,
    verdict         TEXT CHECK (verdict IN ('ACCEPTED', 'REFUSED')),
    verdict_text    TEXT,
    PRIMARY KEY (school_id, declaration_id, place),
    FOREIGN KEY (school_id, declaration_id) REFERENCES tax_declaration (school_id, declaration_id),
    FOREIGN KEY (school_id, invoice_id) REFERENCES invoice (school_id, invoice_id)
);

-- A payment may want a further receipt when money of it comes to another bill later.
ALTER TABLE payment_receipt DROP CONSTRAINT payment_receipt_school_id_payment_id_key;
-- Nothing for the payment itself, or the movement.
ALTER TABLE payment_receipt ADD COLUMN cause TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE payment_receipt ADD UNIQUE (school_id, payment_id, cause);

-- Which collected đồng each receipt documents: once.
CREATE TABLE payment_receipt_line (
    school_id   TEXT COLLATE "C" NOT NULL,
    payment_id  TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,       -- the allocation
    receipt_id  TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    PRIMARY KEY (school_id, payment_id, seq),
    FOREIGN KEY (school_id, receipt_id) REFERENCES payment_receipt (school_id, receipt_id),
    FOREIGN KEY (school_id, payment_id, seq) REFERENCES allocation (school_id, payment_id, seq)
);
INSERT INTO payment_receipt_line (school_id, payment_id, seq, receipt_id, amount)
SELECT a.school_id, a.payment_id, a.seq, r.receipt_id, a.amount
  FROM payment_receipt r
  JOIN allocation a ON a.school_id = r.school_id AND a.payment_id = r.payment_id AND a.target = 'BILL_LINE'
  JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id AND l.line_no = a.line_no
                  AND l.document_rule = 'RECEIPT';
