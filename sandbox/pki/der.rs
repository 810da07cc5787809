//! The few fields of an X.509 certificate the tax authority looks at, read straight from its DER.

use time::OffsetDateTime;
use time::macros::format_description;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const BIT_STRING: u8 = 0x03;
/// 0.9.2342.19200300.100.1.1
const UID: [u8; 10] = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01];

/// A certificate, borrowed from its bytes.
pub(crate) struct CertificateView<'a> {
    /// What the issuer signed, whole.
    pub signed_part: &'a [u8],
    pub signature: &'a [u8],
    /// PKCS#1 `RSAPublicKey`.
    pub public_key: &'a [u8],
    subject: &'a [u8],
    not_before: i64,
    not_after: i64,
}

impl<'a> CertificateView<'a> {
    /// `None` for anything that is not a version 3 certificate.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(der).enter(SEQUENCE)?;
        let signed_part = outer.whole(SEQUENCE)?;
        outer.enter(SEQUENCE)?;
        let signature = outer.bits()?;
        let mut part = Reader(signed_part).enter(SEQUENCE)?;
        part.enter(VERSION)?;
        part.value(0x02)?; // serial number
        part.enter(SEQUENCE)?; // signature algorithm
        part.enter(SEQUENCE)?; // issuer
        let mut validity = part.enter(SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = part.value(SEQUENCE)?;
        let mut key = part.enter(SEQUENCE)?;
        key.enter(SEQUENCE)?;
        let public_key = key.bits()?;
        Some(Self {
            signed_part,
            signature,
            public_key,
            subject,
            not_before,
            not_after,
        })
    }

    /// The tax code of `UID=MST:…`.
    pub fn tax_code(&self) -> Option<String> {
        let mut names = Reader(self.subject);
        while !names.0.is_empty() {
            let mut pair = names.enter(SET)?.enter(SEQUENCE)?;
            if pair.value(0x06)? == UID {
                let (_, text, _) = pair.next()?;
                return std::str::from_utf8(text)
                    .ok()?
                    .strip_prefix("MST:")
                    .map(str::to_owned);
            }
        }
        None
    }

    pub fn is_valid_at(&self, unix: i64) -> bool {
        (self.not_before..=self.not_after).contains(&unix)
    }
}

/// Reads tag, length, value from the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Tag, value and the whole element.
    fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (digits, rest) = rest.split_at_checked(count)?;
            (
                digits
                    .iter()
                    .fold(0, |sum, digit| sum << 8 | usize::from(*digit)),
                rest,
            )
        };
        let (value, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some((tag, value, whole))
    }

    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, value, _) = self.next()?;
        (found == tag).then_some(value)
    }

    fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, _, whole) = self.next()?;
        (found == tag).then_some(whole)
    }

    fn enter(&mut self, tag: u8) -> Option<Self> {
        self.value(tag).map(Reader)
    }

    /// Content of a bit string of whole bytes.
    fn bits(&mut self) -> Option<&'a [u8]> {
        self.value(BIT_STRING)?.strip_prefix(&[0])
    }

    fn time(&mut self) -> Option<i64> {
        let (tag, value, _) = self.next()?;
        let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
        let text = match (tag, text.get(..2)?) {
            (UTC_TIME, year) if year < "50" => format!("20{text}"),
            (UTC_TIME, _) => format!("19{text}"),
            _ => text.to_owned(),
        };
        let shape = format_description!("[year][month][day][hour][minute][second]");
        let read = time::PrimitiveDateTime::parse(&text, shape).ok()?;
        Some(OffsetDateTime::unix_timestamp(read.assume_utc()))
    }
}
