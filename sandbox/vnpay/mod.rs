//! VNPAY's payment page, IPN, `querydr` and `refund` (PAY 2.1.0), seen from VNPAY's side.
//!
//! [`Terminal`] is one merchant's VNPAY and does no I/O. [`Vnpay`] holds many terminals behind one
//! address, as the demo needs them: the browser arrives with a signed pay request, chooses an
//! outcome, VNPAY reports it to the terminal's IPN address and sends the browser back. Without a
//! browser the same is driven by [`Vnpay::open`], [`Vnpay::notice`] and [`Vnpay::press`].

mod api;
mod request;
mod sign;
mod terminal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use crate::peer::{
    Book, Event, OrderState, Outcome, Peer, RawRequest, RawResponse, Reply, Transaction, counter,
};
use crate::station::{self, Station};
use crate::world::World;
use crate::{Answer, Notice, SandboxError, forms};

pub use request::{PayOrder, RequestError};
#[cfg(test)]
pub(crate) use sign::signed_query;
pub use terminal::Terminal;

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
    const fn outcome(self) -> Outcome {
        match self {
            Self::Paid => Outcome::Paid,
            Self::Cancelled => Outcome::Cancelled,
            Self::NoFunds => Outcome::Failed,
        }
    }
}

/// A finished press of a button on the payment page.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The signed return address the browser was sent to.
    pub return_to: String,
}

/// Many terminals behind one address.
pub struct Vnpay {
    world: Arc<World>,
    base_url: String,
    terminals: Mutex<BTreeMap<String, Arc<Station>>>,
    /// Orders of each terminal; they outlive its credentials.
    books: Mutex<BTreeMap<String, Arc<Book>>>,
}

pub(crate) fn routes(vnpay: Arc<Vnpay>) -> Router {
    Router::new()
        .route("/t/{tmn_code}/{*rest}", any(of_terminal))
        .fallback(by_content)
        .with_state(vnpay)
}

async fn of_terminal(
    State(vnpay): State<Arc<Vnpay>>,
    Path((tmn_code, rest)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(station) = vnpay.station(&tmn_code) else {
        return counter_refusal();
    };
    match station::read(request, &format!("/{rest}")).await {
        Ok(request) => station.answer(request).await,
        Err(refused) => refused,
    }
}

async fn by_content(State(vnpay): State<Arc<Vnpay>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let request = match station::read(request, &path).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let named = terminal::named_in(&request).and_then(|tmn_code| vnpay.station(&tmn_code));
    match named {
        Some(station) => station.answer(request).await,
        None if request.path == api::PATH => RawResponse::json(&serde_json::json!({
            "vnp_ResponseCode": "02",
            "vnp_Message": "Invalid TmnCode",
        }))
        .into_response(),
        None => counter_refusal(),
    }
}

fn counter_refusal() -> Response {
    let error = RequestError::UnknownTerminal;
    match counter::refuse(&error.to_string(), error.code()).reply {
        Reply::Answer(page) => page.into_response(),
        Reply::Silence => RawResponse::text(500, "").into_response(),
    }
}

impl Vnpay {
    pub(crate) fn new(world: Arc<World>, base_url: &str) -> Self {
        Self {
            world,
            base_url: format!("{base_url}/vnpay"),
            terminals: Mutex::default(),
            books: Mutex::default(),
        }
    }

    /// Adds a terminal, or replaces it with its orders kept.
    pub fn register(&self, merchant: Merchant) {
        let tmn_code = merchant.tmn_code.clone();
        let notify = merchant.ipn_url.clone();
        let book = self
            .books
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(tmn_code.clone())
            .or_insert_with(|| Arc::new(Book::new(self.world.transaction_range())))
            .clone();
        let terminal = Terminal::over(merchant, book);
        let base_url = format!("{}/t/{tmn_code}", self.base_url);
        let station = Station::new(self.world.clone(), Arc::new(terminal), base_url, notify);
        self.terminals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tmn_code, Arc::new(station));
    }

    fn station(&self, tmn_code: &str) -> Option<Arc<Station>> {
        self.terminals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tmn_code)
            .cloned()
    }

    /// One terminal as a peer.
    pub fn peer(&self, tmn_code: &str) -> Option<Arc<dyn Peer>> {
        self.station(tmn_code).map(|station| station.peer().clone())
    }

    fn known(&self, tmn_code: &str) -> Result<Arc<Station>, SandboxError> {
        self.station(tmn_code)
            .ok_or_else(|| SandboxError::Unknown("vnpay", tmn_code.to_owned()))
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
        self.opened(pay_url)
    }

    /// What VNPAY understands of a checkout redirect that reached it by other ways than HTTP.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] with the page's text when VNPAY refuses the request.
    pub fn arrive(&self, pay_url: &str) -> Result<PayOrder, SandboxError> {
        let (_, query) = pay_url.split_once('?').unwrap_or((pay_url, ""));
        let request = RawRequest::get(terminal::PAY_PATH, query.to_owned());
        let tmn_code = terminal::named_in(&request).unwrap_or_default();
        let station = self.known(&tmn_code)?;
        let now = self.world.now();
        match station
            .peer()
            .handle(&request, station.base_url(), now)
            .reply
        {
            Reply::Answer(page) if page.status < 400 => self.opened(pay_url),
            Reply::Answer(page) => Err(SandboxError::Refused(
                "vnpay",
                String::from_utf8_lossy(&page.body).into_owned(),
            )),
            Reply::Silence => Err(SandboxError::Refused("vnpay", String::new())),
        }
    }

    fn opened(&self, pay_url: &str) -> Result<PayOrder, SandboxError> {
        let (_, query) = pay_url.split_once('?').unwrap_or((pay_url, ""));
        let pairs = forms::pairs(query).unwrap_or_default();
        let text = |name| forms::value(&pairs, name).unwrap_or_default();
        let station = self.known(text("vnp_TmnCode"))?;
        let order = station
            .peer()
            .book()
            .order(text("vnp_TxnRef"))
            .ok_or_else(|| SandboxError::Unknown("vnpay", text("vnp_TxnRef").to_owned()))?;
        Ok(PayOrder {
            tmn_code: text("vnp_TmnCode").to_owned(),
            order_ref: order.reference,
            amount: order.amount,
            info: order.info,
            return_url: order.return_url,
            created_at: order.created_at,
            expires_at: order.expires_at.unwrap_or(i64::MAX),
        })
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
        let station = self.known(&order.tmn_code)?;
        Ok(Finished {
            return_to: station.press(&order.order_ref, result.outcome()).await?,
        })
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

    /// [`Self::notice`] of what now stands in VNPAY's own books as well, where questions find it.
    ///
    /// # Errors
    /// When the terminal is not registered.
    pub fn concluded(
        &self,
        order: &PayOrder,
        result: PayResult,
        amount: i64,
    ) -> Result<Notice, SandboxError> {
        let number = self.world.transaction_number();
        let at = self.world.now();
        let event = Event::paid(&order.order_ref, amount, number, at)
            .ending(result.outcome())
            .about(&order.info);
        let station = self.known(&order.tmn_code)?;
        let book = station.peer().book();
        if result == PayResult::Paid {
            book.record(&order.order_ref, Transaction { number, amount, at });
        } else if let Some(known) = book.orders().get_mut(&order.order_ref) {
            known.state = OrderState::Failed;
        }
        Ok(station.notice(&event))
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
        let number = self.world.transaction_number();
        let event = Event::paid(order_ref, amount, number, self.world.now())
            .ending(result.outcome())
            .about(info);
        Ok(self.known(tmn_code)?.notice(&event))
    }

    /// Calls the IPN address until the merchant says 00 or 02, at most ten times.
    pub async fn send_ipn(&self, notice: &Notice) -> Vec<Answer> {
        self.world.send(notice).await
    }
}
