-- Every signed file as it was, beside the tables that work with it. Nothing in it changes.

CREATE TABLE invoice_archive (
    school_id     TEXT COLLATE "C" NOT NULL REFERENCES school (school_id),
    kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('INVOICE', 'RECEIPT')),
    subject_id    TEXT COLLATE "C" NOT NULL,   -- invoice_id or receipt_id
    version       BIGINT NOT NULL CHECK (version >= 1), -- as signed, then with the authority's code
    form          TEXT COLLATE "C" NOT NULL,
    symbol        TEXT COLLATE "C" NOT NULL,
    number        BIGINT NOT NULL,
    issue_day     DATE NOT NULL,
    total         BIGINT NOT NULL,
    lookup_digest TEXT COLLATE "C" NOT NULL,   -- SHA-256 of the look-up code, which is searched by it
    digest        TEXT COLLATE "C" NOT NULL,   -- SHA-256 of the file
    seal          TEXT COLLATE "C" NOT NULL,   -- over everything above, keyed with the master key
    file          TEXT NOT NULL,
    archived_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (school_id, kind, subject_id, version)
);
CREATE INDEX invoice_archive_lookup ON invoice_archive (lookup_digest);
CREATE INDEX invoice_archive_day ON invoice_archive (school_id, issue_day);

CREATE TRIGGER invoice_archive_no_change BEFORE UPDATE OR DELETE ON invoice_archive
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_archive_no_truncate BEFORE TRUNCATE ON invoice_archive
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Also where session_replication_role switches ordinary triggers off.
ALTER TABLE invoice_archive ENABLE ALWAYS TRIGGER invoice_archive_no_change;
ALTER TABLE invoice_archive ENABLE ALWAYS TRIGGER invoice_archive_no_truncate;
