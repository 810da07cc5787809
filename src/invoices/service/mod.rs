//! Use cases: number and sign the invoices of payments, exchange them with the tax authority, keep
//! the keys. Every step is a compare-and-set and may be repeated.

mod batch;
mod draft;
mod exchange;
mod issue;
mod keys;
mod number;
mod receipts;

pub(super) use batch::{Content, Task, sign_all};
pub(super) use draft::{Profile, Profiles, WIDEST_NUMBER};
pub use exchange::{Exchange, HttpAnswer, Line, Outside, Progress, collect, send};
pub(super) use exchange::{Trouble, ask, outage_pause, pause};
pub use issue::{Issued, issue, issue_wanted, sign_numbered};
pub use keys::{KeyRing, ListedKey, Signers, install_key, list_keys, register_certificate};
pub use receipts::{receipt_payments, receipt_wanted};

pub use super::key_store::Registered;

use super::signature::{KeyError, SignError};
use super::xml::ContentError;
use crate::money::MoneyError;
use crate::schools::parameters::ParameterError;
use crate::sealing::SealError;
use crate::store::StoreError;

/// Names of the jobs of this module.
pub mod kinds {
    /// Subject: payment. Numbers and signs.
    pub const ISSUE: &str = "invoice.issue";
    /// Subject: invoice. Signs a correction or a mended invoice.
    pub const SIGN: &str = "invoice.sign";
    /// Subject: invoice. Sends it to the authority.
    pub const SEND: &str = "invoice.send";
    /// Subject: invoice. Fetches the authority's answer.
    pub const COLLECT: &str = "invoice.collect";
}

/// Why a use case of invoices did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("payment {0} is not known")]
    UnknownPayment(String),
    #[error("invoice {0} is not known")]
    UnknownInvoice(String),
    #[error("school {0} is not known")]
    UnknownSchool(String),
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error("stored {what} {value:?} is not understood")]
    Stored { what: &'static str, value: String },
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error("invoice content: {0}")]
    Content(#[from] ContentError),
    #[error("school {0} has no signing key that holds now")]
    NoKey(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Dates in a series never fall, and no invoice is dated after today: the clock went back.
    #[error("series {symbol} already reaches {last_day}, after today")]
    SeriesAhead { symbol: String, last_day: String },
    #[error("the key belongs to tax code {found:?}, school {school} has {expected}")]
    KeyOfAnother {
        school: String,
        expected: String,
        found: Option<String>,
    },
    #[error("a task of this process ended early")]
    Interrupted,
}

impl InvoiceError {
    /// Whether repeating without a person's help may succeed.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Store(_) | Self::SeriesAhead { .. } | Self::Interrupted => true,
            // Somebody may enter the parameter, install or register the key, put the token back.
            Self::Parameter(_) | Self::NoKey(_) | Self::Sign(_) => true,
            Self::Key(error) => matches!(error, KeyError::Elsewhere(_)),
            Self::UnknownPayment(_)
            | Self::UnknownInvoice(_)
            | Self::UnknownSchool(_)
            | Self::Stored { .. }
            | Self::Money(_)
            | Self::Content(_)
            | Self::Seal(_)
            | Self::KeyOfAnother { .. } => false,
        }
    }
}
