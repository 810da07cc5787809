//! An inbound message as named values, each kept as it was written.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use serde_json::value::RawValue;

use super::encoding;
use super::form::{Escapes, Signs};
use super::json;
use super::plan::{Duplicates, Source};
use crate::contract::{Inbound, Reason, Rejection};

/// A message of more fields is an attack: the richest provider has about forty.
const FIELDS_MAX: usize = 200;
/// Room made for fields at first: enough for most messages, and no more than an allocator hands out
/// the quick way.
const FIELDS_USUAL: usize = 14;
/// Longest query or body of a caller that is looked into.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// The same for what an address we called answers: a page of its list.
const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Stands where the method of a reply would.
pub(super) const REPLY: &str = "RESPONSE";

/// How the value of a field is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// Form encoded with an escape or a plus, in a query or body.
    Encoded(&'a str),
    Json(&'a RawValue),
    /// For itself: of a form without escapes, or a value of ours.
    Plain(&'a str),
}

#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    /// See [`head_of`].
    head: u64,
    pub(super) name: Cow<'a, str>,
    /// Where `name=value` stands in the form; empty outside forms.
    pub(super) piece: Range<usize>,
    pub(super) value: Value<'a>,
}

/// The first bytes of a name as a number. It orders names as their bytes do and tells most of them
/// apart, for less than a comparison of texts.
fn head_of(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let first = bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        padded
    });
    u64::from_be_bytes(first)
}

impl<'a> Field<'a> {
    fn new(name: Cow<'a, str>, piece: Range<usize>, value: Value<'a>) -> Self {
        Self {
            head: head_of(&name),
            name,
            piece,
            value,
        }
    }

    fn has_name_of(&self, other: &Self) -> bool {
        self.head == other.head && self.name == other.name
    }

    /// The value as exact text. `Ok(None)` for JSON null.
    ///
    /// # Errors
    /// The value is a list or object, not UTF-8, or carries a broken escape.
    #[inline]
    pub(super) fn text(&self) -> Result<Option<Cow<'a, str>>, Unreadable> {
        match self.value {
            Value::Plain(text) => Ok(Some(Cow::Borrowed(text))),
            Value::Encoded(text) => encoding::decode_strict(text).map(Some).ok_or(Unreadable),
            Value::Json(raw) => json_text(raw.get()),
        }
    }

    /// The value as text for people; never fails.
    pub(super) fn text_lossy(&self) -> Option<Cow<'a, str>> {
        match self.value {
            Value::Encoded(text) => Some(encoding::decode_lossy(text)),
            Value::Plain(text) => Some(Cow::Borrowed(text)),
            Value::Json(raw) => json_text(raw.get()).ok().flatten(),
        }
    }

    /// The bytes a signature speaks of, escapes removed.
    pub(super) fn bytes(&self) -> Cow<'a, [u8]> {
        match self.value {
            Value::Encoded(text) => encoding::decode_lenient(text),
            Value::Plain(text) => Cow::Borrowed(text.as_bytes()),
            Value::Json(raw) => match json_text(raw.get()) {
                Ok(Some(Cow::Borrowed(text))) => Cow::Borrowed(text.as_bytes()),
                Ok(Some(Cow::Owned(text))) => Cow::Owned(text.into_bytes()),
                Ok(None) => Cow::Borrowed(b""),
                Err(Unreadable) => Cow::Borrowed(raw.get().as_bytes()),
            },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            Value::Encoded(text) | Value::Plain(text) => text.is_empty(),
            Value::Json(raw) => matches!(raw.get(), "null" | "\"\""),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Numbers keep every digit they were written with.
#[inline(never)] // `Field::text` stays small for values that stand for themselves
fn json_text(raw: &str) -> Result<Option<Cow<'_, str>>, Unreadable> {
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            let inner = raw.get(1..raw.len() - 1).ok_or(Unreadable)?;
            if memchr(b'\\', inner.as_bytes()).is_none() {
                return Ok(Some(Cow::Borrowed(inner)));
            }
            match json::unescaped(inner) {
                Some(text) => Ok(Some(Cow::Owned(text))),
                None => serde_json::from_str(raw)
                    .map(|text: String| Some(Cow::Owned(text)))
                    .map_err(|_| Unreadable),
            }
        }
        Some(b'{' | b'[') | None => Err(Unreadable),
        Some(_) => Ok(Some(Cow::Borrowed(raw))),
    }
}

/// The fields of one message, sorted by name in byte order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    list: Vec<Field<'a>>,
    /// The form they stand in; empty outside forms.
    pub(super) form: &'a str,
}

impl<'a> Fields<'a> {
    /// Takes a message apart.
    ///
    /// # Errors
    /// [`Reason::Malformed`] when it has no such form.
    pub(super) fn read(inbound: &'a Inbound, source: Source) -> Result<Self, Rejection> {
        match source {
            Source::None => Ok(Self::default()),
            Source::Query => Self::form(&inbound.query),
            Source::Json => Self::json(text_of(inbound)?),
            Source::Form => Self::form_body(&inbound.body),
            Source::QueryOrForm if inbound.body.is_empty() => Self::form(&inbound.query),
            Source::QueryOrForm => Self::form_body(&inbound.body),
            Source::JsonOrForm => {
                let form = inbound.header("content-type").is_some_and(|kind| {
                    kind.trim_start().get(..33).is_some_and(|start| {
                        start.eq_ignore_ascii_case("application/x-www-form-urlencoded")
                    })
                });
                if form {
                    Self::form_body(&inbound.body)
                } else {
                    Self::json(text_of(inbound)?)
                }
            }
        }
    }

    /// Values of our own, for a request.
    pub(super) fn plain(fields: &'a [(String, String)]) -> Self {
        let fields = fields
            .iter()
            .map(|(name, value)| Field::new(Cow::Borrowed(name), 0..0, Value::Plain(value)));
        Self::sorted(fields.collect(), "")
    }

    fn form_body(body: &'a [u8]) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(body).map_err(|_| malformed("the form is not text"))?;
        Self::form(text.trim_end_matches(['\r', '\n']))
    }

    fn form(text: &'a str) -> Result<Self, Rejection> {
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(malformed("the message is too long"));
        }
        let mut escapes = Escapes::of(text);
        let mut fields = Vec::with_capacity(FIELDS_USUAL);
        let (mut start, mut sign, mut rest) = (0, None, text);
        for at in Signs::of(text) {
            if text.as_bytes().get(at) == Some(&b'=') {
                sign.get_or_insert(at);
                continue;
            }
            let (piece, after) = rest.split_at(at - start);
            rest = after.get(1..).unwrap_or_default();
            let place = std::mem::replace(&mut start, at + 1)..at;
            let sign = sign.take();
            if piece.is_empty() {
                continue;
            }
            if fields.len() == FIELDS_MAX {
                return Err(malformed("the message has too many fields"));
            }
            let (name, value) = match sign {
                Some(sign) => {
                    let (name, value) = piece.split_at(sign - place.start);
                    (name, &value[1..])
                }
                None => (piece, ""),
            };
            let name = if escapes.stand_before(place.start + name.len()) {
                encoding::decode_lossy(name)
            } else {
                Cow::Borrowed(name)
            };
            let value = if escapes.stand_before(at) {
                Value::Encoded(value)
            } else {
                Value::Plain(value)
            };
            fields.push(Field::new(name, place, value));
        }
        Ok(Self::sorted(fields, text))
    }

    /// The members of a JSON object.
    ///
    /// # Errors
    /// [`Reason::Malformed`] when the text is none.
    pub(super) fn json(text: &'a str) -> Result<Self, Rejection> {
        let mut fields = Vec::with_capacity(FIELDS_USUAL);
        json::members(text, |name, raw| {
            fields.push(Field::new(name, 0..0, Value::Json(raw)));
        })
        .map_err(|error| malformed(format!("not a JSON object: {error}")))?;
        if fields.len() > FIELDS_MAX {
            return Err(malformed("the message has too many fields"));
        }
        Ok(Self::sorted(fields, ""))
    }

    fn sorted(mut list: Vec<Field<'a>>, form: &'a str) -> Self {
        // Stable: of a repeated name the first stays first.
        list.sort_by(|left, right| {
            let heads = left.head.cmp(&right.head);
            heads.then_with(|| left.name.cmp(&right.name))
        });
        Self { list, form }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Field<'a>> {
        self.list.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Field<'a>> {
        // This beats a search by halves: messages have few fields.
        let head = head_of(name);
        let mut fields = self.list.iter();
        fields.find(|field| field.head == head && field.name == name)
    }

    /// Puts the text of a field that was decoded in the place of its written form.
    pub(super) fn decoded(&mut self, name: &str, text: &'a str) {
        if let Some(field) = self.list.iter_mut().find(|field| field.name == name) {
            field.value = Value::Plain(text);
        }
    }

    /// Refuses a name that stands twice: two readers of the message would see two values.
    ///
    /// # Errors
    /// [`Reason::DuplicateParameter`].
    pub(super) fn refuse_duplicates(&self, scope: &Duplicates) -> Result<(), Rejection> {
        let twice = self.list.windows(2).find(|pair| {
            pair[0].has_name_of(&pair[1])
                && match scope {
                    Duplicates::All => true,
                    Duplicates::Prefixes(prefixes) => prefixes
                        .iter()
                        .any(|prefix| pair[0].name.starts_with(prefix.as_str())),
                }
        });
        match twice {
            Some(pair) => Err(Rejection::new(
                Reason::DuplicateParameter,
                format!("{} stands twice", pair[0].name),
            )),
            None => Ok(()),
        }
    }
}

pub(super) fn malformed(detail: impl Into<String>) -> Rejection {
    Rejection::new(Reason::Malformed, detail)
}

fn text_of(inbound: &Inbound) -> Result<&str, Rejection> {
    let bytes_max = if inbound.method == REPLY {
        REPLY_BYTES_MAX
    } else {
        MESSAGE_BYTES_MAX
    };
    if inbound.body.len() > bytes_max {
        return Err(malformed("the message is too long"));
    }
    let text =
        std::str::from_utf8(&inbound.body).map_err(|_| malformed("the body is not UTF-8"))?;
    // A byte order mark is no part of JSON, but some hosts send one.
    Ok(text.trim_start_matches('\u{feff}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_form_is_cut_where_its_signs_stand(text in "[a-c=&%+2é]{0,60}") {
            let mut expected: Vec<_> = text
                .split('&')
                .filter(|piece| !piece.is_empty())
                .map(|piece| {
                    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
                    let name = encoding::decode_lossy(name).into_owned();
                    (name, piece, encoding::decode_strict(value))
                })
                .collect();
            expected.sort_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
            let fields = Fields::form(&text).unwrap();
            let read: Vec<_> = fields
                .iter()
                .map(|field| {
                    let value = field.text().ok().flatten();
                    (field.name.clone().into_owned(), &text[field.piece.clone()], value)
                })
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
