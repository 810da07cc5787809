//! JSON written again, byte for byte as providers write it before they sign.

use std::borrow::Cow;
use std::cmp::Ordering;

use memchr::memchr;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper nesting is an attack.
const DEPTH_MAX: usize = 32;

/// How far down members are sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// In every object.
    Deep,
    /// Only in the objects that are direct elements of a list.
    Elements,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Unreadable,
    /// A name stands twice in one object.
    Twice,
}

/// Compact JSON with members in byte order of their names; slashes and letters beyond ASCII stand
/// for themselves, numbers keep their digits.
pub(super) fn canonical(raw: &str, sort: Sort, out: &mut Vec<u8>) -> Result<(), Flaw> {
    write(raw, sort, sort == Sort::Deep, 0, out)
}

fn write(
    raw: &str,
    sort: Sort,
    sorted_here: bool,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    if depth > DEPTH_MAX {
        return Err(Flaw::Unreadable);
    }
    let raw = raw.trim();
    match raw.as_bytes().first() {
        Some(b'{') => {
            let mut found = Vec::with_capacity(16);
            members(raw, |name, value| found.push((name, value))).map_err(|_| Flaw::Unreadable)?;
            if sorted_here {
                found.sort_by(|left, right| by_bytes(&left.0, &right.0));
            }
            if is_twice(&found, sorted_here) {
                return Err(Flaw::Twice);
            }
            out.push(b'{');
            for (place, (name, value)) in found.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                match name {
                    Cow::Borrowed(name) => plain_string(name, out),
                    Cow::Owned(name) => string(name, out),
                }
                out.push(b':');
                write(value.get(), sort, sort == Sort::Deep, depth + 1, out)?;
            }
            out.push(b'}');
        }
        Some(b'[') => {
            let Items(items) = serde_json::from_str(raw).map_err(|_| Flaw::Unreadable)?;
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                let sorted = sort == Sort::Deep || depth == 0;
                write(item.get(), sort, sorted, depth + 1, out)?;
            }
            out.push(b']');
        }
        // Inside another value it was read before.
        Some(b'"') if depth > 0 && memchr(b'\\', raw.as_bytes()).is_none() => {
            out.extend_from_slice(raw.as_bytes());
        }
        Some(b'"') => {
            let Name(text) = serde_json::from_str(raw).map_err(|_| Flaw::Unreadable)?;
            match text {
                Cow::Borrowed(text) => plain_string(text, out),
                Cow::Owned(text) => string(&text, out),
            }
        }
        Some(_) => out.extend_from_slice(raw.as_bytes()),
        None => return Err(Flaw::Unreadable),
    }
    Ok(())
}

fn is_twice(members: &[(Cow<'_, str>, &RawValue)], sorted: bool) -> bool {
    if sorted {
        return members.windows(2).any(|pair| pair[0].0 == pair[1].0);
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// A JSON string with the escapes JavaScript and PHP (slashes and Unicode unescaped) agree on.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// The same for a text that was read without an escape: it needs none.
fn plain_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// The text inside a JSON string that is known to be sound. `None` when it holds escapes by number,
/// which come in pairs.
pub(super) fn unescaped(inner: &str) -> Option<String> {
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'\\' => match bytes.next()? {
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                itself @ (b'"' | b'\\' | b'/') => itself,
                _ => return None,
            },
            _ => byte,
        });
    }
    String::from_utf8(text).ok()
}

/// The inside of a JSON string.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

/// Digits JavaScript keeps of every number; of longer ones it rounds the rest away.
const EXACT_DIGITS: usize = 15;

/// Whether a JSON number is one that JavaScript prints as it stands, as nearly all are.
pub(super) fn is_short_integer(raw: &str) -> bool {
    raw.len() <= EXACT_DIGITS && raw.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number as JavaScript prints it (ECMA-262, Number::toString). `None` for what is no JSON number and
/// for one with more digits than JavaScript keeps: nobody knows what its signer made of it.
pub(super) fn javascript_number(raw: &str) -> Option<String> {
    let (sign, rest) = raw.strip_prefix('-').map_or(("", raw), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let written = format!("{whole}{fraction}");
    let leading = written.len() - written.trim_start_matches('0').len();
    let digits = written.trim_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    if digits.len() > EXACT_DIGITS {
        return None;
    }
    let count = i64::try_from(digits.len()).ok()?;
    // The number is 0.digits × 10^point.
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
    let point = point.checked_add(exponent.parse().ok()?)?;
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let text = if count <= point && point <= 21 {
        format!("{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (before, after) = digits.split_at(usize::try_from(point).ok()?);
        format!("{before}.{after}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let power = point - 1;
        let plus = if power < 0 { "" } else { "+" };
        let (first, more) = digits.split_at(1);
        let dot = if more.is_empty() { "" } else { "." };
        format!("{first}{dot}{more}e{plus}{power}")
    };
    Some(format!("{sign}{text}"))
}

/// Order of names by their bytes. Most differ in the first one.
pub(super) fn by_bytes(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    (left.first().cmp(&right.first())).then_with(|| left.cmp(right))
}

/// Hands over the members of an object in the order they stand.
pub(super) fn members<'a>(
    text: &'a str,
    take: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Members(take))?;
    reader.end()
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            (self.0)(name, raw);
        }
        Ok(())
    }
}

/// The elements of a list.
pub(super) struct Items<'a>(pub(super) Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_are_unescaped_as_they_were_written(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            let read = unescaped(&written[1..written.len() - 1]);
            if !written.contains("\\u") {
                prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            } else {
                prop_assert!(read.is_none_or(|read| read == text));
            }
        }
    }

    #[test]
    fn escapes_by_number_are_left_to_the_reader() {
        assert_eq!(unescaped("a\\/\\\"b\\n").as_deref(), Some("a/\"b\n"));
        for other in ["\\u0111", "\\ud83d\\ude00", "a\\"] {
            assert_eq!(unescaped(other), None, "{other}");
        }
    }

    #[test]
    fn json_is_written_as_the_signer_wrote_it() {
        let written = |raw: &str, sort| {
            let mut out = Vec::new();
            canonical(raw, sort, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        let raw = "{ \"b\":[{\"z\":1,\"a\":\"T9/2026 \\u0111\\u1ed3ng\\t\"}], \"a\":1.0 }";
        assert_eq!(
            written(raw, Sort::Deep).as_deref(),
            Ok("{\"a\":1.0,\"b\":[{\"a\":\"T9/2026 đồng\\t\",\"z\":1}]}")
        );
        assert_eq!(
            written("[{\"b\":{\"d\":1,\"c\":2},\"a\":null}]", Sort::Elements).as_deref(),
            Ok("[{\"a\":null,\"b\":{\"d\":1,\"c\":2}}]")
        );
        assert_eq!(
            written("{\"a\":1,\"\\u0061\":2}", Sort::Deep),
            Err(Flaw::Twice)
        );
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(written(&deep, Sort::Deep), Err(Flaw::Unreadable));
    }

    #[test]
    fn numbers_print_as_in_javascript() {
        for (raw, printed) in [
            ("1250000", Some("1250000")),
            ("1.0", Some("1")),
            ("1e3", Some("1000")),
            ("12.50", Some("12.5")),
            ("0.5", Some("0.5")),
            ("-0", Some("0")),
            ("-1.5E1", Some("-15")),
            ("1e21", Some("1e+21")),
            ("1e20", Some("100000000000000000000")),
            ("1e-7", Some("1e-7")),
            ("1.25e-7", Some("1.25e-7")),
            ("0.000001", Some("0.000001")),
            ("12345678901234567890", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(javascript_number(raw).as_deref(), printed, "{raw}");
        }
    }
}
