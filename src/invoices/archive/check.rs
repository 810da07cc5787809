//! Whether the archive is whole and untouched, and bringing in what was signed before there was one.

use super::store;
use super::{Kept, Kind, Tampered, keep};
use crate::clock::Instant;
use crate::ids::SchoolId;
use crate::invoices::verify::{Severity, Trust, verify};
use crate::sealing::SealingKey;
use crate::store::{Db, StoreError, Tx};

/// Rows that are read at a time; a file has some thousand bytes.
const ROWS_AT_ONCE: i64 = 200;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub school_id: SchoolId,
    /// Stable: `archive_file_changed`, `archive_seal_broken`, `archive_version_missing`,
    /// `archive_differs`, `archive_missing`.
    pub code: &'static str,
    /// The document, `1C26TAA-128`.
    pub subject: String,
}

/// Reads every file again. Answers how many versions there are, and what is wrong.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub async fn check(db: &Db, key: &SealingKey) -> Result<(u64, Vec<Finding>), StoreError> {
    let mut findings = Vec::new();
    let mut count = 0;
    let mut at = (String::new(), String::new(), String::new(), 0);
    loop {
        let page = store::all_after(db, (&at.0, &at.1, &at.2, at.3), ROWS_AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        at = (
            last.school_id.to_string(),
            last.kind.to_string(),
            last.subject_id.clone(),
            last.version,
        );
        for row in page {
            count += 1;
            let code = match row.prove(key) {
                Ok(()) => continue,
                Err(Tampered::File) => "archive_file_changed",
                Err(Tampered::Seal) => "archive_seal_broken",
            };
            findings.push(Finding {
                subject: row.name(),
                school_id: row.school_id,
                code,
            });
        }
    }
    for (school_id, subject) in store::with_holes(db).await? {
        findings.push(Finding {
            school_id,
            code: "archive_version_missing",
            subject,
        });
    }
    for (school_id, subject, versions) in store::not_kept(db).await? {
        findings.push(Finding {
            school_id,
            code: if versions == 0 {
                "archive_missing"
            } else {
                "archive_differs"
            },
            subject,
        });
    }
    Ok((count, findings))
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
