//! What a provider is: capability, credentials, schedule, addresses.

use std::collections::BTreeMap;

use super::Compiler;
use crate::contract::{
    Addresses, Capability, CredentialSpec, Flow, ListPlan, Need, OrderRefForm, Paging, Profile,
    RefundSupport, Schedule,
};
use crate::recipe::file::{OrderRefWord, RecipeFile};
use crate::recipe::message::ITEMS_MAX;
use crate::recipe::plan::{Member, RequestPlan, RequestValue};

/// Longest order reference where a provider names no limit.
const ORDER_REF_CHARACTERS_MAX: usize = 40;

impl Compiler<'_> {
    pub(super) fn profile(
        &mut self,
        file: &RecipeFile,
        requests: &BTreeMap<Flow, RequestPlan>,
    ) -> Profile {
        let place = file.capability.span();
        let capability = file.capability.get_ref();
        let has = |flow| requests.contains_key(&flow);
        let claims = [
            (
                true,
                capability.notice.is_notice() && file.message.contains_key(&capability.notice),
                "the notice has no [message]",
            ),
            (
                capability.returns,
                file.message.contains_key(&Flow::Return),
                "returns and [message.return] go together",
            ),
            (
                capability.checkout,
                has(Flow::Create),
                "checkout and [request.create] go together",
            ),
            (
                capability.refund != RefundSupport::None,
                has(Flow::Refund),
                "refund and [request.refund] go together",
            ),
        ];
        for (claimed, there, what) in claims {
            if claimed != there && self.found.is_empty() {
                self.wrong(&place, what);
            }
        }
        for flow in [
            Flow::Query,
            Flow::Refund,
            Flow::QueryRefund,
            Flow::Cancel,
            Flow::List,
        ] {
            if has(flow) && !file.reply.contains_key(&flow) && self.found.is_empty() {
                let reason = format!("{} has a [request] but no [reply]", flow.code());
                self.wrong(&place, reason);
            }
        }
        let mut notices: Vec<Flow> = vec![capability.notice];
        notices.extend(
            file.message
                .keys()
                .filter(|flow| flow.is_notice() && **flow != Flow::Return)
                .filter(|flow| **flow != capability.notice),
        );
        let characters_max = capability
            .order_ref
            .characters_max
            .unwrap_or(ORDER_REF_CHARACTERS_MAX);
        Profile {
            title: file.title.clone(),
            standing: file.standing,
            capability: Capability {
                checkout: capability.checkout,
                returns: capability.returns,
                notice: capability.notice,
                notices,
                settlement: capability.settlement,
                naming: capability.naming,
                query: has(Flow::Query),
                refund: capability.refund,
                query_refund: has(Flow::QueryRefund),
                cancel: has(Flow::Cancel),
                token: file.token.is_some(),
                inquiry: file.inquiry.is_some(),
            },
            credentials: self.credentials(file),
            order_ref: match capability.order_ref.form {
                OrderRefWord::Text => OrderRefForm::Text { characters_max },
                OrderRefWord::Digits => OrderRefForm::Digits,
                OrderRefWord::DayFirst => OrderRefForm::DayFirst { characters_max },
            },
            schedule: Schedule {
                reply: file.schedule.reply.unwrap_or(30),
                poll: file.schedule.poll.clone(),
                give_up: file.schedule.give_up.unwrap_or(172_800),
                poll_refund: file.schedule.poll_refund.clone(),
                repeats: file.schedule.repeats.clone(),
            },
            list: self.list(file, requests),
            addresses: Addresses {
                sandbox: file.addresses.sandbox.clone(),
                production: file.addresses.production.clone(),
                confirmed: file.addresses.confirmed,
            },
        }
    }

    fn list(
        &mut self,
        file: &RecipeFile,
        requests: &BTreeMap<Flow, RequestPlan>,
    ) -> Option<ListPlan> {
        let Some(spanned) = &file.list else {
            if let Some(request) = file.request.get(&Flow::List) {
                self.wrong(&request.span(), "[request.list] needs a [list]");
            }
            return None;
        };
        let (place, list) = (spanned.span(), spanned.get_ref());
        self.credential(&place, &list.needs);
        let Some(request) = requests.get(&Flow::List) else {
            if self.found.is_empty() {
                self.wrong(&place, "[list] and [request.list] go together");
            }
            return None;
        };
        if !(60..=86_400).contains(&list.every) {
            self.wrong(&place, "every is from 60 seconds to a day");
        }
        let month = 31 * 86_400;
        if !(1..=month).contains(&list.look_back) || !(1..=month).contains(&list.overlap) {
            self.wrong(&place, "look_back and overlap are from a second to 31 days");
        }
        if !(2..=ITEMS_MAX).contains(&list.page) {
            self.wrong(&place, format!("page is from 2 to {ITEMS_MAX} rows"));
        }
        let says = |member| {
            request.fields.iter().any(|(_, field)| {
                matches!(&field.value, RequestValue::Member(value) if value.member == member)
            })
        };
        if !says(Member::ListFrom) && !says(Member::ListAfter) {
            let why = "[request.list] says from where: list_from, list_after or both";
            self.wrong(&place, why);
        }
        let paging = match (says(Member::ListPage), says(Member::ListUntil)) {
            (false, false) => Paging::None,
            (true, false) => Paging::Pages,
            (false, true) => Paging::Until,
            (true, true) => {
                self.wrong(&place, "pages are had by list_page or by list_until");
                Paging::None
            }
        };
        Some(ListPlan {
            needs: list.needs.clone(),
            every: list.every,
            look_back: list.look_back,
            overlap: list.overlap,
            page: list.page,
            by_number: says(Member::ListAfter),
            paging,
        })
    }

    fn credentials(&mut self, file: &RecipeFile) -> Vec<CredentialSpec> {
        let mut specs: Vec<CredentialSpec> = Vec::new();
        for spanned in &file.credential {
            let spec = spanned.get_ref();
            if specs.iter().any(|other| other.name == spec.name) {
                self.wrong(&spanned.span(), format!("{} stands twice", spec.name));
            }
            if spec.kind.is_secret() && spec.default.is_some() {
                self.wrong(&spanned.span(), "a secret has no default");
            }
            let need = match spec.need.split_once(':') {
                Some(("one_of", group)) if !group.is_empty() => Need::OneOf(group.to_owned()),
                None if spec.need == "always" => Need::Always,
                None if spec.need == "optional" => Need::Optional,
                _ => {
                    self.wrong(&spanned.span(), "need is always, optional or one_of:GROUP");
                    Need::Optional
                }
            };
            specs.push(CredentialSpec {
                name: spec.name.clone(),
                kind: spec.kind,
                need,
                label: spec.label.clone(),
                default: spec.default.clone(),
            });
        }
        specs
    }
}
