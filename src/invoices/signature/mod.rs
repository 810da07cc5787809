//! The seller's signature over an invoice (einvoice §3.3): XMLDSig, RSA-SHA256, inclusive C14N, two
//! references (the data and the signing time), written canonical so that nothing is parsed to sign.

mod certificate;
mod key;
mod pem;
mod raw;
mod remote;
mod sign;
mod token;

pub use certificate::{Certificate, CertificateError, CertificateProblem, common_name};
pub use key::{Holder, KeyError, SigningKey};
pub use pem::{PemBlock, pem_blocks, to_pem};
pub use raw::RawError;
pub use remote::RemoteKey;
pub use sign::{Prepared, SignError};
pub use token::TokenPlace;

/// Names of algorithms and namespaces of XML signatures.
pub mod names {
    pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
    pub const C14N: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    pub const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
}
