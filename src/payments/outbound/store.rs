//! Statements of flows.

use super::rules::{Flow, Kind, State};
use crate::clock::Instant;
use crate::ids::{ConnectionId, FlowId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx};

/// A flow as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct FlowRow {
    pub school_id: SchoolId,
    pub flow_id: FlowId,
    pub kind: Kind,
    /// The attempt, or the refund.
    pub subject: String,
    pub connection_id: ConnectionId,
    pub order_ref: String,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    /// JSON of [`Request`](super::service::Request).
    pub request: String,
    pub state: State,
    /// Counts changes; a change is written only over the version it was made from.
    pub version: i64,
    pub sends: i64,
    pub asks: i64,
    pub faults: i64,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub sent_at: Option<Instant>,
    pub next_at: Option<Instant>,
    /// The provider's own name of the order or refund.
    pub provider_ref: Option<String>,
    /// Where the payer goes.
    pub pay_address: Option<String>,
    /// What the payer scans where there is no page to go to.
    pub pay_qr: Option<String>,
    /// What went wrong last, for people.
    pub problem: Option<String>,
    pub ended_at: Option<Instant>,
}

impl FlowRow {
    /// The part that the rules decide about.
    pub fn flow(&self) -> Flow {
        Flow {
            kind: self.kind,
            state: self.state,
            sends: self.sends,
            asks: self.asks,
            faults: self.faults,
            created_at: self.created_at,
            expires_at: self.expires_at,
            sent_at: self.sent_at,
            next_at: self.next_at,
        }
    }

    /// The row with what the rules decided.
    #[must_use]
    pub fn with(mut self, flow: &Flow) -> Self {
        self.state = flow.state;
        self.sends = flow.sends;
        self.asks = flow.asks;
        self.faults = flow.faults;
        self.sent_at = flow.sent_at;
        self.next_at = flow.next_at;
        self
    }
}

/// Writes a new flow; false when its subject has one already. `leased_until` keeps other nodes off
/// while its request leaves.
pub(in crate::payments) async fn insert(
    tx: &mut Tx,
    row: &FlowRow,
    leased_until: Option<Instant>,
) -> Result<bool, StoreError> {
    let written = tx
        .sql(
            "INSERT INTO provider_flow
                    (school_id, flow_id, kind, subject, connection_id, order_ref, amount, request,
                     state, version, sends, asks, faults, created_at, expires_at, sent_at, next_at,
                     leased_until, provider_ref, pay_address, pay_qr, problem)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                     $19, $20, $21, $22)
             ON CONFLICT (school_id, kind, subject) DO NOTHING",
        )
        .bind(row.school_id.clone())
        .bind(row.flow_id.clone())
        .bind(row.kind)
        .bind(row.subject.clone())
        .bind(row.connection_id.clone())
        .bind(row.order_ref.clone())
        .bind(row.amount.get())
        .bind(row.request.clone())
        .bind(row.state)
        .bind(row.version)
        .bind(row.sends)
        .bind(row.asks)
        .bind(row.faults)
        .bind(row.created_at)
        .bind(row.expires_at)
        .bind(row.sent_at)
        .bind(row.next_at)
        .bind(leased_until)
        .bind(row.provider_ref.clone())
        .bind(row.pay_address.clone())
        .bind(row.pay_qr.clone())
        .bind(row.problem.clone())
        .run()
        .await?;
    Ok(written == 1)
}

/// Writes a change over the version it was made from; false when somebody else was faster. The
/// lease stays while the flow is leaving, and ends otherwise.
pub(super) async fn save(tx: &mut Tx, row: &FlowRow) -> Result<bool, StoreError> {
    let written = tx
        .sql(
            "UPDATE provider_flow
                SET state = $4, version = version + 1, sends = $5, asks = $6, faults = $7,
                    sent_at = $8, next_at = $9, provider_ref = $10, pay_address = $11, pay_qr = $12,
                    problem = $13, ended_at = $14,
                    leased_until = CASE WHEN $4 = 'SENT' THEN leased_until ELSE NULL END
              WHERE school_id = $1 AND flow_id = $2 AND version = $3",
        )
        .bind(row.school_id.clone())
        .bind(row.flow_id.clone())
        .bind(row.version)
        .bind(row.state)
        .bind(row.sends)
        .bind(row.asks)
        .bind(row.faults)
        .bind(row.sent_at)
        .bind(row.next_at)
        .bind(row.provider_ref.clone())
        .bind(row.pay_address.clone())
        .bind(row.pay_qr.clone())
        .bind(row.problem.clone())
        .bind(row.ended_at)
        .run()
        .await?;
    Ok(written == 1)
}

/// Whether anything is due: a read, so that idle nodes do not disturb the writer.
pub(super) async fn any_due(db: &Db, now: Instant) -> Result<bool, StoreError> {
    let found: Option<(FlowId,)> = db
        .sql(
            "SELECT flow_id FROM provider_flow
              WHERE next_at IS NOT NULL AND next_at <= $1
                AND (leased_until IS NULL OR leased_until <= $1)
              LIMIT 1",
        )
        .bind(now)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Takes due flows until `leased_until`; one whose lease ran out is due again.
pub(super) async fn claim(
    tx: &mut Tx,
    now: Instant,
    leased_until: Instant,
    limit: i64,
) -> Result<Vec<FlowRow>, StoreError> {
    tx.sql_by_engine(
        "UPDATE provider_flow SET leased_until = $2
          WHERE (school_id, flow_id) IN (
                SELECT school_id, flow_id FROM provider_flow
                 WHERE next_at IS NOT NULL AND next_at <= $1
                   AND (leased_until IS NULL OR leased_until <= $1)
                 ORDER BY next_at LIMIT $3)
         RETURNING school_id, flow_id, kind, subject, connection_id, order_ref, amount, request,
                   state, version, sends, asks, faults, created_at, expires_at, sent_at, next_at,
                   provider_ref, pay_address, pay_qr, problem, ended_at",
        "UPDATE provider_flow SET leased_until = $2
          WHERE (school_id, flow_id) IN (
                SELECT school_id, flow_id FROM provider_flow
                 WHERE next_at IS NOT NULL AND next_at <= $1
                   AND (leased_until IS NULL OR leased_until <= $1)
                 ORDER BY next_at LIMIT $3
                   FOR UPDATE SKIP LOCKED)
         RETURNING school_id, flow_id, kind, subject, connection_id, order_ref, amount, request,
                   state, version, sends, asks, faults, created_at, expires_at, sent_at, next_at,
                   provider_ref, pay_address, pay_qr, problem, ended_at",
    )
    .bind(now)
    .bind(leased_until)
    .bind(limit)
    .all()
    .await
}

/// The flow of a subject.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn of_subject(
    db: &Db,
    school: &SchoolId,
    kind: Kind,
    subject: &str,
) -> Result<Option<FlowRow>, StoreError> {
    db.sql(
        "SELECT school_id, flow_id, kind, subject, connection_id, order_ref, amount, request,
                state, version, sends, asks, faults, created_at, expires_at, sent_at, next_at,
                provider_ref, pay_address, pay_qr, problem, ended_at
           FROM provider_flow WHERE school_id = $1 AND kind = $2 AND subject = $3",
    )
    .bind(school.clone())
    .bind(kind)
    .bind(subject.to_owned())
    .optional()
    .await
}

/// The flow of the payment that an order was made for.
pub(super) async fn of_order(
    db: &Db,
    school: &SchoolId,
    order_ref: &str,
) -> Result<Option<FlowRow>, StoreError> {
    db.sql(
        "SELECT school_id, flow_id, kind, subject, connection_id, order_ref, amount, request,
                state, version, sends, asks, faults, created_at, expires_at, sent_at, next_at,
                provider_ref, pay_address, pay_qr, problem, ended_at
           FROM provider_flow
          WHERE school_id = $1 AND order_ref = $2 AND kind = 'PAYMENT'
          ORDER BY flow_id LIMIT 1",
    )
    .bind(school.clone())
    .bind(order_ref.to_owned())
    .optional()
    .await
}

/// The state of an attempt, which the posting of a notice moves.
pub(super) async fn attempt_state(
    db: &Db,
    school: &SchoolId,
    attempt: &str,
) -> Result<Option<String>, StoreError> {
    let found: Option<(String,)> = db
        .sql("SELECT state FROM payment_attempt WHERE school_id = $1 AND attempt_id = $2")
        .bind(school.clone())
        .bind(attempt.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(state,)| state))
}

/// An attempt that nobody paid in time has failed; money that comes later is posted all the same.
pub(super) async fn close_attempt(
    tx: &mut Tx,
    school: &SchoolId,
    attempt: &str,
) -> Result<u64, StoreError> {
    tx.sql(
        "UPDATE payment_attempt SET state = 'FAILED'
          WHERE school_id = $1 AND attempt_id = $2 AND state = 'WAITING'",
    )
    .bind(school.clone())
    .bind(attempt.to_owned())
    .run()
    .await
}
