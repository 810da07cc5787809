//! `[signature.*]`: what is signed and how.

use serde::Deserialize;

use crate::digest::{Algorithm, KeyForm, Output};
use crate::recipe::plan::{Alternative, Shape, ValueForm};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct SignatureFile {
    /// Not beside a formula, which says it.
    pub(in crate::recipe) digest: Option<Algorithm>,
    #[serde(default)]
    pub(in crate::recipe) key: String,
    #[serde(default)]
    pub(in crate::recipe) key_form: KeyForm,
    pub(in crate::recipe) output: Option<Output>,
    #[serde(default)]
    pub(in crate::recipe) prefix: String,
    pub(in crate::recipe) fields: Option<SignedFieldsFile>,
    pub(in crate::recipe) parts: Option<Vec<PartFile>>,
    pub(in crate::recipe) formula: Option<FormulaFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct SignedFieldsFile {
    #[serde(default)]
    pub(in crate::recipe) prefixes: Vec<String>,
    /// All members of the object at this path; empty for the message itself.
    pub(in crate::recipe) members: Option<String>,
    #[serde(default)]
    pub(in crate::recipe) except: Vec<String>,
    #[serde(default)]
    pub(in crate::recipe) list: Vec<EntryFile>,
    pub(in crate::recipe) shape: Shape,
    pub(in crate::recipe) separator: String,
    #[serde(default)]
    pub(in crate::recipe) values: ValueForm,
    pub(in crate::recipe) alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::recipe) enum EntryFile {
    Field(String),
    Credential { name: String, credential: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::recipe) enum PartFile {
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
pub(in crate::recipe) enum BodyFile {
    Raw,
    CanonicalJson,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum RequestPartFile {
    Method,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct FormulaFile {
    pub(in crate::recipe) credential: String,
    pub(in crate::recipe) index: usize,
}
