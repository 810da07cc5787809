//! `[acknowledge]`, `[inquiry]`, `[token]`: what we answer.

use std::collections::BTreeMap;

use toml::Spanned;

use super::levels::Levels;
use super::{Compiler, Signatures};
use crate::contract::{Flow, Outcome};
use crate::recipe::file::{AckFile, AnswersFile, InquiryFile, TokenFile};
use crate::recipe::plan::{AckPlan, Answers, Form, InquiryPlan, MessagePlan, TextPlan, TokenPlan};
use crate::recipe::template::Template;

impl Compiler<'_> {
    pub(super) fn answers(&mut self, file: &AnswersFile, signatures: &Signatures) -> Answers {
        let mut by_outcome = BTreeMap::new();
        for outcome in Outcome::ALL {
            if let Some(ack) = file.of(outcome)
                && let Some(plan) = self.ack(ack, signatures)
            {
                by_outcome.insert(outcome, plan);
            }
        }
        let wrong_merchant = file
            .wrong_merchant
            .as_ref()
            .and_then(|ack| self.ack(ack, signatures));
        Answers {
            by_outcome,
            wrong_merchant,
        }
    }

    fn ack(&mut self, spanned: &Spanned<AckFile>, signatures: &Signatures) -> Option<AckPlan> {
        let place = spanned.span();
        let file = spanned.get_ref();
        if !(200..600).contains(&file.status) {
            self.wrong(&place, "an answer has a status from 200 to 599");
        }
        let signature = match &file.signature {
            Some(name) => {
                let mut levels = no_levels();
                Some(self.signature(&place, name, signatures, &mut levels)?)
            }
            None => None,
        };
        Some(AckPlan {
            status: file.status,
            content_type: file.content_type.clone(),
            body: Template::new(&file.body),
            signature,
        })
    }

    pub(super) fn inquiry(
        &mut self,
        spanned: &Spanned<InquiryFile>,
        messages: &mut BTreeMap<Flow, MessagePlan>,
        signatures: &Signatures,
    ) -> Option<InquiryPlan> {
        let place = spanned.span();
        let Some(message) = messages.get_mut(&Flow::BillInquiry) else {
            self.wrong(&place, "[inquiry] and [message.bill_inquiry] go together");
            return None;
        };
        let file = spanned.get_ref();
        let mut levels = Levels::again(std::mem::take(&mut message.levels));
        let customer = levels.fields(file.customer.as_slice());
        let service = levels.fields(file.service.as_slice());
        let request_id = levels.fields(file.request_id.as_slice());
        message.levels = levels.finish();
        Some(InquiryPlan {
            customer: TextPlan {
                from: customer,
                required: true,
                none_when: Vec::new(),
            },
            service,
            request_id,
            found: self.ack(&file.found, signatures)?,
            bill: Template::new(&file.bill),
            nothing: self.ack(&file.nothing, signatures)?,
        })
    }

    pub(super) fn token(
        &mut self,
        spanned: &Spanned<TokenFile>,
        messages: &BTreeMap<Flow, MessagePlan>,
        signatures: &Signatures,
    ) -> Option<TokenPlan> {
        let place = spanned.span();
        if !messages.contains_key(&Flow::Token) {
            self.wrong(&place, "[token] and [message.token] go together");
            return None;
        }
        let file = spanned.get_ref();
        if !(30..=86_400).contains(&file.lifetime_seconds) {
            self.wrong(&place, "a token lives from 30 seconds to a day");
        }
        let [username, password] = file.of.clone();
        self.credential(&place, &username);
        self.credential(&place, &password);
        Some(TokenPlan {
            username,
            password,
            lifetime_seconds: file.lifetime_seconds,
            answer: self.ack(&file.answer, signatures)?,
        })
    }
}

fn no_levels() -> Levels {
    Levels::new(&BTreeMap::<String, Form>::new(), None)
}
