//! What follows a commit: a job is written in the transaction that makes it necessary, run at least
//! once by any node, and deleted when done. Handlers are idempotent.

pub mod pages;
mod runner;
mod store;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Instant;
use crate::ids::{JobId, SchoolId};

pub use runner::{Handler, LEASE_SECONDS, Outcome, Runner};
pub use store::{Listed, State, Which, dead, dead_of, enqueue, find, list, replay, waiting};

/// A job to be done.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub school_id: SchoolId,
    /// Which handler runs it, for example `invoice.issue`.
    pub kind: &'static str,
    /// What it is about; a kind and subject wait at most once.
    pub subject: String,
    pub run_at: Instant,
}

/// A job that was claimed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Job {
    pub job_id: JobId,
    pub school_id: SchoolId,
    pub subject: String,
    pub attempts: i64,
}

/// Tells the runners of this process that a commit left something to do. Other nodes find it by
/// their own polling.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn now(&self) {
        self.0.notify_waiters();
    }

    async fn wait(&self, at_most: Duration) {
        // A time-out is the ordinary case: polling is the rule, waking only saves time.
        let _ = tokio::time::timeout(at_most, self.0.notified()).await;
    }
}
