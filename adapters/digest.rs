//! Digests, keyed and plain, RSA, and their comparison.

use std::sync::OnceLock;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, rand, rsa, signature};
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest as _, Md5};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
    #[serde(rename = "md5")]
    Md5,
    #[serde(rename = "sha1")]
    Sha1,
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "sha512")]
    Sha512,
    /// RSASSA-PKCS1-v1_5; the key is PEM: public to verify, private (PKCS#8) to sign.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    /// ECDSA P-256; the key is PEM, signatures are ASN.1.
    #[serde(rename = "ecdsa-sha256")]
    EcdsaSha256,
}

impl Algorithm {
    /// The name recipes use.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::RsaSha256 => "rsa-sha256",
            Self::EcdsaSha256 => "ecdsa-sha256",
        }
    }

    /// Plain digests need no key: the secret stands in the text.
    pub(crate) const fn is_keyed(self) -> bool {
        !matches!(self, Self::Md5 | Self::Sha1 | Self::Sha256 | Self::Sha512)
    }

    pub(crate) const fn is_asymmetric(self) -> bool {
        matches!(self, Self::RsaSha256 | Self::EcdsaSha256)
    }
}

/// How a key is written in the credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyForm {
    #[default]
    Text,
    Hex,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Output {
    HexLower,
    HexUpper,
    Base64,
}

impl Output {
    fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::HexLower => hex::encode(bytes),
            Self::HexUpper => hex::encode_upper(bytes),
            Self::Base64 => STANDARD.encode(bytes),
        }
    }

    /// Hexadecimal in either case; base64 with or without padding.
    fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::HexLower | Self::HexUpper => hex::decode(text).ok(),
            Self::Base64 => LENIENT.decode(text).ok(),
        }
    }
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest signature: RSA-8192 in hexadecimal.
const SIGNATURE_CHARACTERS_MAX: usize = 2_048;

/// What makes signatures, or checks them.
#[derive(Clone, Copy)]
pub(crate) enum Key<'k> {
    /// A plain digest: its secret stands in the text.
    Plain(Algorithm),
    Made(&'k MadeKey),
}

impl Key<'_> {
    /// The signature of a text; `None` for a key that only verifies.
    pub(crate) fn sign(self, text: &[u8], output: Output) -> Option<String> {
        match self {
            Self::Plain(algorithm) => Some(output.write(&plain(algorithm, text))),
            Self::Made(key) => key.sign(text, output),
        }
    }

    /// Constant-time for a signature of the right length; another length or alphabet is unequal.
    pub(crate) fn fits(self, text: &[u8], given: &str, output: Output) -> bool {
        if given.len() > SIGNATURE_CHARACTERS_MAX {
            return false;
        }
        match self {
            Self::Plain(algorithm) => same(&plain(algorithm, text), given, output),
            Self::Made(key) => key.fits(text, given, output),
        }
    }
}

/// A key ready for use.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the largest one, and each is kept in a box"
)]
pub(crate) enum MadeKey {
    Hmac(hmac::Key),
    /// `None` for a PEM block that holds no key of the algorithm: no signature fits it.
    Verifying(Option<signature::ParsedPublicKey>),
    SigningRsa(rsa::KeyPair),
}

impl MadeKey {
    /// `None` for a key that is empty or not of the form it must have, and for plain digests.
    pub(crate) fn new(algorithm: Algorithm, form: KeyForm, key: &str) -> Option<Self> {
        let hashing = match algorithm {
            Algorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::HmacSha256 => hmac::HMAC_SHA256,
            Algorithm::HmacSha512 => hmac::HMAC_SHA512,
            Algorithm::Md5 | Algorithm::Sha1 | Algorithm::Sha256 | Algorithm::Sha512 => {
                return None;
            }
            Algorithm::RsaSha256 | Algorithm::EcdsaSha256 => {
                if let Some(der) = pem(key, "PUBLIC KEY") {
                    let rule: &dyn signature::VerificationAlgorithm = match algorithm {
                        Algorithm::EcdsaSha256 => &signature::ECDSA_P256_SHA256_ASN1,
                        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                    };
                    let key = signature::ParsedPublicKey::new(rule, der).ok();
                    return Some(Self::Verifying(key));
                }
                let pair = rsa::KeyPair::from_pkcs8(&pem(key, "PRIVATE KEY")?).ok()?;
                let signs = algorithm == Algorithm::RsaSha256;
                return signs.then_some(Self::SigningRsa(pair));
            }
        };
        let decoded;
        let bytes = match form {
            KeyForm::Text => key.as_bytes(),
            KeyForm::Hex => {
                decoded = hex::decode(key).ok()?;
                &decoded
            }
        };
        (!bytes.is_empty()).then(|| Self::Hmac(hmac::Key::new(hashing, bytes)))
    }

    fn sign(&self, text: &[u8], output: Output) -> Option<String> {
        match self {
            Self::Hmac(key) => Some(output.write(hmac::sign(key, text).as_ref())),
            Self::Verifying(_) => None,
            Self::SigningRsa(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                let random = rand::SystemRandom::new();
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, text, &mut made)
                    .ok()?;
                Some(output.write(&made))
            }
        }
    }

    fn fits(&self, text: &[u8], given: &str, output: Output) -> bool {
        match self {
            Self::Hmac(key) => same(hmac::sign(key, text).as_ref(), given, output),
            Self::Verifying(key) => key
                .as_ref()
                .zip(output.read(given))
                .is_some_and(|(key, given)| key.verify_sig(text, &given).is_ok()),
            Self::SigningRsa(_) => false,
        }
    }
}

/// The keys made of one secret, each when it is first asked for: to make one costs about as much as
/// to sign a message. Nearly always there is one; a clone makes its own.
#[derive(Default)]
pub(crate) struct Keys(OnceLock<Box<Kept>>);

struct Kept {
    algorithm: Algorithm,
    form: KeyForm,
    key: Option<MadeKey>,
    others: Keys,
}

impl Keys {
    /// The key of this kind; `secret` is always the same.
    pub(crate) fn get(
        &self,
        algorithm: Algorithm,
        form: KeyForm,
        secret: &str,
    ) -> Option<&MadeKey> {
        let kept = self.0.get_or_init(|| {
            Box::new(Kept {
                algorithm,
                form,
                key: MadeKey::new(algorithm, form, secret),
                others: Self::default(),
            })
        });
        if (kept.algorithm, kept.form) == (algorithm, form) {
            kept.key.as_ref()
        } else {
            kept.others.get(algorithm, form, secret)
        }
    }
}

impl Clone for Keys {
    fn clone(&self) -> Self {
        Self::default()
    }
}

fn same(made: &[u8], given: &str, output: Output) -> bool {
    match output {
        Output::HexLower | Output::HexUpper => same_hex(made, given),
        Output::Base64 => output
            .read(given)
            .is_some_and(|given| verify_slices_are_equal(made, &given).is_ok()),
    }
}

/// The longest digest has 64 bytes.
const HEX_CHARACTERS_MAX: usize = 128;

/// Compares with hexadecimal in either case. Both sides are brought to small letters by arithmetic
/// alone: it takes the same time for all values, and many bytes at once.
fn same_hex(made: &[u8], given: &str) -> bool {
    let (mut ours, mut theirs) = ([0; HEX_CHARACTERS_MAX], [0; HEX_CHARACTERS_MAX]);
    let length = made.len() * 2;
    let (Some(ours), Some(theirs)) = (ours.get_mut(..length), theirs.get_mut(..length)) else {
        return false;
    };
    if given.len() != length {
        return false;
    }
    let digit = |value: u8| b'0' + value + u8::from(value > 9) * (b'a' - b'0' - 10);
    for (pair, byte) in ours.as_chunks_mut().0.iter_mut().zip(made) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    // Of ASCII, letters have this bit and digits do not; half of it tells small letters from capitals.
    const LETTER: u8 = 0x40;
    for (sign, given) in theirs.iter_mut().zip(given.bytes()) {
        *sign = given | (given & LETTER) >> 1;
    }
    verify_slices_are_equal(ours, theirs).is_ok()
}

fn plain(algorithm: Algorithm, text: &[u8]) -> Vec<u8> {
    let rule = match algorithm {
        Algorithm::Md5 => return Md5::digest(text).to_vec(),
        Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha512 => &digest::SHA512,
        _ => &digest::SHA256,
    };
    digest::digest(rule, text).as_ref().to_vec()
}

/// The bytes of one PEM block of this label.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let packed: String = body.chars().filter(|sign| !sign.is_whitespace()).collect();
    STANDARD.decode(packed).ok()
}

/// HMAC-SHA256 of tokens of ours.
pub(crate) fn token_mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
        .as_ref()
        .to_vec()
}

/// Compares a static key in constant time; only its length can leak.
pub(crate) fn same_key(expected: &str, given: &str) -> bool {
    !expected.is_empty() && verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hexadecimal_is_taken_in_either_case_and_only_whole() {
        let made = [0x0a, 0xff];
        for right in ["0aff", "0AFF", "0aFf"] {
            assert!(same_hex(&made, right), "{right}");
        }
        for wrong in [
            "",
            "0af",
            "0aff0",
            "0aff00",
            "0afg",
            "0a ff",
            "+aff",
            "0af\u{e9}",
        ] {
            assert!(!same_hex(&made, wrong), "{wrong}");
        }
        assert!(!same_hex(&[0; 65], &"0".repeat(130)));
    }

    #[test]
    fn of_all_signs_only_the_two_ways_to_write_a_digit_are_it() {
        for value in 0..16_u8 {
            let right = char::from_digit(value.into(), 16).expect("a digit");
            for sign in (0..=127).map(char::from) {
                let text = format!("{sign}{sign}");
                let taken = same_hex(&[value << 4 | value], &text);
                assert_eq!(taken, sign.eq_ignore_ascii_case(&right), "{value} {sign:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn hexadecimal_is_equal_when_its_bytes_are(
            made in proptest::collection::vec(any::<u8>(), 0..=64),
            given in "[0-9a-fA-F]{0,128}",
            change in any::<prop::sample::Index>(),
        ) {
            let decoded = hex::decode(&given);
            prop_assert_eq!(same_hex(&made, &given), decoded.is_ok_and(|given| given == made));
            prop_assert!(same_hex(&made, &hex::encode(&made)));
            prop_assert!(same_hex(&made, &hex::encode_upper(&made)));
            if !made.is_empty() {
                let mut other = made.clone();
                other[change.index(made.len())] ^= 1;
                prop_assert!(!same_hex(&made, &hex::encode(other)));
            }
        }
    }

    #[test]
    fn keys_of_one_secret_are_made_once_and_apart() {
        let keys = Keys::default();
        let get = |algorithm, form| keys.get(algorithm, form, "00ff");
        let sign = |algorithm, form| {
            let key = get(algorithm, form).map(Key::Made);
            key.and_then(|key| key.sign(b"text", Output::HexLower))
        };
        let made = sign(Algorithm::HmacSha256, KeyForm::Text);
        assert_ne!(made, sign(Algorithm::HmacSha256, KeyForm::Hex));
        assert_ne!(made, sign(Algorithm::HmacSha512, KeyForm::Text));
        assert_eq!(made, sign(Algorithm::HmacSha256, KeyForm::Text));
        let (one, other) = (
            get(Algorithm::HmacSha256, KeyForm::Hex).expect("a key"),
            get(Algorithm::HmacSha256, KeyForm::Hex).expect("a key"),
        );
        assert!(std::ptr::eq(one, other));
        assert!(get(Algorithm::RsaSha256, KeyForm::Text).is_none());
        assert!(get(Algorithm::Md5, KeyForm::Text).is_none());
    }
}
