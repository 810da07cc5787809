//! Every SQL statement of refunds.

use super::rules::{Charge, DocumentState, Source, State, Way};
use crate::clock::Instant;
use crate::ids::{BillId, MoveId, PaymentId, PupilId, RefundId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx};

/// A refund as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Refund {
    pub refund_id: RefundId,
    pub source: Source,
    pub pupil_id: Option<PupilId>,
    pub bill_id: Option<BillId>,
    pub line_no: Option<i64>,
    pub payment_id: Option<PaymentId>,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub way: Way,
    pub charge: Charge,
    pub payee: String,
    pub payee_account: Option<String>,
    pub reason: String,
    pub state: State,
    pub document: DocumentState,
    pub document_note: Option<String>,
    pub move_id: MoveId,
    pub reference: Option<String>,
    pub requested_by: String,
    pub requested_at: Instant,
    pub concluded_at: Option<Instant>,
}

/// A refund to be written.
#[derive(Clone, Debug)]
pub(super) struct NewRow {
    pub school_id: SchoolId,
    pub refund_id: RefundId,
    pub request: String,
    pub source: Source,
    pub pupil_id: Option<PupilId>,
    pub bill_id: Option<BillId>,
    pub line_no: Option<i64>,
    pub payment_id: Option<PaymentId>,
    pub amount: Vnd,
    pub way: Way,
    pub charge: Charge,
    pub payee: String,
    pub payee_account: Option<String>,
    pub reason: String,
    pub move_id: MoveId,
    pub requested_by: String,
    pub requested_at: Instant,
}

pub(super) async fn insert(tx: &mut Tx, row: &NewRow) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO refund
                (school_id, refund_id, request, source, pupil_id, bill_id, line_no, payment_id,
                 amount, way, charge, payee, payee_account, reason, state, document, move_id,
                 requested_by, requested_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'REQUESTED', 'NONE',
                 $15, $16, $17)",
    )
    .bind(row.school_id.clone())
    .bind(row.refund_id.clone())
    .bind(row.request.clone())
    .bind(row.source)
    .bind(row.pupil_id.clone())
    .bind(row.bill_id.clone())
    .bind(row.line_no)
    .bind(row.payment_id.clone())
    .bind(row.amount.get())
    .bind(row.way)
    .bind(row.charge)
    .bind(row.payee.clone())
    .bind(row.payee_account.clone())
    .bind(row.reason.clone())
    .bind(row.move_id.clone())
    .bind(row.requested_by.clone())
    .bind(row.requested_at)
    .run()
    .await?;
    Ok(())
}

/// The refund that a form asked for before, with its amount.
pub(super) async fn by_request(
    tx: &mut Tx,
    school: &SchoolId,
    request: &str,
) -> Result<Option<(RefundId, i64)>, StoreError> {
    tx.sql("SELECT refund_id, amount FROM refund WHERE school_id = $1 AND request = $2")
        .bind(school.clone())
        .bind(request.to_owned())
        .optional()
        .await
}

/// One refund inside a transaction.
pub(super) async fn locked(
    tx: &mut Tx,
    school: &SchoolId,
    refund: &RefundId,
) -> Result<Option<Refund>, StoreError> {
    tx.sql(
        "SELECT refund_id, source, pupil_id, bill_id, line_no, payment_id, amount, way, charge,
                payee, payee_account, reason, state, document, document_note, move_id, reference,
                requested_by, requested_at, concluded_at
           FROM refund WHERE school_id = $1 AND refund_id = $2",
    )
    .bind(school.clone())
    .bind(refund.clone())
    .optional()
    .await
}

/// A change of state.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub from: State,
    pub to: State,
    pub document: DocumentState,
    pub reference: Option<String>,
    pub at: Instant,
}

/// Compare-and-set: `false` when the refund is not in the state any more.
pub(super) async fn change(
    tx: &mut Tx,
    school: &SchoolId,
    refund: &RefundId,
    change: &Change,
) -> Result<bool, StoreError> {
    let ended = matches!(change.to, State::Done | State::Failed).then_some(change.at);
    let changed = tx
        .sql(
            "UPDATE refund
                SET state = $4, document = $5, reference = COALESCE($6, reference),
                    concluded_at = $7
              WHERE school_id = $1 AND refund_id = $2 AND state = $3",
        )
        .bind(school.clone())
        .bind(refund.clone())
        .bind(change.from)
        .bind(change.to)
        .bind(change.document)
        .bind(change.reference.clone())
        .bind(ended)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Whether a reference has paid another refund by the same way.
pub(super) async fn reference_used(
    tx: &mut Tx,
    school: &SchoolId,
    refund: &RefundId,
    way: Way,
    reference: &str,
) -> Result<bool, StoreError> {
    let found: Option<(RefundId,)> = tx
        .sql(
            "SELECT refund_id FROM refund
              WHERE school_id = $1 AND way = $3 AND reference = $4 AND refund_id <> $2",
        )
        .bind(school.clone())
        .bind(refund.clone())
        .bind(way)
        .bind(reference.to_owned())
        .optional()
        .await?;
    Ok(found.is_some())
}

#[derive(Clone, Debug)]
pub(super) struct NewEvent {
    pub from: Option<State>,
    pub to: State,
    pub detail: String,
    pub by: String,
    pub at: Instant,
}

pub(super) async fn insert_event(
    tx: &mut Tx,
    school: &SchoolId,
    refund: &RefundId,
    event: &NewEvent,
) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO refund_event
                (school_id, refund_id, event_no, from_state, to_state, detail, made_by, made_at)
         SELECT $1, $2, COALESCE(MAX(event_no), 0) + 1, $3, $4, $5, $6, $7
           FROM refund_event WHERE school_id = $1 AND refund_id = $2",
    )
    .bind(school.clone())
    .bind(refund.clone())
    .bind(event.from)
    .bind(event.to)
    .bind(event.detail.clone())
    .bind(event.by.clone())
    .bind(event.at)
    .run()
    .await?;
    Ok(())
}

/// The entry by which the money left its place.
pub(super) async fn entry_of(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Option<i64>, StoreError> {
    let found: Option<(i64,)> = tx
        .sql(
            "SELECT seq FROM journal_entry
              WHERE school_id = $1 AND kind = 'REFUND_REQUESTED' AND source_id = $2",
        )
        .bind(school.clone())
        .bind(of.clone())
        .optional()
        .await?;
    Ok(found.map(|(seq,)| seq))
}

/// Refunds that wait for their document, by movement.
pub(super) async fn put_document(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
    to: DocumentState,
    note: &str,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE refund SET document = $3, document_note = $4
              WHERE school_id = $1 AND move_id = $2 AND document IN ('WAITING', 'FAILED')",
        )
        .bind(school.clone())
        .bind(of.clone())
        .bind(to)
        .bind(note.to_owned())
        .run()
        .await?;
    Ok(changed == 1)
}

/// The refund of a movement, its state and its reference.
pub(super) async fn of_move(
    db: &Db,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Option<(RefundId, State, Option<String>)>, StoreError> {
    db.sql("SELECT refund_id, state, reference FROM refund WHERE school_id = $1 AND move_id = $2")
        .bind(school.clone())
        .bind(of.clone())
        .optional()
        .await
}

/// What a provider is asked to pay back.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Outgoing {
    pub refund_id: RefundId,
    pub state: State,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub reason: String,
    pub payment_id: PaymentId,
    pub provider: String,
    pub connection_id: String,
    pub transaction_id: String,
    pub order_ref: Option<String>,
    #[sqlx(try_from = "i64")]
    pub payment_amount: Vnd,
    pub paid_at: Instant,
}

pub(super) async fn outgoing(
    db: &Db,
    school: &SchoolId,
    refund: &RefundId,
) -> Result<Option<Outgoing>, StoreError> {
    db.sql(
        "SELECT r.refund_id, r.state, r.amount, r.reason, p.payment_id, p.provider,
                n.connection_id, p.transaction_id, n.order_ref, p.amount AS payment_amount,
                p.paid_at
           FROM refund r
           JOIN payment p ON p.school_id = r.school_id AND p.payment_id = r.payment_id
           JOIN provider_notice n ON n.school_id = p.school_id AND n.provider = p.provider
                                 AND n.notice_key = p.transaction_id
          WHERE r.school_id = $1 AND r.refund_id = $2 AND r.way = 'PROVIDER'",
    )
    .bind(school.clone())
    .bind(refund.clone())
    .optional()
    .await
}

/// A refund in the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RefundRow {
    pub refund_id: RefundId,
    pub payee: String,
    pub pupil_name: Option<String>,
    pub bill_code: Option<String>,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub source: Source,
    pub way: Way,
    pub state: State,
    pub document: DocumentState,
    pub requested_at: Instant,
}

/// Refunds under way first, newest first among them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    db: &Db,
    school: &SchoolId,
    limit: i64,
    offset: i64,
) -> Result<Vec<RefundRow>, StoreError> {
    db.sql(
        "SELECT r.refund_id, r.payee, COALESCE(b.pupil_name, u.full_name) AS pupil_name,
                b.bill_code, r.amount, r.source, r.way, r.state, r.document, r.requested_at
           FROM refund r
           LEFT JOIN fee_bill b ON b.school_id = r.school_id AND b.bill_id = r.bill_id
           LEFT JOIN pupil u ON u.school_id = r.school_id AND u.pupil_id = r.pupil_id
          WHERE r.school_id = $1
          ORDER BY CASE WHEN r.state IN ('DONE', 'FAILED') THEN 1 ELSE 0 END,
                   r.requested_at DESC, r.refund_id DESC
          LIMIT $2 OFFSET $3",
    )
    .bind(school.clone())
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

/// One refund of a school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn refund(
    db: &Db,
    school: &SchoolId,
    refund: &RefundId,
) -> Result<Option<Refund>, StoreError> {
    db.sql(
        "SELECT r.refund_id, r.source, r.pupil_id, r.bill_id, r.line_no, r.payment_id, r.amount,
                r.way, r.charge, r.payee, r.payee_account, r.reason, r.state, r.document,
                r.document_note, r.move_id, r.reference,
                COALESCE(u.display_name, r.requested_by) AS requested_by, r.requested_at,
                r.concluded_at
           FROM refund r
           LEFT JOIN user_account u ON u.user_id = r.requested_by
          WHERE r.school_id = $1 AND r.refund_id = $2",
    )
    .bind(school.clone())
    .bind(refund.clone())
    .optional()
    .await
}

/// One step of a refund, as pages show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Event {
    pub to_state: State,
    pub detail: String,
    pub made_by: String,
    pub made_at: Instant,
}

/// The steps of a refund, in order.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn events(
    db: &Db,
    school: &SchoolId,
    refund: &RefundId,
) -> Result<Vec<Event>, StoreError> {
    db.sql(
        "SELECT e.to_state, e.detail, COALESCE(u.display_name, e.made_by) AS made_by, e.made_at
           FROM refund_event e
           LEFT JOIN user_account u ON u.user_id = e.made_by
          WHERE e.school_id = $1 AND e.refund_id = $2
          ORDER BY e.event_no",
    )
    .bind(school.clone())
    .bind(refund.clone())
    .all()
    .await
}

/// Money that could be paid back: what it is, and how much lies there.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Refundable {
    pub title: String,
    pub payee: String,
    pub pupil_name: Option<String>,
    #[sqlx(try_from = "i64")]
    pub held: Vnd,
    /// 1 when all of it came in one payment of an intermediary.
    pub by_provider: i64,
}

/// What lies on a bill line.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn on_line(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
    line_no: i64,
) -> Result<Option<Refundable>, StoreError> {
    db.sql(
        "SELECT l.name AS title, b.payer_name AS payee, b.pupil_name AS pupil_name,
                l.amount_paid AS held,
                (SELECT CAST(CASE WHEN COUNT(DISTINCT p.payment_id) = 1
                                   AND MIN(p.channel) IN ('GATEWAY', 'WALLET')
                                  THEN 1 ELSE 0 END AS BIGINT)
                   FROM allocation a
                   JOIN payment p ON p.school_id = a.school_id AND p.payment_id = a.payment_id
                  WHERE a.school_id = $1 AND a.bill_id = $2 AND a.line_no = $3
                    AND a.target = 'BILL_LINE' AND a.moved_on < a.amount) AS by_provider
           FROM bill_line l
           JOIN fee_bill b ON b.school_id = l.school_id AND b.bill_id = l.bill_id
          WHERE l.school_id = $1 AND l.bill_id = $2 AND l.line_no = $3",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .bind(line_no)
    .optional()
    .await
}

/// A pupil's credit.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn on_credit(
    db: &Db,
    school: &SchoolId,
    pupil: &PupilId,
) -> Result<Option<Refundable>, StoreError> {
    db.sql(
        "SELECT u.full_name AS title,
                COALESCE((SELECT MIN(g.full_name) FROM guardian g
                           WHERE g.school_id = u.school_id AND g.pupil_id = u.pupil_id),
                         u.full_name) AS payee,
                u.full_name AS pupil_name, c.amount AS held, CAST(0 AS BIGINT) AS by_provider
           FROM pupil_credit c
           JOIN pupil u ON u.school_id = c.school_id AND u.pupil_id = c.pupil_id
          WHERE c.school_id = $1 AND c.pupil_id = $2",
    )
    .bind(school.clone())
    .bind(pupil.clone())
    .optional()
    .await
}

/// Parked money of a payment.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn on_suspense(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Option<Refundable>, StoreError> {
    db.sql(
        "SELECT COALESCE(memo, transaction_id) AS title, '' AS payee,
                CAST(NULL AS TEXT) AS pupil_name, to_suspense + suspense_later AS held,
                CAST(CASE WHEN channel IN ('GATEWAY', 'WALLET') THEN 1 ELSE 0 END AS BIGINT)
                    AS by_provider
           FROM payment
          WHERE school_id = $1 AND payment_id = $2",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .optional()
    .await
}
