//! Derives what payments claim again from allocations and the journal.

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

/// Money in and where it is, for a school or for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Totals {
    pub payments: i64,
    pub money_in: i64,
    pub settled: i64,
    pub credits: i64,
    pub suspense: i64,
}

/// Every contradiction between payments, allocations, bills, credits, suspense and journal.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn run(db: &Db) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let checks = [
        ("allocation_differs", unallocated(db).await?),
        ("line_paid_differs", line_paid(db).await?),
        ("bill_paid_differs", bill_paid(db).await?),
        ("bill_state_differs", bill_state(db).await?),
        ("credit_differs", credit(db).await?),
        ("suspense_differs", suspense(db).await?),
        ("journal_differs", journal(db).await?),
        ("notice_without_payment", notice(db).await?),
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

/// Sums over all schools: money in must equal the other three together.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn totals(db: &Db) -> Result<Totals, StoreError> {
    db.sql(
        "SELECT (SELECT COUNT(*) FROM payment) AS payments,
                CAST((SELECT COALESCE(SUM(amount), 0) FROM payment) AS BIGINT) AS money_in,
                CAST((SELECT COALESCE(SUM(amount_paid), 0) FROM fee_bill) AS BIGINT) AS settled,
                CAST((SELECT COALESCE(SUM(amount), 0) FROM pupil_credit) AS BIGINT) AS credits,
                CAST((SELECT COALESCE(SUM(amount), 0) FROM suspense_item
                       WHERE state = 'OPEN') AS BIGINT) AS suspense",
    )
    .one()
    .await
}

type Rows = Vec<(SchoolId, String)>;

async fn unallocated(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN (
                SELECT school_id, payment_id,
                       SUM(CASE target WHEN 'BILL_LINE' THEN amount ELSE 0 END) AS bills,
                       SUM(CASE target WHEN 'CREDIT' THEN amount ELSE 0 END) AS credit,
                       SUM(CASE target WHEN 'SUSPENSE' THEN amount ELSE 0 END) AS suspense
                  FROM allocation GROUP BY school_id, payment_id) a
             ON a.school_id = p.school_id AND a.payment_id = p.payment_id
          WHERE COALESCE(a.bills, 0) <> p.to_bills OR COALESCE(a.credit, 0) <> p.to_credit
             OR COALESCE(a.suspense, 0) <> p.to_suspense",
    )
    .all()
    .await
}

async fn line_paid(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT l.school_id, l.bill_id
           FROM bill_line l
           LEFT JOIN (
                SELECT school_id, bill_id, line_no, SUM(amount) AS paid
                  FROM allocation WHERE target = 'BILL_LINE'
                 GROUP BY school_id, bill_id, line_no) a
             ON a.school_id = l.school_id AND a.bill_id = l.bill_id AND a.line_no = l.line_no
          WHERE COALESCE(a.paid, 0) <> l.amount_paid",
    )
    .all()
    .await
}

async fn bill_paid(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT b.school_id, b.bill_id
           FROM fee_bill b
           JOIN (SELECT school_id, bill_id, SUM(amount_due) AS due, SUM(amount_paid) AS paid,
                        SUM(gross) AS gross
                   FROM bill_line GROUP BY school_id, bill_id) l
             ON l.school_id = b.school_id AND l.bill_id = b.bill_id
          WHERE l.due <> b.amount_due OR l.paid <> b.amount_paid OR l.gross <> b.gross",
    )
    .all()
    .await
}

async fn bill_state(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT school_id, bill_id FROM fee_bill
          WHERE state <> 'CANCELLED'
            AND state <> CASE WHEN amount_due = 0 THEN 'NOTHING_DUE'
                              WHEN amount_paid = amount_due THEN 'PAID'
                              WHEN amount_paid > 0 THEN 'PARTIAL' ELSE 'OPEN' END",
    )
    .all()
    .await
}

async fn credit(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT c.school_id, c.pupil_id
           FROM pupil_credit c
           LEFT JOIN (SELECT school_id, pupil_id, SUM(amount) AS held
                        FROM allocation WHERE target = 'CREDIT'
                       GROUP BY school_id, pupil_id) a
             ON a.school_id = c.school_id AND a.pupil_id = c.pupil_id
          WHERE COALESCE(a.held, 0) <> c.amount
         UNION ALL
         SELECT a.school_id, a.pupil_id FROM allocation a
          WHERE a.target = 'CREDIT' AND NOT EXISTS (
                SELECT 1 FROM pupil_credit c
                 WHERE c.school_id = a.school_id AND c.pupil_id = a.pupil_id)",
    )
    .all()
    .await
}

async fn suspense(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN suspense_item s ON s.school_id = p.school_id AND s.payment_id = p.payment_id
          WHERE COALESCE(s.amount, 0) <> p.to_suspense",
    )
    .all()
    .await
}

async fn journal(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN (
                SELECT e.school_id, e.source_id, SUM(l.debit) AS debit, COUNT(DISTINCT e.seq) AS entries
                  FROM journal_entry e
                  JOIN journal_line l ON l.school_id = e.school_id AND l.seq = e.seq
                 WHERE e.kind = 'PAYMENT_RECEIVED'
                 GROUP BY e.school_id, e.source_id) j
             ON j.school_id = p.school_id AND j.source_id = p.payment_id
          WHERE COALESCE(j.debit, 0) <> p.amount OR COALESCE(j.entries, 0) <> 1
         UNION ALL
         SELECT e.school_id, e.source_id FROM journal_entry e
          WHERE e.kind = 'PAYMENT_RECEIVED' AND NOT EXISTS (
                SELECT 1 FROM payment p
                 WHERE p.school_id = e.school_id AND p.payment_id = e.source_id)",
    )
    .all()
    .await
}

async fn notice(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT n.school_id, n.notice_key
           FROM provider_notice n
           LEFT JOIN payment p ON p.school_id = n.school_id AND p.payment_id = n.payment_id
          WHERE n.payment_id IS NOT NULL AND (p.payment_id IS NULL OR p.amount <> n.amount)
         UNION ALL
         SELECT p.school_id, p.payment_id FROM payment p
          WHERE NOT EXISTS (
                SELECT 1 FROM provider_notice n
                 WHERE n.school_id = p.school_id AND n.payment_id = p.payment_id)",
    )
    .all()
    .await
}
