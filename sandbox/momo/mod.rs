//! MoMo's all-in-one gateway v2: create, query, refund, confirm, the wallet's page, IPN and redirect.

mod api;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::digest::hmac_sha256_hex;
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served, plain, with_query,
};

/// Signed in IPN and redirect, after `accessKey`.
const NOTICE_SIGNED: [&str; 12] = [
    "amount",
    "extraData",
    "message",
    "orderId",
    "orderInfo",
    "orderType",
    "partnerCode",
    "payType",
    "requestId",
    "responseTime",
    "resultCode",
    "transId",
];

/// MoMo as one partner meets it.
pub struct Momo {
    partner_code: String,
    access_key: String,
    secret_key: String,
    book: Book,
}

impl Momo {
    pub fn new(partner_code: &str, access_key: &str, secret_key: &str, first_number: i64) -> Self {
        Self {
            partner_code: partner_code.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new(
            "MOMOSBX01",
            "sbxAccessKey01",
            "sbxSecretKeyMoMo0123456789abcdef",
            2_800_000_000,
        )
    }

    /// `accessKey=…` and the named members, raw, in the given order.
    fn sign(&self, message: &Value, names: &[&str]) -> String {
        let mut text = format!("accessKey={}", self.access_key);
        for name in names {
            text.push_str(&format!("&{name}={}", plain(&message[*name])));
        }
        hmac_sha256_hex(&self.secret_key, &text)
    }

    /// A call as its merchant signs it.
    #[cfg(test)]
    pub(crate) fn signed_call(&self, kind: &str, mut body: Value) -> Value {
        let names = api::signed(kind).expect("a call MoMo knows");
        body["signature"] = Value::from(self.sign(&body, names));
        body
    }

    /// Members of IPN and redirect.
    fn report(&self, event: &Event) -> Value {
        let (code, message) = result(event.outcome);
        let request_id = event.echoed("requestId").unwrap_or(&event.reference);
        let mut report = json!({
            "partnerCode": event.merchant.as_deref().unwrap_or(&self.partner_code),
            "orderId": event.reference,
            "requestId": request_id,
            "amount": event.amount,
            "orderInfo": event.info,
            "orderType": "momo_wallet",
            "transId": event.transaction,
            "resultCode": code,
            "message": message,
            "payType": "qr",
            "responseTime": event.at * 1000 + 123,
            "extraData": event.echoed("extraData").unwrap_or(""),
        });
        report["signature"] = Value::from(self.sign(&report, &NOTICE_SIGNED));
        report
    }

    fn back(&self, order: &Order, event: &Event) -> String {
        let report = self.report(event);
        let pairs: Vec<(&str, String)> = report
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), plain(value)))
            .collect();
        with_query(&order.return_url, &pairs)
    }
}

fn result(outcome: Outcome) -> (i64, &'static str) {
    match outcome {
        Outcome::Paid => (0, "Thành công."),
        Outcome::Authorized => (9000, "Giao dịch đã được xác nhận thành công."),
        Outcome::Failed | Outcome::Outgoing | Outcome::Reversed => (
            1001,
            "Giao dịch thất bại do tài khoản người dùng không đủ tiền.",
        ),
        Outcome::Cancelled => (1006, "Giao dịch bị từ chối bởi người dùng."),
        Outcome::Pending => (7000, "Giao dịch đang được xử lý."),
        Outcome::Suspect => (7002, "Giao dịch đang được nhà cung cấp thanh toán xử lý."),
    }
}

impl Peer for Momo {
    fn provider(&self) -> &'static str {
        "momo"
    }

    fn name(&self) -> &'static str {
        "momo"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("partner_code", self.partner_code.clone()),
            ("access_key", self.access_key.clone()),
            ("secret_key", self.secret_key.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.partner_code
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::Call,
            queries: true,
            lists: false,
            refunds: true,
            reports: &[
                Outcome::Paid,
                Outcome::Failed,
                Outcome::Cancelled,
                Outcome::Pending,
                Outcome::Authorized,
            ],
            names_merchant: true,
            names_currency: false,
            signs: true,
            signs_answers: false,
            batches: false,
            prelude: false,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        format!("HPSBX-{nth:07}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        RawRequest::post(
            "",
            "application/json; charset=UTF-8",
            self.report(event).to_string(),
        )
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn signed_fields(&self) -> Vec<Field> {
        Field::all(&Place::Json, &NOTICE_SIGNED)
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Json, "signature")]
    }

    /// 204 without a body.
    fn reading(&self, answer: &RawResponse) -> Reading {
        if answer.status == 204 && answer.body.is_empty() {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// MoMo publishes none; merchants report that an IPN is sent once.
    fn schedule(&self) -> Schedule {
        Schedule {
            waits: &[],
            timeout: 15,
            silence: Reading::Again,
            published: false,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        let back = |order: &Order, event: &Event| self.back(order, event);
        let counter = Counter {
            title: "Ví MoMo (mô phỏng)",
            merchant: &self.partner_code,
            banks: &[],
            back: &back,
        };
        counter::serve(self, &counter, request, base_url, now)
            .or_else(|| api::serve(self, request, base_url, now))
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
