//! Expected against actual.

use serde_json::Value;

use super::Difference;
use super::play::Conclusion;
use super::vector::{AckSpec, Matching, Vector};
use crate::contract::{Ack, Claimed, Credentials, Inspection, Status, Vnd};

#[derive(Default)]
pub(super) struct Differences(Vec<Difference>);

impl Differences {
    pub(super) fn into_vec(self) -> Vec<Difference> {
        self.0
    }

    pub(super) fn add(&mut self, member: &str, expected: &str, actual: impl AsRef<str>) {
        self.0.push(Difference {
            member: member.to_owned(),
            expected: expected.to_owned(),
            actual: actual.as_ref().to_owned(),
        });
    }

    fn values(&mut self, member: &str, expected: &Value, actual: &Value) {
        if expected != actual {
            self.add(member, &expected.to_string(), actual.to_string());
        }
    }

    pub(super) fn conclusion(&mut self, vector: &Vector, actual: &Conclusion) {
        self.judged(vector, actual);
        let decision = actual.decision.map_or(Value::Null, Value::from);
        if let Some(expected) = vector.expected.get("decision") {
            self.values("expected.decision", expected, &decision);
        }
        self.claimed("expected", &vector.expected, &actual.claimed, actual.valid);
        if let Some(Value::Array(items)) = vector.expected.get("items") {
            if items.len() != actual.items.len() {
                let expected = items.len().to_string();
                self.add("expected.items", &expected, actual.items.len().to_string());
            }
            for (place, (item, claimed)) in items.iter().zip(&actual.items).enumerate() {
                if let Value::Object(item) = item {
                    self.claimed(&format!("expected.items[{place}]"), item, claimed, true);
                }
            }
        }
    }

    /// A reply: what is decided about it is not the adapter's.
    pub(super) fn observation(&mut self, vector: &Vector, actual: &Conclusion) {
        self.judged(vector, actual);
        let mut expected = vector.expected.clone();
        // A file that says nothing about a member of a reply does not deny it.
        expected.retain(|_, value| !value.is_null());
        self.claimed("expected", &expected, &actual.claimed, actual.valid);
    }

    fn judged(&mut self, vector: &Vector, actual: &Conclusion) {
        let reason = actual
            .reason
            .map_or(Value::Null, |reason| reason.code().into());
        for (member, value) in [("valid", actual.valid.into()), ("reason", reason)] {
            if let Some(expected) = vector.expected.get(member) {
                self.values(&format!("expected.{member}"), expected, &value);
            }
        }
    }

    fn claimed(
        &mut self,
        place: &str,
        expected: &serde_json::Map<String, Value>,
        claimed: &Claimed,
        valid: bool,
    ) {
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        let status = claimed.status.map(Status::code);
        let amount = claimed.amount.map(Vnd::get);
        for (member, value) in [
            ("status", status.map_or(Value::Null, Value::from)),
            ("transaction_id", text(&claimed.transaction_id)),
            ("order_ref", text(&claimed.order_ref)),
            ("amount_vnd", amount.map_or(Value::Null, Value::from)),
            ("currency", text(&claimed.currency)),
        ] {
            match expected.get(member) {
                // Nothing is claimed about what a refused message says.
                Some(Value::Null) if !valid && member != "status" => {}
                Some(expected) => self.values(&format!("{place}.{member}"), expected, &value),
                None => {}
            }
        }
    }

    pub(super) fn signature(
        &mut self,
        vector: &Vector,
        valid: bool,
        inspection: &Inspection,
        credentials: &Credentials,
    ) {
        // Without the header that is part of the text nobody can say what it should have been.
        if !valid && inspection.canonical.is_none() {
            return;
        }
        // A file that leaves the text out does not deny it: some formulas are only tried.
        if let Some(Value::String(expected)) = vector.expected.get("canonical_string") {
            let canonical = inspection.canonical.as_ref();
            // Files write secrets as they are or by their names.
            let fits = canonical.is_some_and(|text| {
                text.exposed(credentials) == *expected || text.masked() == *expected
            });
            if !fits {
                let actual = canonical.map_or_else(|| "none".to_owned(), |text| text.masked());
                self.add("expected.canonical_string", expected, actual);
            }
        }
        let actual = inspection.signature.as_deref();
        match vector.expected.get("signature") {
            Some(Value::String(expected)) => {
                let hexadecimal = expected.bytes().all(|byte| byte.is_ascii_hexdigit());
                let same = actual.is_some_and(|actual| {
                    actual == expected || (hexadecimal && actual.eq_ignore_ascii_case(expected))
                });
                if !same {
                    self.add("expected.signature", expected, actual.unwrap_or("none"));
                }
            }
            Some(Value::Null) if valid && actual.is_some() => {
                self.add("expected.signature", "none", actual.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// A token must be there with its life time, whatever the file lists.
    pub(super) fn token(&mut self, ack: &Ack) {
        let body: Value = serde_json::from_slice(&ack.body).unwrap_or_default();
        if body["access_token"].as_str().is_none_or(str::is_empty) {
            self.add("expected_ack.body.access_token", "a token", "none");
        }
        if body["expires_in"].as_i64().is_none_or(|life| life <= 0) {
            self.add("expected_ack.body.expires_in", "seconds", "none");
        }
    }

    /// Byte for byte, but the signature in either case.
    pub(super) fn query(&mut self, expected: &str, actual: &str, signature: &str) {
        let split = |query: &str| {
            let at = query.len().saturating_sub(signature.len());
            query
                .split_at_checked(at)
                .map(|(head, tail)| format!("{head}{}", tail.to_ascii_lowercase()))
        };
        if split(expected) != split(actual) {
            self.add("request.query", expected, actual);
        }
    }

    pub(super) fn ack(&mut self, expected: &AckSpec, actual: &Ack) {
        let body: Option<Value> = serde_json::from_slice(&actual.body).ok();
        let member = |name: &str| {
            let member = body.as_ref().and_then(|body| body.get(name));
            member.cloned().unwrap_or(Value::Null)
        };
        if let Some(allowed) = &expected.rsp_code_any_of
            && !allowed.contains(&member("RspCode"))
        {
            let allowed = Value::from(allowed.clone()).to_string();
            self.add(
                "expected_ack.rsp_code_any_of",
                &allowed,
                member("RspCode").to_string(),
            );
        }
        if let Some(barred) = &expected.return_code_none_of
            && barred.contains(&member("return_code"))
        {
            let barred = format!("none of {}", Value::from(barred.clone()));
            let actual = member("return_code").to_string();
            self.add("expected_ack.return_code_none_of", &barred, actual);
        }
        let status = actual.status.to_string();
        let class = |status: u16| status / 100;
        let same_class = class(expected.http_status) == class(actual.status);
        match expected.matching {
            Matching::Status4xx if class(actual.status) != 4 => {
                self.add("expected_ack.http_status", "4xx", &status);
            }
            Matching::Status4xx => {}
            // Our own recommendation: only whether the provider will call again matters.
            _ if !expected.normative && !same_class => {
                let class = format!("{}xx", class(expected.http_status));
                self.add("expected_ack.http_status", &class, &status);
            }
            _ if !expected.normative => {}
            _ => {
                if expected.http_status != actual.status {
                    let expected = expected.http_status.to_string();
                    self.add("expected_ack.http_status", &expected, &status);
                }
                self.ack_content(expected, actual, &member);
            }
        }
    }

    fn ack_content(&mut self, expected: &AckSpec, actual: &Ack, member: &dyn Fn(&str) -> Value) {
        let text = String::from_utf8_lossy(&actual.body);
        match expected.matching {
            Matching::JsonFields => {
                for (name, value) in expected.body.as_object().into_iter().flatten() {
                    self.values(&format!("expected_ack.body.{name}"), value, &member(name));
                }
            }
            Matching::TextExact => {
                let expected = expected.body.as_str().unwrap_or_default();
                if expected != text {
                    self.add("expected_ack.body", expected, &text);
                }
            }
            Matching::Empty if !text.is_empty() => {
                self.add("expected_ack.body", "an empty body", &text);
            }
            Matching::Empty | Matching::StatusOnly | Matching::Status4xx => {}
        }
        if matches!(expected.matching, Matching::StatusOnly | Matching::Empty) {
            return;
        }
        if let Some(wanted) = &expected.content_type {
            let media = |text: &str| {
                let media = text.split(';').next().unwrap_or_default();
                media.trim().to_ascii_lowercase()
            };
            let given = actual.content_type.as_deref().unwrap_or_default();
            if media(wanted) != media(given) {
                self.add("expected_ack.content_type", wanted, given);
            }
        }
    }
}
