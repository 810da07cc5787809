//! VNPAY's payment page and IPN (PAY 2.1.0), seen from VNPAY's side.
//!
//! The browser arrives with a signed pay request, chooses an outcome, VNPAY reports it to the
//! merchant's registered IPN address and sends the browser back to the return address. Without a
//! browser the same is driven by [`Vnpay::open`], [`Vnpay::notice`] and [`Vnpay::press`].

mod pages;
mod request;
mod sign;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use reqwest::Method;

use crate::deliver::Peer;
use crate::world::World;
use crate::{Answer, Notice, SandboxError, forms, moment};

pub use request::{PayOrder, RequestError};
#[cfg(test)]
pub(crate) use sign::signed_query;

/// VNPAY calls an IPN address at most so often.
const IPN_CALLS_MAX: usize = 10;

/// A terminal as registered on VNPAY's merchant portal.
#[derive(Clone)]
pub struct Merchant {
    pub tmn_code: String,
    pub hash_secret: String,
    /// Where IPNs go; VNPAY knows it from the portal, not from the pay request.
    pub ipn_url: String,
    /// Shown to the payer.
    pub name: String,
}

/// How a payment ends, with VNPAY's codes for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayResult {
    Paid,
    /// `vnp_ResponseCode` 24
    Cancelled,
    /// `vnp_ResponseCode` 51
    NoFunds,
}

impl PayResult {
    fn codes(self) -> (&'static str, &'static str) {
        match self {
            Self::Paid => ("00", "00"),
            Self::Cancelled => ("24", "02"),
            Self::NoFunds => ("51", "02"),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::NoFunds => "no-funds",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Paid, Self::Cancelled, Self::NoFunds]
            .into_iter()
            .find(|result| result.word() == word)
    }
}

/// A finished press of a button on the payment page.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The signed return address the browser was sent to.
    pub return_to: String,
}

struct Open {
    order: PayOrder,
    used: bool,
}

pub struct Vnpay {
    world: Arc<World>,
    base_url: String,
    ipn_interval: Duration,
    merchants: Mutex<BTreeMap<String, Merchant>>,
    /// By terminal and order reference: a reference is paid once.
    orders: Mutex<BTreeMap<(String, String), Open>>,
}

pub(crate) fn routes(vnpay: Arc<Vnpay>) -> Router {
    Router::new()
        .route("/paymentv2/vpcpay.html", get(pages::choose))
        .route("/paymentv2/confirm", post(pages::confirm))
        .with_state(vnpay)
}

impl Vnpay {
    pub(crate) fn new(world: Arc<World>, base_url: &str, ipn_interval: Duration) -> Self {
        Self {
            world,
            base_url: base_url.to_owned(),
            ipn_interval,
            merchants: Mutex::default(),
            orders: Mutex::default(),
        }
    }

    /// Adds or replaces a terminal.
    pub fn register(&self, merchant: Merchant) {
        self.merchants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(merchant.tmn_code.clone(), merchant);
    }

    fn merchant(&self, tmn_code: &str) -> Option<Merchant> {
        self.merchants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tmn_code)
            .cloned()
    }

    fn orders(&self) -> MutexGuard<'_, BTreeMap<(String, String), Open>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads and checks a pay request, and opens the order it asks for.
    fn accept(&self, query: &str) -> Result<(Merchant, PayOrder), RequestError> {
        let tmn_code = request::tmn_code(query)?;
        let merchant = self
            .merchant(&tmn_code)
            .ok_or(RequestError::UnknownTerminal)?;
        let order = request::read(query, &merchant, self.world.now())?;
        let key = (order.tmn_code.clone(), order.order_ref.clone());
        let mut orders = self.orders();
        if orders.get(&key).is_some_and(|open| open.used) {
            return Err(RequestError::AlreadyPaid);
        }
        orders.insert(
            key,
            Open {
                order: order.clone(),
                used: false,
            },
        );
        Ok((merchant, order))
    }

    /// Follows a checkout redirect as a browser would, over HTTP, and returns what VNPAY understood.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] with the page's text when VNPAY refuses the request.
    pub async fn open(&self, pay_url: &str) -> Result<PayOrder, SandboxError> {
        let response = self.world.client.get(pay_url).send().await?;
        let status = response.status();
        let page = response.text().await?;
        if !status.is_success() {
            return Err(SandboxError::Refused("vnpay", page));
        }
        let (_, query) = pay_url.split_once('?').unwrap_or((pay_url, ""));
        let pairs = forms::pairs(query).unwrap_or_default();
        let text = |name| forms::value(&pairs, name).unwrap_or_default().to_owned();
        let key = (text("vnp_TmnCode"), text("vnp_TxnRef"));
        let orders = self.orders();
        let open = orders
            .get(&key)
            .ok_or_else(|| SandboxError::Unknown("vnpay", key.1.clone()))?;
        Ok(open.order.clone())
    }

    /// Presses a button of the payment page over HTTP: the IPN is sent by VNPAY's own rule and the
    /// browser's way back is returned.
    ///
    /// # Errors
    /// When the page does not answer with a redirect.
    pub async fn press(
        &self,
        order: &PayOrder,
        result: PayResult,
    ) -> Result<Finished, SandboxError> {
        let form = format!(
            "tmn={}&ref={}&bank=NCB&result={}",
            forms::encode(&order.tmn_code),
            forms::encode(&order.order_ref),
            result.word()
        );
        let response = self
            .world
            .client
            .post(format!("{}/vnpay/paymentv2/confirm", self.base_url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?;
        let location = response
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok());
        match location {
            Some(location) => Ok(Finished {
                return_to: location.to_owned(),
            }),
            None => Err(SandboxError::Refused("vnpay", response.text().await?)),
        }
    }

    /// An IPN about an order, ready to be delivered. `amount` other than the order's makes a
    /// correctly signed wrong amount.
    ///
    /// # Errors
    /// When the terminal is not registered.
    pub fn notice(
        &self,
        order: &PayOrder,
        result: PayResult,
        amount: i64,
    ) -> Result<Notice, SandboxError> {
        self.notice_for(
            &order.tmn_code,
            &order.order_ref,
            &order.info,
            result,
            amount,
        )
    }

    /// An IPN about any reference, known to the gateway or not.
    ///
    /// # Errors
    /// When the terminal is not registered.
    pub fn notice_for(
        &self,
        tmn_code: &str,
        order_ref: &str,
        info: &str,
        result: PayResult,
        amount: i64,
    ) -> Result<Notice, SandboxError> {
        let merchant = self
            .merchant(tmn_code)
            .ok_or_else(|| SandboxError::Unknown("vnpay", tmn_code.to_owned()))?;
        Ok(self
            .report(&merchant, order_ref, info, result, amount, "NCB")
            .0)
    }

    /// The notice, and the signed query that the IPN and the return both carry.
    fn report(
        &self,
        merchant: &Merchant,
        order_ref: &str,
        info: &str,
        result: PayResult,
        amount: i64,
        bank: &str,
    ) -> (Notice, String) {
        let number = self.world.transaction_number();
        let (response, status) = result.codes();
        let paid = result == PayResult::Paid;
        let transaction_id = if paid {
            number.to_string()
        } else {
            "0".to_owned()
        };
        let mut fields = vec![
            ("vnp_Amount", format!("{amount}00")),
            ("vnp_BankCode", bank.to_owned()),
            ("vnp_CardType", "ATM".to_owned()),
            ("vnp_OrderInfo", info.to_owned()),
            ("vnp_PayDate", moment::compact(self.world.now())),
            ("vnp_ResponseCode", response.to_owned()),
            ("vnp_TmnCode", merchant.tmn_code.clone()),
            ("vnp_TransactionNo", transaction_id.clone()),
            ("vnp_TransactionStatus", status.to_owned()),
            ("vnp_TxnRef", order_ref.to_owned()),
        ];
        if paid {
            fields.push(("vnp_BankTranNo", format!("VNP{number}")));
        }
        let query = sign::signed_query(&fields, &merchant.hash_secret);
        let notice = Notice {
            peer: Peer::Vnpay,
            transaction_id,
            amount,
            payee: merchant.tmn_code.clone(),
            reference: order_ref.to_owned(),
            money_in: paid,
            genuine: true,
            method: Method::GET,
            url: join(&merchant.ipn_url, &query),
            headers: Vec::new(),
            body: String::new(),
        };
        (notice, query)
    }

    /// Calls the IPN address until the merchant says 00 or 02, at most ten times.
    pub async fn send_ipn(&self, notice: &Notice) -> Vec<Answer> {
        let mut answers = vec![self.world.deliver(notice).await];
        if !answers[0].acknowledged {
            answers.extend(self.repeat_ipn(notice).await);
        }
        answers
    }

    /// The nine calls after a first one that was not acknowledged.
    async fn repeat_ipn(&self, notice: &Notice) -> Vec<Answer> {
        let mut answers = Vec::new();
        for _ in 1..IPN_CALLS_MAX {
            tokio::time::sleep(self.ipn_interval).await;
            let answer = self.world.deliver(notice).await;
            let done = answer.acknowledged;
            answers.push(answer);
            if done {
                break;
            }
        }
        answers
    }
}

fn join(address: &str, query: &str) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{query}")
}
