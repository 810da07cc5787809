//! A call on its way, and what its reply shows.

use std::time::Duration;

use hocphi_adapters::contract::{
    Call, Fault, Flow as Message, Observation, Reception, Reply, Retry, Status, Verified,
};

use super::rules::Seen;
use super::service::chance;
use crate::App;
use crate::payments::connections::Connection;
use crate::payments::receive;

/// Longest wait for a provider, whatever its schedule says.
const DEADLINE_SECONDS_MAX: u64 = 30;

/// What a call brought home.
#[derive(Debug)]
pub(in crate::payments) enum Observed {
    /// A reply that was proven and read, and its text for the inbox.
    Told(Box<Verified<Observation>>, String),
    Not(Seen, String),
}

/// Sends a call through the circuit of its connection.
///
/// # Errors
/// [`Fault`] when no reply came.
pub(in crate::payments) async fn reach(
    app: &App,
    connection: &Connection,
    message: Message,
    call: &Call,
) -> Result<Reply, Fault> {
    let seconds = u64::from(connection.adapter.profile().schedule.reply);
    let deadline = Duration::from_secs(seconds.clamp(1, DEADLINE_SECONDS_MAX));
    let (id, now) = (connection.connection_id.as_str(), app.clock.now());
    let sent = app
        .http
        .send_through(id, call, deadline, now, chance(app))
        .await;
    sent.inspect_err(|fault| {
        tracing::warn!(
            connection.id = id,
            call = message.code(),
            problem = fault.message,
            "a provider was not reached"
        );
    })
}

/// Sends a call that was built and reads its reply, outside any transaction.
pub(in crate::payments) async fn carry(
    app: &App,
    connection: &Connection,
    message: Message,
    call: Result<Call, Fault>,
) -> Observed {
    let call = match call {
        Ok(call) => call,
        Err(fault) => return Observed::Not(Seen::Unbuildable, fault.message),
    };
    let reply = match reach(app, connection, message, &call).await {
        Ok(reply) => reply,
        Err(fault) => {
            let seen = match fault.retry {
                Retry::Safe => Seen::NotSent,
                Retry::Never => Seen::Unbuildable,
                Retry::AskFirst => Seen::NoAnswer,
            };
            return Observed::Not(seen, fault.message);
        }
    };
    let raw = String::from_utf8_lossy(&reply.body).replace('\0', "\u{fffd}");
    let status = reply.status;
    let read = receive::with_valid(connection, app.clock.now(), |credentials| {
        let reply = Reply {
            status: reply.status,
            headers: reply.headers.clone(),
            body: reply.body.clone(),
        };
        connection.adapter.read_reply(message, &reply, credentials)
    });
    match read {
        Ok(observation) => Observed::Told(Box::new(observation), raw),
        Err(rejection) => {
            tracing::warn!(
                connection.id = %connection.connection_id, call = message.code(), status,
                reason = rejection.reason.code(), detail = rejection.detail,
                "a provider's reply cannot be believed"
            );
            Observed::Not(Seen::NoAnswer, format!("HTTP {status}: {rejection}"))
        }
    }
}

/// What the reply to a refund says.
pub(super) fn refund_seen(observation: &Observation) -> (Seen, Option<String>) {
    let seen = match (observation.reception, observation.status) {
        (_, Status::Refunded) => Seen::Done,
        (Reception::NotFound, _) => Seen::NotFound,
        (Reception::Refused, _) | (_, Status::Failed | Status::Expired) => Seen::Failed,
        (Reception::Later, _) => Seen::NotSent,
        (Reception::Unclear, _) => Seen::NoAnswer,
        (Reception::Repeated, Status::Pending | Status::Unknown) => Seen::SentBefore,
        (Reception::Taken, Status::Pending | Status::Unknown) => Seen::Pending,
        (
            Reception::Repeated | Reception::Taken,
            Status::Paid | Status::Authorized | Status::Review | Status::Reversed | Status::Ignored,
        ) => Seen::Held,
    };
    (seen, told(observation))
}

/// What the reply to a question about a refund says. A question that was refused, for its signature
/// for example, says nothing about the refund.
pub(super) fn refund_found(observation: &Observation) -> (Seen, Option<String>) {
    match observation.reception {
        Reception::Refused => (Seen::NoAnswer, told(observation)),
        _ => refund_seen(observation),
    }
}

/// What the reply to the creation of a payment says.
pub(super) fn creation_seen(observation: &Observation) -> Seen {
    match observation.reception {
        Reception::Taken | Reception::Repeated => match observation.status {
            Status::Failed | Status::Expired => Seen::Failed,
            _ => Seen::Pending,
        },
        Reception::Refused | Reception::NotFound => Seen::Failed,
        Reception::Later => Seen::NotSent,
        Reception::Unclear => Seen::NoAnswer,
    }
}

pub(super) fn told(observation: &Observation) -> Option<String> {
    match (&observation.code, &observation.message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(text), None) | (None, Some(text)) => Some(text.clone()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_is_refused_does_not_make_a_refund_fail() {
        let told = |reception, status| Observation {
            reception,
            status,
            transaction_id: None,
            order_ref: None,
            amount: None,
            currency: None,
            transfers: Vec::new(),
            redirect: None,
            qr: None,
            provider_order: None,
            code: None,
            message: None,
        };
        for status in [Status::Unknown, Status::Pending, Status::Failed] {
            let refused = told(Reception::Refused, status);
            assert_eq!(refund_found(&refused).0, Seen::NoAnswer);
            assert_eq!(refund_seen(&refused).0, Seen::Failed);
        }
        let failed = told(Reception::Taken, Status::Failed);
        assert_eq!(refund_found(&failed).0, Seen::Failed);
        let done = told(Reception::Taken, Status::Refunded);
        assert_eq!(refund_found(&done).0, Seen::Done);
    }
}
