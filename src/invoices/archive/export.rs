//! Files of the archive for an auditor or another system: XML as it was signed, PDF, and an index with
//! the digests of both.

use super::store::Archived;
use super::{Tampered, hash};
use crate::clock::Day;
use crate::invoices::rendition::{RenditionError, RenditionOptions, pdf};
use crate::schools::parameters::Parameters;
use crate::sealing::SealingKey;

/// The parameter that says how many years files are kept.
const YEARS: &str = "invoice_archive_years";

/// Why a file does not leave the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Tampered(#[from] Tampered),
    #[error("no rendition can be made of it")]
    Rendition,
}

impl From<RenditionError> for ExportError {
    fn from(_: RenditionError) -> Self {
        Self::Rendition
    }
}

/// One file of an export.
#[derive(Clone, Debug)]
pub struct Part {
    /// From the root of the export on.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// A document on its way out: the file, its rendition and its line of the index.
#[derive(Clone, Debug)]
pub struct Exported {
    pub xml: Part,
    pub pdf: Part,
    pub index: IndexRow,
}

/// A line of the index.
pub type IndexRow = [String; 13];

/// The first line of the index.
pub fn index_head() -> IndexRow {
    [
        "Trường",
        "Loại",
        "Ký hiệu",
        "Số",
        "Ngày lập",
        "Tổng tiền",
        "Phiên bản",
        "Lưu lúc",
        "Lưu đến hết ngày",
        "Tệp XML",
        "SHA-256 của XML",
        "Tệp PDF",
        "SHA-256 của PDF",
    ]
    .map(str::to_owned)
}

/// Proves a row and gives it its face.
///
/// # Errors
/// [`ExportError`] when the row is not what was archived, or cannot be shown.
pub fn render(
    row: &Archived,
    school_code: &str,
    key: &SealingKey,
    kept_years: Option<u16>,
    options: &RenditionOptions<'_>,
) -> Result<Exported, ExportError> {
    row.prove(key)?;
    let made = pdf(row.file.as_bytes(), options)?;
    let month = row.issue_day.iso();
    let month = month.get(..7).unwrap_or(&month);
    let base = format!("{school_code}/{month}/{}", row.name());
    let xml = Part {
        path: format!("{base}.xml"),
        bytes: row.file.clone().into_bytes(),
    };
    let pdf = Part {
        path: format!("{base}.pdf"),
        bytes: made,
    };
    let index = [
        school_code.to_owned(),
        row.kind.to_string(),
        row.name()
            .rsplit_once('-')
            .map_or_else(String::new, |(symbol, _)| symbol.to_owned()),
        row.number.to_string(),
        row.issue_day.iso(),
        row.total.get().to_string(),
        row.version.to_string(),
        row.archived_at.local_iso(),
        kept_years
            .and_then(|years| last_day(row.issue_day, years))
            .map(Day::iso)
            .unwrap_or_default(),
        xml.path.clone(),
        row.digest.clone(),
        pdf.path.clone(),
        hash(&pdf.bytes),
    ];
    Ok(Exported { xml, pdf, index })
}

/// How long files of a day are kept, where the parameter says so.
pub fn years_kept(parameters: &Parameters, day: Day) -> Option<u16> {
    parameters.at(YEARS, day)?.value.parse().ok()
}

/// The last day of the period: it is counted from the end of the accounting year (school-fees and
/// einvoice §1.9 leave this to accounting law).
fn last_day(issued: Day, years: u16) -> Option<Day> {
    Day::new(issued.year() + i32::from(years), 12, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_ends_with_a_year() {
        let issued = Day::new(2026, 3, 9).unwrap();
        assert_eq!(last_day(issued, 10), Day::new(2036, 12, 31));
    }
}
