//! Calls to the tax authority and to gateways: carried, delayed, lost, repeated, refused.

use hocphi_adapters::contract::{Fault as CallFault, Reply, Retry};
use hocphi_sandbox::Levers;

use super::SimulateError;
use super::broken::Broken;
use super::fault::Fault;
use super::gateways::Received;
use super::node::{Outgoing, Side};
use super::world::{Event, HOUR, MILLI, MINUTE, SECOND, Task, Working, World};

/// What its caller will hear of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// What the other side answers.
    Told,
    Status(u16),
    /// No connection: nothing can have happened.
    NoConnection,
    /// Nothing came in time: anything may have happened.
    Silence,
}

/// What goes wrong on the way to one side, and how long its callers wait.
struct Line {
    down: Fault,
    busy: Fault,
    lost_request: Fault,
    lost_answer: Fault,
    timeout: Fault,
    late_request: Fault,
    slow_answer: Fault,
    patience: i64,
    /// A request may be under way for so long. Of a gateway no longer than our rules allow for before
    /// they believe that it never arrived.
    late: (i64, i64),
}

const TO_AUTHORITY: Line = Line {
    down: Fault::TaxDown,
    busy: Fault::TaxBusy,
    lost_request: Fault::TaxLostRequest,
    lost_answer: Fault::TaxLostAnswer,
    timeout: Fault::TaxGatewayTimeout,
    late_request: Fault::TaxLateRequest,
    slow_answer: Fault::TaxSlowAnswer,
    patience: 30 * SECOND,
    late: (MINUTE, 2 * HOUR),
};

const TO_GATEWAY: Line = Line {
    down: Fault::GatewayApiDown,
    busy: Fault::GatewayApiBusy,
    lost_request: Fault::GatewayLostRequest,
    lost_answer: Fault::GatewayLostAnswer,
    timeout: Fault::GatewayTimeout,
    late_request: Fault::GatewayLateRequest,
    slow_answer: Fault::GatewaySlowAnswer,
    patience: 30 * SECOND,
    late: (31 * SECOND, 50 * SECOND),
};

/// A call on its way.
pub struct Calling {
    outgoing: Option<Outgoing>,
    /// What the other side receives, kept apart from its caller: a message survives who sent it.
    message: Message,
    working: Option<Working>,
    ending: Ending,
    answer: Option<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    Submit(Vec<u8>),
    LookUp(String),
    Gateway(Received),
}

impl Message {
    fn of(outgoing: &Outgoing) -> Self {
        match outgoing.side {
            Side::Gateway => Self::Gateway(Received::of(&outgoing.call)),
            Side::Authority if outgoing.call.method == "POST" => {
                Self::Submit(outgoing.call.body.clone())
            }
            Side::Authority => {
                let path = outgoing.call.url.trim_end_matches("/replies");
                Self::LookUp(path.rsplit('/').next().unwrap_or_default().to_owned())
            }
        }
    }

    /// What two messages about one thing have in common; nothing for gateways.
    fn id(&self) -> Option<&str> {
        match self {
            Self::LookUp(id) => Some(id),
            Self::Submit(body) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                let rest = text.split("<MTDiep>").nth(1).unwrap_or_default();
                rest.split('<').next()
            }
            Self::Gateway(_) => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Submit(_) => "submits an invoice".to_owned(),
            Self::LookUp(_) => "asks for replies".to_owned(),
            Self::Gateway(received) => format!("calls {}", received.shown()),
        }
    }
}

impl Calling {
    /// The process that waits for it died; answers what it was about.
    pub fn forget_caller_of(&mut self, node: usize) -> Option<Task> {
        self.working
            .as_ref()
            .filter(|working| working.node == node)?;
        self.outgoing = None;
        self.working.take().map(|working| working.task)
    }
}

impl World<'_> {
    /// Decides what becomes of a call that some work makes.
    pub(super) fn place_call(&mut self, working: Working, outgoing: Outgoing) {
        let message = Message::of(&outgoing);
        if message.id().is_some()
            && self.calls.values().any(|other| {
                other.message.id() == message.id()
                    && other
                        .working
                        .as_ref()
                        .is_some_and(|one| one.node != working.node)
            })
        {
            self.count(Fault::LeaseOverrun);
        }
        let line = match outgoing.side {
            Side::Authority => TO_AUTHORITY,
            Side::Gateway => TO_GATEWAY,
        };
        let (arrives, hears, ending) = self.fortune(&line);
        self.called += 1;
        let call = self.called;
        self.note(|| {
            let (node, what) = (working.node, message.shown());
            format!("node {node}, call {call}: {what} ({ending:?})")
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

    /// When a call arrives, if it does; when its caller hears something; what.
    fn fortune(&mut self, line: &Line) -> (Option<i64>, i64, Ending) {
        let quick = self.chance.between(20 * MILLI, SECOND);
        let struck = [
            line.down,
            line.busy,
            line.lost_request,
            line.lost_answer,
            line.timeout,
            line.late_request,
            line.slow_answer,
        ]
        .into_iter()
        .find(|fault| self.strikes(*fault));
        let Some(fault) = struck else {
            return (Some(quick), quick + quick, Ending::Told);
        };
        self.count(fault);
        if fault == line.down {
            (None, quick, Ending::NoConnection)
        } else if fault == line.busy {
            (None, quick, Ending::Status(503))
        } else if fault == line.lost_request {
            (None, line.patience, Ending::Silence)
        } else if fault == line.lost_answer {
            (Some(quick), line.patience, Ending::Silence)
        } else if fault == line.timeout {
            (Some(quick), quick + SECOND, Ending::Status(504))
        } else if fault == line.late_request {
            let late = self.chance.between(line.late.0, line.late.1);
            (Some(late), line.patience, Ending::Silence)
        } else {
            let slow = self.chance.between(20 * SECOND, line.patience - SECOND);
            (Some(quick), slow, Ending::Told)
        }
    }

    /// The other side receives a call and does its work.
    pub(super) fn arrive(&mut self, call: u64) {
        let Some(calling) = self.calls.get(&call) else {
            return;
        };
        let answer = match calling.message.clone() {
            Message::Submit(body) => {
                let refuse = self.strikes(Fault::TaxRefusal);
                let tax = &self.providers.peers.tax;
                tax.set_levers(Levers {
                    refuse_next: usize::from(refuse),
                    ..Levers::default()
                });
                let answer = tax.submit(0, &body);
                if refuse {
                    self.told.refusals += 1;
                    self.count(Fault::TaxRefusal);
                }
                said(answer)
            }
            Message::LookUp(id) => {
                let repeat = self.strikes(Fault::TaxRepeatedReplies);
                if repeat {
                    self.count(Fault::TaxRepeatedReplies);
                }
                let tax = &self.providers.peers.tax;
                tax.set_levers(Levers {
                    repeat_replies: usize::from(repeat),
                    ..Levers::default()
                });
                said(tax.look_up(0, &id))
            }
            Message::Gateway(received) => self.gateway_receives(&received),
        };
        let status = answer.status;
        self.note(|| format!("call {call} reaches the other side: {status}"));
        if let Some(calling) = self.calls.get_mut(&call) {
            calling.answer = Some(answer);
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
        let taken_for_refusal =
            self.broken == Some(Broken::TimeoutIsRefusal) && outgoing.side == Side::Authority;
        let silence = CallFault {
            retry: if taken_for_refusal {
                Retry::Never
            } else {
                Retry::AskFirst
            },
            message: "timed out".into(),
        };
        let heard = match (ending, answer) {
            (Ending::Told, Some(answer)) => Ok(answer),
            (Ending::Status(status), _) => Ok(Reply {
                status,
                headers: Vec::new(),
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

fn said((status, body): (u16, String)) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.into_bytes(),
    }
}
