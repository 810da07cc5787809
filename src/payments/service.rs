//! Use cases around posting: starting a checkout, taking cash.

use std::sync::Arc;

use hocphi_adapters::contract::{
    Checkout, Errand, Fault, Flow as Message, Notice, Order, Settlement, Status,
};

use super::books::{Arrival, Channel, Receipt, Target};
use super::connections::{Connection, ConnectionError};
use super::evidence_store::{self, EvidenceKind, Step};
use super::outbound;
use super::outbound::call::carry;
use super::outbound::request::{Request, manner};
use super::outbound::rules::{self, Flow, Kind, Seen, State};
use super::outbound::service::{FlowError, LEASE_SECONDS};
use super::outbound::store::FlowRow;
use super::store::{self, NewAttempt};
use crate::App;
use crate::clock::Instant;
use crate::fees;
use crate::ids::{AttemptId, BillId, ConnectionId, FlowId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx};

/// How long a payer may take on the provider's page. Money that comes later is taken all the same.
const CHECKOUT_TTL_MINUTES: i64 = 15;
/// A payment with less time left than this is started anew.
const CHECKOUT_LEFT_SECONDS_MIN: i64 = 180;

#[derive(Debug, thiserror::Error)]
pub enum PayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("bills cannot be priced: {0}")]
    Pricing(#[from] fees::service::FeeError),
    #[error("provider request: {0}")]
    Provider(#[from] Fault),
    #[error("no such bill")]
    NoBill,
    #[error("no such way to pay for this bill")]
    NoConnection,
    #[error("nothing is left to pay")]
    NothingDue,
    #[error("the amount must be positive and at most what is open ({open})")]
    Amount { open: Vnd },
    #[error("the books cannot take more now")]
    Busy,
    /// The provider took no order, or told no way on; its words.
    #[error("the provider refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Flow(#[from] FlowError),
}

/// Where the payer's browser goes now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    Go(String),
    /// The browser posts these fields there, in this order.
    Post {
        provider: String,
        action: String,
        fields: Vec<(String, String)>,
    },
    /// There is no page to go to: the payer scans a code that [`open_code`] shows.
    Scan,
    /// The provider has not answered: it is being asked, and the bill shows what comes of it.
    Waiting,
}

/// What a checkout wrote, and what is to be done outside the transaction.
#[derive(Clone, Debug)]
enum Begun {
    /// A payment that the provider is waiting for already.
    Open(Started),
    New(Box<FlowRow>, Checkout),
}

/// Starts paying what is open of a bill through a provider; prices the bill for today first. A
/// payment that was started before, of the same amount and with time left, is gone on with.
///
/// `key` is a link token or a bill code; `payer_ip` is passed on to providers that want it.
///
/// # Errors
/// [`PayError`]; nothing is written when it is about the bill or the connection.
pub async fn start_checkout(
    app: &App,
    key: &str,
    connection_id: &ConnectionId,
    payer_ip: &str,
) -> Result<Started, PayError> {
    let now = app.clock.now();
    let connection = app
        .connections
        .get(&app.db, connection_id, now)
        .await?
        .filter(|connection| connection.adapter.profile().capability.checkout)
        .ok_or(PayError::NoConnection)?;
    let (key, payer_ip) = (key.to_owned(), payer_ip.to_owned());
    let attempt_id = AttemptId::new(app.ids.next(now));
    let unique = u64::from_be_bytes(app.ids.bytes());
    let (chosen, public_url) = (Arc::clone(&connection), Arc::clone(&app.public_url));
    let begun = app
        .db
        .write("payments.checkout", async move |tx: &mut Tx| {
            let bill = store::payable_bill(tx, &key)
                .await?
                .ok_or(PayError::NoBill)?;
            if bill.school_id != chosen.school_id {
                return Err(PayError::NoConnection);
            }
            let priced = (bill.school_id.clone(), bill.bill_id.clone());
            fees::service::reprice(tx, &[priced], now.day()).await?;
            let bill = store::payable_bill(tx, &key)
                .await?
                .ok_or(PayError::NoBill)?;
            let amount = bill.amount_due - bill.amount_paid;
            if bill.state == "CANCELLED" || !amount.is_positive() {
                return Err(PayError::NothingDue);
            }
            let id = &chosen.connection_id;
            let still_open = now.plus_seconds(CHECKOUT_LEFT_SECONDS_MIN);
            match store::open_way(tx, &bill, id, amount, still_open).await? {
                Some((Some(address), _)) => return Ok(Begun::Open(Started::Go(address))),
                Some((None, Some(_))) => return Ok(Begun::Open(Started::Scan)),
                Some((None, None)) | None => {}
            }
            let form = chosen.adapter.profile().order_ref;
            let expires_at = now.plus_seconds(CHECKOUT_TTL_MINUTES * 60);
            let at = format!("{}/{id}", chosen.provider);
            let order = Order {
                order_ref: form.write(&bill.bill_code, unique, now.unix()),
                amount,
                description: format!("Thanh toan phieu thu {}", bill.bill_code),
                created_at_unix: now.unix(),
                expires_at_unix: expires_at.unix(),
                payer_ip: payer_ip.clone(),
                return_url: format!("{public_url}/return/{at}"),
                notice_url: format!("{public_url}/notices/{at}"),
            };
            let checkout = chosen.adapter.checkout(
                &Errand::starting(&order, attempt_id.as_str()),
                &chosen.credentials,
            )?;
            let row = flow_of(&chosen, &order, &attempt_id, &checkout, now);
            let attempt = NewAttempt {
                school_id: bill.school_id,
                attempt_id: attempt_id.clone(),
                connection_id: id.clone(),
                order_ref: order.order_ref,
                bill_id: bill.bill_id,
                amount,
                created_at: now,
                expires_at,
            };
            store::insert_attempt(tx, &attempt).await?;
            evidence_store::note(
                tx,
                &attempt.school_id,
                attempt.attempt_id.as_str(),
                Step::Claimed,
                EvidenceKind::Checkout,
                &attempt.order_ref,
                now,
            )
            .await?;
            outbound::store::insert(tx, &row, Some(now.plus_seconds(LEASE_SECONDS))).await?;
            Ok(Begun::New(Box::new(row), checkout))
        })
        .await?;
    match begun {
        Begun::Open(started) => Ok(started),
        Begun::New(row, checkout) => {
            tracing::info!(
                attempt.id = row.subject,
                provider = connection.provider,
                "checkout started"
            );
            go_on(app, &connection, *row, checkout).await
        }
    }
}

/// The flow of a payment that is being started. What a browser carries has left the house with the
/// page; what we send is about to.
fn flow_of(
    connection: &Connection,
    order: &Order,
    attempt: &AttemptId,
    checkout: &Checkout,
    now: Instant,
) -> FlowRow {
    let planned = Flow {
        kind: Kind::Payment,
        state: State::Planned,
        sends: 0,
        asks: 0,
        faults: 0,
        created_at: now,
        expires_at: Instant::from_unix(order.expires_at_unix),
        sent_at: None,
        next_at: Some(now),
    };
    let sent = rules::leaving(&planned, now);
    let flow = match checkout {
        Checkout::Send(_) => sent,
        Checkout::Redirect(_) | Checkout::Form { .. } => {
            let manner = manner(connection, Kind::Payment);
            rules::after_send(&sent, Seen::Pending, &manner, now, 0)
        }
    };
    FlowRow {
        school_id: connection.school_id.clone(),
        flow_id: FlowId::new(attempt.as_str()),
        kind: Kind::Payment,
        subject: attempt.to_string(),
        connection_id: connection.connection_id.clone(),
        order_ref: order.order_ref.clone(),
        amount: order.amount,
        request: Request::of_order(order).to_text(),
        state: flow.state,
        version: 0,
        sends: flow.sends,
        asks: flow.asks,
        faults: flow.faults,
        created_at: flow.created_at,
        expires_at: flow.expires_at,
        sent_at: flow.sent_at,
        next_at: flow.next_at,
        provider_ref: None,
        pay_address: None,
        pay_qr: None,
        problem: None,
        ended_at: None,
    }
}

async fn go_on(
    app: &App,
    connection: &Connection,
    row: FlowRow,
    checkout: Checkout,
) -> Result<Started, PayError> {
    let call = match checkout {
        Checkout::Redirect(address) => return Ok(Started::Go(address)),
        Checkout::Form { action, fields } => {
            return Ok(Started::Post {
                provider: connection.display_name.clone(),
                action,
                fields,
            });
        }
        Checkout::Send(call) => call,
    };
    let observed = carry(app, connection, Message::Create, Ok(call)).await;
    let row = outbound::service::written_after_send(app, connection, row, &observed).await?;
    match (row.state, row.pay_address) {
        (State::Pending, Some(address)) => Ok(Started::Go(address)),
        (State::Pending, None) if row.pay_qr.is_some() => Ok(Started::Scan),
        (State::Unknown, _) => Ok(Started::Waiting),
        (_, _) => Err(PayError::Refused(row.problem.unwrap_or_default())),
    }
}

/// A code to be scanned for a payment that is under way.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenCode {
    /// What the code says.
    pub text: String,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
}

/// The code of the payment that is under way for a bill through a connection; nothing once it was
/// paid, has failed or its time is up, or when the key opens no bill.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn open_code(
    app: &App,
    key: &str,
    connection_id: &ConnectionId,
) -> Result<Option<OpenCode>, StoreError> {
    store::open_code(&app.db, key, connection_id, app.clock.now()).await
}

/// Takes cash at the school's counter against a bill. `form_token` makes a repeated form one payment.
///
/// # Errors
/// [`PayError`]; nothing is written.
pub async fn record_cash(
    app: &App,
    school: &SchoolId,
    bill_id: &BillId,
    amount: Vnd,
    form_token: &str,
    note: &str,
) -> Result<Receipt, PayError> {
    let now = app.clock.now();
    fees::service::price_for_today(app, school, bill_id).await?;
    let bill = store::bill(&app.db, school, bill_id)
        .await?
        .ok_or(PayError::NoBill)?;
    let open = bill.amount_due - bill.amount_paid;
    let refusal = if bill.state == "CANCELLED" || !open.is_positive() {
        Some(PayError::NothingDue)
    } else if !amount.is_positive() || amount > open {
        Some(PayError::Amount { open })
    } else {
        None
    };
    // A form sent again finds the bill as its first sending left it.
    if let Some(refusal) = refusal
        && !known_cash(app, school, form_token).await?
    {
        return Err(refusal);
    }
    let arrival = Arrival {
        school_id: school.clone(),
        connection_id: ConnectionId::new("counter"),
        provider: "cash".into(),
        channel: Channel::Cash,
        settlement: Settlement::Free,
        target: Target::Bill(bill.bill_id),
        notice: Notice {
            transaction_id: Some(form_token.to_owned()),
            order_ref: Some(bill.bill_code),
            amount,
            currency: "VND".into(),
            status: Status::Paid,
            remark: None,
            occurred_at_unix: Some(now.unix()),
            memo: Some(note.to_owned()).filter(|note| !note.is_empty()),
            account: None,
            bank_reference: None,
            merchant: None,
            bill_ref: None,
        },
        raw: String::new(),
        received_at: now,
        payment_id: PaymentId::new(app.ids.next(now)),
    };
    app.desk
        .hand_in(arrival)
        .await
        .map_err(|_| PayError::Busy)?
        .ok_or(PayError::Busy)
}

async fn known_cash(app: &App, school: &SchoolId, form_token: &str) -> Result<bool, StoreError> {
    store::has_payment(&app.db, school, "cash", form_token).await
}
