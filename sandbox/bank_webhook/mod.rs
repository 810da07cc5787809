//! A bank's own credit webhook in the plainest signed form, as banks build one for a single customer:
//! one JSON message a movement, HMAC-SHA256 of a stamp, a full stop and the body in a header.

#[cfg(test)]
mod tests;

use serde_json::json;

use crate::digest::hmac_sha256_hex;
use crate::moment;
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served,
};

const ACCOUNT: &str = "0123456789";
const MEMO: (&str, usize) = ("HP", 6);
/// An assumption: banks agree one with each customer.
const WAITS: [u32; 5] = [60, 300, 900, 1800, 3600];

/// A bank as the owner of one account meets it.
pub struct BankWebhook {
    secret: String,
    book: Book,
}

impl BankWebhook {
    pub fn new(secret: &str, first_number: i64) -> Self {
        Self {
            secret: secret.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new("sbx-bank-secret", 900_000)
    }
}

impl Peer for BankWebhook {
    fn provider(&self) -> &'static str {
        "bank_webhook"
    }

    fn name(&self) -> &'static str {
        "bank_webhook"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let (prefix, tail) = MEMO;
        vec![
            ("hmac_secret", self.secret.clone()),
            ("memo_pattern", format!("{prefix}[0-9]{{{tail}}}")),
        ]
    }

    fn merchant(&self) -> &str {
        ACCOUNT
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::None,
            queries: false,
            lists: false,
            refunds: false,
            reports: &[Outcome::Paid, Outcome::Outgoing],
            names_merchant: true,
            names_currency: true,
            signs: true,
            signs_answers: false,
            batches: false,
            prelude: false,
            by_memo: true,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        let (prefix, tail) = MEMO;
        format!("{prefix}{nth:0tail$}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let out = event.outcome == Outcome::Outgoing;
        let body = json!({
            "transaction_id": self.transaction_id(event),
            "account": event.merchant.as_deref().unwrap_or(ACCOUNT),
            "amount": event.amount,
            "currency": event.currency(),
            "direction": if out { "D" } else { "C" },
            "content": event.reference,
            "time": moment::iso(event.at) + "+07:00",
        })
        .to_string();
        let stamp = event.sent_at.to_string();
        let signature = hmac_sha256_hex(&self.secret, &format!("{stamp}.{body}"));
        RawRequest::post("", "application/json", body)
            .with_header("x-timestamp", stamp)
            .with_header("x-signature", signature)
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn signed_fields(&self) -> Vec<Field> {
        let mut fields = Field::all(
            &Place::Json,
            &[
                "transaction_id",
                "account",
                "amount",
                "currency",
                "direction",
                "content",
                "time",
            ],
        );
        fields.push(Field::new(Place::Header, "x-timestamp"));
        fields.push(Field::new(Place::Body, "body"));
        fields
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Header, "x-signature")]
    }

    /// Any 2xx.
    fn reading(&self, answer: &RawResponse) -> Reading {
        if answer.is_success() {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            waits: &WAITS,
            timeout: 30,
            silence: Reading::Again,
            published: false,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, _request: &RawRequest, _base_url: &str, _now: i64) -> Served {
        Served::answer(RawResponse::text(404, "not found"))
    }
}
