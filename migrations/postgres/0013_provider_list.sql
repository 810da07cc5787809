-- How far each provider's own list of movements has been read, for those whose notice never came.
CREATE TABLE provider_list (
    school_id       TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    connection_id   TEXT COLLATE "C" NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('ON', 'OFF')),  -- OFF: a credential is missing
    not_before      TIMESTAMPTZ NOT NULL,   -- nothing older is taken over
    through_at      TIMESTAMPTZ NOT NULL,   -- everything until then has been read
    after_number    TEXT COLLATE "C",       -- the provider's number from which on it is read again
    version         BIGINT NOT NULL,        -- counts changes; every change compares it
    found           BIGINT NOT NULL,        -- movements taken over whose notice had not come
    faults          BIGINT NOT NULL,        -- in a row, since the last whole reading
    next_at         TIMESTAMPTZ NOT NULL,
    leased_until    TIMESTAMPTZ,
    read_at         TIMESTAMPTZ,            -- when it was last read to the end
    found_at        TIMESTAMPTZ,            -- when something was last taken over
    problem         TEXT,                   -- of the last reading, for people
    PRIMARY KEY (school_id, connection_id)
);
CREATE INDEX provider_list_due ON provider_list (next_at);
