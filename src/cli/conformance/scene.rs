//! A gateway on an empty embedded database, and one simulated provider that speaks to it over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hocphi::clock::{Clock, Instant};
use hocphi::http_out::HttpOut;
use hocphi::ids::{ConnectionId, Ids, SchoolId};
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, NewConnection};
use hocphi::payments::service::{Started, start_checkout};
use hocphi::payments::trust::Trust;
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, Durability, Tx};
use hocphi::{App, Parts};
use hocphi_adapters::Registry;
use hocphi_adapters::contract::{Adapter, Capability, CredentialKind, Naming, Need};
use hocphi_sandbox::peer::{Event, Peer, RawRequest, RawResponse, Reading};
use hocphi_sandbox::{Config, Pki, Sandbox, Station};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::store;
use crate::cli::serve::router;

/// What every bill of the scene asks for.
pub const AMOUNT: i64 = 1_250_000;
const BILLS: usize = 64;
const CONNECTION: &str = "school-peer";
const PATIENCE: Duration = Duration::from_secs(20);

/// A bill, and the words by which the provider knows its payment.
#[derive(Clone, Debug)]
pub struct Order {
    pub bill: String,
    pub reference: String,
    /// Its payer scans a code on a page of ours.
    pub is_scanned: bool,
}

pub struct Scene {
    pub app: App,
    pub peer: Arc<dyn Peer>,
    pub adapter: Arc<dyn Adapter>,
    pub station: Arc<Station>,
    client: reqwest::Client,
    gateway: String,
    address: String,
    bills: Vec<String>,
    next_bill: AtomicUsize,
    next_transaction: AtomicI64,
    _sandbox: Sandbox,
    server: JoinHandle<()>,
    _folder: tempdir::Folder,
}

impl Scene {
    /// `accounts`: whether payments can be posted at all.
    pub async fn set(
        registry: &Registry,
        name: &str,
        peer: Arc<dyn Peer>,
        pki: Arc<Pki>,
        accounts: bool,
    ) -> Result<Self> {
        let adapter = registry
            .get(name)
            .with_context(|| format!("there is no adapter {name}"))?;
        let clock = Clock::settable(
            Instant::parse_local_iso("2026-11-24T09:00:00").context("a moment of the scene")?,
        );
        let ids = Ids::seeded(7);
        let folder = tempdir::Folder::new(&Ids::from_system())?;
        let database = format!("sqlite://{}", folder.path().join("books.db").display());
        let db = Db::open_with(&database, Durability::Off).await?;
        let bills = store::seed(&db, &ids, clock.now(), BILLS, AMOUNT, accounts).await?;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let gateway = format!("http://{}", listener.local_addr()?);
        let app = App::assemble(Parts {
            db,
            clock: clock.clone(),
            ids,
            seal: SealingKey::from_bytes([9; 32]),
            http: HttpOut::new()?,
            registry: registry.clone(),
            trust: Trust::default(),
            public_url: gateway.clone(),
            sandbox_bank_url: None,
        });
        let now = clock.clone();
        let mut config = Config::new(Arc::new(move || now.now().unix()), 7, pki);
        config.second = Duration::from_millis(1);
        let sandbox = Sandbox::start(config).await?;
        let address = format!("{gateway}/notices/{name}/{CONNECTION}");
        let station = sandbox.open(peer.name(), Arc::clone(&peer), &address);
        let routes = router(&app, Vec::new());
        let server = tokio::spawn(async move {
            let service = routes.into_make_service_with_connect_info::<SocketAddr>();
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the scene's gateway stopped");
            }
        });
        let scene = Self {
            app,
            adapter,
            station,
            client: reqwest::Client::builder()
                .no_proxy()
                // The gateway cuts a connection off when a message is too large.
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .timeout(PATIENCE)
                .build()?,
            gateway,
            address,
            bills,
            next_bill: AtomicUsize::new(0),
            next_transaction: AtomicI64::new(70_000_001),
            _sandbox: sandbox,
            server,
            _folder: folder,
            peer,
        };
        scene.connect().await?;
        Ok(scene)
    }

    async fn connect(&self) -> Result<()> {
        let new = NewConnection {
            school_id: SchoolId::new(store::SCHOOL),
            connection_id: ConnectionId::new(CONNECTION),
            provider: self.adapter.name().to_owned(),
            display_name: self.adapter.profile().title.clone(),
            channel: Channel::Gateway,
            credentials: self.credentials().into_iter().collect(),
        };
        let (seal, ids) = (self.app.seal.clone(), self.app.ids.clone());
        self.app
            .db
            .write("conformance.connect", async move |tx: &mut Tx| {
                connections::put(tx, &seal, &ids, &new).await
            })
            .await?;
        Ok(())
    }

    /// The peer's own, with addresses of the peer where the provider's stand, and its account where
    /// one is demanded.
    fn credentials(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let given: BTreeMap<_, _> = self.peer.credentials().into_iter().collect();
        if self.adapter.profile().credentials.is_empty() {
            let base = self.station.base_url();
            let pay_url = format!("{base}/paymentv2/vpcpay.html");
            let own = given
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            return own.chain([("pay_url".to_owned(), pay_url)]).collect();
        }
        for spec in &self.adapter.profile().credentials {
            let own = given.get(spec.name.as_str()).cloned();
            let value = match spec.kind {
                // Our own codes are found without the pattern of somebody's orders.
                CredentialKind::Pattern => None,
                CredentialKind::Url => {
                    // The provider's own address stands as the default or is named in the label.
                    let known = spec.default.as_deref().unwrap_or(&spec.label);
                    let path = known
                        .split_once("://")
                        .and_then(|(_, rest)| rest.split_once('/'))
                        .map_or(String::new(), |(_, path)| format!("/{path}"));
                    own.or_else(|| Some(format!("{}{path}", self.station.base_url())))
                }
                _ if own.is_none() && spec.name.contains("account") => {
                    Some(self.peer.merchant().to_owned())
                }
                CredentialKind::Text if own.is_none() && spec.need == Need::Always => {
                    spec.default.clone().or_else(|| Some("hocphi".to_owned()))
                }
                _ => own,
            };
            if let Some(value) = value {
                all.insert(spec.name.clone(), value);
            }
        }
        all
    }

    pub fn capability(&self) -> &Capability {
        &self.adapter.profile().capability
    }

    pub fn connection_id(&self) -> ConnectionId {
        ConnectionId::new(CONNECTION)
    }

    pub fn now(&self) -> i64 {
        self.app.clock.now().unix()
    }

    pub fn wait(&self, seconds: i64) {
        let later = self.app.clock.now().plus_seconds(seconds);
        self.app.clock.set(later);
    }

    pub fn transaction(&self) -> i64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    pub fn bill(&self) -> Result<String> {
        let place = self.next_bill.fetch_add(1, Ordering::Relaxed);
        self.bills.get(place).cloned().context("bills of the scene")
    }

    /// A fresh bill that its payer is about to pay.
    pub async fn order(&self) -> Result<Order> {
        let bill = self.bill()?;
        if self.capability().naming != Naming::Order {
            let reference = bill.clone();
            return Ok(Order {
                bill,
                reference,
                is_scanned: false,
            });
        }
        let started = start_checkout(&self.app, &bill, &self.connection_id(), "127.0.0.1").await?;
        let is_scanned = started == Started::Scan;
        // The browser arrives there, so that the provider knows the order.
        match started {
            Started::Go(address) => {
                self.client
                    .get(&address)
                    .header("accept", "text/html")
                    .send()
                    .await?;
            }
            Started::Post { action, fields, .. } => {
                self.client
                    .post(&action)
                    .header("accept", "text/html")
                    .form(&fields)
                    .send()
                    .await?;
            }
            Started::Scan => {
                let (status, shown) = self.code_page(&bill).await?;
                ensure!(
                    status == 200 && shown.contains("<svg") && shown.contains("data-live"),
                    "the page of the code answers {status}: {shown}"
                );
            }
            Started::Waiting => bail!("the provider did not answer the creation"),
        }
        let (reference, _) = store::last_order(&self.app.db, &bill)
            .await?
            .context("the order of the checkout")?;
        Ok(Order {
            bill,
            reference,
            is_scanned,
        })
    }

    /// Status and text of the page that shows a code to be scanned.
    pub async fn code_page(&self, bill: &str) -> Result<(u16, String)> {
        let address = format!("{}/b/{bill}/pay/{CONNECTION}", self.gateway);
        let answer = self.client.get(address).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Money in for an order, as the provider will tell it.
    pub fn paid(&self, order: &Order) -> Event {
        let mut event = Event::paid(&order.reference, AMOUNT, self.transaction(), self.now());
        if let Some(known) = self.peer.book().order(&order.reference) {
            event.echo = known.echo;
        }
        event
    }

    /// The finished notice of an event, after the call before it where the provider makes one.
    pub async fn notice(&self, event: &Event) -> Result<RawRequest> {
        let mut event = event.clone();
        event.sent_at = self.now();
        if let Some(call) = self.peer.prelude(&event) {
            let answer = self.send(&call).await?;
            self.peer
                .read_prelude(&mut event, &answer)
                .with_context(|| String::from_utf8_lossy(&answer.body).into_owned())?;
        }
        Ok(self.peer.notice(&event))
    }

    /// Tells an event once.
    pub async fn tell(&self, event: &Event) -> Result<Reading> {
        let notice = self.notice(event).await?;
        let answer = self.send(&notice).await?;
        Ok(self.peer.reading(&answer))
    }

    /// [`tell`](Self::tell) without the call before it, as a clerk who keys a payment in makes it.
    pub async fn tell_unasked(&self, event: &Event) -> Result<Reading> {
        let answer = self.send(&self.unasked(event)).await?;
        Ok(self.peer.reading(&answer))
    }

    /// [`notice`](Self::notice) without the call before it.
    pub fn unasked(&self, event: &Event) -> RawRequest {
        let mut event = event.clone();
        event.sent_at = self.now();
        event.bill = Some(event.reference.clone());
        self.peer.notice(&event)
    }

    pub async fn send(&self, message: &RawRequest) -> Result<RawResponse> {
        self.sender(message).await
    }

    /// [`send`](Self::send) that owns what it needs.
    pub fn sender(
        &self,
        message: &RawRequest,
    ) -> impl Future<Output = Result<RawResponse>> + Send + use<> {
        let mut address = format!("{}{}", self.address, message.path);
        if !message.query.is_empty() {
            address = format!("{address}?{}", message.query);
        }
        let mut request = match message.method {
            "GET" => self.client.get(&address),
            _ => self.client.post(&address).body(message.body.clone()),
        };
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        async move {
            let response = request.send().await?;
            Ok(RawResponse {
                status: response.status().as_u16(),
                headers: response
                    .headers()
                    .iter()
                    .filter_map(|(name, value)| {
                        Some((name.to_string(), value.to_str().ok()?.to_owned()))
                    })
                    .collect(),
                body: response.bytes().await?.to_vec(),
            })
        }
    }

    /// State and what is paid of a bill.
    pub async fn bill_state(&self, order: &Order) -> Result<(String, i64)> {
        Ok(store::bill_state(&self.app.db, &order.bill).await?)
    }

    /// Number and sum of payments in the books.
    pub async fn payments(&self) -> Result<(i64, i64)> {
        Ok(store::payments(&self.app.db).await?)
    }

    /// Ends the scene; fails when the books contradict themselves.
    pub async fn strike(self) -> Result<()> {
        self.app.keeper.flush().await;
        let findings = hocphi::payments::check::run(&self.app.db).await?;
        let ledger = hocphi::ledger::check::run(&self.app.db, &self.app.chain).await?;
        self.server.abort();
        self.app.db.close().await;
        if !findings.is_empty() || !ledger.findings.is_empty() {
            bail!(
                "the books contradict themselves: {findings:?} {:?}",
                ledger.findings
            );
        }
        Ok(())
    }
}

/// A folder that goes away.
mod tempdir {
    use std::path::{Path, PathBuf};

    use hocphi::ids::Ids;

    pub struct Folder(PathBuf);

    impl Folder {
        pub fn new(ids: &Ids) -> std::io::Result<Self> {
            let path = std::env::temp_dir().join(format!("hocphi-conformance-{}", ids.token()));
            std::fs::create_dir(&path)?;
            Ok(Self(path))
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if let Err(error) = std::fs::remove_dir_all(&self.0) {
                tracing::debug!(%error, "a temporary folder stays");
            }
        }
    }
}
