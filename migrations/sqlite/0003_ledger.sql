-- Ledger: an entry is one row with its lines, bound by a keyed digest; closed periods; checkpoints
-- of the checker (SQLite).

-- How the chain of a school is sealed (src/ledger/chain.rs). Heads of before have no seal until
-- their next entry.
ALTER TABLE ledger_head ADD COLUMN key_id TEXT;
ALTER TABLE ledger_head ADD COLUMN keyed_from INTEGER NOT NULL DEFAULT 0;   -- first entry with a keyed digest, 0: none
ALTER TABLE ledger_head ADD COLUMN closed_through TEXT;                     -- last day of the closed periods
ALTER TABLE ledger_head ADD COLUMN seal TEXT;

CREATE TABLE journal_entry_0003 (
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
    UNIQUE (school_id, kind, source_id),
    FOREIGN KEY (school_id) REFERENCES ledger_head (school_id)
) STRICT;

INSERT INTO journal_entry_0003
       (school_id, seq, kind, source_id, booked_day, posted_at, reverses, amount, lines, seal)
SELECT e.school_id, e.seq, e.kind, e.source_id, e.booked_day, e.posted_at, e.reverses,
       COALESCE((SELECT SUM(l.debit) FROM journal_line l
                  WHERE l.school_id = e.school_id AND l.seq = e.seq), 0),
       COALESCE((SELECT '[' || group_concat(json_array(l.account, l.debit, l.credit, l.object),
                                            ',' ORDER BY l.line_no) || ']'
                   FROM journal_line l WHERE l.school_id = e.school_id AND l.seq = e.seq), '[]'),
       'sha256/1 ' || e.prev_digest || ' ' || e.digest
  FROM journal_entry e;

DROP TABLE journal_line;
DROP TABLE journal_entry;
ALTER TABLE journal_entry_0003 RENAME TO journal_entry;

CREATE TRIGGER journal_entry_no_update BEFORE UPDATE ON journal_entry
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_entry_no_delete BEFORE DELETE ON journal_entry
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- INSERT OR REPLACE deletes what is in its way without asking the trigger above.
CREATE TRIGGER journal_entry_no_replace BEFORE INSERT ON journal_entry
WHEN EXISTS (SELECT 1 FROM journal_entry WHERE school_id = NEW.school_id AND seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM journal_entry WHERE school_id = NEW.school_id AND kind = NEW.kind
                                           AND source_id = NEW.source_id)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- The journal line by line.
CREATE VIEW journal_line (school_id, seq, line_no, account, debit, credit, object, kind, source_id,
                          booked_day, event_day, posted_at, reverses) AS
SELECT e.school_id, e.seq, l.key + 1, l.value ->> 0, l.value ->> 1, l.value ->> 2, l.value ->> 3,
       e.kind, e.source_id, e.booked_day, e.event_day, e.posted_at, e.reverses
  FROM journal_entry e, json_each(e.lines) l;

-- What was closed and opened again, by whom and why. Append-only.
CREATE TABLE ledger_period (
    school_id       TEXT NOT NULL REFERENCES ledger_head (school_id),
    event_no        INTEGER NOT NULL,
    period          TEXT NOT NULL,        -- 2026-10 or 2026
    action          TEXT NOT NULL CHECK (action IN ('LOCKED', 'UNLOCKED')),
    closed_through  TEXT,                 -- from now on
    after_seq       INTEGER NOT NULL,     -- the last entry before it
    reason          TEXT NOT NULL,
    actor           TEXT NOT NULL,
    at              INTEGER NOT NULL,
    seal            TEXT NOT NULL,
    PRIMARY KEY (school_id, event_no),
    CHECK (action = 'LOCKED' OR reason <> '')
) STRICT;

CREATE TRIGGER ledger_period_no_update BEFORE UPDATE ON ledger_period
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER ledger_period_no_delete BEFORE DELETE ON ledger_period
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER ledger_period_no_replace BEFORE INSERT ON ledger_period
WHEN EXISTS (SELECT 1 FROM ledger_period WHERE school_id = NEW.school_id AND event_no = NEW.event_no)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- How far a chain was verified, so that the next check goes on from there. Sealed.
CREATE TABLE ledger_checkpoint (
    school_id   TEXT NOT NULL PRIMARY KEY REFERENCES ledger_head (school_id),
    seq         INTEGER NOT NULL,
    digest      TEXT NOT NULL,
    balances    TEXT NOT NULL,            -- JSON [[account, debit, credit], …] at that entry
    key_id      TEXT NOT NULL,
    checked_at  INTEGER NOT NULL,
    seal        TEXT NOT NULL
) STRICT;
