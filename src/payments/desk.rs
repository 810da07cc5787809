//! Group commit: concurrent notices share one transaction and one flush to disk.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::books::{Arrival, Receipt};
use super::posting::{Poster, post};
use crate::ids::SchoolId;
use crate::store::{Engine, Trouble};

/// How much the desk takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the first notice of a batch waits for company; nothing waits at zero.
    pub gather: Duration,
    pub batch_max: usize,
    /// Notices that may wait, over all lanes; beyond, the provider is asked to come again.
    pub queue_max: usize,
    /// As many as the engine has use for when none.
    pub lanes: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(2),
            batch_max: 512,
            queue_max: 8_192,
            lanes: None,
        }
    }
}

/// How long a batch may take before its providers are told to come again: a server that went away
/// without a word, or a commit that waits for a standby.
const POSTING_TIMEOUT: Duration = Duration::from_secs(20);

/// The desk cannot take more now: answer 503 and let the provider repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("posting queue is full")]
pub struct DeskFull;

/// Batches in work at the same time, none with a school of another. PostgreSQL works on several; of
/// SQLite's, one is written while the other waits for the disk.
const POSTGRES_LANES: usize = 3;
const SQLITE_LANES: usize = 2;

/// Takes verified notices and answers when they are durable. One queue a lane; a school keeps to its
/// lane, so that batches of one node do not wait for each other's locks.
#[derive(Clone, Debug)]
pub struct Desk(Arc<[mpsc::Sender<Waiting>]>);

#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    answer: oneshot::Sender<Option<Receipt>>,
}

impl Desk {
    /// Starts the tasks that post, one a lane. They end when every handle to the desk is gone.
    pub fn open(poster: Poster) -> Self {
        Self::open_with(poster, Limits::default())
    }

    /// As [`open`](Self::open), with chosen limits.
    pub fn open_with(poster: Poster, limits: Limits) -> Self {
        let lanes = limits
            .lanes
            .unwrap_or(match poster.db.engine() {
                Engine::Sqlite => SQLITE_LANES,
                Engine::Postgres => POSTGRES_LANES,
            })
            .max(1);
        let queue = || {
            let (sender, receiver) = mpsc::channel((limits.queue_max / lanes).max(1));
            tokio::spawn(run(poster.clone(), receiver, limits));
            sender
        };
        Self((0..lanes).map(|_| queue()).collect())
    }

    fn lane(&self, school: &SchoolId) -> &mpsc::Sender<Waiting> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(school);
        let lanes = u64::try_from(self.0.len()).unwrap_or(1);
        // Below the number of lanes.
        let place = usize::try_from(hash % lanes).unwrap_or(0);
        &self.0[place]
    }

    /// Hands in one notice; returns after its transaction is durable. `None` means that it was not
    /// posted and must come again.
    ///
    /// # Errors
    /// [`DeskFull`] when too many wait already.
    pub async fn hand_in(&self, arrival: Arrival) -> Result<Option<Receipt>, DeskFull> {
        let (answer, receipt) = oneshot::channel();
        self.lane(&arrival.school_id)
            .try_send(Waiting { arrival, answer })
            .map_err(|_| DeskFull)?;
        Ok(receipt.await.unwrap_or(None))
    }
}

async fn run(poster: Poster, mut queue: mpsc::Receiver<Waiting>, limits: Limits) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        gather(&mut queue, &mut batch, limits).await;
        post_batch(&poster, batch).await;
    }
}

/// Takes what waits already and what comes in time.
async fn gather(queue: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, limits: Limits) {
    let deadline = tokio::time::Instant::now() + limits.gather;
    while batch.len() < limits.batch_max {
        if let Ok(next) = queue.try_recv() {
            batch.push(next);
            continue;
        }
        if limits.gather.is_zero() {
            return;
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
    let arrivals: Arc<[Arrival]> = arrivals.into();
    let failed = match guarded(poster, arrivals.clone()).await {
        Ok(receipts) => {
            for (answer, receipt) in answers.into_iter().zip(receipts) {
                // The caller may have hung up; what it would have heard is in the database.
                let _ = answer.send(Some(receipt));
            }
            return;
        }
        Err(failed) => failed,
    };
    // One poisoned notice must not fail its neighbours: each gets a transaction of its own. When the
    // database itself is in trouble nobody is to blame, and all must come again.
    let alone = arrivals.len() == 1 || failed == Failed::Database;
    for (arrival, answer) in arrivals.iter().zip(answers) {
        let receipts = match alone {
            true => None,
            false => guarded(poster, [arrival.clone()].into()).await.ok(),
        };
        let _ = answer.send(receipts.and_then(|receipts| receipts.into_iter().next()));
    }
}

/// Why a batch was not posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// The database is away, full or silent: whether the batch was posted is unknown, and the same
    /// notice again finds out.
    Database,
    /// Something in the batch.
    Batch,
}

/// Posts in a task of its own: a panic, which is a defect of ours, must not close the desk.
async fn guarded(poster: &Poster, arrivals: Arc<[Arrival]>) -> Result<Vec<Receipt>, Failed> {
    let size = arrivals.len();
    let poster = poster.clone();
    let posting = tokio::spawn(async move {
        tokio::time::timeout(POSTING_TIMEOUT, post(&poster, arrivals)).await
    });
    match posting.await {
        Ok(Ok(Ok(receipts))) => Ok(receipts),
        Ok(Ok(Err(error))) => {
            let code = error.code();
            tracing::error!(%error, code, size, "notices could not be posted together");
            Err(match error.trouble() {
                Some(_) => Failed::Database,
                None => Failed::Batch,
            })
        }
        Ok(Err(_)) => {
            let code = Trouble::Unreachable.code();
            tracing::error!(
                code,
                size,
                "posting takes too long, notices must come again"
            );
            Err(Failed::Database)
        }
        Err(panic) => {
            tracing::error!(%panic, code = "posting_panic", size, "posting ended early");
            Err(Failed::Batch)
        }
    }
}
