//! The vector file format.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::contract::{OrderState, OrderView, Vnd};

/// A text that is not a vector file.
#[derive(Debug, thiserror::Error)]
pub enum VectorFileError {
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("not a list of vectors: the file must hold a JSON list")]
    NotAList,
    #[error("the list holds no vector")]
    Empty,
    #[error("vector {number} ({name}): {source}")]
    Vector {
        /// From 1.
        number: usize,
        name: String,
        source: serde_json::Error,
    },
}

/// One vector. Members not named here are notes.
#[derive(Debug, Deserialize)]
pub struct Vector {
    pub(super) name: String,
    pub(super) flow: String,
    #[serde(default)]
    pub(super) ambiguous: bool,
    #[serde(default)]
    pub(super) secrets: Map<String, Value>,
    #[serde(default)]
    pub(super) order: Option<OrderSpec>,
    pub(super) request: RequestSpec,
    pub(super) expected: Map<String, Value>,
    #[serde(default)]
    pub(super) expected_ack: Option<AckSpec>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OrderSpec {
    #[serde(rename = "ref")]
    reference: String,
    amount_vnd: i64,
    state: OrderState,
    #[serde(default)]
    applied_txn: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RequestSpec {
    #[serde(default)]
    pub(super) method: String,
    #[serde(default)]
    pub(super) path: String,
    pub(super) query: Option<String>,
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    pub(super) body: Option<String>,
    pub(super) received_at_unix: Option<i64>,
    /// Unsigned fields of a request of ours.
    params: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AckSpec {
    pub(super) http_status: u16,
    #[serde(default)]
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) body: Value,
    #[serde(rename = "match")]
    pub(super) matching: Matching,
    /// Whether the provider prescribes the answer.
    #[serde(default)]
    pub(super) normative: bool,
    pub(super) rsp_code_any_of: Option<Vec<Value>>,
    pub(super) return_code_none_of: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Matching {
    /// The listed members must be equal.
    #[serde(rename = "json_fields")]
    JsonFields,
    #[serde(rename = "text_exact")]
    TextExact,
    #[serde(rename = "empty")]
    Empty,
    #[serde(rename = "status_only")]
    StatusOnly,
    #[serde(rename = "status_4xx")]
    Status4xx,
}

/// Reads a vector file.
///
/// # Errors
/// [`VectorFileError`] naming the place of the mistake.
pub fn read(text: &str) -> Result<Vec<Vector>, VectorFileError> {
    let text = text.trim_start_matches('\u{feff}');
    let file: Value = serde_json::from_str(text).map_err(VectorFileError::NotJson)?;
    let Value::Array(items) = file else {
        return Err(VectorFileError::NotAList);
    };
    if items.is_empty() {
        return Err(VectorFileError::Empty);
    }
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let name = item
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("no name")
                .to_owned();
            Vector::deserialize(item).map_err(|source| VectorFileError::Vector {
                number: index + 1,
                name,
                source,
            })
        })
        .collect()
}

impl Vector {
    /// The order a message names, if it is the one the vector knows.
    pub(super) fn order_of(&self, order_ref: Option<&str>) -> Option<OrderView> {
        let order = self.order.as_ref()?;
        (order_ref == Some(order.reference.as_str())).then(|| OrderView {
            amount: Vnd::new(order.amount_vnd),
            state: order.state,
            applied_transaction: order.applied_txn.clone(),
        })
    }

    /// The unsigned fields of a request of ours: `params`, else the members of the body.
    pub(super) fn request_fields(&self) -> Result<Vec<(String, String)>, String> {
        if let Some(params) = &self.request.params {
            let fields = params.iter().filter(|(_, value)| !value.is_null());
            return Ok(fields
                .map(|(name, value)| {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    (name.clone(), text)
                })
                .collect());
        }
        self.body_members()
            .ok_or_else(|| "neither params nor a flat JSON body".to_owned())
    }

    /// The members of a JSON body, numbers with all their digits.
    pub(super) fn body_members(&self) -> Option<Vec<(String, String)>> {
        let body = self.request.body.as_deref()?;
        let names: Map<String, Value> = serde_json::from_str(body).ok()?;
        let raw: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(body).ok()?;
        let mut members = Vec::with_capacity(names.len());
        for (name, value) in names {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => raw.get(&name)?.get().to_owned(),
                Value::Array(_) | Value::Object(_) => return None,
            };
            members.push((name, text));
        }
        Some(members)
    }
}
