//! Moves everything from one database to another, on either engine, and proves that it arrived.
//!
//! Tables, columns, keys and references come from the catalogues of the engines, so a table of a
//! later migration is copied without a word here. Rows travel as JSON arrays in the order of their
//! key, a batch at a time. The source is read in one snapshot; the target is written in one
//! transaction that is committed only after every table was read back and has the same number of rows
//! and the same digest: all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};
use tokio::sync::mpsc;

use super::{Db, StoreError};

/// Rows that are held at a time.
const BATCH_ROWS: usize = 500;
/// Bytes after which a batch is closed.
const BATCH_BYTES: usize = 512 * 1024;

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("bảng {0} của nơi đến đã có dữ liệu")]
    NotEmpty(String),
    #[error("hai lược đồ không khớp: {0}")]
    Schema(String),
    #[error(
        "bảng {table}: nguồn {source_rows} dòng {source_digest}, nơi đến {target_rows} dòng {target_digest}"
    )]
    Differs {
        table: String,
        source_rows: u64,
        source_digest: String,
        target_rows: u64,
        target_digest: String,
    },
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    pub table: String,
    pub rows: u64,
    /// SHA-256 over the rows in the order of their key, the same on both engines.
    pub digest: String,
}

/// What a column holds, as PostgreSQL says it; SQLite knows texts and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Day,
    Moment,
}

impl Kind {
    fn of(declared: &str) -> Option<Self> {
        Some(match declared {
            "text" => Self::Text,
            "bigint" | "integer" | "smallint" => Self::Number,
            "date" => Self::Day,
            "timestamp with time zone" => Self::Moment,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, Default)]
struct Table {
    columns: BTreeMap<String, Option<Kind>>,
    /// In the order of the key.
    key: Vec<String>,
}

type Catalogue = BTreeMap<String, Table>;

/// One side of the copy, inside its transaction.
enum Side {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Copies every table of `from` to `to`, whose schema is up to date and whose tables are empty.
/// `progress` hears of each table that was written.
///
/// # Errors
/// [`CopyError`]; the target is then as it was.
pub async fn copy(
    from: &Db,
    to: &Db,
    mut progress: impl FnMut(&Copied),
) -> Result<Vec<Copied>, CopyError> {
    let mut source = match from {
        Db::Sqlite { read, .. } => Side::Sqlite(read.begin().await?),
        Db::Postgres(pool) => Side::Postgres(
            pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                .await?,
        ),
    };
    let mut target = match to {
        Db::Sqlite { write, .. } => Side::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
        Db::Postgres(pool) => Side::Postgres(pool.begin().await?),
    };
    let tables = agreed(source.catalogue().await?, target.catalogue().await?)?;
    let order = target.order(&tables).await?;
    for name in &order {
        if target.holds_rows(name).await? {
            return Err(CopyError::NotEmpty(name.clone()));
        }
    }
    let mut copied = Vec::with_capacity(order.len());
    for name in &order {
        let table = &tables[name];
        let one = transfer(&mut source, &mut target, name, table).await?;
        progress(&one);
        copied.push(one);
    }
    for one in &copied {
        let (rows, digest) = target.digest(&one.table, &tables[&one.table]).await?;
        if (rows, &digest) != (one.rows, &one.digest) {
            return Err(CopyError::Differs {
                table: one.table.clone(),
                source_rows: one.rows,
                source_digest: one.digest.clone(),
                target_rows: rows,
                target_digest: digest,
            });
        }
    }
    target.commit().await?;
    to.flush().done().await?;
    Ok(copied)
}

/// The tables of both sides, with what PostgreSQL knows about their columns.
fn agreed(source: Catalogue, mut target: Catalogue) -> Result<Catalogue, CopyError> {
    let names = |catalogue: &Catalogue| catalogue.keys().cloned().collect::<BTreeSet<_>>();
    let (here, there) = (names(&source), names(&target));
    if here != there {
        let only: Vec<_> = here.symmetric_difference(&there).collect();
        return Err(CopyError::Schema(format!("{only:?}")));
    }
    for (name, table) in source {
        let other = target.get_mut(&name).expect("the same names");
        // An engine may order a key in its own way.
        let members = |key: &[String]| key.iter().cloned().collect::<BTreeSet<_>>();
        let same = table.columns.keys().eq(other.columns.keys())
            && members(&table.key) == members(&other.key);
        if !same {
            return Err(CopyError::Schema(name));
        }
        for (column, kind) in table.columns {
            let known = other.columns.get_mut(&column).expect("the same columns");
            *known = known.or(kind);
        }
        // One order whatever the direction, so that digests of both can be compared.
        other.key.sort_by_key(|column| column != "school_id");
    }
    Ok(target)
}

async fn transfer(
    source: &mut Side,
    target: &mut Side,
    name: &str,
    table: &Table,
) -> Result<Copied, CopyError> {
    let (sender, mut receiver) = mpsc::channel(2);
    let reading = source.rows(name, table, sender);
    let writing = async {
        let mut rows = 0;
        let mut hash = Sha256::new();
        while let Some(batch) = receiver.recv().await {
            rows += note(&mut hash, &batch)?;
            target.insert(name, table, batch).await?;
        }
        Ok::<_, CopyError>((rows, hex::encode(hash.finalize())))
    };
    let (read, written) = tokio::join!(reading, writing);
    // When writing failed, reading only says that nobody listens.
    let (rows, digest) = written?;
    read?;
    Ok(Copied {
        table: name.to_owned(),
        rows,
        digest,
    })
}

/// Takes rows into a digest in one spelling, since engines write JSON in several.
fn note(hash: &mut Sha256, batch: &[String]) -> Result<u64, CopyError> {
    for row in batch {
        let value: serde_json::Value =
            serde_json::from_str(row).map_err(|error| CopyError::Schema(error.to_string()))?;
        hash.update(value.to_string());
        hash.update(b"\n");
    }
    Ok(batch.len() as u64)
}

impl Side {
    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    async fn catalogue(&mut self) -> Result<Catalogue, CopyError> {
        match self {
            Self::Sqlite(tx) => sqlite_catalogue(tx).await,
            Self::Postgres(tx) => postgres_catalogue(tx).await,
        }
    }

    /// Tables after those they refer to. SQLite looks at references when it commits.
    async fn order(&mut self, tables: &Catalogue) -> Result<Vec<String>, CopyError> {
        match self {
            Self::Sqlite(tx) => {
                sqlx::query("PRAGMA defer_foreign_keys = ON")
                    .execute(&mut **tx)
                    .await?;
                Ok(tables.keys().cloned().collect())
            }
            Self::Postgres(tx) => {
                let references: Vec<(String, String)> = sqlx::query_as(
                    "SELECT DISTINCT conrelid::regclass::TEXT, confrelid::regclass::TEXT
                       FROM pg_constraint
                      WHERE contype = 'f' AND conrelid <> confrelid
                        AND connamespace = current_schema()::regnamespace",
                )
                .fetch_all(&mut **tx)
                .await?;
                sorted(tables, &references)
            }
        }
    }

    async fn holds_rows(&mut self, name: &str) -> Result<bool, CopyError> {
        let text = AssertSqlSafe(format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM {name} LIMIT 1) t"
        ));
        let (count,): (i64,) = match self {
            Self::Sqlite(tx) => sqlx::query_as(text).fetch_one(&mut **tx).await?,
            Self::Postgres(tx) => sqlx::query_as(text).fetch_one(&mut **tx).await?,
        };
        Ok(count > 0)
    }

    /// Sends every row, in the order of the key, until the last or until nobody listens.
    async fn rows(
        &mut self,
        name: &str,
        table: &Table,
        sender: mpsc::Sender<Vec<String>>,
    ) -> Result<(), CopyError> {
        let text = AssertSqlSafe(self.select(name, table)?);
        let mut stream = match self {
            Self::Sqlite(tx) => sqlx::query_scalar::<_, String>(text).fetch(&mut **tx),
            Self::Postgres(tx) => sqlx::query_scalar::<_, String>(text).fetch(&mut **tx),
        };
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(row) = stream.try_next().await? {
            bytes += row.len();
            batch.push(row);
            if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
                bytes = 0;
                if sender.send(std::mem::take(&mut batch)).await.is_err() {
                    return Ok(());
                }
            }
        }
        if !batch.is_empty() {
            // Nobody listens any more when writing failed, which the other side reports.
            let _ = sender.send(batch).await;
        }
        Ok(())
    }

    async fn digest(&mut self, name: &str, table: &Table) -> Result<(u64, String), CopyError> {
        let (sender, mut receiver) = mpsc::channel(2);
        let reading = self.rows(name, table, sender);
        let noting = async {
            let mut rows = 0;
            let mut hash = Sha256::new();
            while let Some(batch) = receiver.recv().await {
                rows += note(&mut hash, &batch)?;
            }
            Ok::<_, CopyError>((rows, hex::encode(hash.finalize())))
        };
        let (read, noted) = tokio::join!(reading, noting);
        let noted = noted?;
        read?;
        Ok(noted)
    }

    fn select(&self, name: &str, table: &Table) -> Result<String, CopyError> {
        let postgres = matches!(self, Self::Postgres(_));
        let mut values = Vec::with_capacity(table.columns.len());
        for (column, kind) in &table.columns {
            values.push(match (postgres, known(name, column, *kind)?) {
                (false, _) | (true, Kind::Text | Kind::Number) => format!("\"{column}\""),
                (true, Kind::Day) => format!("to_char(\"{column}\", 'YYYY-MM-DD')"),
                (true, Kind::Moment) => {
                    format!("(EXTRACT(EPOCH FROM \"{column}\") * 1000000)::BIGINT")
                }
            });
        }
        let order: Vec<String> = table
            .key
            .iter()
            .map(|column| match (postgres, table.columns.get(column)) {
                (true, Some(Some(Kind::Text))) => format!("\"{column}\" COLLATE \"C\""),
                _ => format!("\"{column}\""),
            })
            .collect();
        let function = if postgres {
            "json_build_array"
        } else {
            "json_array"
        };
        let text = if postgres { "::TEXT" } else { "" };
        Ok(format!(
            "SELECT {function}({}){text} FROM {name} ORDER BY {}",
            values.join(", "),
            order.join(", ")
        ))
    }

    async fn insert(
        &mut self,
        name: &str,
        table: &Table,
        batch: Vec<String>,
    ) -> Result<(), CopyError> {
        let columns: Vec<String> = table
            .columns
            .keys()
            .map(|column| format!("\"{column}\""))
            .collect();
        let columns = columns.join(", ");
        let rows = format!("[{}]", batch.join(","));
        match self {
            Self::Sqlite(tx) => {
                let values: Vec<String> = (0..table.columns.len())
                    .map(|place| format!("value ->> {place}"))
                    .collect();
                let text = format!(
                    "INSERT INTO {name} ({columns}) SELECT {} FROM json_each($1)",
                    values.join(", ")
                );
                sqlx::query(AssertSqlSafe(text))
                    .bind(rows)
                    .execute(&mut **tx)
                    .await?;
            }
            Self::Postgres(tx) => {
                let mut values = Vec::with_capacity(table.columns.len());
                for (place, (column, kind)) in table.columns.iter().enumerate() {
                    values.push(match known(name, column, *kind)? {
                        Kind::Text => format!("e ->> {place}"),
                        Kind::Number => format!("(e ->> {place})::BIGINT"),
                        Kind::Day => format!("(e ->> {place})::DATE"),
                        Kind::Moment => format!(
                            "TIMESTAMPTZ 'epoch' + (e ->> {place})::BIGINT * INTERVAL '1 microsecond'"
                        ),
                    });
                }
                let text = format!(
                    "INSERT INTO {name} ({columns}) SELECT {}
                       FROM jsonb_array_elements($1::TEXT::JSONB) AS elements(e)",
                    values.join(", ")
                );
                sqlx::query(AssertSqlSafe(text))
                    .bind(rows)
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Between two SQLite databases nobody says what a column means, and nobody needs it.
fn known(table: &str, column: &str, kind: Option<Kind>) -> Result<Kind, CopyError> {
    kind.ok_or_else(|| CopyError::Schema(format!("{table}.{column} is of no kind that is known")))
}

async fn sqlite_catalogue(tx: &mut SqliteConnection) -> Result<Catalogue, CopyError> {
    let columns: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT t.name, c.name, c.pk
           FROM sqlite_schema t JOIN pragma_table_info(t.name) c
          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'
          ORDER BY t.name, c.pk",
    )
    .fetch_all(tx)
    .await?;
    let mut catalogue = Catalogue::new();
    for (name, column, place) in columns {
        let table = catalogue.entry(name).or_default();
        // Days and moments are texts and numbers here: what a column means, PostgreSQL says.
        table.columns.insert(column.clone(), None);
        if place > 0 {
            table.key.push(column);
        }
    }
    with_keys(catalogue)
}

async fn postgres_catalogue(tx: &mut PgConnection) -> Result<Catalogue, CopyError> {
    let (sequences,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM pg_class
          WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace",
    )
    .fetch_one(&mut *tx)
    .await?;
    if sequences > 0 {
        // Numbers come from rows, which are copied; a sequence would start anew.
        return Err(CopyError::Schema(format!("{sequences} sequences")));
    }
    let columns: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT c.relname::TEXT, a.attname::TEXT, format_type(a.atttypid, NULL),
                COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0)::BIGINT AS place
           FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
          WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
            AND c.relname NOT LIKE '\\_sqlx%'
          ORDER BY c.relname, place",
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut catalogue = Catalogue::new();
    for (name, column, declared, place) in columns {
        let table = catalogue.entry(name).or_default();
        table.columns.insert(column.clone(), Kind::of(&declared));
        if place > 0 {
            table.key.push(column);
        }
    }
    with_keys(catalogue)
}

/// Without a key there is no order in which rows could be compared.
fn with_keys(catalogue: Catalogue) -> Result<Catalogue, CopyError> {
    match catalogue.iter().find(|(_, table)| table.key.is_empty()) {
        Some((name, _)) => Err(CopyError::Schema(format!("{name} has no primary key"))),
        None => Ok(catalogue),
    }
}

/// Tables in an order in which each comes after those it refers to.
fn sorted(tables: &Catalogue, references: &[(String, String)]) -> Result<Vec<String>, CopyError> {
    let mut order: Vec<String> = Vec::with_capacity(tables.len());
    let mut left: BTreeSet<&String> = tables.keys().collect();
    while !left.is_empty() {
        let free: Vec<&String> = left
            .iter()
            .copied()
            .filter(|name| {
                !references
                    .iter()
                    .any(|(from, to)| from == *name && left.contains(to))
            })
            .collect();
        if free.is_empty() {
            return Err(CopyError::Schema(format!("{left:?} refer to each other")));
        }
        for name in free {
            left.remove(name);
            order.push(name.clone());
        }
    }
    Ok(order)
}
