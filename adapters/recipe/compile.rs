//! `adapter.toml` to a plan. Every mistake is found here, with its line, before the first message.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::file::{
    CarrierFile, CurrencyFile, MessageFile, OrderRefFile, PartFile, ProofFile, ReadingFile,
    RecipeFile, RequestFile, RequestValueFile, SignatureFile, StatusFile, TextFile,
};
use super::plan::{
    AckPlan, AmountPlan, Carrier, CurrencyPlan, DirectionPlan, Duplicates, FieldSet, FieldsPayload,
    FreshPlan, MerchantPlan, MessagePlan, OrderRefPlan, OrderValue, Part, Payload, Plan, ProofPlan,
    ReadingPlan, RequestPlan, RequestValue, SignaturePlan, Source, StatusPlan, StatusRow, TextPlan,
};
use super::values::TimeFormat;
use super::{RECIPE_BYTES_MAX, RecipeFault};
use crate::contract::{Capability, Flow, Outcome, Status};

/// Texts of requests are never longer than this, whatever a recipe says.
const REQUEST_TEXT_CHARACTERS_MAX: usize = 2_048;
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
pub(super) fn compile(file: &str, text: &str) -> Result<Plan, Vec<RecipeFault>> {
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
            title: file.title,
            capability: Capability {
                checkout: capability.checkout,
                returns: capability.returns,
                notice: capability.notice,
                settlement: capability.settlement,
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

    fn message(
        &mut self,
        flow: Flow,
        file: &Spanned<MessageFile>,
        all: &BTreeMap<Flow, Spanned<MessageFile>>,
        signatures: &Signatures,
    ) -> Option<MessagePlan> {
        let place = file.span();
        if matches!(flow, Flow::Create | Flow::Query | Flow::Refund) {
            self.wrong(
                &place,
                format!("{} is a [request], not a [message]", flow.code()),
            );
            return None;
        }
        let mut file = file.get_ref();
        if let Some(model) = file.like {
            if file.source.is_some() || !file.proof.is_empty() || file.read.is_some() {
                self.wrong(&place, "like takes everything from the other message");
            }
            match all.get(&model).map(Spanned::get_ref) {
                Some(other) if other.like.is_none() => file = other,
                _ => {
                    self.wrong(&place, "like must name a message that is written out");
                    return None;
                }
            }
        }
        let (Some(source), Some(read)) = (file.source, &file.read) else {
            self.wrong(&place, "a message needs source and read");
            return None;
        };
        let proofs: Vec<_> = file
            .proof
            .iter()
            .filter_map(|proof| self.proof(proof, source, signatures))
            .collect();
        if file.proof.is_empty() {
            self.wrong(&place, "a message needs at least one proof");
        }
        let reading = self.reading(read)?;
        if reading.amount.is_none() || reading.status.is_none() {
            self.wrong(&read.span(), "a notice needs amount and status");
        }
        Some(MessagePlan {
            source,
            duplicates: duplicates(&proofs),
            proofs,
            reading,
        })
    }

    fn proof(
        &mut self,
        file: &Spanned<ProofFile>,
        source: Source,
        signatures: &Signatures,
    ) -> Option<ProofPlan> {
        let place = file.span();
        match file.get_ref() {
            ProofFile {
                signature: Some(name),
                carried_by: Some(carrier),
                fresh,
                credential: None,
                header: None,
                scheme: None,
            } => {
                let Some(signature) = signatures.get(name) else {
                    self.wrong(&place, format!("there is no sound [signature.{name}]"));
                    return None;
                };
                let carrier = match carrier {
                    CarrierFile::Field(name) => Carrier::Field(name.clone()),
                    CarrierFile::Header(name) => Carrier::Header(name.clone()),
                };
                self.signature_excludes_itself(&place, signature, &carrier);
                if matches!(signature.payload, Payload::Parts(_)) && source == Source::Query {
                    self.wrong(&place, "a query has no body to sign");
                }
                if fresh
                    .as_ref()
                    .is_some_and(|fresh| fresh.window_seconds <= 0)
                {
                    self.wrong(&place, "a window is at least one second");
                }
                Some(ProofPlan::Signature {
                    signature: Arc::clone(signature),
                    carrier,
                    fresh: fresh.as_ref().map(|fresh| FreshPlan {
                        header: fresh.header.clone(),
                        format: fresh.format,
                        window_seconds: fresh.window_seconds,
                    }),
                })
            }
            ProofFile {
                signature: None,
                carried_by: None,
                fresh: None,
                credential: Some(credential),
                header: Some(header),
                scheme,
            } => Some(ProofPlan::Static {
                credential: credential.clone(),
                header: header.clone(),
                scheme: scheme.clone(),
            }),
            _ => {
                self.wrong(
                    &place,
                    "a proof is signature with carried_by, or credential with header",
                );
                None
            }
        }
    }

    fn signature_excludes_itself(
        &mut self,
        place: &Range<usize>,
        signature: &SignaturePlan,
        carrier: &Carrier,
    ) {
        let (Payload::Fields(payload), Carrier::Field(name)) = (&signature.payload, carrier) else {
            return;
        };
        let covered = match &payload.set {
            FieldSet::Prefixes { prefixes, except } => {
                prefixes
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_str()))
                    && !except.contains(name)
            }
            FieldSet::List(list) => list.contains(name),
        };
        if covered {
            self.wrong(
                place,
                format!("the signature covers {name}, which carries it"),
            );
        }
    }

    fn reading(&mut self, file: &Spanned<ReadingFile>) -> Option<ReadingPlan> {
        let place = file.span();
        let file = file.get_ref();
        if file.amount.as_ref().is_some_and(|amount| amount.scale < 1) {
            self.wrong(&place, "a scale is at least 1");
            return None;
        }
        let order_ref = match &file.order_ref {
            None => None,
            Some(OrderRefFile {
                from: Some(from),
                required,
                search,
                pattern: None,
            }) if search.is_empty() => Some(OrderRefPlan::Field(TextPlan {
                from: from.clone(),
                required: *required,
                none_when: Vec::new(),
            })),
            Some(OrderRefFile {
                from: None,
                required: false,
                search,
                pattern: Some(pattern),
            }) if !search.is_empty() => Some(OrderRefPlan::Search {
                fields: search.clone(),
                pattern: pattern.clone(),
            }),
            Some(_) => {
                self.wrong(
                    &place,
                    "order_ref is from a field, or search with a pattern",
                );
                return None;
            }
        };
        if file
            .merchant
            .as_ref()
            .is_some_and(|merchant| merchant.from.is_empty())
        {
            self.wrong(&place, "merchant needs a field");
        }
        let status = match &file.status {
            Some(status) => Some(self.status(&place, status)?),
            None => None,
        };
        Some(ReadingPlan {
            transaction_id: file.transaction_id.as_ref().map(text),
            order_ref,
            amount: file.amount.as_ref().map(|amount| AmountPlan {
                from: amount.from.clone(),
                scale: amount.scale,
                zero_fraction: amount.zero_fraction,
            }),
            currency: match &file.currency {
                CurrencyFile::Constant(code) => CurrencyPlan::Constant(code.clone()),
                CurrencyFile::From(name) => CurrencyPlan::Field(name.clone()),
            },
            occurred_at: file
                .occurred_at
                .as_ref()
                .map(|time| (time.from.clone(), time.format)),
            memo: file.memo.clone(),
            account: file.account.clone(),
            bank_reference: file.bank_reference.clone(),
            merchant: file.merchant.as_ref().map(|merchant| MerchantPlan {
                fields: merchant.from.clone(),
                credential: merchant.credential.clone(),
            }),
            direction: file.direction.as_ref().map(|direction| DirectionPlan {
                from: direction.from.clone(),
                incoming: direction.incoming.clone(),
                outgoing: direction.outgoing.clone(),
            }),
            status,
        })
    }

    fn status(&mut self, place: &Range<usize>, file: &StatusFile) -> Option<StatusPlan> {
        match (file.always, file.codes.is_empty(), file.table.last()) {
            (Some(status), true, None) => Some(StatusPlan::Always(status)),
            (None, false, Some(last)) => {
                for row in &file.table {
                    if row.get_ref().when.len() != file.codes.len() {
                        self.wrong(&row.span(), "a row has one text for each code");
                        return None;
                    }
                }
                let last_row = last.get_ref();
                if last_row.when.iter().any(|code| code != "*") {
                    self.wrong(&last.span(), "the last row must fit every code");
                }
                if last_row.is == Status::Paid {
                    self.wrong(&last.span(), "an unknown code is never a payment");
                }
                let rows = file
                    .table
                    .iter()
                    .map(Spanned::get_ref)
                    .map(|row| StatusRow {
                        when: row
                            .when
                            .iter()
                            .map(|code| (code != "*").then(|| code.clone()))
                            .collect(),
                        status: row.is,
                    });
                Some(StatusPlan::Table {
                    codes: file.codes.clone(),
                    rows: rows.collect(),
                })
            }
            _ => {
                self.wrong(place, "status is always one, or codes with a table");
                None
            }
        }
    }

    fn request(
        &mut self,
        flow: Flow,
        file: Spanned<RequestFile>,
        signatures: &Signatures,
    ) -> Option<RequestPlan> {
        let place = file.span();
        let file = file.into_inner();
        if matches!(flow, Flow::Ipn | Flow::Return | Flow::Webhook) {
            self.wrong(
                &place,
                format!("{} is a [message], not a [request]", flow.code()),
            );
        }
        let Some(signature) = signatures.get(&file.signature) else {
            self.wrong(
                &place,
                format!("there is no sound [signature.{}]", file.signature),
            );
            return None;
        };
        if !matches!(signature.payload, Payload::Fields(_)) {
            self.wrong(&place, "a request signs fields");
        }
        let carrier = Carrier::Field(file.signature_field.clone());
        self.signature_excludes_itself(&place, signature, &carrier);
        let fields = file
            .fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, self.request_value(value)?)))
            .collect();
        Some(RequestPlan {
            method: file.method,
            address: file.address,
            carrier: file.carrier,
            signature: Arc::clone(signature),
            signature_field: file.signature_field,
            fields,
            reading: self.reading(&file.read)?,
        })
    }

    fn request_value(&mut self, file: Spanned<RequestValueFile>) -> Option<RequestValue> {
        let place = file.span();
        match file.into_inner() {
            RequestValueFile {
                text: Some(text),
                credential: None,
                order: None,
                ..
            } => Some(RequestValue::Text(text)),
            RequestValueFile {
                text: None,
                credential: Some(credential),
                order: None,
                ..
            } => Some(RequestValue::Credential(credential)),
            RequestValueFile {
                text: None,
                credential: None,
                order: Some(member),
                scale,
                format,
                characters_max,
                plain,
            } => Some(RequestValue::Order(OrderValue {
                member,
                scale: scale.unwrap_or(1).max(1),
                format: format.unwrap_or(TimeFormat::UnixSeconds),
                characters_max: characters_max
                    .unwrap_or(REQUEST_TEXT_CHARACTERS_MAX)
                    .min(REQUEST_TEXT_CHARACTERS_MAX),
                plain,
            })),
            RequestValueFile { .. } => {
                self.wrong(&place, "a value is one of text, credential, order");
                None
            }
        }
    }
}

/// Only what a signature by prefix covers can matter; otherwise every name may.
fn duplicates(proofs: &[ProofPlan]) -> Duplicates {
    let prefixes = proofs.iter().find_map(|proof| match proof {
        ProofPlan::Signature { signature, .. } => match &signature.payload {
            Payload::Fields(FieldsPayload {
                set: FieldSet::Prefixes { prefixes, .. },
                ..
            }) => Some(prefixes.clone()),
            Payload::Fields(_) | Payload::Parts(_) => None,
        },
        ProofPlan::Static { .. } => None,
    });
    prefixes.map_or(Duplicates::All, Duplicates::Prefixes)
}

fn text(file: &TextFile) -> TextPlan {
    TextPlan {
        from: file.from.clone(),
        required: file.required,
        none_when: file.none_when.clone(),
    }
}

/// Names stand in addresses and folder names.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
