//! Runs vector files (reference: payment-providers §15) against an adapter.
//!
//! A vector is one message with everything it must lead to. The kit plays what the gateway does
//! around an adapter: verify, look the order up, decide, acknowledge. Members it does not know are
//! ignored, members that are absent are not compared.

mod compare;
pub mod hostile;
mod vector;

use serde_json::Value;

use crate::contract::{
    Adapter, Claimed, Credentials, Decision, Flow, Inbound, InquiryAnswer, Inspection, Notice,
    Outcome, Reason, Received, Reply, Settlement, decide,
};

use self::compare::Differences;
use self::vector::Vector;
pub use self::vector::{VectorFileError, read};

/// A member that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Such as `expected.reason` or `expected_ack.body.RspCode`.
    pub member: String,
    pub expected: String,
    pub actual: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Differs where implementations legitimately do.
    Ambiguous,
    Miss,
}

#[derive(Clone, Debug)]
pub struct VectorResult {
    pub name: String,
    pub flow: String,
    pub verdict: Verdict,
    /// Empty for a pass.
    pub differences: Vec<Difference>,
}

/// Runs all vectors of a file.
///
/// # Errors
/// [`VectorFileError`] when the text is not a vector file: what is wrong and where.
pub fn run(adapter: &dyn Adapter, text: &str) -> Result<Vec<VectorResult>, VectorFileError> {
    let vectors = vector::read(text)?;
    Ok(vectors
        .iter()
        .map(|vector| {
            let differences = play(adapter, vector);
            let verdict = match (differences.is_empty(), vector.ambiguous) {
                (true, _) => Verdict::Pass,
                (false, true) => Verdict::Ambiguous,
                (false, false) => Verdict::Miss,
            };
            VectorResult {
                name: vector.name.clone(),
                flow: vector.flow.clone(),
                verdict,
                differences,
            }
        })
        .collect())
}

/// A genuine signed notice of a vector file, to measure with.
#[derive(Clone, Debug)]
pub struct Sample {
    pub flow: Flow,
    pub inbound: Inbound,
    pub credentials: Credentials,
    /// How it is signed, such as `hmac-sha512`.
    pub digest: Option<&'static str>,
}

/// The genuine signed notices of a vector file.
///
/// # Errors
/// [`VectorFileError`] when the text is not a vector file.
pub fn samples(adapter: &dyn Adapter, text: &str) -> Result<Vec<Sample>, VectorFileError> {
    let vectors = vector::read(text)?;
    let samples = vectors.iter().filter_map(|vector| {
        let flow = Flow::from_code(&vector.flow).filter(|flow| flow.is_notice())?;
        let (inbound, credentials) = (vector.inbound(), vector.credentials());
        adapter.read_notice(flow, &inbound, &credentials).ok()?;
        let inspection = adapter.inspect(flow, &inbound, &credentials);
        inspection.canonical.as_ref()?;
        // Returns are for browsers; what is measured is what providers send.
        (flow != Flow::Return).then_some(Sample {
            flow,
            inbound,
            credentials,
            digest: inspection.digest,
        })
    });
    Ok(samples.collect())
}

fn play(adapter: &dyn Adapter, vector: &Vector) -> Vec<Difference> {
    let mut differences = Differences::default();
    match Flow::from_code(&vector.flow) {
        Some(flow) if flow.is_notice() => notice(adapter, flow, vector, &mut differences),
        Some(Flow::BillInquiry) => inquiry(adapter, vector, &mut differences),
        Some(Flow::Token) => token(adapter, vector, &mut differences),
        Some(flow) => match flow.request() {
            Some(request) => reply(adapter, request, vector, &mut differences),
            None => outbound(adapter, flow, vector, &mut differences),
        },
        None => differences.add("flow", "a flow of the contract", &vector.flow),
    }
    differences.into_vec()
}

/// What the gateway concludes from a message.
struct Conclusion {
    valid: bool,
    reason: Option<Reason>,
    decision: Option<&'static str>,
    claimed: Claimed,
    /// What each item of a batch says.
    items: Vec<Claimed>,
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
    if signature.is_empty() {
        return;
    }
    let query = call.url.split_once('?').map_or("", |(_, query)| query);
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

impl Vector {
    /// The vector's secrets. The address a request goes to stands in for the one of the recipe.
    fn credentials(&self) -> Credentials {
        let mut pairs: Vec<(String, String)> = self
            .secrets
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) => Some((name.clone(), text.clone())),
                Value::Number(number) => Some((name.clone(), number.to_string())),
                _ => None,
            })
            .collect();
        if self.request.path.starts_with("http") {
            pairs.push((ADDRESS.to_owned(), self.request.path.clone()));
        }
        pairs.into_iter().collect()
    }

    fn inbound(&self) -> Inbound {
        let header = |(name, value): (&String, &Value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.to_ascii_lowercase(), text)
        };
        Inbound {
            method: self.request.method.clone(),
            path: self.request.path.clone(),
            query: self.request.query.clone().unwrap_or_default(),
            headers: self.request.headers.iter().map(header).collect(),
            body: self.request.body_text().into_bytes(),
            received_at_unix: self.request.received_at_unix.unwrap_or_default(),
        }
    }
}

/// Stands for the whole address of a request (see `recipe::request`).
const ADDRESS: &str = "@url";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    fn vnpay(text: &str) -> Result<Vec<VectorResult>, VectorFileError> {
        run(Registry::builtin().get("vnpay").unwrap().as_ref(), text)
    }

    const GOOD: &str = include_str!("../vnpay/vectors.json");

    /// The vectors with one member of one vector changed.
    fn changed(name: &str, pointer: &str, value: Value) -> String {
        let mut file: Value = serde_json::from_str(GOOD).unwrap();
        let vector = file
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|vector| vector["name"] == name)
            .unwrap();
        *vector.pointer_mut(pointer).unwrap() = value;
        file.to_string()
    }

    #[test]
    fn every_compared_member_can_miss() {
        for (pointer, value, member) in [
            ("/expected/valid", false.into(), "expected.valid"),
            ("/expected/reason", "malformed".into(), "expected.reason"),
            (
                "/expected/canonical_string",
                "x".into(),
                "expected.canonical_string",
            ),
            ("/expected/signature", "00".into(), "expected.signature"),
            (
                "/expected/transaction_id",
                Value::Null,
                "expected.transaction_id",
            ),
            ("/expected/order_ref", "x".into(), "expected.order_ref"),
            ("/expected/amount_vnd", 1.into(), "expected.amount_vnd"),
            ("/expected/currency", "USD".into(), "expected.currency"),
            ("/expected/status", "failed".into(), "expected.status"),
            ("/expected/decision", "ignore".into(), "expected.decision"),
            (
                "/expected_ack/http_status",
                201.into(),
                "expected_ack.http_status",
            ),
            (
                "/expected_ack/content_type",
                "text/plain".into(),
                "expected_ack.content_type",
            ),
            (
                "/expected_ack/body/RspCode",
                "99".into(),
                "expected_ack.body.RspCode",
            ),
        ] {
            let results = vnpay(&changed("ipn-paid", pointer, value)).unwrap();
            let misses: Vec<_> = results
                .iter()
                .filter(|result| result.verdict == Verdict::Miss)
                .flat_map(|result| &result.differences)
                .map(|difference| difference.member.as_str())
                .collect();
            assert_eq!(misses, [member], "{pointer}");
        }
        let text = changed("create-pay-url", "/request/query", "vnp_Amount=1".into());
        let results = vnpay(&text).unwrap();
        assert!(results.iter().any(|result| {
            result.verdict == Verdict::Miss && result.differences[0].member == "request.query"
        }));
    }

    #[test]
    fn a_miss_on_an_ambiguous_vector_is_only_told() {
        let text = changed("ipn-paid", "/expected/status", "failed".into())
            .replace("\"ambiguous\":false", "\"ambiguous\":true");
        let verdicts: Vec<_> = vnpay(&text).unwrap().iter().map(|r| r.verdict).collect();
        assert!(!verdicts.contains(&Verdict::Miss));
        assert!(verdicts.contains(&Verdict::Ambiguous));
    }

    #[test]
    fn acknowledgement_ranges_are_checked_even_where_nothing_is_prescribed() {
        for (range, misses) in [
            (serde_json::json!({"rsp_code_any_of": ["00", "02"]}), 0),
            (serde_json::json!({"rsp_code_any_of": ["97"]}), 1),
            (serde_json::json!({"return_code_none_of": [1, 2]}), 0),
            (serde_json::json!({"return_code_none_of": [null]}), 1),
        ] {
            let mut ack = serde_json::json!({"http_status": 204, "match": "json_fields"});
            for (name, value) in range.as_object().unwrap() {
                ack[name] = value.clone();
            }
            let results = vnpay(&changed("ipn-paid", "/expected_ack", ack)).unwrap();
            let missed = results
                .iter()
                .filter(|r| r.verdict == Verdict::Miss)
                .count();
            assert_eq!(missed, misses, "{range}");
        }
    }

    #[test]
    fn a_file_that_holds_no_vectors_says_what_is_wrong_and_where() {
        let fault = |text: &str| vnpay(text).expect_err(text).to_string();
        assert!(fault("[{]").contains("line 1 column 3"));
        assert!(fault("{}").contains("must hold a JSON list"));
        assert!(fault("[]").contains("no vector"));
        assert_eq!(
            fault(r#"[{"name":"a","flow":"ipn","request":{}}]"#),
            "vector 1 (a): missing field `expected`"
        );
        let state = changed("ipn-paid", "/order/state", "closed".into());
        let told = fault(&state);
        assert!(
            told.starts_with("vector 5 (ipn-paid): unknown variant `closed`"),
            "{told}"
        );
        let flow = changed("ipn-paid", "/flow", "telepathy".into());
        assert!(
            vnpay(&flow)
                .unwrap()
                .iter()
                .any(|r| r.verdict == Verdict::Miss)
        );
    }
}
