//! `querydr` and `refund`: JSON in, JSON out, values joined by bars and signed on both ways.

use serde_json::{Map, Value, json};

use super::Terminal;
use super::sign::sign;
use crate::moment;
use crate::peer::{Book, Order, OrderState, Peer as _, RawRequest, RawResponse, Refund};

pub(super) const PATH: &str = "/merchant_webapi/api/transaction";

const QUERY_SIGNED: [&str; 9] = [
    "RequestId",
    "Version",
    "Command",
    "TmnCode",
    "TxnRef",
    "TransactionDate",
    "CreateDate",
    "IpAddr",
    "OrderInfo",
];
const REFUND_SIGNED: [&str; 13] = [
    "RequestId",
    "Version",
    "Command",
    "TmnCode",
    "TransactionType",
    "TxnRef",
    "Amount",
    "TransactionNo",
    "TransactionDate",
    "CreateBy",
    "CreateDate",
    "IpAddr",
    "OrderInfo",
];
const QUERY_ANSWERED: [&str; 15] = [
    "ResponseId",
    "Command",
    "ResponseCode",
    "Message",
    "TmnCode",
    "TxnRef",
    "Amount",
    "BankCode",
    "PayDate",
    "TransactionNo",
    "TransactionType",
    "TransactionStatus",
    "OrderInfo",
    "PromotionCode",
    "PromotionAmount",
];
/// A refund's answer ends with the order info.
const REFUND_ANSWERED: usize = 13;

/// A value of the call as it is signed: text as it is, a number in its digits.
fn field(call: &Value, name: &str) -> String {
    match &call[format!("vnp_{name}")] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn joined(call: &Value, names: &[&str]) -> String {
    let values: Vec<String> = names.iter().map(|name| field(call, name)).collect();
    values.join("|")
}

pub(super) fn answer(terminal: &Terminal, request: &RawRequest, now: i64) -> RawResponse {
    let Some(call) = request.json().filter(Value::is_object) else {
        return RawResponse::json(&json!({
            "vnp_ResponseCode": "03",
            "vnp_Message": "Invalid format",
        }));
    };
    let answered = match field(&call, "Command").as_str() {
        "querydr" => &QUERY_ANSWERED[..],
        _ => &QUERY_ANSWERED[..REFUND_ANSWERED],
    };
    let mut facts = decide(terminal, &call, now);
    for name in ["TmnCode", "TxnRef", "Command", "OrderInfo"] {
        facts
            .entry(name)
            .or_insert_with(|| Value::from(field(&call, name)));
    }
    facts.insert(
        "ResponseId".to_owned(),
        Value::from(format!("{:032x}", terminal.book().next_number())),
    );
    let mut body = Map::new();
    for name in answered {
        if let Some(value) = facts.get(*name) {
            body.insert(format!("vnp_{name}"), value.clone());
        }
    }
    let body = Value::Object(body);
    let signature = sign(&joined(&body, answered), &terminal.merchant.hash_secret);
    let mut body = body;
    body["vnp_SecureHash"] = Value::from(signature);
    RawResponse::json(&body)
}

fn code(code: &str, message: &str) -> Map<String, Value> {
    let mut facts = Map::new();
    facts.insert("ResponseCode".to_owned(), Value::from(code));
    facts.insert("Message".to_owned(), Value::from(message));
    facts
}

fn decide(terminal: &Terminal, call: &Value, now: i64) -> Map<String, Value> {
    let signed = match field(call, "Command").as_str() {
        "querydr" => &QUERY_SIGNED[..],
        "refund" => &REFUND_SIGNED[..],
        _ => return code("03", "Invalid command"),
    };
    if field(call, "TmnCode") != terminal.merchant.tmn_code {
        return code("02", "Invalid TmnCode");
    }
    let expected = sign(&joined(call, signed), &terminal.merchant.hash_secret);
    if !field(call, "SecureHash").eq_ignore_ascii_case(&expected) {
        return code("97", "Invalid signature");
    }
    let optional = |name: &&&str| **name == "TransactionNo";
    if signed
        .iter()
        .any(|name| !optional(&name) && field(call, name).is_empty())
        || field(call, "Version") != "2.1.0"
        || moment::read_compact(&field(call, "CreateDate")).is_none()
    {
        return code("03", "Invalid format");
    }
    let request_id = format!("{}{}", moment::day(now), field(call, "RequestId"));
    if !terminal.book().fresh(&request_id) {
        return code("94", "Duplicate request");
    }
    let order = terminal
        .book()
        .order(&field(call, "TxnRef"))
        .filter(|order| field(call, "TransactionDate") == moment::compact(order.created_at));
    let Some(order) = order else {
        return code("91", "Transaction not found");
    };
    if field(call, "Command") == "querydr" {
        describe(terminal.book(), &order)
    } else {
        refund(terminal.book(), &order, call, now)
    }
}

fn describe(book: &Book, order: &Order) -> Map<String, Value> {
    let mut facts = code("00", "QueryDR Success");
    let last_refund = book
        .refunds()
        .values()
        .filter(|refund| refund.order == order.reference)
        .max_by_key(|refund| refund.number)
        .map(|refund| refund.id.clone());
    if let Some(refund) = last_refund.and_then(|id| book.ask_refund(&id)) {
        facts.extend(refund_facts(order, &refund));
        return facts;
    }
    let status = match order.state {
        OrderState::Open => "01",
        OrderState::Paid => "00",
        OrderState::Failed | OrderState::Cancelled | OrderState::Expired => "02",
    };
    let paid = order.transactions.first();
    let amount = paid.map_or(order.amount, |paid| paid.amount);
    facts.extend(map([
        ("Amount", format!("{amount}00")),
        ("BankCode", "NCB".to_owned()),
        (
            "PayDate",
            paid.map(|paid| moment::compact(paid.at))
                .unwrap_or_default(),
        ),
        (
            "TransactionNo",
            paid.map_or("0".to_owned(), |paid| paid.number.to_string()),
        ),
        ("TransactionType", "01".to_owned()),
        ("TransactionStatus", status.to_owned()),
        ("OrderInfo", order.info.clone()),
    ]));
    facts
}

fn refund(book: &Book, order: &Order, call: &Value, now: i64) -> Map<String, Value> {
    let hundredths: i64 = field(call, "Amount").parse().unwrap_or(0);
    let amount = hundredths / 100;
    let kind = field(call, "TransactionType");
    if hundredths <= 0 || hundredths % 100 != 0 || !matches!(kind.as_str(), "02" | "03") {
        return code("03", "Invalid format");
    }
    if order.state != OrderState::Paid {
        return code("95", "The original transaction was not successful");
    }
    let left = order.amount - order.refunded(book);
    if amount > left || (kind == "02" && amount != order.amount) {
        return code("94", "A refund was sent before");
    }
    let refund = book.refund(&field(call, "RequestId"), &order.reference, amount, now);
    let mut facts = code("00", "Request success");
    facts.extend(refund_facts(order, &refund));
    facts
}

fn refund_facts(order: &Order, refund: &Refund) -> Map<String, Value> {
    let status = match refund.done() {
        None => "05",
        Some(true) => "00",
        Some(false) => "09",
    };
    let kind = if refund.amount == order.amount {
        "02"
    } else {
        "03"
    };
    map([
        ("Amount", format!("{}00", refund.amount)),
        ("BankCode", "NCB".to_owned()),
        ("PayDate", moment::compact(refund.at)),
        ("TransactionNo", refund.number.to_string()),
        ("TransactionType", kind.to_owned()),
        ("TransactionStatus", status.to_owned()),
        ("OrderInfo", order.info.clone()),
    ])
}

fn map<const N: usize>(pairs: [(&str, String); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{Event, Outcome, RefundFate};
    use crate::vectors;
    use crate::vnpay::signed_query;

    const NOW: i64 = 1_795_538_645;

    #[test]
    fn calls_signed_by_the_public_sdk_verify() {
        for (flow, names) in [("query", &QUERY_SIGNED[..]), ("refund", &REFUND_SIGNED[..])] {
            for vector in vectors::read(include_str!("../testdata/vnpay.json"), flow) {
                let call = vector.request().json().unwrap();
                let canonical = joined(&call, names);
                assert_eq!(vector.expected("canonical_string"), Some(canonical.clone()));
                let signature = sign(&canonical, &vector.secret("hash_secret"));
                assert_eq!(field(&call, "SecureHash"), signature, "{}", vector.name);
            }
        }
    }

    fn call(terminal: &Terminal, names: &[&str], change: &[(&str, &str)]) -> Value {
        let mut call = json!({
            "vnp_RequestId": "1", "vnp_Version": "2.1.0", "vnp_Command": "querydr",
            "vnp_TmnCode": "SANDBX01", "vnp_TxnRef": "A1", "vnp_TransactionDate": moment::compact(NOW),
            "vnp_CreateDate": moment::compact(NOW), "vnp_IpAddr": "127.0.0.1", "vnp_OrderInfo": "Tra cuu",
            "vnp_CreateBy": "ketoan", "vnp_TransactionNo": "", "vnp_Amount": 68_310_000,
            "vnp_TransactionType": "02",
        });
        for (name, value) in change {
            call[format!("vnp_{name}")] = Value::from(*value);
        }
        call["vnp_SecureHash"] =
            Value::from(sign(&joined(&call, names), &terminal.merchant.hash_secret));
        let answer = terminal.handle(&RawRequest::post_json(PATH, &call), "", NOW);
        let crate::peer::Reply::Answer(answer) = answer.reply else {
            panic!("silence");
        };
        let body = answer.read_json().unwrap();
        let signed = if call["vnp_Command"] == "querydr" {
            15
        } else {
            13
        };
        assert_eq!(
            field(&body, "SecureHash"),
            sign(
                &joined(&body, &QUERY_ANSWERED[..signed]),
                &terminal.merchant.hash_secret
            )
        );
        body
    }

    fn query(terminal: &Terminal, id: &str, change: &[(&str, &str)]) -> Value {
        let mut all = vec![("RequestId", id)];
        all.extend(change);
        call(terminal, &QUERY_SIGNED, &all)
    }

    fn refund(terminal: &Terminal, id: &str, change: &[(&str, &str)]) -> Value {
        let mut all = vec![("RequestId", id), ("Command", "refund")];
        all.extend(change);
        call(terminal, &REFUND_SIGNED, &all)
    }

    fn open_order() -> Terminal {
        let terminal = Terminal::invented();
        let (created, expires) = (moment::compact(NOW), moment::compact(NOW + 900));
        let fields = [
            ("vnp_Amount", "68310000"),
            ("vnp_Command", "pay"),
            ("vnp_CreateDate", &created),
            ("vnp_CurrCode", "VND"),
            ("vnp_ExpireDate", &expires),
            ("vnp_IpAddr", "127.0.0.1"),
            ("vnp_Locale", "vn"),
            ("vnp_OrderInfo", "Hoc phi"),
            ("vnp_OrderType", "other"),
            ("vnp_ReturnUrl", "http://127.0.0.1/back"),
            ("vnp_TmnCode", "SANDBX01"),
            ("vnp_TxnRef", "A1"),
            ("vnp_Version", "2.1.0"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let page = RawRequest::get(
            super::super::terminal::PAY_PATH,
            signed_query(&fields, &terminal.merchant.hash_secret),
        );
        terminal.handle(&page, "", NOW);
        terminal
    }

    #[test]
    fn an_order_is_asked_about_and_its_money_given_back() {
        let terminal = open_order();
        let status = |body: &Value| {
            (
                field(body, "ResponseCode"),
                field(body, "TransactionStatus"),
            )
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(status(&query(&terminal, "1", &[])), pair("00", "01"));
        assert_eq!(field(&query(&terminal, "1", &[]), "ResponseCode"), "94");
        let late = moment::compact(NOW + 1);
        assert_eq!(
            field(
                &query(&terminal, "2", &[("TransactionDate", &late)]),
                "ResponseCode"
            ),
            "91"
        );
        assert_eq!(
            field(
                &query(&terminal, "3", &[("TmnCode", "OTHER")]),
                "ResponseCode"
            ),
            "02"
        );
        assert_eq!(field(&refund(&terminal, "4", &[]), "ResponseCode"), "95");
        terminal.book().finish("A1", Outcome::Paid, NOW);
        let paid = query(&terminal, "5", &[]);
        assert_eq!(status(&paid), pair("00", "00"));
        assert_eq!(
            field(&paid, "TransactionNo"),
            terminal.transaction_id(&Event::paid(
                "A1",
                683_100,
                terminal.book().order("A1").unwrap().transactions[0].number,
                NOW
            ),)
        );
        terminal.book().levers().refunds = RefundFate::DoneAfter(1);
        let part = [("TransactionType", "03"), ("Amount", "10000000")];
        assert_eq!(status(&refund(&terminal, "6", &part)), pair("00", "05"));
        let done = query(&terminal, "7", &[]);
        assert_eq!(
            (status(&done), field(&done, "TransactionType")),
            (pair("00", "00"), "03".to_owned())
        );
        assert_eq!(
            field(
                &refund(
                    &terminal,
                    "8",
                    &[("Amount", "68310000"), ("TransactionType", "03")]
                ),
                "ResponseCode"
            ),
            "94"
        );
        terminal.book().levers().refunds = RefundFate::Refused;
        assert_eq!(status(&refund(&terminal, "9", &part)), pair("00", "09"));
        let wrong =
            json!({"vnp_Command": "querydr", "vnp_TmnCode": "SANDBX01", "vnp_SecureHash": "00"});
        let wrong = terminal.handle(&RawRequest::post_json(PATH, &wrong), "", NOW);
        let crate::peer::Reply::Answer(wrong) = wrong.reply else {
            panic!("silence");
        };
        assert_eq!(field(&wrong.read_json().unwrap(), "ResponseCode"), "97");
    }
}
