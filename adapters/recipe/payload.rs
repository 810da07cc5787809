//! The text a signature covers.

use std::ops::Range;

use super::fields::malformed;
use super::formula::{Formulas, SECRET};
use super::json::{self, Flaw, Sort};
use super::message::Message;
use super::plan::{Alternative, Entry, FieldSet, FieldsPayload, Part, Payload, SignaturePlan};
use super::request::ADDRESS_OVERRIDE;
use super::secrets::Secrets;
use crate::contract::{Canonical, Piece, Reason, Rejection};

/// Bytes to be digested, and which of them are secret.
#[derive(Default)]
pub(super) struct Text<'p> {
    pub(super) bytes: Vec<u8>,
    /// By the names of the plan that wrote it.
    secrets: Vec<(Range<usize>, &'p str)>,
}

impl<'p> Text<'p> {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            secrets: Vec::new(),
        }
    }

    pub(super) fn secret(&mut self, name: &'p str, value: &str) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value.as_bytes());
        self.secrets.push((start..self.bytes.len(), name));
    }

    /// For people: secrets by their names. Credentials that are no secrets stand as text.
    pub(super) fn canonical(&self, is_secret: impl Fn(&str) -> bool) -> Canonical {
        let mut pieces = Vec::new();
        let mut at = 0;
        let text = |range: Range<usize>| {
            let bytes = self.bytes.get(range).unwrap_or_default();
            Piece::Text(String::from_utf8_lossy(bytes).into_owned())
        };
        for (range, name) in self.secrets.iter().filter(|(_, name)| is_secret(name)) {
            if at < range.start {
                pieces.push(text(at..range.start));
            }
            pieces.push(Piece::Secret((*name).to_owned()));
            at = range.end;
        }
        if at < self.bytes.len() || pieces.is_empty() {
            pieces.push(text(at..self.bytes.len()));
        }
        Canonical(pieces)
    }
}

/// What a payload is written from.
pub(super) struct Context<'m, 'a> {
    pub(super) message: &'m Message<'a>,
    pub(super) secrets: Secrets<'m>,
    pub(super) formulas: &'m Formulas,
    /// Resolves places of addresses.
    pub(super) address: &'m dyn Fn(&str) -> Option<String>,
}

impl SignaturePlan {
    /// Credentials whose exchange changes the text or the key.
    pub(super) fn credentials(&self) -> impl Iterator<Item = &str> {
        let (formula, parts, entries): (_, &[Part], &[Entry]) = match &self.payload {
            Payload::Formula { .. } => (Some(SECRET), &[], &[]),
            Payload::Parts(parts) => (None, parts, &[]),
            Payload::Fields(FieldsPayload {
                set: FieldSet::List(entries),
                ..
            }) => (None, &[], entries),
            Payload::Fields(_) => (None, &[], &[]),
        };
        let parts = parts.iter().filter_map(|part| match part {
            Part::Credential(name) => Some(name.as_str()),
            _ => None,
        });
        let entries = entries.iter().filter_map(|entry| match entry {
            Entry::Credential { credential, .. } => Some(credential.as_str()),
            Entry::Field(_) => None,
        });
        std::iter::once(self.key.as_str())
            .chain(formula)
            .chain(parts)
            .chain(entries)
    }
}

impl Payload {
    pub(super) fn alternatives(&self) -> &[Alternative] {
        match self {
            Self::Fields(payload) => &payload.alternatives,
            Self::Parts(_) | Self::Formula { .. } => &[Alternative::AS_IT_IS],
        }
    }

    pub(super) fn documented(&self) -> Alternative {
        match self {
            Self::Fields(payload) => payload.documented(),
            Self::Parts(_) | Self::Formula { .. } => Alternative::AS_IT_IS,
        }
    }

    /// Writes the text one alternative covers.
    ///
    /// # Errors
    /// [`Rejection`] when a part that is signed is not there or cannot be written.
    pub(super) fn write<'p>(
        &'p self,
        alternative: Alternative,
        context: &Context<'_, '_>,
        out: &mut Text<'p>,
    ) -> Result<(), Rejection> {
        match self {
            Self::Fields(payload) => payload.write(alternative, context, out),
            Self::Parts(parts) => parts.iter().try_for_each(|part| part.write(context, out)),
            Self::Formula {
                credential,
                index,
                level,
            } => {
                let contract = context.secrets.get(credential).unwrap_or_default();
                let formulas = context.formulas.of(contract);
                let formula = formulas.get(*index).ok_or_else(|| {
                    Rejection::new(
                        Reason::BadSignature,
                        format!("the credential {credential} holds no formula for this message"),
                    )
                })?;
                for (place, word) in formula.words.iter().enumerate() {
                    if place > 0 {
                        out.bytes.extend_from_slice(formula.separator.as_bytes());
                    }
                    if word == SECRET {
                        out.secret(SECRET, context.secrets.get(SECRET).unwrap_or_default());
                    } else if let Some(field) = context
                        .message
                        .level(*level)
                        .and_then(|level| level.get(word))
                    {
                        out.bytes.extend_from_slice(&field.bytes());
                    }
                }
                Ok(())
            }
        }
    }
}

impl Part {
    fn write<'p>(&'p self, context: &Context<'_, '_>, out: &mut Text<'p>) -> Result<(), Rejection> {
        let inbound = context.message.inbound;
        let missing = |what: &str| {
            Rejection::new(
                Reason::MissingSignature,
                format!("{what} is signed but missing"),
            )
        };
        match self {
            Self::Header(name) => {
                let value = the_header(inbound, name)?.ok_or_else(|| missing(name))?;
                out.bytes.extend_from_slice(value.as_bytes());
            }
            Self::HeaderItem { header, part } => {
                let value = the_header(inbound, header)?
                    .and_then(|list| header_part(list, part))
                    .ok_or_else(|| missing(header))?;
                out.bytes.extend_from_slice(value.as_bytes());
            }
            Self::Text(text) => out.bytes.extend_from_slice(text.as_bytes()),
            Self::Credential(name) => {
                out.secret(name, context.secrets.get(name).unwrap_or_default());
            }
            Self::Body => out.bytes.extend_from_slice(&inbound.body),
            Self::CanonicalBody => {
                let text = std::str::from_utf8(&inbound.body)
                    .map_err(|_| malformed("the body is not UTF-8"))?;
                json::canonical(text, Sort::Deep, &mut out.bytes).map_err(|flaw| match flaw {
                    Flaw::Unreadable => malformed("the body is not JSON"),
                    Flaw::Twice => {
                        Rejection::new(Reason::DuplicateParameter, "a member stands twice")
                    }
                })?;
            }
            Self::Field { field, base64 } => {
                let found = context
                    .message
                    .get(field)
                    .ok_or_else(|| malformed(format!("{} is missing", field.name)))?;
                let bytes = found.bytes();
                if *base64 && bytes.contains(&b' ') {
                    let plus = |byte: &u8| if *byte == b' ' { b'+' } else { *byte };
                    out.bytes.extend(bytes.iter().map(plus));
                } else {
                    out.bytes.extend_from_slice(&bytes);
                }
            }
            Self::Method => out.bytes.extend_from_slice(inbound.method.as_bytes()),
            Self::Address(template) => {
                let whole = context
                    .secrets
                    .get(ADDRESS_OVERRIDE)
                    .filter(|_| template.names().any(|name| name.ends_with("_url")));
                let url = match whole {
                    Some(url) => url.to_owned(),
                    None => template
                        .fill(context.address)
                        .map_err(|place| malformed(format!("{place} is not known")))?,
                };
                out.bytes.extend_from_slice(url.as_bytes());
            }
            Self::Fields(payload) => payload.write(payload.documented(), context, out)?,
        }
        Ok(())
    }
}

/// A header that decides must stand once.
///
/// # Errors
/// [`Reason::DuplicateParameter`].
pub(super) fn the_header<'a>(
    inbound: &'a crate::contract::Inbound,
    name: &str,
) -> Result<Option<&'a str>, Rejection> {
    let mut all = inbound
        .headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let first = all.next();
    if all.next().is_some() {
        return Err(Rejection::new(
            Reason::DuplicateParameter,
            format!("the header {name} stands twice"),
        ));
    }
    Ok(first.map(|(_, value)| value.as_str()))
}

/// The value of `part` in `t=..,v1=..`; of a part that stands twice none.
pub(super) fn header_part<'a>(list: &'a str, part: &str) -> Option<&'a str> {
    let mut found = list.split(',').filter_map(|piece| {
        let (name, value) = piece.trim().split_once('=')?;
        (name.trim() == part).then(|| value.trim())
    });
    let first = found.next();
    first.filter(|value| found.next().is_none() && !value.is_empty())
}
