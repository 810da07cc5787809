//! Money taken back by a notice, items for people, and what people decide.

use std::collections::HashMap;

use super::correct::second_holds;
use super::rules::{Originals, ReviewKind, Verdict, Why, amount_taken, original};
use super::store::{self, NewItem};
use crate::App;
use crate::clock::Instant;
use crate::ids::{Ids, MoveId, PaymentId, ReviewId, SchoolId};
use crate::jobs::{self, NewJob};
use crate::ledger::Heads;
use crate::payments::books::{Arrival, Chart, Plan, Target};
use crate::payments::chart::Accounts;
use crate::payments::evidence_store::{self, EvidenceKind, Step};
use crate::payments::moves::rules::MoveKind;
use crate::payments::moves::service::{Asked, before, lock, taking_back};
use crate::payments::moves::{self, MoveError, Refusal};
use crate::payments::rules::{fingerprint, notice_key};
use crate::store::Tx;

/// The job that tells a refund that its provider confirmed it; `refunds` owns its handler. The
/// subject is the movement of the refund.
pub const REFUND_CONFIRMED: &str = "refund.confirmed";

/// After a batch was posted: takes back what its notices take back, and writes what people must see.
/// The schools' heads are locked.
pub(in crate::payments) async fn follow(
    tx: &mut Tx,
    ids: &Ids,
    plan: &Plan,
    arrivals: &[Arrival],
    charts: &HashMap<SchoolId, Chart>,
    heads: &mut Heads,
    now: Instant,
) -> Result<(), MoveError> {
    let mut items = Vec::new();
    for conflict in &plan.conflicts {
        let arrival = &arrivals[conflict.arrival];
        items.push(NewItem::of(
            ids,
            now,
            ReviewKind::NoticeConflict,
            arrival,
            conflict.key.2.clone(),
            conflict.fingerprint.clone(),
            Why::OtherMeaning,
            conflict.payment_id.clone(),
        ));
    }
    for place in &plan.reversals {
        let arrival = &arrivals[*place];
        if let Err((why, payment)) = reverse(tx, ids, arrival, charts, heads, now).await? {
            items.push(NewItem::of(
                ids,
                now,
                ReviewKind::Reversal,
                arrival,
                notice_key(arrival).2,
                fingerprint(&arrival.notice),
                why,
                payment,
            ));
        }
    }
    Ok(store::insert(tx, items, now).await?)
}

type Unclear = (Why, Option<PaymentId>);

async fn reverse(
    tx: &mut Tx,
    ids: &Ids,
    arrival: &Arrival,
    charts: &HashMap<SchoolId, Chart>,
    heads: &mut Heads,
    now: Instant,
) -> Result<Result<(), Unclear>, MoveError> {
    let school = &arrival.school_id;
    let found = originals(tx, arrival).await?;
    let payment = match original(&found) {
        Ok(payment) => payment,
        Err(unclear) => return Ok(Err(unclear)),
    };
    let amount = match amount_taken(arrival.notice.amount) {
        Ok(amount) => amount,
        Err(why) => return Ok(Err((why, Some(payment)))),
    };
    // The provider's word on a refund that we asked for: the money has left its place already.
    if let Some(refund) = store::own_refund(tx, school, &payment, amount).await? {
        let job = NewJob {
            school_id: school.clone(),
            kind: REFUND_CONFIRMED,
            subject: refund.to_string(),
            run_at: now,
        };
        jobs::enqueue(tx, ids, &[job], now).await?;
        return Ok(Ok(()));
    }
    let chart = charts.get(school).ok_or(Refusal::NoAccount("account.*"))?;
    let facts = moves::store::payment(tx, school, &payment)
        .await?
        .ok_or(Refusal::NoPayment)?;
    let key = notice_key(arrival).2;
    let asked = Asked {
        request: format!("{}:{key}", arrival.provider),
        by: arrival.provider.clone(),
        reason: arrival.notice.memo.clone().unwrap_or_default(),
    };
    let order = match taking_back(tx, school, &facts, amount, false, chart, &asked, now).await {
        Ok(order) => order,
        Err(MoveError::Refused(Refusal::Obstacle(obstacle))) => {
            return Ok(Err((Why::from(&obstacle), Some(payment))));
        }
        Err(error) => return Err(error),
    };
    moves::apply(tx, ids, heads, &order).await?;
    evidence_store::note(
        tx,
        school,
        payment.as_str(),
        Step::Reversed,
        EvidenceKind::ProviderNotice,
        &key,
        now,
    )
    .await?;
    Ok(Ok(()))
}

async fn originals(tx: &mut Tx, arrival: &Arrival) -> Result<Originals, MoveError> {
    let (school, provider) = (&arrival.school_id, &arrival.provider);
    let mut found = Originals::default();
    if let Some(transaction) = &arrival.notice.transaction_id {
        found.by_transaction = store::by_transaction(tx, school, provider, transaction).await?;
    }
    if found.by_transaction.is_none()
        && let Some(order_ref) = &arrival.notice.order_ref
    {
        found.by_order = store::by_order(tx, school, provider, order_ref).await?;
    }
    if let Target::Codes { codes, .. } = &arrival.target {
        found.by_memo = store::by_codes(tx, school, codes, arrival.notice.amount).await?;
    }
    Ok(found)
}

/// What a person decides about an item.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub verdict: Verdict,
    pub reason: String,
    pub by: String,
    /// Of a reversal: the payment that is meant.
    pub payment: Option<PaymentId>,
    /// Whether credit is taken back where it was used meanwhile.
    pub also_used: bool,
}

/// How a decision ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    Closed(Option<MoveId>),
    /// Somebody else had closed it; theirs stands.
    Before,
}

/// Closes an item, and does to the books what was decided: takes money back, or books what the second
/// notice said in the place of what the first did. One of two who decide at once succeeds.
///
/// # Errors
/// [`MoveError`]; the item stays open and nothing was changed.
pub async fn decide(
    app: &App,
    school: &SchoolId,
    review: &ReviewId,
    judgement: Judgement,
) -> Result<Decided, MoveError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day()).await?;
    let (ids, school, review) = (app.ids.clone(), school.clone(), review.clone());
    let books = app.clone();
    let chain = app.chain.clone();
    let decided = app
        .db
        .write("payments.decide", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            let item = store::open_item(tx, &school, &review).await?;
            let Some(item) = item else {
                return Ok(Decided::Before);
            };
            if !judgement.verdict.fits(item.kind) {
                return Err(Refusal::NoPayment.into());
            }
            let mut made = None;
            let mut judgement = judgement.clone();
            if judgement.verdict == Verdict::SecondHolds {
                let corrected = second_holds(
                    tx, &books, heads, &school, &review, &item, &judgement, &accounts, now,
                )
                .await?;
                made = corrected.undone;
                judgement.payment = corrected.payment;
            } else if judgement.verdict == Verdict::TakenBack {
                let payment = judgement
                    .payment
                    .clone()
                    .or(item.payment_id)
                    .ok_or(Refusal::NoPayment)?;
                let facts = moves::store::payment(tx, &school, &payment)
                    .await?
                    .ok_or(Refusal::NoPayment)?;
                let asked = Asked {
                    request: format!("{}:{}", item.provider, item.notice_key),
                    by: judgement.by.clone(),
                    reason: judgement.reason.clone(),
                };
                let amount = Some(item.amount).filter(|amount| amount.is_positive());
                let back = amount.unwrap_or(facts.amount - facts.taken_back);
                let known =
                    before(tx, &school, MoveKind::TakenBack, &asked.request, amount).await?;
                let moved = match known {
                    Some(moved) => moved,
                    None => {
                        let order = taking_back(
                            tx,
                            &school,
                            &facts,
                            back,
                            judgement.also_used,
                            &accounts.chart,
                            &asked,
                            now,
                        )
                        .await?;
                        moves::apply(tx, &ids, &mut heads, &order).await?
                    }
                };
                evidence_store::note(
                    tx,
                    &school,
                    payment.as_str(),
                    Step::Reversed,
                    EvidenceKind::ProviderNotice,
                    &item.notice_key,
                    now,
                )
                .await?;
                made = Some(moved.move_id);
            }
            let closed = store::close(tx, &school, &review, &judgement, made.as_ref(), now).await?;
            Ok::<_, MoveError>(if closed {
                Decided::Closed(made)
            } else {
                Decided::Before
            })
        })
        .await?;
    app.wake.now();
    Ok(decided)
}
