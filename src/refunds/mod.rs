//! Money on its way back to a family.
//!
//! A refund is a saga with a visible state, each step in `refund_event`:
//!
//! ```text
//! REQUESTED ──▶ SENT ──▶ DONE        DONE: paid out, journal entry, invoices are told
//!     │           │  ╲
//!     │           ▼   ▶ FAILED      FAILED: the money lies again where it was
//!     └──────▶  UNKNOWN ──▶ DONE / FAILED
//! ```
//!
//! When it is asked for, the money leaves its place (a bill line, credit, suspense) and is owed to the
//! payer (`account.REFUND_PAYABLE`), so that nobody can use it meanwhile. UNKNOWN is asked about before
//! anything is repeated: nothing leads from it back to SENT; a second try is a new refund after this
//! one has failed.
//!
//! Cash and bank transfers are recorded by the accountant. A refund through a provider is carried by
//! whatever talks to providers: it takes the job [`SEND_REFUND`] (subject: the refund), reads it with
//! [`service::outgoing`], and reports with [`service::advance`]. A signed notice of the provider
//! about it arrives as the job [`REFUND_CONFIRMED`](crate::payments::review::service::REFUND_CONFIRMED).
//!
//! The negative adjustment of the invoice is the last part of the saga: `document` goes from WAITING
//! to DONE or FAILED when invoices report with [`service::documented`].

pub mod jobs;
pub mod pages;
pub mod rules;
pub mod service;
pub mod store;

/// The job that asks a provider to pay back.
pub const SEND_REFUND: &str = "refund.send";
