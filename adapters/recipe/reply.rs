//! Replies to requests of ours.

use super::fields::{REPLY, malformed};
use super::memo::Patterns;
use super::message::{Message, Store};
use super::plan::{Duplicates, ReplyPlan};
use super::proof::{self, Means};
use crate::contract::{
    Inbound, ListRow, Listing, Observation, Reception, Rejection, Reply, Status, Transfer, Verified,
};

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
        let message = self.proven(&inbound, means, &store)?;
        let claimed = self.reading.claims(&message, means.secrets, patterns);
        let reception = self.reception.find(&message)?.unwrap_or(Reception::Unclear);
        let transfers = match reception {
            Reception::Taken => self.transfers(&message, means, patterns)?,
            _ => Vec::new(),
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
            // One movement alone is the payment.
            transaction_id: claimed
                .transaction_id
                .or_else(|| match transfers.as_slice() {
                    [only] => Some(only.transaction_id.clone()),
                    _ => None,
                }),
            order_ref: claimed.order_ref,
            amount: claimed.amount,
            currency: claimed.currency,
            transfers,
            redirect: shown_address(header_or_shown(&self.redirect)),
            qr: header_or_shown(&self.qr),
            provider_order: header_or_shown(&self.provider_order),
            code: header_or_shown(&self.code),
            message: shown(&message, &self.message),
        })
    }

    /// The rows of the provider's list.
    ///
    /// # Errors
    /// [`Rejection`] when the reply is not the provider's or holds no list although it says that it
    /// does.
    pub(super) fn read_list(
        &self,
        reply: &Reply,
        means: Means<'_>,
        patterns: &Patterns,
    ) -> Result<Listing, Rejection> {
        let (list, reading) = self
            .rows
            .as_ref()
            .ok_or_else(|| malformed("the recipe reads no list"))?;
        let inbound = inbound_of(reply);
        let store = Store::default();
        let message = self.proven(&inbound, means, &store)?;
        let mut listing = Listing {
            reception: self.reception.find(&message)?.unwrap_or(Reception::Unclear),
            rows: Vec::new(),
            unreadable: Vec::new(),
            code: message
                .text(&self.code)
                .ok()
                .flatten()
                .map(|text| text.into_owned()),
            message: shown(&message, &self.message),
        };
        if listing.reception != Reception::Taken {
            return Ok(listing);
        }
        for item in message.items(&self.levels, *list)? {
            let read = item.message.and_then(|row| {
                let notice = reading.notice(&row, means.secrets, patterns)?;
                // Without its number it could be booked twice.
                match &notice.transaction_id {
                    Some(_) => Ok(notice),
                    None => Err(malformed("a row has no number")),
                }
            });
            match read {
                Ok(notice) => listing.rows.push(ListRow {
                    notice: Verified::after_check(notice),
                    raw: item.text.to_owned(),
                }),
                Err(rejection) => listing.unreadable.push(rejection),
            }
        }
        Ok(listing)
    }

    /// Opens a reply as far as its proof needs, checks it, and opens the rest.
    fn proven<'a>(
        &'a self,
        inbound: &'a Inbound,
        means: Means<'_>,
        store: &'a Store,
    ) -> Result<Message<'a>, Rejection> {
        let mut message = Message::closed(inbound);
        let all = Duplicates::All;
        let (source, levels) = (self.source, &self.levels);
        message.open(source, &all, levels, self.proof_levels, store)?;
        proof::check(&self.proofs, &message, means)?;
        message.open(source, &all, levels, levels.len(), store)?;
        Ok(message)
    }
}

fn shown(message: &Message<'_>, names: &[super::plan::Ref]) -> Option<String> {
    let text = message.shown(names)?;
    Some(text.chars().take(SHOWN_CHARACTERS_MAX).collect())
}

impl ReplyPlan {
    /// # Errors
    /// [`Rejection`] when there is a list of movements and one of them cannot be read: half of what
    /// was paid is a wrong answer.
    fn transfers(
        &self,
        message: &Message<'_>,
        means: Means<'_>,
        patterns: &Patterns,
    ) -> Result<Vec<Transfer>, Rejection> {
        let Some((list, reading)) = &self.transfers else {
            return Ok(Vec::new());
        };
        let mut transfers = Vec::new();
        for item in message.items_if_any(&self.levels, *list)? {
            let item = item.message?;
            let amount = match &reading.amount {
                Some(plan) => plan.read(&item)?,
                None => return Err(malformed("the recipe reads no amount of a transfer")),
            };
            let (status, _) = reading.status(&item, Some(amount))?;
            // Without a table of states every movement in the list has happened.
            if !matches!(
                (status, &reading.status),
                (Status::Paid, _) | (Status::Unknown, None)
            ) {
                continue;
            }
            let claimed = reading.claims(&item, means.secrets, patterns);
            transfers.push(Transfer {
                transaction_id: claimed
                    .transaction_id
                    .ok_or_else(|| malformed("a transfer has no number"))?,
                amount,
                currency: reading.currency.read(&item)?,
                occurred_at_unix: reading.moment(&item),
                memo: item.shown(&reading.memo),
            });
        }
        Ok(transfers)
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
        method: REPLY.to_owned(),
        headers,
        body: reply.body.clone(),
        ..Inbound::default()
    }
}
