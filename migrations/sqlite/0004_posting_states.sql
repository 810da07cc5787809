-- What happens to money after it was posted: reversal, suspense, credit, settlement, refunds (SQLite).

-- ---- payments: what follows a receipt -------------------------------------------------------

-- What a receipt's money did after it was posted. `to_*` stay as they were on arrival; these are the
-- changes since, and every đồng is still counted once.
ALTER TABLE payment ADD COLUMN bills_later INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN credit_later INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN suspense_later INTEGER NOT NULL DEFAULT 0;
-- Taken back by the bank or provider, or paid back to the family.
ALTER TABLE payment ADD COLUMN taken_back INTEGER NOT NULL DEFAULT 0
    CHECK (to_bills + bills_later >= 0 AND to_credit + credit_later >= 0
           AND to_suspense + suspense_later >= 0 AND taken_back BETWEEN 0 AND amount
           AND bills_later + credit_later + suspense_later + taken_back = 0);
ALTER TABLE payment ADD COLUMN standing TEXT NOT NULL DEFAULT 'STANDS'
    CHECK (standing = CASE WHEN taken_back = 0 THEN 'STANDS'
                           WHEN taken_back < amount THEN 'PART_REVERSED' ELSE 'REVERSED' END);
-- Money of transfers and of the counter is the school's when it is posted.
UPDATE payment SET state = 'SETTLED' WHERE channel IN ('BANK_TRANSFER', 'CASH');

-- How much of an allocation has moved on since; no đồng moves twice. `move_id` is the movement that
-- brought it, nothing for the receipt itself.
ALTER TABLE allocation ADD COLUMN moved_on INTEGER NOT NULL DEFAULT 0
    CHECK (moved_on BETWEEN 0 AND amount);
ALTER TABLE allocation ADD COLUMN move_id TEXT;
CREATE INDEX allocation_credit ON allocation (school_id, pupil_id) WHERE target = 'CREDIT';

-- Money that moves after it was posted: assigned, used, taken back, paid back. Append-only.
CREATE TABLE money_move (
    school_id   TEXT NOT NULL REFERENCES school (school_id),
    move_id     TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('TAKEN_BACK', 'SUSPENSE_ASSIGNED', 'CREDIT_USED', 'REFUND', 'REFUND_CANCELLED')),
    request     TEXT NOT NULL,          -- form, notice or refund that asked for it: asked twice, moved once
    amount      INTEGER NOT NULL CHECK (amount > 0),
    reason      TEXT NOT NULL,
    made_by     TEXT NOT NULL,          -- a user, or the provider whose notice it was
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (school_id, move_id),
    UNIQUE (school_id, kind, request)
) STRICT;

-- From which allocation to which; NULL is outside: the payer, the bank.
CREATE TABLE money_move_part (
    school_id   TEXT NOT NULL,
    move_id     TEXT NOT NULL,
    part_no     INTEGER NOT NULL,
    payment_id  TEXT NOT NULL,
    from_seq    INTEGER,
    to_seq      INTEGER,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (school_id, move_id, part_no),
    FOREIGN KEY (school_id, move_id) REFERENCES money_move (school_id, move_id),
    FOREIGN KEY (school_id, payment_id, from_seq) REFERENCES allocation (school_id, payment_id, seq),
    FOREIGN KEY (school_id, payment_id, to_seq) REFERENCES allocation (school_id, payment_id, seq),
    CHECK (from_seq IS NOT NULL OR to_seq IS NOT NULL)
) STRICT;
CREATE INDEX money_move_part_payment ON money_move_part (school_id, payment_id);

ALTER TABLE suspense_item ADD COLUMN move_id TEXT;
ALTER TABLE suspense_item ADD COLUMN resolved_by TEXT;
ALTER TABLE suspense_item ADD COLUMN resolved_at INTEGER;

-- Why we believe what we say about money: claimed, confirmed, settled, reversed. Append-only.
CREATE TABLE payment_evidence (
    school_id   TEXT NOT NULL,
    subject_id  TEXT NOT NULL,          -- a payment; of CLAIMED an attempt
    step        TEXT NOT NULL CHECK (step IN ('CLAIMED', 'CONFIRMED', 'SETTLED', 'REVERSED')),
    kind        TEXT NOT NULL CHECK (kind IN ('CHECKOUT', 'RETURN_PAGE', 'PENDING_NOTICE', 'PENDING_QUERY', 'PROVIDER_NOTICE', 'PROVIDER_QUERY', 'BANK_CREDIT', 'CASH_TAKEN', 'SETTLEMENT_LINE', 'ACCOUNTANT')),
    reference   TEXT NOT NULL,          -- the notice, transaction, line or movement
    noted_at    INTEGER NOT NULL,
    PRIMARY KEY (school_id, subject_id, step, kind, reference)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_evidence (school_id, subject_id, step, kind, reference, noted_at)
SELECT school_id, payment_id,
       CASE WHEN channel IN ('BANK_TRANSFER', 'CASH') THEN 'SETTLED' ELSE 'CONFIRMED' END,
       CASE channel WHEN 'BANK_TRANSFER' THEN 'BANK_CREDIT' WHEN 'CASH' THEN 'CASH_TAKEN'
                    ELSE 'PROVIDER_NOTICE' END,
       transaction_id, received_at
  FROM payment;
INSERT INTO payment_evidence (school_id, subject_id, step, kind, reference, noted_at)
SELECT school_id, attempt_id, 'CLAIMED', 'CHECKOUT', order_ref, created_at FROM payment_attempt;

-- An intermediary's line about one payment that reached the school's account.
CREATE TABLE settlement_line (
    school_id   TEXT NOT NULL,
    provider    TEXT NOT NULL,
    reference   TEXT NOT NULL,
    payment_id  TEXT NOT NULL,
    gross       INTEGER NOT NULL CHECK (gross > 0),
    fee         INTEGER NOT NULL CHECK (fee >= 0),
    net         INTEGER NOT NULL CHECK (net >= 0),
    settled_day TEXT NOT NULL,
    noted_by    TEXT NOT NULL,
    noted_at    INTEGER NOT NULL,
    PRIMARY KEY (school_id, provider, reference),
    UNIQUE (school_id, payment_id),
    FOREIGN KEY (school_id, payment_id) REFERENCES payment (school_id, payment_id),
    CHECK (gross = net + fee)
) STRICT;

-- What providers said and a person must judge: a notice repeated with another meaning, money taken
-- back whose original is not plain.
CREATE TABLE review_item (
    school_id       TEXT NOT NULL REFERENCES school (school_id),
    review_id       TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('NOTICE_CONFLICT', 'REVERSAL')),
    provider        TEXT NOT NULL,
    notice_key      TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,      -- of this meaning: said again, it is the same item
    transaction_id  TEXT,
    order_ref       TEXT,
    status          TEXT NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    memo            TEXT,
    raw             TEXT NOT NULL,
    why             TEXT NOT NULL,
    payment_id      TEXT,               -- the payment it is about, as far as known; never acted on unattended
    received_at     INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('OPEN', 'CLOSED')),
    decision        TEXT CHECK (decision IN ('FIRST_HOLDS', 'SECOND_HOLDS', 'TAKEN_BACK', 'DISMISSED')),
    decision_reason TEXT,
    decided_by      TEXT,
    decided_at      INTEGER,
    move_id         TEXT,
    PRIMARY KEY (school_id, review_id),
    UNIQUE (school_id, kind, provider, notice_key, fingerprint),
    CHECK ((state = 'CLOSED') = (decision IS NOT NULL)),
    CHECK ((state = 'CLOSED') = (decided_by IS NOT NULL))
) STRICT;

-- ---- refunds --------------------------------------------------------------------------------

-- Money on its way back to a family. The money leaves its place when the refund is asked for and
-- comes back to it when the refund fails.
CREATE TABLE refund (
    school_id       TEXT NOT NULL REFERENCES school (school_id),
    refund_id       TEXT NOT NULL,
    request         TEXT NOT NULL,      -- token of the form: sent twice, asked for once
    source          TEXT NOT NULL CHECK (source IN ('CREDIT', 'SUSPENSE', 'BILL_LINE')),
    pupil_id        TEXT,
    bill_id         TEXT,
    line_no         INTEGER,
    payment_id      TEXT,               -- the one payment it comes from; NULL when it comes from several
    amount          INTEGER NOT NULL CHECK (amount > 0),
    way             TEXT NOT NULL CHECK (way IN ('CASH', 'BANK_TRANSFER', 'PROVIDER')),
    charge          TEXT NOT NULL CHECK (charge IN ('STAYS', 'FALLS')), -- whether the family still owes it
    payee           TEXT NOT NULL,
    payee_account   TEXT,
    reason          TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('REQUESTED', 'SENT', 'DONE', 'FAILED', 'UNKNOWN')),
    document        TEXT NOT NULL CHECK (document IN ('NONE', 'WAITING', 'DONE', 'FAILED')), -- the negative adjustment
    document_note   TEXT,
    move_id         TEXT NOT NULL,
    reference       TEXT,               -- voucher, bank transaction or provider refund that paid it
    requested_by    TEXT NOT NULL,
    requested_at    INTEGER NOT NULL,
    concluded_at    INTEGER,
    PRIMARY KEY (school_id, refund_id),
    UNIQUE (school_id, request),
    UNIQUE (school_id, move_id),
    UNIQUE (school_id, way, reference),
    FOREIGN KEY (school_id, move_id) REFERENCES money_move (school_id, move_id),
    CHECK ((state IN ('DONE', 'FAILED')) = (concluded_at IS NOT NULL)),
    CHECK (state <> 'DONE' OR reference IS NOT NULL)
) STRICT;
CREATE INDEX refund_payment ON refund (school_id, payment_id);

-- Every step of a refund. Append-only.
CREATE TABLE refund_event (
    school_id   TEXT NOT NULL,
    refund_id   TEXT NOT NULL,
    event_no    INTEGER NOT NULL,
    from_state  TEXT,
    to_state    TEXT NOT NULL,
    detail      TEXT NOT NULL,
    made_by     TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (school_id, refund_id, event_no),
    FOREIGN KEY (school_id, refund_id) REFERENCES refund (school_id, refund_id)
) STRICT;

CREATE TRIGGER money_move_no_update BEFORE UPDATE ON money_move
BEGIN SELECT RAISE(ABORT, 'money_move is append-only'); END;

CREATE TRIGGER money_move_no_delete BEFORE DELETE ON money_move
BEGIN SELECT RAISE(ABORT, 'money_move is append-only'); END;

CREATE TRIGGER money_move_part_no_update BEFORE UPDATE ON money_move_part
BEGIN SELECT RAISE(ABORT, 'money_move_part is append-only'); END;

CREATE TRIGGER money_move_part_no_delete BEFORE DELETE ON money_move_part
BEGIN SELECT RAISE(ABORT, 'money_move_part is append-only'); END;

CREATE TRIGGER payment_evidence_no_update BEFORE UPDATE ON payment_evidence
BEGIN SELECT RAISE(ABORT, 'payment_evidence is append-only'); END;

CREATE TRIGGER payment_evidence_no_delete BEFORE DELETE ON payment_evidence
BEGIN SELECT RAISE(ABORT, 'payment_evidence is append-only'); END;

CREATE TRIGGER refund_event_no_update BEFORE UPDATE ON refund_event
BEGIN SELECT RAISE(ABORT, 'refund_event is append-only'); END;

CREATE TRIGGER refund_event_no_delete BEFORE DELETE ON refund_event
BEGIN SELECT RAISE(ABORT, 'refund_event is append-only'); END;
