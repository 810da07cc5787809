//! Reads a payload.

use serde::{Serialize, Serializer};

use super::tlv::{Field, fields, value};
use super::{
    ACCOUNT_CHARS_MAX, AMOUNT_CHARS_MAX, COUNTRY_VN, CURRENCY_VND, Initiation, NAPAS, Service,
    TEXT_CHARS_MAX, crc16, is_account_text, is_bin, is_plain,
};
use crate::money::Vnd;

/// EMVCo: a merchant-presented payload is at most this long.
const PAYLOAD_CHARS_MAX: usize = 512;

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decoded {
    pub bin: String,
    pub account: String,
    pub service: Service,
    pub amount: Option<Vnd>,
    /// The transfer memo.
    pub purpose: Option<String>,
    pub bill: Option<String>,
    #[serde(rename = "poi")]
    pub initiation: Option<Initiation>,
    /// What is wrong without making the payload unreadable. Such a payload is never written here.
    pub warnings: Vec<Warning>,
}

/// A flaw that is read over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// `2500000.00`: đồng have no decimals.
    AmountDecimal,
    AmountLeadingZero,
    PurposeTooLong,
    PurposeNotAscii,
    BillTooLong,
    BillNotAscii,
}

impl Warning {
    /// Stable, for machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AmountDecimal => "AMOUNT_DECIMAL",
            Self::AmountLeadingZero => "AMOUNT_LEADING_ZERO",
            Self::PurposeTooLong => "PURPOSE_TOO_LONG",
            Self::PurposeNotAscii => "PURPOSE_NOT_ASCII",
            Self::BillTooLong => "BILL_TOO_LONG",
            Self::BillNotAscii => "BILL_NOT_ASCII",
        }
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Why a payload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("Mã QR trống.")]
    Empty,
    #[error("Mã QR dài quá 512 ký tự.")]
    TooLong,
    #[error("Không phải mã QR theo chuẩn EMVCo: nhãn trường không phải hai chữ số.")]
    Tag,
    #[error("Mã QR hỏng: độ dài trường không phải hai chữ số.")]
    Length,
    #[error("Mã QR bị cắt: trường ngắn hơn độ dài đã ghi.")]
    Truncated,
    #[error("Mã QR có trường trống.")]
    EmptyValue,
    #[error("Mã QR có trường lặp lại.")]
    DuplicateTag,
    #[error("Mã QR phải bắt đầu bằng trường 00 với giá trị 01.")]
    FormatIndicator,
    #[error("Mã QR thiếu mã kiểm tra (trường 63).")]
    CrcMissing,
    #[error("Mã QR có dữ liệu sau mã kiểm tra (trường 63).")]
    TrailingData,
    #[error("Mã kiểm tra không khớp: mã QR bị hỏng hoặc bị sửa.")]
    CrcMismatch,
    #[error("Cách khởi tạo (trường 01) phải là 11 hoặc 12.")]
    Initiation,
    #[error("Không phải mã VietQR của NAPAS.")]
    NotNapas,
    #[error("Mã ngân hàng (BIN) phải gồm đúng 6 chữ số.")]
    Bin,
    #[error("Số tài khoản phải gồm 1 đến 19 chữ cái không dấu hoặc chữ số.")]
    Account,
    #[error("Loại dịch vụ không phải QRIBFTTA, QRIBFTTC, QRPUSH hoặc QRCASH.")]
    Service,
    #[error("Loại tiền phải là đồng Việt Nam (704).")]
    Currency,
    #[error("Mã quốc gia phải là VN.")]
    Country,
    #[error("Số tiền phải là số nguyên đồng, không có dấu phân cách.")]
    Amount,
    #[error("Số tiền dài quá 13 ký tự.")]
    AmountTooLong,
    #[error("Số tiền bằng 0.")]
    AmountZero,
}

impl DecodeError {
    /// Stable, for machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::TooLong => "TOO_LONG",
            Self::Tag => "TAG_INVALID",
            Self::Length => "LENGTH_INVALID",
            Self::Truncated => "TRUNCATED",
            Self::EmptyValue => "EMPTY_VALUE",
            Self::DuplicateTag => "DUPLICATE_TAG",
            Self::FormatIndicator => "FORMAT_INDICATOR",
            Self::CrcMissing => "CRC_MISSING",
            Self::TrailingData => "TRAILING_DATA",
            Self::CrcMismatch => "CRC_MISMATCH",
            Self::Initiation => "POI_INVALID",
            Self::NotNapas => "NOT_NAPAS",
            Self::Bin => "BIN_INVALID",
            Self::Account => "ACCOUNT_INVALID",
            Self::Service => "SERVICE_INVALID",
            Self::Currency => "CURRENCY_INVALID",
            Self::Country => "COUNTRY_INVALID",
            Self::Amount => "AMOUNT_INVALID",
            Self::AmountTooLong => "AMOUNT_TOO_LONG",
            Self::AmountZero => "AMOUNT_ZERO",
        }
    }
}

/// Reads a scanned text exactly as it is; a scanner's front end may trim it before.
///
/// # Errors
/// [`DecodeError`] names the first reason to refuse it.
pub fn decode(text: &str) -> Result<Decoded, DecodeError> {
    if text.is_empty() {
        return Err(DecodeError::Empty);
    }
    // Bytes bound the characters from above: a cheap gate before anything is read.
    if text.len() > PAYLOAD_CHARS_MAX * 4 || text.chars().count() > PAYLOAD_CHARS_MAX {
        return Err(DecodeError::TooLong);
    }
    if !text.starts_with("000201") {
        return Err(not_the_format(text));
    }
    let all = checked_fields(text)?;
    let initiation = match value(&all, "01") {
        Some(given) => Some(Initiation::parse(given).ok_or(DecodeError::Initiation)?),
        None => None,
    };
    let consumer = fields(value(&all, "38").ok_or(DecodeError::NotNapas)?)?;
    if value(&consumer, "00") != Some(NAPAS) {
        return Err(DecodeError::NotNapas);
    }
    let beneficiary = fields(value(&consumer, "01").ok_or(DecodeError::Account)?)?;
    let bin = value(&beneficiary, "00")
        .filter(|bin| is_bin(bin))
        .ok_or(DecodeError::Bin)?;
    let account = value(&beneficiary, "01")
        .filter(|account| is_account_text(account) && account.len() <= ACCOUNT_CHARS_MAX)
        .ok_or(DecodeError::Account)?;
    let service = value(&consumer, "02")
        .and_then(Service::parse)
        .ok_or(DecodeError::Service)?;
    if value(&all, "53") != Some(CURRENCY_VND) {
        return Err(DecodeError::Currency);
    }
    if value(&all, "58") != Some(COUNTRY_VN) {
        return Err(DecodeError::Country);
    }
    let mut warnings = Vec::new();
    let amount = match value(&all, "54") {
        Some(text) => Some(amount(text, &mut warnings)?),
        None => None,
    };
    let additional = match value(&all, "62") {
        Some(template) => fields(template)?,
        None => Vec::new(),
    };
    let purpose = value(&additional, "08");
    let bill = value(&additional, "01");
    for (text, too_long, not_ascii) in [
        (purpose, Warning::PurposeTooLong, Warning::PurposeNotAscii),
        (bill, Warning::BillTooLong, Warning::BillNotAscii),
    ] {
        let Some(text) = text else { continue };
        if text.chars().count() > TEXT_CHARS_MAX {
            warnings.push(too_long);
        }
        if !is_plain(text) {
            warnings.push(not_ascii);
        }
    }
    Ok(Decoded {
        bin: bin.to_owned(),
        account: account.to_owned(),
        service,
        amount,
        purpose: purpose.map(str::to_owned),
        bill: bill.map(str::to_owned),
        initiation,
        warnings,
    })
}

/// Tells a text that is no payload at all from one with another start.
fn not_the_format(text: &str) -> DecodeError {
    match fields(text) {
        Err(error @ (DecodeError::Tag | DecodeError::Length | DecodeError::Truncated)) => error,
        Ok(_) | Err(_) => DecodeError::FormatIndicator,
    }
}

/// The fields, once 63 is known to be last and to fit everything before its value.
fn checked_fields(text: &str) -> Result<Vec<Field<'_>>, DecodeError> {
    let all = match fields(text) {
        // Rubbish behind a complete check value reads as a broken field.
        Err(DecodeError::Tag | DecodeError::Length | DecodeError::Truncated)
            if has_checked_start(text) =>
        {
            return Err(DecodeError::TrailingData);
        }
        other => other?,
    };
    let last = all.last().ok_or(DecodeError::Empty)?;
    if last.tag != "63" {
        return Err(if value(&all, "63").is_some() {
            DecodeError::TrailingData
        } else {
            DecodeError::CrcMissing
        });
    }
    let crc = Some(last.value)
        .filter(|crc| crc.len() == 4 && crc.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|crc| u16::from_str_radix(crc, 16).ok())
        .ok_or(DecodeError::CrcMismatch)?;
    if crc16(&text.as_bytes()[..text.len() - 4]) != crc {
        return Err(DecodeError::CrcMismatch);
    }
    Ok(all)
}

/// Whether some `6304hhhh` before the end closes a payload whose check fits.
fn has_checked_start(text: &str) -> bool {
    text.match_indices("6304").any(|(at, tag)| {
        let after_tag = at + tag.len();
        text.len() > after_tag + 4
            && text
                .get(after_tag..after_tag + 4)
                .and_then(|crc| u16::from_str_radix(crc, 16).ok())
                .is_some_and(|crc| crc == crc16(&text.as_bytes()[..after_tag]))
    })
}

fn amount(text: &str, warnings: &mut Vec<Warning>) -> Result<Vnd, DecodeError> {
    if text.len() > AMOUNT_CHARS_MAX {
        return Err(DecodeError::AmountTooLong);
    }
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => {
            warnings.push(Warning::AmountDecimal);
            (whole, decimals)
        }
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // A fraction of a đồng cannot be paid, so it cannot have been meant.
    if whole.is_empty() || !digits(whole) || !decimals.bytes().all(|byte| byte == b'0') {
        return Err(DecodeError::Amount);
    }
    let dong: i64 = whole.parse().map_err(|_| DecodeError::Amount)?;
    if dong == 0 {
        return Err(DecodeError::AmountZero);
    }
    if whole.starts_with('0') {
        warnings.push(Warning::AmountLeadingZero);
    }
    Ok(Vnd::new(dong))
}
