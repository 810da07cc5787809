use super::*;
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/sepay_pg.json");

#[test]
fn forms_signed_by_the_public_sdk_fit() {
    for vector in vectors::read(FILE, "create") {
        let form = vector.fields();
        let gateway = SepayPg::new("", &vector.secret("secret_key"), 1);
        assert_eq!(
            vector.expected("canonical_string"),
            Some(canonical(&form)),
            "{}",
            vector.name
        );
        assert_eq!(
            vector.expected("signature"),
            Some(gateway.sign(&form)),
            "{}",
            vector.name
        );
    }
}

#[test]
fn our_ipn_has_the_members_of_the_documented_one() {
    let ours = SepayPg::invented().notice(&Event::paid("A", 1_000, 1, NOW));
    let theirs = vectors::read(FILE, "ipn")[0].request();
    for part in ["", "/order", "/transaction"] {
        let names = |request: &RawRequest| -> Vec<String> {
            let body = request.json().unwrap();
            body.pointer(part)
                .unwrap()
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(names(&ours), names(&theirs), "{part}");
    }
}

fn answer(gateway: &SepayPg, request: RawRequest) -> RawResponse {
    match gateway.handle(&request, "http://peer", NOW).reply {
        Reply::Answer(answer) => answer,
        Reply::Silence => panic!("silence"),
    }
}

#[test]
fn a_form_opens_a_page_and_the_order_is_read_and_voided() {
    let gateway = SepayPg::invented();
    let mut form: Vec<(&str, String)> = [
        ("merchant", "SP-SBX-0001"),
        ("operation", "PURCHASE"),
        ("payment_method", "BANK_TRANSFER"),
        ("order_amount", "50000"),
        ("currency", "VND"),
        ("order_invoice_number", "A1"),
        ("order_description", "Học phí"),
        ("success_url", "http://127.0.0.1/ok"),
        ("error_url", "http://127.0.0.1/loi"),
        ("cancel_url", "http://127.0.0.1/huy"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec();
    let pairs: Vec<(String, String)> = form
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    form.push(("signature", gateway.sign(&pairs)));
    let opened = answer(&gateway, RawRequest::post_form("/v1/checkout/init", &form));
    assert_eq!(
        opened.header("location"),
        Some("http://peer/page/pay?order=SBX-A1")
    );
    let mut swapped = form.clone();
    swapped.swap(1, 2);
    assert_eq!(
        answer(
            &gateway,
            RawRequest::post_form("/v1/checkout/init", &swapped)
        )
        .status,
        400
    );
    let press = [
        ("order", "SBX-A1".to_owned()),
        ("result", "paid".to_owned()),
    ];
    let served = gateway.handle(
        &RawRequest::post_form("/page/pay", &press),
        "http://peer",
        NOW,
    );
    assert_eq!(served.notices.len(), 1);
    let basic = format!("Basic {}", BASE64.encode("SP-SBX-0001:sbx_spsk_0123456789"));
    let ask = |path: &str, body: Option<Value>| {
        let request = match body {
            None => RawRequest::get(path, String::new()),
            Some(body) => RawRequest::post_json(path, &body),
        };
        answer(
            &gateway,
            request.with_header("authorization", basic.clone()),
        )
    };
    let detail = ask("/v1/order/detail/A1", None).read_json().unwrap();
    assert_eq!(detail["data"]["order_status"], "CAPTURED");
    let body = json!({"order_invoice_number": "A1"});
    assert_eq!(ask("/v1/order/cancel", Some(body.clone())).status, 422);
    assert_eq!(
        ask("/v1/order/voidTransaction", Some(body.clone())).status,
        200
    );
    assert_eq!(
        ask("/v1/order/voidTransaction", Some(body)).status,
        422,
        "not twice"
    );
    assert_eq!(
        answer(&gateway, RawRequest::get("/v1/order", String::new())).status,
        401
    );
}
