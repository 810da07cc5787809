//! Indicators of offices over the schools under them.

pub mod pages;
pub mod rules;
pub mod store;
