-- Posting: fewer trees to write for each payment (SQLite). Runs with foreign keys off (src/store/migrate.rs).
-- A table without row ids is one tree where it was two, and the lines of a bill lie on one page. A key
-- whose identifier grows with time begins with it: then rows of all schools are appended on one page,
-- instead of one page a school. What is unique stays the same; PostgreSQL's keys begin with the school,
-- by which they may be distributed (docs/scale.md).

CREATE TABLE bill_line_0012 (
    school_id           TEXT NOT NULL,
    bill_id             TEXT NOT NULL,
    line_no             INTEGER NOT NULL,
    item_id             TEXT NOT NULL,
    name                TEXT NOT NULL,
    collection_class    TEXT NOT NULL,
    calculation         TEXT NOT NULL,
    unit_name           TEXT NOT NULL,
    quantity            TEXT NOT NULL,
    unit_price          INTEGER NOT NULL,
    gross               INTEGER NOT NULL,
    state_part          INTEGER NOT NULL,    -- state budget
    province_part       INTEGER NOT NULL,
    school_part         INTEGER NOT NULL,
    amount_due          INTEGER NOT NULL CHECK (amount_due >= 0),
    amount_paid         INTEGER NOT NULL CHECK (amount_paid BETWEEN 0 AND amount_due),
    document_rule       TEXT NOT NULL,
    vat_rate            TEXT NOT NULL,
    legal_basis         TEXT NOT NULL,
    priority            INTEGER NOT NULL,    -- order of allocation inside a bill (PC-6)
    PRIMARY KEY (school_id, bill_id, line_no),
    FOREIGN KEY (school_id, bill_id) REFERENCES fee_bill (school_id, bill_id),
    CHECK (gross = state_part + province_part + school_part + amount_due)
) STRICT, WITHOUT ROWID;
INSERT INTO bill_line_0012 SELECT * FROM bill_line;
DROP TABLE bill_line;
ALTER TABLE bill_line_0012 RENAME TO bill_line;

CREATE TABLE payment_0012 (
    school_id       TEXT NOT NULL,
    payment_id      TEXT NOT NULL,
    provider        TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    channel         TEXT NOT NULL CHECK (channel IN ('BANK_TRANSFER', 'GATEWAY', 'WALLET', 'CASH')),
    amount          INTEGER NOT NULL CHECK (amount > 0),
    to_bills        INTEGER NOT NULL CHECK (to_bills >= 0),
    to_credit       INTEGER NOT NULL CHECK (to_credit >= 0),
    to_suspense     INTEGER NOT NULL CHECK (to_suspense >= 0),
    state           TEXT NOT NULL CHECK (state IN ('CONFIRMED', 'SETTLED')),
    bill_id         TEXT,               -- the bill it named, if it named one
    memo            TEXT,
    paid_at         INTEGER NOT NULL,
    paid_day        TEXT NOT NULL,
    received_at     INTEGER NOT NULL,
    bills_later     INTEGER NOT NULL DEFAULT 0,
    credit_later    INTEGER NOT NULL DEFAULT 0,
    suspense_later  INTEGER NOT NULL DEFAULT 0,
    taken_back      INTEGER NOT NULL DEFAULT 0
        CHECK (to_bills + bills_later >= 0 AND to_credit + credit_later >= 0
               AND to_suspense + suspense_later >= 0 AND taken_back BETWEEN 0 AND amount
               AND bills_later + credit_later + suspense_later + taken_back = 0),
    standing        TEXT NOT NULL DEFAULT 'STANDS'
        CHECK (standing = CASE WHEN taken_back = 0 THEN 'STANDS'
                               WHEN taken_back < amount THEN 'PART_REVERSED' ELSE 'REVERSED' END),
    PRIMARY KEY (payment_id, school_id),
    UNIQUE (school_id, provider, transaction_id),
    CHECK (amount = to_bills + to_credit + to_suspense)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_0012 SELECT * FROM payment;
DROP TABLE payment;
ALTER TABLE payment_0012 RENAME TO payment;
CREATE INDEX payment_day ON payment (school_id, paid_day);

CREATE TABLE allocation_0012 (
    school_id       TEXT NOT NULL,
    payment_id      TEXT NOT NULL,
    seq             INTEGER NOT NULL,
    target          TEXT NOT NULL CHECK (target IN ('BILL_LINE', 'CREDIT', 'SUSPENSE')),
    bill_id         TEXT,
    line_no         INTEGER,
    pupil_id        TEXT,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    moved_on        INTEGER NOT NULL DEFAULT 0 CHECK (moved_on BETWEEN 0 AND amount),
    move_id         TEXT,
    PRIMARY KEY (payment_id, seq, school_id)
) STRICT, WITHOUT ROWID;
INSERT INTO allocation_0012 SELECT * FROM allocation;
DROP TABLE allocation;
ALTER TABLE allocation_0012 RENAME TO allocation;
CREATE INDEX allocation_bill ON allocation (school_id, bill_id);
CREATE INDEX allocation_credit ON allocation (school_id, pupil_id) WHERE target = 'CREDIT';

CREATE TABLE payment_evidence_0012 (
    school_id   TEXT NOT NULL,
    subject_id  TEXT NOT NULL,          -- a payment; of CLAIMED an attempt
    step        TEXT NOT NULL CHECK (step IN ('CLAIMED', 'CONFIRMED', 'SETTLED', 'REVERSED')),
    kind        TEXT NOT NULL CHECK (kind IN ('CHECKOUT', 'RETURN_PAGE', 'PENDING_NOTICE', 'PENDING_QUERY', 'PROVIDER_NOTICE', 'PROVIDER_QUERY', 'BANK_CREDIT', 'CASH_TAKEN', 'SETTLEMENT_LINE', 'ACCOUNTANT')),
    reference   TEXT NOT NULL,          -- the notice, transaction, line or movement
    noted_at    INTEGER NOT NULL,
    PRIMARY KEY (subject_id, step, kind, reference, school_id)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_evidence_0012 SELECT * FROM payment_evidence;
DROP TABLE payment_evidence;
ALTER TABLE payment_evidence_0012 RENAME TO payment_evidence;

CREATE TRIGGER payment_evidence_no_update BEFORE UPDATE ON payment_evidence
BEGIN SELECT RAISE(ABORT, 'payment_evidence is append-only'); END;

CREATE TRIGGER payment_evidence_no_delete BEFORE DELETE ON payment_evidence
BEGIN SELECT RAISE(ABORT, 'payment_evidence is append-only'); END;

CREATE TABLE inbound_message_0012 (
    school_id       TEXT NOT NULL,
    message_id      TEXT NOT NULL,      -- sorts by time
    connection_id   TEXT NOT NULL,
    provider        TEXT NOT NULL,
    flow            TEXT NOT NULL,
    source          TEXT NOT NULL,      -- address of the caller
    method          TEXT NOT NULL,
    path            TEXT NOT NULL,
    query           TEXT NOT NULL,
    headers         TEXT NOT NULL,      -- JSON list of pairs
    body            TEXT NOT NULL,
    body_form       TEXT NOT NULL CHECK (body_form IN ('TEXT', 'BASE64')),
    size            INTEGER NOT NULL,   -- bytes of the body as it came
    is_whole        INTEGER NOT NULL,   -- 0: cut, or a card number was taken out; cannot be replayed
    sealed          TEXT,               -- secrets of a proven message that are no credentials
    verdict         TEXT NOT NULL CHECK (verdict IN ('AUTHENTIC', 'REFUSED')),
    reason          TEXT,
    detail          TEXT,
    outcome         TEXT NOT NULL,
    notices         INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    digest          TEXT NOT NULL,      -- keyed, over all of the above
    replays         INTEGER NOT NULL DEFAULT 0,
    replayed_at     INTEGER,
    replayed_by     TEXT,
    replay_outcome  TEXT,
    PRIMARY KEY (message_id, school_id)
) STRICT;
INSERT INTO inbound_message_0012 SELECT * FROM inbound_message;
DROP TABLE inbound_message;
ALTER TABLE inbound_message_0012 RENAME TO inbound_message;
CREATE INDEX inbound_message_connection ON inbound_message (school_id, connection_id, verdict, message_id);

CREATE TABLE job_0012 (
    job_id          TEXT NOT NULL PRIMARY KEY,
    school_id       TEXT NOT NULL,
    kind            TEXT NOT NULL,
    subject         TEXT NOT NULL,        -- what it is about; (kind, subject) waits once
    state           TEXT NOT NULL CHECK (state IN ('READY', 'DEAD')),
    run_at          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    leased_until    INTEGER,
    last_error      TEXT,
    UNIQUE (subject, kind, school_id)
) STRICT, WITHOUT ROWID;
INSERT INTO job_0012 SELECT * FROM job;
DROP TABLE job;
ALTER TABLE job_0012 RENAME TO job;
CREATE INDEX job_due ON job (kind, run_at) WHERE state = 'READY';

-- Its head is locked by whoever appends: looking it up again for each entry proved nothing. A failed
-- batch is rolled back whole, so that no page has to be kept to undo a statement alone.
CREATE TABLE journal_entry_0012 (
    school_id   TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,            -- what caused it; (kind, source) posts once
    booked_day  TEXT NOT NULL,
    event_day   TEXT,                     -- day it happened, where that day's period was closed
    posted_at   INTEGER NOT NULL,
    reverses    INTEGER,
    amount      INTEGER NOT NULL,         -- sum of its debits
    lines       TEXT NOT NULL,            -- JSON [[account, debit, credit, object], …]
    seal        TEXT NOT NULL,            -- scheme, previous digest, digest
    PRIMARY KEY (school_id, seq),
    UNIQUE (source_id, kind, school_id)
) STRICT;
INSERT INTO journal_entry_0012 SELECT * FROM journal_entry;
DROP TABLE journal_entry;
ALTER TABLE journal_entry_0012 RENAME TO journal_entry;

CREATE TRIGGER journal_entry_no_update BEFORE UPDATE ON journal_entry
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_entry_no_delete BEFORE DELETE ON journal_entry
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_entry_no_replace BEFORE INSERT ON journal_entry
WHEN EXISTS (SELECT 1 FROM journal_entry WHERE school_id = NEW.school_id AND seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM journal_entry WHERE school_id = NEW.school_id AND kind = NEW.kind
                                           AND source_id = NEW.source_id)
BEGIN SELECT RAISE(ROLLBACK, 'the journal is append-only'); END;
