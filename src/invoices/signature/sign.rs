//! Makes a signature over written invoices.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificate::CertificateProblem;
use super::key::SigningKey;
use super::names::{C14N, DSIG, RSA_SHA256, SHA256 as SHA256_NAME};
use crate::clock::Instant;
use crate::invoices::xml::Unsigned;

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error(transparent)]
    Certificate(#[from] CertificateProblem),
    /// The key refused; nothing that repeating would mend.
    #[error("the key did not sign")]
    Key,
}

impl SigningKey {
    /// Signs an invoice as `seller` (its MST) at a moment, and completes the file.
    ///
    /// `SignedInfo` and `Object` inherit the namespace of `Signature` in the file, but their
    /// canonical forms carry it; the two differ only in the start tag.
    ///
    /// # Errors
    /// [`SignError`] when the certificate does not fit, or the key refuses.
    pub fn sign(
        &self,
        unsigned: Unsigned,
        seller: &str,
        at: Instant,
    ) -> Result<Vec<u8>, SignError> {
        self.certificate().check(seller, at)?;
        let id = &unsigned.id;
        let object_rest = format!(
            " Id=\"ST-{id}\"><SignatureProperties><SignatureProperty Id=\"SP-{id}\" \
             Target=\"#NBan-{id}\"><SigningTime>{}</SigningTime></SignatureProperty>\
             </SignatureProperties></Object>",
            at.local_iso()
        );
        let data_digest = sha256(unsigned.data());
        let time_digest = sha256(format!("<Object xmlns=\"{DSIG}\"{object_rest}").as_bytes());
        let signed_info_rest = format!(
            "><CanonicalizationMethod Algorithm=\"{C14N}\"></CanonicalizationMethod>\
             <SignatureMethod Algorithm=\"{RSA_SHA256}\"></SignatureMethod>\
             <Reference URI=\"#{id}\"><DigestMethod Algorithm=\"{SHA256_NAME}\"></DigestMethod>\
             <DigestValue>{data_digest}</DigestValue></Reference>\
             <Reference URI=\"#ST-{id}\"><DigestMethod Algorithm=\"{SHA256_NAME}\"></DigestMethod>\
             <DigestValue>{time_digest}</DigestValue></Reference></SignedInfo>"
        );
        let to_sign = format!("<SignedInfo xmlns=\"{DSIG}\"{signed_info_rest}");
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                to_sign.as_bytes(),
                &mut signature,
            )
            .map_err(|_| SignError::Key)?;

        let head = format!("<DSCKS><NBan><Signature xmlns=\"{DSIG}\" Id=\"NBan-{id}\"><SignedInfo");
        let mut writer = unsigned.writer;
        writer.raw(head);
        writer.raw(signed_info_rest);
        writer.raw("<SignatureValue>");
        writer.raw(STANDARD.encode(&signature));
        writer.raw("</SignatureValue>");
        writer.raw(&self.key_info);
        writer.raw("<Object");
        writer.raw(object_rest);
        writer.raw("</Signature></NBan></DSCKS></HDon>");
        Ok(writer.into_bytes())
    }
}

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, bytes))
}
