//! VietQR: the NAPAS 24/7 transfer as EMVCo tag-length-value text (banks-and-reconciliation §1).
//!
//! Writes the minimal layout (00 01 38 53 54 58 62 63), byte for byte what independent libraries
//! agree on. Reads strictly: a payload that a bank could understand differently is refused.

mod decode;
mod encode;
mod tlv;

pub use decode::{DecodeError, Decoded, Warning, decode};
pub use encode::{EncodeError, Transfer, encode};

/// Application identifier of NAPAS.
const NAPAS: &str = "A000000727";
const CURRENCY_VND: &str = "704";
const COUNTRY_VN: &str = "VN";
const BIN_DIGITS: usize = 6;
const ACCOUNT_CHARS_MAX: usize = 19;
const AMOUNT_CHARS_MAX: usize = 13;
/// Each of bill number and purpose.
const TEXT_CHARS_MAX: usize = 25;

crate::stored_as_text!(Service {
    ToAccount = "QRIBFTTA",
    ToCard = "QRIBFTTC",
    Push = "QRPUSH",
    Cash = "QRCASH",
});

/// What the code asks the paying app to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Transfer to an account.
    ToAccount,
    /// Transfer to a card.
    ToCard,
    /// Payment to a merchant; not a transfer.
    Push,
    /// Withdrawal at a machine; not a transfer.
    Cash,
}

crate::stored_as_text!(Initiation {
    Static = "11",
    Dynamic = "12",
});

/// Whether the code may be paid again and again, or was made for one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiation {
    Static,
    Dynamic,
}

fn is_bin(text: &str) -> bool {
    text.len() == BIN_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_account_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Printable ASCII: what every bank carries unchanged.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// CRC-16/CCITT-FALSE.
pub(crate) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests;
