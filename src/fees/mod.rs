//! What is owed: fee catalogue, dated prices, rounds, bills and the codes that name them.
//!
//! Not here: who paid (`payments`), what is documented (`invoices`), who the pupils are (`schools`).

pub mod bill_code;
pub mod memo;
pub mod pages;
pub mod vietqr;
