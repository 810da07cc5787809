//! Messages of ours, and the replies to them.

use serde::Deserialize;

use super::{LevelPlan, ProofPlan, ReadingPlan, Ref, SignaturePlan, Source, Table};
use crate::contract::Reception;
use crate::recipe::template::Template;
use crate::recipe::values::TimeFormat;

/// A message of ours.
#[derive(Debug)]
pub(in crate::recipe) struct RequestPlan {
    pub(in crate::recipe) method: String,
    pub(in crate::recipe) address: Template,
    pub(in crate::recipe) carrier: RequestBody,
    pub(in crate::recipe) signature: Option<SignaturePlan>,
    /// What takes the signature.
    pub(in crate::recipe) signed_by: Option<SignedBy>,
    pub(in crate::recipe) headers: Vec<(String, Template)>,
    /// HTTP Basic from two credentials.
    pub(in crate::recipe) basic: Option<(String, String)>,
    pub(in crate::recipe) fields: Vec<(String, RequestField)>,
    /// Names of `fields` in the order a form carries them.
    pub(in crate::recipe) order: Vec<String>,
    pub(in crate::recipe) reading: ReadingPlan,
}

#[derive(Debug)]
pub(in crate::recipe) enum SignedBy {
    Field(String),
    Header { name: String, value: Template },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum RequestBody {
    /// The browser is sent to the address with these parameters.
    Query,
    /// Parameters of an address that we call.
    Get,
    Json,
    Form,
    /// The browser posts a form.
    BrowserForm,
    /// The browser is sent to the address with the fields as base64 of JSON in this parameter.
    Base64Query,
}

#[derive(Debug)]
pub(in crate::recipe) struct RequestField {
    pub(in crate::recipe) value: RequestValue,
    /// A JSON number rather than a text.
    pub(in crate::recipe) number: bool,
    /// Left out when there is nothing to say.
    pub(in crate::recipe) optional: bool,
}

#[derive(Debug)]
pub(in crate::recipe) enum RequestValue {
    Text(String),
    Credential(String),
    Template(Template),
    Member(MemberValue),
    /// One text for the whole amount, one for a part.
    RefundKind {
        whole: String,
        part: String,
    },
}

#[derive(Debug)]
pub(in crate::recipe) struct MemberValue {
    pub(in crate::recipe) member: Member,
    pub(in crate::recipe) scale: i64,
    pub(in crate::recipe) format: TimeFormat,
    pub(in crate::recipe) characters_max: usize,
    pub(in crate::recipe) plain: bool,
    pub(in crate::recipe) digits: bool,
}

/// What an errand can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum Member {
    OrderRef,
    Amount,
    Description,
    CreatedAt,
    ExpiresAt,
    PayerIp,
    ReturnUrl,
    NoticeUrl,
    RequestId,
    At,
    TransactionId,
    ProviderOrder,
    RefundRef,
    RefundAmount,
    RefundReason,
    RefundBy,
    ProviderRefund,
    /// Nothing that happened before; left out while a number leads.
    ListFrom,
    /// Nothing that happened later.
    ListUntil,
    /// This number and those given out after it.
    ListAfter,
    /// Number of the page, from 1.
    ListPage,
    /// Rows of a page.
    ListSize,
}

impl Member {
    /// Whether it is said by a question for the list, and by nothing else.
    pub(in crate::recipe) const fn is_of_list(self) -> bool {
        matches!(
            self,
            Self::ListFrom | Self::ListUntil | Self::ListAfter | Self::ListPage | Self::ListSize
        )
    }
}

/// A reply to a message of ours.
#[derive(Debug)]
pub(in crate::recipe) struct ReplyPlan {
    pub(in crate::recipe) source: Source,
    pub(in crate::recipe) levels: Vec<LevelPlan>,
    pub(in crate::recipe) proof_levels: usize,
    pub(in crate::recipe) proofs: Vec<ProofPlan>,
    pub(in crate::recipe) reading: ReadingPlan,
    /// The level that is a list of movements, and how one of them is read.
    pub(in crate::recipe) transfers: Option<(usize, ReadingPlan)>,
    /// The same for the rows of the provider's list, read as notices are.
    pub(in crate::recipe) rows: Option<(usize, ReadingPlan)>,
    pub(in crate::recipe) reception: Table<Reception>,
    pub(in crate::recipe) code: Vec<Ref>,
    pub(in crate::recipe) message: Vec<Ref>,
    pub(in crate::recipe) redirect: Vec<Ref>,
    pub(in crate::recipe) qr: Vec<Ref>,
    pub(in crate::recipe) provider_order: Vec<Ref>,
}
