//! From a provider's message to the books: proven by the adapter, posted by the desk. The same way
//! for what providers call, for what a query of ours finds, and for a replay.

use std::sync::Arc;

use hocphi_adapters::contract::{
    Credentials, Flow, Inbound, Naming, Notice, Notices, Outcome, Reason, Rejection, Status,
    Verified,
};
use tokio::task::JoinSet;

use super::books::{Arrival, Receipt, Target};
use super::connections::Connection;
use super::messages::masked_text;
use crate::App;
use crate::clock::Instant;
use crate::fees::{bill_code::BillCode, memo};
use crate::ids::PaymentId;

/// What became of one report of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub outcome: Outcome,
    pub order_ref: Option<String>,
    pub transaction_id: Option<String>,
    pub status: Status,
    pub payment_id: Option<PaymentId>,
}

/// Proves and reads a message with whichever credentials were valid at `at`, the newest first.
///
/// # Errors
/// The newest credentials' [`Rejection`] when none fits.
pub fn read(
    connection: &Connection,
    flow: Flow,
    inbound: &Inbound,
    at: Instant,
) -> Result<Notices, Rejection> {
    with_valid(connection, at, |credentials| {
        connection.adapter.read_notice(flow, inbound, credentials)
    })
}

/// Tries credentials in turn for as long as a proof fails.
pub(super) fn with_valid<T>(
    connection: &Connection,
    at: Instant,
    check: impl Fn(&Credentials) -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    let mut first = None;
    for credentials in connection.valid_at(at) {
        match check(credentials) {
            Err(rejection) if rejection.outcome() == Outcome::NotAuthentic => {
                first.get_or_insert(rejection);
            }
            decided => return decided,
        }
    }
    // A connection always has its newest credentials, so the loop has decided or refused.
    Err(first.unwrap_or_else(|| Rejection::new(Reason::MissingCredentials, "no credentials")))
}

/// The text of a message that says what was paid, as the inbox keeps it.
pub fn raw_text(inbound: &Inbound) -> String {
    if inbound.body.is_empty() {
        inbound.query.clone()
    } else {
        // Text on both engines: a NUL would be refused by PostgreSQL.
        String::from_utf8_lossy(&inbound.body).replace('\0', "\u{fffd}")
    }
}

/// Posts every report of a message; returns when all are durable. In the order of the message.
pub async fn post(
    app: &App,
    connection: &Arc<Connection>,
    raw: &str,
    notices: Vec<Verified<Notice>>,
) -> Vec<Posted> {
    let spare: Vec<String> = notices.iter().flat_map(|notice| numbers(notice)).collect();
    let spare: Vec<&str> = spare.iter().map(String::as_str).collect();
    let raw = masked_text(&app.seal, connection, raw, &spare);
    let notices = notices.into_iter().map(Verified::into_inner);
    together(app, connection, notices.map(|notice| (notice, raw.clone()))).await
}

/// [`post`] for reports that each have a text of their own.
pub(super) async fn post_each(
    app: &App,
    connection: &Arc<Connection>,
    reports: impl Iterator<Item = (Verified<Notice>, String)>,
) -> Vec<Posted> {
    let reports = reports.map(|(notice, raw)| {
        let spare = numbers(&notice);
        let spare: Vec<&str> = spare.iter().map(String::as_str).collect();
        let raw = masked_text(&app.seal, connection, &raw, &spare);
        (notice.into_inner(), raw)
    });
    together(app, connection, reports).await
}

/// Hands reports in together, so that they share a transaction.
async fn together(
    app: &App,
    connection: &Arc<Connection>,
    reports: impl Iterator<Item = (Notice, String)>,
) -> Vec<Posted> {
    let mut reports: Vec<_> = reports.collect();
    // By far the most messages carry one.
    if reports.len() == 1
        && let Some((notice, raw)) = reports.pop()
    {
        return vec![hand_in(app, connection, notice, raw).await];
    }
    let mut tasks = JoinSet::new();
    let mut posted = Vec::new();
    for (place, (notice, raw)) in reports.into_iter().enumerate() {
        posted.push(unposted(&notice));
        let (app, connection) = (app.clone(), Arc::clone(connection));
        tasks.spawn(async move { (place, hand_in(&app, &connection, notice, raw).await) });
    }
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok((place, done)) => posted[place] = done,
            Err(error) => tracing::error!(%error, "a notice was not handed in"),
        }
    }
    posted
}

/// Posts one proven report; `raw` is what the inbox keeps of the message.
pub(super) async fn hand_in(
    app: &App,
    connection: &Connection,
    notice: Notice,
    raw: String,
) -> Posted {
    let mut posted = unposted(&notice);
    let arrival = arrival(app, connection, notice, raw);
    if let Ok(Some(Receipt {
        outcome,
        payment_id,
        ..
    })) = app.desk.hand_in(arrival).await
    {
        posted.outcome = outcome;
        posted.payment_id = payment_id;
    }
    posted
}

fn unposted(notice: &Notice) -> Posted {
    Posted {
        outcome: Outcome::Temporary,
        order_ref: notice.order_ref.clone(),
        transaction_id: notice.transaction_id.clone(),
        status: notice.status,
        payment_id: None,
    }
}

/// Numbers of a report that are no card numbers, however they look.
pub(super) fn numbers(notice: &Notice) -> Vec<String> {
    [
        &notice.transaction_id,
        &notice.order_ref,
        &notice.bank_reference,
        &notice.account,
        &notice.merchant,
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect()
}

fn arrival(app: &App, connection: &Connection, notice: Notice, raw: String) -> Arrival {
    let capability = &connection.adapter.profile().capability;
    let now = app.clock.now();
    Arrival {
        school_id: connection.school_id.clone(),
        connection_id: connection.connection_id.clone(),
        provider: connection.provider.clone(),
        channel: connection.channel,
        settlement: capability.settlement,
        target: target(capability.naming, &notice),
        notice,
        raw,
        received_at: now,
        payment_id: PaymentId::new(app.ids.next(now)),
    }
}

/// An intermediary names our order; a bank host the bill; a bank credit carries the payer's words.
pub(super) fn target(naming: Naming, notice: &Notice) -> Target {
    let code = notice.bill_ref.as_ref().or(notice.order_ref.as_ref());
    match (naming, code) {
        (Naming::Order, _) => Target::Order(notice.order_ref.clone().unwrap_or_default()),
        (Naming::Code | Naming::Memo, Some(code)) if BillCode::parse(code).is_ok() => {
            Target::Codes {
                codes: vec![code.clone()],
                suggestions: Vec::new(),
            }
        }
        (Naming::Code | Naming::Memo, _) => {
            let found = memo::read(notice.memo.as_deref().unwrap_or_default());
            let text = |codes: Vec<BillCode>| {
                codes
                    .into_iter()
                    .map(|code| code.as_str().to_owned())
                    .collect()
            };
            Target::Codes {
                codes: text(found.codes),
                suggestions: text(found.suggestions),
            }
        }
    }
}

/// The one answer to a message with several reports: the worst of them.
pub fn worst(posted: &[Posted]) -> Outcome {
    posted
        .iter()
        .map(|item| item.outcome)
        .max_by_key(|outcome| weight(*outcome))
        .unwrap_or(Outcome::Accepted)
}

const fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Repeated => 0,
        Outcome::Accepted => 1,
        Outcome::Unusable => 2,
        Outcome::AmountDiffers => 3,
        Outcome::UnknownOrder => 4,
        Outcome::NotAuthentic => 5,
        Outcome::Temporary => 6,
    }
}
