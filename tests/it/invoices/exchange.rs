//! The exchange against the simulated tax authority, over real HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hocphi::App;
use hocphi::ids::{InvoiceId, JobId, SchoolId};
use hocphi::invoices::jobs::{ExchangeHandler, Step};
use hocphi::invoices::messages::Parties;
use hocphi::invoices::service::{
    Exchange, HttpAnswer, Issued, KeyRing, Line, Outside, Progress, collect, install_key, issue,
    send,
};
use hocphi::invoices::signature::{Certificate, SigningKey, pem_blocks};
use hocphi::invoices::verify::{Trust, verify};
use hocphi::jobs::{Handler, Job, Outcome};
use hocphi::store::Tx;
use hocphi_adapters::contract::{Call, Fault, Retry, Secret};
use hocphi_adapters::tax::Carrier;
use hocphi_sandbox::{Config, Levers, Pki, Sandbox, Taxpayer};

use super::books::{SCHOOLS, app_on, payment, schools, start};
use crate::engines::fresh_databases;

/// A client that may lose the answers of its next calls after they arrived, or the calls themselves.
pub struct Client {
    http: reqwest::Client,
    pub lose: AtomicUsize,
    pub swallow: AtomicUsize,
    pub posts: AtomicUsize,
}

impl Client {
    pub fn new() -> Self {
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            lose: AtomicUsize::new(0),
            swallow: AtomicUsize::new(0),
            posts: AtomicUsize::new(0),
        }
    }
}

fn one_less(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
}

fn timed_out() -> Fault {
    Fault {
        retry: Retry::AskFirst,
        message: "timed out".into(),
    }
}

impl Outside for Client {
    async fn send(&self, call: &Call) -> Result<HttpAnswer, Fault> {
        if one_less(&self.swallow) {
            return Err(timed_out());
        }
        if call.method == "POST" {
            self.posts.fetch_add(1, Ordering::SeqCst);
        }
        let mut request = self
            .http
            .request(call.method.parse().unwrap(), &call.url)
            .body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        if one_less(&self.lose) {
            return Err(timed_out());
        }
        Ok(HttpAnswer {
            status: response.status().as_u16(),
            body: response.bytes().await.unwrap().to_vec(),
        })
    }
}

pub struct Scene {
    pub app: App,
    pub sandbox: Sandbox,
    pub exchange: Exchange,
    pub client: Arc<Client>,
    pub invoice: InvoiceId,
    pub school: SchoolId,
}

/// A signed invoice and a running authority that knows its seller.
pub async fn scene(app: App, pki: &Arc<Pki>) -> Scene {
    scene_of(app, pki, "C").await
}

/// [`scene`] with coded (`C`) or uncoded (`K`) invoices.
pub async fn scene_of(app: App, pki: &Arc<Pki>, coding: &'static str) -> Scene {
    schools(&app, "INVOICE_ALL").await;
    app.db
        .write("test.coding", async move |tx: &mut Tx| {
            tx.sql("UPDATE parameter SET value = $1 WHERE key = 'invoice_coding'")
                .bind(coding)
                .run()
                .await
        })
        .await
        .unwrap();
    let (id, tax_code, _) = SCHOOLS[0];
    let school = SchoolId::new(id);
    let identity = pki.issue("Trường s1", tax_code).unwrap();
    let key = SigningKey::from_pkcs12(&identity.pkcs12("mật khẩu").unwrap(), "mật khẩu").unwrap();
    install_key(&app, &school, &key, &[]).await.unwrap();
    let mut config = Config::new(Arc::new(|| start().unix()), 1, Arc::clone(pki));
    config.tax_answer_after = Duration::ZERO;
    let sandbox = Sandbox::start(config).await.unwrap();
    sandbox.tax().register(Taxpayer {
        tax_code: tax_code.into(),
        name: "Trường s1".into(),
        form: "1".into(),
    });
    let paid = payment(&app, id, "p1", start().day()).await;
    let issued = issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
    let Ok(Issued::Signed(invoice)) = &issued[0] else {
        panic!("{issued:?}")
    };
    let authority = pem_blocks(&pki.tax_authority().certificate_pem).remove(0);
    Scene {
        exchange: Exchange {
            first: line("a", &sandbox.tax_url()),
            others: Vec::new(),
            authorities: Arc::new([Certificate::from_der(&authority.der).unwrap()]),
        },
        client: Arc::new(Client::new()),
        invoice: invoice.clone(),
        app,
        sandbox,
        school,
    }
}

/// A contract with a carrier at an address.
pub fn line(name: &str, url: &str) -> Line {
    Line {
        name: name.into(),
        carrier: Carrier::new(url, Secret::new("sandbox-tvan-token")),
        parties: Parties {
            sender: "0100109106".into(),
            receiver: "0100109106".into(),
        },
    }
}

impl Scene {
    pub async fn send(&self) -> Progress {
        self.send_one(&self.invoice).await
    }

    pub async fn send_one(&self, invoice: &InvoiceId) -> Progress {
        let client = &*self.client;
        send(&self.app, &self.exchange, client, &self.school, invoice)
            .await
            .unwrap()
    }

    pub async fn collect(&self) -> Progress {
        self.collect_one(&self.invoice).await
    }

    pub async fn collect_one(&self, invoice: &InvoiceId) -> Progress {
        let client = &*self.client;
        collect(&self.app, &self.exchange, client, &self.school, invoice)
            .await
            .unwrap()
    }

    pub async fn row(&self) -> (String, Option<String>, Option<String>, Option<String>) {
        self.app
            .db
            .sql("SELECT state, authority_code, coded_xml, refusal FROM invoice")
            .one()
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_signed_invoice_comes_back_with_its_code_and_is_kept_verbatim() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.collect().await, Progress::Done);
        let (state, code, coded, refusal) = scene.row().await;
        assert_eq!((state.as_str(), refusal), ("CODED", None));
        let report = verify(coded.unwrap().as_bytes(), Trust::default());
        assert!(report.valid, "{:#?}", report.findings);
        assert!(report.invoices[0].authority_signature);
        assert_eq!(report.invoices[0].authority_code, code);
        // Both steps again: nothing moves.
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(scene.client.posts.load(Ordering::SeqCst), 1);
        assert_eq!(scene.sandbox.tax().accepted_of(SCHOOLS[0].1).len(), 1);
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_about_and_not_sent_twice() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        scene.client.lose.store(1, Ordering::SeqCst);
        assert!(matches!(scene.send().await, Progress::Outage { .. }));
        assert_eq!(scene.row().await.0, "SIGNED");
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.client.posts.load(Ordering::SeqCst), 1);
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(scene.row().await.0, "CODED");
    }
}

/// As two nodes hold one job when a lease ended early, and as a crash between an answer and the end
/// of its job leaves it: the steps run again over what was done.
#[tokio::test]
async fn handlers_that_run_twice_send_and_collect_once() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let Scene {
            app,
            sandbox,
            exchange,
            client,
            invoice,
            school,
        } = scene(app_on(db), &pki).await;
        let (exchange, outside) = (Arc::new(exchange), client);
        let handler = |step| ExchangeHandler {
            app: app.clone(),
            exchange: Arc::clone(&exchange),
            outside: Arc::clone(&outside),
            step,
        };
        let jobs = vec![Job {
            job_id: JobId::new("j1"),
            school_id: school,
            subject: invoice.to_string(),
            attempts: 1,
        }];
        for step in [Step::Send, Step::Collect] {
            let (one, two) = (handler(step), handler(step));
            let (first, second) = tokio::join!(one.run(jobs.clone()), two.run(jobs.clone()));
            let again = one.run(jobs.clone()).await;
            let outcomes: Vec<_> = first.into_iter().chain(second).chain(again).collect();
            assert_eq!(outcomes.last(), Some(&Outcome::Done), "{step:?}");
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| !matches!(outcome, Outcome::Dead(_))),
                "{step:?}: {outcomes:?}"
            );
        }
        assert_eq!(sandbox.tax().accepted_of(SCHOOLS[0].1).len(), 1);
        let (state, collects): (String, i64) = app
            .db
            .sql(
                "SELECT state, (SELECT COUNT(*) FROM job WHERE kind = 'invoice.collect')
                   FROM invoice",
            )
            .one()
            .await
            .unwrap();
        assert_eq!((state.as_str(), collects), ("CODED", 1));
        // Long after: the answer is kept as it was.
        let code = async || -> (Option<String>, Option<String>) {
            let stored = app.db.sql("SELECT authority_code, coded_xml FROM invoice");
            stored.one().await.unwrap()
        };
        let before = code().await;
        assert_eq!(handler(Step::Send).run(jobs.clone()).await, [Outcome::Done]);
        assert_eq!(handler(Step::Collect).run(jobs).await, [Outcome::Done]);
        assert_eq!(code().await, before);
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_number_and_the_authority_s_words() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        scene.sandbox.tax().set_levers(Levers {
            refuse_next: 1,
            ..Levers::default()
        });
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.collect().await, Progress::Done);
        let (state, code, _, refusal) = scene.row().await;
        assert_eq!((state.as_str(), code), ("REFUSED", None));
        assert!(refusal.unwrap().contains("Từ chối theo cài đặt thử nghiệm"));
    }
}

#[tokio::test]
async fn a_code_from_somebody_else_is_not_believed() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    let (db, _keep) = fresh_databases().await.remove(0);
    let mut scene = scene(app_on(db), &pki).await;
    scene.exchange.authorities = Arc::new([super::samples::issuer()]);
    assert_eq!(scene.send().await, Progress::Done);
    assert!(matches!(scene.collect().await, Progress::Stuck(_)));
    assert_eq!(scene.row().await.0, "SENT");
}
