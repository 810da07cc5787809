//! Providers that are only a description: the engine behind `adapter.toml`.
//!
//! A recipe says where the fields of a message stand, what is signed and how, how codes become a
//! status and what to answer. It is compiled once into a plan; a mistake is reported with file, line
//! and reason and keeps that one provider off.
//!
//! To add a provider, copy the folder of one that is alike, change `adapter.toml`, and run
//! `hocphi adapters test NAME vectors.json` until it is green. To add a primitive: a member in
//! `file.rs`, its meaning in `plan.rs`, its checks in `compile.rs`, its work in `proof.rs` (what is
//! signed), `reading.rs` (what it says) or `request.rs` (what we send).

mod compile;
mod digest;
mod encoding;
mod fields;
mod file;
mod memo;
mod plan;
mod proof;
mod reading;
mod request;
mod values;

use std::fmt;

use self::fields::{Fields, malformed};
use self::plan::{Carrier, MessagePlan, Payload, Plan, ProofPlan, RequestBody, Source};
use crate::contract::{
    Ack, Adapter, Call, Canonical, Checkout, Credentials, Errand, Fault, Flow, Inbound, Inquiry,
    InquiryAnswer, Inspection, IssuedToken, Notices, Observation, Outcome, Piece, Profile,
    Received, Rejection, Reply, Verified,
};

/// Longest recipe that is read.
pub(crate) const RECIPE_BYTES_MAX: usize = 256 * 1024;

/// A mistake in a recipe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
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
}

impl MessagePlan {
    /// A signature over parts of the raw message is checked before anybody parses it.
    fn is_proven_unparsed(&self) -> bool {
        self.proofs.iter().all(|proof| match proof {
            ProofPlan::Signature {
                signature, carrier, ..
            } => {
                matches!(signature.payload, Payload::Parts(_))
                    && matches!(carrier, Carrier::Header(_))
            }
            ProofPlan::Static { .. } => true,
        })
    }
}

impl Adapter for Recipe {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn profile(&self) -> &Profile {
        &self.0.profile
    }

    fn route(&self, _inbound: &Inbound) -> Flow {
        self.0.profile.capability.notice
    }

    fn read_notice(
        &self,
        flow: Flow,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Notices, Rejection> {
        let message = self
            .0
            .messages
            .get(&flow)
            .ok_or_else(|| malformed(format!("{} sends no {}", self.0.name, flow.code())))?;
        let check =
            |fields: &Fields<'_>| proof::check(&message.proofs, inbound, fields, credentials);
        let fields = if message.is_proven_unparsed() {
            check(&Fields::default())?;
            let fields = Fields::read(inbound, message.source)?;
            fields.refuse_duplicates(&message.duplicates)?;
            fields
        } else {
            let fields = Fields::read(inbound, message.source)?;
            fields.refuse_duplicates(&message.duplicates)?;
            check(&fields)?;
            fields
        };
        let notice = message
            .reading
            .notice(&fields, credentials, &self.0.patterns)?;
        Ok(Notices {
            read: vec![Verified::after_check(notice)],
            unreadable: Vec::new(),
        })
    }

    fn inspect(&self, flow: Flow, inbound: &Inbound, credentials: &Credentials) -> Inspection {
        let (source, reading) = match (self.0.messages.get(&flow), self.0.requests.get(&flow)) {
            (Some(message), _) => (message.source, &message.reading),
            (None, Some(request)) => match request.carrier {
                RequestBody::Query => (Source::Query, &request.reading),
                RequestBody::Json => (Source::Json, &request.reading),
            },
            (None, None) => return Inspection::default(),
        };
        let fields = Fields::read(inbound, source).unwrap_or_default();
        let explained = match (self.0.messages.get(&flow), self.0.requests.get(&flow)) {
            (Some(message), _) => proof::explain(&message.proofs, inbound, &fields, credentials),
            (None, Some(request)) => {
                let carrier = Carrier::Field(request.signature_field.clone());
                request
                    .signature
                    .explain(&carrier, inbound, &fields, credentials)
            }
            (None, None) => None,
        };
        let (canonical, signature) = explained.unzip();
        Inspection {
            canonical: canonical.map(|text| {
                Canonical(vec![Piece::Text(
                    String::from_utf8_lossy(&text).into_owned(),
                )])
            }),
            given: None,
            items: Vec::new(),
            signature: signature.flatten(),
            claimed: reading.claims(&fields, credentials, &self.0.patterns),
        }
    }

    fn checkout(&self, errand: &Errand<'_>, credentials: &Credentials) -> Result<Checkout, Fault> {
        let request = self
            .0
            .requests
            .get(&Flow::Create)
            .ok_or_else(|| Fault::never(format!("{} has no checkout", self.0.name)))?;
        let fields = request.fields_of(errand.order, credentials)?;
        let call = request.call(&fields, credentials)?;
        Ok(match request.carrier {
            RequestBody::Query => Checkout::Redirect(call.url),
            RequestBody::Json => Checkout::Send(call),
        })
    }

    fn request(
        &self,
        flow: Flow,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Result<Call, Fault> {
        self.0
            .requests
            .get(&flow)
            .ok_or_else(|| Fault::never(format!("{} has no {} request", self.0.name, flow.code())))?
            .call(fields, credentials)
    }

    fn acknowledge(&self, outcome: Outcome, _received: &Received<'_>) -> Ack {
        // Compilation makes sure that every outcome has an answer.
        let Some(plan) = self.0.acknowledgements.get(&outcome) else {
            return Ack {
                status: 500,
                content_type: None,
                body: Vec::new(),
            };
        };
        Ack {
            status: plan.status,
            content_type: plan.content_type.clone(),
            body: plan.body.clone().into_bytes(),
        }
    }

    fn issue_token(
        &self,
        _inbound: &Inbound,
        _credentials: &Credentials,
        _nonce: [u8; 16],
    ) -> Result<IssuedToken, Rejection> {
        Err(malformed(format!("{} fetches no tokens", self.0.name)))
    }

    fn read_inquiry(
        &self,
        _inbound: &Inbound,
        _credentials: &Credentials,
    ) -> Result<Verified<Inquiry>, Rejection> {
        Err(malformed(format!("{} asks for no bills", self.0.name)))
    }

    fn answer_inquiry(&self, answer: InquiryAnswer<'_>, received: &Received<'_>) -> Ack {
        let outcome = match answer {
            InquiryAnswer::Refused(outcome) => outcome,
            InquiryAnswer::UnknownCustomer => Outcome::UnknownOrder,
            InquiryAnswer::Bills(_) | InquiryAnswer::NothingDue => Outcome::Unusable,
        };
        self.acknowledge(outcome, received)
    }

    fn call(
        &self,
        flow: Flow,
        _errand: &Errand<'_>,
        _credentials: &Credentials,
    ) -> Result<Call, Fault> {
        Err(Fault::never(format!(
            "{} has no {} request",
            self.0.name,
            flow.code()
        )))
    }

    fn read_reply(
        &self,
        flow: Flow,
        _reply: &Reply,
        _credentials: &Credentials,
    ) -> Result<Verified<Observation>, Rejection> {
        Err(malformed(format!(
            "{} sends no reply to {}",
            self.0.name,
            flow.code()
        )))
    }
}
