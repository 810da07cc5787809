//! Promises of invoices: what is signed verifies anywhere, what was changed is refused, numbers have
//! no gap, and the tax authority is asked before anything is repeated.

mod before_life;
mod books;
#[cfg(feature = "sandbox")]
mod carriers;
#[cfg(feature = "sandbox")]
mod corpus;
#[cfg(feature = "sandbox")]
mod declarations;
mod documents;
#[cfg(feature = "sandbox")]
mod exchange;
mod held_keys;
mod issuing;
mod keys;
mod life;
mod messages;
mod mutations;
mod nodes;
mod outside_verifiers;
mod receipts;
mod samples;
mod verifier;
mod verifier_over_http;
