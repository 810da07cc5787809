//! Replies name a payment as its notice does, and list movements one by one where there are several.

use aws_lc_rs::hmac;

use super::adapter;
use crate::contract::{Credentials, Flow, Observation, Rejection, Reply, Status, Transfer, Vnd};

fn read(
    name: &str,
    secrets: &[(&str, &str)],
    status: u16,
    body: &str,
) -> Result<Observation, Rejection> {
    let credentials: Credentials = secrets.iter().copied().collect();
    let reply = Reply {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    let read = adapter(name).read_reply(Flow::Query, &reply, &credentials)?;
    Ok(read.into_inner())
}

const KEY: &str = "0123456789abcdef";

/// A payOS reply with the signature over these texts of its members.
fn payos(data: &str, signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let signature = hex::encode(hmac::sign(&key, signed.as_bytes()));
    format!(r#"{{"code":"00","desc":"success","data":{data},"signature":"{signature}"}}"#)
}

#[test]
fn transfers_of_a_link_bear_the_references_of_their_webhooks() {
    let data = r#"{"id":"l1","orderCode":7,"amount":300000,"amountPaid":300000,"status":"PAID","transactions":[
        {"reference":"FT1","amount":100000,"transactionDateTime":"2026-09-05 10:15:30","description":"học phí 🎒"},
        {"reference":"FT2","amount":200000,"transactionDateTime":"x","description":null}]}"#;
    let signed = "amount=300000&amountPaid=300000&id=l1&orderCode=7&status=PAID&transactions=[\
        {\"amount\":100000,\"description\":\"học phí 🎒\",\"reference\":\"FT1\",\"transactionDateTime\":\"2026-09-05 10:15:30\"},\
        {\"amount\":200000,\"description\":null,\"reference\":\"FT2\",\"transactionDateTime\":\"x\"}]";
    let secrets = [("client_id", "c"), ("api_key", "a"), ("checksum_key", KEY)];
    let told = read("payos", &secrets, 200, &payos(data, signed)).unwrap();
    assert_eq!(told.status, Status::Paid);
    assert_eq!(told.transaction_id, None, "no single one is the payment");
    let transfer = |id: &str, amount, at, memo: Option<&str>| Transfer {
        transaction_id: id.to_owned(),
        amount: Vnd::new(amount),
        currency: "VND".to_owned(),
        occurred_at_unix: at,
        memo: memo.map(str::to_owned),
    };
    assert_eq!(
        told.transfers,
        [
            transfer("FT1", 100_000, Some(1_788_578_130), Some("học phí 🎒")),
            transfer("FT2", 200_000, None, None),
        ]
    );
    let other = payos(data, signed).replace("FT2", "FT3");
    assert!(read("payos", &secrets, 200, &other).is_err());
    let open =
        r#"{"orderCode":7,"amount":300000,"amountPaid":0,"status":"PENDING","transactions":[]}"#;
    let signed = "amount=300000&amountPaid=0&orderCode=7&status=PENDING&transactions=[]";
    let told = read("payos", &secrets, 200, &payos(open, signed)).unwrap();
    assert_eq!((told.status, told.transfers), (Status::Pending, Vec::new()));
}

#[test]
fn only_payments_that_happened_are_movements_and_half_a_list_is_no_answer() {
    let secrets = [("merchant_id", "m"), ("secret_key", "s")];
    let order = |transactions: &str| {
        format!(
            r#"{{"data":{{"order_invoice_number":"A1","order_status":"CAPTURED","order_amount":"1250000.00","transactions":{transactions}}}}}"#
        )
    };
    let paid = r#"{"transaction_id":"tx-1","transaction_type":"PAYMENT","transaction_status":"APPROVED","transaction_amount":"1250000"}"#;
    let void = r#"{"transaction_id":"tx-2","transaction_type":"VOID","transaction_status":"APPROVED","transaction_amount":"1250000"}"#;
    let told = read(
        "sepay_pg",
        &secrets,
        200,
        &order(&format!("[{paid},{void}]")),
    )
    .unwrap();
    assert_eq!(told.transaction_id.as_deref(), Some("tx-1"));
    assert_eq!(told.transfers.len(), 1);
    for nothing in ["[]", "null", "\"x\""] {
        let told = read("sepay_pg", &secrets, 200, &order(nothing)).unwrap();
        assert_eq!(
            (told.transaction_id, told.transfers),
            (None, Vec::new()),
            "{nothing}"
        );
    }
    for broken in [
        paid.replace("1250000", "1e6"),
        paid.replace("\"tx-1\"", "null"),
        "7".to_owned(),
    ] {
        let list = order(&format!("[{paid},{broken}]"));
        assert!(read("sepay_pg", &secrets, 200, &list).is_err(), "{broken}");
    }
    let told = read("sepay_pg", &secrets, 404, "{}").unwrap();
    assert_eq!(told.transfers, []);
}

#[test]
fn a_question_names_the_transaction_that_the_notice_named() {
    let secrets = [("token_key", "t"), ("checksum_key", KEY)];
    let body = r#"{"code":"000","transactionCode":"ALE42","orderCode":"A1","amount":50000.0,"currency":"VND","status":"000"}"#;
    let told = read("alepay", &secrets, 200, body).unwrap();
    let signed = "amount=50000.0&currency=VND&orderCode=A1&status=000&transactionCode=ALE42";
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let signature = hex::encode(hmac::sign(&key, signed.as_bytes()));
    let notice = crate::contract::Inbound {
        method: "POST".to_owned(),
        body: format!(
            r#"{{"transactionCode":"ALE42","orderCode":"A1","amount":50000.0,"currency":"VND","status":"000","signature":"{signature}"}}"#
        )
        .into_bytes(),
        ..crate::contract::Inbound::default()
    };
    let credentials: Credentials = secrets.into_iter().collect();
    let notice = super::one(adapter("alepay").read_notice(Flow::Ipn, &notice, &credentials));
    assert_eq!(told.transaction_id, notice.unwrap().transaction_id);
    assert_eq!(told.transaction_id.as_deref(), Some("ALE42"));
    assert_eq!(told.status, Status::Paid);
}
