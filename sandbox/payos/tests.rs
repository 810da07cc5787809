use super::*;
use crate::peer::{Reply, plain};
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/payos.json");

#[test]
fn published_webhooks_fit() {
    for vector in vectors::read(FILE, "webhook") {
        let body = vector.request().json().unwrap();
        let payos = PayOs::new("", "", &vector.secret("checksum_key"), 1);
        let text = canonical(&body["data"]);
        assert_eq!(
            vector.expected("canonical_string"),
            Some(text),
            "{}",
            vector.name
        );
        let ours = payos.sign(&body["data"]);
        assert_eq!(
            plain(&body["signature"]) == ours,
            vector.valid(),
            "{}",
            vector.name
        );
    }
}

#[test]
fn a_link_signed_by_the_official_library_fits() {
    for vector in vectors::read(FILE, "create") {
        let body = vector.request().json().unwrap();
        let text = api::create_canonical(&body);
        assert_eq!(vector.expected("canonical_string"), Some(text.clone()));
        let ours = hmac_sha256_hex(&vector.secret("checksum_key"), &text);
        assert_eq!(plain(&body["signature"]), ours);
    }
}

#[test]
fn our_webhook_has_the_members_of_the_published_one() {
    let ours = PayOs::invented().data(&Event::paid("1", 1_000, 1, NOW));
    let theirs = vectors::read(FILE, "webhook")[0].request().json().unwrap();
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&ours), names(&theirs["data"]));
}

#[test]
fn lists_and_the_words_for_nothing_are_written_as_the_sdk_writes_them() {
    let data = json!({"b": [{"y": 1, "x": "a"}], "a": "undefined", "c": null, "d": true});
    assert_eq!(canonical(&data), "a=&b=[{\"x\":\"a\",\"y\":1}]&c=&d=true");
}

fn ask(payos: &PayOs, method: &'static str, path: &str, body: &Value) -> Value {
    let mut request = RawRequest::post_json(path, body)
        .with_header("x-client-id", payos.client_id.clone())
        .with_header("x-api-key", payos.api_key.clone());
    request.method = method;
    match payos.handle(&request, "http://peer", NOW).reply {
        Reply::Answer(answer) => {
            let answer = answer.read_json().unwrap();
            if answer["code"] == "00" {
                assert_eq!(plain(&answer["signature"]), payos.sign(&answer["data"]));
            }
            answer
        }
        Reply::Silence => panic!("silence"),
    }
}

#[test]
fn a_link_is_made_paid_read_and_cancelled() {
    let payos = PayOs::invented();
    let link = |code: i64| {
        let mut body = json!({
            "orderCode": code, "amount": 50_000, "description": "HP000042",
            "cancelUrl": "http://127.0.0.1/huy", "returnUrl": "http://127.0.0.1/xong",
        });
        let text = api::create_canonical(&body);
        body["signature"] = Value::from(hmac_sha256_hex(&payos.checksum_key, &text));
        body
    };
    let path = "/v2/payment-requests";
    let made = ask(&payos, "POST", path, &link(7));
    assert_eq!(made["data"]["status"], "PENDING");
    let qr = crate::bank::vietqr::read(&plain(&made["data"]["qrCode"])).unwrap();
    assert_eq!((qr.amount, qr.memo.as_str()), (Some(50_000), "HP000042"));
    assert_eq!(ask(&payos, "POST", path, &link(7))["code"], "231");
    let mut wrong = link(8);
    wrong["amount"] = json!(50_001);
    assert_eq!(ask(&payos, "POST", path, &wrong)["code"], "201");
    let form = [
        ("order", plain(&made["data"]["paymentLinkId"])),
        ("result", "paid".to_owned()),
    ];
    let served = payos.handle(
        &RawRequest::post_form("/page/pay", &form),
        "http://peer",
        NOW,
    );
    assert_eq!(served.notices.len(), 1);
    let read = ask(&payos, "GET", &format!("{path}/7"), &Value::Null);
    assert_eq!(read["data"]["status"], "PAID");
    assert_eq!(
        read["data"]["transactions"][0]["reference"],
        payos.transaction_id(&served.notices[0].event)
    );
    ask(&payos, "POST", path, &link(9));
    let cancelled = ask(
        &payos,
        "POST",
        &format!("{path}/9/cancel"),
        &json!({"cancellationReason": "x"}),
    );
    assert_eq!(cancelled["data"]["status"], "CANCELLED");
    assert_eq!(
        ask(&payos, "GET", &format!("{path}/10"), &Value::Null)["code"],
        "101"
    );
    let stranger = RawRequest::get(&format!("{path}/7"), String::new());
    let Reply::Answer(answer) = payos.handle(&stranger, "", NOW).reply else {
        panic!("silence");
    };
    assert_eq!(answer.status, 401);
}

#[test]
fn registering_an_address_sends_it_a_sample_first() {
    let payos = PayOs::invented();
    let request = RawRequest::post_json(
        "/confirm-webhook",
        &json!({"webhookUrl": "http://127.0.0.1/n"}),
    )
    .with_header("x-client-id", payos.client_id.clone())
    .with_header("x-api-key", payos.api_key.clone());
    let served = payos.handle(&request, "", NOW);
    assert_eq!(served.notices[0].event.reference, "123");
}
