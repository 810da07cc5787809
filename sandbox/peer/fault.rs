//! What goes wrong between a finished notice and the gateway.

use super::{Field, Peer, Place, RawRequest};

/// Larger than any notice of any provider.
const HUGE_BYTES: usize = 2 * 1024 * 1024;

/// One thing wrong on the wire. None of them may move money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A value changed, the signature as it was.
    Tampered(Field),
    /// Signature, key or token changed in one character.
    WrongProof(Field),
    /// Signature, key or token absent.
    NoProof(Field),
    /// Signature, key or token present but empty.
    EmptyProof(Field),
    /// A header of the message missing.
    NoHeader(String),
    /// Another content type than the provider's.
    ContentType(&'static str),
    /// Body or query cut in half.
    Cut,
    /// No body, no query.
    Nothing,
    /// Bytes that are neither JSON nor a form nor text.
    Noise,
    /// A very large message that begins like a genuine one.
    Huge,
    /// A signed value told twice, the second time differently.
    Doubled(Field),
}

impl Fault {
    /// The finished message with this fault.
    pub fn apply(&self, request: &RawRequest) -> RawRequest {
        let mut spoiled = request.clone();
        match self {
            Self::Tampered(field) | Self::WrongProof(field) => return field.tamper(request),
            Self::NoProof(field) => return field.remove(request),
            Self::EmptyProof(field) => return field.write(request, ""),
            Self::NoHeader(name) => spoiled.headers.retain(|(key, _)| key != name),
            Self::ContentType(kind) => {
                spoiled.headers.retain(|(key, _)| key != "content-type");
                spoiled
                    .headers
                    .push(("content-type".to_owned(), (*kind).to_owned()));
            }
            Self::Cut => {
                spoiled.body.truncate(spoiled.body.len() / 2);
                // Queries are ASCII; a cut inside an escape is part of the mischief.
                spoiled.query.truncate(spoiled.query.len() / 2);
            }
            Self::Nothing => {
                spoiled.body.clear();
                spoiled.query.clear();
            }
            Self::Noise => {
                let noise = [0xff, 0x00, 0xfe, b'{', b'%', b'=', 0x80, b'"'].repeat(32);
                if request.body.is_empty() {
                    spoiled.query = "%ff%00=%&&==%zz&vnp_=&=".repeat(8);
                } else {
                    spoiled.body = noise;
                }
            }
            Self::Huge => {
                if request.body.is_empty() {
                    // Servers refuse longer request lines on their own.
                    spoiled.query.push_str("&filler=");
                    spoiled.query.push_str(&"x".repeat(60 * 1024));
                } else {
                    spoiled.body.resize(request.body.len() + HUGE_BYTES, b' ');
                }
            }
            Self::Doubled(field) => {
                let other = field.read(&field.tamper(request)).unwrap_or_default();
                let piece = crate::forms::join([(field.name.as_str(), other.as_str())]);
                match field.place {
                    Place::Query => spoiled.query = format!("{}&{piece}", request.query),
                    Place::Form => spoiled.body.extend(format!("&{piece}").into_bytes()),
                    _ => {}
                }
            }
        }
        spoiled
    }

    /// True when nothing may come of the message. With the others it may be understood all the same,
    /// or refused for its form: a wrong content type, a missing header, filler at the end.
    pub const fn must_be_refused(&self) -> bool {
        matches!(
            self,
            Self::Tampered(_)
                | Self::WrongProof(_)
                | Self::NoProof(_)
                | Self::EmptyProof(_)
                | Self::Doubled(_)
                | Self::Cut
                | Self::Nothing
                | Self::Noise
        )
    }
}

/// All faults that make sense for a notice of this provider.
pub fn faults(peer: &dyn Peer, notice: &RawRequest) -> Vec<Fault> {
    let mut all = Vec::new();
    for field in peer.signed_fields() {
        if field.read(notice).is_some() {
            all.push(Fault::Tampered(field.clone()));
            if matches!(field.place, Place::Query | Place::Form) {
                all.push(Fault::Doubled(field));
            }
        }
    }
    for field in peer.proof() {
        all.push(Fault::WrongProof(field.clone()));
        all.push(Fault::NoProof(field.clone()));
        all.push(Fault::EmptyProof(field));
    }
    for (name, _) in &notice.headers {
        all.push(Fault::NoHeader(name.clone()));
    }
    if !notice.body.is_empty() {
        all.push(Fault::ContentType("text/plain"));
        all.push(Fault::ContentType("multipart/form-data; boundary=x"));
    }
    all.extend([Fault::Cut, Fault::Nothing, Fault::Noise, Fault::Huge]);
    all
}
