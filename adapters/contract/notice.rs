//! What a provider tells us, and how sure we are that the provider said it.

use serde::{Deserialize, Serialize};

use super::{Outcome, Vnd};

/// An inbound message exactly as it arrived: several schemes cannot be re-derived after parsing.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    pub method: String,
    pub path: String,
    /// The raw query, without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Our clock, seconds since 1970 UTC; used where a provider's timestamp must be fresh.
    pub received_at_unix: i64,
}

impl Inbound {
    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The provider's statement in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The provider's own number of the money movement; `None` when no money moved (VNPAY writes 0).
    pub transaction_id: Option<String>,
    /// The order reference we gave the provider, when the message carries one.
    pub order_ref: Option<String>,
    pub amount: Vnd,
    /// ISO 4217; anything but `VND` is never settled.
    pub currency: String,
    pub status: Status,
    /// Why the status is what it is, where that is not plain ([`Reason::Outgoing`], [`Reason::TestPing`]),
    /// or [`Reason::WrongMerchant`] when the message names a terminal or account that is not the
    /// connection's. A test ping that speaks of a payment is one only while no order fits it.
    pub remark: Option<Reason>,
    /// The bill the payer chose from the answer to an inquiry.
    pub bill_ref: Option<String>,
    /// When the provider says the money moved; seconds since 1970 UTC.
    pub occurred_at_unix: Option<i64>,
    /// Free text of a transfer, in which a bill code may stand.
    pub memo: Option<String>,
    /// The account that received the money, for bank credits.
    pub account: Option<String>,
    /// The bank's reference of the movement, for reconciliation.
    pub bank_reference: Option<String>,
    /// Merchant or terminal number the message names.
    pub merchant: Option<String>,
}

/// Normal form of a provider's status codes (reference: payment-providers §1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Paid,
    /// Final, no money moved.
    Failed,
    /// Ask again later.
    Pending,
    /// Held on the payer's side, not captured.
    Authorized,
    /// Money may have moved; a person decides.
    Review,
    Reversed,
    Refunded,
    Expired,
    /// Not a payment to us: an outgoing transfer, a test ping.
    Ignored,
    Unknown,
}

impl Status {
    /// The stable code, as in vector files.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Review => "review",
            Self::Reversed => "reversed",
            Self::Refunded => "refunded",
            Self::Expired => "expired",
            Self::Ignored => "ignored",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a message was refused or not settled. The text form is stable: programs match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    BadSignature,
    MissingSignature,
    BadCredentials,
    MissingCredentials,
    StaleTimestamp,
    Malformed,
    DuplicateParameter,
    OrderNotFound,
    AmountMismatch,
    WrongCurrency,
    WrongMerchant,
    Outgoing,
    TestPing,
}

impl Reason {
    /// The stable code, as in vector files, logs and problem documents.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::MissingSignature => "missing_signature",
            Self::BadCredentials => "bad_credentials",
            Self::MissingCredentials => "missing_credentials",
            Self::StaleTimestamp => "stale_timestamp",
            Self::Malformed => "malformed",
            Self::DuplicateParameter => "duplicate_parameter",
            Self::OrderNotFound => "order_not_found",
            Self::AmountMismatch => "amount_mismatch",
            Self::WrongCurrency => "wrong_currency",
            Self::WrongMerchant => "wrong_merchant",
            Self::Outgoing => "outgoing",
            Self::TestPing => "test_ping",
        }
    }
}

/// A message that did not pass: nothing in it may be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct Rejection {
    pub reason: Reason,
    /// For the log and for integrators; never holds a secret.
    pub detail: String,
}

impl Rejection {
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    /// What the provider is told about the refusal.
    pub const fn outcome(&self) -> Outcome {
        match self.reason {
            Reason::BadSignature
            | Reason::MissingSignature
            | Reason::BadCredentials
            | Reason::MissingCredentials
            | Reason::StaleTimestamp => Outcome::NotAuthentic,
            Reason::Malformed
            | Reason::DuplicateParameter
            | Reason::OrderNotFound
            | Reason::AmountMismatch
            | Reason::WrongCurrency
            | Reason::WrongMerchant
            | Reason::Outgoing
            | Reason::TestPing => Outcome::Unusable,
        }
    }
}

/// The notices of one message.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    /// In the order of the message.
    pub read: Vec<Verified<Notice>>,
    /// Items of an authentic batch that cannot be read: for a person, and no reason to have the rest
    /// sent again.
    pub unreadable: Vec<Rejection>,
}

/// A value whose origin was proven by a signature or credential check. Only the engine that did
/// the check can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn after_check(value: T) -> Self {
        Self(value)
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
