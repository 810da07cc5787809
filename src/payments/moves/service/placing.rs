//! Giving parked money an owner, and using credit.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, MoveError, Refusal, before, lock};
use crate::App;
use crate::clock::Day;
use crate::fees;
use crate::fees::bill_code::BillCode;
use crate::ids::{BillId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::payments::books::Snapshot;
use crate::payments::chart::Accounts;
use crate::payments::moves::apply::{Moved, Order, apply};
use crate::payments::moves::rules::{MoveKind, Obstacle, Place, draw, lay_down};
use crate::payments::moves::store;
use crate::payments::snapshot;
use crate::payments::spread::{Destination, Part, spread};
use crate::store::Tx;

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
