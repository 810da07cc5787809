//! Runs vector files (reference: payment-providers §15) against an adapter.
//!
//! A vector is one message with everything it must lead to. The kit plays what the gateway does
//! around an adapter: verify, look the order up, decide, acknowledge. Members it does not know are
//! ignored, members that are absent are not compared.

mod compare;
pub mod hostile;
mod play;
mod vector;

use serde_json::Value;

use crate::contract::{Adapter, Credentials, Flow, Inbound};

use self::play::play;
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

/// The genuine notices of a vector file.
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
