//! The text a signature covers.

use std::borrow::Cow;
use std::ops::Range;

use super::encoding::{self, Space};
use super::fields::{Field, Fields, Value, malformed};
use super::formula::{Formulas, SECRET};
use super::json::{self, Flaw, Sort};
use super::message::Message;
use super::plan::{
    Alternative, Empties, Encoding, Entry, FieldSet, FieldsPayload, Part, Payload, Shape,
    SignaturePlan, ValueForm,
};
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

    fn secret(&mut self, name: &'p str, value: &str) {
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

impl FieldsPayload {
    fn write<'p>(
        &'p self,
        alternative: Alternative,
        context: &Context<'_, '_>,
        out: &mut Text<'p>,
    ) -> Result<(), Rejection> {
        let form = context.message.level(0).map_or("", |level| level.form);
        let mut writer = Writer::new(self, alternative, form);
        match &self.set {
            FieldSet::Prefixes { prefixes, except } => {
                for field in context.message.level(0).into_iter().flat_map(Fields::iter) {
                    let name = field.name.as_ref();
                    if prefixes
                        .iter()
                        .any(|prefix| name.starts_with(prefix.as_str()))
                        && !except.iter().any(|other| other == name)
                    {
                        writer.put(name, Some(field), out)?;
                    }
                }
            }
            FieldSet::Members { level, except } => {
                for field in context
                    .message
                    .level(*level)
                    .into_iter()
                    .flat_map(Fields::iter)
                {
                    let name = field.name.as_ref();
                    if !except.iter().any(|other| other == name) {
                        writer.put(name, Some(field), out)?;
                    }
                }
            }
            FieldSet::List(entries) => {
                for entry in entries {
                    match entry {
                        Entry::Field(name) => {
                            writer.put(&name.name, context.message.get(name), out)?;
                        }
                        Entry::Credential { name, credential } => {
                            let value = context.secrets.get(credential).unwrap_or_default();
                            writer.put_credential(name, credential, value, out);
                        }
                    }
                }
            }
        }
        writer.put_run(out);
        Ok(())
    }
}

struct Writer<'p, 'f> {
    payload: &'p FieldsPayload,
    alternative: Alternative,
    /// Whether the text is made of what was received.
    received: bool,
    first: bool,
    /// Where received fields are copied from.
    form: &'f str,
    /// Received fields not yet written, as they stand side by side in the form.
    run: Option<Range<usize>>,
    /// Whether what stands between fields of the form is what is written between them.
    joins: bool,
}

impl<'p, 'f> Writer<'p, 'f> {
    fn new(payload: &'p FieldsPayload, alternative: Alternative, form: &'f str) -> Self {
        Self {
            payload,
            alternative,
            received: alternative.encoding.is_received(),
            first: true,
            form,
            run: None,
            joins: payload.shape == Shape::NameValue && payload.separator == "&",
        }
    }

    fn separate(&mut self, out: &mut Text<'_>) {
        if !std::mem::take(&mut self.first) {
            out.bytes
                .extend_from_slice(self.payload.separator.as_bytes());
        }
    }

    fn start(&mut self, name: &str, out: &mut Text<'_>) {
        self.put_run(out);
        self.separate(out);
        if self.payload.shape == Shape::NameValue {
            write_encoded(name.as_bytes(), self.alternative, &mut out.bytes);
            out.bytes.push(b'=');
        }
    }

    /// Received fields mostly come in the order they are signed in, so that one copy takes many.
    #[inline]
    fn put_received(&mut self, piece: &Range<usize>, out: &mut Text<'_>) {
        match &mut self.run {
            Some(run) if self.joins && run.end + 1 == piece.start => run.end = piece.end,
            _ => {
                self.put_run(out);
                self.run = Some(piece.clone());
            }
        }
    }

    fn put_run(&mut self, out: &mut Text<'_>) {
        let Some(run) = self.run.take() else {
            return;
        };
        self.separate(out);
        let text = self.form.get(run).unwrap_or_default();
        let text = match self.payload.shape {
            Shape::NameValue => text,
            Shape::Value => text.split_once('=').map_or("", |(_, value)| value),
        };
        match self.alternative.encoding {
            Encoding::AsReceivedUpper => {
                encoding::with_letters(text, u8::to_ascii_uppercase, &mut out.bytes);
            }
            Encoding::AsReceivedLower => {
                encoding::with_letters(text, u8::to_ascii_lowercase, &mut out.bytes);
            }
            _ => out.bytes.extend_from_slice(text.as_bytes()),
        }
    }

    fn put_credential(&mut self, name: &str, credential: &'p str, value: &str, out: &mut Text<'p>) {
        if value.is_empty() && self.alternative.empties == Empties::Drop {
            return;
        }
        self.start(name, out);
        out.secret(credential, value);
    }

    #[inline]
    fn put(
        &mut self,
        name: &str,
        field: Option<&Field<'_>>,
        out: &mut Text<'_>,
    ) -> Result<(), Rejection> {
        if self.alternative.empties == Empties::Drop && field.is_none_or(Field::is_empty) {
            return Ok(());
        }
        match field {
            Some(field) if self.received && !field.piece.is_empty() => {
                self.put_received(&field.piece, out);
                Ok(())
            }
            field => self.put_encoded(name, field, out),
        }
    }

    #[inline(never)] // `put` stays small for what is received
    fn put_encoded(
        &mut self,
        name: &str,
        field: Option<&Field<'_>>,
        out: &mut Text<'_>,
    ) -> Result<(), Rejection> {
        self.start(name, out);
        let Some(field) = field else {
            return Ok(());
        };
        let bytes = match self.payload.values {
            ValueForm::Text => field.bytes(),
            ValueForm::Payos => payos(field)?,
        };
        write_encoded(&bytes, self.alternative, &mut out.bytes);
        Ok(())
    }
}

/// A value as payOS writes it into the text it signs (reference §6.1).
fn payos<'a>(field: &Field<'a>) -> Result<Cow<'a, [u8]>, Rejection> {
    let bytes = match field.value {
        Value::Json(raw) => match raw.get().as_bytes().first() {
            Some(b'[') => {
                let mut list = Vec::new();
                json::canonical(raw.get(), Sort::Elements, &mut list)
                    .map_err(|_| malformed(format!("{} is not a list", field.name)))?;
                return Ok(Cow::Owned(list));
            }
            // A template string of JavaScript says this of every object.
            Some(b'{') => return Ok(Cow::Borrowed(b"[object Object]")),
            Some(b'0'..=b'9') if json::is_short_integer(raw.get()) => {
                return Ok(Cow::Borrowed(raw.get().as_bytes()));
            }
            Some(b'-' | b'0'..=b'9') => {
                return Ok(json::javascript_number(raw.get())
                    .map_or_else(|| field.bytes(), |text| Cow::Owned(text.into_bytes())));
            }
            _ => field.bytes(),
        },
        Value::Encoded(_) | Value::Plain(_) => field.bytes(),
    };
    Ok(match bytes.as_ref() {
        b"null" | b"undefined" => Cow::Borrowed(b""),
        _ => bytes,
    })
}

fn write_encoded(bytes: &[u8], how: Alternative, out: &mut Vec<u8>) {
    let space = match how.encoding {
        Encoding::None => return out.extend_from_slice(bytes),
        Encoding::Percent => Space::Percent,
        Encoding::Form
        | Encoding::AsReceived
        | Encoding::AsReceivedUpper
        | Encoding::AsReceivedLower => Space::Plus,
    };
    encoding::encode(bytes, space, how.unescaped, out);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Credentials, Inbound};
    use crate::recipe::plan::{Duplicates, Source};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn received_fields_are_written_as_if_each_were_alone(
            query in "([a-d]{0,2}(=|%3[dD]|[a-d])?(=|&|&&)|hash=1&){0,16}",
            shape in prop_oneof![Just(Shape::NameValue), Just(Shape::Value)],
            separator in prop_oneof![Just("&"), Just("|"), Just("")],
            letters in prop_oneof![
                Just(Encoding::AsReceived),
                Just(Encoding::AsReceivedUpper),
                Just(Encoding::AsReceivedLower),
            ],
        ) {
            let mut pieces: Vec<&str> = query.split('&').collect();
            pieces.retain(|piece| !piece.is_empty() && *piece != "hash=1");
            pieces.sort_by_key(|piece| {
                let name = piece.split_once('=').map_or(*piece, |(name, _)| name);
                encoding::decode_lossy(name).into_owned()
            });
            let written = pieces.iter().map(|piece| {
                let piece = match shape {
                    Shape::NameValue => piece,
                    Shape::Value => piece.split_once('=').map_or("", |(_, value)| value),
                };
                match letters {
                    Encoding::AsReceivedUpper => piece.replace("%3d", "%3D"),
                    Encoding::AsReceivedLower => piece.replace("%3D", "%3d"),
                    _ => piece.to_owned(),
                }
            });
            let expected = written.collect::<Vec<_>>().join(separator);

            let how = Alternative::new(letters, Empties::Keep);
            let payload = Payload::Fields(FieldsPayload {
                set: FieldSet::Prefixes {
                    prefixes: vec![String::new()],
                    except: vec!["hash".to_owned()],
                },
                shape,
                separator: separator.to_owned(),
                values: ValueForm::Text,
                alternatives: vec![how],
            });
            let inbound = Inbound { query: query.clone(), ..Inbound::default() };
            let store = super::super::message::Store::default();
            let mut message = Message::closed(&inbound);
            let all = Duplicates::Prefixes(Vec::new());
            message.open(Source::Query, &all, &[], 1, &store).expect("a form");
            let (credentials, defaults) = (Credentials::default(), Default::default());
            let context = Context {
                message: &message,
                secrets: Secrets::new(&credentials, &defaults),
                formulas: &Formulas::default(),
                address: &|_| None,
            };
            let mut text = Text::default();
            payload.write(how, &context, &mut text).expect("a text");
            prop_assert_eq!(String::from_utf8(text.bytes).expect("text"), expected);
        }
    }
}
