//! Forward migrations, one directory an engine, same numbers and names.

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::{Db, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Brings the schema up to date; several nodes may start at once.
pub(super) async fn run(db: &Db) -> Result<(), StoreError> {
    match db {
        Db::Sqlite { write, .. } => run_sqlite(write).await,
        Db::Postgres(pool) => Ok(POSTGRES.run(pool).await?),
    }
}

/// SQLite changes a constraint by making a table anew, which other tables point to meanwhile: foreign
/// keys are off until the migrations are through, and then all are checked.
async fn run_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let before = applied(&mut connection).await?;
    sqlx::raw_sql("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON")
        .execute(&mut *connection)
        .await?;
    let done = SQLITE.run(&mut *connection).await;
    sqlx::raw_sql("PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF")
        .execute(&mut *connection)
        .await?;
    done?;
    if before == applied(&mut connection).await? {
        return Ok(());
    }
    let broken: Vec<(String,)> =
        sqlx::query_as("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")
            .fetch_all(&mut *connection)
            .await?;
    match broken.first() {
        None => Ok(()),
        Some((table,)) => Err(StoreError::Contradiction(format!(
            "after the migrations rows of {table} point to nothing"
        ))),
    }
}

async fn applied(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let (tables,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if tables == 0 {
        return Ok(0);
    }
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await?;
    Ok(count)
}

/// Refuses a database that is older or newer than this program; changes nothing.
pub(super) async fn require_current(db: &Db) -> Result<(), StoreError> {
    let migrator = match db {
        Db::Sqlite { .. } => &SQLITE,
        Db::Postgres(_) => &POSTGRES,
    };
    let needed = migrator.iter().map(|step| step.version).max().unwrap_or(0);
    let (found,): (i64,) = db
        .sql("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success")
        .one()
        .await?;
    if found == needed {
        Ok(())
    } else {
        Err(StoreError::OtherSchema { found, needed })
    }
}
