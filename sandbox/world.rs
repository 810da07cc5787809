//! What all peers share: time, chance, transaction numbers, the outgoing client and the record.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::chance::Chance;
use crate::deliver::Record;
use crate::{Config, Now};

/// For calls that set no patience of their own.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The peers' outgoing client.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

pub(crate) struct World {
    now: Now,
    pub chance: Chance,
    pub client: reqwest::Client,
    pub record: Record,
    /// What counts as one second of a provider's retry schedule.
    pub second: Duration,
    next_transaction: AtomicI64,
}

impl World {
    pub fn new(config: &Config, client: reqwest::Client) -> Self {
        // Numbers begin at the clock, so that a sandbox started again over the same books never
        // reuses a transaction number.
        let first = (config.now)().max(0).saturating_mul(1000);
        Self {
            now: config.now.clone(),
            chance: Chance::new(config.seed),
            client,
            record: Record::default(),
            second: config.second,
            next_transaction: AtomicI64::new(first),
        }
    }

    pub fn now(&self) -> i64 {
        (self.now)()
    }

    /// The first number of a range that nobody else gives: a provider numbers the movements of all its
    /// merchants together.
    pub fn transaction_range(&self) -> i64 {
        const WIDTH: i64 = 1_000_000;
        self.next_transaction.fetch_add(WIDTH, Ordering::Relaxed)
    }

    pub fn transaction_number(&self) -> i64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }
}
