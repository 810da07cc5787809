//! Use cases of moving money: undoing a payment, giving parked money an owner, using credit, noting a
//! settlement. Each is safe to repeat and safe beside others: the school's ledger head is locked
//! first, and what is asked for twice is answered as the first time.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{ApplyError, Moved, Order, apply};
use super::rules::{MoveKind, Obstacle, Piece, Place, come_back, draw, fit, lay_down, take_back};
use super::store::{self, PaymentFacts, SettlementRow};
use crate::App;
use crate::clock::{Day, Instant};
use crate::fees;
use crate::fees::bill_code::BillCode;
use crate::ids::{BillId, MoveId, PaymentId, SchoolId};
use crate::ledger::{self, ChainKeys, EntryKind, Heads, Line, Posting, PostingError, Side};
use crate::money::Vnd;
use crate::payments::books::{Channel, Chart, Snapshot};
use crate::payments::chart::{Accounts, ChartError};
use crate::payments::evidence_store::{self, EvidenceKind, Step};
use crate::payments::snapshot;
use crate::payments::spread::{Destination, Part, spread};
use crate::store::{StoreError, Tx};

#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Chart(#[from] ChartError),
    #[error(transparent)]
    Posting(#[from] PostingError),
    #[error("bills cannot be priced: {0}")]
    Pricing(#[from] fees::service::FeeError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<ApplyError> for MoveError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => Self::Store(error),
            ApplyError::Posting(error) => Self::Posting(error),
        }
    }
}

impl From<Obstacle> for MoveError {
    fn from(obstacle: Obstacle) -> Self {
        Self::Refused(Refusal::Obstacle(obstacle))
    }
}

/// Why money was not moved; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Obstacle(Obstacle),
    #[error("no such payment")]
    NoPayment,
    #[error("no such bill of this school: {0}")]
    NoBill(String),
    #[error("no such pupil of this school: {0}")]
    NoPupil(String),
    /// Somebody else was first.
    #[error("dealt with already by {by:?}")]
    Resolved {
        by: Option<String>,
        at: Option<Instant>,
    },
    #[error("nothing is open there")]
    NothingOpen,
    #[error("there is no credit")]
    NoCredit,
    #[error("the form was used before for another amount")]
    FormUsed,
    #[error("the payment is on the school's account already")]
    SettledBefore,
    #[error("the line settles {expected}, not {given}")]
    SettlesAnother { expected: Vnd, given: Vnd },
    /// Of a decision: undoing the payment is what remains.
    #[error("the second notice cannot be booked")]
    SecondUnusable,
    #[error("the parameter {0} is not set for this school")]
    NoAccount(&'static str),
}

/// Who asks for a movement, and why.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Token of a form: the same form moves money once.
    pub request: String,
    pub by: String,
    pub reason: String,
}

/// Undoes a payment, in whole (`amount` none: all that is left of it) or in part. Bills open again.
/// `also_used` takes credit back even where it has meanwhile settled another bill.
///
/// # Errors
/// [`MoveError`]; nothing was changed.
pub async fn undo_payment(
    app: &App,
    school: &SchoolId,
    payment: &PaymentId,
    amount: Option<Vnd>,
    also_used: bool,
    asked: Asked,
) -> Result<Moved, MoveError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day()).await?;
    let (ids, school, payment) = (app.ids.clone(), school.clone(), payment.clone());
    let chain = app.chain.clone();
    let moved = app
        .db
        .write("payments.undo", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            if let Some(moved) =
                before(tx, &school, MoveKind::TakenBack, &asked.request, amount).await?
            {
                return Ok(moved);
            }
            let facts = store::payment(tx, &school, &payment)
                .await?
                .ok_or(Refusal::NoPayment)?;
            let back = amount.unwrap_or(facts.amount - facts.taken_back);
            let order = taking_back(
                tx,
                &school,
                &facts,
                back,
                also_used,
                &accounts.chart,
                &asked,
                now,
            )
            .await?;
            let moved = apply(tx, &ids, &mut heads, &order).await?;
            evidence_store::note(
                tx,
                &school,
                facts.payment_id.as_str(),
                Step::Reversed,
                EvidenceKind::Accountant,
                moved.move_id.as_str(),
                now,
            )
            .await?;
            Ok::<_, MoveError>(moved)
        })
        .await?;
    app.wake.now();
    Ok(moved)
}

/// The order that takes `amount` of a payment back.
#[expect(
    clippy::too_many_arguments,
    reason = "two callers, each with all of them at hand"
)]
pub(crate) async fn taking_back(
    tx: &mut Tx,
    school: &SchoolId,
    facts: &PaymentFacts,
    amount: Vnd,
    also_used: bool,
    chart: &Chart,
    asked: &Asked,
    now: Instant,
) -> Result<Order, MoveError> {
    let lots = store::lots_of_payment(tx, school, &facts.payment_id).await?;
    let pieces = take_back(&lots, amount, also_used)?;
    let gone = match facts.channel {
        Channel::Cash => &chart.cash,
        Channel::BankTransfer => &chart.bank,
        // The intermediary keeps it from what it still has to pay out.
        Channel::Gateway | Channel::Wallet => &chart.in_transit,
    };
    Ok(Order {
        school_id: school.clone(),
        kind: MoveKind::TakenBack,
        request: asked.request.clone(),
        reason: asked.reason.clone(),
        made_by: asked.by.clone(),
        made_at: now,
        pieces,
        chart: chart.clone(),
        gone: gone.clone(),
        reverses: facts.entry_seq,
        charge_falls: false,
    })
}

/// Whose parked money is.
#[derive(Clone, Debug)]
pub enum Owner {
    /// Bill codes; they take what they need in this order, the rest is credit of the first one's pupil.
    Bills(Vec<String>),
    /// A pupil's code: everything becomes credit.
    Pupil(String),
}

/// Gives parked money an owner. Of two who do so at once one succeeds.
///
/// # Errors
/// [`MoveError`]; nothing was changed.
pub async fn assign_suspense(
    app: &App,
    school: &SchoolId,
    payment: &PaymentId,
    owner: Owner,
    asked: Asked,
) -> Result<Moved, MoveError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day()).await?;
    let (ids, school, payment) = (app.ids.clone(), school.clone(), payment.clone());
    let chain = app.chain.clone();
    let moved = app
        .db
        .write("payments.assign_suspense", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            let kind = MoveKind::SuspenseAssigned;
            if let Some(moved) = before(tx, &school, kind, &asked.request, None).await? {
                return Ok(moved);
            }
            let parked = store::suspense(tx, &school, &payment)
                .await?
                .ok_or(Refusal::NoPayment)?;
            if parked.state != "OPEN" {
                return Err(Refusal::Resolved {
                    by: parked.resolved_by,
                    at: parked.resolved_at,
                }
                .into());
            }
            let facts = store::payment(tx, &school, &payment)
                .await?
                .ok_or(Refusal::NoPayment)?;
            let lots: Vec<_> = store::lots_of_payment(tx, &school, &payment)
                .await?
                .into_iter()
                .filter(|lot| lot.place == Place::Suspense)
                .collect();
            let amount: Vnd = lots.iter().map(|lot| lot.left).sum();
            let parts = match &owner {
                Owner::Pupil(code) => {
                    let pupil = store::pupil_by_code(tx, &school, code)
                        .await?
                        .ok_or_else(|| Refusal::NoPupil(code.clone()))?;
                    vec![Part::Credit(pupil, amount)]
                }
                Owner::Bills(codes) => {
                    let bills = bills_of(tx, &school, codes).await?;
                    parts_on_bills(tx, &school, bills, facts.paid_day, amount).await?
                }
            };
            let order = Order {
                school_id: school.clone(),
                kind,
                request: asked.request.clone(),
                reason: asked.reason.clone(),
                made_by: asked.by.clone(),
                made_at: now,
                pieces: lay_down(draw(&lots, amount)?, parts),
                chart: accounts.chart.clone(),
                gone: accounts.chart.suspense.clone(),
                reverses: None,
                charge_falls: false,
            };
            Ok::<_, MoveError>(apply(tx, &ids, &mut heads, &order).await?)
        })
        .await?;
    app.wake.now();
    Ok(moved)
}

/// Uses credit of the bill's pupil for the bill: `amount`, or as much as there is and is open.
///
/// # Errors
/// [`MoveError`]; nothing was changed.
pub async fn use_credit(
    app: &App,
    school: &SchoolId,
    bill: &BillId,
    amount: Option<Vnd>,
    asked: Asked,
) -> Result<Moved, MoveError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day()).await?;
    let (ids, school, bill) = (app.ids.clone(), school.clone(), bill.clone());
    let chain = app.chain.clone();
    let moved = app
        .db
        .write("payments.use_credit", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            let kind = MoveKind::CreditUsed;
            if let Some(moved) = before(tx, &school, kind, &asked.request, amount).await? {
                return Ok(moved);
            }
            let named = [(school.clone(), bill.clone())];
            fees::service::reprice(tx, &named, now.day()).await?;
            let mut books = Snapshot::default();
            snapshot::read_bills(tx, &BTreeSet::from(named), &mut books).await?;
            let view = books
                .bills
                .get(&bill)
                .ok_or_else(|| Refusal::NoBill(bill.to_string()))?;
            let open = view.outstanding();
            if view.cancelled || !open.is_positive() {
                return Err(Refusal::NothingOpen.into());
            }
            let lots = store::lots_of_credit(tx, &school, &view.pupil_id).await?;
            let held: Vnd = lots.iter().map(|lot| lot.left).sum();
            if !held.is_positive() {
                return Err(Refusal::NoCredit.into());
            }
            let wanted = amount.unwrap_or(held.min(open));
            if wanted > held.min(open) || !wanted.is_positive() {
                let held = held.min(open);
                return Err(Refusal::Obstacle(Obstacle::MoreThanHeld { held }).into());
            }
            let mut parts = spread(&books, &Destination::Bills(vec![bill.clone()]), wanted);
            // What only voluntary lines would take stays credit: nobody asked for those.
            parts.retain(|part| matches!(part, Part::Line { .. }));
            let used: Vnd = parts.iter().map(Part::amount).sum();
            if !used.is_positive() {
                return Err(Refusal::NothingOpen.into());
            }
            let order = Order {
                school_id: school.clone(),
                kind,
                request: asked.request.clone(),
                reason: asked.reason.clone(),
                made_by: asked.by.clone(),
                made_at: now,
                pieces: lay_down(draw(&lots, used)?, parts),
                chart: accounts.chart.clone(),
                gone: accounts.chart.suspense.clone(),
                reverses: None,
                charge_falls: false,
            };
            Ok::<_, MoveError>(apply(tx, &ids, &mut heads, &order).await?)
        })
        .await?;
    app.wake.now();
    Ok(moved)
}

/// An intermediary's line about one payment.
#[derive(Clone, Debug)]
pub struct SettlementLine {
    /// The intermediary's own number of the line; noted once.
    pub reference: String,
    /// What the payer gave, before the intermediary's fee.
    pub gross: Vnd,
    /// Borne by the school.
    pub fee: Vnd,
    /// When it reached the school's account.
    pub day: Day,
}

/// Notes that an intermediary paid a payment out to the school: confirmed money is settled. Answers
/// whether it was new.
///
/// # Errors
/// [`MoveError`]; nothing was changed.
pub async fn settle(
    app: &App,
    school: &SchoolId,
    payment: &PaymentId,
    line: SettlementLine,
    by: &str,
) -> Result<bool, MoveError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day()).await?;
    let chain = app.chain.clone();
    let (school, payment, by) = (school.clone(), payment.clone(), by.to_owned());
    app.db
        .write("payments.settle", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            let facts = store::payment(tx, &school, &payment)
                .await?
                .ok_or(Refusal::NoPayment)?;
            let noted = store::settlement(tx, &school, &facts.provider, &line.reference).await?;
            if let Some((of, gross, fee)) = noted {
                let same = of == payment && gross == line.gross.get() && fee == line.fee.get();
                return if same {
                    Ok(false)
                } else {
                    Err(Refusal::FormUsed.into())
                };
            }
            // A refund before the pay-out is netted by some and listed apart by others.
            let left = facts.amount - facts.taken_back;
            if line.gross != facts.amount && line.gross != left {
                return Err(Refusal::SettlesAnother {
                    expected: facts.amount,
                    given: line.gross,
                }
                .into());
            }
            if line.fee.is_negative() || line.fee > line.gross || !line.gross.is_positive() {
                return Err(Refusal::SettlesAnother {
                    expected: facts.amount,
                    given: line.fee,
                }
                .into());
            }
            let posting = settlement_entry(&school, &payment, &line, &accounts, now)?;
            if !store::mark_settled(tx, &school, &payment).await? {
                return Err(Refusal::SettledBefore.into());
            }
            let row = SettlementRow {
                school_id: school.clone(),
                provider: facts.provider.clone(),
                reference: line.reference.clone(),
                payment_id: payment.clone(),
                gross: line.gross,
                fee: line.fee,
                settled_day: line.day,
                noted_by: by.clone(),
                noted_at: now,
            };
            if !store::insert_settlement(tx, &row).await? {
                return Err(Refusal::SettledBefore.into());
            }
            ledger::append(tx, &mut heads, &[posting]).await?;
            evidence_store::note(
                tx,
                &school,
                payment.as_str(),
                Step::Settled,
                EvidenceKind::SettlementLine,
                &line.reference,
                now,
            )
            .await?;
            Ok(true)
        })
        .await
}

fn settlement_entry(
    school: &SchoolId,
    payment: &PaymentId,
    line: &SettlementLine,
    accounts: &Accounts,
    now: Instant,
) -> Result<Posting, MoveError> {
    let entry = |account: &str, side, amount| Line {
        account: account.to_owned(),
        side,
        amount,
        object: None,
    };
    let mut lines = vec![entry(&accounts.chart.in_transit, Side::Credit, line.gross)];
    let net = line.gross - line.fee;
    if net.is_positive() {
        lines.push(entry(&accounts.chart.bank, Side::Debit, net));
    }
    if line.fee.is_positive() {
        let account = accounts
            .provider_fee
            .as_deref()
            .ok_or(Refusal::NoAccount("account.PROVIDER_FEE"))?;
        lines.push(entry(account, Side::Debit, line.fee));
    }
    Ok(Posting::new(
        school.clone(),
        EntryKind::PaymentSettled,
        payment.as_str(),
        now.day(),
        now,
        lines,
    )?)
}

/// What comes back when a movement that left the school is called off. Unless the charge comes back
/// with it, lines take what is still open of them and the rest is credit.
pub(crate) async fn returning(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
    charge_returns: bool,
) -> Result<Vec<Piece>, MoveError> {
    let back = come_back(&store::pieces_out(tx, school, of).await?);
    let bills: BTreeSet<(SchoolId, BillId)> = back
        .iter()
        .filter_map(|piece| match &piece.to {
            Place::Line { bill_id, .. } => Some((school.clone(), bill_id.clone())),
            Place::Credit(_) | Place::Suspense | Place::Gone => None,
        })
        .collect();
    if charge_returns || bills.is_empty() {
        return Ok(back);
    }
    let mut books = Snapshot::default();
    snapshot::read_bills(tx, &bills, &mut books).await?;
    let mut room = BTreeMap::new();
    for bill in books.bills.into_values() {
        for line in bill.lines {
            let open = if bill.cancelled {
                Vnd::ZERO
            } else {
                line.amount_due - line.amount_paid
            };
            room.insert(
                (bill.bill_id.clone(), line.line_no),
                (open, bill.pupil_id.clone()),
            );
        }
    }
    Ok(fit(back, &room))
}

/// Locks the school's books for the rest of the transaction.
pub(crate) async fn lock(
    tx: &mut Tx,
    chain: &ChainKeys,
    school: &SchoolId,
) -> Result<Heads, StoreError> {
    tx.join_by_index().await?;
    ledger::lock_heads(tx, chain, std::slice::from_ref(school)).await
}

/// The movement a request made earlier.
pub(crate) async fn before(
    tx: &mut Tx,
    school: &SchoolId,
    kind: MoveKind,
    request: &str,
    amount: Option<Vnd>,
) -> Result<Option<Moved>, MoveError> {
    let Some((move_id, moved)) = store::known(tx, school, kind, request).await? else {
        return Ok(None);
    };
    let moved = Vnd::new(moved);
    if amount.is_some_and(|amount| amount != moved) {
        return Err(Refusal::FormUsed.into());
    }
    Ok(Some(Moved {
        move_id,
        amount: moved,
        again: true,
    }))
}

async fn bills_of(
    tx: &mut Tx,
    school: &SchoolId,
    codes: &[String],
) -> Result<Vec<BillId>, MoveError> {
    let spelled: Vec<String> = codes
        .iter()
        .map(|typed| {
            BillCode::parse(typed).map_or_else(|_| typed.clone(), |code| code.as_str().to_owned())
        })
        .collect();
    let found: BTreeMap<String, BillId> = store::bills_named(tx, school, &spelled)
        .await?
        .into_iter()
        .collect();
    let mut bills = Vec::new();
    for name in &spelled {
        let bill = found
            .get(name)
            .ok_or_else(|| Refusal::NoBill(name.clone()))?;
        if !bills.contains(bill) {
            bills.push(bill.clone());
        }
    }
    if bills.is_empty() {
        return Err(Refusal::NoBill(String::new()).into());
    }
    Ok(bills)
}

async fn parts_on_bills(
    tx: &mut Tx,
    school: &SchoolId,
    bills: Vec<BillId>,
    paid_on: Day,
    amount: Vnd,
) -> Result<Vec<Part>, MoveError> {
    let named: Vec<(SchoolId, BillId)> = bills
        .iter()
        .map(|bill| (school.clone(), bill.clone()))
        .collect();
    fees::service::reprice(tx, &named, paid_on).await?;
    let mut books = Snapshot::default();
    snapshot::read_bills(tx, &named.into_iter().collect(), &mut books).await?;
    let parts = spread(&books, &Destination::Bills(bills), amount);
    let settles = parts.iter().any(|part| matches!(part, Part::Line { .. }));
    if settles {
        Ok(parts)
    } else {
        Err(Refusal::NothingOpen.into())
    }
}
