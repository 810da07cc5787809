use super::*;
use crate::peer::{RefundFate, Reply, plain};
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/zalopay.json");

#[test]
fn published_callbacks_fit_key2_over_the_text_of_data() {
    for vector in vectors::read(FILE, "ipn") {
        let body = vector.request().json().unwrap();
        let ours = hmac_sha256_hex(&vector.secret("key2"), &plain(&body["data"]));
        assert_eq!(
            vector.expected("signature"),
            Some(ours.clone()),
            "{}",
            vector.name
        );
        assert_eq!(
            plain(&body["mac"]) == ours,
            vector.valid(),
            "{}",
            vector.name
        );
    }
}

#[test]
fn calls_signed_by_the_official_library_are_accepted() {
    for flow in ["create", "query", "refund", "query_refund"] {
        for vector in vectors::read(FILE, flow) {
            let body = vector.request().json().unwrap();
            let key1 = vector.secret("key1");
            let text = api::canonical(flow, &body, &key1).unwrap();
            assert_eq!(
                vector.expected("canonical_string"),
                Some(text.clone()),
                "{}",
                vector.name
            );
            assert_eq!(
                plain(&body["mac"]),
                hmac_sha256_hex(&key1, &text),
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn our_callback_has_the_members_of_the_published_one() {
    let names = |request: &RawRequest| -> Vec<String> {
        let data = plain(&request.json().unwrap()["data"]);
        let data: Value = serde_json::from_str(&data).unwrap();
        data.as_object().unwrap().keys().cloned().collect()
    };
    let ours = ZaloPay::invented().notice(&Event::paid("A", 1_000, 1, NOW));
    assert_eq!(
        names(&ours),
        names(&vectors::read(FILE, "ipn")[0].request())
    );
}

fn call(zalopay: &ZaloPay, kind: &str, change: Value) -> Value {
    let mut body = json!({
        "app_id": 7001, "app_trans_id": "261124_HP1", "app_user": "PH1", "app_time": NOW * 1000,
        "amount": 50_000, "item": "[]", "embed_data": "{\"redirecturl\":\"http://127.0.0.1/back\"}",
        "description": "Hoc phi", "m_refund_id": "261124_7001_1", "zp_trans_id": 0, "timestamp": NOW * 1000,
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    let text = api::canonical(kind, &body, &zalopay.key1).unwrap();
    body["mac"] = Value::from(hmac_sha256_hex(&zalopay.key1, &text));
    let request = RawRequest::post_json(&format!("/v2/{kind}"), &body);
    match zalopay.handle(&request, "http://peer", NOW).reply {
        Reply::Answer(answer) => answer.read_json().unwrap(),
        Reply::Silence => panic!("silence"),
    }
}

#[test]
fn an_order_is_made_paid_asked_about_and_refunded() {
    let zalopay = ZaloPay::invented();
    let codes = |answer: &Value| {
        (
            answer["return_code"].as_i64(),
            answer["sub_return_code"].as_i64(),
        )
    };
    let refused = |sub| (Some(2), Some(sub));
    let made = call(&zalopay, "create", json!({}));
    assert_eq!(codes(&made), (Some(1), Some(1)));
    assert_eq!(codes(&call(&zalopay, "create", json!({}))), refused(-68));
    // The day of UTC is still the 24th at seven in the evening; Vietnam's decides.
    assert_eq!(
        codes(&call(
            &zalopay,
            "create",
            json!({"app_trans_id": "261125_HP1"})
        )),
        refused(-401)
    );
    assert_eq!(
        codes(&call(
            &zalopay,
            "create",
            json!({"app_time": (NOW - 901) * 1000})
        )),
        refused(-401)
    );
    assert_eq!(
        codes(&call(&zalopay, "create", json!({"app_id": 1}))),
        refused(-402)
    );
    assert_eq!(call(&zalopay, "query", json!({}))["is_processing"], true);
    let form = [
        ("order", plain(&made["zp_trans_token"])),
        ("result", "paid".to_owned()),
    ];
    let served = zalopay.handle(
        &RawRequest::post_form("/page/pay", &form),
        "http://peer",
        NOW,
    );
    assert_eq!(served.notices.len(), 1);
    let Reply::Answer(back) = served.reply else {
        panic!("silence");
    };
    assert!(
        back.header("location")
            .unwrap()
            .contains("&status=1&checksum=")
    );
    let paid = call(&zalopay, "query", json!({}));
    assert_eq!(codes(&paid), (Some(1), Some(1)));
    zalopay.book().levers().refunds = RefundFate::RefusedAfter(1);
    let refund = json!({"zp_trans_id": paid["zp_trans_id"], "amount": 20_000});
    assert_eq!(
        codes(&call(&zalopay, "refund", refund.clone())),
        (Some(3), Some(3))
    );
    assert_eq!(codes(&call(&zalopay, "refund", refund)), refused(-68));
    assert_eq!(
        codes(&call(&zalopay, "query_refund", json!({}))),
        refused(-500)
    );
}

#[test]
fn a_cancelled_payment_is_never_called_back_and_only_zero_asks_again() {
    let zalopay = ZaloPay::invented();
    let made = call(&zalopay, "create", json!({}));
    let form = [
        ("order", plain(&made["zp_trans_token"])),
        ("result", "cancelled".to_owned()),
    ];
    let served = zalopay.handle(
        &RawRequest::post_form("/page/pay", &form),
        "http://peer",
        NOW,
    );
    assert!(served.notices.is_empty());
    assert_eq!(call(&zalopay, "query", json!({}))["sub_return_code"], -329);
    for (code, reading) in [
        (1, Reading::Done),
        (2, Reading::Done),
        (0, Reading::Again),
        (-1, Reading::Stopped),
    ] {
        assert_eq!(
            zalopay.reading(&RawResponse::json(&json!({"return_code": code}))),
            reading
        );
    }
}
