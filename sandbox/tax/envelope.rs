//! The envelope `TDiep` of a message: its header, its shape, and the invoices as they were sent.

use roxmltree::{Document, Node};

use super::reason::{self, Reason};
use super::xml::{child, children, text_at};

/// Message type of invoices that want a code.
pub(super) const CODED: &str = "200";
/// Message type of invoices that need none.
pub(super) const UNCODED: &str = "203";
/// Message type of registrations.
pub(super) const REGISTRATION: &str = "100";
/// Message type of notices of wrong invoices.
pub(super) const NOTICE: &str = "300";

/// `TTChung` of an incoming message.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub version: String,
    pub sender: String,
    pub kind: String,
    pub message_id: String,
    pub tax_code: String,
    pub count: String,
}

impl Envelope {
    pub fn header(text: &str) -> Result<Self, Reason> {
        let document = parse(text)?;
        let root = document.root_element();
        let header = (root.tag_name().name() == "TDiep")
            .then(|| child(root, "TTChung"))
            .flatten();
        let header = header.ok_or_else(|| Reason::new(reason::FORMAT, "Thiếu TDiep/TTChung"))?;
        let field = |name| text_at(header, name).unwrap_or_default();
        let envelope = Self {
            version: field("PBan"),
            sender: field("MNGui"),
            kind: field("MLTDiep"),
            message_id: field("MTDiep"),
            tax_code: field("MST"),
            count: field("SLuong"),
        };
        if envelope.message_id.is_empty() {
            return Err(Reason::new(reason::FORMAT, "Thiếu mã thông điệp (MTDiep)"));
        }
        Ok(envelope)
    }
}

fn parse(text: &str) -> Result<Document<'_>, Reason> {
    Document::parse(text)
        .map_err(|error| Reason::new(reason::FORMAT, format!("Sai định dạng XML: {error}")))
}

/// The technical check that the 999 reports.
pub(super) fn check(text: &str, envelope: &Envelope) -> Result<(), Reason> {
    let wrong = |field: &str| Err(Reason::new(reason::FORMAT, format!("Sai {field}")));
    if !matches!(envelope.version.as_str(), "2.1.0" | "2.1.1") {
        return wrong("PBan");
    }
    if !is_sender(&envelope.sender) {
        return wrong("MNGui");
    }
    let unique = envelope
        .message_id
        .strip_prefix(&envelope.sender)
        .unwrap_or("");
    if unique.len() != 32
        || !unique
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
    {
        return wrong("MTDiep");
    }
    let Some(document) = document_of(&envelope.kind) else {
        let text = format!("Loại thông điệp {} không được hỗ trợ", envelope.kind);
        return Err(Reason::new(reason::UNKNOWN_TYPE, text));
    };
    if !is_tax_code(&envelope.tax_code) {
        return wrong("MST");
    }
    let held = documents(text, document)?.len();
    if held == 0 || envelope.count != held.to_string() {
        let text = format!("SLuong {} khác số hóa đơn {held}", envelope.count);
        return Err(Reason::new(reason::COUNT, text));
    }
    Ok(())
}

/// The element that a type of message carries.
pub(super) fn document_of(kind: &str) -> Option<&'static str> {
    match kind {
        CODED | UNCODED => Some("HDon"),
        REGISTRATION => Some("TKhai"),
        NOTICE => Some("TBao"),
        _ => None,
    }
}

/// Each document of `DLieu`, byte for byte as sent.
pub(super) fn documents(text: &str, name: &'static str) -> Result<Vec<String>, Reason> {
    let document = parse(text)?;
    let root = document.root_element();
    if declares_namespace(root) {
        return Err(Reason::new(
            reason::FORMAT,
            "Thông điệp không được khai báo không gian tên",
        ));
    }
    let data = child(root, "DLieu").ok_or_else(|| Reason::new(reason::FORMAT, "Thiếu DLieu"))?;
    if declares_namespace(data) {
        return Err(Reason::new(
            reason::FORMAT,
            "DLieu không được khai báo không gian tên",
        ));
    }
    Ok(children(data, name)
        .map(|invoice| text[invoice.range()].to_owned())
        .collect())
}

/// A namespace above an invoice would be pulled into every inclusive digest below it.
fn declares_namespace(node: Node<'_, '_>) -> bool {
    node.namespaces()
        .any(|namespace| namespace.name() != Some("xml"))
}

/// `V` or `K` and a tax code without dash, or a provider's bare tax code.
fn is_sender(text: &str) -> bool {
    let digits = text.strip_prefix(['V', 'K']).unwrap_or(text);
    matches!(digits.len(), 10 | 13) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Ten digits with their check digit, or those with a branch.
pub(super) fn is_tax_code(text: &str) -> bool {
    const WEIGHTS: [u32; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];
    let (main, branch) = text.split_once('-').unwrap_or((text, "001"));
    let digits: Option<Vec<u32>> = main.chars().map(|digit| digit.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 10) else {
        return false;
    };
    let sum: u32 = WEIGHTS
        .iter()
        .zip(&digits)
        .map(|(weight, digit)| weight * digit)
        .sum();
    let branch_fits =
        branch.len() == 3 && branch != "000" && branch.bytes().all(|byte| byte.is_ascii_digit());
    branch_fits && 10 - sum % 11 == digits[9]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_codes_are_checked_to_the_last_digit() {
        for good in ["0100109106", "0312270160", "0104831030-091"] {
            assert!(is_tax_code(good), "{good}");
        }
        for bad in ["0100233480", "010010910", "0104831030-000", "01001091o6"] {
            assert!(!is_tax_code(bad), "{bad}");
        }
    }
}
