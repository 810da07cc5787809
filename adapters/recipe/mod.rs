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
    Ack, Adapter, Call, Capability, Checkout, Credentials, Fault, Flow, Inbound, Inspection,
    Notice, Order, Outcome, Rejection, Verified,
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
        &self.0.title
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

    fn capability(&self) -> Capability {
        self.0.capability
    }

    fn read_notice(
        &self,
        flow: Flow,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Vec<Verified<Notice>>, Rejection> {
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
        Ok(vec![Verified::after_check(notice)])
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
            canonical: canonical.map(|text| String::from_utf8_lossy(&text).into_owned()),
            signature: signature.flatten(),
            claimed: reading.claims(&fields, credentials, &self.0.patterns),
        }
    }

    fn checkout(&self, order: &Order, credentials: &Credentials) -> Result<Checkout, Fault> {
        let request = self
            .0
            .requests
            .get(&Flow::Create)
            .ok_or_else(|| Fault::never(format!("{} has no checkout", self.0.name)))?;
        let fields = request.fields_of(order, credentials)?;
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

    fn acknowledge(&self, outcome: Outcome, order_ref: Option<&str>) -> Ack {
        // Compilation makes sure that every outcome has an answer.
        let Some(plan) = self.0.acknowledgements.get(&outcome) else {
            return Ack {
                status: 500,
                content_type: None,
                body: Vec::new(),
            };
        };
        let body = if plan.body.contains("{order_ref}") {
            let quoted = serde_json::Value::from(order_ref.unwrap_or_default()).to_string();
            plan.body.replace("{order_ref}", quoted.trim_matches('"'))
        } else {
            plan.body.clone()
        };
        Ack {
            status: plan.status,
            content_type: plan.content_type.clone(),
            body: body.into_bytes(),
        }
    }
}
