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
use super::raw::{Raw, RawError};
use super::remote::RemoteKey;
use super::token::{self, TokenPlace};
use crate::invoices::xml::push_text;
use crate::stored_as_text;

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
    #[error(transparent)]
    Elsewhere(#[from] RawError),
    #[error("what is stored of the key is not understood")]
    Stored,
}

/// Who holds the private key of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This program, sealed in its database.
    Here,
    /// A PKCS#11 token or HSM of this machine.
    Token,
    /// A signing service.
    Remote,
}
stored_as_text!(Holder {
    Here = "SOFTWARE",
    Token = "TOKEN",
    Remote = "REMOTE",
});

/// A private key kept parsed (importing it costs half a signature), or the way to one elsewhere, and
/// the text of its certificate that every signature repeats.
pub struct SigningKey {
    pub(super) raw: Raw,
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
        Self::with(pair, parsed(text)?)
    }

    /// From a key on a token; its certificate is read there, or given in PEM where the token has none.
    ///
    /// # Errors
    /// [`KeyError`] when the token does not open, or key and certificate do not belong together.
    pub fn on_token(place: TokenPlace, certificate_pem: Option<&str>) -> Result<Self, KeyError> {
        let found = token::find(place)?;
        let mut certificates = found
            .certificates
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<Vec<_>, _>>()?;
        certificates.extend(parsed(certificate_pem.unwrap_or_default())?);
        Self::elsewhere(Raw::Token(found.key), certificates)
    }

    /// From a key in a provider's HSM, with the certificate in PEM. Nothing is asked of the service.
    ///
    /// # Errors
    /// [`KeyError`] when there is not exactly one certificate.
    pub fn remote(key: RemoteKey, certificate_pem: &str) -> Result<Self, KeyError> {
        let certificates = parsed(certificate_pem)?;
        let [certificate] =
            <[Certificate; 1]>::try_from(certificates).map_err(|_| KeyError::NoCertificate)?;
        Self::of(Raw::Remote(key), certificate)
    }

    /// From stored parts: who holds the key, what was sealed of it, and the certificate in PEM.
    ///
    /// # Errors
    /// As the other ways.
    pub fn from_parts(
        holder: Holder,
        secret: &[u8],
        certificate_pem: &str,
    ) -> Result<Self, KeyError> {
        match holder {
            Holder::Here => {
                let pair = KeyPair::from_pkcs8(secret)
                    .map_err(|error| KeyError::BadKey(error.to_string()))?;
                Self::with(pair, parsed(certificate_pem)?)
            }
            Holder::Token => {
                let place = serde_json::from_slice(secret).map_err(|_| KeyError::Stored)?;
                Self::on_token(place, Some(certificate_pem))
            }
            Holder::Remote => {
                let key = serde_json::from_slice(secret).map_err(|_| KeyError::Stored)?;
                Self::remote(key, certificate_pem)
            }
        }
    }

    fn with(pair: KeyPair, certificates: Vec<Certificate>) -> Result<Self, KeyError> {
        // Files carry the issuer's certificates as well: the right one has our public key.
        let certificate = certificates
            .into_iter()
            .find(|certificate| certificate.public_key() == pair.public_key().as_ref())
            .ok_or(KeyError::NoCertificate)?;
        Self::of(Raw::Here(Box::new(pair)), certificate)
    }

    /// A key whose public half cannot be had signs a line; its certificate is the one that verifies it.
    fn elsewhere(raw: Raw, certificates: Vec<Certificate>) -> Result<Self, KeyError> {
        const LINE: &[u8] = b"hocphi: which certificate belongs to this key?";
        let signature = raw.sign(LINE)?;
        let certificate = certificates
            .into_iter()
            .find(|certificate| certificate.has_signed(LINE, &signature))
            .ok_or(KeyError::NoCertificate)?;
        Self::of(raw, certificate)
    }

    fn of(raw: Raw, certificate: Certificate) -> Result<Self, KeyError> {
        if certificate.modulus_bytes() < MODULUS_BYTES_MIN {
            return Err(KeyError::TooShort {
                bits: certificate.modulus_bytes() * 8,
            });
        }
        let mut key_info = b"<KeyInfo><X509Data><X509SubjectName>".to_vec();
        push_text(&mut key_info, &certificate.subject);
        key_info.extend_from_slice(b"</X509SubjectName><X509Certificate>");
        key_info.extend_from_slice(STANDARD.encode(certificate.der()).as_bytes());
        key_info.extend_from_slice(b"</X509Certificate></X509Data></KeyInfo>");
        Ok(Self {
            raw,
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

    /// A signature over any bytes, for documents that are not written by this program's writer.
    ///
    /// # Errors
    /// [`RawError`] when the key refuses or is elsewhere.
    pub(in crate::invoices) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, RawError> {
        self.raw.sign(message)
    }

    /// The service to ask, for a key that is not here.
    pub const fn service(&self) -> Option<&RemoteKey> {
        match &self.raw {
            Raw::Remote(key) => Some(key),
            Raw::Here(_) | Raw::Token(_) => None,
        }
    }

    /// What must be sealed at once: the private key in PKCS#8, or the way to it with its PIN or token.
    ///
    /// # Errors
    /// [`KeyError::BadKey`] when the key cannot be exported.
    pub fn to_parts(&self) -> Result<(Holder, Vec<u8>), KeyError> {
        let bad = |error: &dyn fmt::Display| KeyError::BadKey(error.to_string());
        Ok(match &self.raw {
            Raw::Here(pair) => {
                let der =
                    AsDer::<Pkcs8V1Der<'_>>::as_der(pair.as_ref()).map_err(|error| bad(&error))?;
                (Holder::Here, der.as_ref().to_vec())
            }
            Raw::Token(key) => {
                let place = serde_json::to_vec(key.place()).map_err(|error| bad(&error))?;
                (Holder::Token, place)
            }
            Raw::Remote(key) => {
                let key = serde_json::to_vec(key).map_err(|error| bad(&error))?;
                (Holder::Remote, key)
            }
        })
    }
}

fn parsed(certificates_pem: &str) -> Result<Vec<Certificate>, KeyError> {
    Ok(pem_blocks(certificates_pem)
        .iter()
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| Certificate::from_der(&block.der))
        .collect::<Result<Vec<_>, _>>()?)
}
