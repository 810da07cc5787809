//! A statement with its values, ready for either engine.

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query as SqlxQuery;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments, PgConnection, Postgres, Sqlite, SqliteConnection};

use super::cells::Cell;
use super::rows::{Kind, Rows, Shape, expanded, takes_rows};
use super::{Bind, Record, StoreError, TxState, flush};

/// Built by `sql(…)`; bind the values in the order of the placeholders, then choose how to fetch.
#[must_use]
pub struct Query<'c> {
    literal: &'static str,
    inner: Inner<'c>,
    /// The first value that an engine's encoding refused.
    refused: Option<sqlx::error::BoxDynError>,
    state: Option<&'c mut TxState>,
    /// What would be read may be gone after a restart.
    is_lost: bool,
}

enum Inner<'c> {
    Sqlite(&'static str, SqliteArguments, SqliteTarget<'c>),
    Postgres(&'static str, PgArguments, PostgresTarget<'c>),
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
        let Query {
            inner,
            refused,
            state,
            is_lost,
            ..
        } = $query;
        if is_lost {
            return Err(flush::lost());
        }
        if state.as_ref().is_some_and(|state| state.is_broken) {
            return Err(StoreError::TransactionEnded);
        }
        if let Some(error) = refused {
            return Err(sqlx::Error::Encode(error).into());
        }
        let result = match inner {
            Inner::Sqlite(text, values, SqliteTarget::Connection(target)) => sqlite(text, values)
                .$method(target)
                .await
                .map(Fetched::Sqlite),
            Inner::Sqlite(text, values, SqliteTarget::Pool(target)) => sqlite(text, values)
                .$method(target)
                .await
                .map(Fetched::Sqlite),
            Inner::Postgres(text, values, PostgresTarget::Connection(target)) => {
                postgres(text, values)
                    .$method(target)
                    .await
                    .map(Fetched::Postgres)
            }
            Inner::Postgres(text, values, PostgresTarget::Pool(target)) => postgres(text, values)
                .$method(target)
                .await
                .map(Fetched::Postgres),
        };
        result.map_err(|error| noted(error.into(), state))
    }};
}

enum Fetched<S, P> {
    Sqlite(S),
    Postgres(P),
}

fn noted(error: StoreError, state: Option<&mut TxState>) -> StoreError {
    if let Some(state) = state {
        state.is_broken = true;
        state.has_conflicted |= error.is_conflict();
    }
    error
}

fn sqlite(
    text: &'static str,
    values: SqliteArguments,
) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
    sqlx::query_with(text, values)
}

fn postgres(text: &'static str, values: PgArguments) -> SqlxQuery<'static, Postgres, PgArguments> {
    sqlx::query_with(text, values)
}

impl<'c> Query<'c> {
    fn new(literal: &'static str, inner: Inner<'c>, state: Option<&'c mut TxState>) -> Self {
        Self {
            literal,
            inner,
            refused: None,
            state,
            is_lost: false,
        }
    }

    pub(super) fn on_sqlite(
        connection: &'c mut SqliteConnection,
        state: &'c mut TxState,
        literal: &'static str,
    ) -> Self {
        let target = SqliteTarget::Connection(connection);
        let inner = Inner::Sqlite(literal, SqliteArguments::default(), target);
        Self::new(literal, inner, Some(state))
    }

    pub(super) fn on_postgres(
        connection: &'c mut PgConnection,
        state: &'c mut TxState,
        literal: &'static str,
    ) -> Self {
        let target = PostgresTarget::Connection(connection);
        let inner = Inner::Postgres(literal, PgArguments::default(), target);
        Self::new(literal, inner, Some(state))
    }

    /// `is_lost`: see [`flush`](super::flush).
    pub(super) fn on_sqlite_pool(
        pool: &'c SqlitePool,
        literal: &'static str,
        is_lost: bool,
    ) -> Self {
        let inner = Inner::Sqlite(
            literal,
            SqliteArguments::default(),
            SqliteTarget::Pool(pool),
        );
        Self {
            is_lost,
            ..Self::new(literal, inner, None)
        }
    }

    pub(super) fn on_postgres_pool(pool: &'c PgPool, literal: &'static str) -> Self {
        let inner = Inner::Postgres(literal, PgArguments::default(), PostgresTarget::Pool(pool));
        Self::new(literal, inner, None)
    }

    /// Binds the value of the next placeholder.
    pub fn bind<T: Bind>(mut self, value: T) -> Self {
        value.bind_to(&mut self);
        self
    }

    /// A single value.
    pub(super) fn push<T>(&mut self, value: T)
    where
        T: for<'q> sqlx::Encode<'q, Sqlite>
            + sqlx::Type<Sqlite>
            + for<'q> sqlx::Encode<'q, Postgres>
            + sqlx::Type<Postgres>,
    {
        let added = match &mut self.inner {
            Inner::Sqlite(_, values, _) => values.add(value),
            Inner::Postgres(_, values, _) => values.add(value),
        };
        self.note(added);
    }

    fn note(&mut self, added: Result<(), sqlx::error::BoxDynError>) {
        if let Err(error) = added {
            self.refused.get_or_insert(error);
        }
    }

    /// A batch, which decides how the statement reads on this engine.
    pub(super) fn push_rows(&mut self, rows: Rows) {
        debug_assert!(takes_rows(self.literal), "{} takes no batch", self.literal);
        let added = match &mut self.inner {
            Inner::Sqlite(text, values, _) => {
                let shape = rows.shape(self.literal);
                let statement = expanded(self.literal, Some(shape));
                *text = statement.text;
                list(values, rows, shape, statement.columns.len())
            }
            Inner::Postgres(text, values, _) => {
                let statement = expanded(self.literal, None);
                *text = statement.text;
                columns(values, rows, statement.columns)
            }
        };
        self.note(added);
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

type Added = Result<(), sqlx::error::BoxDynError>;

/// Cells of a `VALUES` list, filled up with NULL, and the number of rows that count.
fn list(values: &mut SqliteArguments, rows: Rows, shape: Shape, width: usize) -> Added {
    let Shape::Listed(slots) = shape else {
        return values.add(rows.json());
    };
    let free = (slots * width)
        .checked_sub(rows.cells.len())
        .ok_or_else(|| format!("a row of this batch has more than {width} cells"))?;
    values.reserve(slots * width + 1, 0);
    for cell in rows.cells {
        match cell {
            Cell::Null => values.add(None::<i64>)?,
            Cell::Integer(value) => values.add(value)?,
            Cell::Text(value) => values.add(value)?,
        }
    }
    for _ in 0..free {
        values.add(None::<i64>)?;
    }
    values.add(i64::try_from(rows.count)?)
}

/// One array a column.
fn columns(values: &mut PgArguments, rows: Rows, columns: &[(&str, Kind)]) -> Added {
    if rows.cells.len() != rows.count * columns.len() {
        return Err(format!("a row of this batch has not {} cells", columns.len()).into());
    }
    for (place, (name, kind)) in columns.iter().enumerate() {
        let cells = rows.cells.iter().skip(place).step_by(columns.len());
        match kind {
            Kind::Text | Kind::Day => values.add(
                cells
                    .map(|cell| match cell {
                        Cell::Null => Ok(None),
                        Cell::Text(value) => Ok(Some(value.as_str())),
                        Cell::Integer(_) => Err(format!("{name} takes text")),
                    })
                    .collect::<Result<Vec<_>, _>>()?,
            )?,
            Kind::BigInt | Kind::Instant => values.add(
                cells
                    .map(|cell| match cell {
                        Cell::Null => Ok(None),
                        Cell::Integer(value) => Ok(Some(*value)),
                        Cell::Text(_) => Err(format!("{name} takes a whole number")),
                    })
                    .collect::<Result<Vec<_>, _>>()?,
            )?,
        }
    }
    Ok(())
}
