//! Undoing a payment.

use super::{Asked, MoveError, Refusal, before, lock};
use crate::App;
use crate::clock::Instant;
use crate::ids::{PaymentId, SchoolId};
use crate::money::Vnd;
use crate::payments::books::{Channel, Chart};
use crate::payments::chart::Accounts;
use crate::payments::evidence_store::{self, EvidenceKind, Step};
use crate::payments::moves::apply::{Moved, Order, apply};
use crate::payments::moves::rules::{MoveKind, take_back};
use crate::payments::moves::store::{self, PaymentFacts};
use crate::store::Tx;

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
