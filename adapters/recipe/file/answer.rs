//! `[acknowledge]`, `[inquiry]`, `[token]`: what we answer.

use serde::Deserialize;
use toml::Spanned;

use super::Names;
use crate::contract::Outcome;

/// Answers by outcome; `wrong_merchant` in place of the unusable.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct AnswersFile {
    pub(in crate::recipe) accepted: Option<Spanned<AckFile>>,
    pub(in crate::recipe) repeated: Option<Spanned<AckFile>>,
    pub(in crate::recipe) unknown_order: Option<Spanned<AckFile>>,
    pub(in crate::recipe) amount_differs: Option<Spanned<AckFile>>,
    pub(in crate::recipe) not_authentic: Option<Spanned<AckFile>>,
    pub(in crate::recipe) unusable: Option<Spanned<AckFile>>,
    pub(in crate::recipe) temporary: Option<Spanned<AckFile>>,
    pub(in crate::recipe) wrong_merchant: Option<Spanned<AckFile>>,
}

impl AnswersFile {
    pub(in crate::recipe) fn of(&self, outcome: Outcome) -> Option<&Spanned<AckFile>> {
        match outcome {
            Outcome::Accepted => self.accepted.as_ref(),
            Outcome::Repeated => self.repeated.as_ref(),
            Outcome::UnknownOrder => self.unknown_order.as_ref(),
            Outcome::AmountDiffers => self.amount_differs.as_ref(),
            Outcome::NotAuthentic => self.not_authentic.as_ref(),
            Outcome::Unusable => self.unusable.as_ref(),
            Outcome::Temporary => self.temporary.as_ref(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct AckFile {
    pub(in crate::recipe) status: u16,
    pub(in crate::recipe) content_type: Option<String>,
    #[serde(default)]
    pub(in crate::recipe) body: String,
    /// Signs members of the body.
    pub(in crate::recipe) signature: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct InquiryFile {
    pub(in crate::recipe) customer: Names,
    #[serde(default)]
    pub(in crate::recipe) service: Names,
    #[serde(default)]
    pub(in crate::recipe) request_id: Names,
    pub(in crate::recipe) found: Spanned<AckFile>,
    pub(in crate::recipe) bill: String,
    pub(in crate::recipe) nothing: Spanned<AckFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct TokenFile {
    /// Credentials of name and password.
    pub(in crate::recipe) of: [String; 2],
    pub(in crate::recipe) lifetime_seconds: i64,
    pub(in crate::recipe) answer: Spanned<AckFile>,
}
