//! *Bản thể hiện*: the face of a signed invoice or receipt, on paper (PDF) and on a page.
//!
//! It is made of the signed file alone, after its signatures were seen to hold: what is printed is
//! what was signed. `content` reads, `layout` places, `file` writes; only `file` knows PDF, and only
//! `content` knows XML.

mod content;
mod file;
mod font;
mod layout;
mod sheet;
mod units;
mod wording;

pub use content::{Line, Pair, RateTotal, Shown, SignatureBox};
pub use sheet::Paper;
pub use wording::day as shown_day;

use super::verify::XmlError;

/// What is shown, which decides columns and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Vat,
    Sales,
    /// An electronic payment receipt, which is no invoice.
    Receipt,
}

/// How a PDF is made.
#[derive(Clone, Copy, Debug)]
pub struct RenditionOptions<'o> {
    pub paper: Paper,
    /// The page where the look-up code is typed in, without the code.
    pub lookup_address: Option<&'o str>,
    /// Carries the signed XML inside, as the source of what is shown.
    pub attach_xml: bool,
}

impl Default for RenditionOptions<'_> {
    fn default() -> Self {
        Self {
            paper: Paper::A4,
            lookup_address: None,
            attach_xml: true,
        }
    }
}

/// Why a file is not given a face.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenditionError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("not the file of one invoice or receipt")]
    NotOne,
    /// Something in it is not what was signed.
    #[error("{place} [{rule}]: {text}")]
    Unsound {
        rule: &'static str,
        place: String,
        text: String,
    },
    #[error("the shipped font cannot be subset")]
    Font,
}

/// The PDF of a signed file; the same file and options always give the same bytes.
///
/// # Errors
/// [`RenditionError`] when the file is none, or its signatures do not hold.
pub fn pdf(xml: &[u8], options: &RenditionOptions<'_>) -> Result<Vec<u8>, RenditionError> {
    Ok(pdf_and_pages(xml, options)?.0)
}

/// The PDF and how many pages it has.
///
/// # Errors
/// As [`pdf`].
pub fn pdf_and_pages(
    xml: &[u8],
    options: &RenditionOptions<'_>,
) -> Result<(Vec<u8>, usize), RenditionError> {
    let shown = Shown::read(xml)?;
    let pages = layout::pages(&shown, options);
    Ok((file::write(&shown, xml, &pages, options)?, pages.len()))
}
