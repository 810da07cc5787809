//! `[signature.*]`, compiled anew for each message that uses it: levels differ.

use std::ops::Range;

use super::levels::Levels;
use super::{Compiler, Signatures};
use crate::digest::{Algorithm, Output};
use crate::recipe::file::{
    BodyFile, EntryFile, PartFile, RequestPartFile, SignatureFile, SignedFieldsFile,
};
use crate::recipe::formula;
use crate::recipe::plan::{Carrier, Entry, FieldSet, FieldsPayload, Part, Payload, SignaturePlan};
use crate::recipe::template::Template;

impl Compiler<'_> {
    /// The signature of this name; `place` is where it is used.
    pub(super) fn signature(
        &mut self,
        place: &Range<usize>,
        name: &str,
        signatures: &Signatures,
        levels: &mut Levels,
    ) -> Option<SignaturePlan> {
        let Some(file) = signatures.get(name) else {
            self.wrong(place, format!("there is no [signature.{name}]"));
            return None;
        };
        let place = file.span();
        let file = file.get_ref();
        let payload = match (&file.fields, &file.parts, &file.formula) {
            (Some(fields), None, None) => {
                Payload::Fields(self.signed_fields(&place, fields, levels)?)
            }
            (None, Some(parts), None) => {
                let parts = parts
                    .iter()
                    .map(|part| self.part(&place, part, levels))
                    .collect::<Option<Vec<_>>>()?;
                let covers = |part: &Part| {
                    matches!(
                        part,
                        Part::Body
                            | Part::CanonicalBody
                            | Part::Field { .. }
                            | Part::Fields(_)
                            | Part::Address(_)
                    )
                };
                if !parts.iter().any(covers) {
                    self.wrong(&place, "signed parts must hold the body or a field");
                }
                Payload::Parts(parts)
            }
            (None, None, Some(formula)) => {
                self.credential(&place, &formula.credential);
                self.credential(&place, formula::SECRET);
                Payload::Formula {
                    credential: formula.credential.clone(),
                    index: formula.index,
                    level: levels.level(""),
                }
            }
            _ => {
                self.wrong(&place, "a signature covers fields, parts or a formula");
                return None;
            }
        };
        let is_formula = matches!(payload, Payload::Formula { .. });
        let (algorithm, output) = match (file.digest, file.output) {
            (Some(digest), Some(output)) if !is_formula => (digest, output),
            (None, None) if is_formula => (Algorithm::Sha256, Output::HexLower),
            _ => {
                self.wrong(&place, "digest and output stand beside fields or parts");
                return None;
            }
        };
        if algorithm.is_keyed() && !is_formula {
            self.credential(&place, &file.key);
        } else {
            self.plain_digest_holds_a_secret(&place, file, &payload);
        }
        Some(SignaturePlan {
            algorithm,
            key: file.key.clone(),
            key_form: file.key_form,
            output,
            prefix: file.prefix.clone(),
            payload,
        })
    }

    fn plain_digest_holds_a_secret(
        &mut self,
        place: &Range<usize>,
        file: &SignatureFile,
        payload: &Payload,
    ) {
        if !file.key.is_empty() {
            self.wrong(place, "a plain digest has no key: its secret is a part");
        }
        let secret = match payload {
            Payload::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Credential(_))),
            Payload::Fields(FieldsPayload {
                set: FieldSet::List(entries),
                ..
            }) => entries
                .iter()
                .any(|entry| matches!(entry, Entry::Credential { .. })),
            Payload::Fields(_) => false,
            Payload::Formula { .. } => true,
        };
        if !secret {
            self.wrong(place, "a plain digest without a secret proves nothing");
        }
    }

    fn signed_fields(
        &mut self,
        place: &Range<usize>,
        file: &SignedFieldsFile,
        levels: &mut Levels,
    ) -> Option<FieldsPayload> {
        if file.alternatives.is_empty() {
            self.wrong(place, "a signature needs at least one alternative");
            return None;
        }
        let set = match (
            &file.members,
            file.prefixes.is_empty(),
            file.list.is_empty(),
        ) {
            (None, false, true) => {
                levels.level("");
                FieldSet::Prefixes {
                    prefixes: file.prefixes.clone(),
                    except: file.except.clone(),
                }
            }
            (Some(path), true, true) => FieldSet::Members {
                level: levels.level(path),
                except: file.except.clone(),
            },
            (None, true, false) if file.except.is_empty() => FieldSet::List(
                file.list
                    .iter()
                    .map(|entry| match entry {
                        EntryFile::Field(path) => Entry::Field(levels.field(path)),
                        EntryFile::Credential { name, credential } => {
                            self.credential(place, credential);
                            Entry::Credential {
                                name: name.clone(),
                                credential: credential.clone(),
                            }
                        }
                    })
                    .collect(),
            ),
            _ => {
                self.wrong(
                    place,
                    "signed fields are prefixes or members with except, or a list",
                );
                return None;
            }
        };
        Some(FieldsPayload {
            set,
            shape: file.shape,
            separator: file.separator.clone(),
            values: file.values,
            alternatives: file.alternatives.clone(),
        })
    }

    fn part(&mut self, place: &Range<usize>, file: &PartFile, levels: &mut Levels) -> Option<Part> {
        Some(match file {
            PartFile::Header(name) => Part::Header(name.clone()),
            PartFile::HeaderPart([header, part]) => Part::HeaderItem {
                header: header.clone(),
                part: part.clone(),
            },
            PartFile::Text(text) => Part::Text(text.clone()),
            PartFile::Credential(name) => {
                self.credential(place, name);
                Part::Credential(name.clone())
            }
            PartFile::Field(path) => Part::Field {
                field: levels.field(path),
                base64: false,
            },
            PartFile::Base64Field(path) => Part::Field {
                field: levels.field(path),
                base64: true,
            },
            PartFile::Body(BodyFile::Raw) => Part::Body,
            PartFile::Body(BodyFile::CanonicalJson) => Part::CanonicalBody,
            PartFile::Request(RequestPartFile::Method) => Part::Method,
            PartFile::Address(text) => Part::Address(Template::new(text)),
            PartFile::Fields(fields) => Part::Fields(self.signed_fields(place, fields, levels)?),
        })
    }

    /// A signature that covers the field it stands in can never be made.
    pub(super) fn signature_excludes_itself(
        &mut self,
        place: &Range<usize>,
        signature: &SignaturePlan,
        carrier: &Carrier,
    ) {
        let (Payload::Fields(payload), Carrier::Field(field)) = (&signature.payload, carrier)
        else {
            return;
        };
        let name = &field.name;
        let covered = match &payload.set {
            FieldSet::Prefixes { prefixes, except } => {
                prefixes
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_str()))
                    && !except.contains(name)
            }
            FieldSet::Members { level, except } => *level == field.level && !except.contains(name),
            FieldSet::List(list) => list
                .iter()
                .any(|entry| matches!(entry, Entry::Field(other) if other == field)),
        };
        if covered {
            self.wrong(
                place,
                format!("the signature covers {name}, which carries it"),
            );
        }
    }
}
