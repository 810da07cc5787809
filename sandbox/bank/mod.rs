//! A payer's bank and the bank feed of the receiving accounts.
//!
//! The payer reads a VietQR, may change amount and memo, and confirms. The receiving bank shows the
//! memo as such banks do ([`Rendering`]), and a SePay-shaped feed reports the credit to the address
//! registered for the account, with SePay's own retry rule. Without a browser the same is driven by
//! [`Bank::scan`] and [`Bank::notice`].

mod memo;
mod pages;
pub(crate) mod vietqr;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::peer::{Event, Outcome, RawResponse};
use crate::sepay::Feed;
use crate::station::{self, Station};
use crate::world::World;
use crate::{Answer, Notice, SandboxError};

pub use crate::sepay::Key as FeedKey;
pub use memo::{Rendering, fold};
pub use vietqr::{QrError, VietQr};

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
    feed: Arc<Station>,
    balance: i64,
}

/// The payment code configured in the feed's dashboard: prefix and length of what follows.
const PAYMENT_CODE: (&str, usize) = ("HPZ", 10);

/// The feed's name of the receiving bank.
fn bank_name(bin: &str) -> &'static str {
    match bin {
        "970436" => "Vietcombank",
        "970415" => "VietinBank",
        "970418" => "BIDV",
        "970405" => "Agribank",
        "970422" => "MBBank",
        "970407" => "Techcombank",
        "970416" => "ACB",
        "970423" => "TPBank",
        _ => "Bank",
    }
}

pub struct Bank {
    world: Arc<World>,
    base_url: String,
    accounts: Mutex<BTreeMap<String, Held>>,
}

pub(crate) fn routes(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/pay", get(pages::review).post(pages::confirm))
        .route("/feed/{account}/{*rest}", any(of_feed))
        .with_state(bank)
}

async fn of_feed(
    State(bank): State<Arc<Bank>>,
    Path((account, rest)): Path<(String, String)>,
    request: Request,
) -> Response {
    let feed = match bank.feed(&account) {
        Ok(feed) => feed,
        Err(error) => return RawResponse::text(404, &error.to_string()).into_response(),
    };
    match station::read(request, &format!("/{rest}")).await {
        Ok(request) => feed.answer(request).await,
        Err(refused) => refused,
    }
}

impl Bank {
    pub(crate) fn new(world: Arc<World>, base_url: &str) -> Self {
        Self {
            world,
            base_url: base_url.to_owned(),
            accounts: Mutex::default(),
        }
    }

    /// Adds or replaces a receiving account, known by its number.
    pub fn register(&self, account: Account) {
        let feed = Feed::new(
            &account.number,
            bank_name(&account.bin),
            account.key.clone(),
            PAYMENT_CODE,
            self.world.transaction_range(),
        );
        let feed = Station::new(
            self.world.clone(),
            Arc::new(feed),
            format!("{}/bank/feed/{}", self.base_url, account.number),
            account.webhook_url.clone(),
        );
        self.accounts().insert(
            account.number.clone(),
            Held {
                account,
                feed: Arc::new(feed),
                balance: 0,
            },
        );
    }

    /// The feed of an account: its list of movements is served at [`Station::base_url`].
    ///
    /// # Errors
    /// When the account is not registered.
    pub fn feed(&self, number: &str) -> Result<Arc<Station>, SandboxError> {
        self.accounts()
            .get(number)
            .map(|held| held.feed.clone())
            .ok_or_else(|| SandboxError::Unknown("bank", number.to_owned()))
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
        let mut event = Event::paid(
            &shown,
            transfer.amount,
            self.world.transaction_number(),
            self.world.now(),
        );
        if transfer.outgoing {
            event.outcome = Outcome::Outgoing;
        }
        event.echo.push(("balance", balance.to_string()));
        let feed = self.feed(&account.number)?;
        feed.peer().book().happened(&event);
        Ok(feed.notice(&event))
    }

    /// Delivers until the receiver says success, at most eight times in SePay's rhythm. Repeats of a
    /// genuine notice carry a fresh stamp; a forged one is repeated as it is.
    pub async fn send(&self, notice: &Notice) -> Vec<Answer> {
        self.world.send(notice).await
    }
}
