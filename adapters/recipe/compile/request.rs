//! `[request.*]`: messages of ours.

use std::sync::Arc;

use toml::Spanned;

use super::{Compiler, Signatures};
use crate::contract::Flow;
use crate::recipe::file::{RequestFile, RequestValueFile};
use crate::recipe::plan::{Carrier, OrderValue, Payload, RequestPlan, RequestValue};
use crate::recipe::values::TimeFormat;

/// Texts of requests are never longer than this, whatever a recipe says.
const REQUEST_TEXT_CHARACTERS_MAX: usize = 2_048;

impl Compiler<'_> {
    pub(super) fn request(
        &mut self,
        flow: Flow,
        file: Spanned<RequestFile>,
        signatures: &Signatures,
    ) -> Option<RequestPlan> {
        let place = file.span();
        let file = file.into_inner();
        if flow.is_inbound() {
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
