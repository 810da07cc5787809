//! Use cases around posting: starting a checkout, taking cash.

use hocphi_adapters::contract::{Checkout, Errand, Fault, Notice, Order, Settlement, Status};

use super::books::{Arrival, Channel, Receipt, Target};
use super::connections::ConnectionError;
use super::evidence_store::{self, EvidenceKind, Step};
use super::store::{self, NewAttempt};
use crate::App;
use crate::fees;
use crate::ids::{AttemptId, BillId, ConnectionId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx};

/// How long a payer may take on the provider's page. Money that comes later is taken all the same.
const CHECKOUT_TTL_MINUTES: i64 = 15;

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
    #[error("provider wants a server-to-server start, which this version does not send")]
    Unsupported,
}

/// Where to send the payer's browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub redirect: String,
}

/// Starts paying what is open of a bill through a provider; prices the bill for today first.
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
    let attempt_id = AttemptId::new(app.ids.next(now));
    // Short enough for every provider, unique by chance, readable beside the bill code.
    let suffix: String = app.ids.token().chars().take(8).collect();
    let (key, school, id) = (
        key.to_owned(),
        connection.school_id.clone(),
        connection_id.clone(),
    );
    let (attempt, bill_code) = app
        .db
        .write("payments.checkout", async move |tx: &mut Tx| {
            let bill = store::payable_bill(tx, &key)
                .await?
                .ok_or(PayError::NoBill)?;
            if bill.school_id != school {
                return Err(PayError::NoConnection);
            }
            let priced = (school.clone(), bill.bill_id.clone());
            fees::service::reprice(tx, &[priced], now.day()).await?;
            let bill = store::payable_bill(tx, &key)
                .await?
                .ok_or(PayError::NoBill)?;
            let amount = bill.amount_due - bill.amount_paid;
            if bill.state == "CANCELLED" || !amount.is_positive() {
                return Err(PayError::NothingDue);
            }
            let attempt = NewAttempt {
                school_id: school.clone(),
                attempt_id: attempt_id.clone(),
                connection_id: id.clone(),
                order_ref: format!("{}-{suffix}", bill.bill_code),
                bill_id: bill.bill_id,
                amount,
                created_at: now,
                expires_at: now.plus_seconds(CHECKOUT_TTL_MINUTES * 60),
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
            Ok((attempt, bill.bill_code))
        })
        .await?;
    let order = Order {
        order_ref: attempt.order_ref,
        amount: attempt.amount,
        description: format!("Thanh toan phieu thu {bill_code}"),
        created_at_unix: attempt.created_at.unix(),
        expires_at_unix: attempt.expires_at.unix(),
        payer_ip: payer_ip.to_owned(),
        return_url: format!(
            "{}/return/{}/{connection_id}",
            app.public_url, connection.provider
        ),
        notice_url: format!(
            "{}/notices/{}/{connection_id}",
            app.public_url, connection.provider
        ),
    };
    tracing::info!(attempt.id = %attempt.attempt_id, provider = connection.provider, "checkout started");
    match connection.adapter.checkout(
        &Errand::starting(&order, attempt.attempt_id.as_str()),
        &connection.credentials,
    )? {
        Checkout::Redirect(redirect) => Ok(Started { redirect }),
        Checkout::Form { .. } | Checkout::Send(_) => Err(PayError::Unsupported),
    }
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
