//! Receipts, where their money lies, and their entries.

use super::{PAGE_ROWS, Tally};
use crate::clock::{Day, Instant};
use crate::ids::{BillId, InvoiceId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError};

/// What the list of receipts is narrowed to. Empty texts narrow nothing.
#[derive(Clone, Debug)]
pub struct ReceiptFilter {
    pub from: Day,
    pub to: Day,
    pub channel: String,
    /// Folded name of a pupil, or part of it.
    pub name: String,
    /// A bill code.
    pub code: String,
}

/// One receipt in a list; `to_…` say where its money lies now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Receipt {
    pub payment_id: PaymentId,
    pub channel: String,
    pub provider: String,
    pub transaction_id: String,
    pub memo: Option<String>,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    #[sqlx(try_from = "i64")]
    pub to_bills: Vnd,
    #[sqlx(try_from = "i64")]
    pub to_credit: Vnd,
    #[sqlx(try_from = "i64")]
    pub to_suspense: Vnd,
    /// Gone back to the payer, or on its way.
    #[sqlx(try_from = "i64")]
    pub taken_back: Vnd,
    /// Confirmed or settled.
    pub state: String,
    /// Stands, reversed, or reversed in part.
    pub standing: String,
    pub paid_at: Instant,
    pub bill_id: Option<BillId>,
    pub bill_code: Option<String>,
    pub pupil_name: Option<String>,
    pub class_name: Option<String>,
    pub invoice_id: Option<InvoiceId>,
    pub invoice_symbol: Option<String>,
    pub invoice_number: Option<i64>,
    pub invoice_state: Option<String>,
    /// 1 when there is a signed file to download.
    pub invoice_signed: i64,
}

/// Receipts, newest first; one row more than a page shows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn receipts(
    db: &Db,
    school: &SchoolId,
    filter: &ReceiptFilter,
    page: i64,
) -> Result<Vec<Receipt>, StoreError> {
    db.sql(
        "SELECT p.payment_id, p.channel, p.provider, p.transaction_id, p.memo, p.amount,
                p.to_bills + p.bills_later AS to_bills, p.to_credit + p.credit_later AS to_credit,
                p.to_suspense + p.suspense_later AS to_suspense, p.taken_back, p.state, p.standing,
                p.paid_at, p.bill_id, b.bill_code,
                b.pupil_name, b.class_name, i.invoice_id, i.form || i.symbol AS invoice_symbol,
                i.number AS invoice_number, i.state AS invoice_state,
                CAST(CASE WHEN i.xml IS NULL THEN 0 ELSE 1 END AS BIGINT) AS invoice_signed
           FROM payment p
           LEFT JOIN fee_bill b ON b.school_id = p.school_id AND b.bill_id = p.bill_id
           LEFT JOIN pupil u ON u.school_id = b.school_id AND u.pupil_id = b.pupil_id
           LEFT JOIN invoice i ON i.school_id = p.school_id AND i.payment_id = p.payment_id
                              AND i.cause = '' AND i.related_id IS NULL
          WHERE p.school_id = $1 AND p.paid_day >= $2 AND p.paid_day <= $3
            AND ($4 = '' OR p.channel = $4)
            AND ($5 = '' OR u.search_name LIKE '%' || $5 || '%')
            AND ($6 = '' OR b.bill_code = $6)
          ORDER BY p.paid_at DESC, p.payment_id DESC
          LIMIT $7 OFFSET $8",
    )
    .bind(school.clone())
    .bind(filter.from)
    .bind(filter.to)
    .bind(filter.channel.clone())
    .bind(filter.name.clone())
    .bind(filter.code.clone())
    .bind(PAGE_ROWS + 1)
    .bind(page * PAGE_ROWS)
    .all()
    .await
}

/// How many receipts fit the filter, and their sum.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn receipts_total(
    db: &Db,
    school: &SchoolId,
    filter: &ReceiptFilter,
) -> Result<Tally, StoreError> {
    db.sql(
        "SELECT 'ALL' AS name, COUNT(*) AS count,
                CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) AS amount
           FROM payment p
           LEFT JOIN fee_bill b ON b.school_id = p.school_id AND b.bill_id = p.bill_id
           LEFT JOIN pupil u ON u.school_id = b.school_id AND u.pupil_id = b.pupil_id
          WHERE p.school_id = $1 AND p.paid_day >= $2 AND p.paid_day <= $3
            AND ($4 = '' OR p.channel = $4)
            AND ($5 = '' OR u.search_name LIKE '%' || $5 || '%')
            AND ($6 = '' OR b.bill_code = $6)",
    )
    .bind(school.clone())
    .bind(filter.from)
    .bind(filter.to)
    .bind(filter.channel.clone())
    .bind(filter.name.clone())
    .bind(filter.code.clone())
    .one()
    .await
}

/// One receipt.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn receipt(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Option<Receipt>, StoreError> {
    db.sql(
        "SELECT p.payment_id, p.channel, p.provider, p.transaction_id, p.memo, p.amount,
                p.to_bills + p.bills_later AS to_bills, p.to_credit + p.credit_later AS to_credit,
                p.to_suspense + p.suspense_later AS to_suspense, p.taken_back, p.state, p.standing,
                p.paid_at, p.bill_id, b.bill_code,
                b.pupil_name, b.class_name, i.invoice_id, i.form || i.symbol AS invoice_symbol,
                i.number AS invoice_number, i.state AS invoice_state,
                CAST(CASE WHEN i.xml IS NULL THEN 0 ELSE 1 END AS BIGINT) AS invoice_signed
           FROM payment p
           LEFT JOIN fee_bill b ON b.school_id = p.school_id AND b.bill_id = p.bill_id
           LEFT JOIN invoice i ON i.school_id = p.school_id AND i.payment_id = p.payment_id
                              AND i.cause = '' AND i.related_id IS NULL
          WHERE p.school_id = $1 AND p.payment_id = $2",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .optional()
    .await
}

/// Receipts that settled a bill, newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn receipts_of_bill(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
) -> Result<Vec<Receipt>, StoreError> {
    db.sql(
        "SELECT p.payment_id, p.channel, p.provider, p.transaction_id, p.memo, p.amount,
                p.to_bills + p.bills_later AS to_bills, p.to_credit + p.credit_later AS to_credit,
                p.to_suspense + p.suspense_later AS to_suspense, p.taken_back, p.state, p.standing,
                p.paid_at, p.bill_id, b.bill_code,
                b.pupil_name, b.class_name, i.invoice_id, i.form || i.symbol AS invoice_symbol,
                i.number AS invoice_number, i.state AS invoice_state,
                CAST(CASE WHEN i.xml IS NULL THEN 0 ELSE 1 END AS BIGINT) AS invoice_signed
           FROM payment p
           LEFT JOIN fee_bill b ON b.school_id = p.school_id AND b.bill_id = p.bill_id
           LEFT JOIN invoice i ON i.school_id = p.school_id AND i.payment_id = p.payment_id
                              AND i.cause = '' AND i.related_id IS NULL
          WHERE p.school_id = $1
            AND p.payment_id IN (SELECT a.payment_id FROM allocation a
                                  WHERE a.school_id = $1 AND a.bill_id = $2)
          ORDER BY p.paid_at DESC, p.payment_id DESC",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .all()
    .await
}

/// Where a part of a receipt went.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Allocated {
    pub target: String,
    pub bill_id: Option<BillId>,
    pub bill_code: Option<String>,
    pub line_name: Option<String>,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
}

/// The parts of a receipt where they lie now, in the order they came there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn allocations(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Vec<Allocated>, StoreError> {
    db.sql(
        "SELECT a.target, a.bill_id, b.bill_code, l.name AS line_name, a.amount - a.moved_on AS amount
           FROM allocation a
           LEFT JOIN fee_bill b ON b.school_id = a.school_id AND b.bill_id = a.bill_id
           LEFT JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                                AND l.line_no = a.line_no
          WHERE a.school_id = $1 AND a.payment_id = $2 AND a.moved_on < a.amount
          ORDER BY a.seq",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .all()
    .await
}

/// One line of the journal.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JournalRow {
    pub seq: i64,
    pub kind: String,
    pub booked_day: Day,
    pub account: String,
    #[sqlx(try_from = "i64")]
    pub debit: Vnd,
    #[sqlx(try_from = "i64")]
    pub credit: Vnd,
}

/// What the journal says about a receipt and about everything that happened to its money since.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn journal(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Vec<JournalRow>, StoreError> {
    db.sql(
        "SELECT l.seq, e.kind, e.booked_day, l.account, l.debit, l.credit
           FROM (SELECT 'PAYMENT_RECEIVED' AS kind, $2 AS source_id
                 UNION ALL
                 SELECT 'PAYMENT_SETTLED', $2
                 UNION ALL
                 SELECT DISTINCT CASE m.kind WHEN 'TAKEN_BACK' THEN 'PAYMENT_TAKEN_BACK'
                                             WHEN 'REFUND' THEN 'REFUND_REQUESTED'
                                             ELSE m.kind END, m.move_id
                   FROM money_move_part d
                   JOIN money_move m ON m.school_id = d.school_id AND m.move_id = d.move_id
                  WHERE d.school_id = $1 AND d.payment_id = $2
                 UNION ALL
                 SELECT DISTINCT 'REFUND_PAID', r.refund_id
                   FROM money_move_part d
                   JOIN refund r ON r.school_id = d.school_id AND r.move_id = d.move_id
                  WHERE d.school_id = $1 AND d.payment_id = $2) AS s
           JOIN journal_entry e ON e.school_id = $1 AND e.kind = s.kind
                               AND e.source_id = s.source_id
           JOIN journal_line l ON l.school_id = e.school_id AND l.seq = e.seq
          ORDER BY l.seq, l.line_no",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .all()
    .await
}
