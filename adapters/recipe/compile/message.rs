//! `[message.*]`: where the fields stand and what proves them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::{Compiler, Signatures};
use crate::contract::Flow;
use crate::recipe::file::{CarrierFile, MessageFile, ProofFile};
use crate::recipe::plan::{
    Carrier, Duplicates, FieldSet, FieldsPayload, FreshPlan, MessagePlan, Payload, ProofPlan,
    SignaturePlan, Source,
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
        if !flow.is_notice() {
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

    pub(super) fn signature_excludes_itself(
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
