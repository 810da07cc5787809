//! `adapter.toml` to a plan. Every mistake is found here, with its line, before the first message.

mod message;
mod reading;
mod request;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::file::{PartFile, RecipeFile, SignatureFile};
use super::plan::{AckPlan, FieldSet, FieldsPayload, Part, Payload, Plan, SignaturePlan};
use super::{RECIPE_BYTES_MAX, RecipeFault};
use crate::contract::{
    Addresses, Capability, Flow, Naming, OrderRefForm, Outcome, Profile, RefundSupport, Schedule,
    Settlement, Standing,
};

const OUTCOMES: [Outcome; 7] = [
    Outcome::Accepted,
    Outcome::Repeated,
    Outcome::UnknownOrder,
    Outcome::AmountDiffers,
    Outcome::NotAuthentic,
    Outcome::Unusable,
    Outcome::Temporary,
];

type Signatures = BTreeMap<String, Arc<SignaturePlan>>;

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
        found: Vec::new(),
    };
    let plan = compiler.plan(recipe);
    if compiler.found.is_empty() {
        return Ok(plan);
    }
    compiler.found.sort();
    let faults = compiler.found.into_iter();
    Err(faults.map(|(line, reason)| fault(line, reason)).collect())
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

struct Compiler<'t> {
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl Compiler<'_> {
    fn wrong(&mut self, place: &Range<usize>, reason: impl Into<String>) {
        self.found
            .push((line_of(self.text, place.start), reason.into()));
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
        let signatures: Signatures = file
            .signature
            .into_iter()
            .filter_map(|(name, signature)| Some((name, Arc::new(self.signature(signature)?))))
            .collect();
        let mut messages = BTreeMap::new();
        for (flow, message) in &file.message {
            if let Some(plan) = self.message(*flow, message, &file.message, &signatures) {
                messages.insert(*flow, plan);
            }
        }
        let requests = file
            .request
            .into_iter()
            .filter_map(|(flow, request)| Some((flow, self.request(flow, request, &signatures)?)))
            .collect::<BTreeMap<_, _>>();
        let capability = file.capability.get_ref();
        let capability_place = file.capability.span();
        for (claimed, there, what) in [
            (
                true,
                file.message.contains_key(&capability.notice),
                "the notice has no [message]",
            ),
            (
                capability.returns,
                file.message.contains_key(&Flow::Return),
                "returns and [message.return] go together",
            ),
            (
                capability.checkout,
                requests.contains_key(&Flow::Create),
                "checkout and [request.create] go together",
            ),
        ] {
            if claimed != there && self.found.is_empty() {
                self.wrong(&capability_place, what);
            }
        }
        let place = file.acknowledge.span();
        let mut acknowledgements = BTreeMap::new();
        for (outcome, ack) in file.acknowledge.into_inner() {
            if !(200..600).contains(&ack.status) {
                self.wrong(&place, "an answer has a status from 200 to 599");
            }
            let plan = AckPlan {
                status: ack.status,
                content_type: ack.content_type,
                body: ack.body,
            };
            acknowledgements.insert(outcome, plan);
        }
        for outcome in OUTCOMES {
            if !acknowledgements.contains_key(&outcome) {
                self.wrong(&place, format!("there is no answer for {outcome:?}"));
            }
        }
        Plan {
            name: file.name.get_ref().clone(),
            profile: Profile {
                title: file.title,
                standing: Standing::Founded,
                capability: Capability {
                    checkout: capability.checkout,
                    returns: capability.returns,
                    notice: capability.notice,
                    notices: vec![capability.notice],
                    settlement: capability.settlement,
                    naming: if capability.settlement == Settlement::Free {
                        Naming::Memo
                    } else {
                        Naming::Order
                    },
                    query: false,
                    refund: RefundSupport::None,
                    query_refund: false,
                    cancel: false,
                    token: false,
                    inquiry: false,
                },
                credentials: Vec::new(),
                order_ref: OrderRefForm::Text { characters_max: 34 },
                schedule: Schedule {
                    reply: 30,
                    poll: Vec::new(),
                    give_up: 86_400,
                    poll_refund: Vec::new(),
                    repeats: Vec::new(),
                },
                addresses: Addresses::default(),
            },
            messages,
            requests,
            acknowledgements,
            patterns: super::memo::Patterns::default(),
        }
    }

    fn signature(&mut self, file: Spanned<SignatureFile>) -> Option<SignaturePlan> {
        let place = file.span();
        let file = file.into_inner();
        let payload = match (file.fields, file.parts) {
            (Some(fields), None) => {
                if fields.alternatives.is_empty() {
                    self.wrong(&place, "a signature needs at least one alternative");
                    return None;
                }
                let set = match (fields.prefixes.is_empty(), fields.list.is_empty()) {
                    (false, true) => FieldSet::Prefixes {
                        prefixes: fields.prefixes,
                        except: fields.except,
                    },
                    (true, false) if fields.except.is_empty() => FieldSet::List(fields.list),
                    _ => {
                        self.wrong(&place, "signed fields are prefixes with except, or a list");
                        return None;
                    }
                };
                Payload::Fields(FieldsPayload {
                    set,
                    shape: fields.shape,
                    separator: fields.separator,
                    alternatives: fields.alternatives,
                })
            }
            (None, Some(parts)) => {
                if !parts.iter().any(|part| matches!(part, PartFile::Body(_))) {
                    self.wrong(&place, "signed parts must hold the body");
                }
                Payload::Parts(
                    parts
                        .into_iter()
                        .map(|part| match part {
                            PartFile::Header(name) => Part::Header(name),
                            PartFile::Text(text) => Part::Text(text),
                            PartFile::Body(_) => Part::Body,
                        })
                        .collect(),
                )
            }
            _ => {
                self.wrong(&place, "a signature covers either fields or parts");
                return None;
            }
        };
        Some(SignaturePlan {
            algorithm: file.digest,
            key: file.key,
            key_form: file.key_form,
            output: file.output,
            prefix: file.prefix,
            payload,
        })
    }
}

/// Names stand in addresses and folder names.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
