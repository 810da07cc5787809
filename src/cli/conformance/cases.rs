//! The behaviours every provider is held to. What a provider cannot do is not tried.

use anyhow::{Context, Result, ensure};
use hocphi::ids::SchoolId;
use hocphi::money::Vnd;
use hocphi::payments::outbound::jobs::run_due;
use hocphi::payments::outbound::request::{NewRefund, start_refund};
use hocphi::payments::outbound::rules::{Kind, State};
use hocphi::payments::outbound::store::of_subject;
use hocphi_adapters::contract::{Naming, RefundSupport, Settlement};
use hocphi_sandbox::peer::{ApiFault, NoticeLever, Outcome, Reading, faults};
use tokio::task::JoinSet;

use super::acks;
use super::scene::{AMOUNT, Order, Scene};
use super::store;

const DAY_SECONDS: i64 = 24 * 3600;

/// How a behaviour went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// The provider cannot do this.
    NotTried,
    Fail(String),
}

/// The behaviours in the order of the table; each is tried on the scene as the one before left it.
pub const NAMES: [&str; 22] = [
    "genuine",
    "answers as prescribed",
    "repeated x20 at once",
    "reordered",
    "delayed past the due day",
    "tampered in every signed field, unproven, malformed, huge",
    "wrong merchant",
    "wrong currency",
    "too little",
    "too much",
    "unknown order",
    "failed",
    "paid then failed",
    "failed then paid",
    "two transactions for one bill",
    "pending then paid",
    "suspected",
    "money going out",
    "several in one message",
    "notice lost, found by asking, told late",
    "query answers lost",
    "refund, answer lost",
];

/// Tries one behaviour.
pub async fn run(scene: &Scene, name: &str) -> Verdict {
    let tried = match name {
        "genuine" => genuine(scene).await,
        "answers as prescribed" => acks::compare(scene).await,
        "repeated x20 at once" => repeated(scene).await,
        "reordered" => reordered(scene).await,
        "delayed past the due day" => delayed(scene).await,
        "tampered in every signed field, unproven, malformed, huge" => spoiled(scene).await,
        "wrong merchant" => wrong_merchant(scene).await,
        "wrong currency" => wrong_currency(scene).await,
        "too little" => wrong_amount(scene, AMOUNT - 10_000).await,
        "too much" => wrong_amount(scene, AMOUNT + 10_000).await,
        "unknown order" => unknown_order(scene).await,
        "failed" => failed(scene).await,
        "paid then failed" => paid_then_failed(scene).await,
        "failed then paid" => failed_then_paid(scene).await,
        "two transactions for one bill" => two_transactions(scene).await,
        "pending then paid" => pending_then_paid(scene).await,
        "suspected" => suspected(scene).await,
        "money going out" => outgoing(scene).await,
        "several in one message" => several(scene).await,
        "notice lost, found by asking, told late" => found_by_asking(scene).await,
        "query answers lost" => query_answers_lost(scene).await,
        "refund, answer lost" => refund(scene).await,
        _ => Ok(None),
    };
    match tried {
        Ok(Some(())) => Verdict::Pass,
        Ok(None) => Verdict::NotTried,
        Err(error) => Verdict::Fail(format!("{error:#}")),
    }
}

/// Our own trouble: on books without accounts nothing can be posted, and the provider must come
/// again.
pub async fn trouble(scene: &Scene) -> Verdict {
    let tried = async {
        let order = scene.order().await?;
        let notice = scene.notice(&scene.paid(&order)).await?;
        let answer = scene.send(&notice).await?;
        ensure!(
            scene.peer.reading(&answer) != Reading::Done,
            "the provider takes it for delivered although nothing is in the books"
        );
        acks::compare_trouble(scene, &notice).await?;
        ensure!(scene.payments().await?.0 == 0, "something was posted");
        Ok(())
    };
    match tried.await {
        Ok(()) => Verdict::Pass,
        Err(error) => Verdict::Fail(format!("{error:#}")),
    }
}

type Tried = Result<Option<()>>;

fn reports(scene: &Scene, outcome: Outcome) -> bool {
    scene.peer.abilities().reports.contains(&outcome)
}

async fn must_be_paid(scene: &Scene, order: &Order) -> Result<()> {
    let (state, paid) = scene.bill_state(order).await?;
    ensure!(
        state == "PAID" && paid == AMOUNT,
        "the bill is {state} with {paid} paid"
    );
    Ok(())
}

async fn must_be_open(scene: &Scene, order: &Order) -> Result<()> {
    let (state, paid) = scene.bill_state(order).await?;
    ensure!(
        state == "OPEN" && paid == 0,
        "the bill is {state} with {paid} paid"
    );
    Ok(())
}

/// So many payments more than before, of this sum.
async fn must_have_come(scene: &Scene, before: (i64, i64), count: i64, sum: i64) -> Result<()> {
    let (now, total) = scene.payments().await?;
    let came = (now - before.0, total - before.1);
    ensure!(
        came == (count, sum),
        "{} payments of {} came instead of {count} of {sum}",
        came.0,
        came.1
    );
    Ok(())
}

async fn genuine(scene: &Scene) -> Tried {
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

async fn repeated(scene: &Scene) -> Tried {
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
async fn futures_of(
    scene: &Scene,
    notice: &hocphi_sandbox::peer::RawRequest,
    times: usize,
) -> Result<Vec<hocphi_sandbox::peer::RawResponse>> {
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

async fn reordered(scene: &Scene) -> Tried {
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

async fn delayed(scene: &Scene) -> Tried {
    let (before, order) = (scene.payments().await?, scene.order().await?);
    let event = scene.paid(&order);
    scene.wait(40 * DAY_SECONDS);
    let reading = scene.tell(&event).await?;
    ensure!(reading == Reading::Done, "the provider will come again");
    must_be_paid(scene, &order).await?;
    must_have_come(scene, before, 1, AMOUNT).await?;
    Ok(Some(()))
}

async fn spoiled(scene: &Scene) -> Tried {
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

async fn wrong_merchant(scene: &Scene) -> Tried {
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

async fn wrong_currency(scene: &Scene) -> Tried {
    if !scene.peer.abilities().names_currency {
        return Ok(None);
    }
    let (before, order) = (scene.payments().await?, scene.order().await?);
    scene.tell(&scene.paid(&order).in_currency("USD")).await?;
    must_be_open(scene, &order).await?;
    must_have_come(scene, before, 0, 0).await?;
    Ok(Some(()))
}

async fn wrong_amount(scene: &Scene, amount: i64) -> Tried {
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

async fn unknown_order(scene: &Scene) -> Tried {
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

async fn failed(scene: &Scene) -> Tried {
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

async fn paid_then_failed(scene: &Scene) -> Tried {
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

async fn failed_then_paid(scene: &Scene) -> Tried {
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

async fn two_transactions(scene: &Scene) -> Tried {
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

async fn pending_then_paid(scene: &Scene) -> Tried {
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

async fn suspected(scene: &Scene) -> Tried {
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

async fn outgoing(scene: &Scene) -> Tried {
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

async fn several(scene: &Scene) -> Tried {
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

async fn found_by_asking(scene: &Scene) -> Tried {
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

async fn query_answers_lost(scene: &Scene) -> Tried {
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

async fn refund(scene: &Scene) -> Tried {
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
