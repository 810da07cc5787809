//! Casso's webhook, first version (a token, a list of movements) and second (one movement, signed over
//! canonical JSON), and the list call.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::digest::hmac_sha512;
use crate::moment;
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served,
};
use crate::sepay::bank_reference;

const ACCOUNT: &str = "0123456789";
const MEMO: (&str, usize) = ("HP", 6);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `secure-token`, several movements a call.
    V1,
    /// `X-Casso-Signature`.
    V2,
}

/// Casso as one business meets it.
pub struct Casso {
    version: Version,
    secure_token: String,
    checksum_key: String,
    book: Book,
}

impl Casso {
    pub fn new(
        version: Version,
        secure_token: &str,
        checksum_key: &str,
        first_number: i64,
    ) -> Self {
        Self {
            version,
            secure_token: secure_token.to_owned(),
            checksum_key: checksum_key.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented(version: Version) -> Self {
        Self::new(
            version,
            "sbx-casso-token",
            "sbxCassoChecksumKey0123456789abcdef0123456789",
            500_000,
        )
    }

    fn sign(&self, milliseconds: &str, body: &Value) -> String {
        let text = format!("{milliseconds}.{}", canonical(body));
        hex::encode(hmac_sha512(self.checksum_key.as_bytes(), &text))
    }

    fn amount(event: &Event) -> i64 {
        if event.outcome == Outcome::Outgoing {
            -event.amount
        } else {
            event.amount
        }
    }

    fn item_v1(event: &Event) -> Value {
        let account = event.merchant.as_deref().unwrap_or(ACCOUNT);
        json!({
            "id": event.transaction,
            "tid": format!("BANK-{}", event.transaction),
            "description": event.reference,
            "amount": Self::amount(event),
            "cusum_balance": 30_000_000,
            "when": moment::spaced(event.at),
            "bank_sub_acc_id": account,
            "subAccId": account,
        })
    }

    fn data_v2(event: &Event) -> Value {
        json!({
            "id": event.transaction,
            "reference": bank_reference(event),
            "description": event.reference,
            "amount": Self::amount(event),
            "runningBalance": 25_000_000,
            "transactionDateTime": moment::spaced(event.at),
            "accountNumber": event.merchant.as_deref().unwrap_or(ACCOUNT),
            "bankName": "VPBank",
            "bankAbbreviation": "VPB",
            "virtualAccountNumber": "",
            "virtualAccountName": "",
            "counterAccountName": "TRẦN THỊ B / ME",
            "counterAccountNumber": "8888888888",
            "counterAccountBankId": "970415",
            "counterAccountBankName": "VietinBank",
        })
    }

    fn list_v1(&self, events: &[Event]) -> RawRequest {
        let items: Vec<Value> = events.iter().map(Self::item_v1).collect();
        RawRequest::post_json("", &json!({"error": 0, "data": items}))
            .with_header("secure-token", self.secure_token.clone())
    }

    /// `GET /v2/transactions`
    fn list(&self, request: &RawRequest) -> RawResponse {
        if request.header("authorization") != Some(&format!("Apikey {}", self.secure_token)) {
            return RawResponse::json_as(401, &json!({"error": 401, "message": "unauthorized"}));
        }
        let records: Vec<Value> = self
            .book
            .movements()
            .iter()
            .map(|event| {
                json!({
                    "id": event.transaction,
                    "tid": bank_reference(event),
                    "description": event.reference,
                    "amount": Self::amount(event),
                    "cusumBalance": 0,
                    "when": moment::spaced(event.at),
                    "bankSubAccId": event.merchant.as_deref().unwrap_or(ACCOUNT),
                })
            })
            .collect();
        RawResponse::json(&json!({
            "error": 0,
            "message": "success",
            "data": {
                "page": 1,
                "pageSize": 100,
                "totalPages": 1,
                "totalRecords": records.len(),
                "records": records,
            },
        }))
    }
}

/// Members in order of name on every level, compact, slashes and Vietnamese as they are.
fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            Value::Object(
                names
                    .into_iter()
                    .map(|name| (name.clone(), sorted(&members[name])))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

impl Peer for Casso {
    fn provider(&self) -> &'static str {
        "casso"
    }

    fn name(&self) -> &'static str {
        match self.version {
            Version::V1 => "casso-v1",
            Version::V2 => "casso-v2",
        }
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let (prefix, tail) = MEMO;
        let key = match self.version {
            Version::V1 => ("secure_token", self.secure_token.clone()),
            Version::V2 => ("checksum_key", self.checksum_key.clone()),
        };
        vec![key, ("memo_pattern", format!("{prefix}[0-9]{{{tail}}}"))]
    }

    fn merchant(&self) -> &str {
        ACCOUNT
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
            signs: self.version == Version::V2,
            signs_answers: false,
            batches: self.version == Version::V1,
            prelude: false,
            by_memo: true,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        let (prefix, tail) = MEMO;
        format!("{prefix}{nth:0tail$}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        if self.version == Version::V1 {
            return self.list_v1(std::slice::from_ref(event));
        }
        let body = json!({"error": 0, "data": Self::data_v2(event)});
        let milliseconds = (event.sent_at * 1000 + 788).to_string();
        let signature = self.sign(&milliseconds, &body);
        RawRequest::post_json("", &body).with_header(
            "x-casso-signature",
            format!("t={milliseconds},v1={signature}"),
        )
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn batch(&self, events: &[Event]) -> Option<RawRequest> {
        (self.version == Version::V1).then(|| self.list_v1(events))
    }

    fn signed_fields(&self) -> Vec<Field> {
        if self.version == Version::V1 {
            return Vec::new();
        }
        let mut fields = Field::all(
            &Place::Json,
            &[
                "error",
                "data/id",
                "data/reference",
                "data/description",
                "data/amount",
                "data/runningBalance",
                "data/transactionDateTime",
                "data/accountNumber",
                "data/bankName",
                "data/bankAbbreviation",
                "data/virtualAccountNumber",
                "data/virtualAccountName",
                "data/counterAccountName",
                "data/counterAccountNumber",
                "data/counterAccountBankId",
                "data/counterAccountBankName",
            ],
        );
        fields.push(Field::new(Place::HeaderPart, "x-casso-signature/t"));
        fields
    }

    fn proof(&self) -> Vec<Field> {
        vec![match self.version {
            Version::V1 => Field::new(Place::Header, "secure-token"),
            Version::V2 => Field::new(Place::HeaderPart, "x-casso-signature/v1"),
        }]
    }

    /// 200 with `"success": true` or `"error": 0`.
    fn reading(&self, answer: &RawResponse) -> Reading {
        let delivered = answer.status == 200
            && answer
                .read_json()
                .is_some_and(|reply| reply["success"] == true || reply["error"] == 0);
        if delivered {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// None is published: lost movements are found in the list.
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

    fn serve(&self, request: &RawRequest, _base_url: &str, _now: i64) -> Served {
        Served::answer(if request.path == "/v2/transactions" {
            self.list(request)
        } else {
            RawResponse::text(404, "not found")
        })
    }
}
