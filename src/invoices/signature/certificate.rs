//! What a signer's certificate says.

use aws_lc_rs::signature as algorithms;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Encode, Reader as _};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use crate::clock::Instant;

/// `uid` of RFC 4519, where Vietnamese certification authorities write `MST:<tax code>`.
const UID: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1");
/// Certificates between a signer and an anchor; Vietnamese chains have one or two.
const CHAIN_LENGTH_MAX: u8 = 4;
const TAX_CODE_PREFIX: &str = "MST:";

/// The bytes are not a certificate, or not one with an RSA key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct CertificateError(String);

/// Why a certificate may not be used for a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    #[error("the certificate is valid from {from} to {to}, not at {at}")]
    NotValidAt {
        from: String,
        to: String,
        at: String,
    },
    #[error("the certificate belongs to tax code {found:?}, the seller is {seller}")]
    OtherTaxCode {
        found: Option<String>,
        seller: String,
    },
    #[error("the certificate does not allow digital signatures")]
    NotForSignatures,
    /// Not in DSCTSSDung of the seller's registration: the authority would refuse what it signs.
    #[error("certificate {serial} is not registered with the tax authority on {day}")]
    NotRegistered { serial: String, day: String },
    #[error("the certificate was not issued by a trusted authority")]
    Untrusted,
}

/// A parsed certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    /// Upper-case hex.
    pub serial: String,
    pub valid_from: Instant,
    pub valid_to: Instant,
    /// RFC 4514.
    pub subject: String,
    /// RFC 4514.
    pub issuer: String,
    /// From the subject's UID, without `MST:`; a branch keeps its dash.
    pub tax_code: Option<String>,
    /// keyUsage has digitalSignature or nonRepudiation; certificates without keyUsage allow all.
    pub for_signatures: bool,
    is_authority: bool,
    /// PKCS#1 RSAPublicKey.
    public_key: Vec<u8>,
    signed: Vec<u8>,
    signature_algorithm: String,
    signature: Vec<u8>,
}

/// The common name of an RFC 4514 subject, unescaped.
pub fn common_name(subject: &str) -> Option<String> {
    let mut rest = subject;
    loop {
        let (key, value) = rest.split_once('=')?;
        let mut name = Vec::new();
        let bytes = value.as_bytes();
        let mut at = 0;
        while at < bytes.len() && !matches!(bytes[at], b',' | b'+' | b';') {
            if bytes[at] == b'\\' && at + 1 < bytes.len() {
                // A pair is two hex digits of a byte, or the character itself.
                let pair = value.get(at + 1..at + 3);
                match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                    Some(byte) => {
                        name.push(byte);
                        at += 3;
                    }
                    None => {
                        name.push(bytes[at + 1]);
                        at += 2;
                    }
                }
            } else {
                name.push(bytes[at]);
                at += 1;
            }
        }
        if key.trim().eq_ignore_ascii_case("CN") {
            return String::from_utf8(name)
                .ok()
                .map(|name| name.trim().to_owned());
        }
        rest = value.get(at + 1..)?;
    }
}

impl Certificate {
    /// # Errors
    /// [`CertificateError`] when the bytes are not a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let refused = |error: &dyn std::fmt::Display| CertificateError(error.to_string());
        let parsed = x509_cert::Certificate::from_der(der).map_err(|error| refused(&error))?;
        let body = parsed.tbs_certificate();
        let moment = |time: &x509_cert::time::Time| {
            Instant::from_unix(
                i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX / 1_000_000),
            )
        };
        let key_usage = body
            .get_extension::<KeyUsage>()
            .map_err(|error| refused(&error))?
            .is_none_or(|(_, usage)| usage.digital_signature() || usage.non_repudiation());
        let is_authority = body
            .get_extension::<BasicConstraints>()
            .map_err(|error| refused(&error))?
            .is_some_and(|(_, constraints)| constraints.ca);
        let signed = body.to_der().map_err(|error| refused(&error))?;
        let public_key = body
            .subject_public_key_info()
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| refused(&"public key has odd bits"))?
            .to_vec();
        Ok(Self {
            der: der.to_vec(),
            serial: hex::encode_upper(body.serial_number().as_bytes()),
            valid_from: moment(&body.validity().not_before),
            valid_to: moment(&body.validity().not_after),
            subject: body.subject().to_string(),
            issuer: body.issuer().to_string(),
            tax_code: tax_code(&parsed),
            for_signatures: key_usage,
            is_authority,
            public_key,
            signed,
            signature_algorithm: parsed.signature_algorithm().oid.to_string(),
            signature: parsed.signature().raw_bytes().to_vec(),
        })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The RSA public key, PKCS#1 DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether the certificate holds at this moment.
    pub fn is_valid_at(&self, moment: Instant) -> bool {
        self.valid_from <= moment && moment <= self.valid_to
    }

    /// Checks before a signature is made or believed (einvoice §3.3).
    ///
    /// # Errors
    /// The first [`CertificateProblem`].
    pub fn check(&self, seller: &str, at: Instant) -> Result<(), CertificateProblem> {
        if !self.for_signatures {
            return Err(CertificateProblem::NotForSignatures);
        }
        if !self.is_valid_at(at) {
            return Err(CertificateProblem::NotValidAt {
                from: self.valid_from.local_iso(),
                to: self.valid_to.local_iso(),
                at: at.local_iso(),
            });
        }
        if self.tax_code.as_deref() != Some(seller) {
            return Err(CertificateProblem::OtherTaxCode {
                found: self.tax_code.clone(),
                seller: seller.to_owned(),
            });
        }
        Ok(())
    }

    /// Length of the RSA modulus.
    pub fn modulus_bytes(&self) -> usize {
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, … }; a leading zero byte keeps it positive.
        der::SliceReader::new(&self.public_key)
            .and_then(|mut reader| {
                reader.sequence(|inner| {
                    let modulus = UintRef::decode(inner)?;
                    UintRef::decode(inner)?;
                    Ok::<_, der::Error>(modulus.as_bytes().len())
                })
            })
            .unwrap_or(0)
    }

    /// Whether the signature (RSA PKCS#1 v1.5, SHA-256) over the message is of this certificate's key.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        algorithms::UnparsedPublicKey::new(
            &algorithms::RSA_PKCS1_2048_8192_SHA256,
            &self.public_key,
        )
        .verify(message, signature)
        .is_ok()
    }

    /// Whether a chain leads from this certificate to one of `anchors` at a moment, over
    /// certificates of `between` where needed. An anchor may also be the certificate itself.
    pub fn is_trusted(&self, between: &[Self], anchors: &[Self], at: Option<Instant>) -> bool {
        self.leads_to(between, anchors, at, CHAIN_LENGTH_MAX)
    }

    fn leads_to(&self, between: &[Self], anchors: &[Self], at: Option<Instant>, left: u8) -> bool {
        if anchors.iter().any(|anchor| self.is_trusted_by(anchor)) {
            return true;
        }
        let Some(left) = left.checked_sub(1) else {
            return false;
        };
        between.iter().any(|issuer| {
            issuer.der != self.der
                && self.is_trusted_by(issuer)
                && at.is_none_or(|at| issuer.is_valid_at(at))
                && issuer.leads_to(between, anchors, at, left)
        })
    }

    /// Whether `authority` issued this certificate, or is this certificate.
    pub fn is_trusted_by(&self, authority: &Self) -> bool {
        if self.der == authority.der {
            return true;
        }
        let algorithm: &dyn algorithms::VerificationAlgorithm =
            match self.signature_algorithm.as_str() {
                "1.2.840.113549.1.1.11" => &algorithms::RSA_PKCS1_2048_8192_SHA256,
                "1.2.840.113549.1.1.12" => &algorithms::RSA_PKCS1_2048_8192_SHA384,
                "1.2.840.113549.1.1.13" => &algorithms::RSA_PKCS1_2048_8192_SHA512,
                _ => return false,
            };
        authority.is_authority
            && authority.subject == self.issuer
            && algorithms::UnparsedPublicKey::new(algorithm, &authority.public_key)
                .verify(&self.signed, &self.signature)
                .is_ok()
    }
}

fn tax_code(certificate: &x509_cert::Certificate) -> Option<String> {
    certificate
        .tbs_certificate()
        .subject()
        .iter()
        .filter(|attribute| attribute.oid == UID)
        // UTF8String or PrintableString; the text is the same bytes in both.
        .filter_map(|attribute| std::str::from_utf8(attribute.value.value()).ok())
        .find_map(|text| {
            text.strip_prefix(TAX_CODE_PREFIX)
                .map(|code| code.trim().to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_is_found_behind_other_names_and_unescaped() {
        for (subject, name) in [
            ("UID=MST:0100233488,CN=TRƯỜNG VÍ DỤ,C=VN", "TRƯỜNG VÍ DỤ"),
            ("CN=A\\, B \\+ C,O=X", "A, B + C"),
            ("O=X\\,CN\\=Y,CN=TR\\C6\\AF\\E1\\BB\\9CNG", "TRƯỜNG"),
        ] {
            assert_eq!(common_name(subject).as_deref(), Some(name));
        }
        assert_eq!(common_name("O=CN"), None);
        assert_eq!(common_name(""), None);
    }
}
