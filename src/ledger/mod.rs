//! The journal: double entry, append-only, chained per school.
//!
//! Everybody may post here; the ledger itself calls nobody. A correction is a new entry that
//! reverses an old one. To add a kind of entry, extend [`EntryKind`] and post it from the feature
//! that knows why.

pub mod check;
mod rules;
mod store;

pub use rules::{EntryKind, Head, Line, Posting, PostingError, Side};
pub use store::{append, balances, lock_heads};
