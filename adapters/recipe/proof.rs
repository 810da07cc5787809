//! The check that a message is the provider's: a signature over it, or a key that came with it.

use super::digest::{Key, same_key};
use super::encoding::{self, Space};
use super::fields::{Field, Fields, malformed};
use super::plan::{
    Alternative, Carrier, Empties, Encoding, FieldSet, FieldsPayload, FreshPlan, Part, Payload,
    ProofPlan, Shape, SignaturePlan,
};
use super::values;
use crate::contract::{Credentials, Inbound, Reason, Rejection};

/// Checks the one proof this message offers.
///
/// Of several configured ways the first that the message uses decides; a message that uses none is
/// refused in the words of the last. A way whose credential is not configured does not exist, and
/// with no credential at all nothing passes.
///
/// # Errors
/// [`Rejection`] with what is missing or wrong.
pub(super) fn check(
    proofs: &[ProofPlan],
    inbound: &Inbound,
    fields: &Fields<'_>,
    credentials: &Credentials,
) -> Result<(), Rejection> {
    match chosen(proofs, inbound, fields, credentials) {
        Some(ProofPlan::Signature {
            signature,
            carrier,
            fresh,
        }) => {
            signed(signature, carrier, inbound, fields, credentials)?;
            fresh
                .as_ref()
                .map_or(Ok(()), |fresh| check_fresh(fresh, inbound))
        }
        Some(ProofPlan::Static {
            credential,
            header,
            scheme,
        }) => static_key(
            credentials.get(credential).unwrap_or_default(),
            scheme.as_deref(),
            the_header(inbound, header)?,
        ),
        None => Err(Rejection::new(
            Reason::MissingCredentials,
            "no credential of this connection can prove a message",
        )),
    }
}

/// What the message is signed over and what its signature should be, by the way [`check`] takes;
/// `None` where a static key proves it.
pub(super) fn explain(
    proofs: &[ProofPlan],
    inbound: &Inbound,
    fields: &Fields<'_>,
    credentials: &Credentials,
) -> Option<(Vec<u8>, Option<String>)> {
    match chosen(proofs, inbound, fields, credentials)? {
        ProofPlan::Signature {
            signature, carrier, ..
        } => signature.explain(carrier, inbound, fields, credentials),
        ProofPlan::Static { .. } => None,
    }
}

fn chosen<'p>(
    proofs: &'p [ProofPlan],
    inbound: &Inbound,
    fields: &Fields<'_>,
    credentials: &Credentials,
) -> Option<&'p ProofPlan> {
    let configured = || {
        proofs.iter().filter(|proof| {
            credentials
                .get(proof.credential())
                .is_some_and(|key| !key.is_empty())
        })
    };
    configured()
        .find(|proof| proof.is_offered(inbound, fields))
        .or_else(|| configured().next_back())
}

impl ProofPlan {
    pub(super) fn credential(&self) -> &str {
        match self {
            Self::Signature { signature, .. } => &signature.key,
            Self::Static { credential, .. } => credential,
        }
    }

    fn is_offered(&self, inbound: &Inbound, fields: &Fields<'_>) -> bool {
        match self {
            Self::Signature { carrier, fresh, .. } => {
                carrier.is_present(inbound, fields)
                    || fresh
                        .as_ref()
                        .is_some_and(|fresh| inbound.header(&fresh.header).is_some())
            }
            Self::Static { header, .. } => inbound.header(header).is_some(),
        }
    }
}

impl Carrier {
    fn is_present(&self, inbound: &Inbound, fields: &Fields<'_>) -> bool {
        match self {
            Self::Field(name) => fields.get(name).is_some(),
            Self::Header(name) => inbound.header(name).is_some(),
        }
    }
}

fn signed(
    plan: &SignaturePlan,
    carrier: &Carrier,
    inbound: &Inbound,
    fields: &Fields<'_>,
    credentials: &Credentials,
) -> Result<(), Rejection> {
    let missing = || Rejection::new(Reason::MissingSignature, "the message is not signed");
    let bad = || Rejection::new(Reason::BadSignature, "the signature is not of this message");
    let text;
    let given = match carrier {
        Carrier::Field(name) => {
            let field = fields.get(name).ok_or_else(missing)?;
            text = field.text().map_err(|_| bad())?.unwrap_or_default();
            text.as_ref()
        }
        Carrier::Header(name) => the_header(inbound, name)?.ok_or_else(missing)?,
    };
    if given.is_empty() {
        return Err(missing());
    }
    let given = given.strip_prefix(plan.prefix.as_str()).ok_or_else(bad)?;
    let key = plan.key(credentials).ok_or_else(|| {
        Rejection::new(
            Reason::BadSignature,
            format!("the credential {} is not usable", plan.key),
        )
    })?;
    match &plan.payload {
        Payload::Parts(parts) => {
            let pieces = resolve(parts, inbound)?.ok_or_else(missing)?;
            let fits = key.digest(pieces).equals(given, plan.output);
            fits.then_some(()).ok_or_else(bad)
        }
        Payload::Fields(payload) => {
            fitting(payload, &key, plan, fields, given).map_or_else(|| Err(bad()), |_| Ok(()))
        }
    }
}

impl SignaturePlan {
    pub(super) fn key(&self, credentials: &Credentials) -> Option<Key> {
        Key::new(self.algorithm, self.key_form, credentials.get(&self.key)?)
    }

    /// The signed text and the digest of a message of ours.
    pub(super) fn sign(
        &self,
        payload: &FieldsPayload,
        key: &Key,
        fields: &Fields<'_>,
    ) -> (Vec<u8>, String) {
        let mut text = Vec::new();
        payload.write(payload.documented(), fields, &mut text);
        let digest = key.digest([text.as_slice()]).write(self.output);
        (text, digest)
    }

    /// What the message is signed over and what its signature should be: of the way that fits, or
    /// else of the documented way.
    pub(super) fn explain(
        &self,
        carrier: &Carrier,
        inbound: &Inbound,
        fields: &Fields<'_>,
        credentials: &Credentials,
    ) -> Option<(Vec<u8>, Option<String>)> {
        let key = self.key(credentials);
        let text = match &self.payload {
            Payload::Parts(parts) => resolve(parts, inbound).ok()??.concat(),
            Payload::Fields(payload) => {
                let given = match carrier {
                    Carrier::Field(name) => fields.get(name).and_then(|field| field.text().ok()?),
                    Carrier::Header(name) => inbound.header(name).map(Into::into),
                };
                let fitting = key.as_ref().zip(given).and_then(|(key, given)| {
                    let given = given.strip_prefix(self.prefix.as_str())?;
                    fitting(payload, key, self, fields, given)
                });
                fitting.unwrap_or_else(|| {
                    let mut text = Vec::new();
                    payload.write(payload.documented(), fields, &mut text);
                    text
                })
            }
        };
        let signature = key.map(|key| key.digest([text.as_slice()]).write(self.output));
        Some((text, signature))
    }
}

/// The text of the first alternative that carries this signature.
fn fitting(
    payload: &FieldsPayload,
    key: &Key,
    plan: &SignaturePlan,
    fields: &Fields<'_>,
    given: &str,
) -> Option<Vec<u8>> {
    let mut tried: Vec<Vec<u8>> = Vec::new();
    for alternative in &payload.alternatives {
        let mut text = Vec::with_capacity(512);
        payload.write(*alternative, fields, &mut text);
        if tried.contains(&text) {
            continue;
        }
        if key.digest([text.as_slice()]).equals(given, plan.output) {
            return Some(text);
        }
        tried.push(text);
    }
    None
}

impl FieldsPayload {
    pub(super) fn write(&self, alternative: Alternative, fields: &Fields<'_>, out: &mut Vec<u8>) {
        let mut first = true;
        let mut put = |name: &str, field: Option<&Field<'_>>, out: &mut Vec<u8>| {
            let empty = field.is_none_or(Field::is_empty);
            if empty && alternative.empties == Empties::Drop {
                return;
            }
            if !std::mem::take(&mut first) {
                out.extend_from_slice(self.separator.as_bytes());
            }
            match field {
                Some(field)
                    if alternative.encoding == Encoding::AsReceived && !field.piece.is_empty() =>
                {
                    let piece = match self.shape {
                        Shape::NameValue => field.piece,
                        Shape::Value => field.piece.split_once('=').map_or("", |(_, value)| value),
                    };
                    out.extend_from_slice(piece.as_bytes());
                }
                _ => {
                    if self.shape == Shape::NameValue {
                        write_encoded(name.as_bytes(), alternative.encoding, out);
                        out.push(b'=');
                    }
                    if let Some(field) = field {
                        write_encoded(&field.bytes(), alternative.encoding, out);
                    }
                }
            }
        };
        match &self.set {
            FieldSet::Prefixes { prefixes, except } => {
                for field in fields.iter() {
                    let name = field.name.as_ref();
                    if prefixes
                        .iter()
                        .any(|prefix| name.starts_with(prefix.as_str()))
                        && !except.iter().any(|other| other == name)
                    {
                        put(name, Some(field), out);
                    }
                }
            }
            FieldSet::List(names) => {
                for name in names {
                    put(name, fields.get(name), out);
                }
            }
        }
    }
}

fn write_encoded(bytes: &[u8], how: Encoding, out: &mut Vec<u8>) {
    match how {
        Encoding::Form | Encoding::AsReceived => encoding::encode(bytes, Space::Plus, out),
        Encoding::Percent => encoding::encode(bytes, Space::Percent, out),
        Encoding::None => out.extend_from_slice(bytes),
    }
}

/// `Ok(None)` when a header that is signed does not stand there.
fn resolve<'a>(
    parts: &'a [Part],
    inbound: &'a Inbound,
) -> Result<Option<Vec<&'a [u8]>>, Rejection> {
    parts
        .iter()
        .map(|part| match part {
            Part::Header(name) => Ok(the_header(inbound, name)?.map(str::as_bytes)),
            Part::Text(text) => Ok(Some(text.as_bytes())),
            Part::Body => Ok(Some(inbound.body.as_slice())),
        })
        .collect()
}

fn static_key(key: &str, scheme: Option<&str>, given: Option<&str>) -> Result<(), Rejection> {
    let given = given
        .filter(|given| !given.is_empty())
        .ok_or_else(|| Rejection::new(Reason::MissingCredentials, "the message brings no key"))?;
    let value = match scheme {
        None => Some(given),
        // Names of schemes know no case (RFC 9110 §11.1); the key itself does.
        Some(scheme) => given
            .split_at_checked(scheme.len())
            .filter(|(word, _)| word.eq_ignore_ascii_case(scheme))
            .and_then(|(_, rest)| rest.strip_prefix(' ')),
    };
    if value.is_some_and(|value| same_key(key, value)) {
        Ok(())
    } else {
        Err(Rejection::new(
            Reason::BadCredentials,
            "the key is not the one agreed",
        ))
    }
}

/// A header that decides must stand once.
fn the_header<'a>(inbound: &'a Inbound, name: &str) -> Result<Option<&'a str>, Rejection> {
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

/// Runs after the signature, which covers the time.
fn check_fresh(plan: &FreshPlan, inbound: &Inbound) -> Result<(), Rejection> {
    let sent = inbound
        .header(&plan.header)
        .and_then(|text| values::moment(text, plan.format))
        .ok_or_else(|| malformed(format!("the header {} is not a time", plan.header)))?;
    let drift = inbound.received_at_unix.abs_diff(sent);
    if drift > plan.window_seconds.unsigned_abs() {
        return Err(Rejection::new(
            Reason::StaleTimestamp,
            format!("the message is {drift} s away from our clock"),
        ));
    }
    Ok(())
}
