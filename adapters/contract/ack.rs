//! What we answer a provider, in our words and in theirs.

use serde::{Deserialize, Serialize};

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

/// The HTTP answer a provider expects for an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub status: u16,
    /// `None` for an empty body.
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}
