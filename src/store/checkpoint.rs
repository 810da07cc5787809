//! Moves SQLite's write-ahead log into the file beside the writer, which then never stops for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqlitePool;

const PAUSE: Duration = Duration::from_millis(250);
/// A smaller log is left alone: pages written again and again go to the file once.
const LOG_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// Runs until the pool is closed.
pub(super) fn start(file: &Path, pool: &SqlitePool) {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    tokio::spawn(run(log.into(), pool.clone()));
}

async fn run(log: PathBuf, pool: SqlitePool) {
    let closed = pool.close_event();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        // No log: nothing was written yet.
        if !std::fs::metadata(&log).is_ok_and(|facts| facts.len() >= LOG_BYTES_MIN) {
            continue;
        }
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(&pool)
            .await
        {
            // The writer does the same when the log grows too long, and reports what ails the disk.
            tracing::debug!(%error, "the log could not be moved into the database file");
        }
    }
}
