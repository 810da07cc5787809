use super::*;
use crate::vectors;

const FILE: &str = include_str!("../testdata/bank_bidv.json");

#[test]
fn checksums_of_both_contracts_fit() {
    let mut seen = 0;
    for vector in vectors::read(FILE, "") {
        let contract = if vector.name.starts_with("md5") {
            Contract::Md5Concat
        } else {
            Contract::Sha256Pipes
        };
        let service = vector.secret("service_id");
        let bank = Bidv::new(contract, &service, &vector.secret("secret"), 1);
        let body = vector.request().json().unwrap();
        let ours = if vector.flow == "bill_inquiry" {
            bank.checksum(&[&service, &plain(&body["customer_id"])])
        } else {
            bank.payment_checksum(&body)
        };
        assert_eq!(
            vector.expected("signature"),
            Some(ours.clone()),
            "{}",
            vector.name
        );
        assert_eq!(
            plain(&body["checksum"]) == ours,
            vector.valid(),
            "{}",
            vector.name
        );
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn the_bank_asks_for_a_bill_and_pays_it() {
    let bank = Bidv::invented(Contract::Md5Concat);
    let mut event = Event::paid("HP000042", 1_250_000, 42, 1_788_578_130);
    let asked = bank.prelude(&event).unwrap();
    assert_eq!(asked.path, "/getbill");
    let none = RawResponse::json(&json!({"result_code": "012", "result_desc": ""}));
    assert_eq!(
        bank.read_prelude(&mut event, &none),
        Err(PreludeError::Refused("012".to_owned()))
    );
    let bills = RawResponse::json(&json!({
        "result_code": "000", "customer_id": "HP000042", "customer_name": "TRAN THI B",
        "data": [{"bill_id": "B1", "amount": "1250000"}],
    }));
    bank.read_prelude(&mut event, &bills).unwrap();
    let paid = bank.notice(&event).json().unwrap();
    assert_eq!(
        (&paid["bill_id"], &paid["amount"]),
        (&json!("B1"), &json!("1250000"))
    );
    for (code, reading) in [
        ("000", Reading::Done),
        ("023", Reading::Done),
        ("022", Reading::Stopped),
        ("031", Reading::Again),
    ] {
        assert_eq!(
            bank.reading(&RawResponse::json(&json!({"result_code": code}))),
            reading
        );
    }
}
