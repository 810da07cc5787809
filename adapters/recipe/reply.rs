//! Replies to requests of ours.

use super::memo::Patterns;
use super::message::{Message, Store};
use super::plan::{Duplicates, ReplyPlan};
use super::proof::{self, Means};
use crate::contract::{Inbound, Observation, Reception, Rejection, Reply, Status};

/// Header under which the status of a reply can be named in recipes.
const STATUS_HEADER: &str = ":status";
/// Longest text taken over for people.
const SHOWN_CHARACTERS_MAX: usize = 500;

impl ReplyPlan {
    /// # Errors
    /// [`Rejection`] when the reply is not the provider's or has not its form.
    pub(super) fn read(
        &self,
        reply: &Reply,
        means: Means<'_>,
        patterns: &Patterns,
    ) -> Result<Observation, Rejection> {
        let inbound = inbound_of(reply);
        let store = Store::default();
        let mut message = Message::closed(&inbound);
        let all = Duplicates::All;
        let (source, levels) = (self.source, &self.levels);
        message.open(source, &all, levels, self.proof_levels, &store)?;
        proof::check(&self.proofs, &message, means)?;
        message.open(source, &all, levels, levels.len(), &store)?;
        let claimed = self.reading.claims(&message, means.secrets, patterns);
        let reception = self.reception.find(&message)?.unwrap_or(Reception::Unclear);
        let shown = |names| {
            message
                .shown(names)
                .map(|text| text.chars().take(SHOWN_CHARACTERS_MAX).collect())
        };
        let header_or_shown = |names: &[super::plan::Ref]| {
            message
                .text(names)
                .ok()
                .flatten()
                .map(std::borrow::Cow::into_owned)
        };
        Ok(Observation {
            reception,
            // What was not taken says nothing about the money.
            status: match reception {
                Reception::Taken => claimed.status.unwrap_or(Status::Unknown),
                _ => Status::Unknown,
            },
            transaction_id: claimed.transaction_id,
            order_ref: claimed.order_ref,
            amount: claimed.amount,
            currency: claimed.currency,
            redirect: shown_address(header_or_shown(&self.redirect)),
            qr: header_or_shown(&self.qr),
            provider_order: header_or_shown(&self.provider_order),
            code: header_or_shown(&self.code),
            message: shown(&self.message),
        })
    }
}

/// A browser is sent only to web addresses.
fn shown_address(text: Option<String>) -> Option<String> {
    text.filter(|text| text.starts_with("https://") || text.starts_with("http://"))
}

pub(super) fn inbound_of(reply: &Reply) -> Inbound {
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| name != STATUS_HEADER);
    headers.push((STATUS_HEADER.to_owned(), reply.status.to_string()));
    Inbound {
        method: "RESPONSE".to_owned(),
        headers,
        body: reply.body.clone(),
        ..Inbound::default()
    }
}
