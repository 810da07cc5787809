-- Every signed file as it was, beside the tables that work with it. Nothing in it changes.

CREATE TABLE invoice_archive (
    school_id     TEXT NOT NULL REFERENCES school (school_id),
    kind          TEXT NOT NULL CHECK (kind IN ('INVOICE', 'RECEIPT')),
    subject_id    TEXT NOT NULL,        -- invoice_id or receipt_id
    version       INTEGER NOT NULL CHECK (version >= 1), -- as signed, then with the authority's code
    form          TEXT NOT NULL,
    symbol        TEXT NOT NULL,
    number        INTEGER NOT NULL,
    issue_day     TEXT NOT NULL,
    total         INTEGER NOT NULL,
    lookup_digest TEXT NOT NULL,        -- SHA-256 of the look-up code, which is searched by it
    digest        TEXT NOT NULL,        -- SHA-256 of the file
    seal          TEXT NOT NULL,        -- over everything above, keyed with the master key
    file          TEXT NOT NULL,
    archived_at   INTEGER NOT NULL,
    PRIMARY KEY (school_id, kind, subject_id, version)
) STRICT;
CREATE INDEX invoice_archive_lookup ON invoice_archive (lookup_digest);
CREATE INDEX invoice_archive_day ON invoice_archive (school_id, issue_day);

CREATE TRIGGER invoice_archive_no_update BEFORE UPDATE ON invoice_archive
BEGIN SELECT RAISE(ABORT, 'the archive is append-only'); END;

CREATE TRIGGER invoice_archive_no_delete BEFORE DELETE ON invoice_archive
BEGIN SELECT RAISE(ABORT, 'the archive is append-only'); END;

-- INSERT OR REPLACE deletes what is in its way without asking the trigger above.
CREATE TRIGGER invoice_archive_no_replace BEFORE INSERT ON invoice_archive
WHEN EXISTS (SELECT 1 FROM invoice_archive
              WHERE school_id = NEW.school_id AND kind = NEW.kind AND subject_id = NEW.subject_id
                AND version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'the archive is append-only'); END;
