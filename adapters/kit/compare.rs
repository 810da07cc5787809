//! Expected against actual.

use serde_json::Value;

use super::vector::{AckSpec, Matching, Vector};
use super::{Conclusion, Difference};
use crate::contract::{Ack, Reason, Status, Vnd};

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
        let claimed = &actual.claimed;
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        let code = |code: Option<&'static str>| code.map_or(Value::Null, Value::from);
        let proven = [
            ("valid", Value::from(actual.valid)),
            ("reason", code(actual.reason.map(Reason::code))),
            ("decision", code(actual.decision)),
            ("status", code(claimed.status.map(Status::code))),
        ];
        for (member, value) in &proven {
            if let Some(expected) = vector.expected.get(*member) {
                self.values(&format!("expected.{member}"), expected, value);
            }
        }
        let read = [
            ("transaction_id", text(&claimed.transaction_id)),
            ("order_ref", text(&claimed.order_ref)),
            (
                "amount_vnd",
                claimed
                    .amount
                    .map(Vnd::get)
                    .map_or(Value::Null, Value::from),
            ),
            ("currency", text(&claimed.currency)),
        ];
        for (member, value) in &read {
            match vector.expected.get(*member) {
                // Nothing is claimed about what a refused message says.
                Some(Value::Null) if !actual.valid => {}
                Some(expected) => self.values(&format!("expected.{member}"), expected, value),
                None => {}
            }
        }
    }

    pub(super) fn signature(
        &mut self,
        vector: &Vector,
        valid: bool,
        canonical: Option<&str>,
        signature: Option<&str>,
    ) {
        let lower = signature.map(str::to_ascii_lowercase);
        for (member, actual, any_case) in [
            ("canonical_string", canonical, false),
            ("signature", lower.as_deref(), true),
        ] {
            let expected = match vector.expected.get(member) {
                None => continue,
                Some(Value::Null) if !valid => continue,
                Some(Value::String(text)) if any_case => Value::from(text.to_ascii_lowercase()),
                Some(expected) => expected.clone(),
            };
            let actual = actual.map_or(Value::Null, Value::from);
            self.values(&format!("expected.{member}"), &expected, &actual);
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
