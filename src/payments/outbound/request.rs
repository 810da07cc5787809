//! What the calls of a flow are built from, how its provider is to be asked, and the planning of a
//! refund.

use hocphi_adapters::contract::{Order, RefundSupport, Schedule};
use serde::{Deserialize, Serialize};

use super::rules::{Kind, Manner, State};
use super::service::FlowError;
use super::store::{self, FlowRow};
use crate::App;
use crate::clock::Instant;
use crate::ids::{ConnectionId, FlowId, SchoolId};
use crate::money::Vnd;
use crate::payments::connections::Connection;
use crate::store::Tx;

/// A refund that was not settled by then waits for a person.
const REFUND_HORIZON_SECONDS: i64 = 14 * 24 * 3600;
/// The last question about a payment comes so long after its time is up.
const GRACE_SECONDS: i64 = 120;
/// A request may be under way for so long after its caller gave up.
const SETTLES_SECONDS_MIN: i64 = 120;

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

    pub(super) fn order(&self, order_ref: &str) -> Order {
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

pub(super) fn parsed(row: &FlowRow) -> Result<Request, FlowError> {
    serde_json::from_str(&row.request).map_err(|_| FlowError::Request(row.flow_id.clone()))
}
