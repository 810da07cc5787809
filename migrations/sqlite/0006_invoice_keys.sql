-- Keys that stay on a token or in a provider's HSM, the certificates that a seller has registered, and
-- receipts for collected money that takes no invoice.

-- What is sealed in sealed_key: the private key, or the way to it (module and PIN, service and token).
ALTER TABLE signing_key ADD COLUMN holder TEXT NOT NULL DEFAULT 'SOFTWARE'
    CHECK (holder IN ('SOFTWARE', 'TOKEN', 'REMOTE'));

-- Certificates of the seller's registration (DSCTSSDung). A school with any row signs with these only.
CREATE TABLE registered_certificate (
    school_id   TEXT NOT NULL REFERENCES school (school_id),
    serial      TEXT NOT NULL,          -- upper-case hex
    valid_from  TEXT NOT NULL,
    valid_to    TEXT,                   -- first day on which it is no longer registered
    source      TEXT NOT NULL,
    PRIMARY KEY (school_id, serial, valid_from)
) STRICT;

-- Electronic payment receipts; their numbers are series of the form 'PT' in invoice_series.
CREATE TABLE payment_receipt (
    school_id   TEXT NOT NULL,
    receipt_id  TEXT NOT NULL,
    form        TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    number      INTEGER NOT NULL,
    payment_id  TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('NUMBERED', 'SIGNED')),
    issue_day   TEXT NOT NULL,
    total       INTEGER NOT NULL,
    lookup_code TEXT NOT NULL UNIQUE,
    document    TEXT NOT NULL,          -- JSON of the whole content, fixed with the number
    xml         TEXT,                   -- signed bytes
    signed_at   INTEGER,
    PRIMARY KEY (school_id, receipt_id),
    UNIQUE (school_id, form, symbol, number),
    UNIQUE (school_id, payment_id),
    FOREIGN KEY (school_id, form, symbol) REFERENCES invoice_series (school_id, form, symbol),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id)
) STRICT;
