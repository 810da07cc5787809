//! What the verifier says about a file.

use super::tree::Node;
use serde::Serialize;

use super::catalogue::RuleSet;
use super::tree::path;

/// More findings are not listed: a file made to produce them must not cost more than it says.
pub const FINDINGS_MAX: usize = 500;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is not a valid invoice.
    Error,
    /// Unusual or late, but the file stands.
    Warning,
    /// Something the reader should know.
    Note,
}

/// One thing that is wrong or remarkable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code, for example `arithmetic.total`; see the catalogue.
    pub rule: &'static str,
    /// Version of the rules by which the document was read.
    pub rule_set: RuleSet,
    pub severity: Severity,
    /// Path of the element, for example `/HDon/DLHDon/NDHDon/TToan/TgTTTBSo`.
    pub place: String,
    pub vi: String,
    pub en: String,
}

/// The invoice as far as it can be read; nothing in it is proven when the report is not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub place: String,
    pub format: String,
    pub form: String,
    pub symbol: String,
    pub number: String,
    pub issue_day: String,
    pub seller_tax_code: String,
    pub seller_name: String,
    pub total: String,
    /// Signing time of the seller, local.
    pub signed_at: Option<String>,
    /// Subject of the seller's certificate, RFC 4514.
    pub signer: Option<String>,
    /// The tax authority's code, MCCQT.
    pub authority_code: Option<String>,
    /// Subject of the certificate that signed as the authority.
    pub authority_signer: Option<String>,
    /// Signing time of the authority, local.
    pub authority_signed_at: Option<String>,
    /// The authority's signature was found and holds.
    pub authority_signature: bool,
}

/// The verdict on a file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// No finding is an error, and at least one invoice was found.
    pub valid: bool,
    /// Rules by which the last document was read.
    pub rules: RuleSet,
    pub invoices: Vec<Summary>,
    pub findings: Vec<Finding>,
}

/// Where a finding stands; only what is listed is spelled out, since a path costs a walk over siblings.
pub(super) trait Place {
    fn shown(self) -> String;
}

impl Place for Node<'_, '_> {
    fn shown(self) -> String {
        path(self)
    }
}

/// A child that may be missing.
impl Place for (Node<'_, '_>, &str) {
    fn shown(self) -> String {
        format!("{}/{}", path(self.0), self.1)
    }
}

impl Place for &str {
    fn shown(self) -> String {
        self.to_owned()
    }
}

impl Report {
    /// Whether a rule fired; for tests and callers that act on single rules.
    pub fn has(&self, rule: &str) -> bool {
        self.findings.iter().any(|finding| finding.rule == rule)
    }

    /// Nothing more will be listed, so nothing more needs to be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() >= FINDINGS_MAX
    }

    pub(super) fn concluded(mut self) -> Self {
        self.valid = !self.invoices.is_empty()
            && self
                .findings
                .iter()
                .all(|finding| finding.severity != Severity::Error);
        self
    }

    pub(super) fn error(
        &mut self,
        rule: &'static str,
        place: impl Place,
        vi: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.push(Severity::Error, rule, place, vi, en);
    }

    pub(super) fn warn(
        &mut self,
        rule: &'static str,
        place: impl Place,
        vi: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.push(Severity::Warning, rule, place, vi, en);
    }

    pub(super) fn note(
        &mut self,
        rule: &'static str,
        place: impl Place,
        vi: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.push(Severity::Note, rule, place, vi, en);
    }

    fn push(
        &mut self,
        severity: Severity,
        rule: &'static str,
        place: impl Place,
        vi: impl Into<String>,
        en: impl Into<String>,
    ) {
        debug_assert!(
            super::catalogue::find(rule).is_some(),
            "{rule} is not in the catalogue"
        );
        if self.is_full() {
            return;
        }
        self.findings.push(Finding {
            rule,
            rule_set: self.rules,
            severity,
            place: place.shown(),
            vi: vi.into(),
            en: en.into(),
        });
    }
}
