//! Percent encoding in the dialects providers sign.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde::Deserialize;

/// Where the first sign of a form value stands that does not stand for itself.
pub(super) fn first_escape(text: &str) -> Option<usize> {
    memchr2(b'%', b'+', text.as_bytes())
}

/// Decodes a form value as far as it can be decoded: a broken escape stays as it is, as every
/// mainstream server does before it signs. Signatures are compared over this form.
pub(super) fn decode_lenient(text: &str) -> Cow<'_, [u8]> {
    if first_escape(text).is_none() {
        return Cow::Borrowed(text.as_bytes());
    }
    Cow::Owned(decode(text.as_bytes()).0)
}

/// Decodes a form value; `None` when an escape is broken or the bytes are not UTF-8.
#[inline(never)] // callers stay small for values that stand for themselves
pub(super) fn decode_strict(text: &str) -> Option<Cow<'_, str>> {
    if first_escape(text).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let (decoded, sound) = decode(text.as_bytes());
    let text = sound.then(|| String::from_utf8(decoded).ok());
    text.flatten().map(Cow::Owned)
}

/// Decodes free text for people; what is not UTF-8 becomes a replacement character.
pub(super) fn decode_lossy(text: &str) -> Cow<'_, str> {
    if first_escape(text).is_none() {
        return Cow::Borrowed(text);
    }
    let decoded = String::from_utf8(decode(text.as_bytes()).0);
    Cow::Owned(decoded.unwrap_or_else(|error| {
        let bytes = error.as_bytes();
        String::from_utf8_lossy(bytes).into_owned()
    }))
}

/// The decoded bytes, and whether no escape was broken.
fn decode(bytes: &[u8]) -> (Vec<u8>, bool) {
    let plus = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
    let mut decoded: Vec<u8> = bytes.iter().map(plus).collect();
    let Some(first) = memchr(b'%', bytes) else {
        return (decoded, true);
    };
    let mut sound = true;
    let (mut from, mut to) = (first, first);
    while let Some(&byte) = decoded.get(from) {
        from += 1;
        decoded[to] = match byte {
            b'%' => match escaped(bytes, from - 1) {
                Some(value) => {
                    from += 2;
                    value
                }
                None => {
                    sound = false;
                    byte
                }
            },
            _ => byte,
        };
        to += 1;
    }
    decoded.truncate(to);
    (decoded, sound)
}

/// How a space is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Plus,
    Percent,
}

/// Signs that some libraries leave as they are and others escape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    const ALL: [u8; 6] = *b"*!()'~";

    fn contains(self, byte: u8) -> bool {
        let place = Self::ALL.iter().position(|mark| *mark == byte);
        place.is_some_and(|place| self.0 & (1 << place) != 0)
    }
}

impl TryFrom<String> for Marks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut marks = 0;
        for byte in text.bytes() {
            let place = Self::ALL.iter().position(|mark| *mark == byte);
            marks |= 1 << place.ok_or("unescaped holds some of * ! ( ) ' ~")?;
        }
        Ok(Self(marks))
    }
}

/// Everything but letters, digits, `-`, `_`, `.` and the marks becomes `%XX`.
pub(super) fn encode(bytes: &[u8], space: Space, unescaped: Marks, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte),
            mark if unescaped.contains(mark) => out.push(mark),
            b' ' if space == Space::Plus => out.push(b'+'),
            _ => out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
}

/// The same text with the letters of its escapes changed and nothing else.
pub(super) fn with_letters(text: &str, letter: impl Fn(&u8) -> u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        out.push(byte);
        if byte == b'%' && escaped(bytes, at).is_some() {
            out.extend(bytes[at + 1..at + 3].iter().map(&letter));
            at += 2;
        }
        at += 1;
    }
}

fn escaped(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |place: usize| {
        bytes
            .get(place)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let (high, low) = (digit(at + 1)?, digit(at + 2)?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_escapes_stay_for_signatures_and_are_refused_for_values() {
        assert_eq!(decode_lenient("100%&%4").as_ref(), b"100%&%4");
        assert_eq!(decode_strict("100%"), None);
        assert_eq!(decode_strict("%ZZ"), None);
        assert_eq!(decode_strict("%FF"), None);
        assert_eq!(decode_lossy("%FF+a"), "\u{fffd} a");
    }

    proptest! {
        #[test]
        fn escapes_are_decoded_and_all_else_stands_for_itself(
            parts in proptest::collection::vec(
                prop_oneof![
                    "[a-z0-9\u{e9}]{1,3}".prop_map(|text| (text.clone(), text.into_bytes())),
                    Just(("+".to_owned(), b" ".to_vec())),
                    any::<u8>().prop_map(|byte| (format!("%{byte:02X}"), vec![byte])),
                    any::<u8>().prop_map(|byte| (format!("%{byte:02x}"), vec![byte])),
                    Just(("%-".to_owned(), b"%-".to_vec())),
                ],
                0..20,
            )
        ) {
            let written: String = parts.iter().map(|(text, _)| text.as_str()).collect();
            let expected: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            let broken = parts.iter().any(|(text, _)| text == "%-");
            let text = String::from_utf8(expected.clone()).ok().filter(|_| !broken);
            prop_assert_eq!(decode_lenient(&written).into_owned(), expected);
            prop_assert_eq!(decode_strict(&written).map(Cow::into_owned), text);
        }

        #[test]
        fn whatever_is_encoded_is_decoded_to_itself(text in any::<String>()) {
            for space in [Space::Plus, Space::Percent] {
                let mut out = Vec::new();
                encode(text.as_bytes(), space, Marks::default(), &mut out);
                let out = String::from_utf8(out).unwrap();
                let decoded = decode_strict(&out);
                prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
            }
        }
    }
}
