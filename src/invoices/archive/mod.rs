//! The archive: every signed file as it was, for as long as accounting law keeps it (parameter
//! `invoice_archive_years`). The tables of invoices work on; the archive only grows, which the
//! database enforces too, and every row is sealed with a key that the database does not have.
//!
//! Nothing here deletes: when the period is over is said in the index of an export, and destroying is
//! an act of people. A file enters in the transaction that stores it ([`keep`]).

mod check;
mod export;
mod store;

use aws_lc_rs::digest::{SHA256, digest};

pub use check::{Filled, Finding, check, fill};
pub use export::{ExportError, Exported, IndexRow, Part, index_head, render, years_kept};
pub use store::{Archived, Listed, Shelf, by_lookup, listed, newest, page, shelves};

use crate::clock::Instant;
use crate::ids::SchoolId;
use crate::sealing::SealingKey;
use crate::store::{StoreError, Tx};
use crate::stored_as_text;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Invoice,
    Receipt,
}
stored_as_text!(Kind { Invoice = "INVOICE", Receipt = "RECEIPT" });

/// A signed file on its way into the archive.
#[derive(Clone, Debug)]
pub struct Kept<'f> {
    pub school_id: &'f SchoolId,
    /// The invoice or receipt.
    pub subject_id: &'f str,
    pub file: &'f str,
}

/// Puts files in, each as the next version of its subject.
///
/// # Errors
/// [`StoreError`]; a subject that is not there is a contradiction.
pub async fn keep(
    tx: &mut Tx,
    key: &SealingKey,
    kind: Kind,
    files: &[Kept<'_>],
    now: Instant,
) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    let facts = store::facts(tx, kind, files).await?;
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        let fact = facts
            .iter()
            .find(|fact| fact.school_id == *file.school_id && fact.subject_id == file.subject_id)
            .ok_or_else(|| {
                StoreError::Contradiction(format!("{kind} {} is not there", file.subject_id))
            })?;
        let mut row = Archived {
            school_id: fact.school_id.clone(),
            kind,
            subject_id: fact.subject_id.clone(),
            version: fact.last_version + 1,
            form: fact.form.clone(),
            symbol: fact.symbol.clone(),
            number: fact.number,
            issue_day: fact.issue_day,
            total: fact.total,
            lookup_digest: lookup_digest(&fact.lookup_code),
            digest: hash(file.file.as_bytes()),
            seal: String::new(),
            file: file.file.to_owned(),
            archived_at: now,
        };
        row.seal = row.sealed(key);
        rows.push(row);
    }
    store::insert(tx, &rows).await
}

/// By what a look-up code is found: searching takes as long whatever part of a guess is right.
pub fn lookup_digest(code: &str) -> String {
    hash(format!("hocphi look-up code {code}").as_bytes())
}

/// SHA-256 in hex.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes).as_ref())
}

/// Why an archived file is not what was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    #[error("the file is not the one that was archived")]
    File,
    #[error("the row was not written with this installation's key")]
    Seal,
}

impl Archived {
    fn sealed(&self, key: &SealingKey) -> String {
        let numbers =
            [self.version, self.number, self.total.get()].map(|number| number.to_string());
        key.digest(
            "invoice archive",
            &[
                self.school_id.as_str().as_bytes(),
                self.kind.as_str().as_bytes(),
                self.subject_id.as_bytes(),
                numbers[0].as_bytes(),
                self.form.as_bytes(),
                self.symbol.as_bytes(),
                numbers[1].as_bytes(),
                self.issue_day.iso().as_bytes(),
                numbers[2].as_bytes(),
                self.lookup_digest.as_bytes(),
                self.digest.as_bytes(),
            ],
        )
    }

    /// Whether the file is the one that was put in.
    ///
    /// # Errors
    /// [`Tampered`].
    pub fn prove(&self, key: &SealingKey) -> Result<(), Tampered> {
        self.prove_file()?;
        if self.sealed(key) != self.seal {
            return Err(Tampered::Seal);
        }
        Ok(())
    }

    /// Whether the file still has its digest, which is all that can be said without the key.
    fn prove_file(&self) -> Result<(), Tampered> {
        if hash(self.file.as_bytes()) != self.digest {
            return Err(Tampered::File);
        }
        Ok(())
    }

    /// `1C26TAA-128`.
    pub fn name(&self) -> String {
        name(self.kind, &self.form, &self.symbol, self.number)
    }
}

impl Listed {
    /// `1C26TAA-128`.
    pub fn name(&self) -> String {
        name(self.kind, &self.form, &self.symbol, self.number)
    }
}

fn name(kind: Kind, form: &str, symbol: &str, number: i64) -> String {
    match kind {
        Kind::Invoice => format!("{form}{symbol}-{number}"),
        // The symbol of receipts begins with their form.
        Kind::Receipt => format!("{symbol}-{number}"),
    }
}
