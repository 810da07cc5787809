//! Black-box tests: one binary, one file a promise.

mod engines;
mod flows;
mod house;
mod invoices;
mod program;
mod providers;
mod screens;
mod simulation;
mod support;
