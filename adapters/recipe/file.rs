//! The text form of a recipe, `adapter.toml`. Unknown members are refused so that a typing error
//! cannot switch a check off.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::digest::{Algorithm, KeyForm, Output};
use super::plan::{Alternative, OrderMember, RequestBody, Shape, Source};
use super::values::TimeFormat;
use crate::contract::{Flow, Outcome, Settlement, Status};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeFile {
    /// Version of this format; 1.
    pub(super) recipe: Spanned<u32>,
    /// Name of the folder.
    pub(super) name: Spanned<String>,
    /// For people.
    pub(super) title: String,
    pub(super) capability: Spanned<CapabilityFile>,
    #[serde(default)]
    pub(super) signature: BTreeMap<String, Spanned<SignatureFile>>,
    pub(super) message: BTreeMap<Flow, Spanned<MessageFile>>,
    #[serde(default)]
    pub(super) request: BTreeMap<Flow, Spanned<RequestFile>>,
    pub(super) acknowledge: Spanned<BTreeMap<Outcome, AckFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilityFile {
    pub(super) checkout: bool,
    pub(super) returns: bool,
    pub(super) notice: Flow,
    pub(super) settlement: Settlement,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureFile {
    pub(super) digest: Algorithm,
    pub(super) key: String,
    pub(super) key_form: KeyForm,
    pub(super) output: Output,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) fields: Option<SignedFieldsFile>,
    pub(super) parts: Option<Vec<PartFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedFieldsFile {
    #[serde(default)]
    pub(super) prefixes: Vec<String>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    #[serde(default)]
    pub(super) list: Vec<String>,
    pub(super) shape: Shape,
    pub(super) separator: String,
    pub(super) alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PartFile {
    Header(String),
    Text(String),
    /// `{ body = "raw" }`
    Body(BodyFile),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BodyFile {
    Raw,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageFile {
    /// Takes everything from another message; nothing else may then be given.
    pub(super) like: Option<Flow>,
    pub(super) source: Option<Source>,
    #[serde(default)]
    pub(super) proof: Vec<Spanned<ProofFile>>,
    pub(super) read: Option<Spanned<ReadingFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofFile {
    pub(super) signature: Option<String>,
    pub(super) carried_by: Option<CarrierFile>,
    pub(super) fresh: Option<FreshFile>,
    pub(super) credential: Option<String>,
    pub(super) header: Option<String>,
    pub(super) scheme: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum CarrierFile {
    Field(String),
    Header(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FreshFile {
    pub(super) header: String,
    pub(super) format: TimeFormat,
    pub(super) window_seconds: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadingFile {
    pub(super) transaction_id: Option<TextFile>,
    pub(super) order_ref: Option<OrderRefFile>,
    pub(super) amount: Option<AmountFile>,
    pub(super) currency: CurrencyFile,
    pub(super) occurred_at: Option<TimeFile>,
    #[serde(default)]
    pub(super) memo: Vec<String>,
    pub(super) account: Option<String>,
    pub(super) bank_reference: Option<String>,
    pub(super) merchant: Option<MerchantFile>,
    pub(super) direction: Option<DirectionFile>,
    pub(super) status: Option<StatusFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextFile {
    pub(super) from: String,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) none_when: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRefFile {
    pub(super) from: Option<String>,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) search: Vec<String>,
    pub(super) pattern: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmountFile {
    pub(super) from: String,
    pub(super) scale: i64,
    #[serde(default)]
    pub(super) zero_fraction: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum CurrencyFile {
    Constant(String),
    From(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeFile {
    pub(super) from: String,
    pub(super) format: TimeFormat,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MerchantFile {
    pub(super) from: Vec<String>,
    pub(super) credential: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectionFile {
    pub(super) from: String,
    pub(super) incoming: Vec<String>,
    pub(super) outgoing: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusFile {
    pub(super) always: Option<Status>,
    #[serde(default)]
    pub(super) codes: Vec<String>,
    #[serde(default)]
    pub(super) table: Vec<Spanned<StatusRowFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusRowFile {
    /// One text a code; `*` fits everything.
    pub(super) when: Vec<String>,
    pub(super) is: Status,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestFile {
    pub(super) method: String,
    /// Name of the credential that holds the address.
    pub(super) address: String,
    pub(super) carrier: RequestBody,
    pub(super) signature: String,
    pub(super) signature_field: String,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Spanned<RequestValueFile>>,
    pub(super) read: Spanned<ReadingFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestValueFile {
    pub(super) text: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) order: Option<OrderMember>,
    pub(super) scale: Option<i64>,
    pub(super) format: Option<TimeFormat>,
    pub(super) characters_max: Option<usize>,
    #[serde(default)]
    pub(super) plain: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AckFile {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) body: String,
}
