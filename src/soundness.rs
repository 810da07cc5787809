//! The whole books derived again: journal, every figure that is stored beside it, and the files of
//! the archive.
//!
//! The journal is read at one moment (`ledger/check`). Each comparison of stored figures is one
//! statement, which sees one moment by itself, so that all of it can run beside nodes at work, and
//! on a replica. Nothing is written.

use std::collections::BTreeSet;

use crate::ids::SchoolId;
use crate::ledger::check::{Extent, Verified};
use crate::ledger::{self, ChainKeys};
use crate::payments::check::Totals;
use crate::store::{Db, StoreError};
use crate::{fees, invoices, payments};

mod advice;

pub use advice::{Advice, advice};

/// What to look at, and with how many hands.
#[derive(Clone, Debug)]
pub struct Options {
    /// Without keys, keyed digests are not proven.
    pub keys: Option<ChainKeys>,
    pub extent: Extent,
    /// Readers of the journal at the same time.
    pub readers: usize,
    /// The journal alone, without the figures beside it.
    pub journal_only: bool,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// `*` when it concerns all.
    pub school: String,
    /// Stable; see [`advice`].
    pub code: &'static str,
    /// The entry of the journal, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    /// The row at fault, or what was found.
    pub detail: String,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub schools: u64,
    pub entries: u64,
    pub lines: u64,
    /// Entries without a key, of the first version.
    pub unkeyed: u64,
    /// Entries below checkpoints, proven earlier.
    pub below_checkpoints: u64,
    /// Versions of signed documents that were read again.
    pub files: u64,
    pub totals: Totals,
    pub findings: Vec<Finding>,
    /// Chains in order, for [`ledger::check::keep`].
    pub verified: Vec<Verified>,
}

/// Looks at everything.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn check(db: &Db, options: &Options) -> Result<Report, StoreError> {
    let readers = db.snapshot(options.readers.max(1)).await?;
    let (journal, readers) =
        ledger::check::verify(readers, options.keys.as_ref(), options.extent).await?;
    drop(readers);
    let mut report = Report {
        schools: journal.schools,
        entries: journal.entries,
        lines: journal.lines,
        unkeyed: journal.unkeyed,
        below_checkpoints: journal.below_checkpoints,
        verified: journal.verified,
        ..Report::default()
    };
    for finding in journal.findings {
        report.findings.push(Finding {
            school: finding.school_id.to_string(),
            code: finding.code,
            entry: finding.seq,
            detail: finding.detail,
        });
    }
    if options.journal_only {
        return Ok(report);
    }
    let masters = options.keys.iter().flat_map(ChainKeys::masters);
    let (of_payments, of_invoices, of_fees, totals, (files, of_archive)) = tokio::try_join!(
        payments::check::run(db),
        invoices::check::run(db),
        fees::check::run(db),
        payments::check::totals(db),
        invoices::archive::check(db, masters, &journal.resumed),
    )?;
    report.files = files;
    // The archive goes on from the checkpoints of the journal: where it is wrong there is none.
    let wrong: BTreeSet<&SchoolId> = of_archive.iter().map(|found| &found.school_id).collect();
    report
        .verified
        .retain(|chain| !wrong.contains(&chain.school_id));
    let mut find = |school: String, code, detail| {
        report.findings.push(Finding {
            school,
            code,
            entry: None,
            detail,
        });
    };
    for finding in of_payments {
        find(finding.school_id.to_string(), finding.code, finding.subject);
    }
    for finding in of_invoices {
        find(finding.school_id.to_string(), finding.code, finding.subject);
    }
    for finding in of_archive {
        find(finding.school_id.to_string(), finding.code, finding.subject);
    }
    for finding in of_fees {
        find(finding.school_id.to_string(), finding.code, finding.subject);
    }
    if totals.money_in != totals.settled + totals.credits + totals.suspense {
        find(
            "*".into(),
            "money_lost",
            format!(
                "đã thu {} khác gạch nợ {} + ghi có {} + treo {}",
                totals.money_in, totals.settled, totals.credits, totals.suspense
            ),
        );
    }
    report.totals = totals;
    Ok(report)
}
