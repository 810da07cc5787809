//! What an accountant's pages read, always of one school.

use crate::clock::{Day, Instant};
use crate::ids::{BillId, InvoiceId, PaymentId, RoundId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, rows};

/// Rows of one page of a list; one more is read to know whether there is a next page.
pub const PAGE_ROWS: i64 = 50;

/// A count and a sum under a name.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Tally {
    pub name: String,
    pub count: i64,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
}

/// Money of one day by channel.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn collected(db: &Db, school: &SchoolId, day: Day) -> Result<Vec<Tally>, StoreError> {
    db.sql(
        "SELECT channel AS name, COUNT(*) AS count, CAST(SUM(amount) AS BIGINT) AS amount
           FROM payment
          WHERE school_id = $1 AND paid_day = $2
          GROUP BY channel
          ORDER BY channel",
    )
    .bind(school.clone())
    .bind(day)
    .all()
    .await
}

/// Bills by state, with what is still owed on them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bills_by_state(db: &Db, school: &SchoolId) -> Result<Vec<Tally>, StoreError> {
    db.sql(
        "SELECT state AS name, COUNT(*) AS count,
                CAST(SUM(amount_due - amount_paid) AS BIGINT) AS amount
           FROM fee_bill
          WHERE school_id = $1
          GROUP BY state
          ORDER BY state",
    )
    .bind(school.clone())
    .all()
    .await
}

/// Invoices by state, with their totals.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn invoices_by_state(db: &Db, school: &SchoolId) -> Result<Vec<Tally>, StoreError> {
    db.sql(
        "SELECT state AS name, COUNT(*) AS count, CAST(SUM(total) AS BIGINT) AS amount
           FROM invoice
          WHERE school_id = $1
          GROUP BY state
          ORDER BY state",
    )
    .bind(school.clone())
    .all()
    .await
}

/// Money whose owner is not known yet.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_suspense(db: &Db, school: &SchoolId) -> Result<Tally, StoreError> {
    db.sql(
        "SELECT 'OPEN' AS name, COUNT(*) AS count,
                CAST(COALESCE(SUM(p.to_suspense + p.suspense_later), 0) AS BIGINT) AS amount
           FROM suspense_item s
           JOIN payment p ON p.school_id = s.school_id AND p.payment_id = s.payment_id
          WHERE s.school_id = $1 AND s.state = 'OPEN'",
    )
    .bind(school.clone())
    .one()
    .await
}

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

/// One bill in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BillRow {
    pub bill_id: BillId,
    pub bill_code: String,
    pub pupil_name: String,
    pub class_name: String,
    pub title: String,
    pub state: String,
    pub due_day: Day,
    #[sqlx(try_from = "i64")]
    pub amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_paid: Vnd,
}

/// Bills by class and name; empty texts narrow nothing. One row more than a page shows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bills(
    db: &Db,
    school: &SchoolId,
    (name, code, state): (&str, &str, &str),
    page: i64,
) -> Result<Vec<BillRow>, StoreError> {
    db.sql(
        "SELECT b.bill_id, b.bill_code, b.pupil_name, b.class_name, b.title, b.state, b.due_day,
                b.amount_due, b.amount_paid
           FROM fee_bill b
           JOIN pupil u ON u.school_id = b.school_id AND u.pupil_id = b.pupil_id
          WHERE b.school_id = $1
            AND ($2 = '' OR u.search_name LIKE '%' || $2 || '%')
            AND ($3 = '' OR b.bill_code = $3)
            AND ($4 = '' OR b.state = $4)
          ORDER BY b.class_name, u.search_name, b.bill_id
          LIMIT $5 OFFSET $6",
    )
    .bind(school.clone())
    .bind(name.to_owned())
    .bind(code.to_owned())
    .bind(state.to_owned())
    .bind(PAGE_ROWS + 1)
    .bind(page * PAGE_ROWS)
    .all()
    .await
}

/// Money a person must assign.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SuspenseRow {
    pub payment_id: PaymentId,
    pub reason: String,
    /// JSON list of bill codes that may be meant.
    pub candidates: String,
    pub state: String,
    pub memo: Option<String>,
    pub paid_at: Instant,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
}

/// Open items first, then newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn suspense(
    db: &Db,
    school: &SchoolId,
    page: i64,
) -> Result<Vec<SuspenseRow>, StoreError> {
    db.sql(
        "SELECT s.payment_id, s.reason, s.candidates, s.state, p.memo, p.paid_at,
                CASE WHEN s.state = 'OPEN' THEN p.to_suspense + p.suspense_later
                     ELSE s.amount END AS amount
           FROM suspense_item s
           JOIN payment p ON p.school_id = s.school_id AND p.payment_id = s.payment_id
          WHERE s.school_id = $1
          ORDER BY CASE WHEN s.state = 'OPEN' THEN 0 ELSE 1 END, p.paid_at DESC, s.payment_id
          LIMIT $2 OFFSET $3",
    )
    .bind(school.clone())
    .bind(PAGE_ROWS + 1)
    .bind(page * PAGE_ROWS)
    .all()
    .await
}

/// One billing round.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RoundRow {
    pub round_id: RoundId,
    pub name: String,
    pub school_year: String,
    pub charge_day: Day,
    pub due_day: Day,
    pub state: String,
    pub published_at: Option<Instant>,
    pub bill_count: i64,
    #[sqlx(try_from = "i64")]
    pub total_due: Vnd,
}

/// Newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rounds(db: &Db, school: &SchoolId) -> Result<Vec<RoundRow>, StoreError> {
    db.sql(
        "SELECT round_id, name, school_year, charge_day, due_day, state, published_at, bill_count,
                total_due
           FROM billing_round
          WHERE school_id = $1
          ORDER BY charge_day DESC, round_id DESC",
    )
    .bind(school.clone())
    .all()
    .await
}

/// A notice that moved no money in the books but that a person must look at.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct HeldNotice {
    pub provider: String,
    pub order_ref: Option<String>,
    pub memo: Option<String>,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub reason: Option<String>,
    pub conflicts: i64,
    pub received_at: Instant,
}

/// Notices that were held or refused without being posted, and those a provider repeated with another
/// meaning that was not kept; the latest ones.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn held_notices(db: &Db, school: &SchoolId) -> Result<Vec<HeldNotice>, StoreError> {
    db.sql(
        "SELECT provider, order_ref, memo, amount, reason, conflicts, received_at
           FROM provider_notice
          WHERE school_id = $1
            AND ((conflicts > 0 AND NOT EXISTS (
                      SELECT 1 FROM review_item r
                       WHERE r.school_id = provider_notice.school_id
                         AND r.provider = provider_notice.provider
                         AND r.notice_key = provider_notice.notice_key))
                 OR (payment_id IS NULL AND decision IN ('hold_review', 'reject')))
          ORDER BY received_at DESC, notice_key LIMIT 50",
    )
    .bind(school.clone())
    .all()
    .await
}

/// One item of parked money.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ParkedItem {
    pub payment_id: PaymentId,
    pub reason: String,
    /// JSON list of bill codes that may be meant.
    pub candidates: String,
    pub state: String,
    pub memo: Option<String>,
    pub paid_at: Instant,
    #[sqlx(try_from = "i64")]
    pub held: Vnd,
    pub resolved_by: Option<String>,
    pub resolved_at: Option<Instant>,
}

/// Parked money of one payment.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn parked(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Option<ParkedItem>, StoreError> {
    db.sql(
        "SELECT s.payment_id, s.reason, s.candidates, s.state, p.memo, p.paid_at,
                p.to_suspense + p.suspense_later AS held,
                CASE WHEN s.state = 'OPEN' THEN NULL
                     ELSE COALESCE(u.display_name, s.resolved_by) END AS resolved_by,
                CASE WHEN s.state = 'OPEN' THEN NULL ELSE s.resolved_at END AS resolved_at
           FROM suspense_item s
           JOIN payment p ON p.school_id = s.school_id AND p.payment_id = s.payment_id
           LEFT JOIN user_account u ON u.user_id = s.resolved_by
          WHERE s.school_id = $1 AND s.payment_id = $2",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .optional()
    .await
}

/// A bill that parked money may belong to.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Candidate {
    pub bill_id: BillId,
    pub bill_code: String,
    pub pupil_name: String,
    pub class_name: String,
    #[sqlx(try_from = "i64")]
    pub rest: Vnd,
    /// 1 when the transfer's text names it, 0 when only the amount agrees.
    pub named: i64,
}

/// Open bills that the text of a transfer names, and some of which exactly this amount is open. Many
/// bills have the same amount: the latter are for the eye, never for an unattended decision.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn candidates(
    db: &Db,
    school: &SchoolId,
    codes: &[String],
    amount: Vnd,
) -> Result<Vec<Candidate>, StoreError> {
    db.sql(
        "WITH asked AS (SELECT r.code FROM ROWS($2: code TEXT) AS r)
         SELECT c.bill_id, c.bill_code, c.pupil_name, c.class_name, c.rest, c.named
           FROM (SELECT b.bill_id, b.bill_code, b.pupil_name, b.class_name,
                        b.amount_due - b.amount_paid AS rest, CAST(1 AS BIGINT) AS named
                   FROM asked
                   JOIN fee_bill b ON b.bill_code = asked.code
                  WHERE b.school_id = $1 AND b.state IN ('OPEN', 'PARTIAL')
                 UNION ALL
                 SELECT b.bill_id, b.bill_code, b.pupil_name, b.class_name,
                        b.amount_due - b.amount_paid, CAST(0 AS BIGINT)
                   FROM fee_bill b
                  WHERE b.school_id = $1 AND b.state IN ('OPEN', 'PARTIAL')
                    AND b.amount_due - b.amount_paid = $3
                    AND b.bill_code NOT IN (SELECT asked.code FROM asked)) AS c
          ORDER BY c.named DESC, c.class_name, c.pupil_name, c.bill_id
          LIMIT 12",
    )
    .bind(school.clone())
    .bind(rows(codes.iter().map(|code| (code,))))
    .bind(amount.get())
    .all()
    .await
}

/// What an accountant calls a payment: our identifier, or the provider's number when only one payment
/// has it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn payment_named(
    db: &Db,
    school: &SchoolId,
    name: &str,
) -> Result<Option<PaymentId>, StoreError> {
    let found: Vec<(PaymentId,)> = db
        .sql(
            "SELECT payment_id FROM payment
              WHERE school_id = $1 AND (payment_id = $2 OR transaction_id = $2)
              LIMIT 2",
        )
        .bind(school.clone())
        .bind(name.to_owned())
        .all()
        .await?;
    Ok(match found.as_slice() {
        [(payment,)] => Some(payment.clone()),
        _ => None,
    })
}

/// The credit of a bill's pupil.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn credit_of_bill(db: &Db, school: &SchoolId, bill: &BillId) -> Result<Vnd, StoreError> {
    let found: Option<(i64,)> = db
        .sql(
            "SELECT c.amount
               FROM fee_bill b
               JOIN pupil_credit c ON c.school_id = b.school_id AND c.pupil_id = b.pupil_id
              WHERE b.school_id = $1 AND b.bill_id = $2",
        )
        .bind(school.clone())
        .bind(bill.clone())
        .optional()
        .await?;
    Ok(found.map_or(Vnd::ZERO, |(amount,)| Vnd::new(amount)))
}

/// The name of a person who may act for the school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn person(db: &Db, user: &str) -> Result<Option<String>, StoreError> {
    let found: Option<(String,)> = db
        .sql("SELECT display_name FROM user_account WHERE user_id = $1")
        .bind(user.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(name,)| name))
}
