//! SePay's payment gateway: the signed checkout form, its page, the IPN proven by a header, and the
//! order calls behind HTTP Basic.

#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::digest::hmac_sha256;
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Announced, Book, Checkout, Event, Field, Order, OrderState, Outcome, Peer, Place,
    RawRequest, RawResponse, Reading, Reply, Schedule, Served, plain,
};
use crate::{forms, moment};

/// Fields a checkout signature covers, in whatever order the form carries them.
const SIGNABLE: [&str; 18] = [
    "merchant",
    "env",
    "operation",
    "payment_method",
    "order_amount",
    "currency",
    "order_invoice_number",
    "order_description",
    "customer_id",
    "agreement_id",
    "agreement_name",
    "agreement_type",
    "agreement_payment_frequency",
    "agreement_amount_per_payment",
    "success_url",
    "error_url",
    "cancel_url",
    "order_id",
];

/// SePay's gateway as one merchant meets it.
pub struct SepayPg {
    merchant_id: String,
    secret_key: String,
    book: Book,
}

impl SepayPg {
    pub fn new(merchant_id: &str, secret_key: &str, first_number: i64) -> Self {
        Self {
            merchant_id: merchant_id.to_owned(),
            secret_key: secret_key.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new("SP-SBX-0001", "sbx_spsk_0123456789", 61_000_000)
    }

    /// Base64 signature of the form, over its signable fields in their order.
    fn sign(&self, form: &[(String, String)]) -> String {
        BASE64.encode(hmac_sha256(self.secret_key.as_bytes(), &canonical(form)))
    }

    fn checkout(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        let form = request.form().unwrap_or_default();
        let text = |name: &str| forms::value(&form, name).unwrap_or("").to_owned();
        if text("merchant") != self.merchant_id {
            return counter::refuse("Đơn vị không tồn tại.", "merchant");
        }
        if text("signature") != self.sign(&form) {
            return counter::refuse("Sai chữ ký.", "signature");
        }
        let amount: i64 = text("order_amount").parse().unwrap_or(0);
        let reference = text("order_invoice_number");
        if amount <= 0
            || reference.is_empty()
            || text("currency") != "VND"
            || text("operation") != "PURCHASE"
        {
            return counter::refuse("Yêu cầu sai định dạng.", "fields");
        }
        let mut order = Order::new(&reference, amount, &format!("SBX-{reference}"), now);
        order.info = text("order_description");
        order.return_url = text("success_url");
        order.cancel_url = Some(text("cancel_url"));
        order.echo = vec![
            ("payment_method", text("payment_method")),
            ("error_url", text("error_url")),
        ];
        let handle = order.handle.clone();
        if !self.book.open(order) {
            return counter::refuse("Đơn hàng đã được thanh toán.", "duplicate");
        }
        Served::answer(RawResponse::see(&counter::address(base_url, &handle)))
    }

    /// Order list, detail, void and cancel.
    fn orders(&self, request: &RawRequest, rest: &str, now: i64) -> RawResponse {
        let credentials = BASE64.encode(format!("{}:{}", self.merchant_id, self.secret_key));
        if request.header("authorization") != Some(&format!("Basic {credentials}")) {
            return RawResponse::json_as(401, &json!({"message": "Unauthorized"}));
        }
        let body = request.json().unwrap_or(Value::Null);
        let reference = plain(&body["order_invoice_number"]);
        match (request.method, rest) {
            ("GET", "") => {
                let orders: Vec<Value> = self.book.orders().values().map(describe).collect();
                RawResponse::json(&json!({"data": orders}))
            }
            ("GET", rest) => {
                let id = rest.trim_start_matches("/detail/");
                match self.book.order(id) {
                    Some(order) => RawResponse::json(&json!({"data": describe(&order)})),
                    None => unknown(),
                }
            }
            ("POST", "/cancel") => self.end(&reference, OrderState::Open, now),
            ("POST", "/voidTransaction") => self.end(&reference, OrderState::Paid, now),
            _ => unknown(),
        }
    }

    /// The notice that follows a void.
    fn voided(
        &self,
        request: &RawRequest,
        served: &Served,
        rest: &str,
        now: i64,
    ) -> Option<Announced> {
        let done = matches!(&served.reply, Reply::Answer(answer) if answer.is_success());
        if !done || rest != "/voidTransaction" {
            return None;
        }
        let order = self
            .book
            .order(&plain(&request.json()?["order_invoice_number"]))?;
        let event = Event::paid(&order.reference, order.amount, order.paid_number(), now)
            .ending(Outcome::Reversed)
            .about(&order.info);
        Some(Announced {
            address: None,
            event,
            copies: 1,
            delay: Duration::ZERO,
        })
    }

    /// Cancels an open order, or voids a paid one: all of its money goes back.
    fn end(&self, reference: &str, from: OrderState, now: i64) -> RawResponse {
        let Some(order) = self.book.order(reference) else {
            return unknown();
        };
        if order.state != from {
            let message = "Trạng thái đơn hàng không cho phép.";
            return RawResponse::json_as(422, &json!({"message": message}));
        }
        if from == OrderState::Paid {
            let refund =
                self.book
                    .refund(&format!("void {reference}"), reference, order.amount, now);
            if refund.done() == Some(false) {
                return RawResponse::json_as(
                    422,
                    &json!({"message": "Không hoàn được giao dịch."}),
                );
            }
        }
        if let Some(order) = self.book.orders().get_mut(reference) {
            order.state = OrderState::Cancelled;
        }
        RawResponse::json(&json!({"message": "success"}))
    }
}

fn canonical(form: &[(String, String)]) -> String {
    let pieces: Vec<String> = form
        .iter()
        .filter(|(name, _)| SIGNABLE.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pieces.join(",")
}

fn unknown() -> RawResponse {
    RawResponse::json_as(404, &json!({"message": "Không tìm thấy đơn hàng."}))
}

fn transaction_id(number: i64) -> String {
    format!("tx-sbx-{number}")
}

fn describe(order: &Order) -> Value {
    let status = match order.state {
        OrderState::Open => "AUTHENTICATION_NOT_NEEDED",
        OrderState::Paid => "CAPTURED",
        OrderState::Failed | OrderState::Expired => "FAILED",
        OrderState::Cancelled => "CANCELLED",
    };
    let transactions: Vec<Value> = order
        .transactions
        .iter()
        .map(|paid| {
            json!({
                "transaction_id": transaction_id(paid.number),
                "transaction_type": "PAYMENT",
                "transaction_status": "APPROVED",
                "transaction_amount": paid.amount.to_string(),
                "transaction_currency": "VND",
                "transaction_date": moment::spaced(paid.at),
            })
        })
        .collect();
    json!({
        "order_id": order.handle,
        "order_invoice_number": order.reference,
        "order_status": status,
        "order_amount": format!("{}.00", order.amount),
        "order_currency": "VND",
        "order_description": order.info,
        "transactions": transactions,
    })
}

impl Peer for SepayPg {
    fn provider(&self) -> &'static str {
        "sepay_pg"
    }

    fn name(&self) -> &'static str {
        "sepay_pg"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("merchant_id", self.merchant_id.clone()),
            ("secret_key", self.secret_key.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.merchant_id
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::Form,
            queries: true,
            lists: false,
            refunds: false,
            reports: &[Outcome::Paid, Outcome::Reversed],
            names_merchant: false,
            names_currency: true,
            signs: false,
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
        let method = event.echoed("payment_method").unwrap_or("BANK_TRANSFER");
        let (kind, order_status, transaction_type) = if event.outcome == Outcome::Reversed {
            ("TRANSACTION_VOID", "CANCELLED", "VOID")
        } else {
            ("ORDER_PAID", "CAPTURED", "PAYMENT")
        };
        let body = json!({
            "timestamp": event.sent_at,
            "notification_type": kind,
            "order": {
                "id": format!("00000000-0000-4000-8000-{:012}", event.transaction),
                "order_id": format!("SBX-{}", event.reference),
                "order_status": order_status,
                "order_currency": event.currency(),
                "order_amount": format!("{}.00", event.amount),
                "order_invoice_number": event.reference,
                "custom_data": [],
                "order_description": event.info,
            },
            "transaction": {
                "id": format!("10000000-0000-4000-8000-{:012}", event.transaction),
                "payment_method": method,
                "transaction_id": self.transaction_id(event),
                "transaction_type": transaction_type,
                "transaction_date": moment::spaced(event.at),
                "transaction_status": "APPROVED",
                "transaction_amount": event.amount.to_string(),
                "transaction_currency": event.currency(),
            },
            "customer": null,
        });
        RawRequest::post_json("", &body).with_header("x-secret-key", self.secret_key.clone())
    }

    fn transaction_id(&self, event: &Event) -> String {
        transaction_id(event.transaction)
    }

    fn signed_fields(&self) -> Vec<Field> {
        Vec::new()
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Header, "x-secret-key")]
    }

    /// 200.
    fn reading(&self, answer: &RawResponse) -> Reading {
        if answer.status == 200 {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    /// None is published: a lost notice is found by asking.
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
        let back = |order: &Order, event: &Event| match (event.outcome, &order.cancel_url) {
            (Outcome::Cancelled, Some(address)) => address.clone(),
            (Outcome::Failed, _) => event.echoed("error_url").unwrap_or("").to_owned(),
            _ => order.return_url.clone(),
        };
        let counter = Counter {
            title: "Cổng thanh toán SePay (mô phỏng)",
            merchant: &self.merchant_id,
            banks: &[],
            back: &back,
        };
        if request.path == "/v1/checkout/init" && request.method == "POST" {
            return self.checkout(request, base_url, now);
        }
        if let Some(rest) = request.path.strip_prefix("/v1/order") {
            let mut served = Served::answer(self.orders(request, rest, now));
            served
                .notices
                .extend(self.voided(request, &served, rest, now));
            return served;
        }
        counter::serve(self, &counter, request, base_url, now)
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
