//! What all peers share: time, chance, transaction numbers, the outgoing client and the record.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::chance::Chance;
use crate::deliver::Record;
use crate::{Config, Now};

/// Longer than any answer of the gateway; VNPAY and SePay give up after 30 seconds at the latest.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct World {
    now: Now,
    pub chance: Chance,
    pub client: reqwest::Client,
    pub record: Record,
    next_transaction: AtomicI64,
}

impl World {
    pub fn new(config: &Config) -> Result<Self, reqwest::Error> {
        // Numbers begin at the clock, so that a sandbox started again over the same books never
        // reuses a transaction number.
        let first = (config.now)().max(0).saturating_mul(1000);
        Ok(Self {
            now: config.now.clone(),
            chance: Chance::new(config.seed),
            client: reqwest::Client::builder()
                .timeout(NOTICE_TIMEOUT)
                .connect_timeout(Duration::from_secs(5))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()?,
            record: Record::default(),
            next_transaction: AtomicI64::new(first),
        })
    }

    pub fn now(&self) -> i64 {
        (self.now)()
    }

    pub fn transaction_number(&self) -> i64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }
}
