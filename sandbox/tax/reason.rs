//! Why a message or an invoice was refused. The catalogue of the decision is not public: numbers
//! below 3000 are those seen in public code, the others are the sandbox's own.

/// A code of at most four digits and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: &'static str,
    pub text: String,
}

impl Reason {
    pub(super) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

pub const FORMAT: &str = "1000";
pub const UNKNOWN_TYPE: &str = "1001";
pub const MESSAGE_TWICE: &str = "1002";
pub const WRONG_KIND: &str = "2005";
pub const COUNT: &str = "2010";
pub const SIGNATURE: &str = "2011";
pub const MISSING: &str = "3001";
pub const SELLER: &str = "3002";
pub const CERTIFICATE: &str = "3003";
pub const DATE: &str = "3004";
pub const NUMBER_USED: &str = "3005";
pub const ARITHMETIC: &str = "3006";
pub const SYMBOL: &str = "3007";
pub const RELATED: &str = "3008";
pub const LEVER: &str = "3099";
