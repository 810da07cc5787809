//! Promises of invoices: what is signed verifies anywhere, what was changed is refused, numbers have
//! no gap, and the tax authority is asked before anything is repeated.

mod books;
mod documents;
#[cfg(feature = "sandbox")]
mod exchange;
mod held_keys;
mod issuing;
mod keys;
mod messages;
mod nodes;
mod outside_verifiers;
mod receipts;
mod samples;
mod verifier;
