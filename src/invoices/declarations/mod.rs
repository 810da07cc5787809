//! What a seller declares to the tax authority beside its invoices: its registration (01/ĐKTĐ-HĐĐT,
//! message 100) and notices of invoices that are wrong in something that needs no correction
//! (04/SS-HĐĐT, message 300).
//!
//! A declaration is signed, sent and answered like an invoice, but has no number:
//!
//! ```text
//! SIGNED ─▶ SENT ─▶ ADMITTED (102) ─▶ ACCEPTED (103)      a registration
//! SIGNED ─▶ SENT ─────────────────▶ ACCEPTED (301)        a notice
//!              ╰──────────────────▶ REFUSED (999, 102, 103, 301)
//! ```
//!
//! An accepted registration enters its certificates, so that nothing else signs from then on.

pub mod document;
pub mod jobs;
pub mod service;
pub mod store;
