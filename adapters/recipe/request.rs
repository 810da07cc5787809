//! Messages of ours: an errand or a set of fields to a signed call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::encoding::{self, Marks, Space};
use super::formula::Formulas;
use super::json;
use super::message::Message;
use super::payload::{Context, Text};
use super::plan::{Member, MemberValue, RequestBody, RequestPlan, RequestValue, SignedBy};
use super::secrets::Secrets;
use super::template::Template;
use super::values;
use crate::contract::{Call, Errand, Fault, Inbound, ListQuestion, Vnd};

/// Replaces the address of a request; for vectors, which name whole addresses.
pub(super) const ADDRESS_OVERRIDE: &str = "@url";

/// What a request is about.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    Errand(&'a Errand<'a>),
    /// A part of the provider's list, and the rows of a page.
    List(&'a ListQuestion<'a>, usize),
}

/// A request that is built, its parts not yet put together.
pub(super) struct Built<'p> {
    pub(super) url: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) text: Option<Text<'p>>,
    pub(super) signature: Option<String>,
}

impl RequestPlan {
    /// The provider's fields, unsigned.
    ///
    /// # Errors
    /// [`Fault`] naming the field the provider would refuse.
    pub(super) fn fields_of(
        &self,
        about: About<'_>,
        secrets: Secrets<'_>,
    ) -> Result<Vec<(String, String)>, Fault> {
        let mut fields = Vec::with_capacity(self.fields.len());
        for (name, field) in &self.fields {
            let wrong = |why: &str| Fault::never(format!("{name} cannot be written: {why}"));
            let text = match &field.value {
                RequestValue::Text(text) => Some(text.clone()),
                RequestValue::Credential(credential) => {
                    let value = secrets.get(credential);
                    if value.is_none() && !field.optional {
                        return Err(unconfigured(credential));
                    }
                    value.map(str::to_owned)
                }
                RequestValue::Template(template) => {
                    let filled = template.fill(|place| {
                        let text = about.place(place, secrets)?;
                        let mut escaped = Vec::new();
                        json::escape(&text, &mut escaped);
                        String::from_utf8(escaped).ok()
                    });
                    match filled {
                        Ok(text) => Some(text),
                        Err(_) if field.optional => None,
                        Err(place) => return Err(wrong(&format!("{place} is not known"))),
                    }
                }
                RequestValue::Member(value) => match value.text(about) {
                    Ok(text) => Some(text),
                    Err("it is empty") if field.optional => None,
                    Err(why) => return Err(wrong(why)),
                },
                RequestValue::RefundKind { whole, part } => {
                    let About::Errand(errand) = about else {
                        return Err(wrong("it is no refund"));
                    };
                    let refund = errand.refund.ok_or_else(|| wrong("it is no refund"))?;
                    let kind = if refund.amount == errand.order.amount {
                        whole
                    } else {
                        part
                    };
                    Some(kind.clone())
                }
            };
            match text {
                Some(text) => fields.push((name.clone(), text)),
                None if field.optional => {}
                None => return Err(wrong("it is empty")),
            }
        }
        Ok(self.in_order(fields))
    }

    fn in_order(&self, mut fields: Vec<(String, String)>) -> Vec<(String, String)> {
        let rank = |name: &str| {
            self.order
                .iter()
                .position(|other| other == name)
                .unwrap_or(usize::MAX)
        };
        fields.sort_by(|left, right| {
            (rank(&left.0), left.0.as_bytes()).cmp(&(rank(&right.0), right.0.as_bytes()))
        });
        fields
    }

    /// Signs the fields.
    ///
    /// # Errors
    /// [`Fault`] when an address or key is not configured.
    pub(super) fn build(
        &self,
        fields: &[(String, String)],
        about: Option<About<'_>>,
        secrets: Secrets<'_>,
        formulas: &Formulas,
    ) -> Result<Built<'_>, Fault> {
        let place = |name: &str| match about {
            Some(about) => about.place(name, secrets),
            None => secrets.get(name).map(str::to_owned),
        };
        let url = self.url(&self.address, &place, secrets)?;
        let mut built = Built {
            url,
            fields: self.in_order(fields.to_vec()),
            text: None,
            signature: None,
        };
        let Some(plan) = &self.signature else {
            return Ok(built);
        };
        let (key, output) = plan
            .key(secrets, formulas)
            .map_err(|rejection| Fault::never(rejection.detail))?;
        let empty = Inbound {
            method: self.method.clone(),
            ..Inbound::default()
        };
        let message = Message::plain(&empty, &built.fields);
        let context = Context {
            message: &message,
            secrets,
            formulas,
            address: &place,
        };
        let mut text = Text::default();
        plan.payload
            .write(plan.payload.documented(), &context, &mut text)
            .map_err(|rejection| Fault::never(rejection.detail))?;
        let signature = key
            .sign(&text.bytes, output)
            .ok_or_else(|| Fault::never(format!("the credential {} cannot sign", plan.key)))?;
        built.text = Some(text);
        built.signature = Some(format!("{}{signature}", plan.prefix));
        Ok(built)
    }

    fn url(
        &self,
        template: &Template,
        place: &dyn Fn(&str) -> Option<String>,
        secrets: Secrets<'_>,
    ) -> Result<String, Fault> {
        if let Some(url) = secrets.get(ADDRESS_OVERRIDE) {
            return Ok(url.to_owned());
        }
        template
            .fill(|name| {
                let text = place(name)?;
                // Addresses of ours come as they are; what stands inside a path is escaped.
                if name.ends_with("_url") {
                    return Some(text.trim_end_matches('/').to_owned());
                }
                let mut escaped = Vec::new();
                encoding::encode(
                    text.as_bytes(),
                    Space::Percent,
                    Marks::default(),
                    &mut escaped,
                );
                String::from_utf8(escaped).ok()
            })
            .map_err(|name| unconfigured(&name))
    }

    /// # Errors
    /// [`Fault`] when a header cannot be written.
    pub(super) fn call(
        &self,
        built: Built<'_>,
        about: Option<About<'_>>,
        secrets: Secrets<'_>,
    ) -> Result<Call, Fault> {
        let Built {
            url,
            mut fields,
            signature,
            ..
        } = built;
        let mut headers = Vec::new();
        if let Some((name, password)) = &self.basic {
            let name = secrets.get(name).ok_or_else(|| unconfigured(name))?;
            let password = secrets
                .get(password)
                .ok_or_else(|| unconfigured(password))?;
            let packed = STANDARD.encode(format!("{name}:{password}"));
            headers.push(("authorization".to_owned(), format!("Basic {packed}")));
        }
        let mut header = |name: &str, template: &Template| {
            let value = template
                .fill(|place| match place {
                    "signature" => signature.clone(),
                    _ => match about {
                        Some(about) => about.place(place, secrets),
                        None => secrets
                            .get(place)
                            .map(str::to_owned)
                            .or_else(|| field_of(&fields, place)),
                    },
                })
                .map_err(|place| unconfigured(&place))?;
            if value.contains(char::is_control) {
                return Err(Fault::never(format!("the header {name} cannot be written")));
            }
            headers.push((name.to_owned(), value));
            Ok(())
        };
        for (name, template) in &self.headers {
            header(name, template)?;
        }
        match (&self.signed_by, &signature) {
            (Some(SignedBy::Header { name, value }), Some(_)) => header(name, value)?,
            (Some(SignedBy::Field(name)), Some(signature))
                if self.carrier != RequestBody::Base64Query =>
            {
                fields.push((name.clone(), signature.clone()));
            }
            _ => {}
        }
        let mut call = Call {
            method: self.method.clone(),
            url,
            headers,
            body: Vec::new(),
        };
        let mut typed = |kind: &str| {
            call.headers
                .push(("content-type".to_owned(), kind.to_owned()));
        };
        match self.carrier {
            RequestBody::Query | RequestBody::Get => {
                let text = form(fields.iter().filter(|(_, value)| !value.is_empty()));
                if !text.is_empty() {
                    let mark = if call.url.contains('?') { '&' } else { '?' };
                    call.url = format!("{}{mark}{text}", call.url);
                }
            }
            RequestBody::Form | RequestBody::BrowserForm => {
                typed("application/x-www-form-urlencoded");
                call.body = form(fields.iter()).into_bytes();
            }
            RequestBody::Json => {
                typed("application/json");
                call.body = self.json(&fields);
            }
            RequestBody::Base64Query => {
                let packed = STANDARD.encode(self.json(&fields));
                let mut pairs = vec![("baseEncode".to_owned(), packed)];
                if let (Some(SignedBy::Field(name)), Some(signature)) =
                    (&self.signed_by, &signature)
                {
                    pairs.push((name.clone(), signature.clone()));
                }
                let mark = if call.url.contains('?') { '&' } else { '?' };
                call.url = format!("{}{mark}{}", call.url, form(pairs.iter()));
            }
        }
        Ok(call)
    }

    fn json(&self, fields: &[(String, String)]) -> Vec<u8> {
        let mut body = vec![b'{'];
        for (place, (name, value)) in fields.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            json::string(name, &mut body);
            body.push(b':');
            let number = self
                .fields
                .iter()
                .any(|(other, field)| other == name && field.number);
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            if number && (digits || matches!(value.as_str(), "true" | "false")) {
                body.extend_from_slice(value.as_bytes());
            } else {
                json::string(value, &mut body);
            }
        }
        body.push(b'}');
        body
    }
}

fn field_of(fields: &[(String, String)], name: &str) -> Option<String> {
    let (_, value) = fields.iter().find(|(other, _)| other == name)?;
    Some(value.clone())
}

fn form<'f>(fields: impl Iterator<Item = &'f (String, String)>) -> String {
    let mut text = Vec::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push(b'&');
        }
        encoding::encode(name.as_bytes(), Space::Plus, Marks::default(), &mut text);
        text.push(b'=');
        encoding::encode(value.as_bytes(), Space::Plus, Marks::default(), &mut text);
    }
    String::from_utf8(text).unwrap_or_default()
}

impl About<'_> {
    /// A place of a template: what the request is about, else a credential.
    fn place(self, name: &str, secrets: Secrets<'_>) -> Option<String> {
        let credential = || secrets.get(name).map(str::to_owned);
        let errand = match self {
            Self::Errand(errand) => errand,
            Self::List(question, _) => {
                return match name {
                    "at" => Some(question.at_unix.to_string()),
                    _ => credential(),
                };
            }
        };
        let order = errand.order;
        let refund = errand.refund;
        let text = match name {
            "order_ref" => order.order_ref.clone(),
            "amount" => order.amount.get().to_string(),
            "description" => order.description.clone(),
            "return_url" => order.return_url.clone(),
            "notice_url" => order.notice_url.clone(),
            "payer_ip" => order.payer_ip.clone(),
            "request_id" => errand.request_id.to_owned(),
            "at" => errand.at_unix.to_string(),
            "transaction_id" => errand.transaction_id?.to_owned(),
            "provider_order" => errand.provider_order?.to_owned(),
            "refund_ref" => refund?.refund_ref.to_owned(),
            "refund_amount" => refund?.amount.get().to_string(),
            "provider_refund" => refund?.provider_refund?.to_owned(),
            _ => return credential(),
        };
        Some(text)
    }
}

/// Names a template of a request may use besides credentials.
pub(super) const PLACES: [&str; 14] = [
    "order_ref",
    "amount",
    "description",
    "return_url",
    "notice_url",
    "payer_ip",
    "request_id",
    "at",
    "transaction_id",
    "provider_order",
    "refund_ref",
    "refund_amount",
    "provider_refund",
    "signature",
];

/// Those of them that a question for the list knows.
pub(super) const LIST_PLACES: [&str; 2] = ["at", "signature"];

impl MemberValue {
    fn text(&self, about: About<'_>) -> Result<String, &'static str> {
        let text = match about {
            About::Errand(errand) => self.of_errand(errand)?,
            About::List(question, size) => self.of_list(question, size)?,
        };
        if text.is_empty() {
            return Err("it is empty");
        }
        if self.digits && !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("it is not a number");
        }
        if self.plain {
            return plain(&text, self.characters_max);
        }
        if text.chars().count() > self.characters_max {
            return Err("it is too long");
        }
        Ok(text)
    }

    fn moment(&self, unix: i64) -> Result<String, &'static str> {
        values::moment_text(unix, self.format).ok_or("the time is out of range")
    }

    fn of_errand(&self, errand: &Errand<'_>) -> Result<String, &'static str> {
        let order = errand.order;
        let refund = || errand.refund.ok_or("it is no refund");
        let moment = |unix| self.moment(unix);
        Ok(match self.member {
            Member::OrderRef => order.order_ref.clone(),
            Member::Description => order.description.clone(),
            Member::PayerIp => order.payer_ip.clone(),
            Member::ReturnUrl => order.return_url.clone(),
            Member::NoticeUrl => order.notice_url.clone(),
            Member::CreatedAt => moment(order.created_at_unix)?,
            Member::ExpiresAt => moment(order.expires_at_unix)?,
            Member::Amount => self.amount(order.amount)?,
            Member::RequestId => errand.request_id.to_owned(),
            Member::At => moment(errand.at_unix)?,
            Member::TransactionId => errand.transaction_id.unwrap_or_default().to_owned(),
            Member::ProviderOrder => errand.provider_order.unwrap_or_default().to_owned(),
            Member::RefundRef => refund()?.refund_ref.to_owned(),
            Member::RefundAmount => self.amount(refund()?.amount)?,
            Member::RefundReason => refund()?.reason.to_owned(),
            Member::RefundBy => refund()?.requested_by.to_owned(),
            Member::ProviderRefund => refund()?.provider_refund.unwrap_or_default().to_owned(),
            Member::ListFrom
            | Member::ListUntil
            | Member::ListAfter
            | Member::ListPage
            | Member::ListSize => return Err("it is no question for the list"),
        })
    }

    fn of_list(&self, question: &ListQuestion<'_>, size: usize) -> Result<String, &'static str> {
        let moment = |unix: Option<i64>| unix.map_or(Ok(String::new()), |unix| self.moment(unix));
        match self.member {
            Member::At => self.moment(question.at_unix),
            Member::ListFrom => moment(question.from_unix),
            Member::ListUntil => moment(question.until_unix),
            Member::ListAfter => Ok(question.after.unwrap_or_default().to_owned()),
            Member::ListPage => Ok(question.page.to_string()),
            Member::ListSize => Ok(size.to_string()),
            _ => Err("a question for the list knows no order"),
        }
    }

    fn amount(&self, amount: Vnd) -> Result<String, &'static str> {
        if !amount.is_positive() {
            return Err("the amount is not positive");
        }
        let scaled = amount
            .checked_mul(self.scale)
            .ok_or("the amount is too large")?;
        Ok(scaled.get().to_string())
    }
}

/// Free text as the strictest provider takes it: signs that are encoded differently by different
/// languages become spaces, and the end is cut. Accents are refused: removing them is the caller's
/// choice.
fn plain(text: &str, characters_max: usize) -> Result<String, &'static str> {
    if !text.is_ascii() {
        return Err("it has letters with accents");
    }
    let safe = |sign: char| {
        if sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.' | ':' | ',' | '/') {
            sign
        } else {
            ' '
        }
    };
    Ok(text.chars().map(safe).take(characters_max).collect())
}

fn unconfigured(name: &str) -> Fault {
    Fault::never(format!("the credential {name} is not configured"))
}
