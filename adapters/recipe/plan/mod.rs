//! A recipe after compilation: every name resolved, nothing left to be wrong at run time.

mod reading;
mod request;
mod signature;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::formula::Formulas;
use super::memo::Patterns;
use super::template::Template;
use super::values::TimeFormat;
use crate::contract::{Flow, Outcome, Profile, Secret};

pub(super) use self::reading::{
    AmountPlan, CODES_MAX, CurrencyPlan, DirectionPlan, MerchantPlan, OrderRefPlan, ReadingPlan,
    Row, StatusPlan, Table, TestPlan, TextPlan,
};
pub(super) use self::request::{
    Member, MemberValue, ReplyPlan, RequestBody, RequestField, RequestPlan, RequestValue, SignedBy,
};
pub(super) use self::signature::{
    Alternative, Empties, Encoding, Entry, FieldSet, FieldsPayload, Part, Payload, Shape,
    SignaturePlan, ValueForm,
};

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) profile: Profile,
    /// Values that stand in for credentials a connection does not give.
    pub(super) defaults: BTreeMap<String, Secret>,
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
    /// Name and password in fields of the message.
    Pair {
        username: String,
        password: String,
        fields: [Ref; 2],
    },
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
