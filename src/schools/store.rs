//! SQL of the tree, of schools and of parameters.

use super::parameters::{DatedScope, Entry};
use super::tree::Succession;
use super::units::{School, Unit};
use crate::clock::Day;
use crate::ids::{SchoolId, UnitId};
use crate::store::{Db, Rows, StoreError};

/// The unit with this code.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unit_by_code(db: &Db, code: &str) -> Result<Option<Unit>, StoreError> {
    db.sql("SELECT unit_id, code, name, kind, valid_from, valid_to FROM org_unit WHERE code = $1")
        .bind(code.to_owned())
        .optional()
        .await
}

/// The school with this identifier.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn school(db: &Db, school_id: &SchoolId) -> Result<Option<School>, StoreError> {
    db.sql(
        "SELECT s.school_id, u.code, u.name, s.education_level, s.ownership, s.tax_code,
                s.budget_unit_code, s.address, s.phone, s.bank_bin, s.bank_account,
                s.bank_account_name
           FROM school s JOIN org_unit u ON u.unit_id = s.school_id
          WHERE s.school_id = $1",
    )
    .bind(school_id.clone())
    .optional()
    .await
}

/// The school with this code (mã trường).
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn school_by_code(db: &Db, code: &str) -> Result<Option<School>, StoreError> {
    db.sql(
        "SELECT s.school_id, u.code, u.name, s.education_level, s.ownership, s.tax_code,
                s.budget_unit_code, s.address, s.phone, s.bank_bin, s.bank_account,
                s.bank_account_name
           FROM school s JOIN org_unit u ON u.unit_id = s.school_id
          WHERE u.code = $1",
    )
    .bind(code.to_owned())
    .optional()
    .await
}

pub(super) async fn units_under(db: &Db, unit: &UnitId, day: Day) -> Result<Vec<Unit>, StoreError> {
    db.sql(
        "WITH RECURSIVE under (unit_id, depth) AS (
             SELECT unit_id, 0 FROM org_unit WHERE unit_id = $1
              UNION ALL
             SELECT r.child_id, under.depth + 1
               FROM under JOIN org_relation r ON r.parent_id = under.unit_id
              WHERE r.relation = 'MANAGES' AND under.depth < 8
                AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2)
         )
         SELECT u.unit_id, u.code, u.name, u.kind, u.valid_from, u.valid_to
           FROM under JOIN org_unit u ON u.unit_id = under.unit_id
          WHERE u.valid_from <= $2 AND (u.valid_to IS NULL OR u.valid_to > $2)
          ORDER BY u.code",
    )
    .bind(unit.clone())
    .bind(day)
    .all()
    .await
}

pub(super) async fn managers_of(db: &Db, unit: &UnitId, day: Day) -> Result<Vec<Unit>, StoreError> {
    db.sql(
        "WITH RECURSIVE above (unit_id, depth) AS (
             SELECT unit_id, 0 FROM org_unit WHERE unit_id = $1
              UNION ALL
             SELECT r.parent_id, above.depth + 1
               FROM above JOIN org_relation r ON r.child_id = above.unit_id
              WHERE r.relation = 'MANAGES' AND above.depth < 8
                AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2)
         )
         SELECT u.unit_id, u.code, u.name, u.kind, u.valid_from, u.valid_to
           FROM above JOIN org_unit u ON u.unit_id = above.unit_id
          WHERE above.depth > 0
          ORDER BY above.depth",
    )
    .bind(unit.clone())
    .bind(day)
    .all()
    .await
}

/// Whether `unit` is `top` or managed by it on `day`.
pub(super) async fn is_under(
    db: &Db,
    unit: &UnitId,
    top: &UnitId,
    day: Day,
) -> Result<bool, StoreError> {
    Ok(unit == top
        || managers_of(db, unit, day)
            .await?
            .iter()
            .any(|manager| manager.unit_id == *top))
}

pub(super) async fn successors(db: &Db, unit: &UnitId) -> Result<Vec<Succession>, StoreError> {
    db.sql(
        "SELECT o.predecessor_id, p.code AS predecessor_code, o.successor_id,
                s.code AS successor_code, o.on_day, o.share
           FROM org_succession o
           JOIN org_unit p ON p.unit_id = o.predecessor_id
           JOIN org_unit s ON s.unit_id = o.successor_id
          WHERE o.predecessor_id = $1
          ORDER BY s.code",
    )
    .bind(unit.clone())
    .all()
    .await
}

pub(super) async fn predecessors(db: &Db, unit: &UnitId) -> Result<Vec<Succession>, StoreError> {
    db.sql(
        "SELECT o.predecessor_id, p.code AS predecessor_code, o.successor_id,
                s.code AS successor_code, o.on_day, o.share
           FROM org_succession o
           JOIN org_unit p ON p.unit_id = o.predecessor_id
           JOIN org_unit s ON s.unit_id = o.successor_id
          WHERE o.successor_id = $1
          ORDER BY p.code",
    )
    .bind(unit.clone())
    .all()
    .await
}

/// The unit (depth 0) and all who ever managed it, each with the days on which they did.
pub(super) async fn scopes_over_time(
    db: &Db,
    unit: &UnitId,
) -> Result<Vec<DatedScope>, StoreError> {
    db.sql(
        "WITH RECURSIVE above (unit_id, depth, valid_from, valid_to) AS (
             SELECT unit_id, 0, valid_from, valid_to FROM org_unit WHERE unit_id = $1
              UNION ALL
             SELECT r.parent_id, above.depth + 1,
                    CASE WHEN r.valid_from > above.valid_from OR above.depth = 0
                         THEN r.valid_from ELSE above.valid_from END,
                    CASE WHEN above.depth = 0 OR above.valid_to IS NULL
                              OR (r.valid_to IS NOT NULL AND r.valid_to < above.valid_to)
                         THEN r.valid_to ELSE above.valid_to END
               FROM above JOIN org_relation r ON r.child_id = above.unit_id
              WHERE r.relation = 'MANAGES' AND above.depth < 8
                AND (above.depth = 0 OR r.valid_to IS NULL OR r.valid_to > above.valid_from)
                AND (above.depth = 0 OR above.valid_to IS NULL OR r.valid_from < above.valid_to)
         )
         SELECT u.code AS scope, CAST(above.depth AS BIGINT) AS depth,
                above.valid_from, above.valid_to
           FROM above JOIN org_unit u ON u.unit_id = above.unit_id
          ORDER BY above.depth, above.valid_from",
    )
    .bind(unit.clone())
    .all()
    .await
}

/// All parameters of the scopes in `scopes` (the JSON of [`rows`](crate::store::rows)).
pub(super) async fn parameters(db: &Db, scopes: Rows) -> Result<Vec<Entry>, StoreError> {
    db.sql(
        "SELECT p.key, p.scope, p.valid_from, p.valid_to, p.value, p.source
           FROM parameter p
          WHERE p.scope IN (SELECT r.scope FROM ROWS($1: scope TEXT) AS r)
             OR p.scope LIKE 'regime:%'
          ORDER BY p.key, p.scope, p.valid_from",
    )
    .bind(scopes)
    .all()
    .await
}
