//! A seller's signing key with its certificate, from the files that certification authorities give.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};

use super::certificate::{Certificate, CertificateError};
use super::pem::{pem_blocks, to_pem};
use crate::invoices::xml::push_text;

/// Shortest modulus that may sign, in bytes (RSA-2048).
const MODULUS_BYTES_MIN: usize = 256;

/// Why a file does not give a signing key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the PKCS#12 file does not open: {0}")]
    Pkcs12(String),
    #[error(
        "the file holds no private key that can be read (PKCS#8 or PKCS#1, RSA, not encrypted)"
    )]
    NoKey,
    #[error("the file holds no certificate of the private key")]
    NoCertificate,
    #[error("the private key is not a usable RSA key: {0}")]
    BadKey(String),
    #[error("the key has {bits} bits, signatures need 2048 or more")]
    TooShort { bits: usize },
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A private key kept parsed (importing it costs half a signature) and the text of its certificate
/// that every signature repeats.
pub struct SigningKey {
    pub(super) pair: KeyPair,
    certificate: Certificate,
    /// `<KeyInfo>…</KeyInfo>`, canonical.
    pub(super) key_info: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.certificate.serial)
    }
}

impl SigningKey {
    /// From a PKCS#12 file; old files under RC2 and 3DES open too.
    ///
    /// # Errors
    /// [`KeyError`] when the password is wrong or the file lacks a key or its certificate.
    pub fn from_pkcs12(bytes: &[u8], password: &str) -> Result<Self, KeyError> {
        let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict)
            .map_err(|error| KeyError::Pkcs12(error.to_string()))?;
        let (_, chain) = store.private_key_chain().ok_or(KeyError::NoKey)?;
        let certificates = chain
            .certs()
            .iter()
            .map(|certificate| Certificate::from_der(certificate.as_der()))
            .collect::<Result<Vec<_>, _>>()?;
        let pair = KeyPair::from_pkcs8(chain.key().as_der())
            .map_err(|error| KeyError::BadKey(error.to_string()))?;
        Self::with(pair, certificates)
    }

    /// From PEM text with a private key (PKCS#8 or PKCS#1) and its certificate, in any order.
    ///
    /// # Errors
    /// [`KeyError`] when either is missing or they do not belong together.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let blocks = pem_blocks(text);
        let pair = blocks
            .iter()
            .find_map(|block| match block.label.as_str() {
                "PRIVATE KEY" => Some(KeyPair::from_pkcs8(&block.der)),
                "RSA PRIVATE KEY" => Some(KeyPair::from_der(&block.der)),
                _ => None,
            })
            .ok_or(KeyError::NoKey)?
            .map_err(|error| KeyError::BadKey(error.to_string()))?;
        let certificates = blocks
            .iter()
            .filter(|block| block.label == "CERTIFICATE")
            .map(|block| Certificate::from_der(&block.der))
            .collect::<Result<Vec<_>, _>>()?;
        Self::with(pair, certificates)
    }

    /// From stored parts: PKCS#8 and the certificate in PEM.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_parts(pkcs8: &[u8], certificate_pem: &str) -> Result<Self, KeyError> {
        let pair =
            KeyPair::from_pkcs8(pkcs8).map_err(|error| KeyError::BadKey(error.to_string()))?;
        let certificates = pem_blocks(certificate_pem)
            .iter()
            .map(|block| Certificate::from_der(&block.der))
            .collect::<Result<Vec<_>, _>>()?;
        Self::with(pair, certificates)
    }

    fn with(pair: KeyPair, certificates: Vec<Certificate>) -> Result<Self, KeyError> {
        if pair.public_modulus_len() < MODULUS_BYTES_MIN {
            return Err(KeyError::TooShort {
                bits: pair.public_modulus_len() * 8,
            });
        }
        // Files carry the issuer's certificates as well: the right one has our public key.
        let certificate = certificates
            .into_iter()
            .find(|certificate| certificate.public_key() == pair.public_key().as_ref())
            .ok_or(KeyError::NoCertificate)?;
        let mut key_info = b"<KeyInfo><X509Data><X509SubjectName>".to_vec();
        push_text(&mut key_info, &certificate.subject);
        key_info.extend_from_slice(b"</X509SubjectName><X509Certificate>");
        key_info.extend_from_slice(STANDARD.encode(certificate.der()).as_bytes());
        key_info.extend_from_slice(b"</X509Certificate></X509Data></KeyInfo>");
        Ok(Self {
            pair,
            certificate,
            key_info,
        })
    }

    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificate in PEM, as stored.
    pub fn certificate_pem(&self) -> String {
        to_pem("CERTIFICATE", self.certificate.der())
    }

    /// The private key in PKCS#8, to be sealed at once.
    ///
    /// # Errors
    /// [`KeyError::BadKey`] when the key cannot be exported.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        AsDer::<Pkcs8V1Der<'_>>::as_der(&self.pair)
            .map(|der| der.as_ref().to_vec())
            .map_err(|error| KeyError::BadKey(error.to_string()))
    }
}
