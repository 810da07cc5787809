//! Derives what rounds and bills claim again from the lines of bills.

use crate::ids::SchoolId;
use crate::store::{Db, StoreError};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub school_id: SchoolId,
    /// Stable code.
    pub code: &'static str,
    /// The row at fault.
    pub subject: String,
}

/// Rounds whose number of bills is another one, bills without lines. What a round asked for in total
/// is what it asked for when it was published, and stays when a premium is priced anew.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn run(db: &Db) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let checks = [
        ("round_differs", rounds(db).await?),
        ("bill_without_lines", empty_bills(db).await?),
    ];
    for (code, rows) in checks {
        findings.extend(rows.into_iter().map(|(school_id, subject)| Finding {
            school_id,
            code,
            subject,
        }));
    }
    Ok(findings)
}

async fn rounds(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT r.school_id, r.round_id
           FROM billing_round r
           LEFT JOIN (SELECT school_id, round_id, COUNT(*) AS bills
                        FROM fee_bill GROUP BY school_id, round_id) b
             ON b.school_id = r.school_id AND b.round_id = r.round_id
          WHERE r.published_at IS NOT NULL AND COALESCE(b.bills, 0) <> r.bill_count",
    )
    .all()
    .await
}

async fn empty_bills(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT b.school_id, b.bill_id
           FROM fee_bill b
           LEFT JOIN (SELECT DISTINCT school_id, bill_id FROM bill_line) l
             ON l.school_id = b.school_id AND l.bill_id = b.bill_id
          WHERE l.bill_id IS NULL AND b.amount_due > 0",
    )
    .all()
    .await
}
