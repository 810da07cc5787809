//! Fields of a message as a signature covers them.

use std::borrow::Cow;
use std::ops::Range;

use super::encoding::{self, Space};
use super::fields::{Field, Fields, Value, malformed};
use super::json::{self, Sort};
use super::payload::{Context, Text};
use super::plan::{
    Alternative, Empties, Encoding, Entry, FieldSet, FieldsPayload, Shape, ValueForm,
};
use crate::contract::Rejection;

impl FieldsPayload {
    /// Writes the fields one alternative covers.
    ///
    /// # Errors
    /// [`Rejection`] when one cannot be written.
    pub(super) fn write<'p>(
        &'p self,
        alternative: Alternative,
        context: &Context<'_, '_>,
        out: &mut Text<'p>,
    ) -> Result<(), Rejection> {
        let form = context.message.level(0).map_or("", |level| level.form);
        let mut writer = Writer::new(self, alternative, form);
        let fields_of = |level| {
            context
                .message
                .level(level)
                .into_iter()
                .flat_map(Fields::iter)
        };
        let named = |names: &[String], field: &Field<'_>| names.iter().any(|n| *n == field.name);
        match &self.set {
            FieldSet::Prefixes { prefixes, except } => {
                let begins = |field: &Field<'_>| {
                    let mut prefixes = prefixes.iter();
                    prefixes.any(|prefix| field.name.starts_with(prefix.as_str()))
                };
                for field in fields_of(0).filter(|field| begins(field) && !named(except, field)) {
                    writer.put(&field.name, Some(field), out)?;
                }
            }
            FieldSet::Members { level, except } => {
                for field in fields_of(*level).filter(|field| !named(except, field)) {
                    writer.put(&field.name, Some(field), out)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Credentials, Inbound};
    use crate::recipe::formula::Formulas;
    use crate::recipe::message::{Message, Store};
    use crate::recipe::plan::{Duplicates, Payload, Source};
    use crate::recipe::secrets::Secrets;
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
            let store = Store::default();
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
