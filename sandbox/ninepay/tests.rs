use super::*;
use crate::peer::{RefundFate, Reply};
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/ninepay.json");

#[test]
fn callbacks_accepted_by_the_public_sdk_fit() {
    for vector in vectors::read(FILE, "ipn") {
        let form = vector.request().form().unwrap();
        let ninepay = NinePay::new("", "", &vector.secret("checksum_key"), 1);
        let ours = ninepay.checksum(forms::value(&form, "result").unwrap());
        let given = forms::value(&form, "checksum").unwrap();
        assert_eq!(
            given.eq_ignore_ascii_case(&ours),
            vector.valid(),
            "{}",
            vector.name
        );
    }
}

#[test]
fn a_request_signed_by_the_public_sdk_fits() {
    for vector in vectors::read(FILE, "create") {
        let fields = vector.fields();
        let time = forms::value(&fields, "time").unwrap().to_owned();
        let params: Value = fields
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect();
        let address = "https://sand-payment.9pay.vn/payments/create";
        let text = canonical("POST", address, &time, &params);
        assert_eq!(vector.expected("canonical_string"), Some(text.clone()));
        let ninepay = NinePay::new("", &vector.secret("secret_key"), "", 1);
        assert_eq!(vector.expected("signature"), Some(ninepay.sign(&text)));
    }
}

#[test]
fn our_callback_has_the_members_of_theirs() {
    let names = |request: &RawRequest| -> Vec<String> {
        let form = request.form().unwrap();
        let bytes = BASE64
            .decode(forms::value(&form, "result").unwrap())
            .unwrap();
        let result: Value = serde_json::from_slice(&bytes).unwrap();
        result.as_object().unwrap().keys().cloned().collect()
    };
    let ours = NinePay::invented().notice(&Event::paid("A", 1_000, 1, NOW));
    assert_eq!(
        names(&ours),
        names(&vectors::read(FILE, "ipn")[0].request())
    );
}

fn answer(ninepay: &NinePay, request: &RawRequest) -> RawResponse {
    match ninepay.handle(request, "http://peer", NOW).reply {
        Reply::Answer(answer) => answer,
        Reply::Silence => panic!("silence"),
    }
}

#[test]
fn an_invoice_is_paid_asked_about_and_refunded() {
    let ninepay = NinePay::invented();
    let params = json!({
        "merchantKey": "SBX9PAY", "time": NOW.to_string(), "invoice_no": "A1", "amount": 50_000,
        "description": "Học phí", "return_url": "http://127.0.0.1/back?a=1",
    });
    let time = NOW.to_string();
    let text = canonical("POST", "http://peer/payments/create", &time, &params);
    let (encoded, signature) = (BASE64.encode(params.to_string()), ninepay.sign(&text));
    let portal = |signature: &str| {
        RawRequest::get(
            "/portal",
            forms::join([("baseEncode", encoded.as_str()), ("signature", signature)]),
        )
    };
    assert_eq!(answer(&ninepay, &portal("AAAA")).status, 400);
    let opened = answer(&ninepay, &portal(&signature));
    assert_eq!(
        opened.header("location"),
        Some("http://peer/page/pay?order=A1")
    );
    let sealed = |mut request: RawRequest, params: &Value| {
        let address = format!("http://peer{}", request.path);
        let signature = ninepay.sign(&canonical(request.method, &address, &time, params));
        request = request.with_header("date", time.clone());
        request.with_header(
            "authorization",
            format!(
                "Signature Algorithm=HS256,Credential=SBX9PAY,SignedHeaders=,Signature={signature}"
            ),
        )
    };
    let asked = |folder: &str, id: &str| {
        let request = RawRequest::get(&format!("/v2/{folder}/{id}/inquire"), String::new());
        answer(&ninepay, &sealed(request, &Value::Null))
            .read_json()
            .unwrap()
    };
    let inquire = |id: &str| asked("payments", id);
    assert_eq!(inquire("A1")["status"], 2);
    let press = [("order", "A1".to_owned()), ("result", "paid".to_owned())];
    let served = ninepay.handle(
        &RawRequest::post_form("/page/pay", &press),
        "http://peer",
        NOW,
    );
    assert_eq!(served.notices.len(), 1);
    let paid = inquire("A1");
    assert_eq!(paid["status"], 5);
    ninepay.book().levers().refunds = RefundFate::DoneAfter(1);
    let refund = |id: &str, amount: &str| {
        let form = [
            ("request_id", id.to_owned()),
            ("payment_no", plain(&paid["payment_no"])),
            ("amount", amount.to_owned()),
            ("description", "hoan".to_owned()),
        ];
        let params = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
        let request = RawRequest::post_form("/refunds/create", &form);
        answer(&ninepay, &sealed(request, &params.collect()))
    };
    assert_eq!(refund("R1", "20000").read_json().unwrap()["status"], 2);
    assert_eq!(refund("R1", "20000").status, 422);
    assert_eq!(refund("R2", "30001").status, 422);
    assert_eq!(asked("refunds", "R1")["status"], 5);
    assert_eq!(asked("refunds", "R9")["error_code"], "006");
    let stranger = RawRequest::get("/v2/payments/A1/inquire", String::new());
    assert_eq!(answer(&ninepay, &stranger).status, 401);
}
