//! The trait behind which every provider stands.

use super::{
    Ack, Call, Checkout, Credentials, Errand, Fault, Flow, Inbound, Inquiry, InquiryAnswer,
    ListQuestion, Listing, Notices, Observation, Order, Outcome, Profile, Received, Rejection,
    Reply, Status, Verified, Vnd,
};

/// What a message would have had to look like; for `adapters explain`, tests and support. Nothing
/// in it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The text the signature covers, of the message as received.
    pub canonical: Option<Canonical>,
    /// The signature it should have carried, without prefix.
    pub signature: Option<String>,
    /// The signature it carries, without prefix.
    pub given: Option<String>,
    /// How the signature is made, such as `hmac-sha512`.
    pub digest: Option<&'static str>,
    /// What the message says.
    pub claimed: Claimed,
    /// What each item of a batch says; empty for a message of one.
    pub items: Vec<Claimed>,
    /// What the signer did otherwise, when the signature it carries tells.
    pub mistake: Option<Mistake>,
}

/// A known way to sign wrongly that explains the signature a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub kind: MistakeKind,
    /// The text that was signed instead.
    pub signed: Canonical,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MistakeKind {
    /// Values were encoded in another way.
    Encoding,
    /// Empty values were dropped, or kept.
    Empties,
    /// Another credential of the connection was the key.
    OtherKey(String),
    /// The key was taken as text instead of hexadecimal, or the other way round.
    KeyForm,
    /// Another digest, such as a plain one over secret and text.
    Digest(&'static str),
    /// One field was left out.
    MissingField(String),
}

/// A signed text in which secrets are known as such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canonical(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// The credential of this name.
    Secret(String),
}

impl Canonical {
    /// Secrets by their names, as `<hash_secret>`.
    pub fn masked(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Secret(name) => format!("<{name}>"),
            })
            .collect()
    }

    /// The bytes that were digested. Never to be shown.
    pub fn exposed(&self, credentials: &Credentials) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Secret(name) => credentials.get(name).unwrap_or_default(),
            })
            .collect()
    }
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

/// A bearer token of ours for a provider that proved itself.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    pub expires_at_unix: i64,
    /// The answer that carries the token.
    pub ack: Ack,
}

/// A payment provider. No method has a default: what is not supported says so.
pub trait Adapter: Send + Sync {
    /// Folder name, and the name in addresses and in the database.
    fn name(&self) -> &str;

    fn profile(&self) -> &Profile;

    /// Which message an inbound call is, by path and form: some providers use several on one
    /// connection. The capability's notice when nothing tells otherwise. Proves nothing.
    fn route(&self, inbound: &Inbound) -> Flow;

    /// Checks authenticity, then form. One message may carry several notices.
    ///
    /// # Errors
    /// [`Rejection`] when the message is not the provider's or cannot be read.
    fn read_notice(
        &self,
        flow: Flow,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Notices, Rejection>;

    /// The same message taken apart without believing it; also a request of ours, or a reply in the
    /// body of `inbound`.
    fn inspect(&self, flow: Flow, inbound: &Inbound, credentials: &Credentials) -> Inspection;

    /// A request of ours taken apart, from its unsigned fields.
    fn inspect_request(
        &self,
        flow: Flow,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Inspection;

    /// The provider's own words for an outcome, signed where it wants that.
    fn acknowledge(&self, outcome: Outcome, received: &Received<'_>) -> Ack;

    /// Gives a bearer token to a provider that proves itself. `nonce` is fresh chance.
    ///
    /// # Errors
    /// [`Rejection`] when it does not, or when the provider fetches no tokens.
    fn issue_token(
        &self,
        inbound: &Inbound,
        credentials: &Credentials,
        nonce: [u8; 16],
    ) -> Result<IssuedToken, Rejection>;

    /// Reads a bank's question for open bills.
    ///
    /// # Errors
    /// [`Rejection`] when it is not the bank's or cannot be read.
    fn read_inquiry(
        &self,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Verified<Inquiry>, Rejection>;

    /// The answer to a bank's question, signed where it wants that.
    fn answer_inquiry(&self, answer: InquiryAnswer<'_>, received: &Received<'_>) -> Ack;

    /// Starts a payment.
    ///
    /// # Errors
    /// [`Fault`] when the order or the credentials lack something the provider demands.
    fn checkout(&self, errand: &Errand<'_>, credentials: &Credentials) -> Result<Checkout, Fault>;

    /// Builds any other request: [`Flow::Query`], [`Flow::Refund`], [`Flow::QueryRefund`],
    /// [`Flow::Confirm`], [`Flow::Cancel`].
    ///
    /// # Errors
    /// [`Fault`] when the provider has no such request or something is missing.
    fn call(
        &self,
        flow: Flow,
        errand: &Errand<'_>,
        credentials: &Credentials,
    ) -> Result<Call, Fault>;

    /// Reads the reply to a request, `flow` being the request's.
    ///
    /// # Errors
    /// [`Rejection`] when the reply is not the provider's or cannot be read: what happened is then
    /// unknown.
    fn read_reply(
        &self,
        flow: Flow,
        reply: &Reply,
        credentials: &Credentials,
    ) -> Result<Verified<Observation>, Rejection>;

    /// Asks for a part of the provider's list of movements.
    ///
    /// # Errors
    /// [`Fault`] when the provider has no list or a credential is missing.
    fn list(&self, question: &ListQuestion<'_>, credentials: &Credentials) -> Result<Call, Fault>;

    /// Reads the reply to [`list`](Self::list).
    ///
    /// # Errors
    /// [`Rejection`] when the reply is not the provider's or cannot be read.
    fn read_list(&self, reply: &Reply, credentials: &Credentials) -> Result<Listing, Rejection>;

    /// Signs a request of ours from the provider's own field names, in their order; for vectors and
    /// for requests no order stands behind.
    ///
    /// # Errors
    /// [`Fault`] when the provider has no such request or a credential is missing.
    fn request(
        &self,
        flow: Flow,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Result<Call, Fault>;
}

/// An errand that only starts a payment.
impl<'a> Errand<'a> {
    pub const fn starting(order: &'a Order, request_id: &'a str) -> Self {
        Self {
            order,
            request_id,
            at_unix: order.created_at_unix,
            transaction_id: None,
            provider_order: None,
            refund: None,
        }
    }
}
