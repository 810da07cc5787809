//! Money and notices that wait for a person, and what helps to decide.

use super::PAGE_ROWS;
use crate::clock::Instant;
use crate::ids::{BillId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, rows};

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
