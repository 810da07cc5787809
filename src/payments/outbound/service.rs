//! One step of a flow: what the rules say, the call outside any transaction, what was seen written
//! over the version it was made from. Every step may be repeated, by any node.

use std::sync::Arc;
use std::time::Duration;

use hocphi_adapters::contract::{
    Call, Errand, Fault, Flow as Message, Notice, Observation, Order, Outcome, Reception, Refund,
    RefundSupport, Reply, Retry, Schedule, Status, Verified,
};
use serde::{Deserialize, Serialize};

use super::rules::{self, Flow, Kind, Manner, Seen, State, Todo};
use super::store::{self, FlowRow};
use crate::App;
use crate::clock::Instant;
use crate::ids::{ConnectionId, FlowId, SchoolId};
use crate::money::Vnd;
use crate::payments::connections::{Connection, ConnectionError};
use crate::payments::messages::masked_text;
use crate::payments::receive;
use crate::store::{StoreError, Tx};

/// A flow is left to one node for so long; longer than any call.
pub(in crate::payments) const LEASE_SECONDS: i64 = 90;
/// Longest wait for a provider, whatever its schedule says.
const DEADLINE_SECONDS_MAX: u64 = 30;
/// A refund that was not settled by then waits for a person.
const REFUND_HORIZON_SECONDS: i64 = 14 * 24 * 3600;
/// The last question about a payment comes so long after its time is up.
const GRACE_SECONDS: i64 = 120;
/// A request may be under way for so long after its caller gave up.
const SETTLES_SECONDS_MIN: i64 = 120;
const PROBLEM_CHARACTERS_MAX: usize = 300;
/// More fits into no code that a telephone reads from a screen.
const QR_BYTES_MAX: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("the connection does not exist or is switched off")]
    NoConnection,
    #[error("the provider cannot pay back this way")]
    NoRefunds,
    #[error("the stored request of flow {0} cannot be read")]
    Request(FlowId),
}

/// What the calls of a flow are built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub description: String,
    /// When the order was made, unix seconds: some providers want it again in every question.
    pub ordered_at: i64,
    pub expires_at: i64,
    pub order_amount: i64,
    pub payer_ip: String,
    pub return_url: String,
    pub notice_url: String,
    /// The provider's number of the payment, for refunds.
    pub transaction_id: Option<String>,
    /// The provider's own name of the order, for refunds.
    pub provider_order: Option<String>,
    pub refund: Option<RefundRequest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    pub refund_ref: String,
    pub reason: String,
    pub requested_by: String,
}

impl Request {
    /// What of an order is needed again later.
    pub fn of_order(order: &Order) -> Self {
        Self {
            description: order.description.clone(),
            ordered_at: order.created_at_unix,
            expires_at: order.expires_at_unix,
            order_amount: order.amount.get(),
            payer_ip: order.payer_ip.clone(),
            return_url: order.return_url.clone(),
            notice_url: order.notice_url.clone(),
            ..Self::default()
        }
    }

    fn order(&self, order_ref: &str) -> Order {
        Order {
            order_ref: order_ref.to_owned(),
            amount: Vnd::new(self.order_amount),
            description: self.description.clone(),
            created_at_unix: self.ordered_at,
            expires_at_unix: self.expires_at,
            payer_ip: self.payer_ip.clone(),
            return_url: self.return_url.clone(),
            notice_url: self.notice_url.clone(),
        }
    }

    /// As it is stored.
    pub(in crate::payments) fn to_text(&self) -> String {
        // Texts and numbers always serialise.
        serde_json::to_string(self).expect("a request is plain data")
    }
}

/// How the provider of a connection is to be asked about flows of a kind.
pub fn manner(connection: &Connection, kind: Kind) -> Manner {
    let profile = connection.adapter.profile();
    let Schedule {
        reply,
        poll,
        give_up,
        poll_refund,
        ..
    } = &profile.schedule;
    let (can_ask, pauses) = match kind {
        Kind::Payment => (profile.capability.query && !poll.is_empty(), poll),
        Kind::Refund => (profile.capability.query_refund, poll_refund),
    };
    Manner {
        can_ask,
        pauses: pauses.iter().copied().map(i64::from).collect(),
        settles: (2 * i64::from(*reply)).max(SETTLES_SECONDS_MIN),
        grace: GRACE_SECONDS,
        horizon: match kind {
            Kind::Payment => i64::from(*give_up),
            Kind::Refund => REFUND_HORIZON_SECONDS,
        },
    }
}

/// A refund to be asked for.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub school_id: SchoolId,
    /// The refund in our books; one flow each.
    pub subject: String,
    pub connection_id: ConnectionId,
    /// The order that was paid.
    pub order_ref: String,
    /// The provider's number of the payment.
    pub transaction_id: String,
    pub paid_amount: Vnd,
    /// When it was paid; stands in when the order is not ours any more.
    pub paid_at: Instant,
    pub amount: Vnd,
    /// Whatever people wrote; what providers do not take is left out.
    pub reason: String,
    pub requested_by: String,
}

/// Plans a refund; asked again for the same subject it answers the flow that is there. Nothing has
/// left the house when this returns.
///
/// # Errors
/// [`FlowError`]; nothing is written.
pub async fn start_refund(app: &App, new: &NewRefund) -> Result<FlowRow, FlowError> {
    let known = store::of_subject(&app.db, &new.school_id, Kind::Refund, &new.subject).await?;
    if let Some(row) = known {
        return Ok(row);
    }
    let now = app.clock.now();
    let connection = app
        .connections
        .get(&app.db, &new.connection_id, now)
        .await?
        .ok_or(FlowError::NoConnection)?;
    let profile = connection.adapter.profile();
    let possible = match profile.capability.refund {
        RefundSupport::None => false,
        RefundSupport::Full => new.amount == new.paid_amount,
        RefundSupport::Partial => new.amount <= new.paid_amount,
    };
    if !possible {
        return Err(FlowError::NoRefunds);
    }
    let paid = store::of_order(&app.db, &new.school_id, &new.order_ref).await?;
    let mut request = match &paid {
        Some(paid) => parsed(paid)?,
        None => Request {
            ordered_at: new.paid_at.unix(),
            expires_at: new.paid_at.unix(),
            order_amount: new.paid_amount.get(),
            ..Request::default()
        },
    };
    let unique = u64::from_be_bytes(app.ids.bytes());
    request.transaction_id = Some(new.transaction_id.clone());
    request.provider_order = paid.and_then(|paid| paid.provider_ref);
    request.refund = Some(RefundRequest {
        refund_ref: profile.order_ref.write("R", unique, now.unix()),
        reason: plain(&new.reason),
        requested_by: plain(&new.requested_by),
    });
    let row = FlowRow {
        school_id: new.school_id.clone(),
        flow_id: FlowId::new(app.ids.next(now)),
        kind: Kind::Refund,
        subject: new.subject.clone(),
        connection_id: new.connection_id.clone(),
        order_ref: new.order_ref.clone(),
        amount: new.amount,
        request: request.to_text(),
        state: State::Planned,
        version: 0,
        sends: 0,
        asks: 0,
        faults: 0,
        created_at: now,
        expires_at: now.plus_seconds(REFUND_HORIZON_SECONDS),
        sent_at: None,
        next_at: Some(now),
        provider_ref: None,
        pay_address: None,
        pay_qr: None,
        problem: None,
        ended_at: None,
    };
    let written = row.clone();
    app.db
        .write("outbound.refund", async move |tx: &mut Tx| {
            store::insert(tx, &written, None).await
        })
        .await?;
    // Somebody else may have planned it at the same moment.
    let stored = store::of_subject(&app.db, &new.school_id, Kind::Refund, &new.subject).await?;
    Ok(stored.unwrap_or(row))
}

/// Unaccented ASCII of bounded length, as providers take it.
fn plain(text: &str) -> String {
    crate::schools::text::fold(text)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == ' ')
        .take(100)
        .collect()
}

fn parsed(row: &FlowRow) -> Result<Request, FlowError> {
    serde_json::from_str(&row.request).map_err(|_| FlowError::Request(row.flow_id.clone()))
}

/// Takes a claimed flow one step on.
///
/// # Errors
/// [`FlowError`]; the flow is due again when its lease runs out.
pub async fn step(app: &App, row: FlowRow) -> Result<(), FlowError> {
    let now = app.clock.now();
    // Switched off, a connection is still asked about what is open.
    let connection = app
        .connections
        .get_any(&app.db, &row.connection_id)
        .await?
        .ok_or(FlowError::NoConnection)?;
    let manner = manner(&connection, row.kind);
    if row.kind == Kind::Payment {
        let state = store::attempt_state(&app.db, &row.school_id, &row.subject).await?;
        let told = match state.as_deref() {
            Some("PAID") => Some(State::Done),
            Some("FAILED") => Some(State::Failed),
            _ => None,
        };
        if let Some(told) = told {
            let flow = rules::ended(&row.flow(), told);
            return save(app, row.with(&flow)).await.map(drop);
        }
    }
    match rules::todo(&row.flow(), &manner, now) {
        Todo::Nothing => Ok(()),
        Todo::Become(flow) => save(app, row.with(&flow)).await.map(drop),
        Todo::Send => {
            let leaving = row.clone().with(&rules::leaving(&row.flow(), now));
            let Some(row) = save(app, leaving).await? else {
                return Ok(());
            };
            let request = parsed(&row)?;
            let order = request.order(&row.order_ref);
            let sent = match errand(&row, &request, &order, row.created_at) {
                Some(errand) => {
                    connection
                        .adapter
                        .call(Message::Refund, &errand, &connection.credentials)
                }
                // Payments are sent while their payer waits; a planned one has lost its payer.
                None => Err(Fault::never("the payer has gone")),
            };
            let observed = carry(app, &connection, Message::Refund, sent).await;
            written_after_send(app, &connection, row, &observed)
                .await
                .map(drop)
        }
        Todo::Ask => ask(app, &connection, row, &manner).await,
    }
}

/// The errand of a refund or of a question; nothing for the creation of a payment.
fn errand<'a>(
    row: &'a FlowRow,
    request: &'a Request,
    order: &'a Order,
    at: Instant,
) -> Option<Errand<'a>> {
    let refund = request.refund.as_ref()?;
    Some(Errand {
        order,
        request_id: row.flow_id.as_str(),
        at_unix: at.unix(),
        transaction_id: request.transaction_id.as_deref(),
        provider_order: request.provider_order.as_deref(),
        refund: Some(Refund {
            refund_ref: &refund.refund_ref,
            amount: row.amount,
            reason: &refund.reason,
            requested_by: &refund.requested_by,
            provider_refund: row.provider_ref.as_deref(),
        }),
    })
}

async fn ask(
    app: &App,
    connection: &Arc<Connection>,
    row: FlowRow,
    manner: &Manner,
) -> Result<(), FlowError> {
    let now = app.clock.now();
    let request = parsed(&row)?;
    let order = request.order(&row.order_ref);
    let request_id = format!("{}q{}", row.flow_id, row.asks);
    let (message, errand) = match errand(&row, &request, &order, now) {
        Some(errand) => (
            Message::QueryRefund,
            Errand {
                request_id: &request_id,
                ..errand
            },
        ),
        None => (
            Message::Query,
            Errand {
                request_id: &request_id,
                at_unix: now.unix(),
                provider_order: row.provider_ref.as_deref(),
                ..Errand::starting(&order, &request_id)
            },
        ),
    };
    let call = connection
        .adapter
        .call(message, &errand, &connection.credentials);
    let observed = carry(app, connection, message, call).await;
    let (seen, problem) = match &observed {
        Observed::Told(observation, raw) if row.kind == Kind::Payment => {
            posted(app, connection, &row, observation, raw).await
        }
        Observed::Told(observation, _) => refund_seen(observation),
        Observed::Not(seen, problem) => (*seen, Some(problem.clone())),
    };
    let flow = rules::after_ask(&row.flow(), seen, manner, now, chance(app));
    let mut row = row.with(&flow);
    row.problem = problem.map(shortened);
    if let Observed::Told(observation, _) = &observed
        && observation.provider_order.is_some()
    {
        row.provider_ref.clone_from(&observation.provider_order);
    }
    save(app, row).await.map(drop)
}

/// What a call brought home.
#[derive(Debug)]
pub(in crate::payments) enum Observed {
    /// A reply that was proven and read, and its text for the inbox.
    Told(Box<Verified<Observation>>, String),
    Not(Seen, String),
}

/// Sends a call through the circuit of its connection.
///
/// # Errors
/// [`Fault`] when no reply came.
pub(in crate::payments) async fn reach(
    app: &App,
    connection: &Connection,
    message: Message,
    call: &Call,
) -> Result<Reply, Fault> {
    let seconds = u64::from(connection.adapter.profile().schedule.reply);
    let deadline = Duration::from_secs(seconds.clamp(1, DEADLINE_SECONDS_MAX));
    let (id, now) = (connection.connection_id.as_str(), app.clock.now());
    let sent = app
        .http
        .send_through(id, call, deadline, now, chance(app))
        .await;
    sent.inspect_err(|fault| {
        tracing::warn!(
            connection.id = id,
            call = message.code(),
            problem = fault.message,
            "a provider was not reached"
        );
    })
}

/// Sends a call that was built and reads its reply, outside any transaction.
pub(in crate::payments) async fn carry(
    app: &App,
    connection: &Connection,
    message: Message,
    call: Result<Call, Fault>,
) -> Observed {
    let call = match call {
        Ok(call) => call,
        Err(fault) => return Observed::Not(Seen::Unbuildable, fault.message),
    };
    let reply = match reach(app, connection, message, &call).await {
        Ok(reply) => reply,
        Err(fault) => {
            let seen = match fault.retry {
                Retry::Safe => Seen::NotSent,
                Retry::Never => Seen::Unbuildable,
                Retry::AskFirst => Seen::NoAnswer,
            };
            return Observed::Not(seen, fault.message);
        }
    };
    let raw = String::from_utf8_lossy(&reply.body).replace('\0', "\u{fffd}");
    let status = reply.status;
    let read = receive::with_valid(connection, app.clock.now(), |credentials| {
        let reply = Reply {
            status: reply.status,
            headers: reply.headers.clone(),
            body: reply.body.clone(),
        };
        connection.adapter.read_reply(message, &reply, credentials)
    });
    match read {
        Ok(observation) => Observed::Told(Box::new(observation), raw),
        Err(rejection) => {
            tracing::warn!(
                connection.id = %connection.connection_id, call = message.code(), status,
                reason = rejection.reason.code(), detail = rejection.detail,
                "a provider's reply cannot be believed"
            );
            Observed::Not(Seen::NoAnswer, format!("HTTP {status}: {rejection}"))
        }
    }
}

/// What a reply says about a refund.
fn refund_seen(observation: &Observation) -> (Seen, Option<String>) {
    let seen = match (observation.reception, observation.status) {
        (_, Status::Refunded) => Seen::Done,
        (Reception::NotFound, _) => Seen::NotFound,
        (Reception::Refused, _) | (_, Status::Failed | Status::Expired) => Seen::Failed,
        (Reception::Later, _) => Seen::NotSent,
        (Reception::Unclear, _) => Seen::NoAnswer,
        // Taken before: it has to be asked what became of it.
        (Reception::Repeated | Reception::Taken, Status::Pending | Status::Unknown) => {
            Seen::Pending
        }
        (
            Reception::Repeated | Reception::Taken,
            Status::Paid | Status::Authorized | Status::Review | Status::Reversed | Status::Ignored,
        ) => Seen::Held,
    };
    (seen, told(observation))
}

/// What the reply to the creation of a payment says.
pub(in crate::payments) fn creation_seen(observation: &Observation) -> Seen {
    match observation.reception {
        Reception::Taken | Reception::Repeated => match observation.status {
            Status::Failed | Status::Expired => Seen::Failed,
            _ => Seen::Pending,
        },
        Reception::Refused | Reception::NotFound => Seen::Failed,
        Reception::Later => Seen::NotSent,
        Reception::Unclear => Seen::NoAnswer,
    }
}

/// Posts what a question about a payment found, through the same desk as a notice.
async fn posted(
    app: &App,
    connection: &Connection,
    row: &FlowRow,
    observation: &Verified<Observation>,
    raw: &str,
) -> (Seen, Option<String>) {
    let problem = told(observation);
    match observation.reception {
        Reception::NotFound => return (Seen::NotFound, problem),
        Reception::Later | Reception::Unclear => return (Seen::NoAnswer, problem),
        // The question was refused, which says nothing about the payment.
        Reception::Refused if observation.status == Status::Unknown => {
            return (Seen::NoAnswer, problem);
        }
        Reception::Refused | Reception::Taken | Reception::Repeated => {}
    }
    let seen = match observation.status {
        Status::Pending | Status::Authorized | Status::Unknown | Status::Ignored => {
            if observation.transfers.is_empty() {
                return (Seen::Pending, problem);
            }
            Seen::Pending
        }
        Status::Paid
            if observation.transaction_id.is_some() || !observation.transfers.is_empty() =>
        {
            Seen::Done
        }
        Status::Failed => Seen::Failed,
        Status::Expired => Seen::Expired,
        Status::Paid | Status::Review | Status::Reversed | Status::Refunded => Seen::Held,
    };
    if observation
        .order_ref
        .as_ref()
        .is_some_and(|told| *told != row.order_ref)
    {
        return (
            Seen::NoAnswer,
            Some("the reply is about another order".into()),
        );
    }
    for notice in notices(row, observation) {
        let spare = receive::numbers(&notice);
        let spare: Vec<&str> = spare.iter().map(String::as_str).collect();
        let raw = masked_text(&app.seal, connection, raw, &spare);
        let posted = receive::hand_in(app, connection, notice, raw).await;
        tracing::info!(
            flow.id = %row.flow_id, status = observation.status.code(),
            outcome = posted.outcome.code(), "a payment was found by asking"
        );
        match posted.outcome {
            Outcome::Accepted | Outcome::Repeated => {}
            // What is in the books already is known by its number when the question is repeated.
            Outcome::Temporary => {
                return (Seen::NoAnswer, Some("the books could not take it".into()));
            }
            // The money is parked: a person says whose it is.
            Outcome::AmountDiffers
            | Outcome::UnknownOrder
            | Outcome::Unusable
            | Outcome::NotAuthentic => return (Seen::Held, problem),
        }
    }
    (seen, problem)
}

/// The notices a reply stands for: one a movement where it lists them, else one of the order.
fn notices(row: &FlowRow, observation: &Observation) -> Vec<Notice> {
    let notice = Notice {
        transaction_id: observation.transaction_id.clone(),
        order_ref: Some(row.order_ref.clone()),
        // What is charged is what was asked for, where the provider does not repeat it.
        amount: observation.amount.unwrap_or(row.amount),
        currency: observation.currency.clone().unwrap_or_else(|| "VND".into()),
        status: observation.status,
        remark: None,
        bill_ref: None,
        occurred_at_unix: None,
        memo: None,
        account: None,
        bank_reference: None,
        merchant: None,
    };
    if observation.transfers.is_empty() {
        return vec![notice];
    }
    let moved = observation.transfers.iter().map(|transfer| Notice {
        transaction_id: Some(transfer.transaction_id.clone()),
        amount: transfer.amount,
        currency: transfer.currency.clone(),
        status: Status::Paid,
        occurred_at_unix: transfer.occurred_at_unix,
        memo: transfer.memo.clone(),
        ..notice.clone()
    });
    moved.collect()
}

fn told(observation: &Observation) -> Option<String> {
    match (&observation.code, &observation.message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(text), None) | (None, Some(text)) => Some(text.clone()),
        (None, None) => None,
    }
}

/// Writes what the answer to a request showed; answers the flow as it now stands.
pub(in crate::payments) async fn written_after_send(
    app: &App,
    connection: &Connection,
    row: FlowRow,
    observed: &Observed,
) -> Result<FlowRow, FlowError> {
    let (seen, problem) = match observed {
        Observed::Told(observation, _) if row.kind == Kind::Payment => {
            (creation_seen(observation), told(observation))
        }
        Observed::Told(observation, _) => refund_seen(observation),
        Observed::Not(seen, problem) => (*seen, Some(problem.clone())),
    };
    let manner = manner(connection, row.kind);
    let flow: Flow = rules::after_send(&row.flow(), seen, &manner, app.clock.now(), chance(app));
    let mut row = row.with(&flow);
    row.problem = problem.map(shortened);
    if let Observed::Told(observation, _) = observed {
        row.provider_ref.clone_from(&observation.provider_order);
        row.pay_address.clone_from(&observation.redirect);
        row.pay_qr = observation
            .qr
            .clone()
            .filter(|text| text.len() <= QR_BYTES_MAX);
    }
    let written = save(app, row.clone()).await?;
    Ok(written.unwrap_or(row))
}

/// Writes a change; nothing when somebody else was faster, whose word then holds. An ended payment
/// that nobody paid closes its attempt in the same transaction.
async fn save(app: &App, mut row: FlowRow) -> Result<Option<FlowRow>, FlowError> {
    if row.state.is_ended() {
        row.ended_at = Some(app.clock.now());
        row.next_at = None;
        tracing::info!(flow.id = %row.flow_id, kind = %row.kind, state = %row.state, "a flow ended");
    }
    let written = row.clone();
    let saved = app
        .db
        .write("outbound.step", async move |tx: &mut Tx| {
            let saved = store::save(tx, &written).await?;
            let unpaid = matches!(written.state, State::Failed | State::Expired);
            if saved && unpaid && written.kind == Kind::Payment {
                store::close_attempt(tx, &written.school_id, &written.subject).await?;
            }
            Ok::<_, StoreError>(saved)
        })
        .await?;
    row.version += 1;
    Ok(saved.then_some(row))
}

pub(in crate::payments) fn shortened(problem: String) -> String {
    problem.chars().take(PROBLEM_CHARACTERS_MAX).collect()
}

/// 0 to 999, to spread pauses.
pub(in crate::payments) fn chance(app: &App) -> i64 {
    i64::try_from(app.ids.below(1_000)).unwrap_or(0)
}
