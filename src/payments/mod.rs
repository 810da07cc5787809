//! Money coming in: checkout, notices, the inbox, posting.
//!
//! The story of one payment: an adapter proves a notice, [`Desk`] gathers concurrent ones into one
//! transaction, [`rules`] decides from a snapshot, [`posting_store`] writes everything, and only
//! then is the provider answered. Invoices follow through a job; payments never imports them.

pub mod allocation;
pub mod books;
pub mod chart;
pub mod check;
pub mod connections;
mod desk;
pub mod http;
pub mod pages;
mod posting;
mod posting_store;
pub mod rules;
pub mod service;
mod snapshot;
mod spread;
mod store;

pub use desk::{Desk, DeskFull};
pub use posting::{ISSUE_INVOICE, PostError, Poster, post};
