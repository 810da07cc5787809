//! A payer's bank and the bank feed of the receiving accounts.
//!
//! The payer reads a VietQR, may change amount and memo, and confirms. The receiving bank shows the
//! memo as such banks do ([`Rendering`]), and a SePay-shaped feed reports the credit to the address
//! registered for the account, with SePay's own retry rule. Without a browser the same is driven by
//! [`Bank::scan`] and [`Bank::notice`].

mod feed;
mod memo;
mod pages;
mod vietqr;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use crate::world::World;
use crate::{Answer, Notice, SandboxError};

pub use memo::{Rendering, fold};
pub use vietqr::{QrError, VietQr};

/// Waits between two deliveries, in SePay's minutes.
const FEED_WAITS_MINUTES: [u32; 7] = [1, 1, 2, 3, 5, 8, 13];

/// How the feed proves itself for one account.
#[derive(Clone)]
pub enum FeedKey {
    /// `Authorization: Apikey <key>`
    ApiKey(String),
    /// `X-SePay-Signature` over timestamp and body.
    Hmac(String),
}

/// A receiving account and where its credits are reported.
#[derive(Clone)]
pub struct Account {
    pub bin: String,
    pub number: String,
    pub holder: String,
    pub webhook_url: String,
    pub key: FeedKey,
}

/// Money on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub account: String,
    /// Whole đồng.
    pub amount: i64,
    /// As the payer typed it.
    pub memo: String,
    /// Drawn among those of the receiving bank when not given.
    pub rendering: Option<Rendering>,
    /// The account pays instead of receiving.
    pub outgoing: bool,
}

struct Held {
    account: Account,
    balance: i64,
}

pub struct Bank {
    world: Arc<World>,
    base_url: String,
    minute: Duration,
    accounts: Mutex<BTreeMap<String, Held>>,
}

pub(crate) fn routes(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/pay", get(pages::review).post(pages::confirm))
        .with_state(bank)
}

impl Bank {
    pub(crate) fn new(world: Arc<World>, base_url: &str, minute: Duration) -> Self {
        Self {
            world,
            base_url: base_url.to_owned(),
            minute,
            accounts: Mutex::default(),
        }
    }

    /// Adds or replaces a receiving account, known by its number.
    pub fn register(&self, account: Account) {
        self.accounts().insert(
            account.number.clone(),
            Held {
                account,
                balance: 0,
            },
        );
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self, number: &str) -> Result<Account, SandboxError> {
        self.accounts()
            .get(number)
            .map(|held| held.account.clone())
            .ok_or_else(|| SandboxError::Unknown("bank", number.to_owned()))
    }

    /// The address a "pay with the sandbox bank" link leads to.
    pub fn pay_link(&self, qr: &str) -> String {
        format!("{}/bank/pay?qr={}", self.base_url, crate::forms::encode(qr))
    }

    /// What a payer's app reads from a QR: the receiving account, amount and memo.
    ///
    /// # Errors
    /// When the payload is no VietQR or names an account nobody registered.
    pub fn scan(&self, qr: &str) -> Result<Transfer, SandboxError> {
        let read =
            vietqr::read(qr).map_err(|error| SandboxError::Refused("bank", error.to_string()))?;
        let account = self.account(&read.account)?;
        if account.bin != read.bin {
            return Err(SandboxError::Unknown(
                "bank",
                format!("{} {}", read.bin, read.account),
            ));
        }
        Ok(Transfer {
            account: read.account,
            amount: read.amount.unwrap_or(0),
            memo: read.memo,
            rendering: None,
            outgoing: false,
        })
    }

    /// Moves the money and makes the feed's notice of it, ready to be delivered.
    ///
    /// # Errors
    /// When the account is not registered.
    pub fn notice(&self, transfer: &Transfer) -> Result<Notice, SandboxError> {
        let account = self.account(&transfer.account)?;
        let rendering = transfer.rendering.unwrap_or_else(|| {
            let usual = Rendering::of_bank(&account.bin);
            usual[self.world.chance.index(usual.len())]
        });
        let shown = memo::render(
            rendering,
            &transfer.memo,
            &account,
            self.world.now(),
            &self.world.chance,
        );
        let change = if transfer.outgoing {
            -transfer.amount
        } else {
            transfer.amount
        };
        let balance = match self.accounts().get_mut(&account.number) {
            Some(held) => {
                held.balance = held.balance.saturating_add(change);
                held.balance
            }
            None => change,
        };
        Ok(feed::notice(
            &self.world,
            &account,
            transfer,
            shown,
            balance,
        ))
    }

    /// Delivers until the receiver says success, at most eight times in SePay's rhythm.
    pub async fn send(&self, notice: &Notice) -> Vec<Answer> {
        let mut answers = vec![self.world.deliver(notice).await];
        for minutes in FEED_WAITS_MINUTES {
            if answers.last().is_some_and(|answer| answer.acknowledged) {
                break;
            }
            tokio::time::sleep(self.minute * minutes).await;
            answers.push(self.world.deliver(notice).await);
        }
        answers
    }
}
