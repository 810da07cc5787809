//! What each provider is told for each outcome, as its section of the reference prescribes.

use super::adapter;
use crate::contract::{Ack, Credentials, Flow, Inbound, Outcome, Received};

fn answer(name: &str, flow: Flow, outcome: Outcome, body: &str) -> Ack {
    let inbound = Inbound {
        body: body.as_bytes().to_vec(),
        ..Inbound::default()
    };
    let credentials = Credentials::default();
    let received = Received {
        flow,
        inbound: &inbound,
        credentials: &credentials,
        our_reference: Some("PAY-1"),
    };
    adapter(name).acknowledge(outcome, &received)
}

/// Status and a part of the body; `=` before the text asks for exactly that.
type Row = (Outcome, u16, &'static str);

const fn row(outcome: Outcome, status: u16, text: &'static str) -> Row {
    (outcome, status, text)
}

#[test]
fn every_outcome_has_the_providers_own_words() {
    use Outcome::{Accepted, AmountDiffers, NotAuthentic, Repeated, Temporary, UnknownOrder};
    let codes = |flow: Flow, words: [(u16, &'static str); 6]| {
        let outcomes = [
            Accepted,
            Repeated,
            UnknownOrder,
            AmountDiffers,
            NotAuthentic,
            Temporary,
        ];
        let rows: Vec<Row> = outcomes
            .into_iter()
            .zip(words)
            .map(|(outcome, (status, text))| row(outcome, status, text))
            .collect();
        (flow, rows)
    };
    let ok = "\"success\":true";
    let no = "\"success\":false";
    let table = [
        (
            "vnpay",
            codes(
                Flow::Ipn,
                [
                    (200, "\"RspCode\":\"00\""),
                    (200, "\"RspCode\":\"02\""),
                    (200, "\"RspCode\":\"01\""),
                    (200, "\"RspCode\":\"04\""),
                    (200, "\"RspCode\":\"97\""),
                    (200, "\"RspCode\":\"99\""),
                ],
            ),
        ),
        (
            "momo",
            codes(
                Flow::Ipn,
                [
                    (204, "="),
                    (204, "="),
                    (204, "="),
                    (204, "="),
                    (400, "="),
                    (503, "="),
                ],
            ),
        ),
        (
            "zalopay",
            codes(
                Flow::Ipn,
                [
                    (200, "\"return_code\":1,"),
                    (200, "\"return_code\":2,"),
                    (200, "\"return_code\":-1,"),
                    (200, "\"return_code\":-1,"),
                    (200, "\"return_code\":-1,"),
                    (200, "\"return_code\":0,"),
                ],
            ),
        ),
        (
            "payos",
            codes(
                Flow::Webhook,
                [
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (400, no),
                    (503, no),
                ],
            ),
        ),
        (
            "sepay",
            codes(
                Flow::Webhook,
                [
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (401, no),
                    (503, no),
                ],
            ),
        ),
        (
            "sepay_pg",
            codes(
                Flow::Ipn,
                [
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (401, no),
                    (503, no),
                ],
            ),
        ),
        (
            "casso",
            codes(
                Flow::Webhook,
                [
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (401, no),
                    (503, no),
                ],
            ),
        ),
        (
            "onepay",
            codes(
                Flow::Ipn,
                [
                    (200, "=responsecode=1&desc=confirm-success"),
                    (200, "=responsecode=1&desc=confirm-success"),
                    (200, "=responsecode=0&desc=confirm-fail"),
                    (200, "=responsecode=0&desc=confirm-fail"),
                    (200, "=responsecode=0&desc=confirm-fail"),
                    (503, "=responsecode=0&desc=confirm-fail"),
                ],
            ),
        ),
        (
            "ninepay",
            codes(
                Flow::Ipn,
                [
                    (200, ""),
                    (200, ""),
                    (200, ""),
                    (200, ""),
                    (400, ""),
                    (503, ""),
                ],
            ),
        ),
        (
            "alepay",
            codes(
                Flow::Ipn,
                [
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (400, no),
                    (503, no),
                ],
            ),
        ),
        (
            "vietqr_callback",
            codes(
                Flow::Webhook,
                [
                    (
                        200,
                        "\"errorReason\":\"000\",\"toastMessage\":\"Success\",\"object\":{\"reftransactionid\":\"PAY-1\"}",
                    ),
                    (200, "\"error\":false"),
                    (200, "\"error\":false"),
                    (200, "\"error\":false"),
                    (401, "\"error\":true"),
                    (503, "\"object\":null"),
                ],
            ),
        ),
        (
            "bank_bidv",
            codes(
                Flow::BillPayment,
                [
                    (200, "\"000\""),
                    (200, "\"023\""),
                    (200, "\"021\""),
                    (200, "\"022\""),
                    (200, "\"004\""),
                    (200, "\"031\""),
                ],
            ),
        ),
        (
            "bank_bidv",
            codes(
                Flow::BillInquiry,
                [
                    (200, "\"000\""),
                    (200, "\"023\""),
                    (200, "\"011\""),
                    (200, "\"022\""),
                    (200, "\"004\""),
                    (200, "\"031\""),
                ],
            ),
        ),
        (
            "bank_vietinbank",
            codes(
                Flow::Notify,
                [
                    (200, "\"errorCode\":\"00\""),
                    (200, "\"errorCode\":\"05\""),
                    (200, "\"errorCode\":\"02\""),
                    (200, "\"errorCode\":\"03\""),
                    (200, "\"errorCode\":\"01\""),
                    (200, "\"errorCode\":\"99\""),
                ],
            ),
        ),
        (
            "bank_webhook",
            codes(
                Flow::Webhook,
                [
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (200, ok),
                    (401, no),
                    (503, no),
                ],
            ),
        ),
    ];
    for (name, (flow, rows)) in table {
        for (outcome, status, text) in rows {
            let ack = answer(name, flow, outcome, "{\"transId\":\"T\\\"1\"}");
            let body = String::from_utf8(ack.body).expect("text");
            assert_eq!(ack.status, status, "{name} {outcome:?}");
            match text.strip_prefix('=') {
                Some(exact) => assert_eq!(body, exact, "{name} {outcome:?}"),
                None => assert!(body.contains(text), "{name} {outcome:?}: {body}"),
            }
            let json = ack.content_type.as_deref() == Some("application/json");
            assert!(
                !json || serde_json::from_str::<serde_json::Value>(&body).is_ok(),
                "{name} {outcome:?}: {body}"
            );
        }
    }
}
