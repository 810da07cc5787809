//! hocphi: cashless school payments and legal e-invoices.
//!
//! Outside are capabilities (`schools`, `fees`, `payments`, `ledger`, `invoices`, …); inside each, the
//! same names: `rules` decides, `store` holds every SQL statement, `service` runs the use cases,
//! `api`/`pages` show them, `jobs` follows up. See `docs/architecture.md`.

pub mod clock;
pub mod config;
pub mod fees;
pub mod http_out;
pub mod ids;
pub mod invoices;
pub mod jobs;
pub mod ledger;
pub mod money;
pub mod payments;
pub mod people;
pub mod refunds;
pub mod reports;
pub mod schools;
pub mod sealing;
#[cfg(feature = "sandbox")]
pub mod simulate;
pub mod soundness;
pub mod store;
pub mod web;

use std::sync::Arc;

use hocphi_adapters::Registry;

use clock::Clock;
use http_out::HttpOut;
use ids::Ids;
use jobs::Wake;
use ledger::ChainKeys;
use payments::chart::Charts;
use payments::connections::Connections;
use payments::messages::{Keeper, KeeperTools};
use payments::trust::Trust;
use payments::{Desk, Poster};
use sealing::SealingKey;
use store::Db;

/// Everything a use case may need from outside itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub seal: Arc<SealingKey>,
    /// Rings when a commit left jobs behind.
    pub wake: Wake,
    pub http: HttpOut,
    pub connections: Connections,
    /// Seals and proves the journal.
    pub chain: ChainKeys,
    /// Takes notices and answers when they are durable.
    pub desk: Desk,
    /// Keeps what providers sent, as it came.
    pub keeper: Keeper,
    /// Where browsers and providers reach this installation, without a trailing slash.
    pub public_url: Arc<str>,
    /// The sandbox's bank, shown to payers of a demonstration only.
    pub sandbox_bank_url: Option<Arc<str>>,
}

/// What an [`App`] is made of.
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub seal: SealingKey,
    pub http: HttpOut,
    pub registry: Registry,
    /// Which adapters may carry payments.
    pub trust: Trust,
    pub public_url: String,
    pub sandbox_bank_url: Option<String>,
}

impl App {
    /// An application for commands and tests that serve nobody: the adapters of the program, no
    /// public address.
    ///
    /// # Errors
    /// When the outgoing client cannot be set up.
    pub fn tool(
        db: Db,
        clock: Clock,
        ids: Ids,
        seal: SealingKey,
    ) -> Result<Self, http_out::SetupError> {
        Ok(Self::assemble(Parts {
            db,
            clock,
            ids,
            seal,
            http: HttpOut::new()?,
            registry: Registry::builtin(),
            trust: Trust::default(),
            public_url: String::new(),
            sandbox_bank_url: None,
        }))
    }

    /// Puts the parts together and opens the posting desk. Needs a running tokio runtime.
    pub fn assemble(parts: Parts) -> Self {
        let seal = Arc::new(parts.seal);
        let chain = ChainKeys::of(seal.clone());
        let wake = Wake::default();
        let desk = Desk::open(Poster {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            ids: parts.ids.clone(),
            wake: wake.clone(),
            charts: Charts::default(),
            chain: chain.clone(),
        });
        let keeper = Keeper::open(KeeperTools {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            ids: parts.ids.clone(),
            seal: seal.clone(),
        });
        Self {
            db: parts.db,
            clock: parts.clock,
            ids: parts.ids,
            connections: Connections::new(
                Arc::new(parts.registry),
                Arc::new(parts.trust),
                seal.clone(),
            ),
            seal,
            chain,
            wake,
            http: parts.http,
            desk,
            keeper,
            public_url: parts.public_url.trim_end_matches('/').into(),
            sandbox_bank_url: parts.sandbox_bank_url.map(Into::into),
        }
    }
}
