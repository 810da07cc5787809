//! A bank asks what a customer owes.

use super::{Outcome, Vnd};

/// The question of a bank's counter or application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Customer code as the payer typed it: a bill code or pupil code of ours.
    pub customer_ref: String,
    /// The bank's number of our service.
    pub service: Option<String>,
    /// The bank's number of this question, for the log.
    pub request_id: Option<String>,
}

/// What the customer owes at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debtor {
    pub customer_ref: String,
    /// Shown to the payer before paying. Adapters write it in the form the bank wants.
    pub name: String,
    /// Class and school, for the payer to recognise.
    pub address: String,
    /// Oldest first; never empty.
    pub bills: Vec<OpenBill>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBill {
    /// Comes back in the payment.
    pub bill_ref: String,
    /// What is open now.
    pub amount: Vnd,
    /// Such as `09/2026`.
    pub period: String,
    pub description: String,
}

/// What we tell the bank.
#[derive(Clone, Copy, Debug)]
pub enum InquiryAnswer<'a> {
    Bills(&'a Debtor),
    /// The customer is known and owes nothing.
    NothingDue,
    UnknownCustomer,
    /// The question was not the bank's, or not readable, or we are in trouble.
    Refused(Outcome),
}
