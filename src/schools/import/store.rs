//! SQL of imports: what is there, and batches of what changes.
//!
//! Every function that writes takes whole batches; a statement carries at most [`BATCH_ROWS`].

use std::collections::HashMap;

use serde::Serialize;

use super::Batch;
use super::report::count;
use crate::clock::Day;
use crate::schools::parameters::Entry;
use crate::schools::tree::Relation;
use crate::schools::units::{EducationLevel, Ownership, UnitKind};
use crate::store::{Rows, StoreError, Tx, rows};

mod fees;
mod roster;

pub use fees::*;
pub use roster::*;

/// Rows of one statement: large enough to be fast, small enough to bound the memory.
const BATCH_ROWS: usize = 5_000;

/// The batches of `items` as bound values.
fn batches<T: Serialize>(items: &[T]) -> impl Iterator<Item = Rows> {
    items.chunks(BATCH_ROWS).map(rows)
}

/// Remembers the file; `false` when the same file was imported before.
pub async fn begin(tx: &mut Tx, batch: &Batch, row_count: usize) -> Result<bool, StoreError> {
    let added = tx
        .sql(
            "INSERT INTO import_batch (scope, import_id, kind, file_name, file_digest, row_count,
                                       imported_by, imported_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT DO NOTHING",
        )
        .bind(batch.scope.clone())
        .bind(batch.import_id.clone())
        .bind(batch.kind)
        .bind(batch.file_name.clone())
        .bind(batch.digest.clone())
        .bind(i64::try_from(count(row_count)).unwrap_or(i64::MAX))
        .bind(batch.by.clone())
        .bind(batch.at)
        .run()
        .await?;
    Ok(added == 1)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct UnitRow {
    pub unit_id: String,
    pub code: String,
    pub name: String,
    pub kind: UnitKind,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EdgeRow {
    pub child_id: String,
    pub relation: Relation,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
    pub parent_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SchoolRow {
    pub education_level: EducationLevel,
    pub ownership: Ownership,
    pub tax_code: String,
    pub budget_unit_code: Option<String>,
    pub address: String,
    pub phone: Option<String>,
    pub bank_bin: String,
    pub bank_account: String,
    pub bank_account_name: String,
}

pub async fn units(tx: &mut Tx) -> Result<Vec<UnitRow>, StoreError> {
    tx.sql("SELECT unit_id, code, name, kind, valid_from, valid_to FROM org_unit")
        .all()
        .await
}

/// All edges; those of one unit together, by relation and day.
pub async fn edges(tx: &mut Tx) -> Result<Vec<EdgeRow>, StoreError> {
    tx.sql(
        "SELECT child_id, relation, valid_from, valid_to, parent_id
           FROM org_relation ORDER BY child_id, relation, valid_from",
    )
    .all()
    .await
}

#[derive(sqlx::FromRow)]
struct KnownSchool {
    school_id: String,
    #[sqlx(flatten)]
    row: SchoolRow,
}

pub async fn schools(tx: &mut Tx) -> Result<HashMap<String, SchoolRow>, StoreError> {
    let found: Vec<KnownSchool> = tx
        .sql(
            "SELECT school_id, education_level, ownership, tax_code, budget_unit_code, address,
                    phone, bank_bin, bank_account, bank_account_name
               FROM school",
        )
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(|known| (known.school_id, known.row))
        .collect())
}

pub async fn write_units(tx: &mut Tx, units: &[UnitRow]) -> Result<(), StoreError> {
    let units: Vec<_> = units
        .iter()
        .map(|u| {
            (
                &u.unit_id,
                &u.code,
                &u.name,
                u.kind,
                u.valid_from,
                u.valid_to,
            )
        })
        .collect();
    for batch in batches(&units) {
        tx.sql(
            "INSERT INTO org_unit (unit_id, code, name, kind, valid_from, valid_to)
             SELECT r.id, r.code, r.name, r.kind, r.f, r.t
               FROM ROWS($1: id TEXT, code TEXT, name TEXT, kind TEXT, f DAY, t DAY) AS r
              WHERE TRUE
             ON CONFLICT (unit_id) DO UPDATE
                SET name = excluded.name, valid_from = excluded.valid_from,
                    valid_to = excluded.valid_to",
        )
        .bind(batch)
        .run()
        .await?;
    }
    Ok(())
}

pub async fn write_schools(tx: &mut Tx, schools: &[(String, SchoolRow)]) -> Result<(), StoreError> {
    let schools: Vec<_> = schools
        .iter()
        .map(|(id, s)| {
            (
                id,
                s.education_level,
                s.ownership,
                &s.tax_code,
                &s.budget_unit_code,
                &s.address,
                &s.phone,
                &s.bank_bin,
                &s.bank_account,
                &s.bank_account_name,
            )
        })
        .collect();
    for batch in batches(&schools) {
        tx.sql(
            "INSERT INTO school (school_id, education_level, ownership, tax_code, budget_unit_code,
                                 address, phone, bank_bin, bank_account, bank_account_name)
             SELECT r.id, r.level, r.owner, r.tax, r.budget, r.address, r.phone, r.bin, r.account,
                    r.account_name
               FROM ROWS($1: id TEXT, level TEXT, owner TEXT, tax TEXT, budget TEXT, address TEXT,
                         phone TEXT, bin TEXT, account TEXT, account_name TEXT) AS r
              WHERE TRUE
             ON CONFLICT (school_id) DO UPDATE
                SET education_level = excluded.education_level, ownership = excluded.ownership,
                    tax_code = excluded.tax_code, budget_unit_code = excluded.budget_unit_code,
                    address = excluded.address, phone = excluded.phone,
                    bank_bin = excluded.bank_bin, bank_account = excluded.bank_account,
                    bank_account_name = excluded.bank_account_name",
        )
        .bind(batch)
        .run()
        .await?;
    }
    Ok(())
}

/// Writes all edges of the units in `children` anew.
pub async fn replace_edges(
    tx: &mut Tx,
    children: &[String],
    edges: &[EdgeRow],
) -> Result<(), StoreError> {
    let children: Vec<_> = children.iter().map(|child| (child,)).collect();
    for batch in batches(&children) {
        tx.sql(
            "DELETE FROM org_relation
              WHERE child_id IN (SELECT r.id FROM ROWS($1: id TEXT) AS r)",
        )
        .bind(batch)
        .run()
        .await?;
    }
    let edges: Vec<_> = edges
        .iter()
        .map(|e| {
            (
                &e.child_id,
                e.relation,
                e.valid_from,
                e.valid_to,
                &e.parent_id,
            )
        })
        .collect();
    for batch in batches(&edges) {
        tx.sql(
            "INSERT INTO org_relation (child_id, relation, valid_from, valid_to, parent_id)
             SELECT r.child, r.relation, r.f, r.t, r.parent
               FROM ROWS($1: child TEXT, relation TEXT, f DAY, t DAY, parent TEXT) AS r",
        )
        .bind(batch)
        .run()
        .await?;
    }
    Ok(())
}

/// Predecessor, successor, day, share.
pub async fn write_successions(
    tx: &mut Tx,
    successions: &[(String, String, Day, String)],
) -> Result<(), StoreError> {
    for batch in batches(successions) {
        tx.sql(
            "INSERT INTO org_succession (predecessor_id, successor_id, on_day, share)
             SELECT r.before, r.after, r.on_day, r.share
               FROM ROWS($1: before TEXT, after TEXT, on_day DAY, share TEXT) AS r
              WHERE TRUE
             ON CONFLICT (predecessor_id, successor_id) DO UPDATE
                SET on_day = excluded.on_day, share = excluded.share",
        )
        .bind(batch)
        .run()
        .await?;
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ParameterRow {
    #[sqlx(flatten)]
    pub entry: Entry,
    pub status: super::parameters::Status,
}

pub async fn parameters(tx: &mut Tx) -> Result<Vec<ParameterRow>, StoreError> {
    tx.sql(
        "SELECT key, scope, valid_from, valid_to, value, source, status
           FROM parameter ORDER BY key, scope, valid_from",
    )
    .all()
    .await
}

pub async fn write_parameters(tx: &mut Tx, parameters: &[ParameterRow]) -> Result<(), StoreError> {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|ParameterRow { entry: e, status }| {
            (
                &e.key,
                &e.scope,
                e.valid_from,
                e.valid_to,
                &e.value,
                &e.source,
                *status,
            )
        })
        .collect();
    for batch in batches(&parameters) {
        tx.sql(
            "INSERT INTO parameter (key, scope, valid_from, valid_to, value, source, status)
             SELECT r.k, r.scope, r.f, r.t, r.v, r.source, r.status
               FROM ROWS($1: k TEXT, scope TEXT, f DAY, t DAY, v TEXT, source TEXT, status TEXT) AS r
              WHERE TRUE
             ON CONFLICT (key, scope, valid_from) DO UPDATE
                SET valid_to = excluded.valid_to, value = excluded.value,
                    source = excluded.source, status = excluded.status",
        )
        .bind(batch)
        .run()
        .await?;
    }
    Ok(())
}
