//! `/v2/gateway/api/…`: create, query, refund, refund/query, confirm.

use serde_json::{Value, json};

use super::Momo;
use crate::peer::counter;
use crate::peer::{Order, OrderState, Peer as _, RawRequest, RawResponse, Refund, Served, plain};

const BASE: &str = "/v2/gateway/api/";
const AMOUNT_MIN: i64 = 1_000;
const AMOUNT_MAX: i64 = 50_000_000;
/// A wallet's page stays open so long.
const LIFE_SECONDS: i64 = 100 * 60;

const CREATE_SIGNED: [&str; 9] = [
    "amount",
    "extraData",
    "ipnUrl",
    "orderId",
    "orderInfo",
    "partnerCode",
    "redirectUrl",
    "requestId",
    "requestType",
];
const QUERY_SIGNED: [&str; 3] = ["orderId", "partnerCode", "requestId"];
const REFUND_SIGNED: [&str; 6] = [
    "amount",
    "description",
    "orderId",
    "partnerCode",
    "requestId",
    "transId",
];
const CONFIRM_SIGNED: [&str; 6] = [
    "amount",
    "description",
    "orderId",
    "partnerCode",
    "requestId",
    "requestType",
];

/// What every signed call of a kind covers.
pub(super) fn signed(call: &str) -> Option<&'static [&'static str]> {
    Some(match call {
        "create" => &CREATE_SIGNED,
        "query" | "refund/query" => &QUERY_SIGNED,
        "refund" => &REFUND_SIGNED,
        "confirm" => &CONFIRM_SIGNED,
        _ => return None,
    })
}

struct Refusal(i64, &'static str);

pub(super) fn serve(momo: &Momo, request: &RawRequest, base_url: &str, now: i64) -> Option<Served> {
    let call = request.path.strip_prefix(BASE)?;
    let names = signed(call)?;
    let body = request.json().unwrap_or(Value::Null);
    let answered = check(momo, request, &body, names).and_then(|()| match call {
        "create" => create(momo, &body, base_url, now),
        "query" => query(momo, &body),
        "refund" => refund(momo, &body, now),
        "refund/query" => query_refund(momo, &body),
        _ => confirm(momo, &body),
    });
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(Refusal(code, message)) => json!({"resultCode": code, "message": message}),
    };
    for name in ["partnerCode", "requestId", "orderId"] {
        if answer[name].is_null() {
            answer[name] = Value::from(plain(&body[name]));
        }
    }
    answer["responseTime"] = Value::from(now * 1000);
    Some(Served::answer(RawResponse::json(&answer)))
}

fn check(momo: &Momo, request: &RawRequest, body: &Value, names: &[&str]) -> Result<(), Refusal> {
    let json = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !json || !body.is_object() {
        return Err(Refusal(20, "Yêu cầu sai định dạng."));
    }
    if plain(&body["partnerCode"]) != momo.partner_code {
        return Err(Refusal(13, "Xác thực doanh nghiệp thất bại."));
    }
    if plain(&body["signature"]) != momo.sign(body, names) {
        return Err(Refusal(13, "Xác thực doanh nghiệp thất bại: sai chữ ký."));
    }
    let required = names
        .iter()
        .filter(|name| !matches!(**name, "extraData" | "description"));
    for name in required {
        if plain(&body[*name]).is_empty() {
            return Err(Refusal(20, "Yêu cầu sai định dạng."));
        }
    }
    if !is_order_id(&plain(&body["orderId"])) {
        return Err(Refusal(20, "orderId sai định dạng."));
    }
    Ok(())
}

/// `^[0-9a-zA-Z]([-_.]*[0-9a-zA-Z]+)*$`
fn is_order_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.len() <= 50
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn amount(body: &Value) -> Result<i64, Refusal> {
    let amount = body["amount"]
        .as_i64()
        .or_else(|| body["amount"].as_str()?.parse().ok())
        .ok_or(Refusal(21, "Số tiền không hợp lệ."))?;
    if (AMOUNT_MIN..=AMOUNT_MAX).contains(&amount) {
        Ok(amount)
    } else {
        Err(Refusal(22, "Số tiền nằm ngoài hạn mức cho phép."))
    }
}

fn create(momo: &Momo, body: &Value, base_url: &str, now: i64) -> Result<Value, Refusal> {
    let text = |name: &str| plain(&body[name]);
    let amount = amount(body)?;
    if text("ipnUrl").contains('?') {
        return Err(Refusal(20, "ipnUrl không được có tham số."));
    }
    let handle = format!("{}-{}", momo.partner_code, text("requestId"));
    let order = Order {
        reference: text("orderId"),
        amount,
        info: text("orderInfo"),
        return_url: text("redirectUrl"),
        cancel_url: None,
        notify_url: Some(text("ipnUrl")),
        created_at: now,
        expires_at: Some(now + LIFE_SECONDS),
        handle: handle.clone(),
        state: OrderState::Open,
        transactions: Vec::new(),
        echo: vec![
            ("requestId", text("requestId")),
            ("extraData", text("extraData")),
        ],
    };
    // A request id repeats its own answer: that is what makes a repetition after silence safe.
    match momo.book().order(&order.reference) {
        Some(known) if known.handle == handle && known.amount == amount => {}
        Some(_) => return Err(Refusal(41, "Trùng orderId.")),
        None if !momo.book().fresh(&handle) => return Err(Refusal(40, "Trùng requestId.")),
        None => {
            momo.book().open(order);
        }
    }
    let pay_url = counter::address(base_url, &handle);
    Ok(json!({
        "amount": amount,
        "message": "Thành công.",
        "resultCode": 0,
        "payUrl": pay_url,
        "deeplink": format!("momo://app?action=payWithApp&sid={handle}"),
        "qrCodeUrl": pay_url,
    }))
}

fn query(momo: &Momo, body: &Value) -> Result<Value, Refusal> {
    let order = momo
        .book()
        .order(&plain(&body["orderId"]))
        .ok_or(Refusal(42, "orderId không tồn tại."))?;
    let (code, message) = match order.state {
        OrderState::Open => (1000, "Giao dịch đã được khởi tạo, chờ người dùng xác nhận."),
        OrderState::Paid => (0, "Thành công."),
        OrderState::Failed => (1001, "Tài khoản người dùng không đủ tiền."),
        OrderState::Cancelled => (1006, "Giao dịch bị từ chối bởi người dùng."),
        OrderState::Expired => (1005, "Link thanh toán hoặc mã QR đã hết hạn."),
    };
    let number = order.transactions.first().map_or(0, |paid| paid.number);
    let refunds: Vec<Value> = momo
        .book()
        .refunds()
        .values()
        .filter(|refund| refund.order == order.reference)
        .map(describe)
        .collect();
    Ok(json!({
        "extraData": order.echo.iter().find(|(name, _)| *name == "extraData").map_or("", |(_, value)| value),
        "amount": order.amount,
        "transId": number,
        "payType": "qr",
        "resultCode": code,
        "refundTrans": refunds,
        "message": message,
    }))
}

fn describe(refund: &Refund) -> Value {
    json!({
        "orderId": refund.id,
        "amount": refund.amount,
        "resultCode": refund_code(refund),
        "transId": refund.number,
        "createdTime": refund.at * 1000,
    })
}

fn refund_code(refund: &Refund) -> i64 {
    match refund.done() {
        None => 7002,
        Some(true) => 0,
        Some(false) => 1080,
    }
}

fn refund(momo: &Momo, body: &Value, now: i64) -> Result<Value, Refusal> {
    let amount = amount(body)?;
    let number = plain(&body["transId"]);
    let id = plain(&body["orderId"]);
    let order = momo
        .book()
        .orders()
        .values()
        .find(|order| {
            let mut numbers = order.transactions.iter();
            numbers.any(|paid| paid.number.to_string() == number)
        })
        .cloned()
        .ok_or(Refusal(42, "Giao dịch không tồn tại."))?;
    let request = format!("refund {}", plain(&body["requestId"]));
    let known = momo.book().refunds().get(&id).cloned();
    let refund = match known {
        // The same request again: its own answer.
        Some(known) if known.amount == amount && !momo.book().fresh(&request) => known,
        Some(_) => return Err(Refusal(41, "Trùng orderId.")),
        None if momo.book().order(&id).is_some() => return Err(Refusal(41, "Trùng orderId.")),
        None if amount > order.amount - order.refunded(momo.book()) => {
            return Err(Refusal(1081, "Hoàn tiền bị từ chối: vượt số tiền còn lại."));
        }
        None if !momo.book().fresh(&request) => return Err(Refusal(40, "Trùng requestId.")),
        None => momo.book().refund(&id, &order.reference, amount, now),
    };
    Ok(refund_answer(&refund))
}

fn refund_answer(refund: &Refund) -> Value {
    let message = match refund.done() {
        None => "Giao dịch đang được xử lý.",
        Some(true) => "Thành công.",
        Some(false) => "Hoàn tiền thất bại, thử lại sau một giờ.",
    };
    json!({
        "amount": refund.amount,
        "transId": refund.number,
        "resultCode": refund_code(refund),
        "message": message,
    })
}

/// By the refund's own order id, or by the payment's for all of its refunds.
fn query_refund(momo: &Momo, body: &Value) -> Result<Value, Refusal> {
    let id = plain(&body["orderId"]);
    if let Some(refund) = momo.book().ask_refund(&id) {
        let mut answer = refund_answer(&refund);
        answer["refundTrans"] = json!([describe(&refund)]);
        return Ok(answer);
    }
    query(momo, body)
}

/// Captures or cancels a payment that was only authorised.
fn confirm(momo: &Momo, body: &Value) -> Result<Value, Refusal> {
    let mut orders = momo.book().orders();
    let order = orders
        .get_mut(&plain(&body["orderId"]))
        .ok_or(Refusal(42, "orderId không tồn tại."))?;
    let number = match (order.state, order.transactions.first()) {
        (OrderState::Paid, Some(paid)) => paid.number,
        _ => return Err(Refusal(43, "Yêu cầu bị từ chối vì xung đột.")),
    };
    match plain(&body["requestType"]).as_str() {
        "capture" => {}
        "cancel" => order.state = OrderState::Cancelled,
        _ => return Err(Refusal(20, "Yêu cầu sai định dạng.")),
    }
    Ok(json!({
        "amount": order.amount,
        "transId": number,
        "requestType": body["requestType"],
        "resultCode": 0,
        "message": "Thành công.",
    }))
}
