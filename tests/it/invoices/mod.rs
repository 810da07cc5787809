//! Promises of invoices: what is signed verifies anywhere, and what was changed is refused.

mod keys;
mod messages;
mod outside_verifiers;
mod samples;
mod verifier;
