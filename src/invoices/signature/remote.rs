//! A key in a provider's HSM, asked over HTTP in the form of the Cloud Signature Consortium
//! (`signatures/signHash`), which remote signing services of certification authorities follow. The
//! service sees digests, never invoices. Pure: whoever holds the outgoing client sends the call.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hocphi_adapters::contract::Call;
use serde::{Deserialize, Serialize};

use super::raw::RawError;

const SHA256_OID: &str = "2.16.840.1.101.3.4.2.1";
const RSA_SHA256_OID: &str = "1.2.840.113549.1.1.11";

/// Where the key is and what opens it. Stored sealed as a whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteKey {
    /// Base of the service, for example `https://ky.example.vn/csc/v1`.
    pub url: String,
    /// credentialID.
    pub credential: String,
    /// Bearer token of the account.
    pub token: String,
    /// SAD: authorises signatures with this credential.
    pub authorisation: String,
}

impl fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteKey({} at {}, ***)", self.credential, self.url)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'k> {
    #[serde(rename = "credentialID")]
    credential_id: &'k str,
    #[serde(rename = "SAD")]
    authorisation: &'k str,
    hash: Vec<String>,
    hash_algo: &'static str,
    sign_algo: &'static str,
}

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<String>,
}

impl RemoteKey {
    /// Asks for signatures over messages, in one call.
    pub fn call<'m>(&self, messages: impl IntoIterator<Item = &'m [u8]>) -> Call {
        let request = Request {
            credential_id: &self.credential,
            authorisation: &self.authorisation,
            hash: messages
                .into_iter()
                .map(|message| STANDARD.encode(digest(&SHA256, message)))
                .collect(),
            hash_algo: SHA256_OID,
            sign_algo: RSA_SHA256_OID,
        };
        Call {
            method: "POST".to_owned(),
            url: format!("{}/signatures/signHash", self.url.trim_end_matches('/')),
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("authorization".to_owned(), format!("Bearer {}", self.token)),
            ],
            // Plain strings always serialise.
            body: serde_json::to_vec(&request).unwrap_or_default(),
        }
    }

    /// The signatures, in the order of the messages.
    ///
    /// # Errors
    /// [`RawError::Service`] when the service refused or its answer does not fit the question.
    pub fn read(status: u16, body: &[u8], wanted: usize) -> Result<Vec<Vec<u8>>, RawError> {
        if status != 200 {
            return Err(RawError::Service(format!("HTTP status {status}")));
        }
        let odd = || RawError::Service("the answer is not a list of signatures".to_owned());
        let answer: Signatures = serde_json::from_slice(body).map_err(|_| odd())?;
        let signatures = answer
            .signatures
            .iter()
            .map(|text| STANDARD.decode(text).map_err(|_| odd()))
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() != wanted {
            return Err(RawError::Service(format!(
                "{} signatures for {wanted} digests",
                signatures.len()
            )));
        }
        Ok(signatures)
    }
}
