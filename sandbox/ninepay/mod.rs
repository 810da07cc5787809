//! 9Pay: the portal a signed address leads to, the callback with base64 JSON, inquiry and refund behind
//! a signature of method, address, time and parameters.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::digest::{hmac_sha256, sha256_hex};
use crate::forms;
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, OrderState, Outcome, Peer, Place, RawRequest,
    RawResponse, Reading, Refund, Schedule, Served, plain, with_query,
};

/// Clocks of merchants may differ by so much.
const CLOCK_SECONDS: i64 = 300;

/// 9Pay as one merchant meets it.
pub struct NinePay {
    merchant_key: String,
    secret_key: String,
    checksum_key: String,
    book: Book,
}

impl NinePay {
    pub fn new(
        merchant_key: &str,
        secret_key: &str,
        checksum_key: &str,
        first_number: i64,
    ) -> Self {
        Self {
            merchant_key: merchant_key.to_owned(),
            secret_key: secret_key.to_owned(),
            checksum_key: checksum_key.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new(
            "SBX9PAY",
            "sbxNinePaySecret",
            "sbxNinePayChecksum",
            290_905_000_000,
        )
    }

    fn checksum(&self, result: &str) -> String {
        sha256_hex(&format!("{result}{}", self.checksum_key)).to_uppercase()
    }

    fn sign(&self, canonical: &str) -> String {
        BASE64.encode(hmac_sha256(self.secret_key.as_bytes(), canonical))
    }

    fn result(&self, event: &Event) -> String {
        let (status, error, reason) = match event.outcome {
            Outcome::Paid => (5, "000", None),
            Outcome::Cancelled => (8, "008", Some("Khách hàng huỷ giao dịch")),
            Outcome::Pending | Outcome::Suspect | Outcome::Authorized => (2, "002", None),
            Outcome::Failed | Outcome::Outgoing | Outcome::Reversed => {
                (6, "006", Some("Không đủ tiền"))
            }
        };
        let result = json!({
            "amount": event.amount,
            "currency": event.currency(),
            "description": event.info,
            "error_code": error,
            "failure_reason": reason,
            "invoice_no": event.reference,
            "method": "ATM_CARD",
            "payment_no": event.transaction,
            "status": status,
        });
        BASE64.encode(result.to_string())
    }

    /// `GET /portal?baseEncode=…&signature=…`
    fn accept(
        &self,
        request: &RawRequest,
        base_url: &str,
        now: i64,
    ) -> Result<String, &'static str> {
        let pairs = request.query_pairs().ok_or("query")?;
        let encoded = forms::value(&pairs, "baseEncode").ok_or("baseEncode")?;
        let params: Value = BASE64
            .decode(encoded)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or("baseEncode")?;
        let text = |name: &str| plain(&params[name]);
        if text("merchantKey") != self.merchant_key {
            return Err("merchantKey");
        }
        let time: i64 = text("time").parse().map_err(|_| "time")?;
        if (now - time).abs() > CLOCK_SECONDS {
            return Err("time");
        }
        let canonical = canonical(
            "POST",
            &format!("{base_url}/payments/create"),
            &text("time"),
            &params,
        );
        if forms::value(&pairs, "signature") != Some(&self.sign(&canonical)) {
            return Err("signature");
        }
        let amount: i64 = text("amount").parse().map_err(|_| "amount")?;
        if amount <= 0 || text("invoice_no").is_empty() || text("return_url").is_empty() {
            return Err("invoice_no");
        }
        let mut order = Order::new(&text("invoice_no"), amount, &text("invoice_no"), now);
        order.info = text("description");
        order.return_url = text("return_url");
        order.cancel_url = Some(text("back_url")).filter(|url| !url.is_empty());
        if self.book.open(order) {
            Ok(text("invoice_no"))
        } else {
            Err("invoice_no")
        }
    }

    /// True when `Authorization` and `Date` prove the merchant for this call.
    fn admits(&self, request: &RawRequest, base_url: &str, params: &Value, now: i64) -> bool {
        let date = request.header("date").unwrap_or("");
        let in_time = date
            .parse::<i64>()
            .is_ok_and(|time| (now - time).abs() <= CLOCK_SECONDS);
        let text = canonical(
            request.method,
            &format!("{base_url}{}", request.path),
            date,
            params,
        );
        let expected = format!(
            "Signature Algorithm=HS256,Credential={},SignedHeaders=,Signature={}",
            self.merchant_key,
            self.sign(&text)
        );
        in_time && request.header("authorization") == Some(&expected)
    }

    fn inquire(&self, id: &str) -> RawResponse {
        let order = self.book.order(id).or_else(|| {
            let orders = self.book.orders();
            orders
                .values()
                .find(|order| order.paid_number().to_string() == id)
                .cloned()
        });
        let Some(order) = order else {
            return failed(404, "Giao dịch không tồn tại.");
        };
        let status = match order.state {
            OrderState::Open => 2,
            OrderState::Paid => 5,
            OrderState::Failed => 6,
            OrderState::Cancelled => 8,
            OrderState::Expired => 15,
        };
        RawResponse::json(&json!({
            "payment_no": order.paid_number(),
            "invoice_no": order.reference,
            "amount": order.amount,
            "currency": "VND",
            "description": order.info,
            "method": "ATM_CARD",
            "status": status,
            "error_code": if status == 5 { "000" } else { "001" },
            "failure_reason": null,
        }))
    }

    fn inquire_refund(&self, id: &str) -> RawResponse {
        match self.book.ask_refund(id) {
            Some(refund) => RawResponse::json(&refund_answer(&refund)),
            None => failed(404, "Giao dịch không tồn tại."),
        }
    }

    fn refund(&self, form: &Value, now: i64) -> RawResponse {
        let text = |name: &str| plain(&form[name]);
        let (id, amount) = (text("request_id"), text("amount").parse().unwrap_or(0));
        let order = self
            .book
            .orders()
            .values()
            .find(|order| {
                order.paid_number() > 0 && order.paid_number().to_string() == text("payment_no")
            })
            .cloned();
        let Some(order) = order else {
            return failed(404, "Giao dịch không tồn tại.");
        };
        if id.is_empty() || self.book.refunds().contains_key(&id) {
            return failed(422, "request_id đã được dùng.");
        }
        if amount <= 0 || amount > order.amount - order.refunded(&self.book) {
            return failed(422, "Số tiền hoàn không hợp lệ.");
        }
        RawResponse::json(&refund_answer(&self.book.refund(
            &id,
            &order.reference,
            amount,
            now,
        )))
    }
}

fn failed(status: u16, message: &str) -> RawResponse {
    RawResponse::json_as(
        status,
        &json!({"status": 6, "error_code": "006", "message": message}),
    )
}

fn refund_answer(refund: &Refund) -> Value {
    let status = match refund.done() {
        None => 2,
        Some(true) => 5,
        Some(false) => 6,
    };
    json!({
        "request_id": refund.id,
        "refund_no": refund.number,
        "amount": refund.amount,
        "status": status,
        "error_code": match status {
            6 => "006",
            2 => "999",
            _ => "000",
        },
        "failure_reason": (status == 2).then_some("Processing"),
    })
}

/// Method, address, unix seconds and sorted form-encoded parameters, one a line; no empty last line.
fn canonical(method: &str, address: &str, time: &str, params: &Value) -> String {
    let mut names: Vec<&String> = params
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .collect();
    names.sort();
    let values: Vec<(&str, String)> = names
        .iter()
        .map(|name| (name.as_str(), plain(&params[name.as_str()])))
        .collect();
    let query = forms::join(values.iter().map(|(name, value)| (*name, value.as_str())));
    let mut text = format!("{method}\n{address}\n{time}");
    if !query.is_empty() {
        text.push('\n');
        text.push_str(&query);
    }
    text
}

impl Peer for NinePay {
    fn provider(&self) -> &'static str {
        "ninepay"
    }

    fn name(&self) -> &'static str {
        "ninepay"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("merchant_key", self.merchant_key.clone()),
            ("secret_key", self.secret_key.clone()),
            ("checksum_key", self.checksum_key.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.merchant_key
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::Redirect,
            queries: true,
            lists: false,
            refunds: true,
            reports: &[
                Outcome::Paid,
                Outcome::Failed,
                Outcome::Cancelled,
                Outcome::Pending,
            ],
            names_merchant: false,
            names_currency: true,
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
        let result = self.result(event);
        let checksum = self.checksum(&result);
        RawRequest::post_form(
            "",
            &[
                ("result", result),
                ("checksum", checksum),
                ("version", "2".to_owned()),
            ],
        )
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn signed_fields(&self) -> Vec<Field> {
        let mut fields = Field::all(
            &Place::FormBase64("result"),
            &[
                "amount",
                "currency",
                "description",
                "error_code",
                "invoice_no",
                "method",
                "payment_no",
                "status",
            ],
        );
        fields.push(Field::new(Place::Form, "result"));
        fields
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Form, "checksum")]
    }

    /// 200.
    fn reading(&self, answer: &RawResponse) -> Reading {
        if answer.status == 200 {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// Unknown; a lost callback is found by asking.
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
            let result = self.result(event);
            let checksum = self.checksum(&result);
            with_query(
                &order.return_url,
                &[("result", result), ("checksum", checksum)],
            )
        };
        let counter = Counter {
            title: "Cổng thanh toán 9Pay (mô phỏng)",
            merchant: &self.merchant_key,
            banks: &[],
            back: &back,
        };
        if request.path == "/portal" {
            return match self.accept(request, base_url, now) {
                Ok(handle) => {
                    Served::answer(RawResponse::see(&counter::address(base_url, &handle)))
                }
                Err(field) => counter::refuse("Yêu cầu thanh toán không hợp lệ.", field),
            };
        }
        let inquired = |folder| {
            let rest = request.path.strip_prefix(folder)?;
            rest.strip_suffix("/inquire")
        };
        let (payment, refund) = (inquired("/v2/payments/"), inquired("/v2/refunds/"));
        let refunds = matches!(
            request.path.as_str(),
            "/refunds/create" | "/v2/refunds/create"
        );
        if payment.is_some() || refund.is_some() || refunds {
            let form: Value = request
                .form()
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, Value::from(value)))
                .collect();
            return Served::answer(match (payment, refund) {
                _ if !self.admits(request, base_url, &form, now) => {
                    failed(401, "Chữ ký không hợp lệ.")
                }
                (Some(id), _) => self.inquire(id),
                (None, Some(id)) => self.inquire_refund(id),
                (None, None) => self.refund(&form, now),
            });
        }
        counter::serve(self, &counter, request, base_url, now)
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
