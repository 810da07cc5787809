//! Moves SQLite's write-ahead log into the file beside the writer, which then never stops for it.
//!
//! Little and often: the disk takes what a checkpoint writes all at once, and a commit that wants to be
//! flushed meanwhile waits for the whole of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqlitePool;

const PAUSE: Duration = Duration::from_millis(10);
/// Fewer pages than this wait for company: those written again and again go to the file once.
const PAGES_MIN: u32 = 500;

/// Runs until the pool is closed.
pub(super) fn start(file: &Path, pool: &SqlitePool) {
    let mut index = file.as_os_str().to_owned();
    index.push("-shm");
    tokio::spawn(run(index.into(), pool.clone()));
}

async fn run(index: PathBuf, pool: SqlitePool) {
    let closed = pool.close_event();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        // No index: nothing was written yet.
        if !waiting(&index).is_ok_and(|pages| pages >= PAGES_MIN) {
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

/// Pages in the log that the file does not have yet, by the log's index (SQLite, "WAL-mode File
/// Format" §2: `mxFrame` at 16 and `nBackfill` at 96, in the byte order of the machine). A hint: it may
/// be read in the middle of a change.
fn waiting(index: &Path) -> io::Result<u32> {
    let file = File::open(index)?;
    let number = |place| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, place)?;
        io::Result::Ok(u32::from_ne_bytes(bytes))
    };
    Ok(number(16)?.saturating_sub(number(96)?))
}
