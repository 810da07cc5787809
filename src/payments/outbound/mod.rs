//! What we ask providers for: payments to be made, money to be paid back, and what became of them.

pub mod rules;
#[cfg(test)]
mod rules_tests;
