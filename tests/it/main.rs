//! Black-box tests: one binary, one file a promise.

mod engines;
mod invoices;
mod support;
