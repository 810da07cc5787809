//! A reader of VietQR payloads, as strict as a bank's app should be.

use std::collections::BTreeMap;

const VIETQR: &str = "A000000727";

/// What the code asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VietQr {
    pub bin: String,
    pub account: String,
    /// Whole đồng; absent in a static code.
    pub amount: Option<i64>,
    pub memo: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    #[error("mã QR bị hỏng")]
    Broken,
    #[error("mã QR sai mã kiểm tra")]
    Checksum,
    #[error("không phải mã VietQR chuyển khoản bằng đồng Việt Nam")]
    NotVietQr,
}

pub fn read(text: &str) -> Result<VietQr, QrError> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 12 {
        return Err(QrError::Broken);
    }
    let (signed, crc) = text.split_at(text.len() - 4);
    if !signed.ends_with("6304") || format!("{:04X}", checksum(signed.as_bytes())) != crc {
        return Err(QrError::Checksum);
    }
    let fields = fields(text)?;
    let is = |tag, value| fields.get(tag).copied() == Some(value);
    if !(is("00", "01") && is("53", "704") && is("58", "VN")) {
        return Err(QrError::NotVietQr);
    }
    let merchant = self::fields(fields.get("38").ok_or(QrError::NotVietQr)?)?;
    if merchant.get("00").copied() != Some(VIETQR)
        || merchant.get("02").copied() != Some("QRIBFTTA")
    {
        return Err(QrError::NotVietQr);
    }
    let receiver = self::fields(merchant.get("01").ok_or(QrError::NotVietQr)?)?;
    let part = |tag| receiver.get(tag).copied().ok_or(QrError::NotVietQr);
    let amount = match fields.get("54") {
        None => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| QrError::Broken)?)
        }
        Some(_) => return Err(QrError::Broken),
    };
    let memo = match fields.get("62") {
        None => String::new(),
        Some(extra) => self::fields(extra)?
            .get("08")
            .copied()
            .unwrap_or("")
            .to_owned(),
    };
    Ok(VietQr {
        bin: part("00")?.to_owned(),
        account: part("01")?.to_owned(),
        amount,
        memo,
    })
}

/// The payload for an account, an amount and an ASCII memo.
pub(crate) fn write(bin: &str, account: &str, amount: i64, memo: &str) -> String {
    let field = |tag: &str, value: &str| format!("{tag}{:02}{value}", value.len());
    let receiver = field("00", bin) + &field("01", account);
    let merchant = field("00", VIETQR) + &field("01", &receiver) + &field("02", "QRIBFTTA");
    let mut text = field("00", "01") + &field("01", "12") + &field("38", &merchant);
    text += &field("53", "704");
    text += &field("54", &amount.to_string());
    text += &field("58", "VN");
    text += &field("62", &field("08", memo));
    text += "6304";
    let crc = checksum(text.as_bytes());
    format!("{text}{crc:04X}")
}

/// One level of tag, two-digit length, value; a tag twice is broken.
fn fields(mut text: &str) -> Result<BTreeMap<&str, &str>, QrError> {
    let mut fields = BTreeMap::new();
    while !text.is_empty() {
        let tag = text.get(..2).ok_or(QrError::Broken)?;
        let length: usize = text
            .get(2..4)
            .and_then(|n| n.parse().ok())
            .ok_or(QrError::Broken)?;
        let value = text.get(4..4 + length).ok_or(QrError::Broken)?;
        if fields.insert(tag, value).is_some() {
            return Err(QrError::Broken);
        }
        text = &text[4 + length..];
    }
    Ok(fields)
}

/// CRC-16/CCITT-FALSE.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Example of the NAPAS format text 1.5.2.
    const OFFICIAL: &str = "00020101021238570010A00000072701270006970403011300110123456780208QRIBFTTA530370454061800005802VN62340107NPS68690819thanh toan don hang63042E2E";

    #[test]
    fn the_official_example_is_read_and_damage_is_refused() {
        let read_qr = read(OFFICIAL).unwrap();
        assert_eq!(read_qr.bin, "970403");
        assert_eq!(read_qr.account, "0011012345678");
        assert_eq!(
            (read_qr.amount, read_qr.memo.as_str()),
            (Some(180_000), "thanh toan don hang")
        );
        assert_eq!(
            read(&OFFICIAL.replace("180000", "180001")),
            Err(QrError::Checksum)
        );
        assert_eq!(read("hello"), Err(QrError::Broken));
    }
}
