//! From the content of an invoice to `<HDon><DLHDon Id="…">…</DLHDon>`, ready to be signed.

pub(in crate::invoices) mod fields;
mod invoice;
pub mod reader;
mod writer;

pub use fields::ContentError;
pub use invoice::{Unsigned, data_id, write_invoice};
pub use writer::{Writer, push_attribute, push_text};
