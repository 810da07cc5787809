//! Legal e-invoices: content, canonical XML, signature, gapless numbers, the exchange with the tax
//! authority, and a verifier for anybody's files.
//!
//! What it is not: it decides no fees and moves no money. A posted payment enqueues the job
//! `invoice.issue`, and everything here follows from that.
//!
//! The common change is a new element of the format: add it to [`document`], write it in
//! `xml/invoice.rs` at its place in the table, and allow it in `verify/schema.rs`.

pub mod api;
pub mod archive;
pub mod check;
mod check_store;
pub mod conversation;
pub mod deadline;
pub mod declarations;
pub mod document;
mod exchange_store;
pub mod jobs;
mod key_store;
pub mod life;
pub mod messages;
pub mod pages;
pub mod receipt;
mod receipt_store;
pub mod rendition;
pub mod rules;
pub mod service;
pub mod signature;
pub mod spoken;
mod store;
pub mod tax_code;
pub mod verify;
pub mod words;
pub mod xml;

pub use store::{InvoiceKind, InvoiceState};
