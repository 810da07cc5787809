//! SePay's bank-balance webhook: one JSON message a movement, proven by a key in a header or by an
//! HMAC over timestamp and body, and the list of movements for those whose webhook got lost.

use serde_json::{Value, json};

use crate::digest::hmac_sha256_hex;
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served,
};
use crate::{forms, moment};

/// Eight deliveries in about 33 minutes: after 1, 1, 2, 3, 5, 8 and 13 minutes.
const WAITS: [u32; 7] = [60, 60, 120, 180, 300, 480, 780];

/// Opens the list of movements; no key of the webhook does.
const API_TOKEN: &str = "sandbox-sepay-api-token";
const LIST_ROWS_MAX: i64 = 5_000;

/// How the feed proves itself.
#[derive(Clone)]
pub enum Key {
    /// `Authorization: Apikey <key>`
    ApiKey(String),
    /// `X-SePay-Signature` over timestamp and body.
    Hmac(String),
}

impl Key {
    pub fn hmac() -> Self {
        Self::Hmac("sandbox-sepay-hmac-secret".to_owned())
    }

    pub fn api_key() -> Self {
        Self::ApiKey("sandbox-sepay-api-key".to_owned())
    }
}

/// SePay as the owner of one account meets it.
pub struct Feed {
    account: String,
    bank: &'static str,
    key: Key,
    /// The payment code configured in the dashboard: prefix, and length of what follows.
    code: (&'static str, usize),
    book: Book,
}

impl Feed {
    pub fn new(
        account: &str,
        bank: &'static str,
        key: Key,
        code: (&'static str, usize),
        first_number: i64,
    ) -> Self {
        Self {
            account: account.to_owned(),
            bank,
            key,
            code,
            book: Book::new(first_number),
        }
    }

    pub fn invented(key: Key) -> Self {
        Self::new("0123499999", "Vietcombank", key, ("HP", 6), 92_000_000)
    }

    fn sign(secret: &str, timestamp: i64, body: &str) -> String {
        hmac_sha256_hex(secret, &format!("{timestamp}.{body}"))
    }

    /// SePay finds a code only where it stands in one piece; otherwise the field is null.
    fn recognised<'a>(&self, content: &'a str) -> Option<&'a str> {
        let (prefix, tail) = self.code;
        content.match_indices(prefix).find_map(|(start, _)| {
            let code = content.get(start..start + prefix.len() + tail)?;
            code.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                .then_some(code)
        })
    }

    fn account_of<'a>(&'a self, event: &'a Event) -> &'a str {
        event.merchant.as_deref().unwrap_or(&self.account)
    }

    /// `GET /userapi/transactions/list`: at most `limit` movements, the newest first.
    fn list(&self, request: &RawRequest) -> RawResponse {
        if request.header("authorization") != Some(&format!("Bearer {API_TOKEN}")) {
            // The first version of the API says no more to a stranger.
            return RawResponse::text(200, "");
        }
        let pairs = request.query_pairs().unwrap_or_default();
        let number = |name| forms::value(&pairs, name).and_then(|text| text.parse::<i64>().ok());
        let moment = |name| forms::value(&pairs, name).and_then(moment::read_spaced);
        let since = number("since_id").unwrap_or(0);
        let limit = number("limit").unwrap_or(LIST_ROWS_MAX).min(LIST_ROWS_MAX);
        let (first, last) = (
            moment("transaction_date_min").unwrap_or(i64::MIN),
            moment("transaction_date_max").unwrap_or(i64::MAX),
        );
        let account = forms::value(&pairs, "account_number");
        let mut events = self.book.movements();
        events.retain(|event| {
            event.transaction >= since
                && (first..=last).contains(&event.at)
                && account.is_none_or(|account| account == self.account_of(event))
        });
        events.sort_by_key(|event| std::cmp::Reverse((event.at, event.transaction)));
        events.truncate(usize::try_from(limit).unwrap_or_default());
        let movements: Vec<Value> = events
            .iter()
            .map(|event| {
                let out = event.outcome == Outcome::Outgoing;
                let amount = |mine| if mine { event.amount } else { 0 };
                json!({
                    "id": event.transaction.to_string(),
                    "bank_brand_name": self.bank,
                    "account_number": self.account_of(event),
                    "transaction_date": moment::spaced(event.at),
                    "amount_out": format!("{}.00", amount(out)),
                    "amount_in": format!("{}.00", amount(!out)),
                    "accumulated": event.echoed("balance").unwrap_or("0"),
                    "transaction_content": event.reference,
                    "reference_number": bank_reference(event),
                    "code": self.recognised(&event.reference),
                    "sub_account": null,
                    "bank_account_id": "19",
                })
            })
            .collect();
        RawResponse::json(&json!({
            "status": 200,
            "error": null,
            "messages": {"success": true},
            "transactions": movements,
        }))
    }
}

/// The bank's own number of the movement.
pub(crate) fn bank_reference(event: &Event) -> String {
    format!(
        "FT{}{:08}",
        &moment::compact(event.at)[2..8],
        event.transaction.rem_euclid(100_000_000)
    )
}

impl Peer for Feed {
    fn provider(&self) -> &'static str {
        "sepay"
    }

    fn name(&self) -> &'static str {
        match self.key {
            Key::ApiKey(_) => "sepay-apikey",
            Key::Hmac(_) => "sepay-hmac",
        }
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let key = match &self.key {
            Key::ApiKey(key) => ("api_key", key.clone()),
            Key::Hmac(secret) => ("hmac_secret", secret.clone()),
        };
        let (prefix, tail) = self.code;
        vec![
            key,
            ("api_token", API_TOKEN.to_owned()),
            ("memo_pattern", format!("{prefix}[0-9]{{{tail}}}")),
        ]
    }

    fn merchant(&self) -> &str {
        &self.account
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::None,
            queries: false,
            lists: true,
            refunds: false,
            reports: &[Outcome::Paid, Outcome::Outgoing],
            names_merchant: true,
            names_currency: false,
            signs: matches!(self.key, Key::Hmac(_)),
            signs_answers: false,
            batches: false,
            prelude: false,
            by_memo: true,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        let (prefix, tail) = self.code;
        format!("{prefix}{nth:0tail$}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let out = event.outcome == Outcome::Outgoing;
        let balance: i64 = event
            .echoed("balance")
            .and_then(|text| text.parse().ok())
            .unwrap_or(event.amount);
        let body = json!({
            "id": event.transaction,
            "gateway": self.bank,
            "transactionDate": moment::spaced(event.at),
            "accountNumber": self.account_of(event),
            "code": self.recognised(&event.reference),
            "content": event.reference,
            "transferType": if out { "out" } else { "in" },
            "transferAmount": event.amount,
            "accumulated": balance,
            "subAccount": null,
            "referenceCode": bank_reference(event),
            "description": "",
        })
        .to_string();
        match &self.key {
            Key::ApiKey(key) => RawRequest::post("", "application/json", body)
                .with_header("authorization", format!("Apikey {key}")),
            Key::Hmac(secret) => {
                let signature = Self::sign(secret, event.sent_at, &body);
                RawRequest::post("", "application/json", body)
                    .with_header("x-sepay-timestamp", event.sent_at.to_string())
                    .with_header("x-sepay-signature", format!("sha256={signature}"))
            }
        }
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn signed_fields(&self) -> Vec<Field> {
        match self.key {
            Key::ApiKey(_) => Vec::new(),
            Key::Hmac(_) => {
                let mut fields = Field::all(
                    &Place::Json,
                    &[
                        "id",
                        "gateway",
                        "transactionDate",
                        "accountNumber",
                        "code",
                        "content",
                        "transferType",
                        "transferAmount",
                        "accumulated",
                        "referenceCode",
                        "description",
                    ],
                );
                fields.push(Field::new(Place::Header, "x-sepay-timestamp"));
                fields.push(Field::new(Place::Body, "body"));
                fields
            }
        }
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(
            Place::Header,
            match self.key {
                Key::ApiKey(_) => "authorization",
                Key::Hmac(_) => "x-sepay-signature",
            },
        )]
    }

    /// 2xx with `"success": true`.
    fn reading(&self, answer: &RawResponse) -> Reading {
        let delivered = answer.is_success()
            && answer
                .read_json()
                .is_some_and(|reply| reply["success"] == true);
        if delivered {
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
            published: true,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, request: &RawRequest, _base_url: &str, _now: i64) -> Served {
        Served::answer(if request.path == "/userapi/transactions/list" {
            self.list(request)
        } else {
            RawResponse::text(404, "not found")
        })
    }
}

#[cfg(test)]
mod tests;
