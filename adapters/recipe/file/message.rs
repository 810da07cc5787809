//! `[message.*]`, `[request.*]`, `[reply.*]`: what comes in, what we ask, what comes back.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{AnswersFile, Names, ReadingFile, RowFile};
use crate::contract::{Flow, Reception};
use crate::recipe::plan::{Form, Member, RequestBody, Source};
use crate::recipe::values::TimeFormat;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct MessageFile {
    /// Takes everything from another message but what is given here.
    pub(in crate::recipe) like: Option<Flow>,
    #[serde(default)]
    pub(in crate::recipe) route: RouteFile,
    pub(in crate::recipe) source: Option<Source>,
    /// Objects inside fields that are not plain JSON objects, by path.
    #[serde(default)]
    pub(in crate::recipe) inside: BTreeMap<String, Form>,
    /// The path of a list of notices.
    pub(in crate::recipe) each: Option<String>,
    #[serde(default)]
    pub(in crate::recipe) proof: Vec<Spanned<ProofFile>>,
    pub(in crate::recipe) read: Option<Spanned<ReadingFile>>,
    #[serde(default)]
    pub(in crate::recipe) acknowledge: AnswersFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct RouteFile {
    #[serde(default)]
    pub(in crate::recipe) path_ends: Vec<String>,
    pub(in crate::recipe) header: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct ProofFile {
    pub(in crate::recipe) signature: Option<String>,
    pub(in crate::recipe) carried_by: Option<CarrierFile>,
    pub(in crate::recipe) fresh: Option<FreshFile>,
    pub(in crate::recipe) credential: Option<String>,
    pub(in crate::recipe) header: Option<String>,
    pub(in crate::recipe) scheme: Option<String>,
    /// Credentials of name and password.
    pub(in crate::recipe) basic: Option<[String; 2]>,
    /// The same in these fields of the message.
    pub(in crate::recipe) pair: Option<[String; 2]>,
    pub(in crate::recipe) fields: Option<[String; 2]>,
    /// Credentials of name and password for which tokens are given.
    pub(in crate::recipe) bearer: Option<[String; 2]>,
    /// Credential with a token that never runs out.
    pub(in crate::recipe) fixed: Option<String>,
    pub(in crate::recipe) channel: Option<ChannelFile>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum ChannelFile {
    Tls,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::recipe) enum CarrierFile {
    Field(String),
    Header(String),
    HeaderPart([String; 2]),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct FreshFile {
    pub(in crate::recipe) from: String,
    pub(in crate::recipe) format: TimeFormat,
    pub(in crate::recipe) window_seconds: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct RequestFile {
    pub(in crate::recipe) method: String,
    /// Address as a template: `{api_url}/v2/query`.
    pub(in crate::recipe) url: String,
    pub(in crate::recipe) carrier: RequestBody,
    pub(in crate::recipe) signature: Option<String>,
    pub(in crate::recipe) signature_field: Option<String>,
    pub(in crate::recipe) signature_header: Option<SignatureHeaderFile>,
    #[serde(default)]
    pub(in crate::recipe) headers: BTreeMap<String, String>,
    pub(in crate::recipe) basic: Option<[String; 2]>,
    #[serde(default)]
    pub(in crate::recipe) fields: BTreeMap<String, Spanned<RequestValueFile>>,
    /// Order of the fields in a form.
    #[serde(default)]
    pub(in crate::recipe) order: Vec<String>,
    #[serde(default)]
    pub(in crate::recipe) read: Option<Spanned<ReadingFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct SignatureHeaderFile {
    pub(in crate::recipe) name: String,
    pub(in crate::recipe) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct RequestValueFile {
    pub(in crate::recipe) text: Option<String>,
    pub(in crate::recipe) credential: Option<String>,
    pub(in crate::recipe) template: Option<String>,
    pub(in crate::recipe) from: Option<Member>,
    /// `[whole, part]`
    pub(in crate::recipe) refund_kind: Option<[String; 2]>,
    pub(in crate::recipe) scale: Option<i64>,
    pub(in crate::recipe) format: Option<TimeFormat>,
    pub(in crate::recipe) characters_max: Option<usize>,
    #[serde(default)]
    pub(in crate::recipe) plain: bool,
    /// A JSON number.
    #[serde(default)]
    pub(in crate::recipe) number: bool,
    #[serde(default)]
    pub(in crate::recipe) optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct ReplyFile {
    pub(in crate::recipe) like: Option<Flow>,
    pub(in crate::recipe) source: Option<Source>,
    #[serde(default)]
    pub(in crate::recipe) inside: BTreeMap<String, Form>,
    #[serde(default)]
    pub(in crate::recipe) proof: Vec<Spanned<ProofFile>>,
    pub(in crate::recipe) reception: Option<Spanned<ReceptionFile>>,
    pub(in crate::recipe) read: Option<Spanned<ReadingFile>>,
    /// The path of a list of movements of money, where the reply tells them one by one.
    pub(in crate::recipe) each: Option<String>,
    /// How one of them is read; only those whose status is paid count.
    pub(in crate::recipe) transfer: Option<Spanned<ReadingFile>>,
    /// How a row of `[reply.list]` is read: as a notice is.
    pub(in crate::recipe) row: Option<Spanned<ReadingFile>>,
    #[serde(default)]
    pub(in crate::recipe) code: Names,
    #[serde(default)]
    pub(in crate::recipe) message: Names,
    #[serde(default)]
    pub(in crate::recipe) redirect: Names,
    #[serde(default)]
    pub(in crate::recipe) qr: Names,
    #[serde(default)]
    pub(in crate::recipe) provider_order: Names,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct ReceptionFile {
    pub(in crate::recipe) codes: Vec<Names>,
    pub(in crate::recipe) table: Vec<Spanned<RowFile<Reception>>>,
}
