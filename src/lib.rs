//! hocphi: cashless school payments and legal e-invoices.
//!
//! Outside are capabilities (`schools`, `fees`, `payments`, `ledger`, `invoices`, …); inside each, the
//! same names: `rules` decides, `store` holds every SQL statement, `service` runs the use cases,
//! `api`/`pages` show them, `jobs` follows up. See `docs/architecture.md`.

pub mod clock;
pub mod ids;
pub mod invoices;
pub mod jobs;
pub mod ledger;
pub mod money;
pub mod people;
pub mod schools;
pub mod sealing;
pub mod store;

use std::sync::Arc;

use clock::Clock;
use ids::Ids;
use jobs::Wake;
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
    /// Where browsers and providers reach this installation, without a trailing slash.
    pub public_url: Arc<str>,
}
