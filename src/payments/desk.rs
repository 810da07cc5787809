//! Group commit: concurrent notices share one transaction and one flush to disk. What comes while a batch
//! is posted is the next batch, so that batches grow with the load; and the next one is posted while this
//! one goes to the disk.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::books::{Arrival, Receipt};
use super::posting::{Committed, Poster, post};
use crate::ids::SchoolId;
use crate::store::{Engine, Trouble};

/// How much the desk takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a notice waits for company, from its coming; nothing waits at zero.
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

/// Batches in work at the same time, none with a school of another. SQLite has one writer.
const POSTGRES_LANES: usize = 3;
const SQLITE_LANES: usize = 1;
/// Batches of a lane that are committed and wait for the disk; with more the lane waits too.
const UNFLUSHED_MAX: usize = 4;

/// Takes verified notices and answers when they are durable. One queue a lane; a school keeps to its
/// lane, so that batches of one node do not wait for each other's locks.
#[derive(Clone, Debug)]
pub struct Desk(Arc<[mpsc::Sender<Waiting>]>);

#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    since: Instant,
    answer: Answer,
}

type Answer = oneshot::Sender<Option<Receipt>>;

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
            .try_send(Waiting {
                arrival,
                since: Instant::now(),
                answer,
            })
            .map_err(|_| DeskFull)?;
        Ok(receipt.await.unwrap_or(None))
    }
}

async fn run(poster: Poster, mut queue: mpsc::Receiver<Waiting>, limits: Limits) {
    let unflushed = Arc::new(Semaphore::new(UNFLUSHED_MAX));
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        gather(&mut queue, &mut batch, limits).await;
        post_batch(&poster, batch, &unflushed).await;
    }
}

/// Takes what waits already and what comes in time.
async fn gather(queue: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, limits: Limits) {
    let deadline = batch.first().map(|first| first.since + limits.gather);
    while batch.len() < limits.batch_max {
        if let Ok(next) = queue.try_recv() {
            batch.push(next);
            continue;
        }
        let Some(deadline) = deadline.filter(|deadline| *deadline > Instant::now()) else {
            return;
        };
        match tokio::time::timeout_at(deadline, queue.recv()).await {
            Ok(Some(next)) => batch.push(next),
            Ok(None) | Err(_) => return,
        }
    }
}

async fn post_batch(poster: &Poster, batch: Vec<Waiting>, unflushed: &Arc<Semaphore>) {
    let (arrivals, answers): (Vec<Arrival>, Vec<_>) = batch
        .into_iter()
        .map(|waiting| (waiting.arrival, waiting.answer))
        .unzip();
    let arrivals: Arc<[Arrival]> = arrivals.into();
    let failed = match guarded(poster, arrivals.clone()).await {
        Ok(committed) => return tell(poster, committed, answers, unflushed).await,
        Err(failed) => failed,
    };
    // One poisoned notice must not fail its neighbours: each gets a transaction of its own. When the
    // database itself is in trouble nobody is to blame, and all must come again.
    let alone = arrivals.len() == 1 || failed == Failed::Database;
    for (arrival, answer) in arrivals.iter().zip(answers) {
        let committed = match alone {
            true => None,
            false => guarded(poster, [arrival.clone()].into()).await.ok(),
        };
        match committed {
            Some(committed) => tell(poster, committed, vec![answer], unflushed).await,
            None => {
                let _ = answer.send(None);
            }
        }
    }
}

/// Answers when the batch is durable, beside the lane.
async fn tell(
    poster: &Poster,
    committed: Committed,
    answers: Vec<Answer>,
    unflushed: &Arc<Semaphore>,
) {
    let poster = poster.clone();
    let Committed { receipts, flushing } = committed;
    if flushing.is_done() {
        return send(&poster, receipts, answers);
    }
    let permit = Arc::clone(unflushed).acquire_owned().await;
    tokio::spawn(async move {
        match tokio::time::timeout(POSTING_TIMEOUT, flushing.done()).await {
            Ok(Ok(())) => send(&poster, receipts, answers),
            // The answers are dropped: what was posted is unknown, and the same notice again finds out.
            Ok(Err(error)) => {
                let code = error.code();
                tracing::error!(%error, code, "notices are not durable and must come again");
            }
            Err(_) => {
                let code = Trouble::Disk.code();
                tracing::error!(code, "the disk takes too long, notices must come again");
            }
        }
        drop(permit);
    });
}

fn send(poster: &Poster, receipts: Vec<Receipt>, answers: Vec<Answer>) {
    poster.wake.now();
    for (answer, receipt) in answers.into_iter().zip(receipts) {
        // The caller may have hung up; what it would have heard is in the database.
        let _ = answer.send(Some(receipt));
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
async fn guarded(poster: &Poster, arrivals: Arc<[Arrival]>) -> Result<Committed, Failed> {
    let size = arrivals.len();
    let poster = poster.clone();
    let posting = tokio::spawn(async move {
        tokio::time::timeout(POSTING_TIMEOUT, post(&poster, arrivals)).await
    });
    match posting.await {
        Ok(Ok(Ok(committed))) => Ok(committed),
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
