//! `/v2/payment-requests…` and `/confirm-webhook`; answers are signed over their `data`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ACCOUNT, BIN, PayOs};
use crate::bank::vietqr;
use crate::digest::hmac_sha256_hex;
use crate::moment;
use crate::peer::counter;
use crate::peer::{
    Announced, Event, Order, OrderState, Peer as _, RawRequest, RawResponse, Served, plain,
};

const LINKS: &str = "/v2/payment-requests";
/// Signed in a create call, in this order.
const CREATE_SIGNED: [&str; 5] = [
    "amount",
    "cancelUrl",
    "description",
    "orderCode",
    "returnUrl",
];
/// Banks cut longer memos of accounts that are not linked through payOS.
const DESCRIPTION_CHARS_MAX: usize = 25;

struct Refusal(&'static str, &'static str);

pub(super) fn create_canonical(body: &Value) -> String {
    let pieces = CREATE_SIGNED.map(|name| format!("{name}={}", plain(&body[name])));
    pieces.join("&")
}

pub(super) fn serve(
    payos: &PayOs,
    request: &RawRequest,
    base_url: &str,
    now: i64,
) -> Option<Served> {
    let rest = request.path.strip_prefix(LINKS);
    if rest.is_none() && request.path != "/confirm-webhook" {
        return None;
    }
    let known = request.header("x-client-id") == Some(&payos.client_id)
        && request.header("x-api-key") == Some(&payos.api_key);
    if !known {
        let refused = json!({"code": "401", "desc": "x-client-id hoặc x-api-key không đúng"});
        return Some(Served::answer(RawResponse::json_as(401, &refused)));
    }
    let body = request.json().unwrap_or(Value::Null);
    let Some(rest) = rest else {
        return Some(confirm_webhook(&body, now));
    };
    let answered = match (request.method, rest.trim_start_matches('/')) {
        ("POST", "") => create(payos, &body, base_url, now),
        ("POST", id) => match id.strip_suffix("/cancel") {
            Some(id) => cancel(payos, id, &body, now),
            None => Err(Refusal("20", "Thông tin truyền lên không đúng.")),
        },
        (_, id) => find(payos, id).map(|order| describe(&order, now)),
    };
    let answer = match answered {
        Ok(data) => {
            let signature = payos.sign(&data);
            json!({"code": "00", "desc": "success", "data": data, "signature": signature})
        }
        Err(Refusal(code, desc)) => json!({"code": code, "desc": desc, "data": null}),
    };
    Some(Served::answer(RawResponse::json(&answer)))
}

fn create(payos: &PayOs, body: &Value, base_url: &str, now: i64) -> Result<Value, Refusal> {
    let text = |name: &str| plain(&body[name]);
    let malformed = Refusal("20", "Thông tin truyền lên không đúng.");
    let (Some(order_code), Some(amount)) = (body["orderCode"].as_i64(), body["amount"].as_i64())
    else {
        return Err(malformed);
    };
    if order_code <= 0
        || amount <= 0
        || text("description").chars().count() > DESCRIPTION_CHARS_MAX
        || text("returnUrl").is_empty()
        || text("cancelUrl").is_empty()
    {
        return Err(malformed);
    }
    let expected = hmac_sha256_hex(&payos.checksum_key, &create_canonical(body));
    if text("signature") != expected {
        return Err(Refusal("201", "Mã kiểm tra (signature) không hợp lệ."));
    }
    let reference = order_code.to_string();
    if payos.book().order(&reference).is_some() {
        return Err(Refusal("231", "Đơn thanh toán đã tồn tại."));
    }
    let handle = PayOs::link_id(&reference);
    let mut order = Order::new(&reference, amount, &handle, now);
    order.info = text("description");
    order.return_url = text("returnUrl");
    order.cancel_url = Some(text("cancelUrl"));
    order.expires_at = body["expiredAt"].as_i64();
    payos.book().open(order);
    Ok(json!({
        "bin": BIN,
        "accountNumber": ACCOUNT,
        "accountName": "TRUONG THU NGHIEM",
        "amount": amount,
        "description": text("description"),
        "orderCode": order_code,
        "currency": "VND",
        "paymentLinkId": handle,
        "status": "PENDING",
        "checkoutUrl": counter::address(base_url, &handle),
        "qrCode": vietqr::write(BIN, ACCOUNT, amount, &text("description")),
    }))
}

/// By order code or by link id.
fn find(payos: &PayOs, id: &str) -> Result<Order, Refusal> {
    payos
        .book()
        .order(id)
        .or_else(|| payos.book().order_by_handle(id))
        .ok_or(Refusal("101", "Mã thanh toán không tồn tại."))
}

fn describe(order: &Order, now: i64) -> Value {
    let state = match order.state {
        OrderState::Open if order.expires_at.is_some_and(|end| end <= now) => OrderState::Expired,
        state => state,
    };
    let status = match state {
        OrderState::Open => "PENDING",
        OrderState::Paid => "PAID",
        OrderState::Failed => "FAILED",
        OrderState::Cancelled => "CANCELLED",
        OrderState::Expired => "EXPIRED",
    };
    let paid: i64 = order.transactions.iter().map(|paid| paid.amount).sum();
    let transactions: Vec<Value> = order
        .transactions
        .iter()
        .map(|paid| {
            let event = Event::paid(&order.reference, paid.amount, paid.number, paid.at);
            json!({
                "reference": crate::sepay::bank_reference(&event),
                "amount": paid.amount,
                "accountNumber": ACCOUNT,
                "description": order.info,
                "transactionDateTime": moment::spaced(paid.at),
                "virtualAccountName": null,
                "virtualAccountNumber": null,
                "counterAccountBankId": "970436",
                "counterAccountBankName": null,
                "counterAccountName": "TRẦN THỊ B",
                "counterAccountNumber": "0071000999",
            })
        })
        .collect();
    json!({
        "id": order.handle,
        "orderCode": order.reference.parse::<i64>().unwrap_or(0),
        "amount": order.amount,
        "amountPaid": paid,
        "amountRemaining": (order.amount - paid).max(0),
        "status": status,
        "createdAt": moment::iso(order.created_at) + "+07:00",
        "transactions": transactions,
        "cancellationReason": order.echo.iter().find(|(name, _)| *name == "reason").map(|(_, reason)| reason),
        "canceledAt": null,
    })
}

fn cancel(payos: &PayOs, id: &str, body: &Value, now: i64) -> Result<Value, Refusal> {
    let order = find(payos, id)?;
    let mut orders = payos.book().orders();
    let order = orders
        .get_mut(&order.reference)
        .ok_or(Refusal("101", "Mã thanh toán không tồn tại."))?;
    if order.state != OrderState::Open {
        return Err(Refusal("20", "Đơn thanh toán không còn chờ thanh toán."));
    }
    order.state = OrderState::Cancelled;
    order
        .echo
        .push(("reason", plain(&body["cancellationReason"])));
    Ok(describe(order, now))
}

/// An address is registered only after it has answered a sample about order 123 that nobody made.
fn confirm_webhook(body: &Value, now: i64) -> Served {
    let address = plain(&body["webhookUrl"]);
    if !address.starts_with("http") {
        return Served::answer(RawResponse::json_as(
            400,
            &json!({"code": "20", "desc": "Webhook URL không hợp lệ."}),
        ));
    }
    let sample = Event::paid("123", 3_000, 123, now).about("VQRIO123");
    let mut served = Served::answer(RawResponse::json(&json!({
        "code": "00",
        "desc": "success",
        "data": {"webhookUrl": address},
    })));
    served.notices.push(Announced {
        address: Some(address),
        event: sample,
        copies: 1,
        delay: Duration::ZERO,
    });
    served
}
