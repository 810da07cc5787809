//! Calls to the tax authority: carried, delayed, lost, repeated, refused.

use hocphi_adapters::contract::{Fault as CallFault, Retry};
use hocphi_sandbox::Levers;

use super::SimulateError;
use super::broken::Broken;
use super::fault::Fault;
use super::node::Outgoing;
use super::world::{Event, HOUR, MILLI, MINUTE, SECOND, Working, World};
use crate::invoices::service::HttpAnswer;

/// How long the outgoing client waits.
const TIMEOUT: i64 = 30 * SECOND;

/// What its caller will hear of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// What the authority answers.
    Told,
    Status(u16),
    /// No connection: nothing can have happened.
    NoConnection,
    /// Nothing came in time: anything may have happened.
    Silence,
}

/// A call on its way.
pub struct Calling {
    outgoing: Option<Outgoing>,
    /// What the authority received, kept apart from its caller: a message survives who sent it.
    message: Message,
    working: Option<Working>,
    ending: Ending,
    answer: Option<HttpAnswer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    Submit(Vec<u8>),
    LookUp(String),
}

impl Message {
    fn id(&self) -> &str {
        match self {
            Self::LookUp(id) => id,
            Self::Submit(body) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                let rest = text.split("<MTDiep>").nth(1).unwrap_or_default();
                rest.split('<').next().unwrap_or_default()
            }
        }
    }
}

impl Calling {
    /// The process that waits for it died.
    pub fn forget_caller_of(&mut self, node: usize) {
        if self
            .working
            .as_ref()
            .is_some_and(|working| working.node == node)
        {
            self.working = None;
            self.outgoing = None;
        }
    }
}

impl World<'_> {
    /// Decides what becomes of a call that a batch of jobs makes.
    pub(super) fn place_call(&mut self, working: Working, outgoing: Outgoing) {
        let message = if outgoing.call.method == "POST" {
            Message::Submit(outgoing.call.body.clone())
        } else {
            let path = outgoing.call.url.trim_end_matches("/replies");
            Message::LookUp(path.rsplit('/').next().unwrap_or_default().to_owned())
        };
        if self.calls.values().any(|other| {
            other.message.id() == message.id()
                && other
                    .working
                    .as_ref()
                    .is_some_and(|one| one.node != working.node)
        }) {
            self.count(Fault::LeaseOverrun);
        }
        let quick = self.chance.between(20 * MILLI, SECOND);
        // When it arrives, if it does; when its caller hears something; what.
        let (arrives, hears, ending) = if self.strikes(Fault::TaxDown) {
            self.count(Fault::TaxDown);
            (None, quick, Ending::NoConnection)
        } else if self.strikes(Fault::TaxBusy) {
            self.count(Fault::TaxBusy);
            (None, quick, Ending::Status(503))
        } else if self.strikes(Fault::TaxLostRequest) {
            self.count(Fault::TaxLostRequest);
            (None, TIMEOUT, Ending::Silence)
        } else if self.strikes(Fault::TaxLostAnswer) {
            self.count(Fault::TaxLostAnswer);
            (Some(quick), TIMEOUT, Ending::Silence)
        } else if self.strikes(Fault::TaxGatewayTimeout) {
            self.count(Fault::TaxGatewayTimeout);
            (Some(quick), quick + SECOND, Ending::Status(504))
        } else if self.strikes(Fault::TaxLateRequest) {
            self.count(Fault::TaxLateRequest);
            let late = self.chance.between(MINUTE, 2 * HOUR);
            (Some(late), TIMEOUT, Ending::Silence)
        } else if self.strikes(Fault::TaxSlowAnswer) {
            self.count(Fault::TaxSlowAnswer);
            (
                Some(quick),
                self.chance.between(20 * SECOND, TIMEOUT - SECOND),
                Ending::Told,
            )
        } else {
            (Some(quick), quick + quick, Ending::Told)
        };
        self.called += 1;
        let call = self.called;
        self.note(|| {
            let what = match &message {
                Message::Submit(_) => "submits an invoice",
                Message::LookUp(_) => "asks for replies",
            };
            format!("node {}, call {call}: {what} ({ending:?})", working.node)
        });
        self.calls.insert(
            call,
            Calling {
                outgoing: Some(outgoing),
                message,
                working: Some(working),
                ending,
                answer: None,
            },
        );
        if let Some(wait) = arrives {
            self.schedule(wait, Event::Arrive(call));
        }
        self.schedule(hears, Event::Answer(call));
    }

    /// The authority receives a call and does its work.
    pub(super) fn arrive(&mut self, call: u64) {
        let Some(calling) = self.calls.get(&call) else {
            return;
        };
        let message = calling.message.clone();
        let (status, body) = match &message {
            Message::Submit(body) => {
                let refuse = self.strikes(Fault::TaxRefusal);
                self.peers.tax.set_levers(Levers {
                    refuse_next: usize::from(refuse),
                    ..Levers::default()
                });
                let answer = self.peers.tax.submit(0, body);
                if refuse {
                    self.told.refusals += 1;
                    self.count(Fault::TaxRefusal);
                }
                answer
            }
            Message::LookUp(id) => {
                let repeat = self.strikes(Fault::TaxRepeatedReplies);
                if repeat {
                    self.count(Fault::TaxRepeatedReplies);
                }
                self.peers.tax.set_levers(Levers {
                    repeat_replies: usize::from(repeat),
                    ..Levers::default()
                });
                self.peers.tax.look_up(0, id)
            }
        };
        self.note(|| format!("call {call} reaches the authority: {status}"));
        if let Some(calling) = self.calls.get_mut(&call) {
            calling.answer = Some(HttpAnswer {
                status,
                body: body.into_bytes(),
            });
            if calling.working.is_none() && calling.outgoing.is_none() {
                self.calls.remove(&call);
            }
        }
    }

    /// The caller of a call hears something, and goes on.
    pub(super) async fn answer(&mut self, call: u64) -> Result<(), SimulateError> {
        let Some(calling) = self.calls.get_mut(&call) else {
            return Ok(());
        };
        let (working, outgoing) = (calling.working.take(), calling.outgoing.take());
        let (ending, answer) = (calling.ending, calling.answer.take());
        if answer.is_some() || !matches!(ending, Ending::Silence) {
            // Nothing of it is still on its way.
            self.calls.remove(&call);
        }
        let (Some(working), Some(outgoing)) = (working, outgoing) else {
            return Ok(());
        };
        let silence = CallFault {
            retry: if self.broken == Some(Broken::TimeoutIsRefusal) {
                Retry::Never
            } else {
                Retry::AskFirst
            },
            message: "timed out".into(),
        };
        let heard = match (ending, answer) {
            (Ending::Told, Some(answer)) => Ok(answer),
            (Ending::Status(status), _) => Ok(HttpAnswer {
                status,
                body: Vec::new(),
            }),
            (Ending::NoConnection, _) => Err(CallFault {
                retry: Retry::Safe,
                message: "no connection".into(),
            }),
            (Ending::Silence | Ending::Told, _) => Err(silence),
        };
        // The caller may have died since; then nobody hears it.
        let _ = outgoing.answer.send(heard);
        self.drive(working).await
    }
}
