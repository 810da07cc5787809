//! What the gateway does around an adapter, played for one vector.

use super::Difference;
use super::compare::Differences;
use super::vector::Vector;
use crate::contract::{
    Adapter, Claimed, Credentials, Decision, Flow, Inbound, InquiryAnswer, Inspection, Notice,
    Outcome, Reason, Received, Reception, Reply, Settlement, decide,
};

pub(super) fn play(adapter: &dyn Adapter, vector: &Vector) -> Vec<Difference> {
    let mut differences = Differences::default();
    match Flow::from_code(&vector.flow) {
        Some(flow) if flow.is_notice() => notice(adapter, flow, vector, &mut differences),
        Some(Flow::BillInquiry) => inquiry(adapter, vector, &mut differences),
        Some(Flow::Token) => token(adapter, vector, &mut differences),
        Some(Flow::ListResponse) => listing(adapter, vector, &mut differences),
        Some(flow) => match flow.request() {
            Some(request) => reply(adapter, request, vector, &mut differences),
            None => outbound(adapter, flow, vector, &mut differences),
        },
        None => differences.add("flow", "a flow of the contract", &vector.flow),
    }
    differences.into_vec()
}

/// What the gateway concludes from a message.
pub(super) struct Conclusion {
    pub(super) valid: bool,
    pub(super) reason: Option<Reason>,
    pub(super) decision: Option<&'static str>,
    pub(super) claimed: Claimed,
    /// What each item of a batch says.
    pub(super) items: Vec<Claimed>,
}

impl Conclusion {
    /// A message that was turned away has no status at all.
    fn refused(reason: Reason, inspection: &Inspection) -> Self {
        Self {
            valid: false,
            reason: Some(reason),
            decision: Some(Decision::Reject.code()),
            claimed: Claimed {
                status: None,
                ..inspection.claimed.clone()
            },
            items: Vec::new(),
        }
    }
}

fn claims(notice: Notice) -> Claimed {
    Claimed {
        transaction_id: notice.transaction_id,
        order_ref: notice.order_ref,
        amount: Some(notice.amount),
        currency: Some(notice.currency),
        status: Some(notice.status),
    }
}

/// The outcome that keeps the provider calling wins: nothing of a batch may be lost.
const fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Repeated => 0,
        Outcome::Accepted => 1,
        Outcome::Unusable => 2,
        Outcome::AmountDiffers => 3,
        Outcome::UnknownOrder => 4,
        Outcome::NotAuthentic => 5,
        Outcome::Temporary => 6,
    }
}

fn notice(adapter: &dyn Adapter, flow: Flow, vector: &Vector, differences: &mut Differences) {
    let credentials = vector.credentials();
    let message = vector.inbound();
    let inspection = adapter.inspect(flow, &message, &credentials);
    let settlement = adapter.profile().capability.settlement;
    let (conclusion, outcome) = match adapter.read_notice(flow, &message, &credentials) {
        Err(rejection) => (
            Conclusion::refused(rejection.reason, &inspection),
            rejection.outcome(),
        ),
        Ok(notices) if vector.expected.contains_key("items") => {
            let mut worst = Outcome::Repeated;
            let mut items = Vec::new();
            for notice in notices.read {
                let order = vector.order_of(&notice);
                let (_, _, outcome) = decide(settlement, &notice, order.as_ref());
                if weight(outcome) > weight(worst) {
                    worst = outcome;
                }
                items.push(claims(notice.into_inner()));
            }
            let conclusion = Conclusion {
                valid: true,
                reason: None,
                decision: Some("per_item"),
                claimed: inspection.claimed.clone(),
                items,
            };
            (conclusion, worst)
        }
        Ok(notices) => {
            let Some(notice) = notices.read.into_iter().next() else {
                differences.add("expected", "a notice", "an empty message");
                return;
            };
            let order = vector.order_of(&notice);
            let (decision, reason, outcome) = decide(settlement, &notice, order.as_ref());
            let shown = flow == Flow::Return;
            let refused = settlement == Settlement::Asked && decision == Decision::Reject;
            let mut claimed = claims(notice.into_inner());
            if refused {
                // The bank asked first: what was refused never was a payment.
                claimed.status = None;
            }
            let conclusion = Conclusion {
                valid: true,
                reason: reason.filter(|_| !shown),
                decision: Some(if shown {
                    "display_only"
                } else {
                    decision.code()
                }),
                claimed,
                items: Vec::new(),
            };
            (conclusion, outcome)
        }
    };
    differences.conclusion(vector, &conclusion);
    differences.signature(vector, conclusion.valid, &inspection, &credentials);
    if let Some(expected) = &vector.expected_ack {
        let received = received(flow, &message, &credentials);
        differences.ack(expected, &adapter.acknowledge(outcome, &received));
    }
}

const fn received<'a>(
    flow: Flow,
    inbound: &'a Inbound,
    credentials: &'a Credentials,
) -> Received<'a> {
    Received {
        flow,
        inbound,
        credentials,
        our_reference: None,
    }
}

fn inquiry(adapter: &dyn Adapter, vector: &Vector, differences: &mut Differences) {
    let credentials = vector.credentials();
    let message = vector.inbound();
    let inspection = adapter.inspect(Flow::BillInquiry, &message, &credentials);
    let debtor;
    let (conclusion, answer) = match adapter.read_inquiry(&message, &credentials) {
        Err(rejection) => (
            Conclusion::refused(rejection.reason, &inspection),
            InquiryAnswer::Refused(rejection.outcome()),
        ),
        Ok(inquiry) => {
            let found = vector
                .order
                .as_ref()
                .filter(|order| order.reference() == inquiry.customer_ref);
            let answer = match found {
                None => InquiryAnswer::UnknownCustomer,
                Some(order) => match order.debtor() {
                    Some(open) => {
                        debtor = open;
                        InquiryAnswer::Bills(&debtor)
                    }
                    None => InquiryAnswer::NothingDue,
                },
            };
            let (decision, reason) = match answer {
                InquiryAnswer::Bills(_) => ("answer_bills", None),
                InquiryAnswer::NothingDue => ("answer_no_bill", None),
                _ => ("answer_no_bill", Some(Reason::OrderNotFound)),
            };
            let conclusion = Conclusion {
                valid: true,
                reason,
                decision: Some(decision),
                claimed: Claimed {
                    order_ref: Some(inquiry.customer_ref.clone()),
                    status: None,
                    ..inspection.claimed.clone()
                },
                items: Vec::new(),
            };
            (conclusion, answer)
        }
    };
    differences.conclusion(vector, &conclusion);
    differences.signature(vector, conclusion.valid, &inspection, &credentials);
    if let Some(expected) = &vector.expected_ack {
        let received = received(Flow::BillInquiry, &message, &credentials);
        differences.ack(expected, &adapter.answer_inquiry(answer, &received));
    }
}

/// Fixed, so that a run gives the same twice.
const NONCE: [u8; 16] = [7; 16];

fn token(adapter: &dyn Adapter, vector: &Vector, differences: &mut Differences) {
    let credentials = vector.credentials();
    let message = vector.inbound();
    let (valid, reason, decision, ack) = match adapter.issue_token(&message, &credentials, NONCE) {
        Ok(issued) => (true, None, "issue_token", issued.ack),
        Err(rejection) => (
            false,
            Some(rejection.reason),
            Decision::Reject.code(),
            adapter.acknowledge(
                rejection.outcome(),
                &received(Flow::Token, &message, &credentials),
            ),
        ),
    };
    let conclusion = Conclusion {
        valid,
        reason,
        decision: Some(decision),
        claimed: Claimed::default(),
        items: Vec::new(),
    };
    differences.conclusion(vector, &conclusion);
    if valid {
        differences.token(&ack);
    }
    if let Some(expected) = &vector.expected_ack {
        differences.ack(expected, &ack);
    }
}

fn reply(adapter: &dyn Adapter, request: Flow, vector: &Vector, differences: &mut Differences) {
    let credentials = vector.credentials();
    let message = vector.inbound();
    let flow = request.response().unwrap_or(request);
    let inspection = adapter.inspect(flow, &message, &credentials);
    let received = Reply {
        status: vector.request.status.unwrap_or(200),
        headers: message.headers.clone(),
        body: message.body.clone(),
    };
    let conclusion = match adapter.read_reply(request, &received, &credentials) {
        Err(rejection) => Conclusion {
            decision: None,
            ..Conclusion::refused(rejection.reason, &inspection)
        },
        Ok(observation) => {
            let observation = observation.into_inner();
            Conclusion {
                valid: true,
                reason: None,
                decision: None,
                claimed: Claimed {
                    transaction_id: observation.transaction_id,
                    order_ref: observation.order_ref,
                    amount: observation.amount,
                    currency: observation.currency,
                    status: Some(observation.status),
                },
                items: Vec::new(),
            }
        }
    };
    differences.observation(vector, &conclusion);
    differences.signature(vector, conclusion.valid, &inspection, &credentials);
}

fn listing(adapter: &dyn Adapter, vector: &Vector, differences: &mut Differences) {
    let message = vector.inbound();
    let received = Reply {
        status: vector.request.status.unwrap_or(200),
        headers: message.headers.clone(),
        body: message.body,
    };
    let mut conclusion = Conclusion {
        valid: true,
        reason: None,
        decision: None,
        claimed: Claimed::default(),
        items: Vec::new(),
    };
    match adapter.read_list(&received, &vector.credentials()) {
        Err(rejection) => {
            conclusion.valid = false;
            conclusion.reason = Some(rejection.reason);
        }
        Ok(listing) => {
            if listing.reception != Reception::Taken {
                differences.add(
                    "expected.items",
                    "a list",
                    format!("{:?}", listing.reception),
                );
            }
            for rejection in &listing.unreadable {
                differences.add(
                    "expected.items",
                    "a row that can be read",
                    &rejection.detail,
                );
            }
            let rows = listing.rows.into_iter();
            conclusion.items = rows.map(|row| claims(row.notice.into_inner())).collect();
        }
    }
    differences.conclusion(vector, &conclusion);
}

fn outbound(adapter: &dyn Adapter, flow: Flow, vector: &Vector, differences: &mut Differences) {
    let credentials = vector.credentials();
    let sent = vector.inbound();
    // Signed anew from the fields, so that building is proven and not only reading.
    let fields = match vector.request_fields() {
        Ok(fields) => fields,
        Err(why) => {
            differences.add("request", "fields to build the request from", why);
            return;
        }
    };
    let call = match adapter.request(flow, &fields, &credentials) {
        Ok(call) => call,
        Err(fault) => {
            differences.add("request", "a request that can be built", &fault.message);
            return;
        }
    };
    let inspection = adapter.inspect_request(flow, &fields, &credentials);
    let conclusion = Conclusion {
        valid: true,
        reason: None,
        decision: None,
        claimed: inspection.claimed.clone(),
        items: Vec::new(),
    };
    differences.conclusion(vector, &conclusion);
    differences.signature(vector, true, &inspection, &credentials);
    let signature = inspection.signature.as_deref().unwrap_or_default();
    let query = call.url.split_once('?').map_or("", |(_, query)| query);
    if signature.is_empty() {
        // Nothing proves an unsigned request but its own bytes.
        if !sent.query.is_empty() {
            differences.query(&sent.query, query, signature);
        }
        return;
    }
    if !sent.query.is_empty() {
        differences.query(&sent.query, query, signature);
    } else if !sent.body.is_empty() && !vector.body_carries(signature) {
        differences.add(
            "request.body",
            &format!("the signature {signature}"),
            "no such member",
        );
    }
    // It must also stand in what we would send.
    let body = String::from_utf8_lossy(&call.body);
    let carried = [
        call.url.clone(),
        body.into_owned(),
        call.headers
            .iter()
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .join(" "),
    ];
    let escaped = signature
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    if !carried
        .iter()
        .any(|text| text.contains(signature) || text.contains(&escaped))
    {
        differences.add("request", "a call that carries its signature", &call.url);
    }
}
