//! Writes a payload.

use super::{
    ACCOUNT_CHARS_MAX, AMOUNT_CHARS_MAX, COUNTRY_VN, CURRENCY_VND, Initiation, NAPAS, Service,
    TEXT_CHARS_MAX, crc16, is_account_text, is_bin, is_plain,
};
use crate::money::Vnd;

/// A transfer that a parent's banking app shall fill in.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Bank identification number: six digits.
    pub bin: &'a str,
    /// Account, virtual account or card; at most 19 letters and digits.
    pub account: &'a str,
    pub service: Service,
    /// Left out, the payer types it.
    pub amount: Option<Vnd>,
    /// The transfer memo, at most 25 characters of ASCII.
    pub purpose: Option<&'a str>,
    /// Bill number, at most 25 characters of ASCII.
    pub bill: Option<&'a str>,
    /// `None` chooses: dynamic when an amount is fixed, static otherwise.
    pub initiation: Option<Initiation>,
}

/// Why a payload is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("Mã ngân hàng (BIN) phải gồm đúng 6 chữ số.")]
    Bin,
    #[error("Số tài khoản để trống.")]
    AccountEmpty,
    #[error("Số tài khoản dài quá 19 ký tự.")]
    AccountTooLong,
    #[error("Số tài khoản chỉ được gồm chữ cái không dấu và chữ số; số thẻ chỉ gồm chữ số.")]
    AccountCharacters,
    #[error("Chỉ tạo được mã chuyển khoản đến tài khoản (QRIBFTTA) hoặc đến thẻ (QRIBFTTC).")]
    Service,
    #[error("Số tiền phải lớn hơn 0; mã không định trước số tiền thì bỏ trống số tiền.")]
    AmountNotPositive,
    #[error("Số tiền dài quá 13 chữ số.")]
    AmountTooLong,
    #[error("Nội dung chuyển khoản dài quá 25 ký tự.")]
    PurposeTooLong,
    #[error("Nội dung chuyển khoản phải là chữ không dấu (ASCII).")]
    PurposeNotAscii,
    #[error("Số phiếu thu dài quá 25 ký tự.")]
    BillTooLong,
    #[error("Số phiếu thu phải là chữ không dấu (ASCII).")]
    BillNotAscii,
    #[error("Mã đã định trước số tiền phải là mã động (12).")]
    StaticWithAmount,
}

impl EncodeError {
    /// Stable, for machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bin => "BIN_INVALID",
            Self::AccountEmpty => "ACCOUNT_EMPTY",
            Self::AccountTooLong => "ACCOUNT_TOO_LONG",
            Self::AccountCharacters => "ACCOUNT_CHARACTERS",
            Self::Service => "SERVICE_INVALID",
            Self::AmountNotPositive => "AMOUNT_NOT_POSITIVE",
            Self::AmountTooLong => "AMOUNT_TOO_LONG",
            Self::PurposeTooLong => "PURPOSE_TOO_LONG",
            Self::PurposeNotAscii => "PURPOSE_NOT_ASCII",
            Self::BillTooLong => "BILL_TOO_LONG",
            Self::BillNotAscii => "BILL_NOT_ASCII",
            Self::StaticWithAmount => "STATIC_WITH_AMOUNT",
        }
    }
}

/// The text to draw as a QR code. An empty purpose or bill number counts as left out.
///
/// # Errors
/// [`EncodeError`] names the first member that cannot be written.
pub fn encode(transfer: &Transfer<'_>) -> Result<String, EncodeError> {
    let amount = transfer.amount.map(amount_text).transpose()?;
    let initiation = initiation(transfer)?;
    check_beneficiary(transfer)?;
    let purpose = optional_text(
        transfer.purpose,
        EncodeError::PurposeNotAscii,
        EncodeError::PurposeTooLong,
    )?;
    let bill = optional_text(
        transfer.bill,
        EncodeError::BillNotAscii,
        EncodeError::BillTooLong,
    )?;

    let mut beneficiary = String::with_capacity(32);
    push(&mut beneficiary, "00", transfer.bin);
    push(&mut beneficiary, "01", transfer.account);
    let mut consumer = String::with_capacity(64);
    push(&mut consumer, "00", NAPAS);
    push(&mut consumer, "01", &beneficiary);
    push(&mut consumer, "02", transfer.service.as_str());
    let mut additional = String::new();
    if let Some(bill) = bill {
        push(&mut additional, "01", bill);
    }
    if let Some(purpose) = purpose {
        push(&mut additional, "08", purpose);
    }

    let mut payload = String::with_capacity(192);
    push(&mut payload, "00", "01");
    push(&mut payload, "01", initiation.as_str());
    push(&mut payload, "38", &consumer);
    push(&mut payload, "53", CURRENCY_VND);
    if let Some(amount) = amount {
        push(&mut payload, "54", &amount);
    }
    push(&mut payload, "58", COUNTRY_VN);
    if !additional.is_empty() {
        push(&mut payload, "62", &additional);
    }
    payload.push_str("6304");
    let crc = crc16(payload.as_bytes());
    payload.push_str(&format!("{crc:04X}"));
    Ok(payload)
}

fn initiation(transfer: &Transfer<'_>) -> Result<Initiation, EncodeError> {
    match (transfer.initiation, transfer.amount) {
        (Some(Initiation::Static), Some(_)) => Err(EncodeError::StaticWithAmount),
        (Some(given), _) => Ok(given),
        (None, Some(_)) => Ok(Initiation::Dynamic),
        (None, None) => Ok(Initiation::Static),
    }
}

fn check_beneficiary(transfer: &Transfer<'_>) -> Result<(), EncodeError> {
    let account = transfer.account;
    if !is_bin(transfer.bin) {
        return Err(EncodeError::Bin);
    }
    if account.is_empty() {
        return Err(EncodeError::AccountEmpty);
    }
    if account.chars().count() > ACCOUNT_CHARS_MAX {
        return Err(EncodeError::AccountTooLong);
    }
    let fits = match transfer.service {
        Service::ToAccount => is_account_text(account),
        Service::ToCard => account.bytes().all(|byte| byte.is_ascii_digit()),
        Service::Push | Service::Cash => return Err(EncodeError::Service),
    };
    if fits {
        Ok(())
    } else {
        Err(EncodeError::AccountCharacters)
    }
}

fn amount_text(amount: Vnd) -> Result<String, EncodeError> {
    if !amount.is_positive() {
        return Err(EncodeError::AmountNotPositive);
    }
    let text = amount.get().to_string();
    if text.len() > AMOUNT_CHARS_MAX {
        return Err(EncodeError::AmountTooLong);
    }
    Ok(text)
}

fn optional_text(
    text: Option<&str>,
    not_ascii: EncodeError,
    too_long: EncodeError,
) -> Result<Option<&str>, EncodeError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if !is_plain(text) {
        return Err(not_ascii);
    }
    if text.len() > TEXT_CHARS_MAX {
        return Err(too_long);
    }
    Ok(Some(text))
}

/// Every value here is ASCII and its length is bounded below 100 by the checks above.
fn push(text: &mut String, tag: &str, value: &str) {
    debug_assert!(value.is_ascii() && value.len() < 100);
    text.push_str(tag);
    text.push_str(&format!("{:02}", value.len()));
    text.push_str(value);
}
