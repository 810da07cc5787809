//! Group commit: concurrent notices share one transaction and one flush to disk.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::books::{Arrival, Receipt};
use super::posting::{Poster, post};

/// How long the first notice of a batch waits for company.
const GATHER: Duration = Duration::from_millis(2);
const BATCH_MAX: usize = 512;
/// Notices that may wait; beyond, the provider is asked to come again.
const QUEUE_MAX: usize = 8_192;

/// The desk cannot take more now: answer 503 and let the provider repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("posting queue is full")]
pub struct DeskFull;

/// Takes verified notices and answers when they are durable.
#[derive(Clone, Debug)]
pub struct Desk(mpsc::Sender<Waiting>);

#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    answer: oneshot::Sender<Option<Receipt>>,
}

impl Desk {
    /// Starts the one task that posts. It ends when every handle to the desk is gone.
    pub fn open(poster: Poster) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(poster, receiver));
        Self(sender)
    }

    /// Hands in one notice; returns after its transaction is durable. `None` means that it was not
    /// posted and must come again.
    ///
    /// # Errors
    /// [`DeskFull`] when too many wait already.
    pub async fn hand_in(&self, arrival: Arrival) -> Result<Option<Receipt>, DeskFull> {
        let (answer, receipt) = oneshot::channel();
        self.0
            .try_send(Waiting { arrival, answer })
            .map_err(|_| DeskFull)?;
        Ok(receipt.await.unwrap_or(None))
    }
}

async fn run(poster: Poster, mut queue: mpsc::Receiver<Waiting>) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        gather(&mut queue, &mut batch).await;
        post_batch(&poster, batch).await;
    }
}

/// Takes what waits already and what comes within [`GATHER`].
async fn gather(queue: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>) {
    let deadline = tokio::time::Instant::now() + GATHER;
    while batch.len() < BATCH_MAX {
        if let Ok(next) = queue.try_recv() {
            batch.push(next);
            continue;
        }
        match tokio::time::timeout_at(deadline, queue.recv()).await {
            Ok(Some(next)) => batch.push(next),
            Ok(None) | Err(_) => return,
        }
    }
}

async fn post_batch(poster: &Poster, batch: Vec<Waiting>) {
    let (arrivals, answers): (Vec<Arrival>, Vec<_>) = batch
        .into_iter()
        .map(|waiting| (waiting.arrival, waiting.answer))
        .unzip();
    if let Some(receipts) = guarded(poster, arrivals.clone()).await {
        for (answer, receipt) in answers.into_iter().zip(receipts) {
            // The caller may have hung up; what it would have heard is in the database.
            let _ = answer.send(Some(receipt));
        }
        return;
    }
    // One poisoned notice must not fail its neighbours: each gets a transaction of its own.
    let alone = arrivals.len() == 1;
    for (arrival, answer) in arrivals.into_iter().zip(answers) {
        let receipts = match alone {
            true => None,
            false => guarded(poster, vec![arrival]).await,
        };
        let _ = answer.send(receipts.and_then(|receipts| receipts.into_iter().next()));
    }
}

/// Posts in a task of its own: a panic, which is a defect of ours, must not close the desk.
async fn guarded(poster: &Poster, arrivals: Vec<Arrival>) -> Option<Vec<Receipt>> {
    let size = arrivals.len();
    let poster = poster.clone();
    match tokio::spawn(async move { post(&poster, arrivals).await }).await {
        Ok(Ok(receipts)) => Some(receipts),
        Ok(Err(error)) => {
            tracing::error!(%error, size, "notices could not be posted together");
            None
        }
        Err(panic) => {
            tracing::error!(%panic, size, "posting ended early");
            None
        }
    }
}
