//! `/v2/create`, `/v2/query`, `/v2/refund`, `/v2/query_refund`; form or JSON, `mac` over values joined
//! by bars.

use serde_json::{Value, json};

use super::ZaloPay;
use crate::digest::hmac_sha256_hex;
use crate::moment;
use crate::peer::counter;
use crate::peer::{Order, OrderState, Peer as _, RawRequest, RawResponse, Refund, Served, plain};

/// `app_time` may be so old.
const CREATE_AGE_SECONDS: i64 = 15 * 60;
const ORDER_LIFE_SECONDS: i64 = 15 * 60;
const TRANS_ID_CHARS_MAX: usize = 40;
const EMBED_CHARS_MAX: usize = 1024;
const ITEM_CHARS_MAX: usize = 2048;

/// Final failures and their `sub_return_code`.
#[derive(Clone, Copy)]
enum Sub {
    Data = -401,
    App = -402,
    Mac = -403,
    Duplicate = -68,
    Unknown = -101,
    Cancelled = -329,
    Expired = -322,
    Failed = -500,
}

fn failed(sub: Sub) -> Value {
    json!({
        "return_code": 2,
        "return_message": "Giao dịch thất bại",
        "sub_return_code": sub as i64,
        "sub_return_message": "Giao dịch thất bại",
    })
}

fn running() -> Value {
    json!({
        "return_code": 3,
        "return_message": "Giao dịch đang xử lý",
        "sub_return_code": 3,
        "sub_return_message": "Giao dịch đang xử lý",
    })
}

fn done() -> Value {
    json!({
        "return_code": 1,
        "return_message": "Giao dịch thành công",
        "sub_return_code": 1,
        "sub_return_message": "Giao dịch thành công",
    })
}

/// What `mac` covers; `key1` itself is a value of the query call.
pub(super) fn canonical(call: &str, body: &Value, key1: &str) -> Option<String> {
    let names: &[&str] = match call {
        "create" => &[
            "app_id",
            "app_trans_id",
            "app_user",
            "amount",
            "app_time",
            "embed_data",
            "item",
        ],
        "query" => &["app_id", "app_trans_id"],
        "refund" => &[
            "app_id",
            "zp_trans_id",
            "amount",
            "description",
            "timestamp",
        ],
        "query_refund" => &["app_id", "m_refund_id", "timestamp"],
        _ => return None,
    };
    let mut values: Vec<String> = names.iter().map(|name| plain(&body[*name])).collect();
    if call == "query" {
        values.push(key1.to_owned());
    }
    Some(values.join("|"))
}

pub(super) fn serve(
    zalopay: &ZaloPay,
    request: &RawRequest,
    base_url: &str,
    now: i64,
) -> Option<Served> {
    let call = request.path.strip_prefix("/v2/")?;
    let body = members(request).unwrap_or(Value::Null);
    let canonical = canonical(call, &body, &zalopay.key1)?;
    let answer = if !body.is_object() {
        failed(Sub::Data)
    } else if plain(&body["app_id"]) != zalopay.app_id {
        failed(Sub::App)
    } else if plain(&body["mac"]) != hmac_sha256_hex(&zalopay.key1, &canonical) {
        failed(Sub::Mac)
    } else {
        let answered = match call {
            "create" => create(zalopay, &body, base_url, now),
            "query" => query(zalopay, &body, now),
            "refund" => refund(zalopay, &body, now),
            _ => query_refund(zalopay, &body),
        };
        answered.unwrap_or_else(failed)
    };
    Some(Served::answer(RawResponse::json(&answer)))
}

/// The call's members, whether it came as JSON or as a form.
fn members(request: &RawRequest) -> Option<Value> {
    if request
        .header("content-type")?
        .starts_with("application/json")
    {
        return request.json();
    }
    let pairs = request.form()?.into_iter();
    Some(
        pairs
            .map(|(name, value)| (name, Value::from(value)))
            .collect(),
    )
}

fn number(body: &Value, name: &str) -> Result<i64, Sub> {
    plain(&body[name]).parse().map_err(|_| Sub::Data)
}

fn create(zalopay: &ZaloPay, body: &Value, base_url: &str, now: i64) -> Result<Value, Sub> {
    let text = |name: &str| plain(&body[name]);
    let reference = text("app_trans_id");
    let amount = number(body, "amount")?;
    let day = &moment::compact(now)[2..8];
    let embed: Value = serde_json::from_str(&text("embed_data")).map_err(|_| Sub::Data)?;
    let item: Value = serde_json::from_str(&text("item")).map_err(|_| Sub::Data)?;
    let in_time = (now - number(body, "app_time")? / 1000).abs() <= CREATE_AGE_SECONDS;
    let well_formed = reference.len() <= TRANS_ID_CHARS_MAX
        && reference
            .strip_prefix(day)
            .is_some_and(|rest| rest.len() > 1 && rest.starts_with('_'))
        && amount > 0
        && embed.is_object()
        && item.is_array()
        && text("embed_data").len() <= EMBED_CHARS_MAX
        && text("item").len() <= ITEM_CHARS_MAX
        && !text("app_user").is_empty()
        && !text("description").is_empty();
    if !well_formed || !in_time {
        return Err(Sub::Data);
    }
    if zalopay.book().order(&reference).is_some() {
        return Err(Sub::Duplicate);
    }
    let handle = format!("zp{}", zalopay.book().next_number());
    let mut order = Order::new(&reference, amount, &handle, now);
    order.info = text("description");
    order.return_url = plain(&embed["redirecturl"]);
    order.notify_url = Some(text("callback_url")).filter(|address| !address.is_empty());
    order.expires_at = Some(now + ORDER_LIFE_SECONDS);
    order.echo = ["app_user", "embed_data", "item"]
        .map(|name| (name, text(name)))
        .to_vec();
    zalopay.book().open(order);
    let mut answer = done();
    answer["order_url"] = Value::from(counter::address(base_url, &handle));
    answer["zp_trans_token"] = Value::from(handle.clone());
    answer["order_token"] = Value::from(handle.clone());
    answer["qr_code"] = Value::from(format!("https://qr.sandbox/{handle}"));
    Ok(answer)
}

fn query(zalopay: &ZaloPay, body: &Value, now: i64) -> Result<Value, Sub> {
    let order = zalopay
        .book()
        .order(&plain(&body["app_trans_id"]))
        .ok_or(Sub::Unknown)?;
    let mut answer = match order.state {
        OrderState::Open if order.expires_at.is_some_and(|end| end <= now) => failed(Sub::Expired),
        OrderState::Open => running(),
        OrderState::Paid => done(),
        OrderState::Cancelled => failed(Sub::Cancelled),
        OrderState::Expired => failed(Sub::Expired),
        OrderState::Failed => failed(Sub::Failed),
    };
    answer["is_processing"] = Value::from(answer["return_code"] == 3);
    answer["amount"] = Value::from(order.amount);
    answer["zp_trans_id"] = Value::from(order.paid_number());
    answer["server_time"] = Value::from(now * 1000);
    answer["discount_amount"] = Value::from(0);
    Ok(answer)
}

fn refund_answer(refund: &Refund) -> Value {
    let mut answer = match refund.done() {
        None => running(),
        Some(true) => done(),
        Some(false) => failed(Sub::Failed),
    };
    answer["refund_id"] = Value::from(refund.number);
    answer
}

fn refund(zalopay: &ZaloPay, body: &Value, now: i64) -> Result<Value, Sub> {
    let id = plain(&body["m_refund_id"]);
    let amount = number(body, "amount")?;
    let number = number(body, "zp_trans_id")?;
    let head = format!("{}_{}_", &moment::compact(now)[2..8], zalopay.app_id);
    if !id.starts_with(&head) || amount <= 0 {
        return Err(Sub::Data);
    }
    let order = zalopay
        .book()
        .orders()
        .values()
        .find(|order| order.transactions.iter().any(|paid| paid.number == number))
        .cloned()
        .ok_or(Sub::Unknown)?;
    if zalopay.book().refunds().contains_key(&id) {
        return Err(Sub::Duplicate);
    }
    if amount > order.amount - order.refunded(zalopay.book()) {
        return Err(Sub::Data);
    }
    let refund = zalopay.book().refund(&id, &order.reference, amount, now);
    Ok(refund_answer(&refund))
}

fn query_refund(zalopay: &ZaloPay, body: &Value) -> Result<Value, Sub> {
    zalopay
        .book()
        .ask_refund(&plain(&body["m_refund_id"]))
        .map(|refund| refund_answer(&refund))
        .ok_or(Sub::Unknown)
}
