//! Statements of kept messages.

use super::rules::BodyForm;
use crate::clock::Instant;
use crate::ids::{ConnectionId, MessageId, SchoolId};
use crate::store::{Db, StoreError, Tx, rows};
use crate::stored_as_text;

/// Rows on a page and in `hocphi notices list`.
pub const PAGE_ROWS: i64 = 50;

/// Whether the sender was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Authentic,
    Refused,
}

stored_as_text!(Verdict {
    Authentic = "AUTHENTIC",
    Refused = "REFUSED",
});

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Message {
    pub school_id: SchoolId,
    pub message_id: MessageId,
    pub connection_id: ConnectionId,
    pub provider: String,
    pub flow: String,
    pub source: String,
    pub method: String,
    pub path: String,
    pub query: String,
    /// JSON list of pairs.
    pub headers: String,
    pub body: String,
    pub body_form: BodyForm,
    /// Bytes of the body as it came.
    pub size: i64,
    /// 0 when something of it is gone for good.
    pub is_whole: i64,
    /// Secrets of a proven message that are no credentials, sealed.
    pub sealed: Option<String>,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub outcome: String,
    /// How many payments or other reports it carried.
    pub notices: i64,
    pub received_at: Instant,
    pub digest: String,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct MessageLine {
    pub school_id: SchoolId,
    pub message_id: MessageId,
    pub connection_id: ConnectionId,
    pub provider: String,
    pub flow: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub outcome: String,
    pub notices: i64,
    pub is_whole: i64,
    pub received_at: Instant,
    pub replays: i64,
    pub replay_outcome: Option<String>,
}

/// A row of the batch in the order of the statement's columns; a tuple of this length has no
/// `Serialize`.
#[derive(serde::Serialize)]
struct Written<'a>(
    &'a SchoolId,
    &'a MessageId,
    &'a ConnectionId,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    BodyForm,
    i64,
    i64,
    &'a Option<String>,
    Verdict,
    &'a Option<String>,
    &'a Option<String>,
    &'a str,
    i64,
    Instant,
    &'a str,
);

pub(super) async fn insert(tx: &mut Tx, messages: &[Message]) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO inbound_message
                (school_id, message_id, connection_id, provider, flow, source, method, path, query,
                 headers, body, body_form, size, is_whole, sealed, verdict, reason, detail, outcome,
                 notices, received_at, digest)
         SELECT school_id, message_id, connection_id, provider, flow, source, method, path, query,
                headers, body, body_form, size, is_whole, sealed, verdict, reason, detail, outcome, notices,
                received_at, digest
           FROM ROWS($1: school_id TEXT, message_id TEXT, connection_id TEXT, provider TEXT,
                     flow TEXT, source TEXT, method TEXT, path TEXT, query TEXT, headers TEXT,
                     body TEXT, body_form TEXT, size BIGINT, is_whole BIGINT, sealed TEXT, verdict TEXT,
                     reason TEXT, detail TEXT, outcome TEXT, notices BIGINT, received_at INSTANT,
                     digest TEXT) AS r",
    )
    .bind(rows(messages.iter().map(|m| {
        Written(
            &m.school_id,
            &m.message_id,
            &m.connection_id,
            &m.provider,
            &m.flow,
            &m.source,
            &m.method,
            &m.path,
            &m.query,
            &m.headers,
            &m.body,
            m.body_form,
            m.size,
            m.is_whole,
            &m.sealed,
            m.verdict,
            &m.reason,
            &m.detail,
            &m.outcome,
            m.notices,
            m.received_at,
            &m.digest,
        )
    })))
    .run()
    .await?;
    Ok(())
}

/// Deletes the oldest refused messages of a connection, all but the newest `keep`.
pub(super) async fn prune_refused(
    tx: &mut Tx,
    school: &SchoolId,
    connection: &ConnectionId,
    keep: i64,
) -> Result<u64, StoreError> {
    tx.sql(
        "DELETE FROM inbound_message
          WHERE school_id = $1 AND connection_id = $2 AND verdict = 'REFUSED'
            AND message_id <= (SELECT message_id FROM inbound_message
                                WHERE school_id = $1 AND connection_id = $2 AND verdict = 'REFUSED'
                                ORDER BY message_id DESC LIMIT 1 OFFSET $3)",
    )
    .bind(school.clone())
    .bind(connection.clone())
    .bind(keep)
    .run()
    .await
}

/// Deletes a school's messages whose identifiers are older than `before`.
pub(super) async fn prune_old(
    tx: &mut Tx,
    school: &SchoolId,
    before: &MessageId,
) -> Result<u64, StoreError> {
    tx.sql("DELETE FROM inbound_message WHERE school_id = $1 AND message_id < $2")
        .bind(school.clone())
        .bind(before.clone())
        .run()
        .await
}

/// One kept message.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn message(
    db: &Db,
    school: &SchoolId,
    id: &MessageId,
) -> Result<Option<Message>, StoreError> {
    db.sql(
        "SELECT school_id, message_id, connection_id, provider, flow, source, method, path, query,
                headers, body, body_form, size, is_whole, sealed, verdict, reason, detail, outcome, notices,
                received_at, digest
           FROM inbound_message WHERE school_id = $1 AND message_id = $2",
    )
    .bind(school.clone())
    .bind(id.clone())
    .optional()
    .await
}

/// Messages of a school, newest first; `refused_only` leaves out those that were taken.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn list(
    db: &Db,
    school: &SchoolId,
    refused_only: bool,
    page: i64,
) -> Result<Vec<MessageLine>, StoreError> {
    db.sql(
        "SELECT school_id, message_id, connection_id, provider, flow, verdict, reason, outcome,
                notices, is_whole, received_at, replays, replay_outcome
           FROM inbound_message
          WHERE school_id = $1
            AND ($2 = 0 OR outcome NOT IN ('accepted', 'repeated'))
          ORDER BY message_id DESC LIMIT $3 OFFSET $4",
    )
    .bind(school.clone())
    .bind(i64::from(refused_only))
    .bind(PAGE_ROWS + 1)
    .bind(page * PAGE_ROWS)
    .all()
    .await
}

/// Notes that a message was replayed, by whom, and with what result.
pub(super) async fn note_replay(
    tx: &mut Tx,
    school: &SchoolId,
    id: &MessageId,
    (at, by): (Instant, &str),
    outcome: &str,
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE inbound_message
            SET replays = replays + 1, replayed_at = $3, replayed_by = $4, replay_outcome = $5
          WHERE school_id = $1 AND message_id = $2",
    )
    .bind(school.clone())
    .bind(id.clone())
    .bind(at)
    .bind(by.to_owned())
    .bind(outcome.to_owned())
    .run()
    .await?;
    Ok(())
}
