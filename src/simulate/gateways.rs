//! Gateways that are called: orders made there, payers on their pages, money paid back or taken back.
//!
//! The other side is the sandbox's own: what a gateway's book says is the truth that ours is held
//! against.

use std::sync::Arc;

use hocphi_adapters::contract::{Call, Reply};
use hocphi_sandbox::peer::{
    Announced, OrderState, Outcome, Peer, RawRequest, RawResponse, RefundFate, Reply as Said,
};
use hocphi_sandbox::{Notice, Peers};

use super::fault::Fault;
use super::payers::Intent;
use super::stage::{GATEWAY, StagedSchool};
use super::world::{Event, HOUR, MINUTE, SECOND, World};
use crate::ids::ConnectionId;

/// What a VNPAY terminal is called at; the terminal follows.
pub const VNPAY_HOST: &str = "vnpay-";

/// A gateway as one school meets it.
pub struct Gateway {
    pub connection: ConnectionId,
    /// Where it is called.
    pub host: String,
    pub peer: Arc<dyn Peer>,
}

/// Everybody who holds money outside.
pub struct Providers {
    pub peers: Peers,
    pub gateways: Vec<Gateway>,
}

impl Providers {
    /// The other side of a connection.
    pub fn behind(
        &self,
        connection: &ConnectionId,
        schools: &[StagedSchool],
    ) -> Option<Arc<dyn Peer>> {
        let gateway = self
            .gateways
            .iter()
            .find(|gateway| gateway.connection == *connection);
        match gateway {
            Some(gateway) => Some(gateway.peer.clone()),
            None => schools
                .iter()
                .find(|school| school.vnpay == *connection)
                .and_then(|school| self.peers.vnpay.peer(&school.terminal)),
        }
    }

    fn at(&self, host: &str) -> Option<Arc<dyn Peer>> {
        if let Some(terminal) = host.strip_prefix(VNPAY_HOST) {
            return self.peers.vnpay.peer(terminal);
        }
        let gateway = self.gateways.iter().find(|gateway| gateway.host == host)?;
        Some(gateway.peer.clone())
    }
}

/// A call as the other side receives it: its host, and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    host: String,
    request: RawRequest,
}

impl Received {
    pub fn of(call: &Call) -> Self {
        let address = call.url.split_once("://").map_or("", |(_, rest)| rest);
        let (host, rest) = address.split_once('/').unwrap_or((address, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self {
            host: host.to_owned(),
            request: RawRequest {
                method: if call.method == "GET" { "GET" } else { "POST" },
                path: format!("/{path}"),
                query: query.to_owned(),
                headers: call
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_lowercase(), value.clone()))
                    .collect(),
                body: call.body.clone(),
            },
        }
    }

    /// For the trace.
    pub fn shown(&self) -> String {
        format!("{}{}", self.host, self.request.path)
    }
}

/// A payer on a gateway's page.
#[derive(Clone, Debug)]
pub struct AtCounter {
    /// Place among [`Providers::gateways`].
    pub gateway: usize,
    pub handle: String,
}

impl World<'_> {
    /// A gateway receives a call of ours and does its work.
    pub(super) fn gateway_receives(&mut self, received: &Received) -> Reply {
        let Some(peer) = self.providers.at(&received.host) else {
            return reply(RawResponse::text(404, "nobody"));
        };
        let fate = self.fate_of_refund(peer.as_ref());
        peer.book().levers().refunds = fate;
        let before = peer.book().refunds().len();
        let base = format!("http://{}", received.host);
        let served = peer.handle(&received.request, &base, self.seconds());
        if peer.book().refunds().len() > before {
            self.count(match fate {
                RefundFate::Done => Fault::RefundPaidOut,
                RefundFate::Refused => Fault::RefundDeclined,
                RefundFate::DoneAfter(_) | RefundFate::RefusedAfter(_) => Fault::RefundSlow,
            });
        }
        for announced in served.notices {
            self.gateway_tells(&received.host, &peer, announced);
        }
        match served.reply {
            Said::Answer(answer) => {
                let mut answer = reply(answer);
                if self.strikes(Fault::GatewayGarbled) {
                    self.count(Fault::GatewayGarbled);
                    answer.body.truncate(answer.body.len() / 2);
                }
                answer
            }
            Said::Silence => reply(RawResponse::text(504, "")),
        }
    }

    /// Only a gateway that can be asked about a refund takes its time.
    fn fate_of_refund(&self, peer: &dyn Peer) -> RefundFate {
        // Nothing that goes wrong: these go on in good weather.
        let declined = self.chance.percent(10);
        if peer.provider() == "momo" && self.chance.percent(25) {
            let questions = if self.chance.percent(50) { 1 } else { 2 };
            return if declined {
                RefundFate::RefusedAfter(questions)
            } else {
                RefundFate::DoneAfter(questions)
            };
        }
        if declined {
            RefundFate::Refused
        } else {
            RefundFate::Done
        }
    }

    fn gateway_tells(&mut self, host: &str, peer: &Arc<dyn Peer>, announced: Announced) {
        let registered = self
            .providers
            .gateways
            .iter()
            .find(|gateway| gateway.host == host)
            .map(|gateway| registered(peer.provider(), &gateway.connection));
        let Some(address) = announced.address.or(registered) else {
            return;
        };
        let notice = Notice::new(peer.clone(), &address, &announced.event);
        self.announce(notice);
    }

    /// A payer arrives at a gateway's page; `form` is what a browser brings there.
    pub(super) fn arrive_at_counter(
        &mut self,
        gateway: usize,
        address: &str,
        form: Option<&[(String, String)]>,
    ) {
        let (peer, base) = self.counter_of(gateway);
        let page = match form {
            None => address.to_owned(),
            Some(fields) => {
                let path = address.strip_prefix(&base).unwrap_or_default();
                let fields: Vec<(&str, String)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.clone()))
                    .collect();
                let request = RawRequest::post_form(path, &fields);
                match peer.handle(&request, &base, self.seconds()).reply {
                    Said::Answer(answer) => {
                        answer.header("location").unwrap_or_default().to_owned()
                    }
                    Said::Silence => String::new(),
                }
            }
        };
        let Some((_, handle)) = page.split_once("order=") else {
            self.note(|| format!("{base} shows an error page"));
            return;
        };
        let at = AtCounter {
            gateway,
            handle: handle.to_owned(),
        };
        // As long as a payment that is gone on with has left at least.
        let wait = self.chance.between(5 * SECOND, 3 * MINUTE);
        self.schedule(wait, Event::Pay(Intent::Press(at)));
    }

    /// The payer decides.
    pub(super) fn press(&mut self, at: &AtCounter) {
        let (peer, base) = self.counter_of(at.gateway);
        let result = match self.chance.below(10) {
            0 => "cancelled",
            1 => "no-funds",
            _ => "paid",
        };
        let fields = [("order", at.handle.clone()), ("result", result.to_owned())];
        let request = RawRequest::post_form("/page/pay", &fields);
        let served = peer.handle(&request, &base, self.seconds());
        self.note(|| format!("{base} {}: {result}", at.handle));
        for announced in served.notices {
            self.gateway_tells(base.trim_start_matches("http://"), &peer, announced);
        }
    }

    fn counter_of(&self, gateway: usize) -> (Arc<dyn Peer>, String) {
        let gateway = &self.providers.gateways[gateway];
        (gateway.peer.clone(), format!("http://{}", gateway.host))
    }

    /// A payment that is booked may be taken back by its gateway.
    pub(super) fn may_take_back(&mut self, notice: &Notice) {
        if notice.provider() == "sepay_pg" && self.strikes(Fault::TakenBack) {
            let wait = self.chance.between(HOUR, 20 * HOUR);
            self.schedule(wait, Event::TakeBack(Box::new(notice.clone())));
        }
    }

    /// A gateway takes a payment back, unless it has gone back already.
    pub(super) fn take_back(&mut self, paid: &Notice) {
        let Some(gateway) = self
            .providers
            .gateways
            .iter()
            .find(|gateway| registered(paid.provider(), &gateway.connection) == paid.address())
        else {
            return;
        };
        let (peer, connection) = (gateway.peer.clone(), gateway.connection.clone());
        {
            let mut orders = peer.book().orders();
            match orders.get_mut(&paid.reference) {
                Some(order) if order.state == OrderState::Paid => {
                    order.state = OrderState::Cancelled;
                }
                _ => return,
            }
        }
        self.count(Fault::TakenBack);
        self.note(|| format!("{} takes {} back", paid.provider(), paid.transaction_id));
        self.told
            .taken_back
            .insert((connection, paid.reference.clone()), paid.amount);
        let event = paid
            .event()
            .clone()
            .ending(Outcome::Reversed)
            .sent_at(self.seconds());
        self.announce(Notice::new(peer, paid.address(), &event));
    }
}

/// Where a gateway sends its notices.
fn registered(provider: &str, connection: &ConnectionId) -> String {
    format!("{GATEWAY}/notices/{provider}/{connection}")
}

fn reply(answer: RawResponse) -> Reply {
    Reply {
        status: answer.status,
        headers: answer.headers,
        body: answer.body,
    }
}
