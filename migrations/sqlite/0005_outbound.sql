-- Calls to providers that outlive a request, every message as it came in, and rotated credentials (SQLite).

-- Credentials that were replaced: still good for checking until previous_until, kept to read older messages again.
ALTER TABLE provider_connection ADD COLUMN previous_credentials TEXT;   -- sealed
ALTER TABLE provider_connection ADD COLUMN previous_until INTEGER;
-- Networks a provider's notices may come from, separated by spaces; none means any.
ALTER TABLE provider_connection ADD COLUMN sources TEXT;

-- One payment or refund as a provider sees it, until it ends.
CREATE TABLE provider_flow (
    school_id       TEXT NOT NULL REFERENCES school (school_id),
    flow_id         TEXT NOT NULL,      -- the idempotency key in our requests
    kind            TEXT NOT NULL CHECK (kind IN ('PAYMENT', 'REFUND')),
    subject         TEXT NOT NULL,      -- the attempt, or the refund
    connection_id   TEXT NOT NULL,
    order_ref       TEXT NOT NULL,      -- the name the provider knows the payment by
    amount          INTEGER NOT NULL CHECK (amount > 0),
    request         TEXT NOT NULL,      -- JSON: what the calls are built from
    state           TEXT NOT NULL CHECK (state IN ('PLANNED', 'SENT', 'UNKNOWN', 'PENDING', 'DONE', 'FAILED', 'EXPIRED', 'REVIEW')),
    version         INTEGER NOT NULL,   -- counts changes; every change compares it
    sends           INTEGER NOT NULL,
    asks            INTEGER NOT NULL,
    faults          INTEGER NOT NULL,   -- in a row, since the last answer
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    sent_at         INTEGER,
    next_at         INTEGER,            -- when something is to be done; none when ended
    leased_until    INTEGER,
    provider_ref    TEXT,               -- the provider's own name of it
    pay_address     TEXT,               -- where the payer goes
    problem         TEXT,               -- of the last call, for people
    ended_at        INTEGER,
    PRIMARY KEY (school_id, flow_id),
    UNIQUE (school_id, kind, subject)
) STRICT;
CREATE INDEX provider_flow_due ON provider_flow (next_at) WHERE next_at IS NOT NULL;

-- Every message of a provider as it came in, also refused ones. Secrets and card numbers are masked.
CREATE TABLE inbound_message (
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
    PRIMARY KEY (school_id, message_id)
) STRICT;
CREATE INDEX inbound_message_connection ON inbound_message (school_id, connection_id, verdict, message_id);
