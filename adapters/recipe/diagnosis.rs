//! Why a signature does not fit: the usual mistakes, tried one after the other.

use std::collections::BTreeSet;

use super::message::Message;
use super::payload::{Context, Text};
use super::plan::{Alternative, Empties, Encoding, FieldSet, Payload, Plan, SignaturePlan};
use super::proof::Means;
use crate::contract::{Mistake, MistakeKind};
use crate::digest::{Algorithm, Key, KeyForm, MadeKey};

/// Looks for the mistake that explains `given`; `None` when none does.
pub(super) fn find(
    plan: &SignaturePlan,
    message: &Message<'_>,
    means: Means<'_>,
    given: Option<&str>,
    whole: &Plan,
) -> Option<Mistake> {
    let search = Search {
        message,
        means,
        given: given?,
        whole,
    };
    let documented = plan.payload.documented();
    let text = search.text(plan, documented)?;
    search
        .dialects(plan, documented)
        .or_else(|| search.keys(plan, &text))
        .or_else(|| search.digests(plan, &text))
        .or_else(|| search.fields(plan, documented))
}

struct Search<'s, 'a> {
    message: &'s Message<'a>,
    means: Means<'s>,
    given: &'s str,
    whole: &'s Plan,
}

impl Search<'_, '_> {
    fn text<'p>(&self, plan: &'p SignaturePlan, alternative: Alternative) -> Option<Text<'p>> {
        let unresolved = |_: &str| None;
        let context = Context {
            message: self.message,
            secrets: self.means.secrets,
            formulas: self.means.formulas,
            address: &unresolved,
        };
        let mut text = Text::default();
        plan.payload.write(alternative, &context, &mut text).ok()?;
        Some(text)
    }

    fn fits(&self, plan: &SignaturePlan, text: &Text<'_>) -> bool {
        plan.key(self.means.secrets, self.means.formulas)
            .is_ok_and(|(key, output)| key.fits(&text.bytes, self.given, output))
    }

    /// Whether the text is signed with another key than the one agreed; it is made for this once.
    fn fits_made(
        &self,
        plan: &SignaturePlan,
        text: &Text<'_>,
        (algorithm, form): (Algorithm, KeyForm),
        value: &str,
    ) -> bool {
        MadeKey::new(algorithm, form, value)
            .is_some_and(|key| Key::Made(&key).fits(&text.bytes, self.given, plan.output))
    }

    fn found(&self, kind: MistakeKind, text: &Text<'_>) -> Mistake {
        let is_secret = |name: &str| self.whole.secrets.iter().any(|secret| secret == name);
        Mistake {
            kind,
            signed: text.canonical(is_secret),
        }
    }

    /// Other encodings, empty values the other way.
    fn dialects(&self, plan: &SignaturePlan, documented: Alternative) -> Option<Mistake> {
        use Encoding::{AsReceived, Form, None as Plain, Percent};
        for encoding in [AsReceived, Form, Percent, Plain] {
            let other = match documented.empties {
                Empties::Keep => Empties::Drop,
                Empties::Drop => Empties::Keep,
            };
            for empties in [documented.empties, other] {
                let alternative = Alternative::new(encoding, empties);
                let text = self.text(plan, alternative)?;
                if self.fits(plan, &text) {
                    let kind = if empties == documented.empties {
                        MistakeKind::Encoding
                    } else {
                        MistakeKind::Empties
                    };
                    return Some(self.found(kind, &text));
                }
            }
        }
        None
    }

    /// Another credential as the key, the key in its other form.
    fn keys(&self, plan: &SignaturePlan, text: &Text<'_>) -> Option<Mistake> {
        if !plan.algorithm.is_keyed() || plan.algorithm.is_asymmetric() {
            return None;
        }
        let other_form = match plan.key_form {
            KeyForm::Text => KeyForm::Hex,
            KeyForm::Hex => KeyForm::Text,
        };
        let names = self
            .whole
            .profile
            .credentials
            .iter()
            .map(|spec| spec.name.as_str());
        for name in names {
            let Some(value) = self.means.secrets.get(name) else {
                continue;
            };
            for form in [plan.key_form, other_form] {
                if self.fits_made(plan, text, (plan.algorithm, form), value) {
                    let kind = if name == plan.key {
                        MistakeKind::KeyForm
                    } else {
                        MistakeKind::OtherKey(name.to_owned())
                    };
                    return Some(self.found(kind, text));
                }
            }
        }
        None
    }

    /// Another digest under the same key, or a plain one over secret and text.
    fn digests(&self, plan: &SignaturePlan, text: &Text<'_>) -> Option<Mistake> {
        let value = self.means.secrets.get(&plan.key)?;
        for (algorithm, name) in [
            (Algorithm::HmacSha1, "HMAC-SHA1"),
            (Algorithm::HmacSha256, "HMAC-SHA256"),
            (Algorithm::HmacSha512, "HMAC-SHA512"),
        ] {
            if self.fits_made(plan, text, (algorithm, plan.key_form), value) {
                return Some(self.found(MistakeKind::Digest(name), text));
            }
        }
        for (algorithm, name) in [
            (Algorithm::Md5, "MD5"),
            (Algorithm::Sha1, "SHA-1"),
            (Algorithm::Sha256, "SHA-256"),
            (Algorithm::Sha512, "SHA-512"),
        ] {
            let before = [value.as_bytes(), &text.bytes].concat();
            let after = [&text.bytes, value.as_bytes()].concat();
            for joined in [before, after, text.bytes.clone()] {
                if Key::Plain(algorithm).fits(&joined, self.given, plan.output) {
                    return Some(self.found(MistakeKind::Digest(name), text));
                }
            }
        }
        None
    }

    /// One field too few.
    fn fields(&self, plan: &SignaturePlan, documented: Alternative) -> Option<Mistake> {
        let Payload::Fields(payload) = &plan.payload else {
            return None;
        };
        let names = match &payload.set {
            FieldSet::Prefixes { .. } => self.names(0),
            FieldSet::Members { level, .. } => self.names(*level),
            FieldSet::List(_) => return None,
        };
        for name in names {
            let mut fewer = plan.clone();
            if let Payload::Fields(payload) = &mut fewer.payload
                && let FieldSet::Prefixes { except, .. } | FieldSet::Members { except, .. } =
                    &mut payload.set
            {
                except.push(name.clone());
            }
            let text = self.text(&fewer, documented)?;
            if self.fits(&fewer, &text) {
                return Some(self.found(MistakeKind::MissingField(name), &text));
            }
        }
        None
    }

    fn names(&self, level: usize) -> BTreeSet<String> {
        self.message
            .level(level)
            .into_iter()
            .flat_map(super::fields::Fields::iter)
            .map(|field| field.name.clone().into_owned())
            .collect()
    }
}
