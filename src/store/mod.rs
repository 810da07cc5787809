//! One data layer for two engines: embedded SQLite and PostgreSQL. Knows no table.
//!
//! SQL is a literal inside [`Tx::sql`] or [`Db::sql`]; placeholders are `$1 … $n` on both engines.
//! Where the engines truly differ, [`Tx::sql_by_engine`] holds both texts side by side. Batches of
//! rows enter a statement through `ROWS($1: name TYPE, …)`, see [`rows`].

mod bulk;
mod bulk_sqlite;
mod cells;
mod checkpoint;
pub mod copy;
mod flush;
mod migrate;
mod primary;
mod query;
mod rows;
mod snapshot;
mod trouble;
mod types;

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Postgres, Sqlite, Transaction};

use crate::clock::Instant;

pub use bulk::BulkRow;
pub use flush::{Flusher, Flushing};
pub use query::Query;
pub use rows::{Row, Rows, engine_text, rows};
pub use snapshot::Reader;
pub use trouble::Trouble;
pub use types::{Bind, Engine, Record};

/// Conflicts of serialisation are repeated this often before they are reported.
const CONFLICT_RETRIES_MAX: u32 = 8;
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a caller waits for a connection while the server is away or all are taken.
const POSTGRES_WAIT: Duration = Duration::from_secs(10);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A failure of the database or of what is stored in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("database address {address:?} is not understood: use sqlite://FILE or postgres://…")]
    Address { address: String },
    #[error("no address of the database answers as a primary")]
    NoPrimary,
    #[error("no database file {file:?}")]
    Missing { file: String },
    /// Whether the transaction is durable is unknown.
    #[error("the disk does not take the log: {0}")]
    Flush(std::io::Error),
    /// A defect of ours: the error of a statement was not passed on.
    #[error("a statement of the transaction failed before, and nothing can follow it")]
    TransactionEnded,
    #[error("reading in bulk: {0}")]
    Bulk(String),
    /// A reader changes no schema.
    #[error(
        "the database has schema {found}, this program needs {needed}: start a node of this version, or use the program the database was made by"
    )]
    OtherSchema { found: i64, needed: i64 },
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// What is stored contradicts itself: a defect, or somebody changed rows by hand.
    #[error("stored data are contradictory: {0}")]
    Contradiction(String),
}

impl StoreError {
    /// What is wrong with the machine, when it is not us: the same call may succeed later.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Sql(error)
            | Self::Migration(
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _),
            ) => Trouble::of(error),
            Self::NoPrimary => Some(Trouble::Unreachable),
            Self::Flush(_) => Some(Trouble::Disk),
            _ => None,
        }
    }

    /// Stable, for logs and for programs.
    pub fn code(&self) -> &'static str {
        match self.trouble() {
            Some(trouble) => trouble.code(),
            None if self.is_conflict() => "database_conflict",
            None => match self {
                Self::Address { .. } | Self::Missing { .. } => "database_address",
                Self::Migration(_) | Self::OtherSchema { .. } => "database_migration",
                Self::Contradiction(_) => "database_contradiction",
                Self::Sql(_)
                | Self::Bulk(_)
                | Self::NoPrimary
                | Self::Flush(_)
                | Self::TransactionEnded => "database_error",
            },
        }
    }

    /// Another writer was faster and the whole transaction may simply be repeated.
    pub fn is_conflict(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // PostgreSQL: serialization failure, deadlock. SQLite: BUSY and its extended codes.
        matches!(
            error.code().as_deref(),
            Some("40001" | "40P01" | "5" | "261" | "517" | "6")
        )
    }
}

/// A handle to the database; cheap to clone.
#[derive(Clone, Debug)]
pub enum Db {
    /// One writer, several readers: SQLite allows no more.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        /// None: nothing has to last.
        flusher: Option<Flusher>,
    },
    Postgres(PgPool),
}

/// How hard SQLite works for durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A commit that was answered survives loss of power, as with `synchronous = FULL`; see
    /// [`flush`]. The default.
    Full,
    /// Nothing survives; for tests that create hundreds of databases.
    Off,
}

impl Db {
    /// Opens `sqlite://FILE` (created when missing) or `postgres://…`, and brings the schema up to
    /// date. Several addresses of one PostgreSQL, separated by commas, are a primary and its
    /// standbys: see [`primary`].
    ///
    /// # Errors
    /// [`StoreError`] when the address is not understood, the server does not answer, or a migration fails.
    pub async fn open(address: &str) -> Result<Self, StoreError> {
        Self::open_with(address, Durability::Full).await
    }

    /// As [`open`](Self::open), but an embedded database must be there already: for tools that look
    /// at books and must not answer "all well" about an empty new file.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the file is missing.
    pub async fn open_existing(address: &str) -> Result<Self, StoreError> {
        if let Some(file) = address.strip_prefix("sqlite://")
            && !Path::new(file).is_file()
        {
            return Err(StoreError::Missing {
                file: file.to_owned(),
            });
        }
        Self::open(address).await
    }

    /// As [`open`](Self::open), with a chosen durability for SQLite.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(address: &str, durability: Durability) -> Result<Self, StoreError> {
        let db = if let Some(file) = address.strip_prefix("sqlite://") {
            Self::open_sqlite(Path::new(file), durability).await?
        } else if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            let options = PgPoolOptions::new()
                .max_connections(POSTGRES_CONNECTIONS)
                .acquire_timeout(POSTGRES_WAIT);
            let mut addresses = primary::addresses(address)?;
            Self::Postgres(if addresses.len() > 1 {
                primary::connect(options, addresses).await?
            } else {
                options.connect_with(addresses.remove(0)).await?
            })
        } else {
            return Err(StoreError::Address {
                // The address may hold a password: show the scheme alone.
                address: address.split("//").next().unwrap_or_default().to_owned(),
            });
        };
        migrate::run(&db).await?;
        db.flush().done().await?;
        Ok(db)
    }

    async fn open_sqlite(file: &Path, durability: Durability) -> Result<Self, StoreError> {
        bulk_sqlite::count_no_memory();
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                // What is missing to FULL is done by the flusher.
                Durability::Full => SqliteSynchronous::Normal,
                Durability::Off => SqliteSynchronous::Off,
            })
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // A hot statement is prepared once for each power of two of rows.
            .statement_cache_capacity(512)
            // A payment touches a little of many pages: small ones make for less to write. Of new files.
            .page_size(2048)
            .pragma("cache_size", "-32000")
            // Pages as they were before a statement: written to a file otherwise, twice as many as the log takes.
            .pragma("temp_store", "MEMORY")
            // 256 MiB: a brake; see `checkpoint`.
            .pragma("wal_autocheckpoint", "131072");
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            // When a disk fails SQLite ends the transaction by itself, and sqlx goes on counting it:
            // without a new connection nothing could be written until a restart.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options.clone())
            .await?;
        let read = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .connect_with(
                options
                    .create_if_missing(false)
                    .pragma("cache_size", "-2000"),
            )
            .await?;
        let flusher = match durability {
            Durability::Full => {
                let flusher = flush::settle(file, &write).await?;
                checkpoint::start(&read, flusher.flushes());
                Some(flusher)
            }
            Durability::Off => None,
        };
        Ok(Self::Sqlite {
            read,
            write,
            flusher,
        })
    }

    pub const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// A statement outside a transaction, for reads.
    pub fn sql(&self, text: &'static str) -> Query<'_> {
        match self {
            Self::Sqlite { read, .. } => Query::on_sqlite_pool(read, text, self.is_lost()),
            Self::Postgres(pool) => Query::on_postgres_pool(pool, text),
        }
    }

    /// A statement outside a transaction whose text differs between the engines.
    pub fn sql_by_engine(&self, sqlite: &'static str, postgres: &'static str) -> Query<'_> {
        self.sql(match self.engine() {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        })
    }

    /// Runs `work` in one transaction and commits it; rolls back when it fails. Conflicts with other
    /// writers repeat the whole closure, so nothing outside the database may happen in it. Returns when
    /// the transaction is durable.
    ///
    /// `name` names the use case in logs.
    ///
    /// # Errors
    /// What `work` returned, or the [`StoreError`] of beginning or committing.
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: AsyncFn(&mut Tx) -> Result<T, E>,
    {
        let (value, flushing) = self.commit(name, work).await?;
        flushing.done().await?;
        Ok(value)
    }

    /// As [`write`](Self::write), but returns when the transaction is committed, so that the next one
    /// need not wait for the disk as well.
    ///
    /// # Errors
    /// As [`write`](Self::write); those of the disk come with [`Flushing::done`].
    pub async fn commit<T, E, F>(&self, name: &'static str, work: F) -> Result<(T, Flushing), E>
    where
        E: From<StoreError>,
        F: AsyncFn(&mut Tx) -> Result<T, E>,
    {
        let mut attempt = 0;
        loop {
            let mut tx = self.begin().await?;
            let outcome = work(&mut tx).await;
            let conflicted = match outcome {
                Ok(value) => match tx.commit().await {
                    Ok(()) => return Ok((value, self.flush())),
                    Err(error) if error.is_conflict() && attempt < CONFLICT_RETRIES_MAX => true,
                    Err(error) => return Err(error.into()),
                },
                Err(error) => {
                    let conflicted = tx.state.has_conflicted && attempt < CONFLICT_RETRIES_MAX;
                    tx.roll_back().await;
                    if !conflicted {
                        return Err(error);
                    }
                    true
                }
            };
            if conflicted {
                attempt += 1;
                tracing::debug!(transaction = name, attempt, "conflict, repeating");
                tokio::time::sleep(Duration::from_millis(2 << attempt)).await;
            }
        }
    }

    /// Makes every commit before the call durable. PostgreSQL sees to it in the commit.
    fn flush(&self) -> Flushing {
        match self {
            Self::Sqlite {
                flusher: Some(flusher),
                ..
            } => flusher.flush(),
            Self::Sqlite { flusher: None, .. } | Self::Postgres(_) => Flushing::DONE,
        }
    }

    fn is_lost(&self) -> bool {
        match self {
            Self::Sqlite {
                flusher: Some(flusher),
                ..
            } => flusher.has_failed(),
            Self::Sqlite { flusher: None, .. } | Self::Postgres(_) => false,
        }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        if self.is_lost() {
            return Err(flush::lost());
        }
        let inner = match self {
            // A read that turns into a write fails at once on SQLite; begin as a writer.
            Self::Sqlite { write, .. } => {
                TxInner::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?)
            }
            Self::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        Ok(Tx {
            inner,
            state: TxState::default(),
        })
    }

    /// What the server takes for the time of day; `None` for an embedded database, which has no clock
    /// but that of this machine.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not answer.
    pub async fn server_time(&self) -> Result<Option<Instant>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres(_) => {
                let (now,) = self.sql("SELECT clock_timestamp()").one().await?;
                Ok(Some(now))
            }
        }
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
                // The log goes with its last connection; whoever flushes it lets it go as well, or the
                // disk could not be unmounted.
                if let Err(error) = self.flush().done().await {
                    tracing::debug!(%error, "the log of a closed database is not flushed");
                }
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction in progress.
#[derive(Debug)]
pub struct Tx {
    inner: TxInner,
    state: TxState,
}

/// What the statements of a transaction met.
#[derive(Debug, Default)]
struct TxState {
    /// A statement failed. On PostgreSQL nothing can follow it; on SQLite nothing may, since a batch that
    /// fails ends the transaction (`OR ROLLBACK`, see [`rows`]) and what follows would stand alone.
    is_broken: bool,
    has_conflicted: bool,
}

#[derive(Debug)]
enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub const fn engine(&self) -> Engine {
        match self.inner {
            TxInner::Sqlite(_) => Engine::Sqlite,
            TxInner::Postgres(_) => Engine::Postgres,
        }
    }

    /// A statement of this transaction.
    pub fn sql(&mut self, text: &'static str) -> Query<'_> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => Query::on_sqlite(tx, &mut self.state, text),
            TxInner::Postgres(tx) => Query::on_postgres(tx, &mut self.state, text),
        }
    }

    /// A statement whose text differs between the engines.
    pub fn sql_by_engine(&mut self, sqlite: &'static str, postgres: &'static str) -> Query<'_> {
        let text = match self.engine() {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        };
        self.sql(text)
    }

    /// Makes every join of this transaction go by index. For small batches against large tables:
    /// PostgreSQL cannot know how few rows a `ROWS(…)` holds and would read whole tables for it,
    /// the more willingly the fresher its statistics are missing. What every batch does alike is then
    /// planned once a connection and not each time. SQLite does so by itself.
    ///
    /// # Errors
    /// [`StoreError`] of the engine.
    pub async fn join_by_index(&mut self) -> Result<(), StoreError> {
        if self.engine() == Engine::Postgres {
            self.sql(
                "SELECT set_config('enable_hashjoin', 'off', TRUE),
                        set_config('enable_mergejoin', 'off', TRUE),
                        set_config('enable_seqscan', 'off', TRUE),
                        set_config('plan_cache_mode', 'force_generic_plan', TRUE)",
            )
            .run()
            .await?;
        }
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        if self.state.is_broken {
            self.roll_back().await;
            return Err(StoreError::TransactionEnded);
        }
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit().await?,
            TxInner::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    async fn roll_back(self) {
        let result = match self.inner {
            TxInner::Sqlite(tx) => tx.rollback().await,
            TxInner::Postgres(tx) => tx.rollback().await,
        };
        if let Err(error) = result {
            // The connection is discarded, which rolls back as well.
            tracing::debug!(%error, "explicit roll-back failed");
        }
    }
}
