//! Forward migrations, one directory an engine, same numbers and names.

use sqlx::migrate::Migrator;

use super::{Db, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Brings the schema up to date; several nodes may start at once.
pub(super) async fn run(db: &Db) -> Result<(), StoreError> {
    match db {
        Db::Sqlite { write, .. } => SQLITE.run(write).await?,
        Db::Postgres(pool) => POSTGRES.run(pool).await?,
    }
    Ok(())
}
