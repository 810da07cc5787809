//! What we ask providers for: payments to be made, money to be paid back, and what became of them.
//!
//! [`rules`] is the one state machine, [`service`] takes a step, [`jobs`] follows what is due. What a
//! question finds goes through the posting desk like a notice, so that a payment found by asking and
//! told later is posted once.

pub mod call;
mod found;
pub mod jobs;
pub mod request;
pub mod rules;
#[cfg(test)]
mod rules_tests;
pub mod service;
pub mod store;
