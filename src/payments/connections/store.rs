//! Statements of connections.

use super::NewConnection;
use crate::clock::Instant;
use crate::ids::{ConnectionId, SchoolId};
use crate::payments::books::Channel;
use crate::payments::listing::store::Switch;
use crate::store::{Db, StoreError, Tx};
use crate::stored_as_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Enabled,
    Disabled,
}

stored_as_text!(State {
    Enabled = "ENABLED",
    Disabled = "DISABLED",
});

#[derive(sqlx::FromRow)]
pub(super) struct ConnectionRow {
    pub school_id: SchoolId,
    pub provider: String,
    pub display_name: String,
    pub channel: Channel,
    pub state: State,
    pub credentials: String,
    pub previous_credentials: Option<String>,
    pub previous_until: Option<Instant>,
    pub sources: Option<String>,
}

pub(super) async fn connection(
    db: &Db,
    id: &ConnectionId,
) -> Result<Option<ConnectionRow>, StoreError> {
    db.sql(
        "SELECT school_id, provider, display_name, channel, state, credentials,
                previous_credentials, previous_until, sources
           FROM provider_connection WHERE connection_id = $1",
    )
    .bind(id.clone())
    .optional()
    .await
}

pub(super) async fn put(tx: &mut Tx, new: &NewConnection, sealed: &str) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO provider_connection
                (school_id, connection_id, provider, display_name, channel, credentials, state)
         VALUES ($1, $2, $3, $4, $5, $6, 'ENABLED')
         ON CONFLICT (school_id, connection_id) DO UPDATE
            SET display_name = excluded.display_name, credentials = excluded.credentials,
                previous_credentials = NULL, previous_until = NULL, state = 'ENABLED'",
    )
    .bind(new.school_id.clone())
    .bind(new.connection_id.clone())
    .bind(new.provider.clone())
    .bind(new.display_name.clone())
    .bind(new.channel)
    .bind(sealed.to_owned())
    .run()
    .await?;
    Ok(())
}

pub(super) async fn credentials(
    tx: &mut Tx,
    id: &ConnectionId,
) -> Result<Option<String>, StoreError> {
    let found: Option<(String,)> = tx
        .sql("SELECT credentials FROM provider_connection WHERE connection_id = $1")
        .bind(id.clone())
        .optional()
        .await?;
    Ok(found.map(|(sealed,)| sealed))
}

/// Puts new credentials in the place of `old`; answers how many rows still held those.
pub(super) async fn rotate(
    tx: &mut Tx,
    id: &ConnectionId,
    old: &str,
    new: &str,
    overlap_until: Instant,
) -> Result<u64, StoreError> {
    tx.sql(
        "UPDATE provider_connection
            SET credentials = $3, previous_credentials = $2, previous_until = $4
          WHERE connection_id = $1 AND credentials = $2",
    )
    .bind(id.clone())
    .bind(old.to_owned())
    .bind(new.to_owned())
    .bind(overlap_until)
    .run()
    .await
}

pub(super) async fn switch(
    tx: &mut Tx,
    id: &ConnectionId,
    state: State,
) -> Result<u64, StoreError> {
    tx.sql("UPDATE provider_connection SET state = $2 WHERE connection_id = $1")
        .bind(id.clone())
        .bind(state)
        .run()
        .await
}

pub(super) async fn set_sources(
    tx: &mut Tx,
    id: &ConnectionId,
    sources: Option<String>,
) -> Result<u64, StoreError> {
    tx.sql("UPDATE provider_connection SET sources = $2 WHERE connection_id = $1")
        .bind(id.clone())
        .bind(sources)
        .run()
        .await
}

/// A connection for people, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ConnectionLine {
    pub connection_id: ConnectionId,
    pub provider: String,
    pub display_name: String,
    pub channel: Channel,
    pub state: State,
    pub previous_until: Option<Instant>,
    pub sources: Option<String>,
    /// When the last message came, proven or not.
    pub last_message: Option<Instant>,
    /// When the last proven message came.
    pub last_proven: Option<Instant>,
    /// Flows that wait for an answer of the provider.
    pub open_flows: i64,
    /// Flows that a person must look at.
    pub held_flows: i64,
    /// The provider's own list of movements; none where it has none or nobody looked yet.
    pub list: Option<Switch>,
    /// When it was last read to the end.
    pub list_read: Option<Instant>,
    /// Movements found in it whose notice had not come.
    pub list_found: i64,
    /// Why it was not read to the end.
    pub list_problem: Option<String>,
}

/// The connections of a school.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn list(db: &Db, school: &SchoolId) -> Result<Vec<ConnectionLine>, StoreError> {
    db.sql(
        "SELECT c.connection_id, c.provider, c.display_name, c.channel, c.state, c.previous_until,
                c.sources,
                (SELECT m.received_at FROM inbound_message m
                  WHERE m.school_id = c.school_id AND m.connection_id = c.connection_id
                  ORDER BY m.message_id DESC LIMIT 1) AS last_message,
                (SELECT m.received_at FROM inbound_message m
                  WHERE m.school_id = c.school_id AND m.connection_id = c.connection_id
                    AND m.verdict = 'AUTHENTIC'
                  ORDER BY m.message_id DESC LIMIT 1) AS last_proven,
                (SELECT COUNT(*) FROM provider_flow f
                  WHERE f.school_id = c.school_id AND f.connection_id = c.connection_id
                    AND f.next_at IS NOT NULL) AS open_flows,
                (SELECT COUNT(*) FROM provider_flow f
                  WHERE f.school_id = c.school_id AND f.connection_id = c.connection_id
                    AND f.state = 'REVIEW') AS held_flows,
                l.state AS list, l.read_at AS list_read, COALESCE(l.found, 0) AS list_found,
                l.problem AS list_problem
           FROM provider_connection c
           LEFT JOIN provider_list l ON l.school_id = c.school_id
                                    AND l.connection_id = c.connection_id
          WHERE c.school_id = $1
          ORDER BY c.display_name, c.connection_id",
    )
    .bind(school.clone())
    .all()
    .await
}
