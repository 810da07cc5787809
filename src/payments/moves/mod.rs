//! Money that moves after it was posted: taken back, assigned from suspense, used from credit, on its
//! way back to a family.
//!
//! An allocation is a lot of one payment in one place. A movement takes from lots (`moved_on`, which a
//! constraint holds to the amount of the lot) and adds the lots it lays down; it never deletes. Bill
//! lines, bills, credits and the spread of a payment follow in the same transaction, under the lock of
//! the school's ledger head, with one journal entry.

mod apply;
pub mod jobs;
pub mod rules;
pub mod service;
pub(crate) mod store;

pub use apply::{Moved, Order, apply};
pub use service::{MoveError, Refusal};
