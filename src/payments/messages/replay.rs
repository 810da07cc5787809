//! A kept message read again as if it came now: the same bytes, proven the same way, posted the
//! same way. Money that is in the books already is found there and not booked again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hocphi_adapters::contract::{Flow, Outcome, Rejection};

use super::rules::{Masked, holds_secret, unmask};
use super::store::{self, Message};
use super::{keeper, secret_digest};
use crate::App;
use crate::clock::Instant;
use crate::ids::{MessageId, SchoolId};
use crate::payments::connections::{Connection, ConnectionError};
use crate::payments::receive::{self, Posted};
use crate::store::{StoreError, Tx};

/// Why a message cannot be replayed; nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("no such message")]
    Unknown,
    /// Somebody changed the stored row.
    #[error("the kept message does not fit its digest")]
    Changed,
    #[error("part of the message was cut or was a card number, and is not kept")]
    NotWhole,
    #[error("a secret in the message is none of the connection's credentials")]
    SecretGone,
    #[error("the connection no longer exists")]
    NoConnection,
    /// It is not the provider's by today's credentials either.
    #[error("refused again: {0}")]
    Refused(Rejection),
    #[error("the message is not a report of a payment")]
    NoNotice,
}

impl ReplayError {
    /// A stable word for pages, logs and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Connection(_) | Self::NoConnection => "connection",
            Self::Unknown => "unknown",
            Self::Changed => "changed",
            Self::NotWhole => "not_whole",
            Self::SecretGone => "secret_gone",
            Self::Refused(_) => "refused",
            Self::NoNotice => "no_notice",
        }
    }
}

/// Replays one message. `by` says who asked, for the record.
///
/// # Errors
/// [`ReplayError`].
pub async fn replay(
    app: &App,
    school: &SchoolId,
    id: &MessageId,
    by: &str,
) -> Result<Vec<Posted>, ReplayError> {
    let message = store::message(&app.db, school, id)
        .await?
        .ok_or(ReplayError::Unknown)?;
    let replayed = attempt(app, &message).await;
    let outcome = match &replayed {
        Ok(posted) => receive::worst(posted).code(),
        Err(error) => error.code(),
    };
    tracing::info!(message.id = %id, school.id = %school, outcome, "a message was replayed");
    let (school, id) = (school.clone(), id.clone());
    let noted = (app.clock.now(), by.to_owned(), outcome.to_owned());
    app.db
        .write("messages.replayed", async move |tx: &mut Tx| {
            store::note_replay(tx, &school, &id, (noted.0, &noted.1), &noted.2).await
        })
        .await?;
    replayed
}

async fn attempt(app: &App, message: &Message) -> Result<Vec<Posted>, ReplayError> {
    if keeper::digest(&app.seal, message) != message.digest {
        return Err(ReplayError::Changed);
    }
    if message.is_whole == 0 {
        return Err(ReplayError::NotWhole);
    }
    let flow = Flow::from_code(&message.flow)
        .filter(|flow| flow.is_notice() && *flow != Flow::Return)
        .ok_or(ReplayError::NoNotice)?;
    let connection = app
        .connections
        .get_any(&app.db, &message.connection_id)
        .await?
        .ok_or(ReplayError::NoConnection)?;
    let inbound = unmask(
        &masked(message)?,
        &candidates(app, &connection, message)?,
        message.received_at.unix(),
        &secret_digest(&app.seal, connection.connection_id.as_str()),
    );
    let gone = inbound.headers.iter().any(|(_, value)| holds_secret(value))
        || holds_secret(&inbound.query)
        || holds_secret(&String::from_utf8_lossy(&inbound.body));
    let at = Instant::from_unix(inbound.received_at_unix);
    let notices = receive::read(&connection, flow, &inbound, at).map_err(|rejection| {
        if gone && rejection.outcome() == Outcome::NotAuthentic {
            ReplayError::SecretGone
        } else {
            ReplayError::Refused(rejection)
        }
    })?;
    Ok(receive::post(app, &connection, &receive::raw_text(&inbound), notices.read).await)
}

fn masked(message: &Message) -> Result<Masked, ReplayError> {
    Ok(Masked {
        method: message.method.clone(),
        path: message.path.clone(),
        query: message.query.clone(),
        // The digest has shown that this is what we wrote.
        headers: serde_json::from_str(&message.headers).map_err(|_| ReplayError::Changed)?,
        body: message.body.clone(),
        body_form: message.body_form,
        is_whole: message.is_whole != 0,
    })
}

/// Every text that may have stood where a secret was masked: credentials, pairs of them as HTTP Basic
/// writes them, and what was sealed beside the message.
fn candidates(
    app: &App,
    connection: &Connection,
    message: &Message,
) -> Result<Vec<String>, ReplayError> {
    let sealed: Vec<String> = match &message.sealed {
        Some(sealed) => {
            let opened = app
                .seal
                .open(&keeper::sealed_context(&message.message_id), sealed)
                .map_err(ConnectionError::Seal)?;
            serde_json::from_slice(&opened).map_err(|_| ReplayError::Changed)?
        }
        None => Vec::new(),
    };
    let values = connection.known_values();
    let pairs = values.iter().flat_map(|user| {
        values
            .iter()
            .map(move |password| STANDARD.encode(format!("{user}:{password}")))
    });
    Ok(values.iter().cloned().chain(pairs).chain(sealed).collect())
}
