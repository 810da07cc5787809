//! Whether the archive is whole and untouched, and bringing in what was signed before there was one.

use std::collections::BTreeMap;

use super::store;
use super::{Archived, Kept, Kind, Tampered, keep};
use crate::clock::Instant;
use crate::ids::{Ids, SchoolId};
use crate::invoices::verify::{Severity, Trust, verify};
use crate::sealing::SealingKey;
use crate::store::{Db, StoreError, Tx};

/// Rows that are read at a time; a file has some thousand bytes.
const ROWS_AT_ONCE: i64 = 200;
/// A document is signed at once, and its code comes days after its birth at most; one that waits
/// longer is looked at by a full check alone.
const DAYS_FROM_BIRTH_TO_CODE: i64 = 7;
const SECONDS_PER_DAY: i64 = 86_400;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub school_id: SchoolId,
    /// Stable: `archive_file_changed`, `archive_seal_broken`, `archive_version_missing`,
    /// `archive_differs`, `archive_missing`, `archive_guard_missing`.
    pub code: &'static str,
    /// The document, `1C26TAA-128`.
    pub subject: String,
}

/// Reads files again: of schools that were checked before what was born since, of the others
/// everything. Answers how many versions were read, and what is wrong. Any of the keys may have
/// sealed a row; without keys only digests are proven.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub async fn check<'k>(
    db: &Db,
    keys: impl IntoIterator<Item = &'k SealingKey>,
    checked: &BTreeMap<SchoolId, Instant>,
) -> Result<(u64, Vec<Finding>), StoreError> {
    let keys: Vec<&SealingKey> = keys.into_iter().collect();
    let mut findings: Vec<Finding> = store::missing_guards(db)
        .await?
        .into_iter()
        .map(|guard| Finding {
            school_id: SchoolId::new("*"),
            code: "archive_guard_missing",
            subject: guard,
        })
        .collect();
    let mut count = 0;
    for school in store::schools(db).await? {
        let from = checked.get(&school).map_or_else(String::new, |at| {
            Ids::from_moment(at.plus_seconds(-DAYS_FROM_BIRTH_TO_CODE * SECONDS_PER_DAY))
        });
        for kind in [Kind::Invoice, Kind::Receipt] {
            count += check_shelf(db, &keys, (&school, kind, &from), &mut findings).await?;
        }
        for (subject, versions) in store::not_kept(db, &school, &from).await? {
            findings.push(Finding {
                school_id: school.clone(),
                code: if versions == 0 {
                    "archive_missing"
                } else {
                    "archive_differs"
                },
                subject,
            });
        }
    }
    Ok((count, findings))
}

/// The documents of one kind of one school, from a birth on.
async fn check_shelf(
    db: &Db,
    keys: &[&SealingKey],
    (school, kind, from): (&SchoolId, Kind, &str),
    findings: &mut Vec<Finding>,
) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut at = (from.to_owned(), 0);
    loop {
        let page = store::shelf_after(db, school, kind, (&at.0, at.1), ROWS_AT_ONCE).await?;
        if page.is_empty() {
            return Ok(count);
        }
        for row in page {
            count += 1;
            let mut find = |code| {
                findings.push(Finding {
                    school_id: school.clone(),
                    code,
                    subject: row.name(),
                });
            };
            match proven(&row, keys) {
                Ok(()) => {}
                Err(Tampered::File) => find("archive_file_changed"),
                Err(Tampered::Seal) => find("archive_seal_broken"),
            }
            let expected = if at.0 == row.subject_id { at.1 + 1 } else { 1 };
            if row.version != expected {
                find("archive_version_missing");
            }
            at = (row.subject_id, row.version);
        }
    }
}

fn proven(row: &Archived, keys: &[&SealingKey]) -> Result<(), Tampered> {
    let Some((first, former)) = keys.split_first() else {
        return row.prove_file();
    };
    match row.prove(first) {
        Err(Tampered::Seal) if former.iter().any(|key| row.prove(key).is_ok()) => Ok(()),
        verdict => verdict,
    }
}

/// What became of files that were outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    pub kept: u64,
    /// Files whose signatures do not hold: they are left for a person to look at.
    pub refused: Vec<(SchoolId, String)>,
}

/// Brings in every signed file of which the archive has no version.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn fill(
    db: &Db,
    key: &std::sync::Arc<SealingKey>,
    now: Instant,
) -> Result<Filled, StoreError> {
    let mut filled = Filled::default();
    let mut at = (String::new(), String::new(), String::new());
    loop {
        let found = store::outside(db, (&at.0, &at.1, &at.2), ROWS_AT_ONCE).await?;
        let Some(last) = found.last() else { break };
        at = (
            last.school_id.to_string(),
            last.kind.to_string(),
            last.subject_id.clone(),
        );
        let (sound, forged): (Vec<_>, Vec<_>) = found.into_iter().partition(|row| {
            [Some(&row.xml), row.coded_xml.as_ref()]
                .into_iter()
                .flatten()
                .all(|file| is_sound(file))
        });
        filled.refused.extend(
            forged
                .into_iter()
                .map(|row| (row.school_id, row.subject_id)),
        );
        filled.kept += u64::try_from(sound.len()).unwrap_or(u64::MAX);
        let key = std::sync::Arc::clone(key);
        db.write("archive.fill", async move |tx: &mut Tx| {
            for kind in [Kind::Invoice, Kind::Receipt] {
                let of_kind = || sound.iter().filter(|row| row.kind == kind);
                let signed: Vec<Kept<'_>> = of_kind().map(|row| kept(row, &row.xml)).collect();
                keep(tx, &key, kind, &signed, now).await?;
                let coded: Vec<Kept<'_>> = of_kind()
                    .filter_map(|row| Some(kept(row, row.coded_xml.as_deref()?)))
                    .collect();
                keep(tx, &key, kind, &coded, now).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    }
    Ok(filled)
}

fn kept<'f>(row: &'f store::Outside, file: &'f str) -> Kept<'f> {
    Kept {
        school_id: &row.school_id,
        subject_id: &row.subject_id,
        file,
    }
}

fn is_sound(file: &str) -> bool {
    let report = verify(file.as_bytes(), Trust::default());
    !report.invoices.is_empty()
        && !report.findings.iter().any(|finding| {
            finding.severity == Severity::Error && finding.rule.starts_with("signature.")
        })
}
