//! A recipe after compilation: every name resolved, nothing left to be wrong at run time.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::digest::{Algorithm, KeyForm, Output};
use super::formula::Formulas;
use super::memo::Patterns;
use super::template::Template;
use super::values::TimeFormat;
use crate::contract::{Flow, Outcome, Profile, Reception, Status};

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) profile: Profile,
    /// Values that stand in for credentials a connection does not give.
    pub(super) defaults: BTreeMap<String, String>,
    /// Credentials that must never be shown.
    pub(super) secrets: Vec<String>,
    pub(super) messages: BTreeMap<Flow, MessagePlan>,
    pub(super) requests: BTreeMap<Flow, RequestPlan>,
    /// By the flow of the request.
    pub(super) replies: BTreeMap<Flow, ReplyPlan>,
    pub(super) answers: Answers,
    pub(super) inquiry: Option<InquiryPlan>,
    pub(super) token: Option<TokenPlan>,
    pub(super) patterns: Patterns,
    pub(super) formulas: Formulas,
}

/// Where the fields of a message stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Only headers speak.
    None,
    Query,
    Form,
    Json,
    /// Chosen by the content type; JSON unless it says form.
    JsonOrForm,
    /// The body if there is one.
    QueryOrForm,
}

/// Among which names a repetition is refused.
#[derive(Debug)]
pub(super) enum Duplicates {
    All,
    Prefixes(Vec<String>),
}

/// How an object inside a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Object,
    /// A text that is JSON.
    JsonText,
    /// Base64 of JSON.
    Base64Json,
    /// A list of objects: one notice each.
    List,
}

#[derive(Debug)]
pub(super) struct LevelPlan {
    /// `None` for the message itself.
    pub(super) parent: Option<usize>,
    pub(super) name: String,
    pub(super) form: Form,
}

/// A field at its level, or a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ref {
    pub(super) level: usize,
    pub(super) name: String,
    pub(super) header: Option<String>,
}

/// A message that comes in.
#[derive(Debug)]
pub(super) struct MessagePlan {
    pub(super) route: RoutePlan,
    pub(super) source: Source,
    pub(super) duplicates: Duplicates,
    pub(super) levels: Vec<LevelPlan>,
    /// Levels that are taken apart before the proof.
    pub(super) proof_levels: usize,
    /// Never empty.
    pub(super) proofs: Vec<ProofPlan>,
    pub(super) reading: ReadingPlan,
    /// The level that is a list of notices.
    pub(super) each: Option<usize>,
    /// Answers that differ from those of the provider in general.
    pub(super) answers: Answers,
}

/// What tells a message from others of the same connection; empty when nothing does.
#[derive(Debug, Default)]
pub(super) struct RoutePlan {
    pub(super) path_ends: Vec<String>,
    pub(super) header: Option<String>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a handful a provider, made once at load"
)]
pub(super) enum ProofPlan {
    Signature {
        signature: SignaturePlan,
        carrier: Carrier,
        fresh: Option<FreshPlan>,
    },
    /// A static key in a header.
    Static {
        credential: String,
        header: String,
        /// Word before the key, such as `Apikey`.
        scheme: Option<String>,
    },
    /// HTTP Basic (RFC 7617).
    Basic { username: String, password: String },
    /// A bearer token of ours, or a static one.
    Bearer {
        username: String,
        password: String,
        fixed: Option<String>,
    },
    /// The reply of an address we called over TLS.
    Channel,
}

/// Where a message carries its signature.
#[derive(Clone, Debug)]
pub(super) enum Carrier {
    Field(Ref),
    Header(String),
    /// A part of a header that is a list of `name=value`.
    HeaderPart {
        header: String,
        part: String,
    },
}

#[derive(Debug)]
pub(super) struct FreshPlan {
    pub(super) from: Ref,
    pub(super) format: TimeFormat,
    pub(super) window_seconds: i64,
}

#[derive(Clone, Debug)]
pub(super) struct SignaturePlan {
    pub(super) algorithm: Algorithm,
    /// Name of the credential that holds the key; empty for plain digests.
    pub(super) key: String,
    pub(super) key_form: KeyForm,
    pub(super) output: Output,
    /// Text before the digest, such as `sha256=`.
    pub(super) prefix: String,
    pub(super) payload: Payload,
}

/// What is signed.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Fields(FieldsPayload),
    /// Pieces one after the other.
    Parts(Vec<Part>),
    /// A formula in the credentials says text, digest and output.
    Formula {
        credential: String,
        /// Of the formulas of the credential, from 0.
        index: usize,
        /// Level whose fields it names.
        level: usize,
    },
}

#[derive(Clone, Debug)]
pub(super) struct FieldsPayload {
    pub(super) set: FieldSet,
    pub(super) shape: Shape,
    pub(super) separator: String,
    pub(super) values: ValueForm,
    /// Tried in turn; never empty.
    pub(super) alternatives: Vec<Alternative>,
}

impl FieldsPayload {
    /// The way the provider documents, for messages of ours and for explanations: the first one
    /// that does not need received bytes.
    pub(super) fn documented(&self) -> Alternative {
        self.alternatives
            .iter()
            .find(|alternative| alternative.encoding != Encoding::AsReceived)
            .or(self.alternatives.first())
            .copied()
            .unwrap_or(Alternative {
                encoding: Encoding::None,
                empties: Empties::Keep,
            })
    }
}

#[derive(Clone, Debug)]
pub(super) enum FieldSet {
    /// All names of the message with one of the prefixes but some, in byte order of the names.
    Prefixes {
        prefixes: Vec<String>,
        except: Vec<String>,
    },
    /// All members of an object but some, in byte order of the names.
    Members { level: usize, except: Vec<String> },
    /// These names in this order; an absent one counts as empty.
    List(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) enum Entry {
    Field(Ref),
    Credential { name: String, credential: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Shape {
    #[serde(rename = "name=value")]
    NameValue,
    #[serde(rename = "value")]
    Value,
}

/// How a value is written before it is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ValueForm {
    /// Texts as they are, numbers with their digits, null as nothing.
    #[default]
    Text,
    /// The words null and undefined as nothing, lists as JSON with sorted elements, numbers as
    /// JavaScript prints them.
    Payos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alternative {
    pub(super) encoding: Encoding,
    pub(super) empties: Empties,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    /// The raw pieces, only reordered.
    AsReceived,
    /// Space becomes `+`.
    Form,
    /// Space becomes `%20`.
    Percent,
    /// Decoded text.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Empties {
    Keep,
    Drop,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Header(String),
    HeaderItem {
        header: String,
        part: String,
    },
    Text(String),
    Credential(String),
    Body,
    /// The body as JSON with sorted members.
    CanonicalBody,
    /// The text of a field; spaces may be `+` that a form decoder took away.
    Field {
        field: Ref,
        base64: bool,
    },
    Method,
    /// An address of ours.
    Address(Template),
    Fields(FieldsPayload),
}

/// How fields become a notice, an inquiry or an observation.
#[derive(Debug, Default)]
pub(super) struct ReadingPlan {
    pub(super) transaction_id: Option<TextPlan>,
    pub(super) order_ref: Option<OrderRefPlan>,
    pub(super) bill_ref: Option<TextPlan>,
    pub(super) amount: Option<AmountPlan>,
    pub(super) currency: CurrencyPlan,
    pub(super) occurred_at: Option<(Ref, TimeFormat)>,
    /// Names tried in turn for the first text that is not empty.
    pub(super) memo: Vec<Ref>,
    pub(super) account: Vec<Ref>,
    pub(super) bank_reference: Vec<Ref>,
    pub(super) merchant: Option<MerchantPlan>,
    pub(super) direction: Option<DirectionPlan>,
    pub(super) test: Option<TestPlan>,
    pub(super) status: Option<StatusPlan>,
}

#[derive(Debug)]
pub(super) struct TextPlan {
    pub(super) from: Vec<Ref>,
    pub(super) required: bool,
    /// Values that mean "none".
    pub(super) none_when: Vec<String>,
}

#[derive(Debug)]
pub(super) struct OrderRefPlan {
    pub(super) from: Option<TextPlan>,
    /// Where it is found by a pattern of the credentials when the field says nothing; without a
    /// pattern nothing is guessed.
    pub(super) search: Option<(Vec<Ref>, String)>,
}

#[derive(Debug)]
pub(super) struct AmountPlan {
    pub(super) from: Vec<Ref>,
    /// Units of the provider in one đồng.
    pub(super) scale: i64,
    pub(super) zero_fraction: bool,
    /// A minus sign is money going out.
    pub(super) negative_is_outgoing: bool,
}

#[derive(Debug)]
pub(super) enum CurrencyPlan {
    Constant(String),
    Field {
        from: Vec<Ref>,
        /// Where the provider may leave it out.
        or: Option<String>,
    },
}

impl Default for CurrencyPlan {
    fn default() -> Self {
        Self::Constant("VND".to_owned())
    }
}

/// One of the fields must equal the credential, when that is configured.
#[derive(Debug)]
pub(super) struct MerchantPlan {
    pub(super) fields: Vec<Ref>,
    pub(super) credential: String,
}

#[derive(Debug)]
pub(super) struct DirectionPlan {
    pub(super) from: Vec<Ref>,
    pub(super) incoming: Vec<String>,
    pub(super) outgoing: Vec<String>,
    /// Where nothing is said the sign of the amount decides.
    pub(super) optional: bool,
}

/// A message that tries the address.
#[derive(Debug)]
pub(super) struct TestPlan {
    pub(super) from: Vec<Ref>,
    pub(super) is: Vec<String>,
    /// Only while no order fits.
    pub(super) if_unknown: bool,
}

#[derive(Debug)]
pub(super) enum StatusPlan {
    Always(Status),
    Table(Table<Status>),
}

/// The first row that fits; the last row fits everything.
#[derive(Debug)]
pub(super) struct Table<T> {
    pub(super) codes: Vec<Vec<Ref>>,
    /// A code that is not there counts as an empty one.
    pub(super) lenient: bool,
    pub(super) rows: Vec<Row<T>>,
}

#[derive(Debug)]
pub(super) struct Row<T> {
    /// One a code: the texts that fit; empty fits everything.
    pub(super) when: Vec<Vec<String>>,
    pub(super) is: T,
}

/// A message of ours.
#[derive(Debug)]
pub(super) struct RequestPlan {
    pub(super) method: String,
    pub(super) address: Template,
    pub(super) carrier: RequestBody,
    pub(super) signature: Option<SignaturePlan>,
    /// What takes the signature.
    pub(super) signed_by: Option<SignedBy>,
    pub(super) headers: Vec<(String, Template)>,
    /// HTTP Basic from two credentials.
    pub(super) basic: Option<(String, String)>,
    pub(super) fields: Vec<(String, RequestField)>,
    /// Names of `fields` in the order a form carries them.
    pub(super) order: Vec<String>,
    pub(super) reading: ReadingPlan,
}

#[derive(Debug)]
pub(super) enum SignedBy {
    Field(String),
    Header { name: String, value: Template },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestBody {
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
pub(super) struct RequestField {
    pub(super) value: RequestValue,
    /// A JSON number rather than a text.
    pub(super) number: bool,
    /// Left out when there is nothing to say.
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) enum RequestValue {
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
pub(super) struct MemberValue {
    pub(super) member: Member,
    pub(super) scale: i64,
    pub(super) format: TimeFormat,
    pub(super) characters_max: usize,
    pub(super) plain: bool,
    pub(super) digits: bool,
}

/// What an errand can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Member {
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
}

/// A reply to a message of ours.
#[derive(Debug)]
pub(super) struct ReplyPlan {
    pub(super) source: Source,
    pub(super) levels: Vec<LevelPlan>,
    pub(super) proof_levels: usize,
    pub(super) proofs: Vec<ProofPlan>,
    pub(super) reading: ReadingPlan,
    /// The level that is a list of movements, and how one of them is read.
    pub(super) transfers: Option<(usize, ReadingPlan)>,
    pub(super) reception: Table<Reception>,
    pub(super) code: Vec<Ref>,
    pub(super) message: Vec<Ref>,
    pub(super) redirect: Vec<Ref>,
    pub(super) qr: Vec<Ref>,
    pub(super) provider_order: Vec<Ref>,
}

/// What is answered by outcome.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) by_outcome: BTreeMap<Outcome, AckPlan>,
    /// In place of the unusable, when the message names another merchant.
    pub(super) wrong_merchant: Option<AckPlan>,
}

#[derive(Debug)]
pub(super) struct AckPlan {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Template,
    /// Signs members of the body; its value takes the place of `{signature}`.
    pub(super) signature: Option<SignaturePlan>,
}

#[derive(Debug)]
pub(super) struct InquiryPlan {
    pub(super) customer: TextPlan,
    pub(super) service: Vec<Ref>,
    pub(super) request_id: Vec<Ref>,
    pub(super) found: AckPlan,
    /// One open bill in the answer.
    pub(super) bill: Template,
    pub(super) nothing: AckPlan,
}

#[derive(Debug)]
pub(super) struct TokenPlan {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) lifetime_seconds: i64,
    pub(super) answer: AckPlan,
}
