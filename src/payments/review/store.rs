//! Every SQL statement of reviews.

use hocphi_adapters::contract::Status;

use super::rules::{ReviewKind, Verdict, Why};
use super::service::Judgement;
use crate::clock::Instant;
use crate::ids::{ConnectionId, Ids, MoveId, PaymentId, ReviewId, SchoolId};
use crate::money::Vnd;
use crate::payments::books::{Arrival, Channel};
use crate::store::{Db, StoreError, Tx, rows};

/// An item to be written.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct NewItem(
    SchoolId,
    ReviewId,
    ReviewKind,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Status,
    Vnd,
    String,
    Option<String>,
    String,
    Why,
    Option<PaymentId>,
);

impl NewItem {
    #[expect(clippy::too_many_arguments, reason = "a row")]
    pub fn of(
        ids: &Ids,
        now: Instant,
        kind: ReviewKind,
        arrival: &Arrival,
        notice_key: String,
        fingerprint: String,
        why: Why,
        payment: Option<PaymentId>,
    ) -> Self {
        let notice = &arrival.notice;
        Self(
            arrival.school_id.clone(),
            ReviewId::new(ids.next(now)),
            kind,
            arrival.provider.clone(),
            notice_key,
            fingerprint,
            notice.transaction_id.clone(),
            notice.order_ref.clone(),
            notice.status,
            notice.amount,
            notice.currency.clone(),
            notice.memo.clone(),
            arrival.raw.clone(),
            why,
            payment,
        )
    }
}

/// Adds items; the same meaning said again is the same item.
pub(super) async fn insert(
    tx: &mut Tx,
    items: Vec<NewItem>,
    now: Instant,
) -> Result<(), StoreError> {
    if items.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO review_item
                (school_id, review_id, kind, provider, notice_key, fingerprint, transaction_id,
                 order_ref, status, amount, currency, memo, raw, why, payment_id, received_at, state)
         SELECT school_id, review_id, kind, provider, notice_key, fingerprint, transaction_id,
                order_ref, status, amount, currency, memo, raw, why, payment_id, $2, 'OPEN'
           FROM ROWS($1: school_id TEXT, review_id TEXT, kind TEXT, provider TEXT,
                     notice_key TEXT, fingerprint TEXT, transaction_id TEXT, order_ref TEXT,
                     status TEXT, amount BIGINT, currency TEXT, memo TEXT, raw TEXT, why TEXT,
                     payment_id TEXT) AS r
          WHERE TRUE
         ON CONFLICT DO NOTHING",
    )
    .bind(rows(items))
    .bind(now)
    .run()
    .await?;
    Ok(())
}

pub(super) async fn by_transaction(
    tx: &mut Tx,
    school: &SchoolId,
    provider: &str,
    transaction: &str,
) -> Result<Option<PaymentId>, StoreError> {
    let found: Option<(PaymentId,)> = tx
        .sql(
            "SELECT payment_id FROM payment
              WHERE school_id = $1 AND provider = $2 AND transaction_id = $3",
        )
        .bind(school.clone())
        .bind(provider.to_owned())
        .bind(transaction.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(payment,)| payment))
}

pub(super) async fn by_order(
    tx: &mut Tx,
    school: &SchoolId,
    provider: &str,
    order_ref: &str,
) -> Result<Vec<PaymentId>, StoreError> {
    let found: Vec<(PaymentId,)> = tx
        .sql(
            "SELECT DISTINCT payment_id FROM provider_notice
              WHERE school_id = $1 AND provider = $2 AND order_ref = $3
                AND payment_id IS NOT NULL",
        )
        .bind(school.clone())
        .bind(provider.to_owned())
        .bind(order_ref.to_owned())
        .all()
        .await?;
    Ok(found.into_iter().map(|(payment,)| payment).collect())
}

/// Payments of this amount that settled a bill with one of these codes.
pub(super) async fn by_codes(
    tx: &mut Tx,
    school: &SchoolId,
    codes: &[String],
    amount: Vnd,
) -> Result<Vec<PaymentId>, StoreError> {
    let found: Vec<(PaymentId,)> = tx
        .sql(
            "SELECT DISTINCT p.payment_id
               FROM ROWS($2: code TEXT) AS r
               JOIN fee_bill b ON b.bill_code = r.code AND b.school_id = $1
               JOIN allocation a ON a.school_id = b.school_id AND a.bill_id = b.bill_id
               JOIN payment p ON p.school_id = a.school_id AND p.payment_id = a.payment_id
              WHERE p.amount = $3 AND p.standing = 'STANDS'",
        )
        .bind(school.clone())
        .bind(rows(codes.iter().map(|code| (code,))))
        .bind(amount.get())
        .all()
        .await?;
    Ok(found.into_iter().map(|(payment,)| payment).collect())
}

/// The movement of a refund through the provider that this amount of this payment is on its way by.
pub(super) async fn own_refund(
    tx: &mut Tx,
    school: &SchoolId,
    payment: &PaymentId,
    amount: Vnd,
) -> Result<Option<MoveId>, StoreError> {
    let found: Option<(MoveId,)> = tx
        .sql(
            "SELECT move_id FROM refund
              WHERE school_id = $1 AND payment_id = $2 AND amount = $3 AND way = 'PROVIDER'
                AND state <> 'FAILED'
              ORDER BY CASE WHEN state = 'DONE' THEN 1 ELSE 0 END, requested_at
              LIMIT 1",
        )
        .bind(school.clone())
        .bind(payment.clone())
        .bind(amount.get())
        .optional()
        .await?;
    Ok(found.map(|(refund,)| refund))
}

/// What deciding needs of an open item.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct OpenItem {
    pub kind: ReviewKind,
    pub provider: String,
    pub notice_key: String,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub payment_id: Option<PaymentId>,
    pub transaction_id: Option<String>,
    pub order_ref: Option<String>,
    pub status: String,
    pub currency: String,
    pub memo: Option<String>,
    pub raw: String,
    pub received_at: Instant,
}

/// Payments of a provider's transaction: the one its notice made, then those of corrections, in the
/// order they were booked.
pub(super) async fn of_transaction(
    tx: &mut Tx,
    school: &SchoolId,
    provider: &str,
    transaction: &str,
) -> Result<Vec<PaymentId>, StoreError> {
    let found: Vec<(PaymentId,)> = tx
        .sql(
            "SELECT payment_id FROM payment
              WHERE school_id = $1 AND provider = $2
                AND (transaction_id = $3
                     OR substr(transaction_id, 1, length($3) + 1) = $3 || '/')
              ORDER BY length(transaction_id), transaction_id",
        )
        .bind(school.clone())
        .bind(provider.to_owned())
        .bind(transaction.to_owned())
        .all()
        .await?;
    Ok(found.into_iter().map(|(payment,)| payment).collect())
}

/// Whence the first notice of a transaction came.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Origin {
    pub connection_id: ConnectionId,
    pub channel: Option<Channel>,
    pub occurred_at: Option<Instant>,
}

pub(super) async fn origin(
    tx: &mut Tx,
    school: &SchoolId,
    provider: &str,
    notice_key: &str,
) -> Result<Option<Origin>, StoreError> {
    tx.sql(
        "SELECT n.connection_id, c.channel, n.occurred_at
           FROM provider_notice n
           LEFT JOIN provider_connection c ON c.school_id = n.school_id
                                          AND c.connection_id = n.connection_id
          WHERE n.school_id = $1 AND n.provider = $2 AND n.notice_key = $3",
    )
    .bind(school.clone())
    .bind(provider.to_owned())
    .bind(notice_key.to_owned())
    .optional()
    .await
}

/// Whether this is an order that we gave a provider.
pub(super) async fn is_order(
    tx: &mut Tx,
    school: &SchoolId,
    order_ref: &str,
) -> Result<bool, StoreError> {
    let (count,): (i64,) = tx
        .sql("SELECT COUNT(*) FROM payment_attempt WHERE school_id = $1 AND order_ref = $2")
        .bind(school.clone())
        .bind(order_ref.to_owned())
        .one()
        .await?;
    Ok(count > 0)
}

pub(super) async fn open_item(
    tx: &mut Tx,
    school: &SchoolId,
    review: &ReviewId,
) -> Result<Option<OpenItem>, StoreError> {
    tx.sql(
        "SELECT kind, provider, notice_key, amount, payment_id, transaction_id, order_ref, status,
                currency, memo, raw, received_at
           FROM review_item
          WHERE school_id = $1 AND review_id = $2 AND state = 'OPEN'",
    )
    .bind(school.clone())
    .bind(review.clone())
    .optional()
    .await
}

/// Compare-and-set: `false` when it was closed before.
pub(super) async fn close(
    tx: &mut Tx,
    school: &SchoolId,
    review: &ReviewId,
    judgement: &Judgement,
    made: Option<&MoveId>,
    now: Instant,
) -> Result<bool, StoreError> {
    let closed = tx
        .sql(
            "UPDATE review_item
                SET state = 'CLOSED', decision = $3, decision_reason = $4, decided_by = $5,
                    decided_at = $6, move_id = $7, payment_id = COALESCE($8, payment_id)
              WHERE school_id = $1 AND review_id = $2 AND state = 'OPEN'",
        )
        .bind(school.clone())
        .bind(review.clone())
        .bind(judgement.verdict)
        .bind(judgement.reason.clone())
        .bind(judgement.by.clone())
        .bind(now)
        .bind(made.cloned())
        .bind(judgement.payment.clone())
        .run()
        .await?;
    Ok(closed == 1)
}

/// An item in the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReviewRow {
    pub review_id: ReviewId,
    pub kind: ReviewKind,
    pub provider: String,
    pub transaction_id: Option<String>,
    pub order_ref: Option<String>,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub why: Why,
    pub received_at: Instant,
    pub state: String,
}

/// Open items first, newest first among them; one row more than a page shows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    db: &Db,
    school: &SchoolId,
    limit: i64,
    offset: i64,
) -> Result<Vec<ReviewRow>, StoreError> {
    db.sql(
        "SELECT review_id, kind, provider, transaction_id, order_ref, amount, why, received_at,
                state
           FROM review_item
          WHERE school_id = $1
          ORDER BY CASE WHEN state = 'OPEN' THEN 0 ELSE 1 END, received_at DESC, review_id DESC
          LIMIT $2 OFFSET $3",
    )
    .bind(school.clone())
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

/// How many items wait for a person.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_count(db: &Db, school: &SchoolId) -> Result<i64, StoreError> {
    let (count,): (i64,) = db
        .sql("SELECT COUNT(*) FROM review_item WHERE school_id = $1 AND state = 'OPEN'")
        .bind(school.clone())
        .one()
        .await?;
    Ok(count)
}

/// An item with everything that was said.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReviewItem {
    pub review_id: ReviewId,
    pub kind: ReviewKind,
    pub provider: String,
    pub notice_key: String,
    pub transaction_id: Option<String>,
    pub order_ref: Option<String>,
    pub status: String,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub currency: String,
    pub memo: Option<String>,
    pub raw: String,
    pub why: Why,
    pub payment_id: Option<PaymentId>,
    pub received_at: Instant,
    pub state: String,
    pub decision: Option<Verdict>,
    pub decision_reason: Option<String>,
    pub decided_by: Option<String>,
    pub decided_at: Option<Instant>,
}

/// One item of a school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn item(
    db: &Db,
    school: &SchoolId,
    review: &ReviewId,
) -> Result<Option<ReviewItem>, StoreError> {
    db.sql(
        "SELECT r.review_id, r.kind, r.provider, r.notice_key, r.transaction_id, r.order_ref,
                r.status, r.amount, r.currency, r.memo, r.raw, r.why, r.payment_id, r.received_at,
                r.state, r.decision, r.decision_reason,
                COALESCE(u.display_name, r.decided_by) AS decided_by, r.decided_at
           FROM review_item r
           LEFT JOIN user_account u ON u.user_id = r.decided_by
          WHERE r.school_id = $1 AND r.review_id = $2",
    )
    .bind(school.clone())
    .bind(review.clone())
    .optional()
    .await
}

/// The first notice under a key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct FirstNotice {
    pub order_ref: Option<String>,
    pub status: String,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub memo: Option<String>,
    pub raw: String,
    pub payment_id: Option<PaymentId>,
    pub received_at: Instant,
}

/// The notice that an item contradicts.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn first_notice(
    db: &Db,
    school: &SchoolId,
    provider: &str,
    notice_key: &str,
) -> Result<Option<FirstNotice>, StoreError> {
    db.sql(
        "SELECT order_ref, status, amount, memo, raw, payment_id, received_at
           FROM provider_notice
          WHERE school_id = $1 AND provider = $2 AND notice_key = $3",
    )
    .bind(school.clone())
    .bind(provider.to_owned())
    .bind(notice_key.to_owned())
    .optional()
    .await
}
