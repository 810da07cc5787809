use super::*;
use crate::peer::{RefundFate, Reply};
use crate::vectors;

const NOW: i64 = 1_795_538_645;

#[test]
fn the_published_request_fits() {
    for vector in vectors::read(include_str!("../testdata/alepay.json"), "create") {
        let message: Value = vector
            .fields()
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect();
        let alepay = Alepay::new("", &vector.secret("checksum_key"), 1);
        assert_eq!(
            vector.expected("canonical_string"),
            Some(canonical(&message))
        );
        assert_eq!(vector.expected("signature"), Some(alepay.sign(&message)));
    }
}

fn call(alepay: &Alepay, kind: &str, mut body: Value) -> Value {
    body["tokenKey"] = Value::from(alepay.token_key.as_str());
    body["signature"] = Value::from(if kind.contains("refund") {
        sha256_hex(&format!(
            "{}{}{}",
            plain(&body["transactionCode"]),
            plain(&body["merchantRefundCode"]),
            alepay.checksum_key
        ))
    } else {
        alepay.sign(&body)
    });
    let request = RawRequest::post_json(&format!("{BASE}{kind}"), &body);
    match alepay.handle(&request, "http://peer", NOW).reply {
        Reply::Answer(answer) => answer.read_json().unwrap(),
        Reply::Silence => panic!("silence"),
    }
}

#[test]
fn an_order_is_made_paid_asked_about_and_refunded() {
    let alepay = Alepay::invented();
    let order = json!({
        "orderCode": "A1", "amount": 50_000, "currency": "VND", "orderDescription": "Học phí",
        "returnUrl": "http://127.0.0.1/ok", "cancelUrl": "http://127.0.0.1/huy", "buyerName": "PH",
    });
    let made = call(&alepay, "request-payment", order.clone());
    assert_eq!(made["code"], "000");
    assert_eq!(made["signature"], alepay.sign(&made));
    assert_eq!(call(&alepay, "request-payment", order)["code"], "107");
    let code = plain(&made["transactionCode"]);
    let info = || {
        call(
            &alepay,
            "get-transaction-info",
            json!({"transactionCode": code}),
        )
    };
    assert_eq!(info()["status"], "150");
    let press = [("order", code.clone()), ("result", "paid".to_owned())];
    let served = alepay.handle(
        &RawRequest::post_form("/page/pay", &press),
        "http://peer",
        NOW,
    );
    let told = alepay.notice(&served.notices[0].event).json().unwrap();
    assert_eq!(
        told["transactionCode"], made["transactionCode"],
        "one number in notice and query"
    );
    assert_eq!(info()["status"], "000");
    let paid = &alepay.book().order("A1").unwrap().transactions[0];
    let late = Event::paid("A1", 50_000, paid.number, paid.at);
    assert_eq!(
        alepay.transaction_id(&late),
        code,
        "told late, it is the same transaction"
    );
    assert_ne!(
        alepay.transaction_id(&late.as_transaction(paid.number + 1)),
        code,
        "a second payment is another"
    );
    alepay.book().levers().refunds = RefundFate::RefusedAfter(1);
    let refund =
        json!({"transactionCode": code, "merchantRefundCode": "R1", "refundAmount": 20_000});
    assert_eq!(
        call(&alepay, "request-refund", refund.clone())["status"],
        "PROCESSING"
    );
    assert_eq!(call(&alepay, "request-refund", refund)["code"], "107");
    let ask = json!({"transactionCode": code, "merchantRefundCode": "R1"});
    assert_eq!(call(&alepay, "get-refund-info", ask)["status"], "FAILED");
}
