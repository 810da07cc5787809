//! The text form of a recipe, `adapter.toml`. Unknown members are refused so that a typing error
//! cannot switch a check off.
//!
//! A field is named by its path (`amount`, `data.amount`); `@name` is a header of the message.
//! Where one name is expected, a list may stand: the first that is not empty counts.

mod answer;
mod message;
mod reading;
mod signature;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use crate::contract::{CredentialKind, Flow, Naming, RefundSupport, Settlement, Standing};

pub(super) use self::answer::{AckFile, AnswersFile, InquiryFile, TokenFile};
pub(super) use self::message::{
    CarrierFile, FreshFile, MessageFile, ProofFile, ReplyFile, RequestFile, RequestValueFile,
};
pub(super) use self::reading::{CurrencyFile, OrderRefFile, ReadingFile, RowFile, TextFile};
pub(super) use self::signature::{
    BodyFile, EntryFile, PartFile, RequestPartFile, SignatureFile, SignedFieldsFile,
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
    /// How the provider's list of movements is read; with `[request.list]` and `[reply.list]`.
    pub(super) list: Option<Spanned<ListFile>>,
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

/// Whole seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListFile {
    /// The credential without which it is off.
    pub(super) needs: String,
    pub(super) every: u32,
    pub(super) look_back: u32,
    pub(super) overlap: u32,
    /// Rows of a full page.
    pub(super) page: usize,
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
