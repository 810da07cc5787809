use super::*;
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/casso.json");

#[test]
fn the_published_call_and_others_fit() {
    let header = Field::new(Place::HeaderPart, "x-casso-signature/t");
    let proof = Field::new(Place::HeaderPart, "x-casso-signature/v1");
    let mut seen = 0;
    for vector in vectors::read(FILE, "webhook") {
        let request = vector.request();
        let Some(stamp) = header.read(&request) else {
            assert!(!vector.valid(), "{}", vector.name);
            continue;
        };
        let casso = Casso::new(Version::V2, "", &vector.secret("checksum_key"), 1);
        let body = request.json().unwrap();
        let text = format!("{stamp}.{}", canonical(&body));
        assert_eq!(
            vector.expected("canonical_string"),
            Some(text),
            "{}",
            vector.name
        );
        let fits = proof.read(&request) == Some(casso.sign(&stamp, &body));
        assert_eq!(fits, vector.valid(), "{}", vector.name);
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn both_versions_have_the_members_of_the_documented_calls() {
    let event = Event::paid("HP000042", 1_000, 1, NOW);
    for (version, flow, part) in [
        (Version::V1, "webhook_v1", "/data/0"),
        (Version::V2, "webhook", "/data"),
    ] {
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
        let ours = Casso::invented(version).notice(&event);
        assert_eq!(names(&ours), names(&vectors::read(FILE, flow)[0].request()));
    }
}

#[test]
fn a_batch_holds_several_movements_and_money_out_is_negative() {
    let casso = Casso::invented(Version::V1);
    let events = [
        Event::paid("HP000042", 1_000, 1, NOW),
        Event::paid("HP000043", 2_000, 2, NOW).ending(Outcome::Outgoing),
    ];
    let body = casso.batch(&events).unwrap().json().unwrap();
    let amounts: Vec<i64> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["amount"].as_i64().unwrap())
        .collect();
    assert_eq!(amounts, [1_000, -2_000]);
}

#[test]
fn movements_are_listed_to_who_has_the_key() {
    let casso = Casso::invented(Version::V2);
    casso
        .book()
        .happened(&Event::paid("HP000042", 1_000, 1, NOW));
    let request = RawRequest::get("/v2/transactions", String::new());
    assert_eq!(casso.list(&request).status, 401);
    let request = request.with_header("authorization", "Apikey sbx-casso-token");
    let list = casso.list(&request).read_json().unwrap();
    assert_eq!(list["data"]["records"][0]["amount"], 1_000);
}
