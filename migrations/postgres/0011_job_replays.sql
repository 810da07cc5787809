-- Who had a job that was given up done again, and what had stopped it.
CREATE TABLE job_replay (
    school_id    TEXT COLLATE "C" NOT NULL,
    replay_id    TEXT COLLATE "C" NOT NULL,
    job_id       TEXT COLLATE "C" NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL,
    subject      TEXT COLLATE "C" NOT NULL,
    last_error   TEXT,
    replayed_by  TEXT COLLATE "C" NOT NULL,        -- user, or what a command was called with
    replayed_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, replay_id)
);
