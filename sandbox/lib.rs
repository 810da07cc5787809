//! Wire-level peers of the gateway for demos and tests: payment providers, banks, and the tax
//! authority behind its transmission provider, with signature code of their own: nothing here imports
//! the gateway or its adapters, so that a mistake made there cannot be repeated here unnoticed.
//!
//! A provider is a folder that implements [`peer::Peer`], a pure trait: bytes in, bytes out. It is
//! driven in memory, or over real HTTP once [`Sandbox::open`] gives it an address; what it sends goes
//! through [`deliver`], which keeps the provider's retry schedule and the record of what the gateway
//! acknowledged. Every misbehaviour is a named lever. Time comes from [`Config::now`], chance from
//! [`Config::seed`]; only RSA keys are drawn from the system.
//!
//! [`vnpay::Vnpay`] and [`bank::Bank`] hold many merchants and accounts for the demo.

pub mod alepay;
pub mod bank;
pub mod bank_bidv;
pub mod bank_vietinbank;
pub mod bank_webhook;
pub mod casso;
mod chance;
pub mod deliver;
mod digest;
mod forms;
mod moment;
pub mod momo;
pub mod ninepay;
pub mod onepay;
mod page;
#[cfg(test)]
mod payments_tests;
pub mod payos;
pub mod peer;
pub mod pki;
pub mod province;
pub mod sepay;
pub mod sepay_pg;
mod station;
#[cfg(test)]
mod station_tests;
pub mod tax;
#[cfg(test)]
mod vectors;
pub mod vietqr_callback;
pub mod vnpay;
mod world;
pub mod zalopay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use bank::{Account, Bank, FeedKey, Rendering, Transfer};
pub use deliver::{Acknowledged, Answer, Notice};
pub use peer::Peer;
pub use pki::{Identity, Pki, PkiError, RemoteAccess, RemoteSigning};
pub use station::{Station, TellError};
pub use tax::{AcceptedInvoice, Levers, Tax, Taxpayer};
pub use vnpay::{Merchant, PayOrder, PayResult, Vnpay};

use world::World;

/// Unix seconds, asked for whenever something is dated.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;
/// Time since some start; never goes back, whatever happens to dates.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How a sandbox starts; merchants, accounts and taxpayers are registered afterwards.
#[derive(Clone)]
pub struct Config {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub now: Now,
    /// What the authority's waiting is measured with.
    pub elapsed: Elapsed,
    pub seed: u64,
    /// Bearer token of the tax connection.
    pub tax_token: String,
    /// Time between a tax message and its business reply.
    pub tax_answer_after: Duration,
    /// What counts as one second of a provider's retry schedule, so that tests need not wait.
    pub second: Duration,
    pub pki: Arc<Pki>,
}

impl Config {
    /// Loopback on a free port with quick answers, as the demo uses it.
    pub fn new(now: Now, seed: u64, pki: Arc<Pki>) -> Self {
        let start = std::time::Instant::now();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            now,
            elapsed: Arc::new(move || start.elapsed()),
            seed,
            tax_token: "sandbox-tvan-token".to_owned(),
            tax_answer_after: Duration::from_millis(300),
            second: Duration::from_secs(1),
            pki,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("cannot make the outgoing client: {0}")]
    Client(#[from] reqwest::Error),
    #[error("{0} does not know {1}")]
    Unknown(&'static str, String),
    #[error("{0} refused the request: {1}")]
    Refused(&'static str, String),
}

type Stations = Arc<Mutex<BTreeMap<String, Arc<Station>>>>;

async fn at_station(
    State(stations): State<Stations>,
    Path((name, rest)): Path<(String, String)>,
    request: Request,
) -> Response {
    let station = stations
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&name)
        .cloned();
    let Some(station) = station else {
        return peer::RawResponse::text(404, "no such peer").into_response();
    };
    match station::read(request, &format!("/{rest}")).await {
        Ok(request) => station.answer(request).await,
        Err(refused) => refused,
    }
}

/// VNPAY, the bank and the authority without a port: whoever drives them carries every message
/// himself and keeps the time, as a simulation does.
pub struct Peers {
    pub vnpay: Arc<Vnpay>,
    pub bank: Arc<Bank>,
    pub tax: Arc<Tax>,
    world: Arc<World>,
}

impl Peers {
    /// `base_url` is where they would be reached; `client` is what they would call with.
    pub fn new(config: &Config, base_url: &str, client: reqwest::Client) -> Self {
        let world = Arc::new(World::new(config, client));
        Self {
            vnpay: Arc::new(Vnpay::new(world.clone(), base_url)),
            bank: Arc::new(Bank::new(world.clone(), base_url)),
            tax: Arc::new(Tax::new(
                world.clone(),
                config.elapsed.clone(),
                config.pki.clone(),
                config.tax_token.clone(),
                config.tax_answer_after,
            )),
            world,
        }
    }
}

/// The running peers. Dropping it closes the port.
pub struct Sandbox {
    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub base_url: String,
    peers: Peers,
    stations: Stations,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Opens the port and serves until dropped.
    ///
    /// # Errors
    /// When the address is taken or the outgoing client cannot be built.
    pub async fn start(config: Config) -> Result<Self, SandboxError> {
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| SandboxError::Listen(config.listen, error))?;
        let address = listener
            .local_addr()
            .map_err(|error| SandboxError::Listen(config.listen, error))?;
        let base_url = format!("http://{address}");
        let peers = Peers::new(&config, &base_url, world::client()?);
        let stations = Stations::default();
        let by_name = Router::new()
            .route("/{name}/{*rest}", any(at_station))
            .with_state(stations.clone());
        let app = Router::new()
            .merge(page::routes())
            .nest("/peers", by_name)
            .nest("/vnpay", vnpay::routes(peers.vnpay.clone()))
            .nest("/bank", bank::routes(peers.bank.clone()))
            .nest("/tax", tax::routes(peers.tax.clone(), 0))
            .nest("/tax-second", tax::routes(peers.tax.clone(), 1));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the sandbox stopped serving");
            }
        });
        Ok(Self {
            base_url,
            peers,
            stations,
            server,
        })
    }

    /// Puts a peer behind HTTP at `/peers/<name>`, reporting to `notify`. A name that is taken is
    /// replaced.
    pub fn open(&self, name: &str, peer: Arc<dyn Peer>, notify: &str) -> Arc<Station> {
        let base_url = format!("{}/peers/{name}", self.base_url);
        let station = Station::new(self.peers.world.clone(), peer, base_url, notify.to_owned());
        let station = Arc::new(station);
        self.stations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), station.clone());
        station
    }

    pub fn vnpay(&self) -> &Arc<Vnpay> {
        &self.peers.vnpay
    }

    pub fn bank(&self) -> &Arc<Bank> {
        &self.peers.bank
    }

    pub fn tax(&self) -> &Arc<Tax> {
        &self.peers.tax
    }

    /// Where a merchant sends browsers to pay: the `pay_url` of a VNPAY connection.
    pub fn pay_url(&self) -> String {
        format!("{}/vnpay/paymentv2/vpcpay.html", self.base_url)
    }

    /// Base address of the tax connection; `/messages` follows it.
    pub fn tax_url(&self) -> String {
        format!("{}/tax", self.base_url)
    }

    /// Base address of a second carrier in front of the same authority, with the same token.
    pub fn second_tax_url(&self) -> String {
        format!("{}/tax-second", self.base_url)
    }

    /// Sends a notice once.
    pub async fn deliver(&self, notice: &Notice) -> Answer {
        self.peers.world.deliver(notice).await
    }

    /// Sends the same notice so many times at once, as racing deliveries do.
    pub async fn deliver_together(&self, notice: &Notice, times: usize) -> Vec<Answer> {
        self.peers.world.deliver_together(notice, times).await
    }

    /// Sends a notice late.
    pub async fn deliver_after(&self, notice: &Notice, wait: Duration) -> Answer {
        tokio::time::sleep(wait).await;
        self.peers.world.deliver(notice).await
    }

    /// Sends notices in a drawn order, one after another; answers are in the order they were sent.
    pub async fn deliver_shuffled(&self, notices: Vec<Notice>) -> Vec<(Notice, Answer)> {
        self.peers.world.deliver_shuffled(notices).await
    }

    /// Money the gateway has answered for, each transaction once: none of it may be missing there.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.peers.world.record.acknowledged()
    }

    /// Forged notices the gateway accepted all the same: must be empty.
    pub fn forged_acknowledged(&self) -> Vec<Acknowledged> {
        self.peers.world.record.forged()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}
