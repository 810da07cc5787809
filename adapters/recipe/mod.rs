//! Providers that are only a description: the engine behind `adapter.toml`.
//!
//! A recipe says where the fields of a message stand, what is signed and how, how codes become a
//! status, what to answer, what to send and how to read the reply. It is compiled once into a plan;
//! a mistake is reported with file, line and reason and keeps that one provider off.
//!
//! To add a provider, start from `hocphi adapters new NAME` or copy the folder of one that is alike,
//! change `adapter.toml`, and run `hocphi adapters test NAME vectors.json` until it is green. To add
//! a primitive: a member in `file/`, its meaning in `plan/`, its checks in `compile/`, its work in
//! `payload.rs` and `signed_fields.rs` (what is signed), `proof.rs` (what proves), `reading.rs` (what
//! it says), `answer.rs` (what we answer), `request.rs` (what we send) or `reply.rs` (what comes back).

mod answer;
mod compile;
mod diagnosis;
mod encoding;
mod fields;
mod file;
mod form;
mod formula;
mod json;
mod memo;
mod message;
mod payload;
mod plan;
mod proof;
mod reading;
mod reply;
mod request;
mod secrets;
mod signed_fields;
mod template;
mod values;

use std::fmt;

use self::answer::Said;
use self::fields::malformed;
use self::message::{Message, Store};
use self::plan::{MessagePlan, Plan, RequestBody, Source};
use self::proof::{Explained, Means};
use self::request::About;
use self::secrets::Secrets;
use crate::contract::{
    Ack, Adapter, Call, Checkout, Credentials, Errand, Fault, Flow, Inbound, Inquiry,
    InquiryAnswer, Inspection, IssuedToken, ListQuestion, Listing, Notices, Observation, Outcome,
    Profile, Received, Rejection, Reply, Verified,
};

/// Longest recipe that is read.
pub(crate) const RECIPE_BYTES_MAX: usize = 256 * 1024;

/// A mistake in a recipe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", match line { 0 => file.clone(), line => format!("{file}:{line}") })]
pub struct RecipeFault {
    pub file: String,
    /// From 1; 0 when the file could not be read at all.
    pub line: usize,
    pub reason: String,
}

/// A provider made of a compiled `adapter.toml`.
pub struct Recipe(Plan);

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipe").field(&self.0.name).finish()
    }
}

impl Recipe {
    /// Compiles the text of an `adapter.toml`. `file` names it in faults.
    ///
    /// # Errors
    /// All mistakes found, in order of lines; never empty.
    pub fn compile(file: &str, text: &str) -> Result<Self, Vec<RecipeFault>> {
        compile::compile(file, text).map(Self)
    }

    /// The provider's name for people.
    pub fn title(&self) -> &str {
        &self.0.profile.title
    }

    fn secrets<'a>(&'a self, credentials: &'a Credentials) -> Secrets<'a> {
        Secrets::new(credentials, &self.0.defaults)
    }

    fn means<'a>(&'a self, credentials: &'a Credentials) -> Means<'a> {
        Means {
            secrets: self.secrets(credentials),
            formulas: &self.0.formulas,
        }
    }

    /// Opens a message as far as its proof needs, checks it, and opens the rest.
    fn proven<'a>(
        &self,
        plan: &'a MessagePlan,
        inbound: &'a Inbound,
        credentials: &Credentials,
        store: &'a Store,
    ) -> Result<Message<'a>, Rejection> {
        let mut message = Message::closed(inbound);
        let (source, duplicates) = (plan.source, &plan.duplicates);
        message.open(source, duplicates, &plan.levels, plan.proof_levels, store)?;
        proof::check(&plan.proofs, &message, self.means(credentials))?;
        let all = plan.levels.len();
        message.open(source, duplicates, &plan.levels, all, store)?;
        Ok(message)
    }

    fn message_plan(&self, flow: Flow) -> Result<&MessagePlan, Rejection> {
        self.0
            .messages
            .get(&flow)
            .ok_or_else(|| malformed(format!("{} sends no {}", self.0.name, flow.code())))
    }

    fn shown(&self, explained: Option<Explained<'_>>, inspection: &mut Inspection) {
        let Some(explained) = explained else {
            return;
        };
        let is_secret = |name: &str| self.0.secrets.iter().any(|secret| secret == name);
        inspection.canonical = Some(explained.text.canonical(is_secret));
        inspection.signature = explained.signature;
        inspection.given = explained.given;
        inspection.digest = Some(explained.digest);
    }

    fn inspect_message(
        &self,
        plan: &MessagePlan,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Inspection {
        let store = Store::default();
        let mut message = Message::closed(inbound);
        message.open_leniently(plan.source, &plan.levels, &store);
        let means = self.means(credentials);
        let (secrets, patterns) = (means.secrets, &self.0.patterns);
        let mut inspection = Inspection::default();
        match plan.each {
            Some(list) => {
                let items = message.items(&plan.levels, list).unwrap_or_default();
                inspection.items = items
                    .iter()
                    .filter_map(|item| item.message.as_ref().ok())
                    .map(|item| plan.reading.claims(item, secrets, patterns))
                    .collect();
                inspection.claimed.currency = plan.reading.currency.read(&message).ok();
            }
            None => inspection.claimed = plan.reading.claims(&message, secrets, patterns),
        }
        self.shown(
            proof::explain(&plan.proofs, &message, means),
            &mut inspection,
        );
        // What is right and only late, say, needs no search for a mistake.
        let differs = match (&inspection.given, &inspection.signature) {
            (Some(given), Some(right)) => !given.eq_ignore_ascii_case(right),
            (given, _) => given.is_some(),
        };
        if differs
            && let Some(signature) = proof::signature_in_use(&plan.proofs, &message, secrets)
            && proof::check(&plan.proofs, &message, means).is_err()
        {
            inspection.mistake = diagnosis::find(
                signature,
                &message,
                means,
                inspection.given.as_deref(),
                &self.0,
            );
        }
        inspection
    }
}

impl Adapter for Recipe {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn profile(&self) -> &Profile {
        &self.0.profile
    }

    fn route(&self, inbound: &Inbound) -> Flow {
        let path = inbound.path.trim_end_matches('/');
        let by_path = self.0.messages.iter().find(|(_, plan)| {
            let ends = &plan.route.path_ends;
            ends.iter().any(|end| path.ends_with(end.as_str()))
        });
        by_path
            .or_else(|| {
                self.0.messages.iter().find(|(_, plan)| {
                    let header = plan.route.header.as_deref();
                    header.is_some_and(|header| inbound.header(header).is_some())
                })
            })
            .map_or(self.0.profile.capability.notice, |(flow, _)| *flow)
    }

    fn read_notice(
        &self,
        flow: Flow,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Notices, Rejection> {
        if !flow.is_notice() {
            return Err(malformed(format!("{} reports no payment", flow.code())));
        }
        let plan = self.message_plan(flow)?;
        let store = Store::default();
        let message = self.proven(plan, inbound, credentials, &store)?;
        let (secrets, patterns) = (self.secrets(credentials), &self.0.patterns);
        let Some(list) = plan.each else {
            let notice = plan.reading.notice(&message, secrets, patterns)?;
            return Ok(Notices {
                read: vec![Verified::after_check(notice)],
                unreadable: Vec::new(),
            });
        };
        let mut notices = Notices::default();
        for item in message.items(&plan.levels, list)? {
            match item
                .message
                .and_then(|item| plan.reading.notice(&item, secrets, patterns))
            {
                Ok(notice) => notices.read.push(Verified::after_check(notice)),
                Err(rejection) => notices.unreadable.push(rejection),
            }
        }
        Ok(notices)
    }

    fn inspect(&self, flow: Flow, inbound: &Inbound, credentials: &Credentials) -> Inspection {
        if let Some(plan) = self.0.messages.get(&flow) {
            return self.inspect_message(plan, inbound, credentials);
        }
        let means = self.means(credentials);
        let mut inspection = Inspection::default();
        if let Some(plan) = flow.request().and_then(|flow| self.0.replies.get(&flow)) {
            let store = Store::default();
            let mut message = Message::closed(inbound);
            message.open_leniently(plan.source, &plan.levels, &store);
            let (secrets, patterns) = (means.secrets, &self.0.patterns);
            inspection.claimed = plan.reading.claims(&message, secrets, patterns);
            self.shown(
                proof::explain(&plan.proofs, &message, means),
                &mut inspection,
            );
        } else if let Some(plan) = self.0.requests.get(&flow) {
            let source = match plan.carrier {
                RequestBody::Query | RequestBody::Get | RequestBody::Base64Query => Source::Query,
                RequestBody::Form | RequestBody::BrowserForm => Source::Form,
                RequestBody::Json => Source::Json,
            };
            let mut message = Message::closed(inbound);
            let store = Store::default();
            message.open_leniently(source, &[], &store);
            let fields: Vec<(String, String)> = message
                .level(0)
                .into_iter()
                .flat_map(fields::Fields::iter)
                .filter(|field| match &plan.signed_by {
                    Some(plan::SignedBy::Field(name)) => field.name != *name,
                    _ => true,
                })
                .map(|field| {
                    let value = field.text_lossy().unwrap_or_default();
                    (field.name.clone().into_owned(), value.into_owned())
                })
                .collect();
            inspection = self.inspect_request(flow, &fields, credentials);
            if let Some(plan::SignedBy::Field(name)) = &plan.signed_by {
                inspection.given = message
                    .level(0)
                    .and_then(|level| level.get(name)?.text_lossy())
                    .map(std::borrow::Cow::into_owned);
            }
        }
        inspection
    }

    fn inspect_request(
        &self,
        flow: Flow,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Inspection {
        let means = self.means(credentials);
        let mut inspection = Inspection::default();
        let Some(plan) = self.0.requests.get(&flow) else {
            return inspection;
        };
        let empty = Inbound::default();
        let message = Message::plain(&empty, fields);
        let (secrets, patterns) = (means.secrets, &self.0.patterns);
        inspection.claimed = plan.reading.claims(&message, secrets, patterns);
        if let Ok(built) = plan.build(fields, None, secrets, means.formulas)
            && let Some(text) = built.text
        {
            let explained = Explained {
                text,
                signature: built.signature,
                given: None,
                digest: plan
                    .signature
                    .as_ref()
                    .map_or("none", |signature| signature.algorithm.name()),
            };
            self.shown(Some(explained), &mut inspection);
        }
        inspection
    }

    fn acknowledge(&self, outcome: Outcome, received: &Received<'_>) -> Ack {
        self.0.acknowledgement(outcome, received)
    }

    fn issue_token(
        &self,
        inbound: &Inbound,
        credentials: &Credentials,
        nonce: [u8; 16],
    ) -> Result<IssuedToken, Rejection> {
        let (Some(token), Ok(plan)) = (&self.0.token, self.message_plan(Flow::Token)) else {
            return Err(malformed(format!("{} fetches no tokens", self.0.name)));
        };
        let store = Store::default();
        self.proven(plan, inbound, credentials, &store)?;
        let secrets = self.secrets(credentials);
        let expires_at_unix = inbound
            .received_at_unix
            .saturating_add(token.lifetime_seconds);
        let written = proof::token(
            &token.username,
            &token.password,
            secrets,
            expires_at_unix,
            nonce,
        );
        let said = Said {
            token: written.as_deref(),
            lifetime_seconds: Some(token.lifetime_seconds),
            ..Said::default()
        };
        let ack = self
            .0
            .write(&token.answer, Flow::Token, inbound, secrets, &said);
        Ok(IssuedToken {
            expires_at_unix,
            ack,
        })
    }

    fn read_inquiry(
        &self,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Verified<Inquiry>, Rejection> {
        let (Some(inquiry), Ok(plan)) = (&self.0.inquiry, self.message_plan(Flow::BillInquiry))
        else {
            return Err(malformed(format!("{} asks for no bills", self.0.name)));
        };
        let store = Store::default();
        let message = self.proven(plan, inbound, credentials, &store)?;
        if plan
            .reading
            .names_a_stranger(&message, self.secrets(credentials))
        {
            return Err(Rejection::new(
                crate::contract::Reason::WrongMerchant,
                "the question is about another service",
            ));
        }
        let customer_ref = inquiry.customer.read(&message)?;
        Ok(Verified::after_check(Inquiry {
            customer_ref: customer_ref.ok_or_else(|| malformed("the customer is missing"))?,
            service: message.shown(&inquiry.service),
            request_id: message.shown(&inquiry.request_id),
        }))
    }

    fn answer_inquiry(&self, answer: InquiryAnswer<'_>, received: &Received<'_>) -> Ack {
        let secrets = self.secrets(received.credentials);
        let (flow, inbound) = (received.flow, received.inbound);
        let Some(plan) = &self.0.inquiry else {
            return self.acknowledge(Outcome::Unusable, received);
        };
        match answer {
            InquiryAnswer::Refused(outcome) => self.acknowledge(outcome, received),
            InquiryAnswer::UnknownCustomer => self.acknowledge(Outcome::UnknownOrder, received),
            InquiryAnswer::NothingDue => {
                let said = Said::default();
                self.0.write(&plan.nothing, flow, inbound, secrets, &said)
            }
            InquiryAnswer::Bills(debtor) => {
                let said = Said {
                    debtor: Some(debtor),
                    bills: Some(self.0.bills(plan, debtor)),
                    ..Said::default()
                };
                self.0.write(&plan.found, flow, inbound, secrets, &said)
            }
        }
    }

    fn checkout(&self, errand: &Errand<'_>, credentials: &Credentials) -> Result<Checkout, Fault> {
        let plan = self
            .0
            .requests
            .get(&Flow::Create)
            .ok_or_else(|| Fault::never(format!("{} has no checkout", self.0.name)))?;
        let secrets = self.secrets(credentials);
        let about = About::Errand(errand);
        let fields = plan.fields_of(about, secrets)?;
        let built = plan.build(&fields, Some(about), secrets, &self.0.formulas)?;
        if plan.carrier == RequestBody::BrowserForm {
            let mut fields = built.fields;
            if let (Some(plan::SignedBy::Field(name)), Some(signature)) =
                (&plan.signed_by, built.signature)
            {
                fields.push((name.clone(), signature));
            }
            return Ok(Checkout::Form {
                action: built.url,
                fields,
            });
        }
        let call = plan.call(built, Some(about), secrets)?;
        Ok(match plan.carrier {
            RequestBody::Query | RequestBody::Base64Query => Checkout::Redirect(call.url),
            _ => Checkout::Send(call),
        })
    }

    fn call(
        &self,
        flow: Flow,
        errand: &Errand<'_>,
        credentials: &Credentials,
    ) -> Result<Call, Fault> {
        self.built(flow, About::Errand(errand), credentials)
    }

    fn read_reply(
        &self,
        flow: Flow,
        reply: &Reply,
        credentials: &Credentials,
    ) -> Result<Verified<Observation>, Rejection> {
        self.reply_plan(flow)?
            .read(reply, self.means(credentials), &self.0.patterns)
            .map(Verified::after_check)
    }

    fn list(&self, question: &ListQuestion<'_>, credentials: &Credentials) -> Result<Call, Fault> {
        let page = self.0.profile.list.as_ref().map_or(0, |list| list.page);
        self.built(Flow::List, About::List(question, page), credentials)
    }

    fn read_list(&self, reply: &Reply, credentials: &Credentials) -> Result<Listing, Rejection> {
        self.reply_plan(Flow::List)?
            .read_list(reply, self.means(credentials), &self.0.patterns)
    }

    fn request(
        &self,
        flow: Flow,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Result<Call, Fault> {
        let plan = self.request_plan(flow)?;
        let secrets = self.secrets(credentials);
        let built = plan.build(fields, None, secrets, &self.0.formulas)?;
        plan.call(built, None, secrets)
    }
}

impl Recipe {
    fn built(
        &self,
        flow: Flow,
        about: About<'_>,
        credentials: &Credentials,
    ) -> Result<Call, Fault> {
        let plan = self.request_plan(flow)?;
        let secrets = self.secrets(credentials);
        let fields = plan.fields_of(about, secrets)?;
        let built = plan.build(&fields, Some(about), secrets, &self.0.formulas)?;
        plan.call(built, Some(about), secrets)
    }

    fn reply_plan(&self, flow: Flow) -> Result<&plan::ReplyPlan, Rejection> {
        self.0
            .replies
            .get(&flow)
            .ok_or_else(|| malformed(format!("{} sends no reply to {}", self.0.name, flow.code())))
    }

    fn request_plan(&self, flow: Flow) -> Result<&plan::RequestPlan, Fault> {
        self.0
            .requests
            .get(&flow)
            .ok_or_else(|| Fault::never(format!("{} has no {} request", self.0.name, flow.code())))
    }
}
