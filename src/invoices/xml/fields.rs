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
    let digits = value.checked_ilog10().unwrap_or(0) as usize + 1;
    match i64::try_from(value) {
        Ok(value) if digits <= limit => {
            writer.number(element, value);
            Ok(())
        }
        _ => Err(ContentError::TooManyDigits {
            element,
            digits,
            limit,
        }),
    }
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
    let trimmed = value.trim();
    if !trimmed.is_empty() && trimmed.len() <= limit && is_plain(trimmed) {
        writer.plain(element, trimmed);
        return Ok(());
    }
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
    let value: Cow<'_, str> = if is_plain(value) {
        value.into()
    } else {
        if let Some(bad) = value.chars().find(|&found| is_refused(found)) {
            return Err(ContentError::ControlCharacter {
                element,
                code: u32::from(bad),
            });
        }
        match is_nfc_quick(value.chars()) {
            IsNormalized::Yes => value.into(),
            _ => value.nfc().collect::<String>().into(),
        }
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

/// Whether text holds nothing but ASCII that shows, without the signs of XML, and the composed letters of
/// Vietnamese, which neither combine nor control: it is in NFC and written as it stands. Works on bytes
/// without a branch, because nearly all text is such and the compiler then looks at many at a time.
fn is_plain(text: &str) -> bool {
    let is_odd = |byte: u8, next: u8| match byte {
        b'&' | b'<' | b'>' => true,
        b' '..=b'~' | 0x80..=0xbf => false,
        // U+00C0 to U+02FF.
        0xc3..=0xcb => false,
        // U+1E80 to U+1EFF.
        0xe1 => !matches!(next, 0xba | 0xbb),
        _ => true,
    };
    let bytes = text.as_bytes();
    let Some((&last, before)) = bytes.split_last() else {
        return true;
    };
    let pairs = before.iter().zip(&bytes[1..]);
    let odd = pairs.fold(false, |odd, (&byte, &next)| odd | is_odd(byte, next));
    !(odd | is_odd(last, 0))
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
    if let Some(whole) = whole(value) {
        // An i64 has at most 19 digits.
        writer.number(element, whole);
        return Ok(());
    }
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

fn whole(value: Decimal) -> Option<i64> {
    (value.scale() == 0)
        .then(|| i64::try_from(value.mantissa()).ok())
        .flatten()
}

pub fn amount(writer: &mut Writer, element: &str, value: Vnd) {
    writer.number(element, value.get());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_plain_is_in_normal_form_and_allowed() {
        for found in (0..=0x2_0000)
            .filter_map(char::from_u32)
            .filter(|found| is_plain(found.encode_utf8(&mut [0; 4])))
        {
            assert!(!is_refused(found), "{found:?}");
            // Between two letters, so that what combines with its neighbours would show.
            let text: String = ['a', found, 'a'].into_iter().collect();
            assert_eq!(is_nfc_quick(text.chars()), IsNormalized::Yes, "{found:?}");
            let mut written = Writer::default();
            written.leaf("a", &text);
            assert_eq!(written.into_bytes(), format!("<a>{text}</a>").into_bytes());
        }
        for letter in "aZ~ áạăđờưỹỲẾ".chars() {
            assert!(is_plain(&letter.to_string()), "{letter:?}");
        }
        for bad in ['\u{7f}', '\u{85}', '\u{9f}', '\n'] {
            let text = format!("a{bad}a");
            assert!(clean("Ten", &text, 400).is_err(), "{bad:?}");
        }
        assert_eq!(
            clean("Ten", "Ho\u{323}c phi\u{301}", 400).unwrap(),
            "Học phí"
        );
    }

    #[test]
    fn numbers_are_written_as_decimals_write_them() {
        for text in [
            "0",
            "-0",
            "1",
            "-350000",
            "1.50",
            "100",
            "9999999999999999999",
            "0.000001",
            "-12.340",
        ] {
            let value: Decimal = text.parse().unwrap();
            let mut writer = Writer::default();
            number(&mut writer, "SLuong", value).unwrap();
            let written = format!("<SLuong>{}</SLuong>", value.normalize());
            assert_eq!(String::from_utf8(writer.into_bytes()).unwrap(), written);
        }
        for (value, good) in [(0, true), (9_999, true), (10_000, false)] {
            let mut writer = Writer::default();
            assert_eq!(short_number(&mut writer, "STT", value, 4).is_ok(), good);
        }
    }
}
