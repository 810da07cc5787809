//! Who holds a private key: this process, a token beside it (PKCS#11), or a provider's HSM.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;

use super::remote::RemoteKey;
use super::token::TokenKey;

/// Why there is no signature value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    #[error("the key did not sign")]
    Refused,
    /// The token is out, locked, or its module failed.
    #[error("the token did not sign: {0}")]
    Token(String),
    #[error("the signing service did not sign: {0}")]
    Service(String),
    #[error("the key is elsewhere and must be asked first")]
    Elsewhere,
    #[error("a signature came back that is not of this key over these bytes")]
    Wrong,
}

pub(super) enum Raw {
    Here(Box<KeyPair>),
    Token(TokenKey),
    Remote(RemoteKey),
}

impl Raw {
    /// RSA PKCS#1 v1.5 with SHA-256 over the message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RawError> {
        match self {
            Self::Here(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(|_| RawError::Refused)?;
                Ok(signature)
            }
            Self::Token(token) => token.sign(message),
            Self::Remote(_) => Err(RawError::Elsewhere),
        }
    }
}
