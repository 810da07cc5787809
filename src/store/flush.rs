//! Makes SQLite's commits durable beside the writer: while one transaction waits for the disk the next
//! one runs, and one flush serves all that wait.
//!
//! SQLite appends a commit to its write-ahead log and, with `synchronous = NORMAL`, leaves it to the
//! operating system. [`Db::write`](super::Db::write) returns only after the log was flushed, which is
//! what `FULL` promises to the caller. Others may read a commit a moment before it is durable; whatever
//! acts on what it read does so through a transaction of its own, whose flush covers all before it. After
//! a flush failed nothing is read or written until a restart: what stands in memory alone may be gone
//! then, and nobody may act on it or be shown it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use sqlx::sqlite::SqlitePool;
use tokio::sync::oneshot;

use super::StoreError;

type Answer = oneshot::Sender<Result<(), io::Error>>;

/// What an earlier process left in the log is moved into the database file, which is flushed: after a
/// disk failed, the log alone may look whole in memory only. Then the flusher starts.
///
/// # Errors
/// [`StoreError`] when the file cannot be read or written.
pub(super) async fn settle(database: &Path, write: &SqlitePool) -> Result<Flusher, StoreError> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .execute(write)
        .await?;
    Flusher::start(database).map_err(StoreError::Flush)
}

/// A handle; the thread behind it ends with the last one. SQLite locks the log's index and the database
/// file, never the log itself, so that opening and closing it here takes no lock away.
#[derive(Clone, Debug)]
pub struct Flusher {
    requests: mpsc::Sender<Answer>,
    /// How often the log was flushed.
    flushes: Arc<AtomicU64>,
    has_failed: Arc<AtomicBool>,
}

/// Why nothing is read or written any more.
pub(super) fn lost() -> StoreError {
    StoreError::Flush(io::Error::other(
        "the log could not be flushed before; restart when the disk is well",
    ))
}

impl Flusher {
    /// For the log of this database file.
    fn start(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let (requests, receiver) = mpsc::channel();
        let flushes = Arc::default();
        let has_failed: Arc<AtomicBool> = Arc::default();
        let failing = Arc::clone(&has_failed);
        let log = Log {
            path: path.into(),
            file: None,
            flushes: Arc::clone(&flushes),
        };
        thread::Builder::new()
            .name("hocphi-flush".to_owned())
            .spawn(move || run(log, &receiver, &failing))?;
        Ok(Self {
            requests,
            flushes,
            has_failed,
        })
    }

    pub(super) fn flushes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.flushes)
    }

    /// A flush failed: nothing that is read is certain to be there after a restart.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Begins to make durable what was committed before the call.
    pub(super) fn flush(&self) -> Flushing {
        let (answer, flushed) = oneshot::channel();
        // Unsent, the answer is dropped, and whoever waits for it hears that the thread is gone.
        let _ = self.requests.send(answer);
        Flushing(Some(flushed))
    }
}

/// A transaction that is committed, on its way to the disk. Until [`done`](Self::done) returns nobody may
/// be told of it.
#[derive(Debug)]
#[must_use = "what was committed may be told only when it is durable"]
pub struct Flushing(Option<oneshot::Receiver<io::Result<()>>>);

impl Flushing {
    /// Of an engine whose commit is durable, or of a database that need not last.
    pub(super) const DONE: Self = Self(None);

    /// Whether there is nothing to wait for.
    pub const fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Returns when the transaction is durable.
    ///
    /// # Errors
    /// [`StoreError::Flush`]: nothing is durable any more then until a restart, which reads the log anew.
    pub async fn done(self) -> Result<(), StoreError> {
        let Some(flushed) = self.0 else {
            return Ok(());
        };
        let gone = |_| io::Error::other("the thread that flushes has ended");
        flushed
            .await
            .map_err(gone)
            .flatten()
            .map_err(StoreError::Flush)
    }
}

fn run(mut log: Log, requests: &mpsc::Receiver<Answer>, has_failed: &AtomicBool) {
    // After a failure the system may take lost pages for written ones: no later flush proves anything.
    let mut failed: Option<(io::ErrorKind, String)> = None;
    while let Ok(first) = requests.recv() {
        let waiting: Vec<Answer> = std::iter::once(first).chain(requests.try_iter()).collect();
        if failed.is_none()
            && let Err(error) = log.flush()
        {
            tracing::error!(%error, code = "database_disk_error", "the log cannot be flushed: restart when the disk is well");
            has_failed.store(true, Ordering::Release);
            failed = Some((error.kind(), error.to_string()));
        }
        for answer in waiting {
            // Who asked may have been cancelled meanwhile.
            let _ = answer.send(match &failed {
                None => Ok(()),
                Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
            });
        }
    }
}

struct Log {
    path: PathBuf,
    file: Option<File>,
    flushes: Arc<AtomicU64>,
}

impl Log {
    fn flush(&mut self) -> io::Result<()> {
        // SQLite removes the log when its last connection ends, having flushed the database itself,
        // and makes a new one.
        let there = match std::fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.file = None;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let file = match self.file.take() {
            Some(file) if file.metadata()?.ino() == there.ino() => file,
            _ => self.open()?,
        };
        file.sync_data()?;
        self.file = Some(file);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Opens the log and makes its name durable.
    fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::{Db, StoreError, Trouble};

    async fn noted(db: &Db) -> Result<(), StoreError> {
        db.write("test", async move |tx| {
            tx.sql("CREATE TABLE IF NOT EXISTS noted (n INTEGER)")
                .run()
                .await?;
            tx.sql("INSERT INTO noted (n) VALUES (1)").run().await?;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn after_a_flush_failed_nothing_is_shown_that_may_be_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("books.db");
        let db = Db::open(&format!("sqlite://{}", file.display()))
            .await
            .unwrap();
        noted(&db).await.unwrap();
        // A name that leads to itself: the log is there for SQLite, which holds it open, and cannot be flushed.
        let log = folder.path().join("books.db-wal");
        std::fs::rename(&log, folder.path().join("aside")).unwrap();
        std::os::unix::fs::symlink(&log, &log).unwrap();
        assert_eq!(noted(&db).await.unwrap_err().trouble(), Some(Trouble::Disk));
        let read = db.sql("SELECT COUNT(*) FROM noted").one::<(i64,)>().await;
        assert_eq!(read.unwrap_err().trouble(), Some(Trouble::Disk));
        assert_eq!(noted(&db).await.unwrap_err().trouble(), Some(Trouble::Disk));
    }
}
