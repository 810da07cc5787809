use super::*;
use crate::peer::{ApiFault, RefundFate, Reply};
use crate::vectors::{self, Vector};

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/momo.json");

fn of_vector(vector: &Vector) -> Momo {
    Momo::new(
        &vector.secret("partner_code"),
        &vector.secret("access_key"),
        &vector.secret("secret_key"),
        1,
    )
}

#[test]
fn published_redirects_and_signed_ipns_fit() {
    let mut seen = 0;
    for vector in vectors::read(FILE, "return")
        .iter()
        .chain(&vectors::read(FILE, "ipn"))
    {
        let request = vector.request();
        let mut message = request.json().unwrap_or_else(|| json!({}));
        for (name, value) in request.query_pairs().unwrap() {
            message[name] = Value::from(value);
        }
        let momo = of_vector(vector);
        let ours = momo.sign(&message, &NOTICE_SIGNED);
        assert_eq!(
            vector.expected("signature"),
            Some(ours.clone()),
            "{}",
            vector.name
        );
        let given = plain(&message["signature"]);
        assert_eq!(given == ours, vector.valid(), "{}", vector.name);
        seen += 1;
    }
    assert!(seen >= 15, "{seen}");
}

#[test]
fn calls_signed_by_a_public_library_are_accepted() {
    for flow in ["create", "query", "refund"] {
        for vector in vectors::read(FILE, flow) {
            let body = vector.request().json().unwrap();
            let ours = of_vector(&vector).sign(&body, api::signed(flow).unwrap());
            assert_eq!(plain(&body["signature"]), ours, "{}", vector.name);
        }
    }
}

#[test]
fn our_ipn_has_the_members_of_theirs() {
    let ours = Momo::invented().report(&Event::paid("A", 1_000, 1, NOW));
    let theirs = vectors::read(FILE, "ipn")[0].request().json().unwrap();
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&ours), names(&theirs));
}

fn call(momo: &Momo, kind: &str, change: Value) -> Reply {
    let mut body = json!({
        "partnerCode": momo.partner_code, "requestId": "rq1", "amount": 1_250_000, "orderId": "A1",
        "orderInfo": "Hoc phi", "redirectUrl": "http://127.0.0.1/back", "ipnUrl": "http://127.0.0.1/ipn",
        "requestType": "captureWallet", "extraData": "", "description": "hoan", "transId": 0,
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body["signature"] = Value::from(momo.sign(&body, api::signed(kind).unwrap()));
    let request = RawRequest::post_json(&format!("/v2/gateway/api/{kind}"), &body);
    momo.handle(&request, "http://peer", NOW).reply
}

fn answer(momo: &Momo, kind: &str, change: Value) -> Value {
    match call(momo, kind, change) {
        Reply::Answer(answer) => answer.read_json().unwrap(),
        Reply::Silence => panic!("silence"),
    }
}

fn press(momo: &Momo, handle: &str, result: &str) -> Served {
    let form = [("order", handle.to_owned()), ("result", result.to_owned())];
    momo.handle(
        &RawRequest::post_form("/page/pay", &form),
        "http://peer",
        NOW,
    )
}

#[test]
fn an_order_is_made_paid_asked_about_and_refunded() {
    let momo = Momo::invented();
    let code = |answer: &Value| answer["resultCode"].as_i64().unwrap();
    let made = answer(&momo, "create", json!({}));
    assert_eq!(code(&made), 0);
    assert_eq!(made["payUrl"], "http://peer/page/pay?order=MOMOSBX01-rq1");
    assert_eq!(
        answer(&momo, "create", json!({}))["payUrl"],
        made["payUrl"],
        "repeated"
    );
    assert_eq!(
        code(&answer(&momo, "create", json!({"requestId": "rq2"}))),
        41
    );
    assert_eq!(code(&answer(&momo, "create", json!({"orderId": "A2"}))), 40);
    assert_eq!(code(&answer(&momo, "create", json!({"orderId": "-"}))), 20);
    assert_eq!(code(&answer(&momo, "create", json!({"amount": 999}))), 22);
    assert_eq!(
        code(&answer(&momo, "create", json!({"partnerCode": "X"}))),
        13
    );
    assert_eq!(code(&answer(&momo, "query", json!({}))), 1000);
    let served = press(&momo, "MOMOSBX01-rq1", "paid");
    assert_eq!(served.notices.len(), 1);
    assert_eq!(
        served.notices[0].address.as_deref(),
        Some("http://127.0.0.1/ipn")
    );
    let Reply::Answer(back) = served.reply else {
        panic!("silence");
    };
    let back = back.header("location").unwrap().to_owned();
    assert!(
        back.starts_with("http://127.0.0.1/back?partnerCode=MOMOSBX01&orderId=A1&"),
        "{back}"
    );
    let paid = answer(&momo, "query", json!({"requestId": "rq3"}));
    assert_eq!(
        (code(&paid), paid["transId"].as_i64()),
        (0, Some(served.notices[0].event.transaction))
    );

    momo.book().levers().refunds = RefundFate::DoneAfter(2);
    let refund =
        json!({"orderId": "R1", "requestId": "rf1", "amount": 250_000, "transId": paid["transId"]});
    momo.book().levers().calls.push_back(Some(ApiFault::Lost));
    assert_eq!(call(&momo, "refund", refund.clone()), Reply::Silence);
    assert_eq!(
        code(&answer(&momo, "refund", refund.clone())),
        7002,
        "not refunded twice"
    );
    let ask = json!({"orderId": "R1", "requestId": "rq4"});
    assert_eq!(code(&answer(&momo, "refund/query", ask.clone())), 7002);
    assert_eq!(code(&answer(&momo, "refund/query", ask)), 0);
    let rest = json!({"orderId": "R2", "requestId": "rf2", "amount": 1_000_001, "transId": paid["transId"]});
    assert_eq!(code(&answer(&momo, "refund", rest)), 1081);
    let all = answer(&momo, "query", json!({"requestId": "rq5"}));
    assert_eq!(all["refundTrans"].as_array().unwrap().len(), 1);
}

#[test]
fn only_204_is_an_answer() {
    let momo = Momo::invented();
    assert_eq!(momo.reading(&RawResponse::text(200, "")), Reading::Again);
    assert_eq!(momo.reading(&RawResponse::text(204, "")), Reading::Done);
}
