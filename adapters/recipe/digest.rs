//! Keyed digests and their comparison.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

/// How a key is written in the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyForm {
    Text,
    Hex,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Output {
    HexLower,
    HexUpper,
    Base64,
}

/// A computed digest.
#[derive(Clone, Copy)]
pub(super) struct Digest {
    bytes: [u8; 64],
    length: usize,
}

impl Digest {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn write(&self, output: Output) -> String {
        match output {
            Output::HexLower => hex::encode(self.as_bytes()),
            Output::HexUpper => hex::encode_upper(self.as_bytes()),
            Output::Base64 => STANDARD.encode(self.as_bytes()),
        }
    }

    /// Constant-time for a signature of the right length; hexadecimal in either case. Any other
    /// length or alphabet is unequal.
    pub(super) fn equals(&self, given: &str, output: Output) -> bool {
        let mut decoded = [0; 64];
        let target = &mut decoded[..self.length];
        let read = match output {
            Output::HexLower | Output::HexUpper => hex::decode_to_slice(given, target).is_ok(),
            Output::Base64 => STANDARD
                .decode(given)
                .ok()
                .filter(|bytes| bytes.len() == target.len())
                .map(|bytes| target.copy_from_slice(&bytes))
                .is_some(),
        };
        read && bool::from(self.as_bytes().ct_eq(target))
    }
}

/// A key ready for use. Its clones cost nothing next to a digest.
#[derive(Clone)]
pub(super) enum Key {
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Key {
    /// `None` for an empty key or one that is not hexadecimal where it must be.
    pub(super) fn new(algorithm: Algorithm, form: KeyForm, key: &str) -> Option<Self> {
        let decoded;
        let bytes = match form {
            KeyForm::Text => key.as_bytes(),
            KeyForm::Hex => {
                decoded = hex::decode(key).ok()?;
                &decoded
            }
        };
        if bytes.is_empty() {
            return None;
        }
        match algorithm {
            Algorithm::HmacSha256 => Hmac::new_from_slice(bytes).ok().map(Self::Sha256),
            Algorithm::HmacSha512 => Hmac::new_from_slice(bytes).ok().map(Self::Sha512),
        }
    }

    pub(super) fn digest<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> Digest {
        fn run<'p, M: Mac>(mut mac: M, parts: impl IntoIterator<Item = &'p [u8]>) -> Digest {
            for part in parts {
                mac.update(part);
            }
            let made = mac.finalize().into_bytes();
            let mut bytes = [0; 64];
            bytes[..made.len()].copy_from_slice(&made);
            Digest {
                bytes,
                length: made.len(),
            }
        }
        match self {
            Self::Sha256(mac) => run(mac.clone(), parts),
            Self::Sha512(mac) => run(mac.clone(), parts),
        }
    }
}

/// Compares a static key in constant time; only its length can leak.
pub(super) fn same_key(expected: &str, given: &str) -> bool {
    !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
}
