//! VietQR.vn's callback, whose shape MB shares: the provider fetches a token from us, then reports a
//! movement with it; refunds are asked for on the provider's side.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::digest::md5_hex;
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Outcome, Peer, Place, PreludeError, RawRequest,
    RawResponse, Reading, Schedule, Served, plain,
};
use crate::sepay::bank_reference;

const ACCOUNT: &str = "0123456789";
const MEMO: (&str, usize) = ("HP", 6);
/// Under the address registered for us.
const TOKEN_PATH: &str = "/api/token_generate";
const SYNC_PATH: &str = "/bank/api/transaction-sync";
/// What the provider issues on its own side.
const OWN_TOKEN: &str = "sbx.vietqr.token";

/// VietQR.vn as one merchant meets it.
pub struct VietQrCallback {
    username: String,
    password: String,
    /// A token that needs no prelude, for messages made in memory.
    bearer: String,
    /// Of the refund call's checksum.
    secret_key: String,
    book: Book,
}

impl VietQrCallback {
    pub fn new(username: &str, password: &str, bearer: &str, first_number: i64) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            bearer: bearer.to_owned(),
            secret_key: "sbx-vietqr-secret".to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        // A colon in the password, as some have it.
        Self::new("sbx-user", "sbx:pass", "sbx.bearer", 700_000)
    }

    fn basic(&self) -> String {
        let pair = format!("{}:{}", self.username, self.password);
        format!("Basic {}", BASE64.encode(pair))
    }

    fn refund(&self, request: &RawRequest, now: i64) -> RawResponse {
        let refuse = |status, reason: &str| {
            RawResponse::json_as(status, &json!({"status": "FAILED", "message": reason}))
        };
        if request.header("authorization") != Some(&format!("Bearer {OWN_TOKEN}")) {
            return refuse(401, "E74");
        }
        let body = request.json().unwrap_or(Value::Null);
        let text = |name: &str| plain(&body[name]);
        let expected = md5_hex(&format!(
            "{}{}{}{}",
            self.secret_key,
            text("referenceNumber"),
            text("amount"),
            text("bankAccount")
        ));
        if text("checkSum") != expected {
            return refuse(400, "E39");
        }
        let movements = self.book.movements();
        let paid = movements
            .iter()
            .find(|event| bank_reference(event) == text("referenceNumber"));
        let amount: i64 = text("amount").parse().unwrap_or(0);
        let Some(paid) = paid.filter(|paid| paid.outcome == Outcome::Paid) else {
            return refuse(400, "E42");
        };
        let id = format!("{} {}", text("referenceNumber"), text("multiTimes"));
        let spent: i64 = self
            .book
            .refunds()
            .values()
            .filter(|refund| refund.order == text("referenceNumber"))
            .map(|refund| refund.amount)
            .sum();
        if amount <= 0 || amount > paid.amount - spent {
            return refuse(400, "E43");
        }
        let known = self.book.refunds().contains_key(&id);
        let refund = if known {
            self.book.ask_refund(&id)
        } else {
            Some(self.book.refund(&id, &text("referenceNumber"), amount, now))
        };
        match refund.and_then(|refund| refund.done()) {
            Some(true) => RawResponse::json(&json!({"status": "SUCCESS", "message": "00"})),
            Some(false) => refuse(400, "E44"),
            None => RawResponse::json(&json!({"status": "PENDING", "message": "PENDING"})),
        }
    }
}

impl Peer for VietQrCallback {
    fn provider(&self) -> &'static str {
        "vietqr_callback"
    }

    fn name(&self) -> &'static str {
        "vietqr_callback"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let (prefix, tail) = MEMO;
        vec![
            ("username", self.username.clone()),
            ("password", self.password.clone()),
            ("bearer", self.bearer.clone()),
            ("secret_key", self.secret_key.clone()),
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
            refunds: true,
            reports: &[Outcome::Paid, Outcome::Outgoing],
            names_merchant: true,
            names_currency: false,
            signs: false,
            signs_answers: false,
            batches: false,
            prelude: true,
            by_memo: true,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        let (prefix, tail) = MEMO;
        format!("{prefix}{nth:0tail$}")
    }

    fn prelude(&self, _event: &Event) -> Option<RawRequest> {
        Some(
            RawRequest::post(TOKEN_PATH, "application/json", "{}")
                .with_header("authorization", self.basic()),
        )
    }

    fn read_prelude(&self, event: &mut Event, answer: &RawResponse) -> Result<(), PreludeError> {
        if answer.status != 200 {
            return Err(PreludeError::Status(answer.status));
        }
        let body = answer.read_json().ok_or(PreludeError::Lacks("JSON"))?;
        if body["token_type"] != "Bearer" {
            return Err(PreludeError::Lacks("token_type"));
        }
        if body["expires_in"]
            .as_i64()
            .is_none_or(|seconds| seconds <= 0)
        {
            return Err(PreludeError::Lacks("expires_in"));
        }
        match body["access_token"].as_str() {
            Some(token) if !token.is_empty() => event.token = Some(token.to_owned()),
            _ => return Err(PreludeError::Lacks("access_token")),
        }
        Ok(())
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let out = event.outcome == Outcome::Outgoing;
        let token = event.token.as_deref().unwrap_or(&self.bearer);
        let body = json!({
            "bankaccount": event.merchant.as_deref().unwrap_or(ACCOUNT),
            "amount": event.amount,
            "transType": if out { "D" } else { "C" },
            "content": event.reference,
            "transactionid": self.transaction_id(event),
            "transactiontime": event.at * 1000,
            "referencenumber": bank_reference(event),
            "orderId": event.echoed("orderId").unwrap_or(""),
            "terminalCode": "",
            "subTerminalCode": "",
            "serviceCode": "",
            "urlLink": "",
            "sign": "",
        });
        RawRequest::post_json(SYNC_PATH, &body)
            .with_header("authorization", format!("Bearer {token}"))
    }

    fn transaction_id(&self, event: &Event) -> String {
        format!("tx-sbx-{}", event.transaction)
    }

    fn signed_fields(&self) -> Vec<Field> {
        Vec::new()
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Header, "authorization")]
    }

    /// `error` false with reason 000 and a reference of ours.
    fn reading(&self, answer: &RawResponse) -> Reading {
        let delivered = answer.status == 200
            && answer.read_json().is_some_and(|reply| {
                reply["error"] == false
                    && reply["errorReason"] == "000"
                    && reply["object"]["reftransactionid"]
                        .as_str()
                        .is_some_and(|reference| !reference.is_empty())
            });
        if delivered {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// Unknown.
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

    fn serve(&self, request: &RawRequest, _base_url: &str, now: i64) -> Served {
        Served::answer(match (request.method, request.path.as_str()) {
            ("POST", "/vqr/api/token_generate") => {
                if request.header("authorization") == Some(&self.basic()) {
                    RawResponse::json(&json!({
                        "access_token": OWN_TOKEN,
                        "token_type": "Bearer",
                        "expires_in": 300,
                    }))
                } else {
                    RawResponse::json_as(401, &json!({"status": "FAILED", "message": "E74"}))
                }
            }
            ("POST", "/vqr/api/transaction/refund") => self.refund(request, now),
            _ => RawResponse::text(404, "not found"),
        })
    }
}
