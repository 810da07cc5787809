//! A recipe after compilation: every name resolved, nothing left to be wrong at run time.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::digest::{Algorithm, KeyForm, Output};
use super::memo::Patterns;
use super::values::TimeFormat;
use crate::contract::{Flow, Outcome, Profile, Status};

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) profile: Profile,
    pub(super) messages: BTreeMap<Flow, MessagePlan>,
    pub(super) requests: BTreeMap<Flow, RequestPlan>,
    pub(super) acknowledgements: BTreeMap<Outcome, AckPlan>,
    pub(super) patterns: Patterns,
}

/// Where the fields of a message stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Query,
    Form,
    Json,
    /// Chosen by the content type; JSON unless it says form.
    JsonOrForm,
}

/// Among which names a repetition is refused.
#[derive(Debug)]
pub(super) enum Duplicates {
    All,
    Prefixes(Vec<String>),
}

/// A message that comes in.
#[derive(Debug)]
pub(super) struct MessagePlan {
    pub(super) source: Source,
    pub(super) duplicates: Duplicates,
    /// Never empty.
    pub(super) proofs: Vec<ProofPlan>,
    pub(super) reading: ReadingPlan,
}

#[derive(Debug)]
pub(super) enum ProofPlan {
    Signature {
        signature: Arc<SignaturePlan>,
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
}

/// Where a message carries its signature.
#[derive(Debug)]
pub(super) enum Carrier {
    Field(String),
    Header(String),
}

#[derive(Debug)]
pub(super) struct FreshPlan {
    pub(super) header: String,
    pub(super) format: TimeFormat,
    pub(super) window_seconds: i64,
}

#[derive(Debug)]
pub(super) struct SignaturePlan {
    pub(super) algorithm: Algorithm,
    /// Name of the credential that holds the key.
    pub(super) key: String,
    pub(super) key_form: KeyForm,
    pub(super) output: Output,
    /// Text before the digest, such as `sha256=`.
    pub(super) prefix: String,
    pub(super) payload: Payload,
}

/// What is signed.
#[derive(Debug)]
pub(super) enum Payload {
    Fields(FieldsPayload),
    /// Pieces of the message as received, one after the other.
    Parts(Vec<Part>),
}

#[derive(Debug)]
pub(super) struct FieldsPayload {
    pub(super) set: FieldSet,
    pub(super) shape: Shape,
    pub(super) separator: String,
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

#[derive(Debug)]
pub(super) enum FieldSet {
    /// All names with one of the prefixes but some, in byte order of the names.
    Prefixes {
        prefixes: Vec<String>,
        except: Vec<String>,
    },
    /// These names in this order; an absent one counts as empty.
    List(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Shape {
    #[serde(rename = "name=value")]
    NameValue,
    #[serde(rename = "value")]
    Value,
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

#[derive(Debug)]
pub(super) enum Part {
    Header(String),
    Text(String),
    Body,
}

/// How fields become a notice.
#[derive(Debug)]
pub(super) struct ReadingPlan {
    pub(super) transaction_id: Option<TextPlan>,
    pub(super) order_ref: Option<OrderRefPlan>,
    pub(super) amount: Option<AmountPlan>,
    pub(super) currency: CurrencyPlan,
    pub(super) occurred_at: Option<(String, TimeFormat)>,
    /// Names tried in turn for the first text that is not empty.
    pub(super) memo: Vec<String>,
    pub(super) account: Option<String>,
    pub(super) bank_reference: Option<String>,
    pub(super) merchant: Option<MerchantPlan>,
    pub(super) direction: Option<DirectionPlan>,
    pub(super) status: Option<StatusPlan>,
}

#[derive(Debug)]
pub(super) struct TextPlan {
    pub(super) from: String,
    pub(super) required: bool,
    /// Values that mean "none".
    pub(super) none_when: Vec<String>,
}

#[derive(Debug)]
pub(super) enum OrderRefPlan {
    Field(TextPlan),
    /// Found by a pattern of the credentials in these texts; without a pattern nothing is guessed.
    Search {
        fields: Vec<String>,
        pattern: String,
    },
}

#[derive(Debug)]
pub(super) struct AmountPlan {
    pub(super) from: String,
    /// Units of the provider in one đồng.
    pub(super) scale: i64,
    pub(super) zero_fraction: bool,
}

#[derive(Debug)]
pub(super) enum CurrencyPlan {
    Constant(String),
    Field(String),
}

/// One of the fields must equal the credential, when that is configured.
#[derive(Debug)]
pub(super) struct MerchantPlan {
    pub(super) fields: Vec<String>,
    pub(super) credential: String,
}

#[derive(Debug)]
pub(super) struct DirectionPlan {
    pub(super) from: String,
    pub(super) incoming: Vec<String>,
    pub(super) outgoing: Vec<String>,
}

#[derive(Debug)]
pub(super) enum StatusPlan {
    Always(Status),
    /// The first row that fits; the last row fits everything.
    Table {
        codes: Vec<String>,
        rows: Vec<StatusRow>,
    },
}

#[derive(Debug)]
pub(super) struct StatusRow {
    /// One a code; `None` fits everything.
    pub(super) when: Vec<Option<String>>,
    pub(super) status: Status,
}

/// A message of ours.
#[derive(Debug)]
pub(super) struct RequestPlan {
    pub(super) method: String,
    /// Name of the credential that holds the address.
    pub(super) address: String,
    pub(super) carrier: RequestBody,
    pub(super) signature: Arc<SignaturePlan>,
    /// Field that takes the signature.
    pub(super) signature_field: String,
    pub(super) fields: Vec<(String, RequestValue)>,
    pub(super) reading: ReadingPlan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestBody {
    Query,
    Json,
}

#[derive(Debug)]
pub(super) enum RequestValue {
    Text(String),
    Credential(String),
    Order(OrderValue),
}

#[derive(Debug)]
pub(super) struct OrderValue {
    pub(super) member: OrderMember,
    pub(super) scale: i64,
    pub(super) format: TimeFormat,
    pub(super) characters_max: usize,
    pub(super) plain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderMember {
    OrderRef,
    Amount,
    Description,
    CreatedAt,
    ExpiresAt,
    PayerIp,
    ReturnUrl,
    NoticeUrl,
}

#[derive(Debug)]
pub(super) struct AckPlan {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: String,
}
