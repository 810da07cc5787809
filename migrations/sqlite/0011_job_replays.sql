-- Who had a job that was given up done again, and what had stopped it.
CREATE TABLE job_replay (
    school_id    TEXT NOT NULL,
    replay_id    TEXT NOT NULL,
    job_id       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    subject      TEXT NOT NULL,
    last_error   TEXT,
    replayed_by  TEXT NOT NULL,        -- user, or what a command was called with
    replayed_at  INTEGER NOT NULL,
    PRIMARY KEY (school_id, replay_id)
) STRICT;
