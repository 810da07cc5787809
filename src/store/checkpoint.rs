//! Moves SQLite's write-ahead log into the file beside the writer, which then never stops for it.
//!
//! Little and often: the disk takes what a checkpoint writes all at once, and a commit that wants to be
//! flushed meanwhile waits for the whole of it. How much waits in the log is guessed by the number of
//! flushes: its index may not be opened beside SQLite, whose locks on it would end with our closing it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio::time::Instant;

const PAUSE: Duration = Duration::from_millis(10);
/// Fewer flushes than this wait for company: pages written again and again go to the file once.
const FLUSHES_MIN: u64 = 4;
/// But not longer than this.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Runs until the pool is closed. `flushes` counts what was committed.
pub(super) fn start(pool: &SqlitePool, flushes: Arc<AtomicU64>) {
    tokio::spawn(run(pool.clone(), flushes));
}

async fn run(pool: SqlitePool, flushes: Arc<AtomicU64>) {
    let closed = pool.close_event();
    tokio::pin!(closed);
    let (mut done, mut done_at) = (0, Instant::now());
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        let so_far = flushes.load(Ordering::Relaxed);
        let more = so_far - done;
        if more == 0 || (more < FLUSHES_MIN && done_at.elapsed() < WAIT_MAX) {
            continue;
        }
        (done, done_at) = (so_far, Instant::now());
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(&pool)
            .await
        {
            // The writer does the same when the log grows too long, and reports what ails the disk.
            tracing::debug!(%error, "the log could not be moved into the database file");
        }
    }
}
