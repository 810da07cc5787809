//! The reference code of a bill: `HPZ`, eight data symbols, two check symbols.
//!
//! The alphabet has 19 symbols, a prime, so the check symbols form a code of distance 3: every one
//! or two wrong symbols and every swap of two symbols are seen (banks-and-reconciliation §4.2).
//! `Z` stands only in the prefix, so a code never begins inside another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::Ids;

pub(super) const PREFIX: [u8; 3] = *b"HPZ";
/// Symbols after the prefix.
pub(super) const BODY: usize = 10;
const DATA: usize = 8;
const LENGTH: usize = PREFIX.len() + BODY;
const ALPHABET: &[u8; 19] = b"3479CDFGHJKMNPQRTWX";
const MODULUS: u8 = 19;
/// Sum of the symbols, and sum of place × symbol, of every valid code; not 0, so that
/// `HPZ3333333333` is invalid.
const SUM: u8 = 7;
const WEIGHTED_SUM: u8 = 11;
/// Marks a character outside the alphabet.
const FOREIGN: u8 = u8::MAX;

/// Index in the alphabet of every byte, or [`FOREIGN`].
const INDEX: [u8; 256] = {
    let mut index = [FOREIGN; 256];
    let mut place = 0;
    while place < ALPHABET.len() {
        index[ALPHABET[place] as usize] = place as u8;
        place += 1;
    }
    index
};

/// A valid reference code. Printed on the bill, in the QR memo and typed by people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillCode([u8; LENGTH]);

/// Why a text is not a reference code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BillCodeError {
    #[error("a bill code is HPZ and ten symbols of {}", "3479CDFGHJKMNPQRTWX")]
    Shape,
    #[error("the check symbols of the bill code do not fit")]
    Check,
    #[error("the number is beyond the space of bill codes")]
    Number,
}

impl BillCode {
    /// How many codes there are: 19⁸.
    pub const SPACE: u64 = 16_983_563_041;

    /// Reads the canonical spelling: 13 characters, upper case, no spaces. What people type goes
    /// through [`memo`](super::memo) instead.
    ///
    /// # Errors
    /// [`BillCodeError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, BillCodeError> {
        let body = text
            .as_bytes()
            .strip_prefix(&PREFIX)
            .and_then(|body| <&[u8; BODY]>::try_from(body).ok())
            .ok_or(BillCodeError::Shape)?;
        match read_body(body) {
            Body::Valid(code) => Ok(code),
            Body::Damaged(_) if body.iter().all(|&byte| index(byte) != FOREIGN) => {
                Err(BillCodeError::Check)
            }
            Body::Damaged(_) => Err(BillCodeError::Shape),
        }
    }

    /// The code that carries `number`.
    ///
    /// # Errors
    /// [`BillCodeError::Number`] when `number` is not below [`SPACE`](Self::SPACE).
    pub fn from_number(number: u64) -> Result<Self, BillCodeError> {
        if number >= Self::SPACE {
            return Err(BillCodeError::Number);
        }
        let mut values = [0; BODY];
        let mut rest = number;
        for value in values[..DATA].iter_mut().rev() {
            *value = u8::try_from(rest % u64::from(MODULUS)).unwrap_or_default();
            rest /= u64::from(MODULUS);
        }
        // With the check places still 0 the sums are those of the data alone.
        let (sum, weighted) = sums(&values);
        let a = modulo(i32::from(SUM) - i32::from(sum));
        let b = modulo(i32::from(WEIGHTED_SUM) - i32::from(weighted));
        values[9] = modulo(i32::from(b) - 9 * i32::from(a));
        values[8] = modulo(i32::from(a) - i32::from(values[9]));
        Ok(Self::from_values(&values))
    }

    /// A code drawn at random; the unique index on stored codes settles the rare collision. Never
    /// in sequence: a code opens a page that shows what a family owes.
    pub fn draw(ids: &Ids) -> Self {
        Self::from_number(ids.below(Self::SPACE)).expect("drawn below the space of codes")
    }

    /// The number the code carries.
    pub fn number(&self) -> u64 {
        self.0[PREFIX.len()..PREFIX.len() + DATA]
            .iter()
            .fold(0, |number, &byte| {
                number * u64::from(MODULUS) + u64::from(index(byte))
            })
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("symbols are ASCII")
    }

    /// In groups, for reading aloud and typing: `HPZ 37MT FCKQ PG`.
    pub fn grouped(&self) -> String {
        let text = self.as_str();
        [&text[..3], &text[3..7], &text[7..11], &text[11..]].join(" ")
    }

    fn from_values(values: &[u8; BODY]) -> Self {
        let mut text = [0; LENGTH];
        text[..PREFIX.len()].copy_from_slice(&PREFIX);
        for (symbol, &value) in text[PREFIX.len()..].iter_mut().zip(values) {
            *symbol = ALPHABET[usize::from(value)];
        }
        Self(text)
    }
}

/// What stands after a prefix.
pub(super) enum Body {
    Valid(BillCode),
    /// The one code it may have been, if there is one. For a person to judge, never to post by.
    Damaged(Option<BillCode>),
}

/// Reads up to ten upper-case characters after a prefix. A missing tail of one or two, one or two
/// foreign characters, or one wrong symbol leave at most one candidate.
pub(super) fn read_body(text: &[u8]) -> Body {
    let mut values = [0; BODY];
    let mut lost = [0; 2];
    let mut losses = 0;
    for (place, value) in values.iter_mut().enumerate() {
        let known = text.get(place).map_or(FOREIGN, |&byte| index(byte));
        if known == FOREIGN {
            if losses == lost.len() {
                return Body::Damaged(None);
            }
            lost[losses] = place;
            losses += 1;
        } else {
            *value = known;
        }
    }
    let (sum, weighted) = sums(&values);
    let excess = modulo(i32::from(sum) - i32::from(SUM));
    let weighted_excess = modulo(i32::from(weighted) - i32::from(WEIGHTED_SUM));
    if losses == 0 && excess == 0 && weighted_excess == 0 {
        return Body::Valid(BillCode::from_values(&values));
    }
    let mended = match losses {
        0 => mend_symbol(&mut values, excess, weighted_excess),
        1 => mend_one_loss(&mut values, lost[0], excess, weighted_excess),
        _ => mend_two_losses(&mut values, lost, excess, weighted_excess),
    };
    Body::Damaged(mended.then(|| BillCode::from_values(&values)))
}

/// One wrong symbol: the excess is the error, the weighted excess is place × error.
fn mend_symbol(values: &mut [u8; BODY], excess: u8, weighted_excess: u8) -> bool {
    if excess == 0 {
        return false;
    }
    let place = modulo(i32::from(weighted_excess) * i32::from(inverse(excess)));
    let Some(value) = usize::from(place)
        .checked_sub(1)
        .and_then(|place| values.get_mut(place))
    else {
        return false;
    };
    *value = modulo(i32::from(*value) - i32::from(excess));
    true
}

/// One lost symbol, counted as 0: the second sum must agree with the first.
fn mend_one_loss(values: &mut [u8; BODY], lost: usize, excess: u8, weighted_excess: u8) -> bool {
    values[lost] = modulo(-i32::from(excess));
    modulo(i32::from(weighted_excess) - weight(lost) * i32::from(excess)) == 0
}

/// Two lost symbols: two equations, one solution, always.
fn mend_two_losses(
    values: &mut [u8; BODY],
    [first, second]: [usize; 2],
    excess: u8,
    weighted_excess: u8,
) -> bool {
    let apart = modulo(weight(second) - weight(first));
    let gap = weight(first) * i32::from(excess) - i32::from(weighted_excess);
    let y = modulo(i32::from(modulo(gap)) * i32::from(inverse(apart)));
    values[second] = y;
    values[first] = modulo(-i32::from(excess) - i32::from(y));
    true
}

fn sums(values: &[u8; BODY]) -> (u8, u8) {
    let mut sum = 0;
    let mut weighted = 0;
    for (place, &value) in values.iter().enumerate() {
        sum += i32::from(value);
        weighted += weight(place) * i32::from(value);
    }
    (modulo(sum), modulo(weighted))
}

/// Places count from 1.
fn weight(place: usize) -> i32 {
    i32::try_from(place + 1).unwrap_or_default()
}

fn modulo(number: i32) -> u8 {
    u8::try_from(number.rem_euclid(i32::from(MODULUS))).unwrap_or_default()
}

/// The inverse in GF(19); of 0 it is 0, which no caller asks for.
fn inverse(value: u8) -> u8 {
    (0..MODULUS)
        .find(|&other| modulo(i32::from(value) * i32::from(other)) == 1)
        .unwrap_or_default()
}

fn index(byte: u8) -> u8 {
    INDEX[usize::from(byte)]
}

impl FromStr for BillCode {
    type Err = BillCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// For row structs: `#[sqlx(try_from = "String")]`.
impl TryFrom<String> for BillCode {
    type Error = BillCodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl fmt::Display for BillCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BillCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for BillCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BillCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_worked_example_holds() {
        let code = BillCode::from_number(123_456_789).unwrap();
        assert_eq!(code.as_str(), "HPZ37MTFCKQPG");
        assert_eq!(code.grouped(), "HPZ 37MT FCKQ PG");
        assert_eq!(code.number(), 123_456_789);
        assert_eq!(BillCode::parse("HPZ37MTFCKQPG"), Ok(code));
    }

    #[test]
    fn only_the_canonical_spelling_is_parsed() {
        assert_eq!(BillCode::parse("hpz37mtfckqpg"), Err(BillCodeError::Shape));
        assert_eq!(BillCode::parse("HPZ 37MTFCKQPG"), Err(BillCodeError::Shape));
        assert_eq!(BillCode::parse("HPZ3333333333"), Err(BillCodeError::Check));
        assert_eq!(
            BillCode::from_number(BillCode::SPACE),
            Err(BillCodeError::Number)
        );
        assert!(BillCode::from_number(BillCode::SPACE - 1).is_ok());
    }

    proptest! {
        #[test]
        fn two_wrong_symbols_are_seen_and_one_is_mended(
            number in 0..BillCode::SPACE,
            first in 0usize..BODY,
            second in 0usize..BODY,
            by in 1u8..MODULUS,
            also_by in 1u8..MODULUS,
        ) {
            let code = BillCode::from_number(number).unwrap();
            prop_assert_eq!(code.number(), number);
            let mut body: [u8; BODY] = code.0[PREFIX.len()..].try_into().unwrap();
            let shift = |body: &mut [u8; BODY], place: usize, by: u8| {
                body[place] = ALPHABET[usize::from((index(body[place]) + by) % MODULUS)];
            };
            shift(&mut body, first, by);
            let Body::Damaged(mended) = read_body(&body) else {
                return Err(TestCaseError::fail("one wrong symbol was taken"));
            };
            prop_assert_eq!(mended, Some(code));
            if first != second {
                shift(&mut body, second, also_by);
                prop_assert!(matches!(read_body(&body), Body::Damaged(_)));
                body[first] = b'0';
                body[second] = b'O';
                let Body::Damaged(mended) = read_body(&body) else {
                    return Err(TestCaseError::fail("foreign characters were taken"));
                };
                prop_assert_eq!(mended, Some(code));
            }
            let kept = &code.0[PREFIX.len()..LENGTH - 2];
            let Body::Damaged(mended) = read_body(kept) else {
                return Err(TestCaseError::fail("a cut tail was taken"));
            };
            prop_assert_eq!(mended, Some(code));
        }
    }
}
