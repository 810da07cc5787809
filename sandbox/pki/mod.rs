//! The sandbox's certificate authority, made at run time: it certifies schools as a Vietnamese CA
//! would and holds the tax authority's own key. Nothing it issues means anything outside.

mod der;
mod remote;

use aws_lc_rs::digest::SHA256;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SerialNumber,
};
use time::OffsetDateTime;

pub(crate) use der::CertificateView;
pub use remote::{RemoteAccess, RemoteSigning};

/// `userId`, where Vietnamese certificates carry `MST:<tax code>`.
const UID: [u64; 7] = [0, 9, 2342, 19_200_300, 100, 1, 1];
const DAY_SECONDS: i64 = 86_400;
const VALID_DAYS: i64 = 3 * 365 + 1;
/// Longest common name of X.520; longer ones make some verifiers fail to read the subject.
const COMMON_NAME_BYTES_MAX: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot write PKCS#12: {0}")]
    Pkcs12(#[from] p12_keystore::error::Error),
    #[error("the signing key was refused")]
    Key,
}

/// A key and its certificate.
pub struct Identity {
    /// PKCS#8, `BEGIN PRIVATE KEY`.
    pub key_pem: String,
    pub certificate_pem: String,
    key_der: Vec<u8>,
    certificate_der: Vec<u8>,
    issuer_der: Vec<u8>,
    signer: RsaKeyPair,
}

impl Identity {
    fn new(
        key: &KeyPair,
        certificate: &rcgen::Certificate,
        issuer: &[u8],
    ) -> Result<Self, PkiError> {
        Ok(Self {
            key_pem: key.serialize_pem(),
            certificate_pem: certificate.pem(),
            key_der: key.serialize_der(),
            certificate_der: certificate.der().to_vec(),
            issuer_der: issuer.to_vec(),
            signer: RsaKeyPair::from_pkcs8(key.serialized_der()).map_err(|_| PkiError::Key)?,
        })
    }

    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate_der
    }

    /// Key, certificate and the authority's certificate in one file, as a CA hands it to a school.
    ///
    /// # Errors
    /// When the container cannot be written.
    pub fn pkcs12(&self, password: &str) -> Result<Vec<u8>, PkiError> {
        let chain = PrivateKeyChain::new(
            "1",
            PrivateKey::from_der(&self.key_der)?,
            [
                Certificate::from_der(&self.certificate_der)?,
                Certificate::from_der(&self.issuer_der)?,
            ],
        );
        let mut store = KeyStore::new();
        store.add_entry("signing", KeyStoreEntry::PrivateKeyChain(chain));
        Ok(store.writer(password).write()?)
    }

    /// RSA PKCS#1 v1.5 signature over a SHA-256 digest that somebody else took.
    pub(crate) fn sign_digest(&self, digest: &[u8]) -> Result<Vec<u8>, PkiError> {
        let digest = aws_lc_rs::digest::Digest::import_less_safe(digest, &SHA256)
            .map_err(|_| PkiError::Key)?;
        let mut signature = vec![0; self.signer.public_modulus_len()];
        self.signer
            .sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature)
            .map_err(|_| PkiError::Key)?;
        Ok(signature)
    }

    /// RSA PKCS#1 v1.5 signature with SHA-256.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, PkiError> {
        let mut signature = vec![0; self.signer.public_modulus_len()];
        self.signer
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                bytes,
                &mut signature,
            )
            .map_err(|_| PkiError::Key)?;
        Ok(signature)
    }
}

/// The authority.
pub struct Pki {
    /// Certificate that verifies all others.
    pub root_pem: String,
    root_der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    tax_authority: Identity,
    now: i64,
}

impl Pki {
    /// A fresh authority, valid from a day before `now` (unix seconds).
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn new(now: i64) -> Result<Self, PkiError> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        Self::with_root_key(key, now)
    }

    /// The same authority again from [`Pki::root_key_pem`], so that certificates it issued before
    /// stay good when a sandbox is started once more over the same books.
    ///
    /// # Errors
    /// When the key is no PKCS#8 RSA key.
    pub fn from_root_key(root_key_pem: &str, now: i64) -> Result<Self, PkiError> {
        Self::with_root_key(
            KeyPair::from_pem_and_sign_algo(root_key_pem, &PKCS_RSA_SHA256)?,
            now,
        )
    }

    fn with_root_key(key: KeyPair, now: i64) -> Result<Self, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name("SANDBOX CA (minh họa)", "Hocphi Sandbox", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_from(&mut params, now);
        let root = params.self_signed(&key)?;
        let root_der = root.der().to_vec();
        let issuer = Issuer::new(params, key);
        let subject = name(
            "CỤC THUẾ (SANDBOX)",
            "CỤC THUẾ (SANDBOX)",
            Some("0100231226"),
        );
        let tax_authority = certify(&issuer, subject, &root_der, now)?;
        Ok(Self {
            root_pem: root.pem(),
            root_der,
            issuer,
            tax_authority,
            now,
        })
    }

    /// Private key of the authority, PKCS#8 PEM.
    pub fn root_key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A signing key and certificate for a school: subject with its name and `UID=MST:<tax code>`,
    /// for signatures and non-repudiation, valid three years.
    ///
    /// # Errors
    /// When the key or the certificate cannot be made.
    pub fn issue(&self, school: &str, tax_code: &str) -> Result<Identity, PkiError> {
        certify(
            &self.issuer,
            name(school, school, Some(tax_code)),
            &self.root_der,
            self.now,
        )
    }

    /// As [`issue`](Self::issue), with a validity that may have passed (unix seconds).
    ///
    /// # Errors
    /// When the key or the certificate cannot be made.
    pub fn issue_as_of(
        &self,
        school: &str,
        tax_code: &str,
        issued_at: i64,
    ) -> Result<Identity, PkiError> {
        certify(
            &self.issuer,
            name(school, school, Some(tax_code)),
            &self.root_der,
            issued_at,
        )
    }

    /// A certificate that is good for encryption and not for signatures.
    ///
    /// # Errors
    /// When the key or the certificate cannot be made.
    pub fn issue_for_encryption(&self, school: &str, tax_code: &str) -> Result<Identity, PkiError> {
        certify_for(
            &self.issuer,
            name(school, school, Some(tax_code)),
            &self.root_der,
            self.now,
            vec![KeyUsagePurpose::KeyEncipherment],
        )
    }

    /// The tax authority's own key and certificate.
    pub fn tax_authority(&self) -> &Identity {
        &self.tax_authority
    }

    /// True when this authority signed the certificate.
    pub(crate) fn issued(&self, certificate: &CertificateView<'_>) -> bool {
        CertificateView::read(&self.root_der).is_some_and(|root| {
            verify(
                root.public_key,
                certificate.signed_part,
                certificate.signature,
            )
        })
    }
}

/// RSA PKCS#1 v1.5 with SHA-256, keys of at least 2048 bits.
pub(crate) fn verify(public_key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key)
        .verify(bytes, signature)
        .is_ok()
}

fn certify(
    issuer: &Issuer<'static, KeyPair>,
    subject: DistinguishedName,
    issuer_der: &[u8],
    now: i64,
) -> Result<Identity, PkiError> {
    let usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
    ];
    certify_for(issuer, subject, issuer_der, now, usages)
}

fn certify_for(
    issuer: &Issuer<'static, KeyPair>,
    subject: DistinguishedName,
    issuer_der: &[u8],
    now: i64,
    usages: Vec<KeyUsagePurpose>,
) -> Result<Identity, PkiError> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = usages;
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial(&key));
    valid_from(&mut params, now);
    let certificate = params.signed_by(&key, issuer)?;
    Identity::new(&key, &certificate, issuer_der)
}

/// Sixteen bytes of the new key's digest: unique, positive, and like real serials in shape.
fn serial(key: &KeyPair) -> SerialNumber {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key_raw());
    let mut bytes = digest.as_ref()[..16].to_vec();
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from(bytes)
}

fn valid_from(params: &mut CertificateParams, now: i64) {
    let at = |unix| OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = at(now - DAY_SECONDS);
    params.not_after = at(now + VALID_DAYS * DAY_SECONDS);
}

fn name(common: &str, organisation: &str, tax_code: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "VN");
    name.push(DnType::StateOrProvinceName, "Thái Nguyên");
    name.push(
        DnType::OrganizationName,
        within(organisation, COMMON_NAME_BYTES_MAX),
    );
    name.push(DnType::CommonName, within(common, COMMON_NAME_BYTES_MAX));
    if let Some(tax_code) = tax_code {
        name.push(
            DnType::CustomDnType(UID.to_vec()),
            format!("MST:{tax_code}"),
        );
    }
    name
}

fn within(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_certificate_names_its_tax_code_and_its_issuer() {
        let now = 1_795_538_645;
        let pki = Pki::new(now).unwrap();
        let school = pki
            .issue("Trường Tiểu học Hoa Sen (minh họa)", "4600999006")
            .unwrap();
        let view = CertificateView::read(school.certificate_der()).unwrap();
        assert_eq!(view.tax_code().as_deref(), Some("4600999006"));
        assert!(view.is_valid_at(now) && !view.is_valid_at(now + 4 * 365 * DAY_SECONDS));
        assert!(pki.issued(&view));
        assert!(!Pki::new(now).unwrap().issued(&view));
        let again = Pki::from_root_key(&pki.root_key_pem(), now + 1000).unwrap();
        assert!(again.issued(&view));
        let signature = school.sign(b"bytes").unwrap();
        assert!(verify(view.public_key, b"bytes", &signature));
        assert!(!verify(view.public_key, b"bytez", &signature));
        let file = school.pkcs12("mật khẩu").unwrap();
        let policy = p12_keystore::Pkcs12ImportPolicy::Strict;
        let opened = KeyStore::from_pkcs12(&file, "mật khẩu", policy).unwrap();
        let (_, chain) = opened.private_key_chain().unwrap();
        assert_eq!(chain.key().as_der(), school.key_der);
        assert_eq!(chain.certs()[0].as_der(), school.certificate_der());
    }
}
