//! The verifier as programs call it.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hocphi::clock::Clock;
use hocphi::invoices::api::routes;
use hocphi::invoices::document::Form;
use serde_json::Value;
use tower::ServiceExt;

use super::books::start;
use super::samples::signed;

async fn ask(router: &axum::Router, address: &str, body: Vec<u8>) -> (StatusCode, String, Value) {
    let request = Request::post(address).body(Body::from(body)).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let bytes = to_bytes(response.into_body(), 10_000_000).await.unwrap();
    (status, kind, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_file_is_answered_with_its_findings_and_misuse_with_a_problem() {
    let router = routes(Clock::settable(start()));
    let good = signed(Form::Vat);
    let (status, kind, report) = ask(&router, "/api/invoices/verify", good.clone()).await;
    assert_eq!(
        (status, kind.as_str()),
        (StatusCode::OK, "application/json")
    );
    assert_eq!(report["valid"], true, "{report}");
    let changed = String::from_utf8(good.clone())
        .unwrap()
        .replacen("HS000123", "HS000124", 1);
    let (_, _, report) = ask(
        &router,
        "/api/invoices/verify?rules=2.1.0",
        changed.into_bytes(),
    )
    .await;
    assert_eq!(report["valid"], false);
    let finding = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["rule"] == "signature.invalid")
        .unwrap();
    assert_eq!(finding["rule_set"], "2.1.0");
    for field in ["severity", "place", "vi", "en"] {
        assert!(finding[field].as_str().is_some_and(|text| !text.is_empty()));
    }
    let (status, kind, problem) = ask(&router, "/api/invoices/verify?rules=9", good).await;
    assert_eq!(
        (status, kind.as_str()),
        (StatusCode::BAD_REQUEST, "application/problem+json")
    );
    assert_eq!(problem["code"], "UNKNOWN_RULES");
    let (status, _, problem) = ask(&router, "/api/invoices/verify", vec![b' '; 6_000_000]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem["code"], "FILE_TOO_LARGE");
    let mut refused = None;
    for _ in 0..40 {
        let (status, _, problem) = ask(&router, "/api/invoices/verify", b"<a/>".to_vec()).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(problem);
            break;
        }
    }
    assert_eq!(refused.unwrap()["code"], "TOO_MANY_REQUESTS");
}
