//! Sums of schools for indicators (school-fees §6.2).

use crate::clock::Day;
use crate::ids::UnitId;
use crate::money::Vnd;
use crate::store::{Db, StoreError};

/// What one school contributes. Only money of families: budget lines are never paid here.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SchoolSums {
    pub name: String,
    pub education_level: String,
    /// Bills issued in the period that ask for something.
    pub bills: i64,
    #[sqlx(try_from = "i64")]
    pub due: Vnd,
    /// Receipts of the period that settled something.
    pub receipts: i64,
    pub cashless_receipts: i64,
    #[sqlx(try_from = "i64")]
    pub settled: Vnd,
    #[sqlx(try_from = "i64")]
    pub cashless_settled: Vnd,
    /// Settled lines whose rule is an invoice, and those among them that carry a coded one.
    pub invoice_lines: i64,
    pub invoiced_lines: i64,
}

/// Sums of every school under `unit`, in the tree of management as it stood on `to`, for the days
/// `from..=to`, by level and name. `unit` itself counts when it is a school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn schools_under(
    db: &Db,
    unit: &UnitId,
    from: Day,
    to: Day,
) -> Result<Vec<SchoolSums>, StoreError> {
    db.sql(
        "WITH RECURSIVE under (unit_id) AS (
             SELECT u.unit_id FROM org_unit u WHERE u.unit_id = $1
              UNION
             SELECT r.child_id
               FROM org_relation r
               JOIN under o ON o.unit_id = r.parent_id
              WHERE r.relation = 'MANAGES' AND r.valid_from <= $3
                AND (r.valid_to IS NULL OR r.valid_to > $3)
         ),
         bill AS (
             SELECT b.school_id, COUNT(*) AS bills, SUM(b.amount_due) AS due
               FROM fee_bill b
               JOIN under o ON o.unit_id = b.school_id
              WHERE b.issued_day >= $2 AND b.issued_day <= $3
                AND b.state <> 'CANCELLED' AND b.amount_due > 0
              GROUP BY b.school_id
         ),
         paid AS (
             SELECT p.school_id, COUNT(*) AS receipts, SUM(p.to_bills + p.bills_later) AS settled,
                    SUM(CASE WHEN p.channel <> 'CASH' THEN 1 ELSE 0 END) AS cashless_receipts,
                    SUM(CASE WHEN p.channel <> 'CASH' THEN p.to_bills + p.bills_later
                             ELSE 0 END) AS cashless_settled
               FROM payment p
               JOIN under o ON o.unit_id = p.school_id
              WHERE p.paid_day >= $2 AND p.paid_day <= $3 AND p.to_bills + p.bills_later > 0
              GROUP BY p.school_id
         ),
         documented AS (
             SELECT d.school_id, COUNT(*) AS lines,
                    SUM(CASE WHEN d.coded > 0 THEN 1 ELSE 0 END) AS invoiced
               FROM (SELECT a.school_id, a.bill_id, a.line_no,
                            SUM(CASE WHEN i.state = 'CODED' THEN 1 ELSE 0 END) AS coded
                       FROM payment p
                       JOIN under o ON o.unit_id = p.school_id
                       JOIN allocation a ON a.school_id = p.school_id
                                        AND a.payment_id = p.payment_id AND a.target = 'BILL_LINE'
                                        AND a.moved_on < a.amount
                       JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                                       AND l.line_no = a.line_no AND l.document_rule = 'INVOICE'
                       LEFT JOIN invoice_line n ON n.school_id = a.school_id
                                               AND n.payment_id = a.payment_id AND n.seq = a.seq
                       LEFT JOIN invoice i ON i.school_id = n.school_id
                                          AND i.invoice_id = n.invoice_id
                      WHERE p.paid_day >= $2 AND p.paid_day <= $3
                      GROUP BY a.school_id, a.bill_id, a.line_no) AS d
              GROUP BY d.school_id
         )
         SELECT u.name, s.education_level,
                CAST(COALESCE(b.bills, 0) AS BIGINT) AS bills,
                CAST(COALESCE(b.due, 0) AS BIGINT) AS due,
                CAST(COALESCE(p.receipts, 0) AS BIGINT) AS receipts,
                CAST(COALESCE(p.cashless_receipts, 0) AS BIGINT) AS cashless_receipts,
                CAST(COALESCE(p.settled, 0) AS BIGINT) AS settled,
                CAST(COALESCE(p.cashless_settled, 0) AS BIGINT) AS cashless_settled,
                CAST(COALESCE(d.lines, 0) AS BIGINT) AS invoice_lines,
                CAST(COALESCE(d.invoiced, 0) AS BIGINT) AS invoiced_lines
           FROM under o
           JOIN school s ON s.school_id = o.unit_id
           JOIN org_unit u ON u.unit_id = o.unit_id
           LEFT JOIN bill b ON b.school_id = o.unit_id
           LEFT JOIN paid p ON p.school_id = o.unit_id
           LEFT JOIN documented d ON d.school_id = o.unit_id
          ORDER BY s.education_level, u.name, u.unit_id",
    )
    .bind(unit.clone())
    .bind(from)
    .bind(to)
    .all()
    .await
}
