//! Every SQL statement of the archive.

use super::{Kept, Kind};
use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx, rows};

/// One version of one file.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Archived {
    pub school_id: SchoolId,
    pub kind: Kind,
    pub subject_id: String,
    pub version: i64,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    #[sqlx(try_from = "i64")]
    pub total: Vnd,
    pub lookup_digest: String,
    pub digest: String,
    pub seal: String,
    pub file: String,
    pub archived_at: Instant,
}

/// What the archive says about a file besides its bytes.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Fact {
    pub school_id: SchoolId,
    pub subject_id: String,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    #[sqlx(try_from = "i64")]
    pub total: Vnd,
    pub lookup_code: String,
    pub last_version: i64,
}

pub(super) async fn facts(
    tx: &mut Tx,
    kind: Kind,
    files: &[Kept<'_>],
) -> Result<Vec<Fact>, StoreError> {
    let wanted = rows(files.iter().map(|file| (file.school_id, file.subject_id)));
    let query = match kind {
        Kind::Invoice => tx.sql(
            "SELECT i.school_id, i.invoice_id AS subject_id, i.form, i.symbol, i.number, i.issue_day,
                    i.total, i.lookup_code,
                    (SELECT COALESCE(MAX(a.version), 0) FROM invoice_archive a
                      WHERE a.school_id = i.school_id AND a.kind = 'INVOICE'
                        AND a.subject_id = i.invoice_id) AS last_version
               FROM ROWS($1: school_id TEXT, subject_id TEXT) AS r
               JOIN invoice i ON i.school_id = r.school_id AND i.invoice_id = r.subject_id",
        ),
        Kind::Receipt => tx.sql(
            "SELECT i.school_id, i.receipt_id AS subject_id, i.form, i.symbol, i.number, i.issue_day,
                    i.total, i.lookup_code,
                    (SELECT COALESCE(MAX(a.version), 0) FROM invoice_archive a
                      WHERE a.school_id = i.school_id AND a.kind = 'RECEIPT'
                        AND a.subject_id = i.receipt_id) AS last_version
               FROM ROWS($1: school_id TEXT, subject_id TEXT) AS r
               JOIN payment_receipt i ON i.school_id = r.school_id AND i.receipt_id = r.subject_id",
        ),
    };
    query.bind(wanted).all().await
}

pub(super) async fn insert(tx: &mut Tx, files: &[Archived]) -> Result<(), StoreError> {
    let added = tx
        .sql(
            "INSERT INTO invoice_archive (school_id, kind, subject_id, version, form, symbol, number,
                                          issue_day, total, lookup_digest, digest, seal, file,
                                          archived_at)
             SELECT school_id, kind, subject_id, version, form, symbol, number, issue_day, total,
                    lookup_digest, digest, seal, file, archived_at
               FROM ROWS($1: school_id TEXT, kind TEXT, subject_id TEXT, version BIGINT, form TEXT,
                         symbol TEXT, number BIGINT, issue_day DAY, total BIGINT, lookup_digest TEXT,
                         digest TEXT, seal TEXT, file TEXT, archived_at INSTANT) AS r",
        )
        .bind(rows(files.iter().map(|file| {
            (
                &file.school_id,
                file.kind.as_str(),
                &file.subject_id,
                file.version,
                &file.form,
                &file.symbol,
                file.number,
                file.issue_day,
                file.total,
                &file.lookup_digest,
                &file.digest,
                &file.seal,
                &file.file,
                file.archived_at,
            )
        })))
        .run()
        .await?;
    if added != u64::try_from(files.len()).unwrap_or(u64::MAX) {
        return Err(StoreError::Contradiction(format!(
            "{added} files archived of {}",
            files.len()
        )));
    }
    Ok(())
}

/// The newest version of the file behind a look-up code.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn by_lookup(db: &Db, lookup_digest: &str) -> Result<Option<Archived>, StoreError> {
    db.sql(
        "SELECT school_id, kind, subject_id, version, form, symbol, number, issue_day, total,
                lookup_digest, digest, seal, file, archived_at
           FROM invoice_archive
          WHERE lookup_digest = $1
          ORDER BY version DESC
          LIMIT 1",
    )
    .bind(lookup_digest.to_owned())
    .optional()
    .await
}

/// A school with files of a period.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Shelf {
    pub school_id: SchoolId,
    pub code: String,
    pub files: i64,
}

/// Schools that have files of these days, both included, by code.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn shelves(db: &Db, from: Day, to: Day) -> Result<Vec<Shelf>, StoreError> {
    db.sql(
        "SELECT a.school_id, u.code, COUNT(*) AS files
           FROM invoice_archive a
           JOIN org_unit u ON u.unit_id = a.school_id
          WHERE a.issue_day >= $1 AND a.issue_day <= $2
          GROUP BY a.school_id, u.code
          ORDER BY u.code",
    )
    .bind(from)
    .bind(to)
    .all()
    .await
}

/// The newest versions of a school's files of a period, in order, from after a place on. The place
/// of a row is its day, kind and subject; the first is `(from, "", "")`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn page(
    db: &Db,
    school: &SchoolId,
    to: Day,
    after: (Day, &str, &str),
    limit: i64,
) -> Result<Vec<Archived>, StoreError> {
    db.sql(
        "SELECT a.school_id, a.kind, a.subject_id, a.version, a.form, a.symbol, a.number, a.issue_day,
                a.total, a.lookup_digest, a.digest, a.seal, a.file, a.archived_at
           FROM invoice_archive a
          WHERE a.school_id = $1 AND a.issue_day <= $2
            AND (a.issue_day, a.kind, a.subject_id) > ($3, $4, $5)
            AND NOT EXISTS (SELECT 1 FROM invoice_archive n
                             WHERE n.school_id = a.school_id AND n.kind = a.kind
                               AND n.subject_id = a.subject_id AND n.version > a.version)
          ORDER BY a.issue_day, a.kind, a.subject_id
          LIMIT $6",
    )
    .bind(school.clone())
    .bind(to)
    .bind(after.0)
    .bind(after.1.to_owned())
    .bind(after.2.to_owned())
    .bind(limit)
    .all()
    .await
}

/// A document as a list shows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Listed {
    pub kind: Kind,
    pub subject_id: String,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    #[sqlx(try_from = "i64")]
    pub total: Vnd,
    pub version: i64,
}

/// Documents of a school and a period, both days included, newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn listed(
    db: &Db,
    school: &SchoolId,
    (from, to): (Day, Day),
    limit: i64,
    skip: i64,
) -> Result<Vec<Listed>, StoreError> {
    db.sql(
        "SELECT a.kind, a.subject_id, a.form, a.symbol, a.number, a.issue_day, a.total, a.version
           FROM invoice_archive a
          WHERE a.school_id = $1 AND a.issue_day >= $2 AND a.issue_day <= $3
            AND NOT EXISTS (SELECT 1 FROM invoice_archive n
                             WHERE n.school_id = a.school_id AND n.kind = a.kind
                               AND n.subject_id = a.subject_id AND n.version > a.version)
          ORDER BY a.issue_day DESC, a.kind, a.symbol, a.number DESC
          LIMIT $4 OFFSET $5",
    )
    .bind(school.clone())
    .bind(from)
    .bind(to)
    .bind(limit)
    .bind(skip)
    .all()
    .await
}

/// The newest version of one document of a school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn newest(
    db: &Db,
    school: &SchoolId,
    kind: Kind,
    subject: &str,
) -> Result<Option<Archived>, StoreError> {
    db.sql(
        "SELECT school_id, kind, subject_id, version, form, symbol, number, issue_day, total,
                lookup_digest, digest, seal, file, archived_at
           FROM invoice_archive
          WHERE school_id = $1 AND kind = $2 AND subject_id = $3
          ORDER BY version DESC
          LIMIT 1",
    )
    .bind(school.clone())
    .bind(kind)
    .bind(subject.to_owned())
    .optional()
    .await
}

/// Schools, whether they have files or not.
pub(super) async fn schools(db: &Db) -> Result<Vec<SchoolId>, StoreError> {
    let found: Vec<(SchoolId,)> = db
        .sql("SELECT school_id FROM school ORDER BY school_id")
        .all()
        .await?;
    Ok(found.into_iter().map(|(school,)| school).collect())
}

/// Every version of a school's documents of a kind, in the order of the key, from after a place on.
pub(super) async fn shelf_after(
    db: &Db,
    school: &SchoolId,
    kind: Kind,
    after: (&str, i64),
    limit: i64,
) -> Result<Vec<Archived>, StoreError> {
    db.sql(
        "SELECT school_id, kind, subject_id, version, form, symbol, number, issue_day, total,
                lookup_digest, digest, seal, file, archived_at
           FROM invoice_archive
          WHERE school_id = $1 AND kind = $2 AND (subject_id, version) > ($3, $4)
          ORDER BY school_id, kind, subject_id, version
          LIMIT $5",
    )
    .bind(school.clone())
    .bind(kind)
    .bind(after.0.to_owned())
    .bind(after.1)
    .bind(limit)
    .all()
    .await
}

/// Signed files of a school whose bytes are in no version of the archive, and how many versions there
/// are; of documents born from a place on.
pub(super) async fn not_kept(
    db: &Db,
    school: &SchoolId,
    from: &str,
) -> Result<Vec<(String, i64)>, StoreError> {
    db.sql(
        "SELECT i.form || i.symbol || '-' || i.number,
                (SELECT COUNT(*) FROM invoice_archive a
                  WHERE a.school_id = i.school_id AND a.kind = 'INVOICE'
                    AND a.subject_id = i.invoice_id)
           FROM invoice i
          WHERE i.school_id = $1 AND i.invoice_id >= $2
            AND ((i.xml IS NOT NULL AND NOT EXISTS (
                     SELECT 1 FROM invoice_archive a
                      WHERE a.school_id = i.school_id AND a.kind = 'INVOICE'
                        AND a.subject_id = i.invoice_id AND a.file = i.xml))
              OR (i.coded_xml IS NOT NULL AND NOT EXISTS (
                     SELECT 1 FROM invoice_archive a
                      WHERE a.school_id = i.school_id AND a.kind = 'INVOICE'
                        AND a.subject_id = i.invoice_id AND a.file = i.coded_xml)))
          UNION ALL
         SELECT i.symbol || '-' || i.number,
                (SELECT COUNT(*) FROM invoice_archive a
                  WHERE a.school_id = i.school_id AND a.kind = 'RECEIPT'
                    AND a.subject_id = i.receipt_id)
           FROM payment_receipt i
          WHERE i.school_id = $1 AND i.receipt_id >= $2
            AND i.xml IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM invoice_archive a
                     WHERE a.school_id = i.school_id AND a.kind = 'RECEIPT'
                       AND a.subject_id = i.receipt_id AND a.file = i.xml)",
    )
    .bind(school.clone())
    .bind(from.to_owned())
    .all()
    .await
}

/// Triggers that keep the archive append-only and are not there or switched off.
pub(super) async fn missing_guards(db: &Db) -> Result<Vec<String>, StoreError> {
    let found: Vec<(String,)> = db
        .sql_by_engine(
            "SELECT g.value FROM json_each('[\"invoice_archive_no_update\",
                    \"invoice_archive_no_delete\", \"invoice_archive_no_replace\"]') g
              WHERE g.value NOT IN (SELECT name FROM sqlite_schema WHERE type = 'trigger')",
            "SELECT g.name FROM (VALUES ('invoice_archive', 'invoice_archive_no_change'),
                    ('invoice_archive', 'invoice_archive_no_truncate')) AS g (of_table, name)
              WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t
                                 WHERE t.tgrelid = to_regclass(g.of_table) AND t.tgname = g.name
                                   AND t.tgenabled = 'A')",
        )
        .all()
        .await?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}

/// A signed file that is not in the archive at all.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Outside {
    pub school_id: SchoolId,
    pub kind: Kind,
    pub subject_id: String,
    pub xml: String,
    pub coded_xml: Option<String>,
}

pub(super) async fn outside(
    db: &Db,
    after: (&str, &str, &str),
    limit: i64,
) -> Result<Vec<Outside>, StoreError> {
    db.sql(
        "SELECT school_id, kind, subject_id, xml, coded_xml
           FROM (SELECT i.school_id, 'INVOICE' AS kind, i.invoice_id AS subject_id, i.xml, i.coded_xml
                   FROM invoice i WHERE i.xml IS NOT NULL
                  UNION ALL
                 SELECT d.school_id, 'RECEIPT', d.receipt_id, d.xml, NULL
                   FROM payment_receipt d WHERE d.xml IS NOT NULL) s
          WHERE (school_id, kind, subject_id) > ($1, $2, $3)
            AND NOT EXISTS (SELECT 1 FROM invoice_archive a
                             WHERE a.school_id = s.school_id AND a.kind = s.kind
                               AND a.subject_id = s.subject_id)
          ORDER BY school_id, kind, subject_id
          LIMIT $4",
    )
    .bind(after.0.to_owned())
    .bind(after.1.to_owned())
    .bind(after.2.to_owned())
    .bind(limit)
    .all()
    .await
}
