//! Catching up: movements whose notice never came, found in the provider's own list.
//!
//! A provider stops repeating a notice after a while (SePay after 33 minutes); what a longer outage lost
//! stands only in its list. [`rules`] says from where the list is read again, [`service`] reads it to
//! the end and hands what is not known yet to the posting desk, under the number its notice would
//! have borne; [`jobs`] does so for every connection that has the means, on one node at a time.
//! The cursor moves only over what is in the books.

pub mod jobs;
pub mod rules;
pub mod service;
pub mod store;
