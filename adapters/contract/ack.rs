//! What we answer a provider, in our words and in theirs.

use serde::{Deserialize, Serialize};

use super::{Credentials, Flow, Inbound};

/// What became of an inbound message, after the durable commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Recorded now. Also for a failed payment: the message was understood.
    Accepted,
    /// Recorded before.
    Repeated,
    UnknownOrder,
    AmountDiffers,
    /// Signature or credential missing or wrong.
    NotAuthentic,
    /// Authentic but unusable: malformed, other currency, other merchant.
    Unusable,
    /// Our own trouble: the provider must call again.
    Temporary,
}

impl Outcome {
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Repeated,
        Self::UnknownOrder,
        Self::AmountDiffers,
        Self::NotAuthentic,
        Self::Unusable,
        Self::Temporary,
    ];

    /// The stable code, as in recipes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::UnknownOrder => "unknown_order",
            Self::AmountDiffers => "amount_differs",
            Self::NotAuthentic => "not_authentic",
            Self::Unusable => "unusable",
            Self::Temporary => "temporary",
        }
    }
}

/// The message that is being answered: some providers want parts of it back, some a signature.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub flow: Flow,
    pub inbound: &'a Inbound,
    pub credentials: &'a Credentials,
    /// The payment's number in our books, for providers that want one; the provider's own
    /// transaction number stands in where there is none.
    pub our_reference: Option<&'a str>,
}

/// The HTTP answer a provider expects for an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub status: u16,
    /// `None` for an empty body.
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}
