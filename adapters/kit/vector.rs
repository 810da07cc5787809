//! The vector file format.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::contract::{Debtor, Notice, OpenBill, OrderState, OrderView, Vnd};

/// A text that is not a vector file.
#[derive(Debug, thiserror::Error)]
pub enum VectorFileError {
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("not a list of vectors: the file must hold a JSON list")]
    NotAList,
    #[error("the list holds no vector")]
    Empty,
    #[error("vector {number} ({name}): {reason}")]
    Vector {
        /// From 1.
        number: usize,
        name: String,
        reason: serde_json::Error,
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
    /// For bill-collection hosts.
    #[serde(default)]
    bill_id: Option<String>,
    #[serde(default)]
    customer_name: Option<String>,
}

impl OrderSpec {
    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    /// What a bank's question is answered with; `None` when nothing is due.
    pub(super) fn debtor(&self) -> Option<Debtor> {
        (self.state == OrderState::Open).then(|| Debtor {
            customer_ref: self.reference.clone(),
            name: self.customer_name.clone().unwrap_or_default(),
            address: String::new(),
            bills: vec![OpenBill {
                bill_ref: self
                    .bill_id
                    .clone()
                    .unwrap_or_else(|| self.reference.clone()),
                amount: Vnd::new(self.amount_vnd),
                period: String::new(),
                description: String::new(),
            }],
        })
    }
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
    /// Usually a text; an object stands for itself.
    body: Option<Value>,
    pub(super) received_at_unix: Option<i64>,
    /// HTTP status of a reply; 200 when left out.
    pub(super) status: Option<u16>,
    /// Unsigned fields of a request of ours.
    params: Option<Map<String, Value>>,
    /// The same under another name.
    fields: Option<Map<String, Value>>,
}

impl RequestSpec {
    pub(super) fn body_text(&self) -> String {
        match &self.body {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
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
            Vector::deserialize(item).map_err(|reason| VectorFileError::Vector {
                number: index + 1,
                name,
                reason,
            })
        })
        .collect()
}

impl Vector {
    /// The order a notice names, if it is the one the vector knows. A bill it names must be that
    /// order's too.
    pub(super) fn order_of(&self, notice: &Notice) -> Option<OrderView> {
        let order = self.order.as_ref()?;
        let bill_fits = match (&notice.bill_ref, &order.bill_id) {
            (Some(named), Some(known)) => named == known,
            _ => true,
        };
        let fits = notice.order_ref.as_deref() == Some(order.reference.as_str()) && bill_fits;
        fits.then(|| OrderView {
            amount: Vnd::new(order.amount_vnd),
            state: order.state,
            applied_transaction: order.applied_txn.clone(),
        })
    }

    /// The unsigned fields of a request of ours: `params`, else the members of the body.
    pub(super) fn request_fields(&self) -> Result<Vec<(String, String)>, String> {
        if let Some(params) = self
            .request
            .params
            .as_ref()
            .or(self.request.fields.as_ref())
        {
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
            .ok_or_else(|| "neither params, fields nor a flat JSON body".to_owned())
    }

    /// Whether the body of a request of ours holds this value, as JSON or as a form.
    pub(super) fn body_carries(&self, value: &str) -> bool {
        if let Some(members) = self.body_members() {
            return members
                .iter()
                .any(|(_, member)| member.eq_ignore_ascii_case(value));
        }
        let escaped = value
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        let body = self.request.body_text();
        body.contains(value) || body.contains(&escaped)
    }

    /// The members of a JSON body, numbers with all their digits.
    pub(super) fn body_members(&self) -> Option<Vec<(String, String)>> {
        let body = self.request.body_text();
        let body = body.as_str();
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
