//! Every peer over HTTP against a gateway that answers as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::peer::{
    self, ApiFault, Event, Fault, NoticeLever, Outcome, RawRequest, RawResponse, Reading,
    RefundFate,
};
use crate::{Config, Peer, Pki, Sandbox, Station, TellError, station};

const NOW: i64 = 1_795_538_645;

type Rule = Arc<dyn Fn(&RawRequest) -> RawResponse + Send + Sync>;

/// A gateway that keeps what it was told.
#[derive(Clone)]
struct Gateway {
    rule: Arc<Mutex<Rule>>,
    calls: Arc<Mutex<Vec<RawRequest>>>,
}

async fn hear(State(gateway): State<Gateway>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let request = station::read(request, &path).await.unwrap();
    let rule = gateway.rule.lock().unwrap().clone();
    let answer = rule(&request);
    gateway.calls.lock().unwrap().push(request);
    answer.into_response()
}

impl Gateway {
    fn answers(&self, rule: impl Fn(&RawRequest) -> RawResponse + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Arc::new(rule);
        self.calls.lock().unwrap().clear();
    }

    fn calls(&self) -> Vec<RawRequest> {
        self.calls.lock().unwrap().clone()
    }
}

async fn scene() -> (Sandbox, Gateway, String) {
    let gateway = Gateway {
        rule: Arc::new(Mutex::new(Arc::new(|_: &RawRequest| {
            RawResponse::text(500, "")
        }))),
        calls: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(hear).with_state(gateway.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let mut config = Config::new(Arc::new(|| NOW), 1, Arc::new(Pki::new(NOW).unwrap()));
    config.second = Duration::from_micros(5);
    (Sandbox::start(config).await.unwrap(), gateway, address)
}

/// What a gateway that has everything says to a notice and to the call before it.
fn content(peer: &dyn Peer, request: &RawRequest) -> RawResponse {
    let json = |value: Value| RawResponse::json(&value);
    match (peer.provider(), request.path.rsplit('/').next()) {
        ("vnpay", _) => json(json!({"RspCode": "00"})),
        ("momo", _) => RawResponse {
            status: 204,
            headers: Vec::new(),
            body: Vec::new(),
        },
        ("zalopay", _) => json(json!({"return_code": 1})),
        ("onepay", _) => RawResponse::text(200, "responsecode=1&desc=confirm-success"),
        ("vietqr_callback", Some("token_generate")) => {
            json(json!({"access_token": "t", "token_type": "Bearer", "expires_in": 59}))
        }
        ("vietqr_callback", _) => json(json!({
            "error": false, "errorReason": "000", "toastMessage": "", "object": {"reftransactionid": "r"},
        })),
        ("bank_bidv", _) => json(json!({
            "result_code": "000", "customer_id": "HP000042", "customer_name": "B",
            "data": [{"bill_id": "B1", "amount": "1250000"}],
        })),
        ("bank_vietinbank", _) => json(signed_by_us(peer, "00")),
        _ => json(json!({"success": true})),
    }
}

fn signed_by_us(peer: &dyn Peer, code: &str) -> Value {
    let credentials = peer.credentials();
    let (_, pem) = credentials
        .iter()
        .find(|(name, _)| *name == "our_private_key_pem")
        .unwrap();
    let der: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let key = RsaKeyPair::from_pkcs8(&BASE64.decode(der).unwrap()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    let text = format!("T1{code}ok");
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .unwrap();
    json!({
        "transId": "T1", "providerId": "SBXPROV", "errorCode": code, "errorDesc": "ok",
        "signature": BASE64.encode(signature),
    })
}

fn event(peer: &dyn Peer) -> Event {
    Event::paid(
        &peer.reference(42, NOW),
        1_250_000,
        peer.book().next_number(),
        NOW,
    )
}

#[tokio::test]
async fn every_peer_tells_once_what_is_answered_well_and_repeats_by_its_own_schedule() {
    let (sandbox, gateway, address) = scene().await;
    for (index, peer) in peer::all().into_iter().enumerate() {
        let name = peer.name();
        let station = sandbox.open(name, peer.clone(), &format!("{address}/notices/{index}"));
        let listener = peer.clone();
        gateway.answers(move |request| content(&*listener, request));
        let event = event(&*peer);
        let answers = station.tell(&event).await.unwrap();
        assert_eq!(answers.len(), 1, "{name}: {answers:?}");
        assert!(answers[0].acknowledged, "{name}");
        let prelude = usize::from(peer.abilities().prelude);
        let calls = gateway.calls();
        assert_eq!(calls.len(), 1 + prelude, "{name}");
        assert!(
            calls
                .iter()
                .all(|call| call.path.starts_with(&format!("/notices/{index}")))
        );
        let notice = station.notice(&event);
        let copies = sandbox.deliver_together(&notice, 20).await;
        assert!(copies.iter().all(|answer| answer.acknowledged), "{name}");
        assert!(sandbox.forged_acknowledged().is_empty(), "{name}");

        // Our own trouble after the prelude: told again as long as the provider does.
        let listener = peer.clone();
        gateway.answers(move |request| {
            let first = listener.prelude(&Event::paid("HP000042", 1, 1, NOW));
            if first.is_some_and(|first| request.path.ends_with(&first.path)) {
                content(&*listener, request)
            } else {
                RawResponse::text(503, "")
            }
        });
        let answers = station.tell(&event).await.unwrap();
        let expected = match peer.reading(&RawResponse::text(503, "")) {
            Reading::Again => 1 + peer.schedule().waits.len(),
            Reading::Done | Reading::Stopped => 1,
        };
        assert_eq!(answers.len(), expected, "{name}");
        assert!(answers.iter().all(|answer| !answer.acknowledged), "{name}");
    }
    let told = sandbox.acknowledged();
    assert_eq!(
        told.len(),
        peer::all().len(),
        "one movement each, however often it was told"
    );
}

#[tokio::test]
async fn what_is_spoiled_and_acknowledged_all_the_same_is_held_against_the_gateway() {
    let (sandbox, gateway, address) = scene().await;
    let peer = peer::of("momo").remove(0);
    let station = sandbox.open("momo", peer.clone(), &address);
    let listener = peer.clone();
    gateway.answers(move |request| content(&*listener, request));
    let notice = station.notice(&event(&*peer));
    let faults = peer::faults(&*peer, notice.message());
    let broken: Vec<&Fault> = faults
        .iter()
        .filter(|fault| fault.must_be_refused())
        .collect();
    for fault in &broken {
        sandbox.deliver(&notice.with_fault(fault)).await;
    }
    assert_eq!(sandbox.forged_acknowledged().len(), broken.len());
    assert!(broken.len() > 15, "{}", broken.len());
    assert!(sandbox.acknowledged().is_empty());
}

#[tokio::test]
async fn a_bank_stops_where_its_inquiry_is_not_answered() {
    let (sandbox, gateway, address) = scene().await;
    for provider in ["bank_bidv", "bank_vietinbank", "vietqr_callback"] {
        let peer = peer::of(provider).remove(0);
        let station = sandbox.open(provider, peer.clone(), &address);
        gateway.answers(|_| RawResponse::text(500, ""));
        let told = station.tell(&event(&*peer)).await;
        assert!(matches!(told, Err(TellError::Prelude(_))), "{provider}");
        assert_eq!(gateway.calls().len(), 1, "{provider}");
    }
}

/// MoMo with one order made over HTTP.
async fn order_at_momo(sandbox: &Sandbox, address: &str) -> (Arc<Station>, String) {
    let peer = Arc::new(crate::momo::Momo::invented());
    let station = sandbox.open("momo", peer.clone(), "");
    let body = peer.signed_call(
        "create",
        json!({
            "partnerCode": "MOMOSBX01", "requestId": "rq1", "amount": 50_000, "orderId": "A1",
            "orderInfo": "Hoc phi", "redirectUrl": format!("{address}/back"),
            "ipnUrl": format!("{address}/ipn"), "requestType": "captureWallet", "extraData": "",
        }),
    );
    let made = post(
        &format!("{}/v2/gateway/api/create", station.base_url()),
        &body,
    )
    .await
    .unwrap();
    assert_eq!(made["resultCode"], 0, "{made}");
    let handle = peer.book().order("A1").unwrap().handle;
    (station, handle)
}

async fn post(url: &str, body: &Value) -> Result<Value, reqwest::Error> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_millis(800))
        .build()?;
    client.post(url).json(body).send().await?.json().await
}

#[tokio::test]
async fn levers_change_what_a_payment_page_sets_off() {
    let (sandbox, gateway, address) = scene().await;
    let cases = [
        (vec![], vec![0]),
        (vec![NoticeLever::Dropped], vec![]),
        (vec![NoticeLever::Together(4)], vec![0, 0, 0, 0]),
        (vec![NoticeLever::Late(Duration::from_millis(20))], vec![0]),
        (vec![NoticeLever::FailedThenPaid], vec![1001, 0]),
        (vec![NoticeLever::PaidThenFailed], vec![0, 1001]),
        (vec![NoticeLever::Twice], vec![0, 0]),
        (
            vec![NoticeLever::Twice, NoticeLever::OtherAmount(7_000)],
            vec![0, 0],
        ),
    ];
    for (levers, expected) in cases {
        let (station, handle) = order_at_momo(&sandbox, &address).await;
        gateway.answers(|_| RawResponse {
            status: 204,
            headers: Vec::new(),
            body: Vec::new(),
        });
        station.peer().book().levers().notices.clone_from(&levers);
        let back = station.press(&handle, Outcome::Paid).await.unwrap();
        assert!(
            back.starts_with(&format!("{address}/back?partnerCode=")),
            "{back}"
        );
        let calls = gateway.calls();
        let codes: Vec<i64> = calls
            .iter()
            .map(|call| call.json().unwrap()["resultCode"].as_i64().unwrap())
            .collect();
        assert_eq!(codes, expected, "{levers:?}");
        if levers.contains(&NoticeLever::Twice) {
            let number = |call: &RawRequest| call.json().unwrap()["transId"].as_i64();
            assert_ne!(number(&calls[0]), number(&calls[1]));
            let order = station.peer().book().order("A1").unwrap();
            assert_eq!(order.transactions.len(), 2);
        }
        assert!(
            station.press(&handle, Outcome::Paid).await.is_err(),
            "an order ends once"
        );
    }
}

#[tokio::test]
async fn an_answer_is_lost_though_the_refund_was_made() {
    let (sandbox, gateway, address) = scene().await;
    gateway.answers(|_| RawResponse::text(204, ""));
    let (station, handle) = order_at_momo(&sandbox, &address).await;
    station.press(&handle, Outcome::Paid).await.unwrap();
    let momo = crate::momo::Momo::invented();
    let book = station.peer().book();
    let number = book.order("A1").unwrap().transactions[0].number;
    let refund = momo.signed_call(
        "refund",
        json!({
            "partnerCode": "MOMOSBX01", "requestId": "rf1", "orderId": "R1", "amount": 50_000,
            "transId": number, "description": "hoan",
        }),
    );
    let url = format!("{}/v2/gateway/api/refund", station.base_url());
    for fault in [ApiFault::Unheard, ApiFault::Unavailable] {
        book.levers().calls.push_back(Some(fault));
        assert!(post(&url, &refund).await.is_err(), "{fault:?}");
        assert!(book.refunds().is_empty(), "{fault:?}");
    }
    book.levers().refunds = RefundFate::DoneAfter(1);
    book.levers().calls.push_back(Some(ApiFault::Lost));
    assert!(post(&url, &refund).await.is_err());
    assert_eq!(book.refunds().len(), 1);
    assert_eq!(post(&url, &refund).await.unwrap()["resultCode"], 7002);
    assert_eq!(book.refunds().len(), 1);
}
