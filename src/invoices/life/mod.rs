//! What happens to an invoice after it is issued: adjusted, replaced, corrected after a refund, or
//! mended after a refusal. Nothing is ever cancelled (TT 91/2026 art. 10).
//!
//! An invoice and its corrections are a *chain*: the root, what replaced it, what adjusts it. The
//! newest correction keeps the *content* of the whole chain (buyer, and for each collected amount its
//! name, rate and đồng), so that every correction is the difference between two contents.
//! `invoice_line` says which đồng the root documents; `invoice_change` by how much a correction
//! changes that.
//!
//! - [`rules`]: which correction is allowed; the first method binds.
//! - [`content`]: from two contents to the lines of the new invoice.
//! - [`service`]: decides number and content in one transaction; signature and exchange follow.
//! - [`movements`]: what money that moved asks for: the saga of a refund's document, further invoices.

pub mod content;
pub mod jobs;
pub mod movements;
pub mod pages;
pub mod rules;
pub mod service;
pub mod store;
