//! VNPAY and the bank over HTTP against a merchant that answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use tokio::net::TcpListener;

use crate::{
    Account, Config, FeedKey, Merchant, PayResult, Pki, Rendering, Sandbox, Transfer, forms, moment,
};

/// 2026-11-24 23:44:05 in Vietnam.
const NOW: i64 = 1_795_538_645;
const SETTLED: &str = "{\"RspCode\":\"00\",\"Message\":\"ok\"}";
const UNKNOWN: &str = "{\"RspCode\":\"01\",\"Message\":\"unknown\"}";
const SUCCESS: &str = "{\"success\":true}";

/// Remembers calls and answers from a list, then always with the last answer.
#[derive(Clone, Default)]
struct Merchants {
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Clone)]
struct Call {
    path: String,
    query: String,
    signature: Option<String>,
    body: String,
}

async fn answer(
    State(merchants): State<Merchants>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> &'static str {
    merchants.calls.lock().unwrap().push(Call {
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or("").to_owned(),
        signature: headers
            .get("x-sepay-signature")
            .or(headers.get("authorization"))
            .map(|value| value.to_str().unwrap().to_owned()),
        body,
    });
    let mut answers = merchants.answers.lock().unwrap();
    if answers.len() > 1 {
        answers.pop_front().unwrap()
    } else {
        answers[0]
    }
}

impl Merchants {
    fn will_say(&self, answers: &[&'static str]) {
        *self.answers.lock().unwrap() = answers.iter().copied().collect();
        self.calls.lock().unwrap().clear();
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn scene() -> (Sandbox, Merchants) {
    let merchants = Merchants::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(merchants.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let pki = Arc::new(Pki::new(NOW).unwrap());
    let mut config = Config::new(Arc::new(|| NOW), 1, pki);
    config.second = Duration::from_micros(15);
    let sandbox = Sandbox::start(config).await.unwrap();
    sandbox.vnpay().register(Merchant {
        tmn_code: "SANDBX01".to_owned(),
        hash_secret: "secret".to_owned(),
        ipn_url: format!("{gateway}/notices/vnpay/c1"),
        name: "Trường Hoa Sen".to_owned(),
    });
    for (number, key) in [
        ("113366668888", FeedKey::ApiKey("key".to_owned())),
        ("0011012345678", FeedKey::Hmac("secret".to_owned())),
    ] {
        sandbox.bank().register(Account {
            bin: "970403".to_owned(),
            number: number.to_owned(),
            holder: "TRUONG HOA SEN".to_owned(),
            webhook_url: format!("{gateway}/notices/sepay/c2"),
            key,
        });
    }
    (sandbox, merchants)
}

fn pay_url(sandbox: &Sandbox, reference: &str) -> String {
    let (created, expires) = (moment::compact(NOW), moment::compact(NOW + 900));
    let fields = [
        ("vnp_Amount", "68310000"),
        ("vnp_Command", "pay"),
        ("vnp_CreateDate", &created),
        ("vnp_CurrCode", "VND"),
        ("vnp_ExpireDate", &expires),
        ("vnp_IpAddr", "127.0.0.1"),
        ("vnp_Locale", "vn"),
        ("vnp_OrderInfo", "Hoc phi HPZ37MTFCKQPG"),
        ("vnp_OrderType", "other"),
        ("vnp_ReturnUrl", "http://127.0.0.1:8080/return/vnpay/c1"),
        ("vnp_TmnCode", "SANDBX01"),
        ("vnp_TxnRef", reference),
        ("vnp_Version", "2.1.0"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let query = crate::vnpay::signed_query(&fields, "secret");
    format!("{}?{query}", sandbox.pay_url())
}

#[tokio::test]
async fn a_browser_pays_once_and_returns_with_what_the_ipn_said() {
    let (sandbox, merchants) = scene().await;
    merchants.will_say(&[SETTLED]);
    let order = sandbox
        .vnpay()
        .open(&pay_url(&sandbox, "A1"))
        .await
        .unwrap();
    assert_eq!(order.amount, 683_100);
    let finished = sandbox
        .vnpay()
        .press(&order, PayResult::Paid)
        .await
        .unwrap();
    let calls = merchants.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].path, "/notices/vnpay/c1");
    assert_eq!(
        finished.return_to,
        format!("http://127.0.0.1:8080/return/vnpay/c1?{}", calls[0].query)
    );
    let acknowledged = sandbox.acknowledged();
    assert_eq!(acknowledged.len(), 1);
    assert_eq!(
        (acknowledged[0].amount, acknowledged[0].payee.as_str()),
        (683_100, "SANDBX01")
    );
    assert!(
        sandbox
            .vnpay()
            .press(&order, PayResult::Paid)
            .await
            .is_err(),
        "paid before"
    );
    assert!(
        sandbox
            .vnpay()
            .open(&pay_url(&sandbox, "A1"))
            .await
            .is_err(),
        "reference used"
    );
    let page = reqwest::get(pay_url(&sandbox, "A2")).await.unwrap();
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:8080;"),
        "{policy}"
    );
    let html = page.text().await.unwrap();
    assert!(html.contains("Thanh toán thành công") && !html.contains("<script"));
}

#[tokio::test]
async fn an_ipn_is_repeated_until_it_is_settled_and_at_most_ten_times() {
    let (sandbox, merchants) = scene().await;
    let order = sandbox
        .vnpay()
        .open(&pay_url(&sandbox, "A1"))
        .await
        .unwrap();
    let notice = sandbox
        .vnpay()
        .notice(&order, PayResult::Paid, order.amount)
        .unwrap();
    merchants.will_say(&["no JSON", UNKNOWN, SETTLED]);
    assert_eq!(sandbox.vnpay().send_ipn(&notice).await.len(), 3);
    merchants.will_say(&[UNKNOWN]);
    let answers = sandbox.vnpay().send_ipn(&notice).await;
    assert_eq!(answers.len(), 10);
    assert!(answers.iter().all(|answer| !answer.acknowledged));
    merchants.will_say(&["{\"RspCode\":\"02\"}"]);
    assert_eq!(sandbox.deliver_together(&notice, 8).await.len(), 8);
    assert_eq!(merchants.calls().len(), 8);
    assert_eq!(
        sandbox.acknowledged().len(),
        1,
        "one movement, however often it was told"
    );
    let failed = sandbox
        .vnpay()
        .notice(&order, PayResult::Cancelled, order.amount)
        .unwrap();
    assert!(sandbox.deliver(&failed).await.acknowledged);
    assert_eq!(sandbox.acknowledged().len(), 1, "no money moved");
    assert!(sandbox.forged_acknowledged().is_empty());
    for forged in [
        notice.with_wrong_signature(),
        notice.with_changed_amount(1_000),
    ] {
        sandbox.deliver(&forged).await;
    }
    assert_eq!(sandbox.forged_acknowledged().len(), 2);
    let last = merchants.calls().pop().unwrap().query;
    assert!(last.contains("vnp_Amount=100000&"), "{last}");
}

#[tokio::test]
async fn a_scanned_code_becomes_a_credit_on_the_feed_with_eight_deliveries() {
    let (sandbox, merchants) = scene().await;
    let bank = sandbox.bank();
    let qr = "00020101021238570010A00000072701270006970403011300110123456780208QRIBFTTA530370454061800005802VN62340107NPS68690819thanh toan don hang63042E2E";
    let transfer = bank.scan(qr).unwrap();
    assert_eq!(
        (transfer.amount, transfer.memo.as_str()),
        (180_000, "thanh toan don hang")
    );
    merchants.will_say(&["{\"success\":false}"]);
    let notice = bank.notice(&transfer).unwrap();
    assert_eq!(bank.send(&notice).await.len(), 8);
    assert!(
        merchants.calls()[0]
            .signature
            .as_deref()
            .unwrap()
            .starts_with("sha256=")
    );
    merchants.will_say(&[SUCCESS]);
    assert_eq!(bank.send(&notice).await.len(), 1);
    let out = Transfer {
        outgoing: true,
        account: "113366668888".to_owned(),
        ..transfer
    };
    let out = bank.notice(&out).unwrap();
    assert!(sandbox.deliver(&out).await.acknowledged);
    assert!(
        merchants
            .calls()
            .last()
            .unwrap()
            .body
            .contains("\"transferType\":\"out\"")
    );
    assert_eq!(sandbox.acknowledged().len(), 1, "only money that came in");
    assert!(bank.scan("hello").is_err());
    let typed = Transfer {
        account: "113366668888".to_owned(),
        amount: 5_000,
        memo: "HPZ37MTFCKQPG".to_owned(),
        rendering: Some(Rendering::MbHead),
        outgoing: false,
    };
    let forged = bank.notice(&typed).unwrap().with_changed_amount(9_000_000);
    sandbox.deliver(&forged).await;
    let call = merchants.calls().pop().unwrap();
    assert!(call.body.contains("9000000") && call.signature.as_deref() == Some("Apikey ke1"));
}

#[tokio::test]
async fn the_bank_app_shows_a_scanned_code_and_pays_it() {
    let (sandbox, merchants) = scene().await;
    merchants.will_say(&[SUCCESS]);
    let qr = "00020101021238570010A00000072701270006970403011300110123456780208QRIBFTTA530370454061800005802VN62340107NPS68690819thanh toan don hang63042E2E";
    let page = reqwest::get(sandbox.bank().pay_link(qr))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("value=\"180000\"") && page.contains("TRUONG HOA SEN"),
        "{page}"
    );
    let form = format!(
        "account=0011012345678&amount=180000&memo={}",
        forms::encode("HPZ37MTFCKQPG Lớp 2A")
    );
    let client = reqwest::Client::new();
    let paid = client
        .post(format!("{}/bank/pay", sandbox.base_url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    assert!(paid.status().is_success());
    assert!(paid.text().await.unwrap().contains("180.000"));
    for _ in 0..200 {
        if !sandbox.acknowledged().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sandbox.acknowledged()[0].amount, 180_000);
}
