//! The check that a message is the provider's: a signature over it, a key that came with it, or
//! the channel it came by.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::fields::malformed;
use super::formula::Formulas;
use super::message::Message;
use super::payload::{Context, Text, header_part, the_header};
use super::plan::{Carrier, FreshPlan, Payload, ProofPlan, Ref, SignaturePlan};
use super::secrets::Secrets;
use super::values;
use crate::contract::{Inbound, Reason, Rejection};
use crate::digest::{Key, Output, same_key, token_mac};

/// Longest Authorization header that is looked into.
const CREDENTIAL_BYTES_MAX: usize = 4_096;

/// What a check is made with.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) secrets: Secrets<'a>,
    pub(super) formulas: &'a Formulas,
}

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
    message: &Message<'_>,
    means: Means<'_>,
) -> Result<(), Rejection> {
    match chosen(proofs, message, means.secrets) {
        Some(ProofPlan::Signature {
            signature,
            carrier,
            fresh,
        }) => {
            signed(signature, carrier, message, means)?;
            fresh
                .as_ref()
                .map_or(Ok(()), |fresh| check_fresh(fresh, message))
        }
        Some(ProofPlan::Static {
            credential,
            header,
            scheme,
        }) => static_key(
            means.secrets.all(credential),
            scheme.as_deref(),
            the_header(message.inbound, header)?,
        ),
        Some(ProofPlan::Basic { username, password }) => {
            basic(username, password, message.inbound, means.secrets)
        }
        Some(ProofPlan::Pair {
            username,
            password,
            fields,
        }) => pair(username, password, fields, message, means.secrets),
        Some(ProofPlan::Bearer {
            username,
            password,
            fixed,
        }) => bearer(
            username,
            password,
            fixed.as_deref(),
            message.inbound,
            means.secrets,
        ),
        Some(ProofPlan::Channel) => Ok(()),
        None => Err(Rejection::new(
            Reason::MissingCredentials,
            "no credential of this connection can prove a message",
        )),
    }
}

/// What a message is signed over, what its signature should be and what it carries.
pub(super) struct Explained<'p> {
    pub(super) text: Text<'p>,
    pub(super) signature: Option<String>,
    pub(super) given: Option<String>,
    pub(super) digest: &'static str,
}

/// By the way [`check`] takes; `None` where a static key proves the message.
pub(super) fn explain<'p>(
    proofs: &'p [ProofPlan],
    message: &Message<'_>,
    means: Means<'_>,
) -> Option<Explained<'p>> {
    match chosen(proofs, message, means.secrets)? {
        ProofPlan::Signature {
            signature, carrier, ..
        } => explain_signature(signature, carrier, message, means),
        _ => None,
    }
}

/// The signature in use, for a closer look at a message that did not pass.
pub(super) fn signature_in_use<'p>(
    proofs: &'p [ProofPlan],
    message: &Message<'_>,
    secrets: Secrets<'_>,
) -> Option<&'p SignaturePlan> {
    match chosen(proofs, message, secrets)? {
        ProofPlan::Signature { signature, .. } => Some(signature),
        _ => None,
    }
}

fn chosen<'p>(
    proofs: &'p [ProofPlan],
    message: &Message<'_>,
    secrets: Secrets<'_>,
) -> Option<&'p ProofPlan> {
    if let [only] = proofs {
        return Some(only).filter(|only| only.is_configured(secrets));
    }
    let configured = || proofs.iter().filter(|proof| proof.is_configured(secrets));
    configured()
        .find(|proof| proof.is_offered(message))
        .or_else(|| configured().next_back())
}

impl ProofPlan {
    fn is_configured(&self, secrets: Secrets<'_>) -> bool {
        match self {
            Self::Signature { signature, .. } => signature
                .credentials()
                .filter(|name| !name.is_empty())
                .all(|name| secrets.is_given(name)),
            Self::Static { credential, .. } => secrets.is_given(credential),
            Self::Basic { username, password }
            | Self::Pair {
                username, password, ..
            } => secrets.is_given(username) && secrets.is_given(password),
            Self::Bearer {
                username,
                password,
                fixed,
            } => {
                (secrets.is_given(username) && secrets.is_given(password))
                    || fixed.as_ref().is_some_and(|fixed| secrets.is_given(fixed))
            }
            Self::Channel => true,
        }
    }

    fn is_offered(&self, message: &Message<'_>) -> bool {
        let inbound = message.inbound;
        match self {
            Self::Signature { carrier, fresh, .. } => {
                carrier.is_present(message)
                    || fresh.as_ref().is_some_and(|fresh| {
                        let header = fresh.from.header.as_deref();
                        header.is_some_and(|header| inbound.header(header).is_some())
                    })
            }
            Self::Static { header, scheme, .. } => inbound.header(header).is_some_and(|given| {
                scheme
                    .as_deref()
                    .is_none_or(|scheme| is_of_scheme(given, scheme))
            }),
            Self::Basic { .. } => offers(inbound, "Basic"),
            Self::Pair { fields, .. } => fields.iter().any(|name| message.get(name).is_some()),
            Self::Bearer { .. } => offers(inbound, "Bearer"),
            Self::Channel => true,
        }
    }
}

/// Several ways may share one header: its first word says which is meant.
fn offers(inbound: &Inbound, scheme: &str) -> bool {
    inbound
        .header("authorization")
        .is_some_and(|given| is_of_scheme(given, scheme))
}

fn is_of_scheme(given: &str, scheme: &str) -> bool {
    let word = given.split_whitespace().next().unwrap_or_default();
    word.eq_ignore_ascii_case(scheme)
}

impl Carrier {
    fn is_present(&self, message: &Message<'_>) -> bool {
        match self {
            Self::Field(name) => message.get(name).is_some(),
            Self::Header(header) | Self::HeaderPart { header, .. } => {
                message.inbound.header(header).is_some()
            }
        }
    }

    /// The signature as the message carries it; `Ok(None)` when it carries none.
    fn read<'a>(&self, message: &Message<'a>) -> Result<Option<Cow<'a, str>>, Rejection> {
        let given = match self {
            Self::Field(name) => match message.get(name) {
                None => None,
                Some(field) => field.text().map_err(|_| bad())?,
            },
            Self::Header(name) => the_header(message.inbound, name)?.map(Cow::Borrowed),
            Self::HeaderPart { header, part } => the_header(message.inbound, header)?
                .and_then(|list| header_part(list, part))
                .map(Cow::Borrowed),
        };
        Ok(given.filter(|given| !given.is_empty()))
    }
}

fn bad() -> Rejection {
    Rejection::new(Reason::BadSignature, "the signature is not of this message")
}

fn signed(
    plan: &SignaturePlan,
    carrier: &Carrier,
    message: &Message<'_>,
    means: Means<'_>,
) -> Result<(), Rejection> {
    let given = carrier
        .read(message)?
        .ok_or_else(|| Rejection::new(Reason::MissingSignature, "the message is not signed"))?;
    let given = match plan.prefix.as_str() {
        "" => &given,
        prefix => given.strip_prefix(prefix).ok_or_else(bad)?,
    };
    fitting(plan, message, means, given)?.map_or_else(|| Err(bad()), |_| Ok(()))
}

/// The text of the first secret and way of writing that carry this signature.
fn fitting<'p>(
    plan: &'p SignaturePlan,
    message: &Message<'_>,
    means: Means<'_>,
    given: &str,
) -> Result<Option<Text<'p>>, Rejection> {
    let unresolved = |_: &str| None;
    for generation in 0..means.secrets.generations(plan.credentials()) {
        let secrets = means.secrets.generation(generation);
        let (key, output) = plan.key(secrets, means.formulas)?;
        let context = Context {
            message,
            secrets,
            formulas: means.formulas,
            address: &unresolved,
        };
        let mut tried: Vec<Vec<u8>> = Vec::new();
        for alternative in plan.payload.alternatives().iter() {
            let mut text = Text::with_capacity(512);
            plan.payload.write(*alternative, &context, &mut text)?;
            if tried.contains(&text.bytes) {
                continue;
            }
            if key.fits(&text.bytes, given, output) {
                return Ok(Some(text));
            }
            tried.push(text.bytes);
        }
    }
    Ok(None)
}

impl SignaturePlan {
    /// The key with the way its digest is written.
    ///
    /// # Errors
    /// [`Rejection`] when the credential is not usable.
    pub(super) fn key<'k>(
        &self,
        secrets: Secrets<'k>,
        formulas: &Formulas,
    ) -> Result<(Key<'k>, Output), Rejection> {
        if let Payload::Formula {
            credential, index, ..
        } = &self.payload
        {
            let contract = formulas.of(secrets.get(credential).unwrap_or_default());
            if let Some(formula) = contract.get(*index) {
                return Ok((Key::Plain(formula.algorithm), formula.output));
            }
        }
        if !self.algorithm.is_keyed() {
            return Ok((Key::Plain(self.algorithm), self.output));
        }
        secrets
            .secret(&self.key)
            .and_then(|secret| secret.key(self.algorithm, self.key_form))
            .map(|key| (Key::Made(key), self.output))
            .ok_or_else(|| {
                Rejection::new(
                    Reason::BadSignature,
                    format!("the credential {} is not usable", self.key),
                )
            })
    }
}

/// What a message is signed over and what its signature should be: of the way that fits, or else of
/// the documented way.
pub(super) fn explain_signature<'p>(
    plan: &'p SignaturePlan,
    carrier: &Carrier,
    message: &Message<'_>,
    means: Means<'_>,
) -> Option<Explained<'p>> {
    let unresolved = |_: &str| None;
    let given = carrier.read(message).ok().flatten().map(|given| {
        given
            .strip_prefix(plan.prefix.as_str())
            .unwrap_or(&given)
            .to_owned()
    });
    let fitting = given
        .as_deref()
        .and_then(|given| fitting(plan, message, means, given).ok().flatten());
    let text = match fitting {
        Some(text) => text,
        None => {
            let context = Context {
                message,
                secrets: means.secrets,
                formulas: means.formulas,
                address: &unresolved,
            };
            let mut text = Text::default();
            plan.payload
                .write(plan.payload.documented(), &context, &mut text)
                .ok()?;
            text
        }
    };
    let signature = plan
        .key(means.secrets, means.formulas)
        .ok()
        .and_then(|(key, output)| key.sign(&text.bytes, output));
    Some(Explained {
        text,
        signature,
        given,
        digest: plan.algorithm.name(),
    })
}

fn missing_key() -> Rejection {
    Rejection::new(Reason::MissingCredentials, "the message brings no key")
}

fn wrong_key() -> Rejection {
    Rejection::new(Reason::BadCredentials, "the key is not the one agreed")
}

fn static_key<'k>(
    keys: impl Iterator<Item = &'k str>,
    scheme: Option<&str>,
    given: Option<&str>,
) -> Result<(), Rejection> {
    let given = given
        .filter(|given| !given.is_empty())
        .ok_or_else(missing_key)?;
    let value = match scheme {
        None => Some(given),
        Some(scheme) => after_scheme(given, scheme),
    };
    let mut keys = keys;
    if value.is_some_and(|value| keys.any(|key| same_key(key, value))) {
        Ok(())
    } else {
        Err(wrong_key())
    }
}

/// Names of schemes know no case (RFC 9110 §11.1); the key itself does.
fn after_scheme<'g>(given: &'g str, scheme: &str) -> Option<&'g str> {
    given
        .split_at_checked(scheme.len())
        .filter(|(word, _)| word.eq_ignore_ascii_case(scheme))
        .and_then(|(_, rest)| rest.strip_prefix(' '))
}

fn authorization<'a>(inbound: &'a Inbound, scheme: &str) -> Result<&'a str, Rejection> {
    let given = the_header(inbound, "authorization")?
        .filter(|given| !given.is_empty())
        .ok_or_else(missing_key)?;
    after_scheme(given, scheme)
        .filter(|value| value.len() <= CREDENTIAL_BYTES_MAX)
        .ok_or_else(wrong_key)
}

/// The password may hold a colon, the name may not (RFC 7617).
fn basic(
    username: &str,
    password: &str,
    inbound: &Inbound,
    secrets: Secrets<'_>,
) -> Result<(), Rejection> {
    let packed = authorization(inbound, "Basic")?;
    let pair = STANDARD
        .decode(packed.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(wrong_key)?;
    let (name, given) = pair.split_once(':').ok_or_else(wrong_key)?;
    let known = secrets.all(username).any(|known| same_key(known, name));
    let fits = secrets.all(password).any(|known| same_key(known, given));
    (known & fits).then_some(()).ok_or_else(wrong_key)
}

fn pair(
    username: &str,
    password: &str,
    fields: &[Ref; 2],
    message: &Message<'_>,
    secrets: Secrets<'_>,
) -> Result<(), Rejection> {
    let [name, word] = fields;
    let given = |field: &Ref| message.text(std::slice::from_ref(field));
    let (Some(name), Some(word)) = (given(name)?, given(word)?) else {
        return Err(Rejection::new(
            Reason::MissingCredentials,
            "the message brings no name and password",
        ));
    };
    let known = secrets.all(username).any(|known| same_key(known, &name));
    let fits = secrets.all(password).any(|known| same_key(known, &word));
    (known & fits).then_some(()).ok_or_else(wrong_key)
}

/// Tokens are not stored: they carry their end and are signed with the password they were given for.
pub(super) fn token(
    username: &str,
    password: &str,
    secrets: Secrets<'_>,
    expires_at_unix: i64,
    nonce: [u8; 16],
) -> Option<String> {
    let body = format!("{expires_at_unix}.{}", hex::encode(nonce));
    let name = secrets.get(username)?;
    let key = secrets.get(password)?;
    let mac = URL_SAFE_NO_PAD.encode(token_mac(key.as_bytes(), scoped(name, &body).as_bytes()));
    Some(format!("{body}.{mac}"))
}

fn scoped(name: &str, body: &str) -> String {
    format!("hocphi.bearer|{}|{name}|{body}", name.len())
}

fn bearer(
    username: &str,
    password: &str,
    fixed: Option<&str>,
    inbound: &Inbound,
    secrets: Secrets<'_>,
) -> Result<(), Rejection> {
    let given = authorization(inbound, "Bearer")?;
    if fixed.is_some_and(|fixed| secrets.all(fixed).any(|known| same_key(known, given))) {
        return Ok(());
    }
    let (body, mac) = given.rsplit_once('.').ok_or_else(wrong_key)?;
    let expires = body
        .split_once('.')
        .and_then(|(expires, _)| values::digits(expires))
        .ok_or_else(wrong_key)?;
    let mut keys = secrets
        .all(username)
        .flat_map(|name| secrets.all(password).map(move |key| (name, key)));
    let ours = keys.any(|(name, key)| {
        let made = token_mac(key.as_bytes(), scoped(name, body).as_bytes());
        same_key(&URL_SAFE_NO_PAD.encode(made), mac)
    });
    if !ours {
        return Err(wrong_key());
    }
    if inbound.received_at_unix >= expires {
        return Err(Rejection::new(
            Reason::BadCredentials,
            "the token has run out",
        ));
    }
    Ok(())
}

/// Runs after the signature, which covers the time.
fn check_fresh(plan: &FreshPlan, message: &Message<'_>) -> Result<(), Rejection> {
    let sent = message
        .text(std::slice::from_ref(&plan.from))?
        .and_then(|text| values::moment(&text, plan.format))
        .ok_or_else(|| malformed(format!("{} is not a time", plan.from.name)))?;
    let drift = message.inbound.received_at_unix.abs_diff(sent);
    if drift > plan.window_seconds.unsigned_abs() {
        return Err(Rejection::new(
            Reason::StaleTimestamp,
            format!("the message is {drift} s away from our clock"),
        ));
    }
    Ok(())
}
