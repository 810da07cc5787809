//! The mutation corpus: for every rule of the catalogue a document on which it is silent and one that
//! was changed in one declared place, on which it must speak; and documents built to deceive.
//!
//! A new rule needs a row in `mutations.rs` (changed before signing) or `built.rs` (anything else).

mod attacks;
mod built;
mod maker;
mod mutations;

use serde::Serialize;

use super::catalogue::RULES;
use super::report::{Report, Severity};
use super::{Trust, verify};
use crate::clock::Day;
use crate::invoices::signature::{Certificate, SigningKey};

pub use attacks::{Attack, attacks};

/// Keys with which the corpus is signed. They are made for one run and mean nothing.
#[derive(Debug)]
pub struct Kit {
    /// Of the tax code [`SELLER`].
    pub seller: SigningKey,
    /// Of another tax code.
    pub stranger: SigningKey,
    /// Of the seller, run out before 2026.
    pub old: SigningKey,
    /// Of the seller, not for signatures.
    pub encrypting: SigningKey,
    /// Of the seller, from another issuer.
    pub foreign: SigningKey,
    /// Of the tax authority.
    pub authority: SigningKey,
    /// Issued all of them but `foreign`.
    pub issuer: Certificate,
}

/// The seller of every document.
pub const SELLER: &str = "0100233488";

/// A document of the corpus.
#[derive(Clone, Debug)]
pub struct Case {
    pub rule: &'static str,
    /// What the document is, or what was changed in it.
    pub name: String,
    /// Whether the rule must speak.
    pub fires: bool,
    pub file: Vec<u8>,
    /// Without a list of trusted issuers.
    pub without_trust: bool,
}

/// What the verifier said of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub rule: &'static str,
    pub name: String,
    pub fires: bool,
    /// The verifier did what the case declares.
    pub held: bool,
    pub valid: bool,
    /// Every rule that spoke.
    pub findings: Vec<&'static str>,
}

/// All documents, in the order of the catalogue.
pub fn cases(kit: &Kit) -> Vec<Case> {
    let mut all = mutations::cases(kit);
    all.extend(built::cases(kit));
    let place = |rule: &str| RULES.iter().position(|known| known.id == rule);
    all.sort_by_key(|case| (place(case.rule), case.fires));
    all
}

/// Day on which the corpus is read.
pub fn today() -> Option<Day> {
    Day::new(2026, 11, 24)
}

/// Reads a file as the corpus is read.
pub fn read(kit: &Kit, file: &[u8], without_trust: bool) -> Report {
    let authorities = std::slice::from_ref(&kit.issuer);
    let trust = Trust {
        authorities: if without_trust { &[] } else { authorities },
        today: today(),
        rules: None,
    };
    verify(file, trust)
}

/// Judges one case. A mutation holds when its rule speaks, with the severity of the catalogue, and an
/// error makes the file invalid; the other kind holds when the file is valid and the rule silent.
pub fn judge(kit: &Kit, case: &Case) -> Verdict {
    let report = read(kit, &case.file, case.without_trust);
    let spoken = report
        .findings
        .iter()
        .find(|finding| finding.rule == case.rule);
    let expected = super::catalogue::find(case.rule).map(|rule| rule.severity);
    let held = match spoken {
        Some(finding) => {
            case.fires
                && Some(finding.severity) == expected
                && !(finding.severity == Severity::Error && report.valid)
        }
        None => !case.fires && report.valid,
    };
    Verdict {
        rule: case.rule,
        name: case.name.clone(),
        fires: case.fires,
        held,
        valid: report.valid,
        findings: report.findings.iter().map(|finding| finding.rule).collect(),
    }
}

/// Mutations that were caught, of all.
pub fn kill_rate(verdicts: &[Verdict]) -> (usize, usize) {
    let mutations = verdicts.iter().filter(|verdict| verdict.fires);
    let caught = mutations.clone().filter(|verdict| verdict.held).count();
    (caught, mutations.count())
}
