//! Asking for a refund, and every step until it has ended.

use std::collections::BTreeSet;

use super::SEND_REFUND;
use super::rules::{Charge, DocumentState, Source, State, Step, Way, after};
use super::store::{self, Change, NewEvent, NewRow, Outgoing};
use crate::App;
use crate::ids::{BillId, Ids, MoveId, PaymentId, PupilId, RefundId, SchoolId};
use crate::jobs::{self, NewJob};
use crate::ledger::{self, EntryKind, Line, Posting, Side};
use crate::money::Vnd;
use crate::payments::INVOICE_REFUNDED;
use crate::payments::books::Channel;
use crate::payments::chart::Accounts;
use crate::payments::evidence_store::{self, EvidenceKind};
use crate::payments::moves::rules::{Lot, MoveKind, Place, draw, leave};
use crate::payments::moves::service::{lock, returning};
use crate::payments::moves::{self, MoveError, Order, Refusal};
use crate::store::{StoreError, Tx};

const NO_ACCOUNT: Refusal = Refusal::NoAccount("account.REFUND_PAYABLE");

/// Where the money comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Credit(PupilId),
    Suspense(PaymentId),
    BillLine(BillId, i64),
}

/// A refund to be asked for.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub from: From,
    pub amount: Vnd,
    pub way: Way,
    pub charge: Charge,
    pub payee: String,
    pub payee_account: Option<String>,
    pub reason: String,
    /// Token of the form: sent twice, asked for once.
    pub request: String,
    pub by: String,
}

#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    #[error(transparent)]
    Move(#[from] MoveError),
    #[error("no such refund")]
    NoRefund,
    /// A provider pays back one payment of its own.
    #[error("the money did not come in one payment of an intermediary")]
    NotOneProviderPayment,
    #[error("a refund in state {0} cannot do this")]
    NotNow(State),
    #[error("a reference is needed")]
    NoReference,
    #[error("this reference has paid another refund")]
    ReferenceUsed,
}

impl std::convert::From<StoreError> for RefundError {
    fn from(error: StoreError) -> Self {
        Self::Move(error.into())
    }
}

impl std::convert::From<Refusal> for RefundError {
    fn from(refusal: Refusal) -> Self {
        Self::Move(refusal.into())
    }
}

/// Asks for a refund: the money leaves its place at once and is owed to the payer.
///
/// # Errors
/// [`RefundError`]; nothing was changed.
pub async fn request(
    app: &App,
    school: &SchoolId,
    new: NewRefund,
) -> Result<RefundId, RefundError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day())
        .await
        .map_err(MoveError::from)?;
    let payable = accounts.refund_payable.clone().ok_or(NO_ACCOUNT)?;
    let refund_id = RefundId::new(app.ids.next(now));
    let (ids, school) = (app.ids.clone(), school.clone());
    let chain = app.chain.clone();
    let asked = app
        .db
        .write("refunds.request", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            if let Some((known, amount)) = store::by_request(tx, &school, &new.request).await? {
                return if amount == new.amount.get() {
                    Ok(known)
                } else {
                    Err(Refusal::FormUsed.into())
                };
            }
            let lots = lots_of(tx, &school, &new.from).await?;
            let pieces = leave(draw(&lots, new.amount).map_err(MoveError::from)?);
            let payments: BTreeSet<PaymentId> = pieces
                .iter()
                .map(|piece| piece.payment_id.clone())
                .collect();
            let only = match payments.first() {
                Some(payment) if payments.len() == 1 => Some(payment.clone()),
                _ => None,
            };
            if new.way == Way::Provider {
                let facts = match &only {
                    Some(payment) => moves::store::payment(tx, &school, payment).await?,
                    None => None,
                };
                if !facts.is_some_and(|facts| {
                    matches!(facts.channel, Channel::Gateway | Channel::Wallet)
                }) {
                    return Err(RefundError::NotOneProviderPayment);
                }
            }
            let order = Order {
                school_id: school.clone(),
                kind: MoveKind::Refund,
                request: new.request.clone(),
                reason: new.reason.clone(),
                made_by: new.by.clone(),
                made_at: now,
                pieces,
                chart: accounts.chart.clone(),
                gone: payable.clone(),
                reverses: None,
                charge_falls: falls(&new),
            };
            let moved = moves::apply(tx, &ids, &mut heads, &order)
                .await
                .map_err(MoveError::from)?;
            for payment in &payments {
                evidence_store::note(
                    tx,
                    &school,
                    payment.as_str(),
                    evidence_store::Step::Reversed,
                    EvidenceKind::Accountant,
                    moved.move_id.as_str(),
                    now,
                )
                .await?;
            }
            let row = row_of(&school, &refund_id, &new, only, moved.move_id, now);
            store::insert(tx, &row).await?;
            let event = NewEvent {
                from: None,
                to: State::Requested,
                detail: new.reason.clone(),
                by: new.by.clone(),
                at: now,
            };
            store::insert_event(tx, &school, &refund_id, &event).await?;
            if new.way == Way::Provider {
                let job = NewJob {
                    school_id: school.clone(),
                    kind: SEND_REFUND,
                    subject: refund_id.to_string(),
                    run_at: now,
                };
                jobs::enqueue(tx, &ids, &[job], now).await?;
            }
            Ok(refund_id.clone())
        })
        .await?;
    app.wake.now();
    Ok(asked)
}

fn falls(new: &NewRefund) -> bool {
    new.charge == Charge::Falls && matches!(new.from, From::BillLine(..))
}

fn row_of(
    school: &SchoolId,
    refund_id: &RefundId,
    new: &NewRefund,
    payment_id: Option<PaymentId>,
    move_id: MoveId,
    now: crate::clock::Instant,
) -> NewRow {
    let (source, pupil_id, bill_id, line_no) = match &new.from {
        From::Credit(pupil) => (Source::Credit, Some(pupil.clone()), None, None),
        From::Suspense(_) => (Source::Suspense, None, None, None),
        From::BillLine(bill, line_no) => {
            (Source::BillLine, None, Some(bill.clone()), Some(*line_no))
        }
    };
    NewRow {
        school_id: school.clone(),
        refund_id: refund_id.clone(),
        request: new.request.clone(),
        source,
        pupil_id,
        bill_id,
        line_no,
        payment_id,
        amount: new.amount,
        way: new.way,
        charge: if falls(new) {
            Charge::Falls
        } else {
            Charge::Stays
        },
        payee: new.payee.clone(),
        payee_account: new.payee_account.clone(),
        reason: new.reason.clone(),
        move_id,
        requested_by: new.by.clone(),
        requested_at: now,
    }
}

async fn lots_of(tx: &mut Tx, school: &SchoolId, from: &From) -> Result<Vec<Lot>, StoreError> {
    match from {
        From::Credit(pupil) => moves::store::lots_of_credit(tx, school, pupil).await,
        From::BillLine(bill, line_no) => {
            moves::store::lots_of_line(tx, school, bill, *line_no).await
        }
        From::Suspense(payment) => {
            let mut lots = moves::store::lots_of_payment(tx, school, payment).await?;
            lots.retain(|lot| lot.place == Place::Suspense);
            Ok(lots)
        }
    }
}

/// What is reported about a refund.
#[derive(Clone, Debug)]
pub struct Report {
    pub step: Step,
    /// Voucher, bank transaction or the provider's number; what is paid needs one.
    pub reference: Option<String>,
    /// For people: what was answered, why it failed, how it was found out.
    pub detail: String,
    pub by: String,
}

/// Takes a refund one step on. The same step reported again changes nothing.
///
/// # Errors
/// [`RefundError`]; nothing was changed.
pub async fn advance(
    app: &App,
    school: &SchoolId,
    refund: &RefundId,
    report: Report,
) -> Result<State, RefundError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day())
        .await
        .map_err(MoveError::from)?;
    let payable = accounts.refund_payable.clone().ok_or(NO_ACCOUNT)?;
    let (ids, school, refund) = (app.ids.clone(), school.clone(), refund.clone());
    let chain = app.chain.clone();
    let state = app
        .db
        .write("refunds.advance", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            let found = store::locked(tx, &school, &refund)
                .await?
                .ok_or(RefundError::NoRefund)?;
            let Some(to) = after(found.state, report.step) else {
                let reached = match report.step {
                    Step::Send => State::Sent,
                    Step::Paid => State::Done,
                    Step::Fail => State::Failed,
                    Step::LoseSight => State::Unknown,
                };
                return if found.state == reached {
                    Ok(reached)
                } else {
                    Err(RefundError::NotNow(found.state))
                };
            };
            let mut document = found.document;
            match to {
                State::Done => {
                    let reference = report
                        .reference
                        .as_deref()
                        .or(found.reference.as_deref())
                        .ok_or(RefundError::NoReference)?;
                    if store::reference_used(tx, &school, &refund, found.way, reference).await? {
                        return Err(RefundError::ReferenceUsed);
                    }
                    let posting = paid_out(&school, &found, &accounts, &payable, now)?;
                    ledger::append(tx, &mut heads, &[posting]).await?;
                    if found.source == Source::BillLine {
                        document = DocumentState::Waiting;
                        tell_invoices(tx, &ids, &school, &found.move_id, now).await?;
                    }
                }
                State::Failed => {
                    let charge_falls = found.charge == Charge::Falls;
                    let order = Order {
                        school_id: school.clone(),
                        kind: MoveKind::RefundCancelled,
                        request: refund.to_string(),
                        reason: report.detail.clone(),
                        made_by: report.by.clone(),
                        made_at: now,
                        pieces: returning(tx, &school, &found.move_id, charge_falls).await?,
                        chart: accounts.chart.clone(),
                        gone: payable.clone(),
                        reverses: store::entry_of(tx, &school, &found.move_id).await?,
                        charge_falls,
                    };
                    moves::apply(tx, &ids, &mut heads, &order)
                        .await
                        .map_err(MoveError::from)?;
                }
                State::Requested | State::Sent | State::Unknown => {}
            }
            let change = Change {
                from: found.state,
                to,
                document,
                reference: report.reference.clone(),
                at: now,
            };
            if !store::change(tx, &school, &refund, &change).await? {
                return Err(StoreError::Contradiction(format!(
                    "refund {refund} changed under the lock of its school"
                ))
                .into());
            }
            let event = NewEvent {
                from: Some(found.state),
                to,
                detail: report.detail.clone(),
                by: report.by.clone(),
                at: now,
            };
            store::insert_event(tx, &school, &refund, &event).await?;
            Ok::<_, RefundError>(to)
        })
        .await?;
    app.wake.now();
    Ok(state)
}

fn paid_out(
    school: &SchoolId,
    found: &store::Refund,
    accounts: &Accounts,
    payable: &str,
    now: crate::clock::Instant,
) -> Result<Posting, MoveError> {
    let from = match found.way {
        Way::Cash => &accounts.chart.cash,
        Way::BankTransfer => &accounts.chart.bank,
        // The intermediary keeps it from what it still has to pay out.
        Way::Provider => &accounts.chart.in_transit,
    };
    let line = |account: &str, side| Line {
        account: account.to_owned(),
        side,
        amount: found.amount,
        object: None,
    };
    Ok(Posting::new(
        school.clone(),
        EntryKind::RefundPaid,
        found.refund_id.as_str(),
        now.day(),
        now,
        vec![line(payable, Side::Debit), line(from, Side::Credit)],
    )?)
}

async fn tell_invoices(
    tx: &mut Tx,
    ids: &Ids,
    school: &SchoolId,
    of: &MoveId,
    now: crate::clock::Instant,
) -> Result<(), StoreError> {
    let job = NewJob {
        school_id: school.clone(),
        kind: INVOICE_REFUNDED,
        subject: of.to_string(),
        run_at: now,
    };
    jobs::enqueue(tx, ids, &[job], now).await
}

/// Invoices report how the negative adjustment of a movement ended: `Ok` with its number, or with a
/// word that none was needed; `Err` with what a person must know. Answers whether a refund waited
/// for it; a movement without a refund, such as a reversal, is no refund's document.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn documented(
    app: &App,
    school: &SchoolId,
    of: &MoveId,
    outcome: Result<String, String>,
) -> Result<bool, StoreError> {
    let (school, of) = (school.clone(), of.clone());
    let (to, note) = match outcome {
        Ok(note) => (DocumentState::Done, note),
        Err(problem) => (DocumentState::Failed, problem),
    };
    app.db
        .write("refunds.documented", async move |tx: &mut Tx| {
            store::put_document(tx, &school, &of, to, &note).await
        })
        .await
}

/// What a provider is asked to pay back; nothing when the refund is none of a provider.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn outgoing(
    app: &App,
    school: &SchoolId,
    refund: &RefundId,
) -> Result<Option<Outgoing>, StoreError> {
    store::outgoing(&app.db, school, refund).await
}
