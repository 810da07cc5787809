//! The journal: double entry, append-only, chained and sealed per school.
//!
//! Everybody may post here; the ledger itself calls nobody. A correction is a new entry that
//! reverses an old one. To add a kind of entry, extend [`EntryKind`] and post it from the feature
//! that knows why.

mod chain;
pub mod check;
mod head;
mod lines;
pub mod period;
mod period_store;
mod rotate;
mod rules;
mod statement;
mod store;

pub use chain::ChainKeys;
pub use head::{Head, HeadError};
pub use rotate::rotate;
pub use rules::{EntryKind, Line, Posting, PostingError, Side};
pub use statement::{AccountLine, AsOf, Wanted, account_lines, balances_at, entry_lines};
pub use store::{Heads, append, balances, hold_heads, lock_heads};
