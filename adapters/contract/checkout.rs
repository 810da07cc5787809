//! What we ask a provider to do, as data. Somebody else sends it.

use super::Vnd;

/// One attempt to collect one bill through one provider.
#[derive(Clone, Debug)]
pub struct Order {
    /// Unique per provider connection; comes back in every notice.
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

/// A request to be sent by the outgoing client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How a payer gets to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// Send the browser there.
    Redirect(String),
    /// Send this, then read the reply with the adapter.
    Send(Call),
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
