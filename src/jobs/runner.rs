//! Claims due jobs and hands them to their handler, in batches.

use std::time::Duration;

use tokio::sync::watch;

use super::{Job, Wake, store};
use crate::clock::{Clock, Instant};
use crate::ids::JobId;
use crate::store::{Db, StoreError, Tx};

const BATCH_MAX: i64 = 64;
/// How long a node has for a batch before others may take it.
pub const LEASE_SECONDS: i64 = 60;
const POLL_INTERVAL: Duration = Duration::from_millis(250);
const ATTEMPTS_MAX: i64 = 30;
const BACKOFF_SECONDS_MAX: i64 = 600;

/// What became of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Nothing is wrong, it is only too early: asked again after so many milliseconds. Failures
    /// before it no longer count: what answers is not what keeps failing.
    NotYet {
        millis: i64,
    },
    /// Try again with growing pauses; dead after many attempts.
    Failed(String),
    /// Repeating cannot help; a person must look.
    Dead(String),
}

/// Does the jobs of one kind. A job may be run more than once, also by two nodes.
pub trait Handler: Send + Sync + 'static {
    fn kind(&self) -> &'static str;

    /// Runs a batch; answers an outcome for each job, in order.
    fn run(&self, jobs: Vec<Job>) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// Runs handlers until told to stop.
#[derive(Clone, Debug)]
pub struct Runner {
    pub db: Db,
    pub clock: Clock,
    pub wake: Wake,
    pub stop: watch::Receiver<bool>,
}

impl Runner {
    /// Starts one loop for this handler.
    pub fn spawn(&self, handler: impl Handler) -> tokio::task::JoinHandle<()> {
        let runner = self.clone();
        tokio::spawn(async move {
            let mut stop = runner.stop.clone();
            while !*stop.borrow() {
                match runner.run_due(&handler).await {
                    Ok(0) => {
                        tokio::select! {
                            () = runner.wake.wait(POLL_INTERVAL) => {}
                            _ = stop.changed() => {}
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let code = error.code();
                        tracing::error!(job.kind = handler.kind(), %error, code, "jobs cannot be read");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        })
    }

    /// Runs one batch of due jobs; answers how many there were.
    ///
    /// # Errors
    /// [`StoreError`] when jobs cannot be claimed or settled; they are due again after the lease.
    pub async fn run_due(&self, handler: &impl Handler) -> Result<usize, StoreError> {
        let now = self.clock.now();
        if !store::any_due(&self.db, handler.kind(), now).await? {
            return Ok(0);
        }
        // Owned: a closure that captures a reference is not general enough for `Send`.
        let kind = handler.kind().to_owned();
        let jobs = self
            .db
            .write("jobs.claim", async move |tx: &mut Tx| {
                store::claim(tx, &kind, now, now.plus_seconds(LEASE_SECONDS), BATCH_MAX).await
            })
            .await?;
        if jobs.is_empty() {
            return Ok(0);
        }
        let claimed: Vec<(JobId, i64)> = jobs
            .iter()
            .map(|job| (job.job_id.clone(), job.attempts))
            .collect();
        let outcomes = handler.run(jobs).await;
        let count = claimed.len();
        self.settle(handler.kind(), claimed, outcomes).await?;
        Ok(count)
    }

    async fn settle(
        &self,
        kind: &'static str,
        claimed: Vec<(JobId, i64)>,
        outcomes: Vec<Outcome>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut done = Vec::new();
        let mut back = Vec::new();
        let mut outcomes = outcomes.into_iter();
        for (job_id, attempts) in claimed {
            let outcome = outcomes
                .next()
                .unwrap_or_else(|| Outcome::Failed("handler gave no outcome".into()));
            match outcome {
                Outcome::Done => done.push(job_id),
                Outcome::NotYet { millis } => {
                    back.push(store::Back::ready(job_id, now.plus_millis(millis), 0, None));
                }
                Outcome::Failed(error) if attempts < ATTEMPTS_MAX => {
                    tracing::warn!(job.kind = kind, job.id = %job_id, attempts, error, "job failed, will repeat");
                    back.push(store::Back::ready(
                        job_id,
                        retry_at(now, attempts),
                        attempts,
                        Some(error),
                    ));
                }
                Outcome::Failed(error) | Outcome::Dead(error) => {
                    tracing::error!(job.kind = kind, job.id = %job_id, attempts, error, "job is dead");
                    back.push(store::Back::dead(job_id, now, attempts, error));
                }
            }
        }
        self.db
            .write("jobs.settle", async move |tx: &mut Tx| {
                if !done.is_empty() {
                    store::finish(tx, &done).await?;
                }
                if !back.is_empty() {
                    store::give_back(tx, &back).await?;
                }
                Ok(())
            })
            .await
    }
}

/// Pauses of 1, 2, 4 … seconds. Jobs of one batch spread by themselves, since each runs in its turn.
fn retry_at(now: Instant, attempts: i64) -> Instant {
    let exponent = u32::try_from(attempts.clamp(1, 12) - 1).unwrap_or(0);
    now.plus_seconds((1_i64 << exponent).min(BACKOFF_SECONDS_MAX))
}
