-- Posting: less to write for each payment (SQLite). Runs with foreign keys off (src/store/migrate.rs).

-- An allocation is written in the transaction and by the function that writes its payment; looking
-- the payment up again for each part cost more than writing it. `hocphi ledger check` compares both.
CREATE TABLE allocation_0002 (
    school_id       TEXT NOT NULL,
    payment_id      TEXT NOT NULL,
    seq             INTEGER NOT NULL,
    target          TEXT NOT NULL CHECK (target IN ('BILL_LINE', 'CREDIT', 'SUSPENSE')),
    bill_id         TEXT,
    line_no         INTEGER,
    pupil_id        TEXT,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (school_id, payment_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO allocation_0002 SELECT school_id, payment_id, seq, target, bill_id, line_no, pupil_id, amount
  FROM allocation;
DROP TABLE allocation;
ALTER TABLE allocation_0002 RENAME TO allocation;
CREATE INDEX allocation_bill ON allocation (school_id, bill_id);

-- Nothing asks by the bill that a payment named: allocations say what was paid.
DROP INDEX payment_bill;
