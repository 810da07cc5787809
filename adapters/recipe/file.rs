//! The text form of a recipe, `adapter.toml`. Unknown members are refused so that a typing error
//! cannot switch a check off.
//!
//! A field is named by its path (`amount`, `data.amount`); `@name` is a header of the message.
//! Where one name is expected, a list may stand: the first that is not empty counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::digest::{Algorithm, KeyForm, Output};
use super::plan::{Alternative, Form, Member, RequestBody, Shape, Source, ValueForm};
use super::values::TimeFormat;
use crate::contract::{
    CredentialKind, Flow, Naming, Outcome, Reception, RefundSupport, Settlement, Standing, Status,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeFile {
    /// Version of this format; 1.
    pub(super) recipe: Spanned<u32>,
    /// Name of the folder.
    pub(super) name: Spanned<String>,
    /// For people.
    pub(super) title: String,
    #[serde(default = "founded")]
    pub(super) standing: Standing,
    pub(super) capability: Spanned<CapabilityFile>,
    #[serde(default)]
    pub(super) credential: Vec<Spanned<CredentialFile>>,
    #[serde(default)]
    pub(super) schedule: ScheduleFile,
    #[serde(default)]
    pub(super) addresses: AddressesFile,
    #[serde(default)]
    pub(super) signature: BTreeMap<String, Spanned<SignatureFile>>,
    pub(super) message: BTreeMap<Flow, Spanned<MessageFile>>,
    #[serde(default)]
    pub(super) request: BTreeMap<Flow, Spanned<RequestFile>>,
    #[serde(default)]
    pub(super) reply: BTreeMap<Flow, Spanned<ReplyFile>>,
    pub(super) inquiry: Option<Spanned<InquiryFile>>,
    pub(super) token: Option<Spanned<TokenFile>>,
    pub(super) acknowledge: Spanned<AnswersFile>,
}

const fn founded() -> Standing {
    Standing::Founded
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilityFile {
    pub(super) checkout: bool,
    pub(super) returns: bool,
    pub(super) notice: Flow,
    pub(super) settlement: Settlement,
    pub(super) naming: Naming,
    #[serde(default = "no_refund")]
    pub(super) refund: RefundSupport,
    #[serde(default)]
    pub(super) order_ref: OrderRefFormFile,
}

const fn no_refund() -> RefundSupport {
    RefundSupport::None
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRefFormFile {
    #[serde(default)]
    pub(super) form: OrderRefWord,
    pub(super) characters_max: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderRefWord {
    #[default]
    Text,
    Digits,
    DayFirst,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialFile {
    pub(super) name: String,
    pub(super) kind: CredentialKind,
    /// `always`, `optional` or `one_of:GROUP`.
    pub(super) need: String,
    pub(super) label: String,
    pub(super) default: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleFile {
    pub(super) reply: Option<u32>,
    #[serde(default)]
    pub(super) poll: Vec<u32>,
    pub(super) give_up: Option<u32>,
    #[serde(default)]
    pub(super) poll_refund: Vec<u32>,
    #[serde(default)]
    pub(super) repeats: Vec<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressesFile {
    #[serde(default)]
    pub(super) sandbox: Vec<IpAddr>,
    #[serde(default)]
    pub(super) production: Vec<IpAddr>,
    #[serde(default)]
    pub(super) confirmed: bool,
}

/// One name or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Names {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureFile {
    /// Not beside a formula, which says it.
    pub(super) digest: Option<Algorithm>,
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) key_form: KeyForm,
    pub(super) output: Option<Output>,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) fields: Option<SignedFieldsFile>,
    pub(super) parts: Option<Vec<PartFile>>,
    pub(super) formula: Option<FormulaFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedFieldsFile {
    #[serde(default)]
    pub(super) prefixes: Vec<String>,
    /// All members of the object at this path; empty for the message itself.
    pub(super) members: Option<String>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    #[serde(default)]
    pub(super) list: Vec<EntryFile>,
    pub(super) shape: Shape,
    pub(super) separator: String,
    #[serde(default)]
    pub(super) values: ValueForm,
    pub(super) alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum EntryFile {
    Field(String),
    Credential { name: String, credential: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PartFile {
    Header(String),
    /// `{ header_part = ["x-casso-signature", "t"] }`
    HeaderPart([String; 2]),
    Text(String),
    Credential(String),
    Field(String),
    /// A field whose spaces are `+`.
    Base64Field(String),
    Body(BodyFile),
    /// `{ request = "method" }`
    Request(RequestPartFile),
    /// An address of ours, as a template.
    Address(String),
    Fields(SignedFieldsFile),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BodyFile {
    Raw,
    CanonicalJson,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestPartFile {
    Method,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormulaFile {
    pub(super) credential: String,
    pub(super) index: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageFile {
    /// Takes everything from another message but what is given here.
    pub(super) like: Option<Flow>,
    #[serde(default)]
    pub(super) route: RouteFile,
    pub(super) source: Option<Source>,
    /// Objects inside fields that are not plain JSON objects, by path.
    #[serde(default)]
    pub(super) inside: BTreeMap<String, Form>,
    /// The path of a list of notices.
    pub(super) each: Option<String>,
    #[serde(default)]
    pub(super) proof: Vec<Spanned<ProofFile>>,
    pub(super) read: Option<Spanned<ReadingFile>>,
    #[serde(default)]
    pub(super) acknowledge: AnswersFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteFile {
    #[serde(default)]
    pub(super) path_ends: Vec<String>,
    pub(super) header: Option<String>,
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
    /// Credentials of name and password.
    pub(super) basic: Option<[String; 2]>,
    /// Credentials of name and password for which tokens are given.
    pub(super) bearer: Option<[String; 2]>,
    /// Credential with a token that never runs out.
    pub(super) fixed: Option<String>,
    pub(super) channel: Option<ChannelFile>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChannelFile {
    Tls,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum CarrierFile {
    Field(String),
    Header(String),
    HeaderPart([String; 2]),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FreshFile {
    pub(super) from: String,
    pub(super) format: TimeFormat,
    pub(super) window_seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadingFile {
    pub(super) transaction_id: Option<TextFile>,
    pub(super) order_ref: Option<OrderRefFile>,
    pub(super) bill_ref: Option<TextFile>,
    pub(super) amount: Option<AmountFile>,
    #[serde(default)]
    pub(super) currency: CurrencyFile,
    pub(super) occurred_at: Option<TimeFile>,
    #[serde(default)]
    pub(super) memo: Names,
    #[serde(default)]
    pub(super) account: Names,
    #[serde(default)]
    pub(super) bank_reference: Names,
    pub(super) merchant: Option<MerchantFile>,
    pub(super) direction: Option<DirectionFile>,
    pub(super) test: Option<TestFile>,
    pub(super) status: Option<Spanned<StatusFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextFile {
    pub(super) from: Names,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) none_when: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRefFile {
    pub(super) from: Option<Names>,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) search: Vec<String>,
    pub(super) pattern: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmountFile {
    pub(super) from: Names,
    pub(super) scale: i64,
    #[serde(default)]
    pub(super) zero_fraction: bool,
    pub(super) negative: Option<NegativeFile>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NegativeFile {
    Outgoing,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum CurrencyFile {
    Constant {
        constant: String,
    },
    From {
        from: Names,
        /// Where the field may be left out.
        or: Option<String>,
    },
}

impl Default for CurrencyFile {
    fn default() -> Self {
        Self::Constant {
            constant: "VND".to_owned(),
        }
    }
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
    pub(super) from: Names,
    pub(super) credential: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectionFile {
    pub(super) from: Names,
    pub(super) incoming: Vec<String>,
    pub(super) outgoing: Vec<String>,
    /// Where nothing is said the sign of the amount decides.
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestFile {
    pub(super) from: Names,
    pub(super) is: Vec<String>,
    #[serde(default)]
    pub(super) if_unknown: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusFile {
    pub(super) always: Option<Status>,
    #[serde(default)]
    pub(super) codes: Vec<Names>,
    #[serde(default)]
    pub(super) table: Vec<Spanned<RowFile<Status>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowFile<T> {
    /// One text a code; `*` fits everything, `a|b` either.
    pub(super) when: Vec<String>,
    pub(super) is: T,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestFile {
    pub(super) method: String,
    /// Address as a template: `{api_url}/v2/query`.
    pub(super) url: String,
    pub(super) carrier: RequestBody,
    pub(super) signature: Option<String>,
    pub(super) signature_field: Option<String>,
    pub(super) signature_header: Option<SignatureHeaderFile>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) basic: Option<[String; 2]>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Spanned<RequestValueFile>>,
    /// Order of the fields in a form.
    #[serde(default)]
    pub(super) order: Vec<String>,
    #[serde(default)]
    pub(super) read: Option<Spanned<ReadingFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureHeaderFile {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestValueFile {
    pub(super) text: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) template: Option<String>,
    pub(super) from: Option<Member>,
    /// `[whole, part]`
    pub(super) refund_kind: Option<[String; 2]>,
    pub(super) scale: Option<i64>,
    pub(super) format: Option<TimeFormat>,
    pub(super) characters_max: Option<usize>,
    #[serde(default)]
    pub(super) plain: bool,
    /// A JSON number.
    #[serde(default)]
    pub(super) number: bool,
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyFile {
    pub(super) like: Option<Flow>,
    pub(super) source: Option<Source>,
    #[serde(default)]
    pub(super) inside: BTreeMap<String, Form>,
    #[serde(default)]
    pub(super) proof: Vec<Spanned<ProofFile>>,
    pub(super) reception: Option<Spanned<ReceptionFile>>,
    pub(super) read: Option<Spanned<ReadingFile>>,
    /// The path of a list of movements of money, where the reply tells them one by one.
    pub(super) each: Option<String>,
    /// How one of them is read; only those whose status is paid count.
    pub(super) transfer: Option<Spanned<ReadingFile>>,
    #[serde(default)]
    pub(super) code: Names,
    #[serde(default)]
    pub(super) message: Names,
    #[serde(default)]
    pub(super) redirect: Names,
    #[serde(default)]
    pub(super) qr: Names,
    #[serde(default)]
    pub(super) provider_order: Names,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceptionFile {
    pub(super) codes: Vec<Names>,
    pub(super) table: Vec<Spanned<RowFile<Reception>>>,
}

/// Answers by outcome; `wrong_merchant` in place of the unusable.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswersFile {
    pub(super) accepted: Option<Spanned<AckFile>>,
    pub(super) repeated: Option<Spanned<AckFile>>,
    pub(super) unknown_order: Option<Spanned<AckFile>>,
    pub(super) amount_differs: Option<Spanned<AckFile>>,
    pub(super) not_authentic: Option<Spanned<AckFile>>,
    pub(super) unusable: Option<Spanned<AckFile>>,
    pub(super) temporary: Option<Spanned<AckFile>>,
    pub(super) wrong_merchant: Option<Spanned<AckFile>>,
}

impl AnswersFile {
    pub(super) fn of(&self, outcome: Outcome) -> Option<&Spanned<AckFile>> {
        match outcome {
            Outcome::Accepted => self.accepted.as_ref(),
            Outcome::Repeated => self.repeated.as_ref(),
            Outcome::UnknownOrder => self.unknown_order.as_ref(),
            Outcome::AmountDiffers => self.amount_differs.as_ref(),
            Outcome::NotAuthentic => self.not_authentic.as_ref(),
            Outcome::Unusable => self.unusable.as_ref(),
            Outcome::Temporary => self.temporary.as_ref(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AckFile {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) body: String,
    /// Signs members of the body.
    pub(super) signature: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InquiryFile {
    pub(super) customer: Names,
    #[serde(default)]
    pub(super) service: Names,
    #[serde(default)]
    pub(super) request_id: Names,
    pub(super) found: Spanned<AckFile>,
    pub(super) bill: String,
    pub(super) nothing: Spanned<AckFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenFile {
    /// Credentials of name and password.
    pub(super) of: [String; 2],
    pub(super) lifetime_seconds: i64,
    pub(super) answer: Spanned<AckFile>,
}
