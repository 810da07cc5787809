//! Makes a signature over what was written canonical: [`Prepared`] is what a key has to sign, whoever
//! holds the key.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificate::CertificateProblem;
use super::key::SigningKey;
use super::names::{C14N, DSIG, RSA_SHA256, SHA256 as SHA256_NAME};
use super::raw::RawError;
use crate::clock::Instant;
use crate::invoices::xml::{Unsigned, Writer};

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error(transparent)]
    Certificate(#[from] CertificateProblem),
    #[error(transparent)]
    Key(#[from] RawError),
}

/// A document with everything of its signature but the value.
#[derive(Debug)]
pub struct Prepared {
    writer: Writer,
    /// Canonical `SignedInfo`: what the key signs, as RSA PKCS#1 v1.5 over its SHA-256.
    signed_info: Vec<u8>,
    /// `Object` from after its name on.
    object: String,
    id: String,
    root: &'static str,
    slot: &'static str,
}

/// `SignedInfo` and `Object` inherit the namespace of `Signature` in the file, but their canonical
/// forms carry it; the two differ only in the start tag, by this.
const CANONICAL_HEAD: &str = "<SignedInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"";

impl Prepared {
    /// Digests the data and the signing time.
    pub fn new(unsigned: Unsigned, at: Instant) -> Self {
        let (id, slot) = (unsigned.id, unsigned.slot);
        let object = format!(
            " Id=\"ST-{id}\"><SignatureProperties><SignatureProperty Id=\"SP-{id}\" \
             Target=\"#{slot}-{id}\"><SigningTime>{}</SigningTime></SignatureProperty>\
             </SignatureProperties></Object>",
            at.local_iso()
        );
        let data_digest = sha256(&unsigned.writer.bytes()[unsigned.data]);
        let time_digest = sha256(format!("<Object xmlns=\"{DSIG}\"{object}").as_bytes());
        let signed_info = format!(
            "{CANONICAL_HEAD}\
             ><CanonicalizationMethod Algorithm=\"{C14N}\"></CanonicalizationMethod>\
             <SignatureMethod Algorithm=\"{RSA_SHA256}\"></SignatureMethod>\
             <Reference URI=\"#{id}\"><DigestMethod Algorithm=\"{SHA256_NAME}\"></DigestMethod>\
             <DigestValue>{data_digest}</DigestValue></Reference>\
             <Reference URI=\"#ST-{id}\"><DigestMethod Algorithm=\"{SHA256_NAME}\"></DigestMethod>\
             <DigestValue>{time_digest}</DigestValue></Reference></SignedInfo>"
        );
        Self {
            writer: unsigned.writer,
            signed_info: signed_info.into_bytes(),
            object,
            id,
            root: unsigned.root,
            slot,
        }
    }

    /// The bytes to sign.
    pub fn to_sign(&self) -> &[u8] {
        &self.signed_info
    }

    /// Completes the file.
    pub(super) fn finish(self, signature: &[u8], key_info: &[u8]) -> Vec<u8> {
        let Self {
            mut writer,
            signed_info,
            object,
            id,
            root,
            slot,
        } = self;
        for part in [
            b"<DSCKS><".as_slice(),
            slot.as_bytes(),
            b"><Signature xmlns=\"",
            DSIG.as_bytes(),
            b"\" Id=\"",
            slot.as_bytes(),
            b"-",
            id.as_bytes(),
            b"\"><SignedInfo",
            &signed_info[CANONICAL_HEAD.len()..],
            b"<SignatureValue>",
            STANDARD.encode(signature).as_bytes(),
            b"</SignatureValue>",
            key_info,
            b"<Object",
            object.as_bytes(),
            b"</Signature></",
            slot.as_bytes(),
            b"></DSCKS></",
            root.as_bytes(),
            b">",
        ] {
            writer.raw(part);
        }
        writer.into_bytes()
    }
}

impl SigningKey {
    /// Signs as `signer` (a tax code) at a moment, and completes the file. A key in this process
    /// signs at once; one elsewhere is asked, which may take long.
    ///
    /// # Errors
    /// [`SignError`] when the certificate does not fit, or the key refuses.
    pub fn sign(
        &self,
        unsigned: Unsigned,
        signer: &str,
        at: Instant,
    ) -> Result<Vec<u8>, SignError> {
        self.certificate().check(signer, at)?;
        let prepared = Prepared::new(unsigned, at);
        let signature = self.raw.sign(prepared.to_sign())?;
        Ok(prepared.finish(&signature, &self.key_info))
    }

    /// Completes a document with a signature that a key elsewhere made over
    /// [`Prepared::to_sign`], once it was seen to hold.
    ///
    /// # Errors
    /// [`RawError::Wrong`] when it is not a signature of this key over these bytes.
    pub fn complete(&self, prepared: Prepared, signature: &[u8]) -> Result<Vec<u8>, SignError> {
        if !self.certificate().has_signed(prepared.to_sign(), signature) {
            return Err(RawError::Wrong.into());
        }
        Ok(prepared.finish(signature, &self.key_info))
    }
}

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, bytes))
}
