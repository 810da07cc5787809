//! What we answer: acknowledgements, bills, tokens.

use super::formula::Formulas;
use super::json;
use super::message::{Message, Store};
use super::payload::{Context, Text};
use super::plan::{AckPlan, InquiryPlan, Plan, Source};
use super::secrets::Secrets;
use crate::contract::{Ack, Debtor, Flow, Inbound, Outcome, Received};

/// What an answer says besides parts of the message it answers.
#[derive(Default)]
pub(super) struct Said<'s> {
    pub(super) our_reference: Option<&'s str>,
    pub(super) debtor: Option<&'s Debtor>,
    /// The open bills, already written.
    pub(super) bills: Option<String>,
    pub(super) token: Option<&'s str>,
    pub(super) lifetime_seconds: Option<i64>,
}

impl Plan {
    pub(super) fn acknowledgement(&self, outcome: Outcome, received: &Received<'_>) -> Ack {
        let secrets = Secrets::new(received.credentials, &self.defaults);
        let message = self.messages.get(&received.flow);
        let stranger = outcome == Outcome::Unusable
            && message.is_some_and(|plan| {
                let store = Store::default();
                let mut message = Message::closed(received.inbound);
                message.open_leniently(plan.source, &plan.levels, &store);
                plan.reading.names_a_stranger(&message, secrets)
            });
        let special = message
            .and_then(|plan| plan.answers.wrong_merchant.as_ref())
            .or(self.answers.wrong_merchant.as_ref())
            .filter(|_| stranger);
        let ack = special
            .or_else(|| message.and_then(|plan| plan.answers.by_outcome.get(&outcome)))
            .or_else(|| self.answers.by_outcome.get(&outcome));
        let said = Said {
            our_reference: received.our_reference,
            ..Said::default()
        };
        match ack {
            Some(ack) => self.write(ack, received.flow, received.inbound, secrets, &said),
            // Compilation makes sure that every outcome has an answer.
            None => Ack {
                status: 500,
                content_type: None,
                body: Vec::new(),
            },
        }
    }

    pub(super) fn write(
        &self,
        ack: &AckPlan,
        flow: Flow,
        inbound: &Inbound,
        secrets: Secrets<'_>,
        said: &Said<'_>,
    ) -> Ack {
        let mut body = self.fill(ack, flow, inbound, secrets, said, "");
        if let Some(signature) = &ack.signature {
            // Without a key of ours, or when the body is not what the recipe thinks, the answer goes
            // out unsigned and the provider refuses it: never a wrong signature.
            let signed = sign(&body, signature, secrets, &self.formulas).unwrap_or_default();
            body = self.fill(ack, flow, inbound, secrets, said, &signed);
        }
        Ack {
            status: ack.status,
            content_type: ack.content_type.clone(),
            body: body.into_bytes(),
        }
    }

    fn fill(
        &self,
        ack: &AckPlan,
        flow: Flow,
        inbound: &Inbound,
        secrets: Secrets<'_>,
        said: &Said<'_>,
        signature: &str,
    ) -> String {
        let plan = self.messages.get(&flow);
        let store = Store::default();
        let mut message = Message::closed(inbound);
        if let Some(plan) = plan
            && ack
                .body
                .names()
                .any(|name| !name.starts_with('@') || name == "@our_reference")
        {
            message.open_leniently(plan.source, &plan.levels, &store);
        }
        let transaction = || {
            plan.map(|plan| plan.reading.claims(&message, secrets, &self.patterns))
                .and_then(|claimed| claimed.transaction_id)
        };
        let filled = ack.body.fill(|name| {
            let text = match name {
                "@our_reference" => said
                    .our_reference
                    .map(str::to_owned)
                    .or_else(transaction)
                    .unwrap_or_default(),
                "@bills" => return Some(said.bills.clone().unwrap_or_default()),
                "@token" => said.token.unwrap_or_default().to_owned(),
                "@lifetime" => said.lifetime_seconds.unwrap_or_default().to_string(),
                "@customer" => said.debtor?.customer_ref.clone(),
                "@name" => said.debtor?.name.clone(),
                "@address" => said.debtor?.address.clone(),
                "@total" => said
                    .debtor?
                    .bills
                    .iter()
                    .map(|bill| bill.amount.get())
                    .sum::<i64>()
                    .to_string(),
                "@signature" => signature.to_owned(),
                field => {
                    // A field of the message as it came.
                    plan.and_then(|plan| message.by_path(&plan.levels, field))
                        .unwrap_or_default()
                }
            };
            let mut escaped = Vec::new();
            json::escape(&text, &mut escaped);
            String::from_utf8(escaped).ok()
        });
        filled.unwrap_or_default()
    }

    pub(super) fn bills(&self, plan: &InquiryPlan, debtor: &Debtor) -> String {
        let bills = debtor.bills.iter().filter_map(|bill| {
            plan.bill
                .fill(|name| {
                    let text = match name {
                        "@bill" => bill.bill_ref.clone(),
                        "@amount" => bill.amount.get().to_string(),
                        "@period" => bill.period.clone(),
                        "@description" => bill.description.clone(),
                        _ => return None,
                    };
                    let mut escaped = Vec::new();
                    json::escape(&text, &mut escaped);
                    String::from_utf8(escaped).ok()
                })
                .ok()
        });
        bills.collect::<Vec<_>>().join(",")
    }
}

fn sign(
    body: &str,
    plan: &super::plan::SignaturePlan,
    secrets: Secrets<'_>,
    formulas: &Formulas,
) -> Option<String> {
    let inbound = Inbound {
        body: body.as_bytes().to_vec(),
        ..Inbound::default()
    };
    let store = Store::default();
    let mut message = Message::closed(&inbound);
    message.open_leniently(Source::Json, &[], &store);
    let unresolved = |_: &str| None;
    let context = Context {
        message: &message,
        secrets,
        formulas,
        address: &unresolved,
    };
    let mut text = Text::default();
    plan.payload
        .write(plan.payload.documented(), &context, &mut text)
        .ok()?;
    let (key, output) = plan.key(secrets, formulas).ok()?;
    Some(format!("{}{}", plan.prefix, key.sign(&text.bytes, output)?))
}
