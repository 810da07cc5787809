//! What the provider says, well and badly.

use anyhow::{Result, ensure};
use hocphi_adapters::contract::Settlement;
use hocphi_sandbox::peer::{Outcome, RawRequest, RawResponse, Reading, faults};
use tokio::task::JoinSet;

use super::{Tried, must_be_open, must_be_paid, must_have_come, reports};
use crate::cli::conformance::scene::{AMOUNT, Order, Scene};

const DAY_SECONDS: i64 = 24 * 3600;

pub(super) async fn genuine(scene: &Scene) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let reading = scene.tell(&scene.paid(&order)).await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    if order.is_scanned {
        let (status, _) = scene.code_page(&order.bill).await?;
        ensure!(
            status == 303,
            "the page of the code answers {status} after the payment"
        );
    }
    Ok(Some(()))
}

pub(super) async fn repeated(scene: &Scene) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let notice = scene.notice(&scene.paid(&order)).await?;
    let answers = futures_of(scene, &notice, 20).await?;
    for answer in &answers {
        ensure!(
            scene.peer.reading(answer) == Reading::Done,
            "a repeat was answered {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

/// The same message so many times at once.
async fn futures_of(scene: &Scene, notice: &RawRequest, times: usize) -> Result<Vec<RawResponse>> {
    let mut tasks = JoinSet::new();
    for _ in 0..times {
        let sending = scene.sender(notice);
        tasks.spawn(sending);
    }
    let mut answers = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        answers.push(ended??);
    }
    Ok(answers)
}

pub(super) async fn reordered(scene: &Scene) -> Tried {
    let before = scene.payments().await?;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(scene.order().await?);
    }
    let mut notices = Vec::new();
    for order in &orders {
        notices.push(scene.notice(&scene.paid(order)).await?);
    }
    for notice in notices.iter().rev().chain(&notices) {
        let answer = scene.send(notice).await?;
        ensure!(
            scene.peer.reading(&answer) == Reading::Done,
            "the provider will come again"
        );
    }
    for order in &orders {
        must_be_paid(scene, order).await?;
    }
    must_have_come(scene, before, 3, 3 * AMOUNT).await?;
    Ok(Some(()))
}

pub(super) async fn delayed(scene: &Scene) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let event = scene.paid(&order);
    scene.wait(40 * DAY_SECONDS);
    let reading = scene.tell(&event).await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

pub(super) async fn spoiled(scene: &Scene) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let event = scene.paid(&order);
    let notice = scene.notice(&event).await?;
    let mut understood = false;
    for fault in faults(&*scene.peer, &notice) {
        // A connection that is cut off because a message is too large is a refusal as well.
        let Ok(answer) = scene.send(&fault.apply(&notice)).await else {
            continue;
        };
        let payments = scene.payments().await?;
        if fault.must_be_refused() {
            ensure!(
                scene.peer.reading(&answer) != Reading::Done,
                "{fault:?} was answered {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            ensure!(payments == before || understood, "{fault:?} moved money");
        }
        ensure!(answer.status != 500, "{fault:?} was answered 500");
        // What was understood in spite of its form is the genuine payment, once.
        understood |= payments != before;
        ensure!(
            payments == before || payments == (before.0 + 1, before.1 + AMOUNT),
            "{fault:?} moved other money than the genuine message"
        );
    }
    // A bank that asks first finds nothing to pay once a form of it was understood.
    if !understood || scene.capability().settlement != Settlement::Asked {
        let again = if understood && scene.capability().inquiry {
            notice
        } else {
            scene.notice(&event).await?
        };
        let answer = scene.send(&again).await?;
        ensure!(
            scene.peer.reading(&answer) == Reading::Done,
            "the genuine message is refused after forged ones"
        );
    }
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

pub(super) async fn wrong_merchant(scene: &Scene) -> Tried {
    if !scene.peer.abilities().names_merchant {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let event = scene.paid(&order).for_merchant("9999000011112222");
    // Refused already when it asks what is owed, or when it reports.
    if let Err(error) = scene.tell(&event).await
        && scene.peer.prelude(&event).is_none()
    {
        return Err(error);
    }
    must_be_open(scene, &order).await?;
    must_have_come(scene, before, 0, 0).await?;
    Ok(Some(()))
}

pub(super) async fn wrong_currency(scene: &Scene) -> Tried {
    if !scene.peer.abilities().names_currency {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene.tell(&scene.paid(&order).in_currency("USD")).await?;
    must_be_open(scene, &order).await?;
    must_have_come(scene, before, 0, 0).await?;
    Ok(Some(()))
}

pub(super) async fn wrong_amount(scene: &Scene, amount: i64) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let reading = scene.tell(&scene.paid(&order).of_amount(amount)).await?;
    match scene.capability().settlement {
        // The money is here and belongs to somebody, but it is not this bill's.
        Settlement::Exact | Settlement::ExactHeld => {
            must_be_open(scene, &order).await?;
            must_have_come(scene, before, 1, amount).await?;
        }
        Settlement::Asked => {
            ensure!(
                reading != Reading::Done,
                "the bank was told to debit another amount"
            );
            must_be_open(scene, &order).await?;
            must_have_come(scene, before, 0, 0).await?;
        }
        Settlement::Free => {
            let (_, paid) = scene.bill_state(&order).await?;
            ensure!(paid == amount.min(AMOUNT), "{paid} is paid of the bill");
            must_have_come(scene, before, 1, amount).await?;
        }
    }
    Ok(Some(()))
}

pub(super) async fn unknown_order(scene: &Scene) -> Tried {
    let before = scene.payments().await?;
    let reference = scene.peer.reference(987_654, scene.now());
    let nobody = Order {
        bill: String::new(),
        reference,
        is_scanned: false,
    };
    let event = scene.paid(&nobody);
    if scene.capability().inquiry {
        ensure!(
            scene.tell(&event).await.is_err(),
            "a bank that asks first was told that somebody nobody knows owes money"
        );
        let reading = scene.tell_unasked(&event).await?;
        ensure!(
            reading != Reading::Done || scene.capability().settlement != Settlement::Asked,
            "the bank was told to debit for nobody"
        );
    } else {
        scene.tell(&event).await?;
    }
    let (count, sum) = scene.payments().await?;
    // Either no money moved, or it is parked: the strike of the scene proves that it is nobody's.
    ensure!(
        (count, sum) == before || (count, sum) == (before.0 + 1, before.1 + AMOUNT),
        "{count} payments of {sum}"
    );
    Ok(Some(()))
}

pub(super) async fn failed(scene: &Scene) -> Tried {
    let mut tried = None;
    for outcome in [Outcome::Failed, Outcome::Cancelled] {
        if !reports(scene, outcome) {
            continue;
        }
        let (before, order) = (scene.payments().await?, scene.order().await?);
        let reading = scene.tell(&scene.paid(&order).ending(outcome)).await?;
        ensure!(
            reading == Reading::Done,
            "the provider will come again about {outcome:?}"
        );
        must_be_open(scene, &order).await?;
        must_have_come(scene, before, 0, 0).await?;
        tried = Some(());
    }
    Ok(tried)
}

pub(super) async fn paid_then_failed(scene: &Scene) -> Tried {
    if !reports(scene, Outcome::Failed) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene.tell(&scene.paid(&order)).await?;
    scene
        .tell(&scene.paid(&order).ending(Outcome::Failed))
        .await?;
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

pub(super) async fn failed_then_paid(scene: &Scene) -> Tried {
    if !reports(scene, Outcome::Failed) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene
        .tell(&scene.paid(&order).ending(Outcome::Failed))
        .await?;
    let reading = scene.tell(&scene.paid(&order)).await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    must_have_come(scene, before, 1, AMOUNT).await?;
    must_be_paid(scene, &order).await?;
    Ok(Some(()))
}

pub(super) async fn two_transactions(scene: &Scene) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene.tell(&scene.paid(&order)).await?;
    let second = scene.paid(&order);
    if scene.capability().settlement == Settlement::Asked {
        // The bank finds nothing to pay, or is refused.
        let told = scene.tell(&second).await;
        ensure!(
            !told.is_ok_and(|reading| reading == Reading::Done),
            "the bank was told to debit twice"
        );
        must_have_come(scene, before, 1, AMOUNT).await?;
    } else {
        // A bank that asks first would find nothing to pay; this one took the money all the same.
        if scene.capability().inquiry {
            scene.tell_unasked(&second).await?;
        } else {
            scene.tell(&second).await?;
        }
        must_have_come(scene, before, 2, 2 * AMOUNT).await?;
    }
    must_be_paid(scene, &order).await?;
    Ok(Some(()))
}

pub(super) async fn pending_then_paid(scene: &Scene) -> Tried {
    if !reports(scene, Outcome::Pending) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene
        .tell(&scene.paid(&order).ending(Outcome::Pending))
        .await?;
    must_be_open(scene, &order).await?;
    must_have_come(scene, before, 0, 0).await?;
    scene.tell(&scene.paid(&order)).await?;
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

pub(super) async fn suspected(scene: &Scene) -> Tried {
    if !reports(scene, Outcome::Suspect) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene
        .tell(&scene.paid(&order).ending(Outcome::Suspect))
        .await?;
    must_be_open(scene, &order).await?;
    must_have_come(scene, before, 0, 0).await?;
    Ok(Some(()))
}

pub(super) async fn outgoing(scene: &Scene) -> Tried {
    if !reports(scene, Outcome::Outgoing) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let reading = scene
        .tell(&scene.paid(&order).ending(Outcome::Outgoing))
        .await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    must_be_open(scene, &order).await?;
    must_have_come(scene, before, 0, 0).await?;
    Ok(Some(()))
}

pub(super) async fn several(scene: &Scene) -> Tried {
    let orders = [
        scene.order().await?,
        scene.order().await?,
        scene.order().await?,
    ];
    let mut events: Vec<_> = orders.iter().map(|order| scene.paid(order)).collect();
    // One of them twice, as a provider does that lost count.
    events.push(events[0].clone());
    let Some(message) = scene.peer.batch(&events) else {
        return Ok(None);
    };
    let before = scene.payments().await?;
    for _ in 0..2 {
        let answer = scene.send(&message).await?;
        ensure!(
            scene.peer.reading(&answer) == Reading::Done,
            "the provider will come again"
        );
    }
    for order in &orders {
        must_be_paid(scene, order).await?;
    }
    must_have_come(scene, before, 3, 3 * AMOUNT).await?;
    Ok(Some(()))
}
