//! The mutation corpus, as the command runs it.

use serde_json::Value;

use crate::program::{hocphi, run};

#[tokio::test]
async fn every_rule_is_silent_on_a_good_document_and_speaks_for_its_mutation() {
    let said = run(hocphi(["invoice", "corpus", "--json"])).await;
    let answer: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let wrong: Vec<&Value> = answer["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["held"] != true)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let accepted: Vec<&Value> = answer["attacks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|attack| attack["refused"] != true)
        .collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
    assert_eq!(
        answer["incomplete"],
        serde_json::json!([]),
        "rules without both kinds"
    );
    assert_eq!(answer["killed"], answer["mutations"]);
    assert!(answer["mutations"].as_u64().unwrap() >= answer["rules"].as_u64().unwrap());
    assert_eq!(said.code, Some(0));
}
