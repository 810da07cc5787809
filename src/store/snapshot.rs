//! Reading everything as it stood at one moment, on several connections at once, beside writers.
//! For checkers and reports that must not disturb and must not write.

use std::path::Path;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::bulk::{self, BulkRow};
use super::bulk_sqlite;
use super::{
    BUSY_TIMEOUT, Db, POSTGRES_CONNECTIONS, POSTGRES_WAIT, StoreError, Tx, TxInner, TxState,
    migrate, primary,
};

/// Connections of a reader: more than a snapshot takes.
const READERS_MAX: u32 = 16;

/// One of the connections that see the same moment.
#[derive(Debug)]
pub struct Reader(Tx);

impl Reader {
    /// For ordinary statements. Nothing can be written.
    pub const fn tx(&mut self) -> &mut Tx {
        &mut self.0
    }

    /// Hands every row of a statement to `each`, at the speed of the engine; columns are read by
    /// place. The one value of the statement is `$1` on SQLite and `current_setting('hocphi.bulk')`
    /// on PostgreSQL, whose bulk reads take no parameters.
    ///
    /// SQLite reads on the thread that asks, until it is done.
    ///
    /// # Errors
    /// [`StoreError`] of the engine. The state is lost with it.
    pub async fn bulk<S, F>(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        value: &str,
        mut state: S,
        each: F,
    ) -> Result<S, StoreError>
    where
        S: Send,
        F: Fn(&mut S, &BulkRow<'_>) + Send,
    {
        match &mut self.0.inner {
            TxInner::Sqlite(tx) => {
                let mut handle = tx.lock_handle().await?;
                bulk_sqlite::read(&mut handle, sqlite, value, |row| each(&mut state, row))?;
            }
            TxInner::Postgres(tx) => {
                sqlx::query("SELECT set_config('hocphi.bulk', $1, TRUE)")
                    .bind(value)
                    .execute(&mut **tx)
                    .await?;
                bulk::from_postgres(tx, postgres, |row| each(&mut state, row)).await?;
            }
        }
        Ok(state)
    }
}

impl Db {
    /// Opens a database that is there already for reading alone: nothing is brought up to date, and
    /// PostgreSQL is told to refuse writes. For replicas, and for tools beside running nodes.
    ///
    /// # Errors
    /// As [`open`](Db::open), and when the schema is not the one of this program.
    pub async fn open_reader(address: &str) -> Result<Self, StoreError> {
        let db = if let Some(file) = address.strip_prefix("sqlite://") {
            if !Path::new(file).is_file() {
                return Err(StoreError::Missing {
                    file: file.to_owned(),
                });
            }
            let options = SqliteConnectOptions::new()
                .filename(file)
                .busy_timeout(BUSY_TIMEOUT)
                // Most of what is read in bulk comes from the system's own cache.
                .pragma("mmap_size", "1073741824");
            Self::Sqlite {
                read: SqlitePoolOptions::new()
                    .max_connections(READERS_MAX)
                    .connect_with(options.clone())
                    .await?,
                write: SqlitePoolOptions::new()
                    .max_connections(1)
                    .connect_lazy_with(options),
                flusher: None,
            }
        } else if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            // Of several addresses the first: whoever wants a replica names it.
            let options = primary::addresses(address)?
                .remove(0)
                .application_name("hocphi reader")
                .options([("default_transaction_read_only", "on")]);
            Self::Postgres(
                PgPoolOptions::new()
                    .max_connections(POSTGRES_CONNECTIONS)
                    .acquire_timeout(POSTGRES_WAIT)
                    .connect_with(options)
                    .await?,
            )
        } else {
            return Err(StoreError::Address {
                address: address.split("//").next().unwrap_or_default().to_owned(),
            });
        };
        migrate::require_current(&db).await?;
        Ok(db)
    }

    /// So many connections that see the same moment, however many writers there are.
    ///
    /// # Errors
    /// [`StoreError`] of the engine.
    pub async fn snapshot(&self, readers: usize) -> Result<Vec<Reader>, StoreError> {
        match self {
            Self::Sqlite { read, write, .. } => {
                // Nobody commits while the readers begin, so that all begin at the same state. One
                // reader has nobody to agree with.
                let pause = match readers {
                    0 | 1 => None,
                    _ => Some(write.begin_with("BEGIN IMMEDIATE").await?),
                };
                let mut found = Vec::with_capacity(readers);
                for _ in 0..readers {
                    let mut tx = read.begin().await?;
                    // A transaction of SQLite begins with its first read.
                    sqlx::query("SELECT COUNT(*) FROM sqlite_schema")
                        .execute(&mut *tx)
                        .await?;
                    found.push(Reader(Tx {
                        inner: TxInner::Sqlite(tx),
                        state: TxState::default(),
                    }));
                }
                if let Some(pause) = pause {
                    pause.rollback().await?;
                }
                Ok(found)
            }
            Self::Postgres(pool) => {
                const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let mut first = pool.begin_with(BEGIN).await?;
                let (snapshot,): (String,) = sqlx::query_as("SELECT pg_export_snapshot()")
                    .fetch_one(&mut *first)
                    .await?;
                if !snapshot.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
                    return Err(StoreError::Contradiction(format!(
                        "{snapshot:?} is not the name of a snapshot"
                    )));
                }
                let mut found = vec![first];
                for _ in 1..readers {
                    let mut tx = pool.begin_with(BEGIN).await?;
                    // The server takes no parameter here.
                    sqlx::query(sqlx::AssertSqlSafe(format!(
                        "SET TRANSACTION SNAPSHOT '{snapshot}'"
                    )))
                    .execute(&mut *tx)
                    .await?;
                    found.push(tx);
                }
                Ok(found
                    .into_iter()
                    .map(|tx| {
                        Reader(Tx {
                            inner: TxInner::Postgres(tx),
                            state: TxState::default(),
                        })
                    })
                    .collect())
            }
        }
    }
}
