//! What is signed, and how it is written.

use serde::Deserialize;

use super::Ref;
use crate::digest::{Algorithm, KeyForm, Output};
use crate::recipe::encoding::Marks;
use crate::recipe::template::Template;

#[derive(Clone, Debug)]
pub(in crate::recipe) struct SignaturePlan {
    pub(in crate::recipe) algorithm: Algorithm,
    /// Name of the credential that holds the key; empty for plain digests.
    pub(in crate::recipe) key: String,
    pub(in crate::recipe) key_form: KeyForm,
    pub(in crate::recipe) output: Output,
    /// Text before the digest, such as `sha256=`.
    pub(in crate::recipe) prefix: String,
    pub(in crate::recipe) payload: Payload,
}

/// What is signed.
#[derive(Clone, Debug)]
pub(in crate::recipe) enum Payload {
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
pub(in crate::recipe) struct FieldsPayload {
    pub(in crate::recipe) set: FieldSet,
    pub(in crate::recipe) shape: Shape,
    pub(in crate::recipe) separator: String,
    pub(in crate::recipe) values: ValueForm,
    /// Tried in turn; never empty.
    pub(in crate::recipe) alternatives: Vec<Alternative>,
}

impl FieldsPayload {
    /// The way the provider documents, for messages of ours and for explanations: the first one
    /// that does not need received bytes.
    pub(in crate::recipe) fn documented(&self) -> Alternative {
        self.alternatives
            .iter()
            .find(|alternative| !alternative.encoding.is_received())
            .or(self.alternatives.first())
            .copied()
            .unwrap_or(Alternative::AS_IT_IS)
    }
}

#[derive(Clone, Debug)]
pub(in crate::recipe) enum FieldSet {
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
pub(in crate::recipe) enum Entry {
    Field(Ref),
    Credential { name: String, credential: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::recipe) enum Shape {
    #[serde(rename = "name=value")]
    NameValue,
    #[serde(rename = "value")]
    Value,
}

/// How a value is written before it is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum ValueForm {
    /// Texts as they are, numbers with their digits, null as nothing.
    #[default]
    Text,
    /// The words null and undefined as nothing, lists as JSON with sorted elements, numbers as
    /// JavaScript prints them.
    Payos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct Alternative {
    pub(in crate::recipe) encoding: Encoding,
    pub(in crate::recipe) empties: Empties,
    /// Signs that `form` and `percent` leave alone.
    #[serde(default)]
    pub(in crate::recipe) unescaped: Marks,
}

impl Alternative {
    /// Decoded text with everything in it.
    pub(in crate::recipe) const AS_IT_IS: Self = Self::new(Encoding::None, Empties::Keep);

    pub(in crate::recipe) const fn new(encoding: Encoding, empties: Empties) -> Self {
        Self {
            encoding,
            empties,
            unescaped: Marks::NONE,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum Encoding {
    /// The raw pieces, only reordered.
    AsReceived,
    /// The same with the letters of escapes in capitals.
    AsReceivedUpper,
    /// The same with small letters in escapes.
    AsReceivedLower,
    /// Space becomes `+`.
    Form,
    /// Space becomes `%20`.
    Percent,
    /// Decoded text.
    None,
}

impl Encoding {
    /// Whether it needs the bytes of a message that came in.
    pub(in crate::recipe) const fn is_received(self) -> bool {
        matches!(
            self,
            Self::AsReceived | Self::AsReceivedUpper | Self::AsReceivedLower
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum Empties {
    Keep,
    Drop,
}

#[derive(Clone, Debug)]
pub(in crate::recipe) enum Part {
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
