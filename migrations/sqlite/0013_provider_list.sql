-- How far each provider's own list of movements has been read, for those whose notice never came.
CREATE TABLE provider_list (
    school_id       TEXT NOT NULL REFERENCES school (school_id),
    connection_id   TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('ON', 'OFF')),  -- OFF: a credential is missing
    not_before      INTEGER NOT NULL,   -- nothing older is taken over
    through_at      INTEGER NOT NULL,   -- everything until then has been read
    after_number    TEXT,               -- the provider's number from which on it is read again
    version         INTEGER NOT NULL,   -- counts changes; every change compares it
    found           INTEGER NOT NULL,   -- movements taken over whose notice had not come
    faults          INTEGER NOT NULL,   -- in a row, since the last whole reading
    next_at         INTEGER NOT NULL,
    leased_until    INTEGER,
    read_at         INTEGER,            -- when it was last read to the end
    found_at        INTEGER,            -- when something was last taken over
    problem         TEXT,               -- of the last reading, for people
    PRIMARY KEY (school_id, connection_id)
) STRICT;
CREATE INDEX provider_list_due ON provider_list (next_at);
