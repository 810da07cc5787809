//! The trait behind which every provider stands.

use serde::{Deserialize, Serialize};

use super::{
    Ack, Call, Checkout, Credentials, Fault, Inbound, Notice, Order, Outcome, Rejection,
    Settlement, Status, Verified, Vnd,
};

/// Which message of a provider is meant; the names are those of vector files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Server-to-server report of a payment.
    Ipn,
    /// The payer's browser coming back. Display only.
    Return,
    /// Report of a bank credit.
    Webhook,
    /// Our request to start a payment.
    Create,
    /// Our question about a payment.
    Query,
    /// Our request to send money back.
    Refund,
}

/// What a provider can do; the conformance suite picks its tests from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The payer is sent to the provider's page for one order.
    pub checkout: bool,
    /// The browser comes back with a signed result.
    pub returns: bool,
    /// Which message carries payments in.
    pub notice: Flow,
    /// How the amount relates to the order.
    pub settlement: Settlement,
}

impl Flow {
    /// The stable code, as in recipes, vector files and on the command line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ipn => "ipn",
            Self::Return => "return",
            Self::Webhook => "webhook",
            Self::Create => "create",
            Self::Query => "query",
            Self::Refund => "refund",
        }
    }

    /// The flow of a code; `None` for one this contract does not know.
    pub fn from_code(code: &str) -> Option<Self> {
        [
            Self::Ipn,
            Self::Return,
            Self::Webhook,
            Self::Create,
            Self::Query,
            Self::Refund,
        ]
        .into_iter()
        .find(|flow| flow.code() == code)
    }
}

/// What a message would have had to look like; for `adapters explain`, tests and support. Nothing
/// in it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The text the signature covers, of the message as received.
    pub canonical: Option<String>,
    /// The signature it should have carried (lower-case hex or base64, without prefix).
    pub signature: Option<String>,
    /// What the message says.
    pub claimed: Claimed,
}

/// The unproven normal form, each member as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    pub transaction_id: Option<String>,
    pub order_ref: Option<String>,
    pub amount: Option<Vnd>,
    pub currency: Option<String>,
    pub status: Option<Status>,
}

/// A payment provider. No method has a default: what is not supported says so.
pub trait Adapter: Send + Sync {
    /// Folder name, and the name in addresses and in the database.
    fn name(&self) -> &str;

    fn capability(&self) -> Capability;

    /// Checks authenticity, then form. One message may carry several notices.
    ///
    /// # Errors
    /// [`Rejection`] when the message is not the provider's or cannot be read.
    fn read_notice(
        &self,
        flow: Flow,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Vec<Verified<Notice>>, Rejection>;

    /// The same message taken apart without believing it.
    fn inspect(&self, flow: Flow, inbound: &Inbound, credentials: &Credentials) -> Inspection;

    /// Builds the request that starts a payment.
    ///
    /// # Errors
    /// [`Fault`] when the order or the credentials lack something the provider demands.
    fn checkout(&self, order: &Order, credentials: &Credentials) -> Result<Checkout, Fault>;

    /// Signs a request of ours from the provider's own field names. Empty fields are left out.
    ///
    /// # Errors
    /// [`Fault`] when the provider has no such request or a credential is missing.
    fn request(
        &self,
        flow: Flow,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Result<Call, Fault>;

    /// The provider's own words for an outcome. `order_ref` is echoed where the provider wants it.
    fn acknowledge(&self, outcome: Outcome, order_ref: Option<&str>) -> Ack;
}
