-- Ledger: an entry is one row with its lines, bound by a keyed digest; closed periods; checkpoints
-- of the checker (PostgreSQL).

-- How the chain of a school is sealed (src/ledger/chain.rs). Heads of before have no seal until
-- their next entry.
ALTER TABLE ledger_head ADD COLUMN key_id TEXT;
ALTER TABLE ledger_head ADD COLUMN keyed_from BIGINT NOT NULL DEFAULT 0;    -- first entry with a keyed digest, 0: none
ALTER TABLE ledger_head ADD COLUMN closed_through DATE;                     -- last day of the closed periods
ALTER TABLE ledger_head ADD COLUMN seal TEXT;

CREATE TABLE journal_entry_0003 (
    school_id   TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT COLLATE "C" NOT NULL,            -- what caused it; (kind, source) posts once
    booked_day  DATE NOT NULL,
    event_day   DATE,                     -- day it happened, where that day's period was closed
    posted_at   TIMESTAMPTZ NOT NULL,
    reverses    BIGINT,
    amount      BIGINT NOT NULL,          -- sum of its debits
    lines       TEXT NOT NULL,            -- JSON [[account, debit, credit, object], …]
    seal        TEXT NOT NULL,            -- scheme, previous digest, digest
    CONSTRAINT journal_entry_key PRIMARY KEY (school_id, seq),
    CONSTRAINT journal_entry_source UNIQUE (school_id, kind, source_id),
    FOREIGN KEY (school_id) REFERENCES ledger_head (school_id)
);

INSERT INTO journal_entry_0003
       (school_id, seq, kind, source_id, booked_day, posted_at, reverses, amount, lines, seal)
SELECT e.school_id, e.seq, e.kind, e.source_id, e.booked_day, e.posted_at, e.reverses,
       COALESCE(l.amount, 0), COALESCE(l.lines, '[]'),
       'sha256/1 ' || e.prev_digest || ' ' || e.digest
  FROM journal_entry e
  LEFT JOIN (SELECT school_id, seq, SUM(debit) AS amount,
                    '[' || string_agg('[' || to_json(account)::TEXT || ',' || debit || ',' || credit || ','
                                          || COALESCE(to_json(object)::TEXT, 'null') || ']',
                                      ',' ORDER BY line_no) || ']' AS lines
               FROM journal_line GROUP BY school_id, seq) l
    ON l.school_id = e.school_id AND l.seq = e.seq
 ORDER BY e.school_id, e.seq;

DROP TABLE journal_line;
DROP TABLE journal_entry;
ALTER TABLE journal_entry_0003 RENAME TO journal_entry;

CREATE TRIGGER journal_entry_no_change BEFORE UPDATE OR DELETE ON journal_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entry_no_truncate BEFORE TRUNCATE ON journal_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Also where session_replication_role switches ordinary triggers off.
ALTER TABLE journal_entry ENABLE ALWAYS TRIGGER journal_entry_no_change;
ALTER TABLE journal_entry ENABLE ALWAYS TRIGGER journal_entry_no_truncate;

-- The journal line by line.
CREATE VIEW journal_line (school_id, seq, line_no, account, debit, credit, object, kind, source_id,
                          booked_day, event_day, posted_at, reverses) AS
SELECT e.school_id, e.seq, l.place, (l.line ->> 0) COLLATE "C", (l.line ->> 1)::BIGINT,
       (l.line ->> 2)::BIGINT, l.line ->> 3,
       e.kind, e.source_id, e.booked_day, e.event_day, e.posted_at, e.reverses
  FROM journal_entry e, jsonb_array_elements(e.lines::JSONB) WITH ORDINALITY AS l (line, place);

-- What was closed and opened again, by whom and why. Append-only.
CREATE TABLE ledger_period (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES ledger_head (school_id),
    event_no        BIGINT NOT NULL,
    period          TEXT NOT NULL,        -- 2026-10 or 2026
    action          TEXT NOT NULL CHECK (action IN ('LOCKED', 'UNLOCKED')),
    closed_through  DATE,                 -- from now on
    after_seq       BIGINT NOT NULL,      -- the last entry before it
    reason          TEXT NOT NULL,
    actor           TEXT NOT NULL,
    at              TIMESTAMPTZ NOT NULL,
    seal            TEXT NOT NULL,
    PRIMARY KEY (school_id, event_no),
    CHECK (action = 'LOCKED' OR reason <> '')
);

CREATE TRIGGER ledger_period_no_change BEFORE UPDATE OR DELETE ON ledger_period
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_period_no_truncate BEFORE TRUNCATE ON ledger_period
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE ledger_period ENABLE ALWAYS TRIGGER ledger_period_no_change;
ALTER TABLE ledger_period ENABLE ALWAYS TRIGGER ledger_period_no_truncate;

-- How far a chain was verified, so that the next check goes on from there. Sealed.
CREATE TABLE ledger_checkpoint (
    school_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES ledger_head (school_id),
    seq         BIGINT NOT NULL,
    digest      TEXT NOT NULL,
    balances    TEXT NOT NULL,            -- JSON [[account, debit, credit], …] at that entry
    key_id      TEXT NOT NULL,
    checked_at  TIMESTAMPTZ NOT NULL,
    seal        TEXT NOT NULL
);
