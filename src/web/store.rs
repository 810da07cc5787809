//! The one thing the frame of a page reads.

use crate::ids::UnitId;
use crate::store::{Db, StoreError};

/// The name of an office or school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unit_name(db: &Db, unit_id: &UnitId) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = db
        .sql("SELECT name FROM org_unit WHERE unit_id = $1")
        .bind(unit_id.clone())
        .optional()
        .await?;
    Ok(row.map(|(name,)| name))
}

/// Whether the database answers at all.
///
/// # Errors
/// [`StoreError`] saying why not.
pub(super) async fn answers(db: &Db) -> Result<(), StoreError> {
    let (_,): (i64,) = db.sql("SELECT CAST(1 AS BIGINT)").one().await?;
    Ok(())
}
