use super::*;
use crate::peer::{Fault, Reply};
use crate::vectors;

const NOW: i64 = 1_795_538_645;

#[test]
fn the_signature_covers_timestamp_and_body() {
    // printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac secret
    let expected = include_str!("../testdata/sepay-hmac.txt").trim();
    assert_eq!(Feed::sign("secret", 1_700_000_000, "{\"id\":1}"), expected);
    let mut signed = 0;
    for vector in vectors::read(include_str!("../testdata/sepay.json"), "webhook") {
        let request = vector.request();
        let Some(given) = request.header("x-sepay-signature") else {
            continue;
        };
        signed += 1;
        let stamp = request
            .header("x-sepay-timestamp")
            .unwrap()
            .parse()
            .unwrap();
        let body = String::from_utf8(request.body.clone()).unwrap();
        let ours = Feed::sign(&vector.secret("hmac_secret"), stamp, &body);
        let fits = given == format!("sha256={ours}");
        assert_eq!(fits, vector.name != "hmac-tampered", "{}", vector.name);
    }
    assert_eq!(signed, 3);
}

#[test]
fn the_feed_recognises_only_whole_codes() {
    let feed = Feed::new("1", "MBBank", Key::hmac(), ("HPZ", 10), 1);
    let code = |content| feed.recognised(content);
    assert_eq!(
        code("CT nhanh den: HPZ37MTFCKQPG 2A"),
        Some("HPZ37MTFCKQPG")
    );
    assert_eq!(code("MBVCB.123.HPZ37M TFCKQPG"), None);
    assert_eq!(code("HPZ nop HPZ37MTFCKQPG"), Some("HPZ37MTFCKQPG"));
    assert_eq!(code("HPZ37"), None);
}

#[test]
fn a_webhook_has_the_members_of_the_documented_one() {
    let feed = Feed::invented(Key::api_key());
    let ours = feed.notice(&Event::paid("HP000042", 1_250_000, 1, NOW));
    for vector in vectors::read(include_str!("../testdata/sepay.json"), "webhook") {
        let theirs = vector.request();
        let names = |request: &RawRequest| -> Vec<String> {
            request
                .json()
                .unwrap()
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(names(&ours), names(&theirs), "{}", vector.name);
    }
}

#[test]
fn movements_are_listed_the_newest_first_to_who_has_the_token() {
    let feed = Feed::invented(Key::api_key());
    for number in 1..=4 {
        feed.book()
            .happened(&Event::paid("HP000042", 5_000, number, NOW + number * 60));
    }
    let ask = |token: &str, query: &str| {
        let request = RawRequest::get("/userapi/transactions/list", query.to_owned())
            .with_header("authorization", format!("Bearer {token}"));
        match feed.handle(&request, "", NOW).reply {
            Reply::Answer(answer) => answer,
            Reply::Silence => panic!("silence"),
        }
    };
    let ids = |query: &str| -> Vec<String> {
        let list = ask("sandbox-sepay-api-token", query).read_json().unwrap();
        let rows = list["transactions"].as_array().unwrap().clone();
        assert!(rows.iter().all(|row| row["amount_in"] == "5000.00"));
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(""), ["4", "3", "2", "1"]);
    assert_eq!(ids("since_id=2&limit=2"), ["4", "3"]);
    let third = forms::encode(&moment::spaced(NOW + 180));
    assert_eq!(
        ids(&format!("transaction_date_max={third}")),
        ["3", "2", "1"]
    );
    assert_eq!(ids(&format!("transaction_date_min={third}")), ["4", "3"]);
    for stranger in ["wrong", "sandbox-sepay-api-key"] {
        let answer = ask(stranger, "");
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
}

#[test]
fn a_stamp_belongs_to_its_delivery() {
    let feed = Feed::invented(Key::hmac());
    let event = Event::paid("HP000042", 5_000, 7, NOW);
    let (first, later) = (
        feed.notice(&event),
        feed.notice(&event.clone().sent_at(NOW + 60)),
    );
    assert_eq!(first.body, later.body);
    assert_ne!(first.headers, later.headers);
    let stamp = Field::new(Place::Header, "x-sepay-timestamp");
    assert_ne!(Fault::Tampered(stamp).apply(&first), first);
}
