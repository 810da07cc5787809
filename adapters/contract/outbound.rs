//! What we ask a provider to do, as data. Somebody else sends it.

use super::{Status, Vnd};

/// One attempt to collect one bill through one provider.
#[derive(Clone, Debug)]
pub struct Order {
    /// Unique per provider connection, in the form of [`OrderRefForm`](super::OrderRefForm); comes
    /// back in every notice.
    pub order_ref: String,
    pub amount: Vnd,
    /// Unaccented ASCII: several providers sign accents differently.
    pub description: String,
    pub created_at_unix: i64,
    pub expires_at_unix: i64,
    pub payer_ip: String,
    /// Where the payer's browser comes back to. It never changes money state.
    pub return_url: String,
    /// Where the provider reports to, for providers that take it per order.
    pub notice_url: String,
}

/// What one call is about.
#[derive(Clone, Debug)]
pub struct Errand<'a> {
    pub order: &'a Order,
    /// Unique per call and the same when the call is repeated: the provider's idempotency key.
    pub request_id: &'a str,
    /// Our clock when the call is built, seconds since 1970 UTC; a repeated call keeps it.
    pub at_unix: i64,
    /// The provider's number of the payment, once a notice or reply has told it.
    pub transaction_id: Option<&'a str>,
    /// What the provider called the order when it was created ([`Observation::provider_order`]).
    pub provider_order: Option<&'a str>,
    /// For refunds and questions about them.
    pub refund: Option<Refund<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Refund<'a> {
    /// Unique per connection, in the form of the order references; never that of an order.
    pub refund_ref: &'a str,
    pub amount: Vnd,
    /// Unaccented ASCII.
    pub reason: &'a str,
    /// Who asked for it, as a short ASCII name.
    pub requested_by: &'a str,
    /// What the provider called the refund, once known.
    pub provider_refund: Option<&'a str>,
}

/// A request to be sent by the outgoing client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What came back for a [`Call`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How a payer gets to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// Send the browser there.
    Redirect(String),
    /// Let the browser post these fields there, in this order.
    Form {
        action: String,
        fields: Vec<(String, String)>,
    },
    /// Send this, then read the reply with the adapter: [`Observation::redirect`] is the way on.
    Send(Call),
}

/// What a reply says about the request and about the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub reception: Reception,
    /// Of the payment, or of the refund when that was asked for or about: then
    /// [`Status::Refunded`] is done, [`Status::Pending`] under way, [`Status::Failed`] refused.
    /// [`Status::Unknown`] when the reply does not say.
    pub status: Status,
    pub transaction_id: Option<String>,
    pub order_ref: Option<String>,
    pub amount: Option<Vnd>,
    pub currency: Option<String>,
    /// Movements of money the reply lists, each a transaction of its own. Then they are what was paid,
    /// and `amount` is only their sum.
    pub transfers: Vec<Transfer>,
    /// Where to send the payer's browser, after a creation.
    pub redirect: Option<String>,
    /// VietQR text to show as a picture, after a creation.
    pub qr: Option<String>,
    /// What the provider calls the order or refund; to be kept and given back in later errands.
    pub provider_order: Option<String>,
    /// The provider's own code, for the log and for support.
    pub code: Option<String>,
    pub message: Option<String>,
}

/// One movement of money towards us, as a reply lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The number under which a notice of the same movement comes.
    pub transaction_id: String,
    pub amount: Vnd,
    pub currency: String,
    /// Seconds since 1970 UTC.
    pub occurred_at_unix: Option<i64>,
    pub memo: Option<String>,
}

/// What became of our request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reception {
    /// Carried out or under way: the status says how far.
    Taken,
    /// Refused for good; nothing happened.
    Refused,
    /// The provider knows no such order, transaction or refund.
    NotFound,
    /// Seen before: ask for its state.
    Repeated,
    /// Maintenance or too many calls: nothing happened, repeat later.
    Later,
    /// It cannot be told: ask before anything is repeated.
    Unclear,
}

/// Why an adapter could not build or read a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub retry: Retry,
    pub message: String,
}

impl Fault {
    /// A request that cannot be built; nothing has left the house.
    pub fn never(message: impl Into<String>) -> Self {
        Self {
            retry: Retry::Never,
            message: message.into(),
        }
    }
}

/// What may be done after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Repeating cannot help.
    Never,
    /// Nothing has happened on the other side.
    Safe,
    /// It may have happened: query before repeating.
    AskFirst,
}
