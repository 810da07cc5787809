//! The QR code and memo by which a parent transfers to the school's own account.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::fees::bill_code::BillCode;
use crate::fees::vietqr::{EncodeError, Service, Transfer, encode};
use crate::money::Vnd;

/// Code, space and this fill the 25 characters of a NAPAS memo.
const LABEL_CHARS_MAX: usize = 11;

/// Where the money goes: always the school's own account, never one of ours.
#[derive(Clone, Debug)]
pub struct SchoolAccount {
    /// Six digits.
    pub bin: String,
    pub account: String,
}

/// The payload of the QR code for `amount` of a bill. `label` is a class and a name, for people who
/// read statements.
///
/// # Errors
/// [`EncodeError`] when the school's account or the amount cannot be written.
pub fn vietqr_for(
    school: &SchoolAccount,
    code: &BillCode,
    label: &str,
    amount: Vnd,
) -> Result<String, EncodeError> {
    encode(&Transfer {
        bin: &school.bin,
        account: &school.account,
        service: Service::ToAccount,
        amount: Some(amount),
        purpose: Some(&memo_for(code, label)),
        bill: None,
        initiation: None,
    })
}

/// The memo to transfer with: the code first, then as much of `label` as fits, without marks.
pub fn memo_for(code: &BillCode, label: &str) -> String {
    let mut plain = String::with_capacity(LABEL_CHARS_MAX);
    let letters = label
        .nfkd()
        .filter(|&letter| !is_combining_mark(letter))
        .map(|letter| match letter {
            'đ' | 'Đ' => 'D',
            other => other.to_ascii_uppercase(),
        });
    for letter in letters {
        if plain.len() == LABEL_CHARS_MAX {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            plain.push(letter);
        } else if !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    let plain = plain.trim_end();
    if plain.is_empty() {
        code.to_string()
    } else {
        format!("{code} {plain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fees::memo;

    #[test]
    fn the_memo_is_plain_fits_and_is_read_back() {
        let code = BillCode::from_number(123_456_789).unwrap();
        for (label, expected) in [
            ("6A1 Nguyễn Đức An", "HPZ37MTFCKQPG 6A1 NGUYEN"),
            ("Lá (5 tuổi)", "HPZ37MTFCKQPG LA 5 TUOI"),
            ("6Đ", "HPZ37MTFCKQPG 6D"),
            ("", "HPZ37MTFCKQPG"),
        ] {
            let written = memo_for(&code, label);
            assert_eq!(written, expected);
            assert!(written.len() <= 25);
            assert_eq!(memo::read(&written).codes, [code]);
        }
    }

    #[test]
    fn the_payload_names_the_schools_account() {
        let school = SchoolAccount {
            bin: "970436".into(),
            account: "0011001932418".into(),
        };
        let code = BillCode::from_number(123_456_789).unwrap();
        let payload = vietqr_for(&school, &code, "6A1 An", Vnd::new(683_100)).unwrap();
        let read = crate::fees::vietqr::decode(&payload).unwrap();
        assert_eq!(read.account, school.account);
        assert_eq!(read.amount, Some(Vnd::new(683_100)));
        assert_eq!(read.purpose.as_deref(), Some("HPZ37MTFCKQPG 6A1 AN"));
        assert!(vietqr_for(&school, &code, "", Vnd::ZERO).is_err());
    }
}
