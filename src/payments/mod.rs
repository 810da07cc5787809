//! Money coming in: checkout, notices, the inbox, posting.
//!
//! The story of one payment: an adapter proves a notice, [`Desk`] gathers concurrent ones into one
//! transaction, [`rules`] decides from a snapshot, [`posting_store`] writes everything, and only
//! then is the provider answered. Invoices follow through a job; payments never imports them.
//!
//! # What may follow a receipt
//! A payment is *confirmed* by a provider's signed word and *settled* when the money is the school's: a
//! bank credit or cash at once, an intermediary's money by its settlement line. Before that it is only
//! *claimed*. Each step keeps its evidence ([`evidence_store`]). Later its money may move ([`moves`]):
//! taken back, assigned from suspense, used from credit, refunded (`refunds`). What a notice does not
//! say plainly waits for a person ([`review`]).
//!
//! # Jobs for invoices
//! Their handlers are owned by `invoices`. A reader finds everything by the subject:
//! - `invoice.issue`, subject a payment: money of it lies on bill lines for the first time (`allocation`
//!   with target `BILL_LINE`). Allocations that have moved on entirely (`moved_on = amount`) want no
//!   document.
//! - `invoice.allocated`, subject a movement: money of payments that may be documented already came to
//!   further bill lines, or came back to one because a refund failed: the allocations with that
//!   `move_id`. What came back wants no document when it had one before it left.
//! - `invoice.refunded`, subject a movement: money left bill lines: the parts of that movement
//!   (`money_move_part`) whose `from_seq` is an allocation to a bill line. What stands in `invoice_line`
//!   for (payment, from_seq) wants a negative adjustment of the part's amount; what was never
//!   documented wants nothing, once no `invoice.issue` of the payment waits. When the movement belongs to
//!   a refund, the handler reports with `refunds::service::documented`.

pub mod allocation;
pub mod books;
pub mod chart;
pub mod check;
pub mod connections;
mod desk;
pub mod evidence_store;
pub mod http;
mod inquiry;
pub mod lineage;
pub mod listing;
pub mod messages;
pub mod moves;
pub mod outbound;
pub mod pages;
mod posting;
mod posting_store;
pub mod receive;
pub mod review;
pub mod rules;
pub mod service;
mod snapshot;
mod spread;
mod store;
pub mod trust;

pub use desk::{Desk, DeskFull, Limits};
pub use posting::{INVOICE_ALLOCATED, INVOICE_REFUNDED, ISSUE_INVOICE, PostError, Poster};
