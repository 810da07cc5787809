//! The second meaning of a transaction was right: what the first one booked is undone, and the second
//! is booked as a payment of its own, in one transaction. Nothing of the first is rewritten.

use std::collections::{BTreeSet, HashMap};

use hocphi_adapters::contract::{Naming, Notice, Settlement, Status};

use super::service::Judgement;
use super::store::{self, OpenItem};
use crate::App;
use crate::clock::Instant;
use crate::ids::{MoveId, PaymentId, ReviewId, SchoolId};
use crate::ledger::Heads;
use crate::payments::books::Arrival;
use crate::payments::chart::{Accounts, Charts};
use crate::payments::evidence_store::{self, EvidenceKind, Step};
use crate::payments::moves::service::{Asked, taking_back};
use crate::payments::moves::{self, MoveError, Refusal};
use crate::payments::posting::{PostError, Poster, post_in};
use crate::payments::receive;
use crate::store::Tx;

/// What the correction left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Corrected {
    /// Undid the payment of the first meaning.
    pub undone: Option<MoveId>,
    /// The payment of the second meaning.
    pub payment: Option<PaymentId>,
}

/// Makes the books say what the second notice said. The school's head is locked in `heads`, which are
/// spent: the posting reads them anew.
///
/// # Errors
/// [`MoveError`]; nothing was changed. [`Refusal::SecondUnusable`] when the notice cannot be booked at
/// all, which leaves it to the person to undo the payment.
#[expect(
    clippy::too_many_arguments,
    reason = "one caller, with all of them at hand"
)]
pub(super) async fn second_holds(
    tx: &mut Tx,
    app: &App,
    mut heads: Heads,
    school: &SchoolId,
    review: &ReviewId,
    item: &OpenItem,
    judgement: &Judgement,
    accounts: &Accounts,
    now: Instant,
) -> Result<Corrected, MoveError> {
    let mut corrected = Corrected::default();
    let known = store::of_transaction(tx, school, &item.provider, &item.notice_key).await?;
    let standing = match known.last() {
        Some(payment) => Some(
            moves::store::payment(tx, school, payment)
                .await?
                .ok_or(Refusal::NoPayment)?,
        ),
        None => None,
    };
    let is_paid = item.status == Status::Paid.code() && item.transaction_id.is_some();
    // Neither meaning speaks of money that moved: the decision is all there is.
    if !is_paid && standing.is_none() {
        return Ok(corrected);
    }
    let usable = is_paid && item.currency == "VND" && item.amount.is_positive();
    if !usable {
        return Err(Refusal::SecondUnusable.into());
    }
    let origin = store::origin(tx, school, &item.provider, &item.notice_key)
        .await?
        .ok_or(Refusal::SecondUnusable)?;
    let channel = standing
        .as_ref()
        .map(|facts| facts.channel)
        .or(origin.channel)
        .ok_or(Refusal::SecondUnusable)?;
    if let Some(facts) = standing {
        let left = facts.amount - facts.taken_back;
        if left.is_positive() {
            let asked = Asked {
                request: format!("review:{review}"),
                by: judgement.by.clone(),
                reason: judgement.reason.clone(),
            };
            let (chart, also_used) = (&accounts.chart, judgement.also_used);
            let order =
                taking_back(tx, school, &facts, left, also_used, chart, &asked, now).await?;
            let moved = moves::apply(tx, &app.ids, &mut heads, &order).await?;
            evidence_store::note(
                tx,
                school,
                facts.payment_id.as_str(),
                Step::Reversed,
                EvidenceKind::Accountant,
                review.as_str(),
                now,
            )
            .await?;
            corrected.undone = Some(moved.move_id);
        }
    }
    // A number of its own beside the provider's: one movement of theirs, one standing payment of ours.
    let transaction = format!("{}/{}", item.notice_key, known.len() + 1);
    let notice = Notice {
        transaction_id: Some(transaction),
        order_ref: item.order_ref.clone(),
        amount: item.amount,
        currency: item.currency.clone(),
        status: Status::Paid,
        remark: None,
        bill_ref: None,
        occurred_at_unix: origin.occurred_at.map(Instant::unix),
        memo: item.memo.clone(),
        account: None,
        bank_reference: None,
        merchant: None,
    };
    let is_order = match &item.order_ref {
        Some(order_ref) => store::is_order(tx, school, order_ref).await?,
        None => false,
    };
    let naming = if is_order {
        Naming::Order
    } else {
        Naming::Memo
    };
    let payment_id = PaymentId::new(app.ids.next(now));
    let arrival = Arrival {
        school_id: school.clone(),
        connection_id: origin.connection_id,
        provider: item.provider.clone(),
        channel,
        // A person has judged that so much was paid for it, whatever was asked for.
        settlement: Settlement::Free,
        target: receive::target(naming, &notice),
        notice,
        raw: item.raw.clone(),
        received_at: item.received_at,
        payment_id: payment_id.clone(),
    };
    let poster = Poster {
        db: app.db.clone(),
        clock: app.clock.clone(),
        ids: app.ids.clone(),
        wake: app.wake.clone(),
        charts: Charts::default(),
        chain: app.chain.clone(),
    };
    drop(heads);
    let charts = HashMap::from([(school.clone(), accounts.chart.clone())]);
    let schools = BTreeSet::from([school.clone()]);
    let receipts = post_in(tx, &poster, &[arrival], &charts, &schools)
        .await
        .map_err(|error| match error {
            PostError::Store(error) => MoveError::Store(error),
            PostError::Pricing(error) => MoveError::Pricing(error),
            PostError::Reversal(error) => *error,
        })?;
    if receipts
        .iter()
        .any(|receipt| receipt.payment_id.as_ref() == Some(&payment_id))
    {
        corrected.payment = Some(payment_id);
        Ok(corrected)
    } else {
        Err(Refusal::SecondUnusable.into())
    }
}
