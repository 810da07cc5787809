//! `adapter.toml` to a plan. Every mistake is found here, with its line, before the first message.

mod answers;
mod levels;
mod message;
mod profile;
mod reading;
mod request;
mod signature;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use self::levels::Levels;
use super::file::{RecipeFile, SignatureFile};
use super::plan::Plan;
use super::{RECIPE_BYTES_MAX, RecipeFault};
use crate::contract::{Flow, Outcome, Secret};

type Signatures = BTreeMap<String, Spanned<SignatureFile>>;

/// Compiles the text of a recipe; `file` only names it in faults.
///
/// # Errors
/// Every mistake that was found, in order of lines; never empty.
pub(in crate::recipe) fn compile(file: &str, text: &str) -> Result<Plan, Vec<RecipeFault>> {
    let fault = |line, reason| RecipeFault {
        file: file.to_owned(),
        line,
        reason,
    };
    if text.len() > RECIPE_BYTES_MAX {
        return Err(vec![fault(1, "the file is too long".to_owned())]);
    }
    let recipe: RecipeFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        vec![fault(line, error.message().to_owned())]
    })?;
    let mut compiler = Compiler {
        text,
        known: recipe
            .credential
            .iter()
            .map(|spec| spec.get_ref().name.clone())
            .collect(),
        found: Vec::new(),
    };
    let plan = compiler.plan(recipe);
    if compiler.found.is_empty() {
        return Ok(plan);
    }
    compiler.found.sort();
    compiler.found.dedup();
    let faults = compiler.found.into_iter();
    Err(faults.map(|(line, reason)| fault(line, reason)).collect())
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

struct Compiler<'t> {
    text: &'t str,
    /// Names of the declared credentials.
    known: Vec<String>,
    found: Vec<(usize, String)>,
}

impl Compiler<'_> {
    fn wrong(&mut self, place: &Range<usize>, reason: impl Into<String>) {
        self.found
            .push((line_of(self.text, place.start), reason.into()));
    }

    /// A credential must be declared, so that a connection can be checked before it is used.
    fn credential(&mut self, place: &Range<usize>, name: &str) {
        if !self.known.iter().any(|known| known == name) {
            self.wrong(place, format!("there is no [[credential]] {name}"));
        }
    }

    fn plan(&mut self, file: RecipeFile) -> Plan {
        if *file.recipe.get_ref() != 1 {
            self.wrong(
                &file.recipe.span(),
                "this program reads recipes of version 1",
            );
        }
        if !is_name(file.name.get_ref()) {
            self.wrong(&file.name.span(), "a name is a-z, 0-9 and _, at most 32");
        }
        let signatures = &file.signature;
        let mut messages = BTreeMap::new();
        for (flow, message) in &file.message {
            if let Some(plan) = self.message(*flow, message, &file.message, signatures) {
                messages.insert(*flow, plan);
            }
        }
        let mut requests = BTreeMap::new();
        for (flow, request) in &file.request {
            if let Some(plan) = self.request(*flow, request, signatures) {
                requests.insert(*flow, plan);
            }
        }
        let mut replies = BTreeMap::new();
        for (flow, reply) in &file.reply {
            if let Some(plan) = self.reply(*flow, reply, &file.reply, signatures) {
                replies.insert(*flow, plan);
            }
        }
        let answers = self.answers(file.acknowledge.get_ref(), signatures);
        for outcome in Outcome::ALL {
            if file.acknowledge.get_ref().of(outcome).is_none() {
                let reason = format!("there is no answer for {}", outcome.code());
                self.wrong(&file.acknowledge.span(), reason);
            }
        }
        let inquiry = file
            .inquiry
            .as_ref()
            .and_then(|inquiry| self.inquiry(inquiry, &mut messages, signatures));
        let token = file
            .token
            .as_ref()
            .and_then(|token| self.token(token, &messages, signatures));
        let profile = self.profile(&file, &requests);
        Plan {
            name: file.name.get_ref().clone(),
            defaults: profile
                .credentials
                .iter()
                .filter_map(|spec| Some((spec.name.clone(), Secret::new(spec.default.clone()?))))
                .collect(),
            secrets: profile
                .credentials
                .iter()
                .filter(|spec| spec.kind.is_secret())
                .map(|spec| spec.name.clone())
                .collect(),
            profile,
            messages,
            requests,
            replies,
            answers,
            inquiry,
            token,
            patterns: super::memo::Patterns::default(),
            formulas: super::formula::Formulas::default(),
        }
    }

    fn levels(
        &mut self,
        place: &Range<usize>,
        inside: &BTreeMap<String, super::plan::Form>,
        each: Option<&str>,
    ) -> Levels {
        let levels = Levels::new(inside, each);
        for path in inside.keys() {
            if path.is_empty() || path.starts_with('@') {
                self.wrong(place, "inside names fields by their path");
            }
        }
        levels
    }
}

/// Names stand in addresses and folder names.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Whether a flow may stand in `[message]`.
const fn is_message(flow: Flow) -> bool {
    flow.is_inbound()
}
