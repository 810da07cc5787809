//! What we ask the provider, and what it answers or does not.

use anyhow::{Context, Result, ensure};
use hocphi::ids::SchoolId;
use hocphi::money::Vnd;
use hocphi::payments::listing::jobs::run_due as read_lists;
use hocphi::payments::outbound::jobs::run_due;
use hocphi::payments::outbound::request::{NewRefund, start_refund};
use hocphi::payments::outbound::rules::{Kind, State};
use hocphi::payments::outbound::store::of_subject;
use hocphi_adapters::contract::{Naming, RefundSupport};
use hocphi_sandbox::peer::{ApiFault, NoticeLever, Outcome, Reading};

use super::{Tried, must_be_paid, must_have_come};
use crate::cli::conformance::scene::{AMOUNT, Order, Scene};
use crate::cli::conformance::store;

/// Asks about what is due until nothing is, moving the clock on.
async fn follow(scene: &Scene, seconds: i64) -> Result<()> {
    let pause = 20;
    for _ in 0..(seconds / pause) {
        scene.wait(pause);
        while run_due(&scene.app).await? > 0 {}
    }
    Ok(())
}

/// A provider that can be asked, whose payer comes by our order.
fn can_ask(scene: &Scene) -> bool {
    let capability = scene.capability();
    capability.query && capability.naming == Naming::Order && capability.checkout
}

async fn press(scene: &Scene, order: &Order) -> Result<()> {
    let known = scene
        .peer
        .book()
        .order(&order.reference)
        .context("the provider does not know the order")?;
    scene.station.press(&known.handle, Outcome::Paid).await?;
    Ok(())
}

pub(super) async fn found_by_asking(scene: &Scene) -> Tried {
    if !can_ask(scene) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene.peer.book().levers().notices = vec![NoticeLever::Dropped];
    let pressed = press(scene, &order).await;
    scene.peer.book().levers().notices.clear();
    pressed?;
    must_have_come(scene, before, 0, 0).await?;
    follow(scene, 1_200).await?;
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    // The notice comes after all: the same transaction.
    let known = scene
        .peer
        .book()
        .order(&order.reference)
        .context("the order")?;
    let moved = known.transactions.first().context("its transaction")?;
    let mut event = scene.paid(&order).as_transaction(moved.number);
    event.at = moved.at;
    let reading = scene.tell(&event).await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

pub(super) async fn query_answers_lost(scene: &Scene) -> Tried {
    if !can_ask(scene) {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene.peer.book().levers().notices = vec![NoticeLever::Dropped];
    let pressed = press(scene, &order).await;
    scene.peer.book().levers().notices.clear();
    pressed?;
    // What nobody signs nobody can tell from the truth: there the connection vouches.
    let last = if scene.peer.abilities().signs_answers {
        ApiFault::WrongSignature
    } else {
        ApiFault::Garbled
    };
    let faults = [ApiFault::Unavailable, ApiFault::Garbled, last];
    scene.peer.book().levers().calls.extend(faults.map(Some));
    follow(scene, 2_400).await?;
    scene.peer.book().levers().calls.clear();
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

/// Hours without notices: the list tells each movement to us once, whatever comes of it later.
pub(super) async fn found_in_the_list(scene: &Scene) -> Tried {
    if !scene.peer.abilities().lists || scene.adapter.profile().list.is_none() {
        return Ok(None);
    }
    // Reads to the end what happened so far, so that only what follows can be found.
    follow_lists(scene, 1_200).await?;
    let before = scene.payments().await?;
    let (lost, told) = (scene.order().await?, scene.order().await?);
    let event = scene.paid(&lost);
    let foreign = scene.paid(&told).for_merchant("9999000011112222");
    let outgoing = scene.paid(&told).ending(Outcome::Outgoing);
    let heard = scene.paid(&told);
    for happened in [&event, &foreign, &outgoing, &heard] {
        scene.peer.book().happened(happened);
    }
    scene.tell(&heard).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    let faults = [
        ApiFault::Unavailable,
        ApiFault::Garbled,
        ApiFault::ErrorAfterDoing,
    ];
    scene.peer.book().levers().calls.extend(faults.map(Some));
    follow_lists(scene, 6 * 3_600).await?;
    scene.peer.book().levers().calls.clear();
    must_be_paid(scene, &lost).await?;
    must_have_come(scene, before, 2, 2 * AMOUNT).await?;
    let reading = scene.tell(&event).await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    follow_lists(scene, 3_600).await?;
    must_have_come(scene, before, 2, 2 * AMOUNT).await?;
    Ok(Some(()))
}

/// Reads lists that are due until so much time has passed.
async fn follow_lists(scene: &Scene, seconds: i64) -> Result<()> {
    let pause = 60;
    for _ in 0..(seconds / pause) {
        while read_lists(&scene.app).await? > 0 {}
        scene.wait(pause);
    }
    Ok(())
}

pub(super) async fn refund(scene: &Scene) -> Tried {
    let capability = scene.capability();
    if capability.refund == RefundSupport::None || !can_ask(scene) {
        return Ok(None);
    }
    let order = scene.order().await?;
    press(scene, &order).await?;
    must_be_paid(scene, &order).await?;
    let known = scene
        .peer
        .book()
        .order(&order.reference)
        .context("the order")?;
    let moved = known.transactions.first().context("its transaction")?;
    let new = NewRefund {
        school_id: SchoolId::new(store::SCHOOL),
        subject: format!("refund-{}", order.bill),
        connection_id: scene.connection_id(),
        order_ref: order.reference.clone(),
        transaction_id: moved.number.to_string(),
        paid_amount: Vnd::new(AMOUNT),
        paid_at: scene.app.clock.now(),
        amount: Vnd::new(AMOUNT),
        reason: "Hoàn học phí nộp thừa".to_owned(),
        requested_by: "ketoan".to_owned(),
    };
    let refunds = scene.peer.book().refunds().len();
    scene
        .peer
        .book()
        .levers()
        .calls
        .push_back(Some(ApiFault::ErrorAfterDoing));
    start_refund(&scene.app, &new).await?;
    start_refund(&scene.app, &new).await?;
    follow(scene, 4_000).await?;
    scene.peer.book().levers().calls.clear();
    let given = scene.peer.book().refunds().len() - refunds;
    ensure!(given == 1, "{given} refunds at the provider instead of one");
    let flow = of_subject(&scene.app.db, &new.school_id, Kind::Refund, &new.subject)
        .await?
        .context("the flow of the refund")?;
    // Where refunds cannot be asked about, a lost answer is for a person to find out.
    let expected = if capability.query_refund {
        State::Done
    } else {
        State::Review
    };
    ensure!(
        flow.state == expected,
        "the refund is {} ({})",
        flow.state,
        flow.problem.unwrap_or_default()
    );
    Ok(Some(()))
}
