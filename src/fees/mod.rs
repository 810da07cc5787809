//! What is owed: fee catalogue, dated prices, rounds, bills and the codes that name them.
//!
//! Not here: who paid (`payments`), what is documented (`invoices`), who the pupils are (`schools`).

pub mod bill_code;
pub mod catalogue;
pub mod check;
pub mod memo;
pub mod pages;
pub mod parameters;
mod pricing;
pub mod rules;
pub mod service;
pub mod store;

pub mod vietqr;
pub mod vocabulary;
