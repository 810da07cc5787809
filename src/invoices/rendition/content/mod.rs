//! What a rendition shows: every content of the signed file, read from its bytes and from nothing else.

mod fields;
mod invoice;
mod receipt;
mod samples;

use super::{Kind, RenditionError};
use crate::invoices::verify::tree::is;
use crate::invoices::verify::{Severity, Trust, verify};
use crate::invoices::xml::reader;

/// A labelled value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub label: String,
    pub value: String,
}

/// A line as shown; what does not exist is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub place: String,
    pub name: String,
    pub unit: String,
    pub quantity: String,
    pub price: String,
    pub discount: String,
    pub amount: String,
    pub rate: String,
}

/// Totals of one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateTotal {
    pub rate: String,
    pub net: String,
    pub vat: String,
}

/// A place for a signature; without a signer it stays empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureBox {
    pub title: &'static str,
    pub note: &'static str,
    pub signer: Option<String>,
    pub signed_at: String,
}

/// Everything that stands on a rendition, as it will be read.
#[derive(Clone, Debug)]
pub struct Shown {
    pub kind: Kind,
    pub title: String,
    /// `Ngày 23 tháng 11 năm 2026`.
    pub day: String,
    /// `2026-11-23`.
    pub issue_day: String,
    /// Form and symbol as people write them: `1C26TAA`.
    pub symbol: String,
    pub number: String,
    pub format: String,
    /// MCCQT.
    pub authority_code: Option<String>,
    /// A coded invoice that the authority has not coded: nobody may be given it as an invoice.
    pub awaits_code: bool,
    /// What must be read first: whether it corrects another invoice, that it is none.
    pub sentences: Vec<String>,
    /// The first is the name.
    pub seller: Vec<Pair>,
    pub trustee: Vec<Pair>,
    pub buyer: Vec<Pair>,
    pub lines: Vec<Line>,
    /// Whether any line has one.
    pub has_discounts: bool,
    pub rates: Vec<RateTotal>,
    /// The last is what is to be paid.
    pub totals: Vec<Pair>,
    pub words: String,
    /// Abbreviations that stand in it, explained.
    pub legend: Vec<&'static str>,
    pub signatures: Vec<SignatureBox>,
    pub lookup_code: Option<String>,
    /// Tax code of the maker of the software.
    pub solution_provider: Option<String>,
    pub qr: String,
    /// When the seller signed, as written.
    pub signed_at: String,
}

impl Shown {
    /// Reads a signed invoice or receipt.
    ///
    /// # Errors
    /// [`RenditionError::Unsound`] when a signature does not hold or does not cover what would be
    /// shown: such a file must not be given a face.
    pub fn read(file: &[u8]) -> Result<Self, RenditionError> {
        let report = verify(file, Trust::default());
        let unsound = report.findings.iter().find(|finding| {
            finding.severity == Severity::Error
                && (["signature.", "authority.", "xml."]
                    .iter()
                    .any(|family| finding.rule.starts_with(family))
                    || ["structure.repeated", "structure.stray"].contains(&finding.rule))
        });
        if let Some(finding) = unsound {
            return Err(RenditionError::Unsound {
                rule: finding.rule,
                place: finding.place.clone(),
                text: finding.vi.clone(),
            });
        }
        let (Some(summary), true) = (report.invoices.first(), report.invoices.len() == 1) else {
            return Err(RenditionError::NotOne);
        };
        let tree = reader::parse(file)?;
        let root = tree.root_element();
        if is(root, "PhieuThu") {
            receipt::receipt(root, summary)
        } else if is(root, "HDon") {
            invoice::invoice(root, summary)
        } else {
            // A message around an invoice: the invoice is shown from its own file.
            Err(RenditionError::NotOne)
        }
    }
}
