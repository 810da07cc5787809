//! `[message.*]` and `[reply.*]`: where the fields stand and what proves them.

use std::collections::BTreeMap;

use toml::Spanned;

use super::levels::Levels;
use super::{Compiler, Signatures, is_message};
use crate::contract::Flow;
use crate::recipe::file::{CarrierFile, FreshFile, MessageFile, ProofFile, ReplyFile};
use crate::recipe::plan::{
    Carrier, Duplicates, FieldSet, FieldsPayload, FreshPlan, MessagePlan, Part, Payload, ProofPlan,
    ReplyPlan, RoutePlan, SignaturePlan, Source,
};

impl Compiler<'_> {
    pub(super) fn message(
        &mut self,
        flow: Flow,
        file: &Spanned<MessageFile>,
        all: &BTreeMap<Flow, Spanned<MessageFile>>,
        signatures: &Signatures,
    ) -> Option<MessagePlan> {
        let place = file.span();
        if !is_message(flow) {
            self.wrong(&place, format!("{} is no [message]", flow.code()));
            return None;
        }
        let own = file.get_ref();
        let mut model = own;
        if let Some(name) = own.like {
            match all.get(&name).map(Spanned::get_ref) {
                Some(other) if other.like.is_none() => model = other,
                _ => {
                    self.wrong(&place, "like must name a message that is written out");
                    return None;
                }
            }
        }
        let source = own.source.or(model.source);
        let read = own.read.as_ref().or(model.read.as_ref());
        let proof_files = if own.proof.is_empty() {
            &model.proof
        } else {
            &own.proof
        };
        let inside = if own.inside.is_empty() {
            &model.inside
        } else {
            &own.inside
        };
        let each = own.each.as_ref().or(model.each.as_ref());
        let (Some(source), Some(read)) = (source, read) else {
            self.wrong(&place, "a message needs source and read");
            return None;
        };
        let mut levels = self.levels(&place, inside, each.map(String::as_str));
        let proofs: Vec<_> = proof_files
            .iter()
            .filter_map(|proof| self.proof(proof, Some(source), signatures, &mut levels))
            .collect();
        if proof_files.is_empty() {
            self.wrong(&place, "a message needs at least one proof");
        }
        let proof_levels = proof_levels(&proofs, &levels);
        let reading = self.reading(read, &mut levels)?;
        if flow.is_notice() && (reading.amount.is_none() || reading.status.is_none()) {
            self.wrong(&read.span(), "a notice needs amount and status");
        }
        let each = each.map(|path| levels.level(path));
        if levels.too_many() {
            self.wrong(&place, "the fields lie in too many objects");
        }
        let answers = self.answers(&own.acknowledge, signatures);
        Some(MessagePlan {
            route: RoutePlan {
                path_ends: own.route.path_ends.clone(),
                header: own.route.header.clone(),
            },
            source,
            duplicates: duplicates(&proofs),
            levels: if source == Source::None {
                Vec::new()
            } else {
                levels.finish()
            },
            proof_levels,
            proofs,
            reading,
            each,
            answers,
        })
    }

    pub(super) fn reply(
        &mut self,
        flow: Flow,
        file: &Spanned<ReplyFile>,
        all: &BTreeMap<Flow, Spanned<ReplyFile>>,
        signatures: &Signatures,
    ) -> Option<ReplyPlan> {
        let place = file.span();
        if flow.response().is_none() {
            self.wrong(&place, format!("{} has no [reply]", flow.code()));
            return None;
        }
        let own = file.get_ref();
        let mut model = own;
        if let Some(name) = own.like {
            match all.get(&name).map(Spanned::get_ref) {
                Some(other) if other.like.is_none() => model = other,
                _ => {
                    self.wrong(&place, "like must name a reply that is written out");
                    return None;
                }
            }
        }
        let (Some(source), Some(reception)) = (
            own.source.or(model.source),
            own.reception.as_ref().or(model.reception.as_ref()),
        ) else {
            self.wrong(&place, "a reply needs source and reception");
            return None;
        };
        let proof_files = if own.proof.is_empty() {
            &model.proof
        } else {
            &own.proof
        };
        if proof_files.is_empty() {
            self.wrong(&place, "a reply needs a proof, be it channel = \"tls\"");
        }
        let inside = if own.inside.is_empty() {
            &model.inside
        } else {
            &own.inside
        };
        let each = own.each.as_ref().or(model.each.as_ref());
        let mut levels = self.levels(&place, inside, each.map(String::as_str));
        let proofs: Vec<_> = proof_files
            .iter()
            .filter_map(|proof| self.proof(proof, None, signatures, &mut levels))
            .collect();
        let proof_levels = proof_levels(&proofs, &levels);
        let reading = match own.read.as_ref().or(model.read.as_ref()) {
            Some(read) => self.reading_leniently(read, &mut levels)?,
            None => crate::recipe::plan::ReadingPlan::default(),
        };
        let transfer = own.transfer.as_ref().or(model.transfer.as_ref());
        let transfers = match (each, transfer) {
            (None, None) => None,
            (Some(_), None) if flow == Flow::List => None,
            (Some(path), Some(transfer)) => {
                let reading = self.reading_leniently(transfer, &mut levels)?;
                if reading.amount.is_none() || reading.transaction_id.is_none() {
                    self.wrong(
                        &transfer.span(),
                        "a transfer needs transaction_id and amount",
                    );
                }
                Some((levels.level(path), reading))
            }
            _ => {
                self.wrong(&place, "each and transfer belong together");
                return None;
            }
        };
        let row = own.row.as_ref().or(model.row.as_ref());
        let rows = match (flow, each, row) {
            (Flow::List, Some(path), Some(row)) => {
                let reading = self.reading(row, &mut levels)?;
                if reading.amount.is_none()
                    || reading.transaction_id.is_none()
                    || reading.status.is_none()
                {
                    let why = "a row needs transaction_id, amount and status";
                    self.wrong(&row.span(), why);
                }
                Some((levels.level(path), reading))
            }
            (Flow::List, ..) => {
                self.wrong(&place, "[reply.list] needs each and row");
                return None;
            }
            (_, _, Some(row)) => {
                self.wrong(&row.span(), "only [reply.list] has rows");
                return None;
            }
            (_, _, None) => None,
        };
        let file = reception.get_ref();
        let reception = self.table(
            &reception.span(),
            &file.codes,
            &file.table,
            true,
            &mut levels,
        )?;
        let mut names = |own: &crate::recipe::file::Names, model: &crate::recipe::file::Names| {
            let names = if own.as_slice().is_empty() {
                model
            } else {
                own
            };
            levels.fields(names.as_slice())
        };
        let code = names(&own.code, &model.code);
        let message = names(&own.message, &model.message);
        let redirect = names(&own.redirect, &model.redirect);
        let qr = names(&own.qr, &model.qr);
        let provider_order = names(&own.provider_order, &model.provider_order);
        if levels.too_many() {
            self.wrong(&place, "the fields lie in too many objects");
        }
        Some(ReplyPlan {
            source,
            proof_levels,
            proofs,
            reading,
            transfers,
            rows,
            reception,
            code,
            message,
            redirect,
            qr,
            provider_order,
            levels: levels.finish(),
        })
    }

    fn proof(
        &mut self,
        file: &Spanned<ProofFile>,
        source: Option<Source>,
        signatures: &Signatures,
        levels: &mut Levels,
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
                basic: None,
                pair: None,
                fields: None,
                bearer: None,
                fixed: None,
                channel: None,
            } => {
                let signature = self.signature(&place, name, signatures, levels)?;
                let carrier = match carrier {
                    CarrierFile::Field(name) => Carrier::Field(levels.field(name)),
                    CarrierFile::Header(name) => Carrier::Header(name.clone()),
                    CarrierFile::HeaderPart([header, part]) => Carrier::HeaderPart {
                        header: header.clone(),
                        part: part.clone(),
                    },
                };
                self.signature_excludes_itself(&place, &signature, &carrier);
                let body = |part: &Part| matches!(part, Part::Body | Part::CanonicalBody);
                let signs_body =
                    matches!(&signature.payload, Payload::Parts(parts) if parts.iter().any(body));
                if signs_body && source == Some(Source::Query) {
                    self.wrong(&place, "a query has no body to sign");
                }
                let fresh = fresh
                    .as_ref()
                    .map(|fresh| self.fresh(&place, fresh, levels));
                Some(ProofPlan::Signature {
                    signature,
                    carrier,
                    fresh,
                })
            }
            ProofFile {
                signature: None,
                carried_by: None,
                fresh: None,
                credential: Some(credential),
                header: Some(header),
                scheme,
                basic: None,
                pair: None,
                fields: None,
                bearer: None,
                fixed: None,
                channel: None,
            } => {
                self.credential(&place, credential);
                Some(ProofPlan::Static {
                    credential: credential.clone(),
                    header: header.clone(),
                    scheme: scheme.clone(),
                })
            }
            ProofFile {
                signature: None,
                carried_by: None,
                fresh: None,
                credential: None,
                header: None,
                scheme: None,
                basic: Some([username, password]),
                pair: None,
                fields: None,
                bearer: None,
                fixed: None,
                channel: None,
            } => {
                self.credential(&place, username);
                self.credential(&place, password);
                Some(ProofPlan::Basic {
                    username: username.clone(),
                    password: password.clone(),
                })
            }
            ProofFile {
                signature: None,
                carried_by: None,
                fresh: None,
                credential: None,
                header: None,
                scheme: None,
                basic: None,
                pair: Some([username, password]),
                fields: Some([name, word]),
                bearer: None,
                fixed: None,
                channel: None,
            } => {
                self.credential(&place, username);
                self.credential(&place, password);
                Some(ProofPlan::Pair {
                    username: username.clone(),
                    password: password.clone(),
                    fields: [levels.field(name), levels.field(word)],
                })
            }
            ProofFile {
                signature: None,
                carried_by: None,
                fresh: None,
                credential: None,
                header: None,
                scheme: None,
                basic: None,
                pair: None,
                fields: None,
                bearer: Some([username, password]),
                fixed,
                channel: None,
            } => {
                for name in [username, password].into_iter().chain(fixed) {
                    self.credential(&place, name);
                }
                Some(ProofPlan::Bearer {
                    username: username.clone(),
                    password: password.clone(),
                    fixed: fixed.clone(),
                })
            }
            ProofFile {
                signature: None,
                carried_by: None,
                fresh: None,
                credential: None,
                header: None,
                scheme: None,
                basic: None,
                pair: None,
                fields: None,
                bearer: None,
                fixed: None,
                channel: Some(_),
            } => {
                // Whoever calls us is not known by the channel.
                if source.is_some() {
                    self.wrong(&place, "only a reply can be proven by its channel");
                }
                Some(ProofPlan::Channel)
            }
            _ => {
                self.wrong(
                    &place,
                    "a proof is signature with carried_by, credential with header, basic, pair with fields, bearer, or channel",
                );
                None
            }
        }
    }

    fn fresh(
        &mut self,
        place: &std::ops::Range<usize>,
        file: &FreshFile,
        levels: &mut Levels,
    ) -> FreshPlan {
        if file.window_seconds <= 0 {
            self.wrong(place, "a window is at least one second");
        }
        FreshPlan {
            from: levels.field(&file.from),
            format: file.format,
            window_seconds: file.window_seconds,
        }
    }
}

/// A signature over headers and the raw message is checked before anybody parses it.
fn proof_levels(proofs: &[ProofPlan], levels: &Levels) -> usize {
    let needs_fields = proofs.iter().any(|proof| match proof {
        ProofPlan::Signature {
            signature, carrier, ..
        } => {
            let unparsed = match &signature.payload {
                Payload::Parts(parts) => parts
                    .iter()
                    .all(|part| !matches!(part, Part::Field { .. } | Part::Fields(_))),
                Payload::Fields(_) | Payload::Formula { .. } => false,
            };
            !unparsed || matches!(carrier, Carrier::Field(_))
        }
        ProofPlan::Pair { .. } => true,
        _ => false,
    });
    if needs_fields { levels.count() } else { 0 }
}

/// Only what a signature by prefix covers can matter; otherwise every name may.
fn duplicates(proofs: &[ProofPlan]) -> Duplicates {
    let prefixes = proofs.iter().find_map(|proof| match proof {
        ProofPlan::Signature {
            signature:
                SignaturePlan {
                    payload:
                        Payload::Fields(FieldsPayload {
                            set: FieldSet::Prefixes { prefixes, .. },
                            ..
                        }),
                    ..
                },
            ..
        } => Some(prefixes.clone()),
        _ => None,
    });
    prefixes.map_or(Duplicates::All, Duplicates::Prefixes)
}
