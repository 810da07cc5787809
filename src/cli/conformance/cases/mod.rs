//! The behaviours every provider is held to. What a provider cannot do is not tried.

mod asking;
mod notices;

use anyhow::{Result, ensure};
use hocphi_sandbox::peer::{Outcome, Reading};

use super::acks;
use super::scene::{AMOUNT, Order, Scene};

/// How a behaviour went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// The provider cannot do this.
    NotTried,
    Fail(String),
}

/// The behaviours in the order of the table; each is tried on the scene as the one before left it.
pub const NAMES: [&str; 23] = [
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
    "notice lost for good, found in the list, told late",
    "refund, answer lost",
];

/// Tries one behaviour.
pub async fn run(scene: &Scene, name: &str) -> Verdict {
    let tried = match name {
        "genuine" => notices::genuine(scene).await,
        "answers as prescribed" => acks::compare(scene).await,
        "repeated x20 at once" => notices::repeated(scene).await,
        "reordered" => notices::reordered(scene).await,
        "delayed past the due day" => notices::delayed(scene).await,
        "tampered in every signed field, unproven, malformed, huge" => {
            notices::spoiled(scene).await
        }
        "wrong merchant" => notices::wrong_merchant(scene).await,
        "wrong currency" => notices::wrong_currency(scene).await,
        "too little" => notices::wrong_amount(scene, AMOUNT - 10_000).await,
        "too much" => notices::wrong_amount(scene, AMOUNT + 10_000).await,
        "unknown order" => notices::unknown_order(scene).await,
        "failed" => notices::failed(scene).await,
        "paid then failed" => notices::paid_then_failed(scene).await,
        "failed then paid" => notices::failed_then_paid(scene).await,
        "two transactions for one bill" => notices::two_transactions(scene).await,
        "pending then paid" => notices::pending_then_paid(scene).await,
        "suspected" => notices::suspected(scene).await,
        "money going out" => notices::outgoing(scene).await,
        "several in one message" => notices::several(scene).await,
        "notice lost, found by asking, told late" => asking::found_by_asking(scene).await,
        "query answers lost" => asking::query_answers_lost(scene).await,
        "notice lost for good, found in the list, told late" => {
            asking::found_in_the_list(scene).await
        }
        "refund, answer lost" => asking::refund(scene).await,
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
