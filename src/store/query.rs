//! A statement with its values, ready for either engine.

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query as SqlxQuery;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection};

use super::rows::engine_text;
use super::{Bind, Engine, Record, StoreError};

/// Built by `sql(…)`; bind the values in the order of the placeholders, then choose how to fetch.
#[must_use]
pub struct Query<'c> {
    inner: Inner<'c>,
    conflicted: Option<&'c mut bool>,
}

enum Inner<'c> {
    Sqlite(SqlxQuery<'c, Sqlite, SqliteArguments>, SqliteTarget<'c>),
    Postgres(SqlxQuery<'c, Postgres, PgArguments>, PostgresTarget<'c>),
}

enum SqliteTarget<'c> {
    Connection(&'c mut SqliteConnection),
    Pool(&'c SqlitePool),
}

enum PostgresTarget<'c> {
    Connection(&'c mut PgConnection),
    Pool(&'c PgPool),
}

/// Runs one fetch method on whichever engine and target the query holds.
macro_rules! run {
    ($query:expr, $method:ident) => {{
        let Query { inner, conflicted } = $query;
        let result = match inner {
            Inner::Sqlite(query, SqliteTarget::Connection(target)) => {
                query.$method(target).await.map(Fetched::Sqlite)
            }
            Inner::Sqlite(query, SqliteTarget::Pool(target)) => {
                query.$method(target).await.map(Fetched::Sqlite)
            }
            Inner::Postgres(query, PostgresTarget::Connection(target)) => {
                query.$method(target).await.map(Fetched::Postgres)
            }
            Inner::Postgres(query, PostgresTarget::Pool(target)) => {
                query.$method(target).await.map(Fetched::Postgres)
            }
        };
        result.map_err(|error| noted(error.into(), conflicted))
    }};
}

enum Fetched<S, P> {
    Sqlite(S),
    Postgres(P),
}

fn noted(error: StoreError, conflicted: Option<&mut bool>) -> StoreError {
    if let Some(flag) = conflicted {
        *flag |= error.is_conflict();
    }
    error
}

impl<'c> Query<'c> {
    pub(super) fn on_sqlite(
        connection: &'c mut SqliteConnection,
        conflicted: &'c mut bool,
        text: &'static str,
    ) -> Self {
        Self {
            inner: Inner::Sqlite(
                sqlx::query(engine_text(text, Engine::Sqlite)),
                SqliteTarget::Connection(connection),
            ),
            conflicted: Some(conflicted),
        }
    }

    pub(super) fn on_postgres(
        connection: &'c mut PgConnection,
        conflicted: &'c mut bool,
        text: &'static str,
    ) -> Self {
        Self {
            inner: Inner::Postgres(
                sqlx::query(engine_text(text, Engine::Postgres)),
                PostgresTarget::Connection(connection),
            ),
            conflicted: Some(conflicted),
        }
    }

    pub(super) fn on_sqlite_pool(pool: &'c SqlitePool, text: &'static str) -> Self {
        Self {
            inner: Inner::Sqlite(
                sqlx::query(engine_text(text, Engine::Sqlite)),
                SqliteTarget::Pool(pool),
            ),
            conflicted: None,
        }
    }

    pub(super) fn on_postgres_pool(pool: &'c PgPool, text: &'static str) -> Self {
        Self {
            inner: Inner::Postgres(
                sqlx::query(engine_text(text, Engine::Postgres)),
                PostgresTarget::Pool(pool),
            ),
            conflicted: None,
        }
    }

    /// Binds the value of the next placeholder.
    pub fn bind<T: Bind>(mut self, value: T) -> Self {
        self.inner = match self.inner {
            Inner::Sqlite(query, target) => Inner::Sqlite(query.bind(value), target),
            Inner::Postgres(query, target) => Inner::Postgres(query.bind(value), target),
        };
        self
    }

    /// Runs the statement; answers how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`] of the engine.
    pub async fn run(self) -> Result<u64, StoreError> {
        Ok(match run!(self, execute)? {
            Fetched::Sqlite(done) => done.rows_affected(),
            Fetched::Postgres(done) => done.rows_affected(),
        })
    }

    /// All rows.
    ///
    /// # Errors
    /// [`StoreError`] of the engine, or of a row that does not fit `T`.
    pub async fn all<T: Record>(self) -> Result<Vec<T>, StoreError> {
        Ok(match run!(self, fetch_all)? {
            Fetched::Sqlite(rows) => rows
                .iter()
                .map(<T as sqlx::FromRow<'_, SqliteRow>>::from_row)
                .collect::<Result<_, _>>()?,
            Fetched::Postgres(rows) => rows
                .iter()
                .map(<T as sqlx::FromRow<'_, PgRow>>::from_row)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The only row, if there is one.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub async fn optional<T: Record>(self) -> Result<Option<T>, StoreError> {
        Ok(match run!(self, fetch_optional)? {
            Fetched::Sqlite(row) => row
                .as_ref()
                .map(<T as sqlx::FromRow<'_, SqliteRow>>::from_row)
                .transpose()?,
            Fetched::Postgres(row) => row
                .as_ref()
                .map(<T as sqlx::FromRow<'_, PgRow>>::from_row)
                .transpose()?,
        })
    }

    /// The only row.
    ///
    /// # Errors
    /// As [`all`](Self::all); also when there is no row.
    pub async fn one<T: Record>(self) -> Result<T, StoreError> {
        Ok(match run!(self, fetch_one)? {
            Fetched::Sqlite(row) => <T as sqlx::FromRow<'_, SqliteRow>>::from_row(&row)?,
            Fetched::Postgres(row) => <T as sqlx::FromRow<'_, PgRow>>::from_row(&row)?,
        })
    }
}
