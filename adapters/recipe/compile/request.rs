//! `[request.*]`: messages of ours.

use toml::Spanned;

use super::levels::Levels;
use super::{Compiler, Signatures};
use crate::contract::Flow;
use crate::recipe::file::{EntryFile, RequestFile, RequestValueFile};
use crate::recipe::plan::{
    Carrier, Form, Member, MemberValue, Part, Payload, ReadingPlan, RequestField, RequestPlan,
    RequestValue, SignedBy,
};
use crate::recipe::request::{LIST_PLACES, PLACES};
use crate::recipe::template::Template;
use crate::recipe::values::TimeFormat;

/// Texts of requests are never longer than this, whatever a recipe says.
const REQUEST_TEXT_CHARACTERS_MAX: usize = 2_048;

impl Compiler<'_> {
    pub(super) fn request(
        &mut self,
        flow: Flow,
        spanned: &Spanned<RequestFile>,
        signatures: &Signatures,
    ) -> Option<RequestPlan> {
        let place = spanned.span();
        let file = spanned.get_ref();
        if flow.response().is_none() {
            self.wrong(&place, format!("{} is no [request]", flow.code()));
            return None;
        }
        let mut levels = Levels::new(&std::collections::BTreeMap::<String, Form>::new(), None);
        let signature = match &file.signature {
            Some(name) => Some(self.signature(&place, name, signatures, &mut levels)?),
            None => None,
        };
        if let Some(signature) = &signature {
            let received = match &signature.payload {
                Payload::Parts(parts) => parts.iter().any(|part| {
                    matches!(
                        part,
                        Part::Header(_)
                            | Part::HeaderItem { .. }
                            | Part::Body
                            | Part::CanonicalBody
                    )
                }),
                Payload::Fields(_) | Payload::Formula { .. } => false,
            };
            if received {
                self.wrong(&place, "a request signs fields, not what is received");
            }
        }
        let signed_by = match (&file.signature_field, &file.signature_header) {
            (Some(field), None) => Some(SignedBy::Field(field.clone())),
            (None, Some(header)) => Some(SignedBy::Header {
                name: header.name.clone(),
                value: self.template(&place, &header.value),
            }),
            (None, None) => None,
            (Some(_), Some(_)) => {
                self.wrong(&place, "a signature stands in a field or in a header");
                return None;
            }
        };
        if signature.is_some() != signed_by.is_some() {
            self.wrong(&place, "signature and where it stands go together");
        }
        if let (Some(signature), Some(SignedBy::Field(field))) = (&signature, &signed_by) {
            let carrier = Carrier::Field(levels.field(field));
            self.signature_excludes_itself(&place, signature, &carrier);
        }
        if let Some([name, password]) = &file.basic {
            self.credential(&place, name);
            self.credential(&place, password);
        }
        self.of_list_or_not(flow, spanned);
        let mut fields = Vec::new();
        for (name, value) in &file.fields {
            if let Some(value) = self.request_value(value) {
                fields.push((name.clone(), value));
            }
        }
        let mut order = file.order.clone();
        if order.is_empty()
            && let Some(signed) = file
                .signature
                .as_ref()
                .and_then(|name| signatures.get(name))
                .and_then(|signature| signature.get_ref().fields.as_ref())
        {
            order = signed
                .list
                .iter()
                .map(|entry| match entry {
                    EntryFile::Field(name) | EntryFile::Credential { name, .. } => name.clone(),
                })
                .collect();
        }
        let headers = file
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), self.template(&place, value)))
            .collect();
        let reading = match &file.read {
            Some(read) => self.reading(read, &mut levels)?,
            None => ReadingPlan::default(),
        };
        Some(RequestPlan {
            method: file.method.clone(),
            address: self.template(&place, &file.url),
            carrier: file.carrier,
            signature,
            signed_by,
            headers,
            basic: file.basic.clone().map(|[name, password]| (name, password)),
            fields,
            order,
            reading,
        })
    }

    /// A question for the list knows no order, and everything else no list.
    fn of_list_or_not(&mut self, flow: Flow, spanned: &Spanned<RequestFile>) {
        let file = spanned.get_ref();
        let is_list = flow == Flow::List;
        for value in file.fields.values() {
            let (place, value) = (value.span(), value.get_ref());
            let fits = match value.from {
                Some(Member::At) | None => true,
                Some(member) => member.is_of_list() == is_list,
            };
            if !fits || is_list && value.refund_kind.is_some() {
                self.wrong(&place, format!("[request.{}] cannot say this", flow.code()));
            }
        }
        if !is_list {
            return;
        }
        let texts = file.fields.values().map(Spanned::get_ref);
        let texts = texts.filter_map(|value| value.template.as_ref());
        let header = file.signature_header.iter().map(|header| &header.value);
        let texts = texts.chain(header).chain(file.headers.values());
        for text in texts.chain([&file.url]) {
            for name in Template::new(text).names() {
                if PLACES.contains(&name) && !LIST_PLACES.contains(&name) {
                    let reason = format!("{{{name}}} is not known when the list is asked for");
                    self.wrong(&spanned.span(), reason);
                }
            }
        }
    }

    fn template(&mut self, place: &std::ops::Range<usize>, text: &str) -> Template {
        let template = Template::new(text);
        let unknown: Vec<String> = template
            .names()
            .filter(|name| !PLACES.contains(name))
            .map(str::to_owned)
            .collect();
        for name in unknown {
            self.credential(place, &name);
        }
        template
    }

    fn request_value(&mut self, spanned: &Spanned<RequestValueFile>) -> Option<RequestField> {
        let place = spanned.span();
        let file = spanned.get_ref();
        let value = match (
            &file.text,
            &file.credential,
            &file.template,
            file.from,
            &file.refund_kind,
        ) {
            (Some(text), None, None, None, None) => RequestValue::Text(text.clone()),
            (None, Some(credential), None, None, None) => {
                self.credential(&place, credential);
                RequestValue::Credential(credential.clone())
            }
            (None, None, Some(template), None, None) => {
                RequestValue::Template(self.template(&place, template))
            }
            (None, None, None, Some(member), None) => RequestValue::Member(MemberValue {
                member,
                scale: file.scale.unwrap_or(1).max(1),
                format: file.format.unwrap_or(TimeFormat::UnixSeconds),
                characters_max: file
                    .characters_max
                    .unwrap_or(REQUEST_TEXT_CHARACTERS_MAX)
                    .min(REQUEST_TEXT_CHARACTERS_MAX),
                plain: file.plain,
                digits: file.number,
            }),
            (None, None, None, None, Some([whole, part])) => RequestValue::RefundKind {
                whole: whole.clone(),
                part: part.clone(),
            },
            _ => {
                self.wrong(
                    &place,
                    "a value is one of text, credential, template, from, refund_kind",
                );
                return None;
            }
        };
        Some(RequestField {
            value,
            number: file.number,
            optional: file.optional,
        })
    }
}
