//! One interface to every simulated provider, for tests, the conformance suite and the demo.
//!
//! A [`Peer`] is a provider as seen by one merchant, bank account or biller. It is pure but for its
//! own memory: it turns an [`Event`] into the exact bytes of a notice, answers the calls merchants
//! make ([`Peer::handle`]: create, query, refund and the payment page's buttons), and says what an
//! answer of ours means to it ([`Peer::reading`]). Time is always an argument, a notice is a
//! function of its event alone, and nothing touches the network; [`crate::Station`] puts the same
//! peer behind HTTP.
//!
//! Two kinds of misbehaviour:
//! * things correctly signed but wrong (unknown order, other amount, merchant or currency, failed
//!   after paid, a second transaction) are other [`Event`]s;
//! * things wrong on the wire (tampered, unsigned, cut, huge, mislabelled) are [`Fault`]s applied to
//!   the finished bytes by [`Fault::apply`]; [`faults`] lists all that make sense for a notice.
//!
//! Misbehaviour of the provider's own API is a lever of its [`Book`].
//!
//! A new peer is a folder that implements the trait, a line in [`all`], and a test against published
//! vectors in `testdata/`.

mod book;
pub(crate) mod counter;
mod event;
mod fault;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use crate::bank_bidv::{Bidv, Contract};

pub use book::{
    ApiFault, Book, Levers, NoticeLever, Order, OrderState, Refund, RefundFate, Transaction,
};
pub use event::{Event, Outcome};
pub use fault::{Fault, faults};
pub use wire::{Field, Place, RawRequest, RawResponse};
pub(crate) use wire::{plain, with_query};

/// What a provider can do, as data: it chooses which behaviours are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// How a payment begins.
    pub checkout: Checkout,
    /// A call that asks for the state of an order.
    pub queries: bool,
    /// A call that lists the movements of an account, for those whose notice never came.
    pub lists: bool,
    /// A call that returns money.
    pub refunds: bool,
    /// Outcomes that notices exist for. No other may be asked of [`Peer::notice`].
    pub reports: &'static [Outcome],
    /// The notice names the merchant, terminal or account it is for.
    pub names_merchant: bool,
    /// The notice names its currency.
    pub names_currency: bool,
    /// A signature covers the fields of [`Peer::signed_fields`]; otherwise a credential alone proves
    /// who speaks, and whoever has it can say anything.
    pub signs: bool,
    /// The answer to a question about an order is signed over its values; otherwise the connection
    /// alone vouches for it.
    pub signs_answers: bool,
    /// One call may report several movements, see [`Peer::batch`].
    pub batches: bool,
    /// The provider calls us once before the notice: for a token or a list of bills.
    pub prelude: bool,
    /// The reference is looked for in a free text that payers type.
    pub by_memo: bool,
}

/// How the payer gets to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// There is none: the payer transfers, or pays at the bank.
    None,
    /// The browser brings a signed query.
    Redirect,
    /// The browser posts a signed form.
    Form,
    /// We call, and are told where to send the browser.
    Call,
}

/// What an answer to a notice means to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Delivered: it is never sent again.
    Done,
    /// It will be sent again as long as the schedule lasts.
    Again,
    /// Not accepted, yet never sent again.
    Stopped,
}

/// When a notice is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Seconds to wait before the second, third, … delivery.
    pub waits: &'static [u32],
    /// Seconds after which no answer is taken as none.
    pub timeout: u32,
    /// What silence or a broken connection means.
    pub silence: Reading,
    /// False where the provider publishes no schedule and this is the most careful assumption.
    pub published: bool,
}

/// What came of a request to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Answer(RawResponse),
    /// The caller hears nothing until its own patience ends. Whether the request was carried out is
    /// what the caller has to find out.
    Silence,
}

/// A handled request, and the notices it set off.
#[derive(Clone, Debug)]
pub struct Served {
    pub reply: Reply,
    pub notices: Vec<Announced>,
}

impl Served {
    pub fn answer(response: RawResponse) -> Self {
        Self {
            reply: Reply::Answer(response),
            notices: Vec::new(),
        }
    }
}

/// Something the provider now reports on its own.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The address given with the order; `None` for the one registered on the provider's portal.
    pub address: Option<String>,
    pub event: Event,
    /// Sent so many times at once.
    pub copies: usize,
    pub delay: Duration,
}

/// Why the call before a notice did not lead to one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreludeError {
    #[error("status {0}")]
    Status(u16),
    #[error("the answer lacks {0}")]
    Lacks(&'static str),
    #[error("the signature of the answer is wrong")]
    Signature,
    #[error("refused with {0}")]
    Refused(String),
}

/// A provider as one merchant meets it.
pub trait Peer: Send + Sync {
    /// The folder's name in `adapters/` and the file's name among the vectors: `momo`.
    fn provider(&self) -> &'static str;

    /// `momo`, or `sepay-hmac` where a provider is met in several ways; unique in [`all`].
    fn name(&self) -> &'static str;

    /// What our side is configured with; names as in the published vectors.
    fn credentials(&self) -> Vec<(&'static str, String)>;

    /// Terminal, partner, account: whom the money is for, as notices name it.
    fn merchant(&self) -> &str;

    fn abilities(&self) -> Abilities;

    /// A well-formed reference of this provider for the `nth` order made at `at` (unix seconds).
    fn reference(&self, nth: u64, at: i64) -> String;

    /// The call the provider makes before the notice, if it makes one.
    fn prelude(&self, _event: &Event) -> Option<RawRequest> {
        None
    }

    /// Takes what the notice needs (token, bill) from our answer to [`Peer::prelude`].
    ///
    /// # Errors
    /// When the answer is not one the provider would go on from.
    fn read_prelude(&self, _: &mut Event, _: &RawResponse) -> Result<(), PreludeError> {
        Ok(())
    }

    /// The exact message about an event. The same event gives the same bytes.
    ///
    /// `path` is what follows the address registered with the provider, empty for most.
    fn notice(&self, event: &Event) -> RawRequest;

    /// The number of the movement as the notice states it.
    fn transaction_id(&self, event: &Event) -> String;

    /// One message about several events, where the provider sends such.
    fn batch(&self, _events: &[Event]) -> Option<RawRequest> {
        None
    }

    /// Where the signature of a notice covers a value, in a notice of this provider. Empty when
    /// nothing is signed.
    fn signed_fields(&self) -> Vec<Field>;

    /// Where the signature, key or token of a notice stands; a notice without it proves nothing.
    fn proof(&self) -> Vec<Field>;

    /// What the provider makes of our answer to a notice, its signature included where it has one.
    fn reading(&self, answer: &RawResponse) -> Reading;

    fn schedule(&self) -> Schedule;

    /// Orders, refunds and levers.
    fn book(&self) -> &Book;

    /// Answers a request a merchant or a browser makes, as a provider in good health does.
    /// `base_url` is where this peer is reached, for the addresses it gives out.
    fn serve(&self, request: &RawRequest, base_url: &str, now: i64) -> Served;

    /// [`Peer::serve`] under the levers of [`Peer::book`].
    fn handle(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        // Pages are for people and stay in order; levers are for calls between programs.
        let fault = if request.wants_page() {
            None
        } else {
            self.book().next_api_fault()
        };
        match fault {
            None => self.serve(request, base_url, now),
            Some(ApiFault::Unavailable) => Served::answer(RawResponse::text(503, "unavailable")),
            Some(ApiFault::Unheard) => Served {
                reply: Reply::Silence,
                notices: Vec::new(),
            },
            Some(ApiFault::Lost) => Served {
                reply: Reply::Silence,
                ..self.serve(request, base_url, now)
            },
            Some(ApiFault::ErrorAfterDoing) => Served {
                reply: Reply::Answer(RawResponse::text(500, "internal error")),
                ..self.serve(request, base_url, now)
            },
            Some(ApiFault::Garbled) => {
                let mut served = self.serve(request, base_url, now);
                if let Reply::Answer(answer) = &mut served.reply {
                    answer.body.truncate(answer.body.len() / 2);
                }
                served
            }
            Some(ApiFault::WrongSignature) => {
                let mut served = self.serve(request, base_url, now);
                if let Reply::Answer(answer) = &mut served.reply {
                    answer.spoil_numbers();
                }
                served
            }
        }
    }
}

/// Every provider with invented credentials. Where one is met in several ways there is a peer for
/// each.
pub fn all() -> Vec<Arc<dyn Peer>> {
    vec![
        Arc::new(crate::vnpay::Terminal::invented()),
        Arc::new(crate::momo::Momo::invented()),
        Arc::new(crate::zalopay::ZaloPay::invented()),
        Arc::new(crate::payos::PayOs::invented()),
        Arc::new(crate::sepay::Feed::invented(crate::sepay::Key::hmac())),
        Arc::new(crate::sepay::Feed::invented(crate::sepay::Key::api_key())),
        Arc::new(crate::sepay_pg::SepayPg::invented()),
        Arc::new(crate::casso::Casso::invented(crate::casso::Version::V1)),
        Arc::new(crate::casso::Casso::invented(crate::casso::Version::V2)),
        Arc::new(crate::onepay::OnePay::invented()),
        Arc::new(crate::ninepay::NinePay::invented()),
        Arc::new(crate::alepay::Alepay::invented()),
        Arc::new(crate::vietqr_callback::VietQrCallback::invented()),
        Arc::new(Bidv::invented(Contract::Md5Concat)),
        Arc::new(Bidv::invented(Contract::Sha256Pipes)),
        Arc::new(crate::bank_vietinbank::VietinBank::invented()),
        Arc::new(crate::bank_webhook::BankWebhook::invented()),
    ]
}

/// The peers of one provider, in the ways it is met.
pub fn of(provider: &str) -> Vec<Arc<dyn Peer>> {
    all()
        .into_iter()
        .filter(|peer| peer.provider() == provider)
        .collect()
}
