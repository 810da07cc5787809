//! Alepay v3 (Ngân Lượng): payment requests, transaction info, refund, and the notice, all JSON with
//! a signature over every member.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::digest::{hmac_sha256_hex, sha256_hex};
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, OrderState, Outcome, Peer, Place, RawRequest,
    RawResponse, Reading, Refund, Schedule, Served, plain, with_query,
};

const BASE: &str = "/api/v3/checkout/";

/// Alepay as one merchant meets it.
pub struct Alepay {
    token_key: String,
    checksum_key: String,
    book: Book,
    /// Number of the payment that bears the code of its order, by order; the book says it once the
    /// page was used.
    first: Mutex<BTreeMap<String, i64>>,
}

impl Alepay {
    pub fn new(token_key: &str, checksum_key: &str, first_number: i64) -> Self {
        Self {
            token_key: token_key.to_owned(),
            checksum_key: checksum_key.to_owned(),
            book: Book::new(first_number),
            first: Mutex::default(),
        }
    }

    pub fn invented() -> Self {
        Self::new(
            "sbxAlepayToken0123456789abcdef",
            "sbxAlepayChecksum0123456789abc",
            88_000_000,
        )
    }

    fn sign(&self, message: &Value) -> String {
        hmac_sha256_hex(&self.checksum_key, &canonical(message))
    }

    fn signed(&self, mut message: Value) -> Value {
        message["signature"] = Value::from(self.sign(&message));
        message
    }

    /// The number of the payment that bears the code of its order.
    fn first(&self, order: &Order, event: &Event) -> i64 {
        if order.paid_number() > 0 {
            return order.paid_number();
        }
        if event.outcome != Outcome::Paid {
            return event.transaction;
        }
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        *first
            .entry(order.reference.clone())
            .or_insert(event.transaction)
    }

    fn info(event: &Event, transaction: &str) -> Value {
        let (code, message) = match event.outcome {
            Outcome::Paid => ("000", "Thành công"),
            Outcome::Cancelled => ("126", "Khách hàng huỷ giao dịch"),
            Outcome::Pending | Outcome::Suspect | Outcome::Authorized => {
                ("150", "Giao dịch chờ duyệt")
            }
            Outcome::Failed | Outcome::Outgoing | Outcome::Reversed => ("134", "Thẻ không đủ tiền"),
        };
        json!({
            "code": code,
            "message": message,
            "transactionCode": transaction,
            "orderCode": event.reference,
            "amount": event.amount,
            "currency": event.currency(),
            "description": event.info,
            "status": code,
            "method": "ATM_ON",
            "bankCode": "NCB",
            "bankName": "",
            "transactionTime": event.at * 1000,
            "successTime": event.at * 1000,
        })
    }

    fn create(&self, body: &Value, base_url: &str, now: i64) -> Result<Value, Refusal> {
        let text = |name: &str| plain(&body[name]);
        let amount: i64 = text("amount")
            .parse()
            .map_err(|_| Refusal("105", "Số tiền không hợp lệ"))?;
        let filled = [
            "orderCode",
            "orderDescription",
            "returnUrl",
            "cancelUrl",
            "buyerName",
        ]
        .iter()
        .all(|name| !text(name).is_empty());
        if amount <= 0 || text("currency") != "VND" || !filled {
            return Err(Refusal("101", "Dữ liệu không hợp lệ"));
        }
        let handle = format!("ALE{}", self.book.next_number());
        let mut order = Order::new(&text("orderCode"), amount, &handle, now);
        order.info = text("orderDescription");
        order.return_url = text("returnUrl");
        order.cancel_url = Some(text("cancelUrl"));
        if self.book.order(&order.reference).is_some() || !self.book.open(order) {
            return Err(Refusal("107", "Mã đơn hàng đã tồn tại"));
        }
        Ok(json!({
            "code": "000",
            "message": "Thành công",
            "transactionCode": handle,
            "checkoutUrl": counter::address(base_url, &handle),
        }))
    }

    fn describe(&self, body: &Value) -> Result<Value, Refusal> {
        let order = self
            .book
            .order_by_handle(&plain(&body["transactionCode"]))
            .ok_or(Refusal("104", "Giao dịch không tồn tại"))?;
        let outcome = match order.state {
            OrderState::Open => Outcome::Pending,
            OrderState::Paid => Outcome::Paid,
            OrderState::Cancelled => Outcome::Cancelled,
            OrderState::Failed | OrderState::Expired => Outcome::Failed,
        };
        let at = order.transactions.first().map_or(0, |paid| paid.at);
        let event = Event::paid(&order.reference, order.amount, 0, at)
            .ending(outcome)
            .about(&order.info);
        let mut info = Self::info(&event, &order.handle);
        // `code` is about the call, `status` about the payment.
        info["code"] = Value::from("000");
        Ok(info)
    }

    fn refund(&self, body: &Value, now: i64) -> Result<Value, Refusal> {
        let text = |name: &str| plain(&body[name]);
        let id = text("merchantRefundCode");
        let order = self
            .book
            .order_by_handle(&text("transactionCode"))
            .filter(|order| order.state == OrderState::Paid)
            .ok_or(Refusal("104", "Giao dịch không tồn tại"))?;
        let amount: i64 = text("refundAmount").parse().unwrap_or(0);
        if id.is_empty() || self.book.refunds().contains_key(&id) {
            return Err(Refusal("107", "Mã hoàn tiền đã tồn tại"));
        }
        if amount <= 0 || amount > order.amount - order.refunded(&self.book) {
            return Err(Refusal("105", "Số tiền không hợp lệ"));
        }
        let refund = self.book.refund(&id, &order.reference, amount, now);
        Ok(self.refund_answer(&order, &refund))
    }

    fn refund_answer(&self, order: &Order, refund: &Refund) -> Value {
        let status = match refund.done() {
            None => "PROCESSING",
            Some(true) => "SUCCESS",
            Some(false) => "FAILED",
        };
        let proof = format!(
            "{}{}{}{}{}",
            order.handle, order.reference, refund.id, refund.amount, self.checksum_key
        );
        json!({
            "code": "000",
            "message": "Thành công",
            "transactionCode": order.handle,
            "orderCode": order.reference,
            "merchantRefundCode": refund.id,
            "refundAmount": refund.amount,
            "status": status,
            "signature": sha256_hex(&proof),
        })
    }

    fn refund_info(&self, body: &Value) -> Result<Value, Refusal> {
        let refund = self
            .book
            .ask_refund(&plain(&body["merchantRefundCode"]))
            .ok_or(Refusal("104", "Giao dịch không tồn tại"))?;
        let order = self
            .book
            .order(&refund.order)
            .ok_or(Refusal("104", "Giao dịch không tồn tại"))?;
        Ok(self.refund_answer(&order, &refund))
    }

    fn api(&self, call: &str, body: &Value, base_url: &str, now: i64) -> RawResponse {
        let about_refund = matches!(call, "request-refund" | "get-refund-info");
        let expected = if about_refund {
            sha256_hex(&format!(
                "{}{}{}",
                plain(&body["transactionCode"]),
                plain(&body["merchantRefundCode"]),
                self.checksum_key
            ))
        } else {
            self.sign(body)
        };
        let answered = if plain(&body["tokenKey"]) != self.token_key {
            Err(Refusal("102", "Token key không hợp lệ"))
        } else if plain(&body["signature"]) != expected {
            Err(Refusal("103", "Chữ ký không hợp lệ"))
        } else {
            match call {
                "request-payment" => self.create(body, base_url, now),
                "get-transaction-info" => self.describe(body),
                "request-refund" => self.refund(body, now),
                "get-refund-info" => self.refund_info(body),
                _ => Err(Refusal("101", "Không có lệnh này")),
            }
        };
        RawResponse::json(&match answered {
            Err(Refusal(code, message)) => json!({"code": code, "message": message}),
            Ok(answer) if about_refund => answer,
            Ok(answer) => self.signed(answer),
        })
    }
}

struct Refusal(&'static str, &'static str);

/// All members but the signature, `k=v` joined by `&`, in order of name, raw, empties kept.
fn canonical(message: &Value) -> String {
    let mut names: Vec<&String> = message
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .filter(|name| *name != "signature")
        .collect();
    names.sort();
    let pieces: Vec<String> = names
        .into_iter()
        .map(|name| format!("{name}={}", plain(&message[name.as_str()])))
        .collect();
    pieces.join("&")
}

impl Peer for Alepay {
    fn provider(&self) -> &'static str {
        "alepay"
    }

    fn name(&self) -> &'static str {
        "alepay"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("token_key", self.token_key.clone()),
            ("checksum_key", self.checksum_key.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.token_key
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
            ],
            names_merchant: false,
            names_currency: true,
            signs: true,
            signs_answers: true,
            batches: false,
            prelude: false,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        format!("HPSBX{nth:07}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let info = Self::info(event, &self.transaction_id(event));
        RawRequest::post_json("", &self.signed(info))
    }

    /// The code given when the order was made, which is also what a question answers; a second
    /// payment of the same order is a transaction of its own.
    fn transaction_id(&self, event: &Event) -> String {
        match self.book.order(&event.reference) {
            Some(order) if event.transaction == self.first(&order, event) => order.handle,
            _ => format!("ALE{}", event.transaction),
        }
    }

    fn signed_fields(&self) -> Vec<Field> {
        Field::all(
            &Place::Json,
            &[
                "code",
                "message",
                "transactionCode",
                "orderCode",
                "amount",
                "currency",
                "description",
                "status",
                "method",
                "bankCode",
                "bankName",
                "transactionTime",
                "successTime",
            ],
        )
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Json, "signature")]
    }

    /// 200.
    fn reading(&self, answer: &RawResponse) -> Reading {
        if answer.status == 200 {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// Unknown; a lost notice is found by asking.
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
            let cancelled = event.outcome == Outcome::Cancelled;
            let address = match &order.cancel_url {
                Some(address) if cancelled => address,
                _ => &order.return_url,
            };
            let info = Self::info(event, &order.handle);
            with_query(
                address,
                &[
                    ("errorCode", plain(&info["code"])),
                    ("transactionCode", order.handle.clone()),
                    ("cancel", cancelled.to_string()),
                ],
            )
        };
        let counter = Counter {
            title: "Cổng thanh toán Alepay (mô phỏng)",
            merchant: "Trường thử nghiệm",
            banks: &[],
            back: &back,
        };
        if let Some(call) = request.path.strip_prefix(BASE) {
            let body = request.json().unwrap_or(Value::Null);
            return Served::answer(self.api(call, &body, base_url, now));
        }
        counter::serve(self, &counter, request, base_url, now)
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
