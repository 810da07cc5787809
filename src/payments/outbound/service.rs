//! One step of a flow: what the rules say, the call outside any transaction, what was seen written
//! over the version it was made from. Every step may be repeated, by any node.

use std::sync::Arc;

use hocphi_adapters::contract::{Errand, Fault, Flow as Message, Order, Refund};

use super::call::{Observed, carry, creation_seen, refund_found, refund_seen, told};
use super::found::posted;
use super::request::{Request, manner, parsed};
use super::rules::{self, Flow, Kind, Manner, State, Todo};
use super::store::{self, FlowRow};
use crate::App;
use crate::clock::Instant;
use crate::ids::FlowId;
use crate::payments::connections::{Connection, ConnectionError};
use crate::store::{StoreError, Tx};

/// A flow is left to one node for so long; longer than any call.
pub(in crate::payments) const LEASE_SECONDS: i64 = 90;
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
        Observed::Told(observation, _) => refund_found(observation),
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
