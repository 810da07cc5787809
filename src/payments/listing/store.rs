//! Statements of lists.

use std::collections::HashMap;

use super::rules::Cursor;
use crate::clock::Instant;
use crate::ids::{ConnectionId, SchoolId};
use crate::store::{Db, StoreError, Tx, rows};
use crate::stored_as_text;

/// Whether the list can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    On,
    /// A credential is missing.
    Off,
}

stored_as_text!(Switch {
    On = "ON",
    Off = "OFF",
});

/// How far the list of a connection has been read.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ListState {
    pub school_id: SchoolId,
    pub connection_id: ConnectionId,
    pub state: Switch,
    pub not_before: Instant,
    pub through_at: Instant,
    pub after_number: Option<String>,
    /// Counts changes; a change is written only over the version it was made from.
    pub version: i64,
    pub found: i64,
    pub faults: i64,
    pub next_at: Instant,
    pub read_at: Option<Instant>,
    pub found_at: Option<Instant>,
    pub problem: Option<String>,
}

impl ListState {
    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            not_before: self.not_before,
            through: self.through_at,
            after: self.after_number.clone(),
            is_begun: self.read_at.is_some(),
        }
    }
}

/// Whether a connection of these providers is new here: a read, so that idle nodes do not disturb
/// the writer.
pub(super) async fn any_new(db: &Db, providers: &[String]) -> Result<bool, StoreError> {
    let found: Option<(ConnectionId,)> = db
        .sql(
            "SELECT c.connection_id
               FROM ROWS($1: provider TEXT) AS r
               JOIN provider_connection c ON c.provider = r.provider
              WHERE c.state = 'ENABLED'
                AND NOT EXISTS (SELECT 1 FROM provider_list l
                                 WHERE l.school_id = c.school_id
                                   AND l.connection_id = c.connection_id)
              LIMIT 1",
        )
        .bind(rows(providers.iter().map(|name| (name.clone(),))))
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Begins to follow the lists of connections that are new here: from their first notice, else from
/// `since`.
pub(super) async fn follow(
    tx: &mut Tx,
    providers: &[String],
    since: Instant,
    now: Instant,
) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO provider_list
                (school_id, connection_id, state, not_before, through_at, version, found, faults,
                 next_at)
         SELECT school_id, connection_id, 'ON',
                CASE WHEN first < $2 THEN first ELSE $2 END,
                CASE WHEN first < $2 THEN first ELSE $2 END, 0, 0, 0, $3
           FROM (SELECT c.school_id, c.connection_id,
                        (SELECT MIN(n.received_at) FROM provider_notice n
                          WHERE n.school_id = c.school_id AND n.provider = c.provider
                            AND n.connection_id = c.connection_id) AS first
                   FROM ROWS($1: provider TEXT) AS r
                   JOIN provider_connection c ON c.provider = r.provider
                  WHERE c.state = 'ENABLED') AS seen
          WHERE TRUE
         ON CONFLICT (school_id, connection_id) DO NOTHING",
    )
    .bind(rows(providers.iter().map(|name| (name.clone(),))))
    .bind(since)
    .bind(now)
    .run()
    .await
}

/// Whether a list is to be read now.
pub(super) async fn any_due(db: &Db, now: Instant) -> Result<bool, StoreError> {
    let found: Option<(ConnectionId,)> = db
        .sql(
            "SELECT connection_id FROM provider_list
              WHERE next_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
              LIMIT 1",
        )
        .bind(now)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Takes due lists until `leased_until`; one whose lease ran out is due again.
pub(super) async fn claim(
    tx: &mut Tx,
    now: Instant,
    leased_until: Instant,
    limit: i64,
) -> Result<Vec<ListState>, StoreError> {
    tx.sql_by_engine(
        "UPDATE provider_list SET leased_until = $2
          WHERE (school_id, connection_id) IN (
                SELECT school_id, connection_id FROM provider_list
                 WHERE next_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
                 ORDER BY next_at LIMIT $3)
         RETURNING school_id, connection_id, state, not_before, through_at, after_number, version, found,
                   faults, next_at, read_at, found_at, problem",
        "UPDATE provider_list SET leased_until = $2
          WHERE (school_id, connection_id) IN (
                SELECT school_id, connection_id FROM provider_list
                 WHERE next_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
                 ORDER BY next_at LIMIT $3
                   FOR UPDATE SKIP LOCKED)
         RETURNING school_id, connection_id, state, not_before, through_at, after_number, version, found,
                   faults, next_at, read_at, found_at, problem",
    )
    .bind(now)
    .bind(leased_until)
    .bind(limit)
    .all()
    .await
}

/// Keeps a list longer; false when somebody else has it.
pub(super) async fn hold(
    tx: &mut Tx,
    state: &ListState,
    leased_until: Instant,
) -> Result<bool, StoreError> {
    let held = tx
        .sql(
            "UPDATE provider_list SET leased_until = $4
              WHERE school_id = $1 AND connection_id = $2 AND version = $3",
        )
        .bind(state.school_id.clone())
        .bind(state.connection_id.clone())
        .bind(state.version)
        .bind(leased_until)
        .run()
        .await?;
    Ok(held == 1)
}

/// Writes how a reading ended and gives the list back; false when somebody else was faster.
pub(super) async fn save(tx: &mut Tx, state: &ListState) -> Result<bool, StoreError> {
    let written = tx
        .sql(
            "UPDATE provider_list
                SET through_at = $4, after_number = $5, found = $6, faults = $7, next_at = $8,
                    read_at = $9, found_at = $10, problem = $11, state = $12, version = version + 1,
                    leased_until = NULL
              WHERE school_id = $1 AND connection_id = $2 AND version = $3",
        )
        .bind(state.school_id.clone())
        .bind(state.connection_id.clone())
        .bind(state.version)
        .bind(state.through_at)
        .bind(state.after_number.clone())
        .bind(state.found)
        .bind(state.faults)
        .bind(state.next_at)
        .bind(state.read_at)
        .bind(state.found_at)
        .bind(state.problem.clone())
        .bind(state.state)
        .run()
        .await?;
    Ok(written == 1)
}

/// What is in the books of these numbers already, with what was said.
pub(super) async fn known(
    db: &Db,
    school: &SchoolId,
    provider: &str,
    numbers: impl Iterator<Item = String>,
) -> Result<HashMap<String, String>, StoreError> {
    let found: Vec<(String, String)> = db
        .sql(
            "SELECT n.notice_key, n.fingerprint
               FROM ROWS($1: notice_key TEXT) AS r
               JOIN provider_notice n ON n.notice_key = r.notice_key
              WHERE n.school_id = $2 AND n.provider = $3",
        )
        .bind(rows(numbers.map(|number| (number,))))
        .bind(school.clone())
        .bind(provider.to_owned())
        .all()
        .await?;
    Ok(found.into_iter().collect())
}

/// How far the list of a connection has been read.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn of_connection(
    db: &Db,
    school: &SchoolId,
    connection: &ConnectionId,
) -> Result<Option<ListState>, StoreError> {
    db.sql(
        "SELECT school_id, connection_id, state, not_before, through_at, after_number, version, found,
                faults, next_at, read_at, found_at, problem
           FROM provider_list WHERE school_id = $1 AND connection_id = $2",
    )
    .bind(school.clone())
    .bind(connection.clone())
    .optional()
    .await
}
