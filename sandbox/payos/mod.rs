//! payOS: payment links (create, read, cancel), their page, the webhook and its registration test.

mod api;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::digest::hmac_sha256_hex;
use crate::moment;
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served, with_query,
};
use crate::sepay::bank_reference;

const ACCOUNT: &str = "0123456789";
const BIN: &str = "970422";

/// payOS as the owner of one channel meets it.
pub struct PayOs {
    client_id: String,
    api_key: String,
    checksum_key: String,
    book: Book,
}

impl PayOs {
    pub fn new(client_id: &str, api_key: &str, checksum_key: &str, first_number: i64) -> Self {
        Self {
            client_id: client_id.to_owned(),
            api_key: api_key.to_owned(),
            checksum_key: checksum_key.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new(
            "sbx-payos-client",
            "sbx-payos-api-key",
            "5b5b5b5b0123456789abcdef0123456789abcdef0123456789abcdef5b5b5b5b",
            45_000_000,
        )
    }

    /// Signature over the members of `data`, in the order of their names.
    fn sign(&self, data: &Value) -> String {
        hmac_sha256_hex(&self.checksum_key, &canonical(data))
    }

    fn link_id(reference: &str) -> String {
        format!("{:0>32}", format!("{reference}0f0e"))
    }

    fn data(&self, event: &Event) -> Value {
        let order_code = event
            .reference
            .parse::<i64>()
            .map_or_else(|_| Value::from(event.reference.as_str()), Value::from);
        json!({
            "orderCode": order_code,
            "amount": event.amount,
            "description": event.info,
            "accountNumber": event.merchant.as_deref().unwrap_or(ACCOUNT),
            "reference": bank_reference(event),
            "transactionDateTime": moment::spaced(event.at),
            "currency": event.currency(),
            "paymentLinkId": Self::link_id(&event.reference),
            "code": "00",
            "desc": "success",
            "counterAccountBankId": "970436",
            "counterAccountBankName": null,
            "counterAccountName": "TRẦN THỊ B",
            "counterAccountNumber": "0071000999",
            "virtualAccountName": null,
            "virtualAccountNumber": "",
        })
    }
}

/// `k=v` joined by `&`, raw. Null and the words null and undefined are empty but keep their name; a
/// list is compact JSON with the members of each element in order of name.
fn canonical(data: &Value) -> String {
    let Some(members) = data.as_object() else {
        return String::new();
    };
    let mut names: Vec<&String> = members.keys().collect();
    names.sort();
    let pieces: Vec<String> = names
        .into_iter()
        .map(|name| format!("{name}={}", value_text(&members[name])))
        .collect();
    pieces.join("&")
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if matches!(text.as_str(), "null" | "undefined") => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()).to_string(),
        other => other.to_string(),
    }
}

fn sorted(value: &Value) -> Value {
    match value.as_object() {
        None => value.clone(),
        Some(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            Value::Object(
                names
                    .into_iter()
                    .map(|name| (name.clone(), members[name].clone()))
                    .collect::<Map<_, _>>(),
            )
        }
    }
}

impl Peer for PayOs {
    fn provider(&self) -> &'static str {
        "payos"
    }

    fn name(&self) -> &'static str {
        "payos"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("client_id", self.client_id.clone()),
            ("api_key", self.api_key.clone()),
            ("checksum_key", self.checksum_key.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        ACCOUNT
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::Call,
            queries: true,
            lists: false,
            refunds: false,
            reports: &[Outcome::Paid],
            names_merchant: true,
            names_currency: true,
            signs: true,
            signs_answers: true,
            batches: false,
            prelude: false,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        (2_609_000_000 + nth).to_string()
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let data = self.data(event);
        let signature = self.sign(&data);
        RawRequest::post_json(
            "",
            &json!({
                "code": "00",
                "desc": "success",
                "success": true,
                "data": data,
                "signature": signature,
            }),
        )
    }

    fn transaction_id(&self, event: &Event) -> String {
        bank_reference(event)
    }

    fn signed_fields(&self) -> Vec<Field> {
        Field::all(
            &Place::Json,
            &[
                "data/orderCode",
                "data/amount",
                "data/description",
                "data/accountNumber",
                "data/reference",
                "data/transactionDateTime",
                "data/currency",
                "data/paymentLinkId",
                "data/code",
                "data/desc",
                "data/counterAccountBankId",
                "data/counterAccountName",
                "data/counterAccountNumber",
                "data/virtualAccountNumber",
            ],
        )
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Json, "signature")]
    }

    /// Any 2xx.
    fn reading(&self, answer: &RawResponse) -> Reading {
        if answer.is_success() {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// None is published: a lost webhook is found by asking.
    fn schedule(&self) -> Schedule {
        Schedule {
            waits: &[],
            timeout: 30,
            silence: Reading::Again,
            published: false,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        let back = |order: &Order, event: &Event| {
            let cancelled = event.outcome != Outcome::Paid;
            let address = match &order.cancel_url {
                Some(address) if cancelled => address,
                _ => &order.return_url,
            };
            with_query(
                address,
                &[
                    ("code", "00".to_owned()),
                    ("id", order.handle.clone()),
                    ("cancel", cancelled.to_string()),
                    (
                        "status",
                        if cancelled { "CANCELLED" } else { "PAID" }.to_owned(),
                    ),
                    ("orderCode", order.reference.clone()),
                ],
            )
        };
        let counter = Counter {
            title: "payOS (mô phỏng)",
            merchant: "TRUONG THU NGHIEM",
            banks: &[],
            back: &back,
        };
        counter::serve(self, &counter, request, base_url, now)
            .or_else(|| api::serve(self, request, base_url, now))
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
