use super::*;
use crate::forms;
use crate::peer::{RefundFate, Reply};
use crate::vectors;

const NOW: i64 = 1_795_538_645;

#[test]
fn real_returns_demo_requests_and_signed_ipns_fit() {
    let vectors = vectors::read(include_str!("../testdata/onepay.json"), "");
    assert!(vectors.len() >= 15);
    for vector in vectors {
        let pairs = vector.request().query_pairs().unwrap();
        let onepay = OnePay::new("", "", &vector.secret("hash_code_hex"), 1);
        assert_eq!(
            vector.expected("canonical_string"),
            Some(canonical(&pairs)),
            "{}",
            vector.name
        );
        let ours = onepay.sign(&pairs);
        assert_eq!(
            vector.expected("signature"),
            Some(ours.clone()),
            "{}",
            vector.name
        );
        let given = forms::value(&pairs, "vpc_SecureHash");
        let fits = given.is_some_and(|given| given.eq_ignore_ascii_case(&ours));
        assert_eq!(fits, vector.valid(), "{}", vector.name);
    }
}

fn signed(onepay: &OnePay, fields: &[(&str, &str)]) -> String {
    let mut pairs: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let signature = onepay.sign(&pairs);
    pairs.push(("vpc_SecureHash".to_owned(), signature));
    forms::join(
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    )
}

fn answer(onepay: &OnePay, request: &RawRequest) -> RawResponse {
    match onepay.handle(request, "http://peer", NOW).reply {
        Reply::Answer(answer) => answer,
        Reply::Silence => panic!("silence"),
    }
}

#[test]
fn an_order_is_paid_asked_about_and_refunded() {
    let onepay = OnePay::invented();
    let pay = |amount: &str| {
        let query = signed(
            &onepay,
            &[
                ("vpc_Version", "2"),
                ("vpc_Command", "pay"),
                ("vpc_AccessCode", "00SBX001"),
                ("vpc_Merchant", "SBXONEPAY"),
                ("vpc_Locale", "vn"),
                ("vpc_ReturnURL", "http://127.0.0.1/back"),
                ("vpc_MerchTxnRef", "A1"),
                ("vpc_OrderInfo", "Hoc phi"),
                ("vpc_Amount", amount),
                ("vpc_TicketNo", "127.0.0.1"),
                ("vpc_Currency", "VND"),
                ("Title", "Học phí"),
            ],
        );
        answer(&onepay, &RawRequest::get("/paygate/vpcpay.op", query))
    };
    assert_eq!(pay("5000050").status, 400);
    assert_eq!(
        pay("5000000").header("location"),
        Some("http://peer/page/pay?order=A1")
    );
    let call = |path: &str, change: &[(&str, &str)]| {
        let mut fields = vec![
            ("vpc_Version", "2"),
            ("vpc_AccessCode", "00SBX001"),
            ("vpc_Merchant", "SBXONEPAY"),
            ("vpc_User", "sbx-op-user"),
            ("vpc_Password", "sbx-op-password"),
        ];
        fields.extend(change);
        let body = signed(&onepay, &fields);
        let request = RawRequest::post(path, "application/x-www-form-urlencoded", body);
        let body = String::from_utf8(answer(&onepay, &request).body).unwrap();
        let pairs = forms::pairs(&body).unwrap();
        assert_eq!(
            forms::value(&pairs, "vpc_SecureHash"),
            Some(onepay.sign(&pairs).as_str())
        );
        move |name: &str| forms::value(&pairs, name).unwrap_or("").to_owned()
    };
    let query = |reference: &str| {
        call(
            "/msp/api/v1/vpc/invoices/queries",
            &[("vpc_Command", "queryDR"), ("vpc_MerchTxnRef", reference)],
        )
    };
    assert_eq!(query("A1")("vpc_TxnResponseCode"), "100");
    assert_eq!(query("A9")("vpc_DRExists"), "N");
    let press = [("order", "A1".to_owned()), ("result", "paid".to_owned())];
    let served = onepay.handle(
        &RawRequest::post_form("/page/pay", &press),
        "http://peer",
        NOW,
    );
    assert_eq!(served.notices.len(), 1);
    assert_eq!(query("A1")("vpc_TxnResponseCode"), "0");
    onepay.book().levers().refunds = RefundFate::DoneAfter(1);
    let refund = |id: &str, amount: &str| {
        call(
            "/msp/api/v1/vpc/refunds",
            &[
                ("vpc_Command", "refund"),
                ("vpc_MerchTxnRef", id),
                ("vpc_OrgMerchTxnRef", "A1"),
                ("vpc_Amount", amount),
            ],
        )
    };
    assert_eq!(refund("R1", "2000000")("vpc_TxnResponseCode"), "300");
    assert_eq!(refund("R1", "2000000")("vpc_TxnResponseCode"), "2");
    assert_eq!(refund("R2", "3000100")("vpc_TxnResponseCode"), "5");
    assert_eq!(query("R1")("vpc_TxnResponseCode"), "0");
    let stranger = RawRequest::post(
        "/msp/api/v1/vpc/refunds",
        "application/x-www-form-urlencoded",
        "a=b",
    );
    let body = String::from_utf8(answer(&onepay, &stranger).body).unwrap();
    assert!(body.starts_with("vpc_TxnResponseCode=7&"), "{body}");
}
