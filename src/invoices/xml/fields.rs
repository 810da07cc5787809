//! Text and numbers of single elements: normal form, allowed characters, lengths; and the blocks
//! that invoices and receipts share.

use std::borrow::Cow;

use rust_decimal::Decimal;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::Writer;
use crate::invoices::document::{BillReference, Seller};
use crate::money::Vnd;

/// A content that the format does not take (lengths: einvoice §2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    #[error("an amount below zero on an invoice that adjusts none")]
    Negative,
    #[error("{element} has {length} characters, the format takes {limit}")]
    TooLong {
        element: &'static str,
        length: usize,
        limit: usize,
    },
    #[error("{element} holds the control character U+{code:04X}")]
    ControlCharacter { element: &'static str, code: u32 },
    #[error("{element} must not be empty")]
    Missing { element: &'static str },
    #[error("{element} does not have the form the format asks for: {value:?}")]
    BadForm {
        element: &'static str,
        value: String,
    },
    #[error("{element} has {digits} digits, the format takes {limit}")]
    TooManyDigits {
        element: &'static str,
        digits: usize,
        limit: usize,
    },
    #[error("an invoice of {bytes} bytes is above the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
}

/// A count of at most `limit` digits.
pub fn short_number(
    writer: &mut Writer,
    element: &'static str,
    value: usize,
    limit: usize,
) -> Result<(), ContentError> {
    let written = value.to_string();
    if written.len() > limit {
        return Err(ContentError::TooManyDigits {
            element,
            digits: written.len(),
            limit,
        });
    }
    writer.leaf(element, &written);
    Ok(())
}

/// Digits of an amount or quantity, decimals included (einvoice §2.1: 21,6).
const NUMBER_DIGITS_MAX: usize = 21;

/// Mandatory text in NFC, at most `limit` characters.
pub fn text(
    writer: &mut Writer,
    element: &'static str,
    value: &str,
    limit: usize,
) -> Result<(), ContentError> {
    let value = clean(element, value, limit)?;
    if value.is_empty() {
        return Err(ContentError::Missing { element });
    }
    writer.leaf(element, &value);
    Ok(())
}

/// Optional text: an absent or blank value is not written at all.
pub fn optional(
    writer: &mut Writer,
    element: &'static str,
    value: Option<&str>,
    limit: usize,
) -> Result<(), ContentError> {
    match value.map(str::trim) {
        None | Some("") => Ok(()),
        Some(value) => text(writer, element, value, limit),
    }
}

/// The value as it will stand in the document.
pub fn clean<'v>(
    element: &'static str,
    value: &'v str,
    limit: usize,
) -> Result<Cow<'v, str>, ContentError> {
    let value = value.trim();
    if let Some(bad) = value.chars().find(|&found| is_refused(found)) {
        return Err(ContentError::ControlCharacter {
            element,
            code: u32::from(bad),
        });
    }
    let value: Cow<'_, str> = match is_nfc_quick(value.chars()) {
        IsNormalized::Yes => value.into(),
        _ => value.nfc().collect::<String>().into(),
    };
    // Bytes bound characters from above: count only when it matters.
    if value.len() > limit {
        let length = value.chars().count();
        if length > limit {
            return Err(ContentError::TooLong {
                element,
                length,
                limit,
            });
        }
    }
    Ok(value)
}

/// Control characters and what XML cannot carry; line breaks too, since no field has lines.
fn is_refused(found: char) -> bool {
    found.is_control() || matches!(found, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// A number without exponent and without trailing zeros.
pub fn number(
    writer: &mut Writer,
    element: &'static str,
    value: Decimal,
) -> Result<(), ContentError> {
    let written = value.normalize().to_string();
    let digits = written.bytes().filter(u8::is_ascii_digit).count();
    if digits > NUMBER_DIGITS_MAX {
        return Err(ContentError::TooManyDigits {
            element,
            digits,
            limit: NUMBER_DIGITS_MAX,
        });
    }
    writer.leaf(element, &written);
    Ok(())
}

pub fn amount(writer: &mut Writer, element: &str, value: Vnd) {
    // An i64 has at most 19 digits.
    writer.leaf(element, &value.get().to_string());
}

/// A tax code: 10 digits, 10-3, or the 12 digits of a person (einvoice §5.4).
pub fn tax_code(
    writer: &mut Writer,
    element: &'static str,
    value: &str,
) -> Result<(), ContentError> {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let good = match value.split_once('-') {
        Some((unit, part)) => digits(unit, 10) && digits(part, 3),
        None => digits(value, 10) || digits(value, 12),
    };
    if !good {
        return Err(ContentError::BadForm {
            element,
            value: value.to_owned(),
        });
    }
    writer.leaf(element, value);
    Ok(())
}

/// Fields outside the format's vocabulary, for people and for the look-up page.
pub fn extra(
    w: &mut Writer,
    bills: &[BillReference],
    lookup_code: &str,
) -> Result<(), ContentError> {
    let joined = |pick: fn(&BillReference) -> &str| {
        let mut values: Vec<&str> = Vec::new();
        for value in bills.iter().map(pick) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values.join(", ")
    };
    w.open("TTKhac");
    for (name, value) in [
        ("Mã học sinh", joined(|bill| &bill.pupil_code)),
        ("Họ tên học sinh", joined(|bill| &bill.pupil_name)),
        ("Lớp", joined(|bill| &bill.class_name)),
        ("Mã phiếu thu", joined(|bill| &bill.bill_code)),
        ("Mã tra cứu", lookup_code.to_owned()),
    ] {
        let value = clean("TTKhac/TTin/DLieu", &value, EXTRA_CHARS_MAX)?;
        if value.is_empty() {
            continue;
        }
        w.open("TTin");
        w.leaf("TTruong", name);
        w.leaf("KDLieu", "string");
        w.leaf("DLieu", &value);
        w.close("TTin");
    }
    w.close("TTKhac");
    Ok(())
}

/// The tables give no length for extra values; the longest of any other field is taken.
const EXTRA_CHARS_MAX: usize = 500;

/// The seller's block, `NBan`.
pub fn seller(w: &mut Writer, seller: &Seller) -> Result<(), ContentError> {
    w.open("NBan");
    text(w, "Ten", &seller.name, 400)?;
    tax_code(w, "MST", &seller.tax_code)?;
    text(w, "DChi", &seller.address, 400)?;
    optional(w, "SDThoai", seller.phone.as_deref(), 20)?;
    optional(w, "STKNHang", seller.bank_account.as_deref(), 30)?;
    w.close("NBan");
    Ok(())
}
