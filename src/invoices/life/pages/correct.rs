//! `/ke-toan/corrections/new`: a wrong invoice, and what a person has done about it.

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::form::{CorrectForm, Deed};
use super::{internal, sample_time};
use crate::ids::{InvoiceId, PaymentId};
use crate::invoices::declarations::service::{NewNotice, notify};
use crate::invoices::document::{Buyer, Correction, CorrectionReason, VatRate};
use crate::invoices::life::content::{Content, ContentLine};
use crate::invoices::life::rules::{self, Refusal};
use crate::invoices::life::service::{After, Ask, LifeError, Shown, correct, mend, show};
use crate::invoices::life::store::ChainRow;
use crate::invoices::service::{InvoiceError, KeyRing};
use crate::invoices::spoken;
use crate::invoices::store::{InvoiceKind, InvoiceState};
use crate::money::Vnd;
use crate::payments::pages::problems::{Problem, check_once};
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::language::Language;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// A wrong invoice, what happened to it so far, and what may be done.
#[derive(Clone, Debug, Template)]
#[template(path = "invoices/life/pages/correct.html")]
pub struct CorrectPage {
    pub shell: Shell,
    pub target: InvoiceId,
    pub chain: Vec<ChainRow>,
    pub form: CorrectForm,
    pub problem: Option<Problem>,
}

impl CorrectPage {
    fn of(shell: &Shell, shown: &Shown, asked: &InvoiceId, form: CorrectForm) -> Self {
        // A refused correction is mended itself; otherwise the invoice in force is corrected.
        let is_refused = shown
            .chain
            .iter()
            .any(|row| row.invoice_id == *asked && row.state == InvoiceState::Refused);
        Self {
            shell: shell.clone(),
            target: if is_refused {
                asked.clone()
            } else {
                shown.in_force.clone()
            },
            chain: shown.chain.clone(),
            form,
            problem: None,
        }
    }

    fn row(&self) -> Option<&ChainRow> {
        self.chain.iter().find(|row| row.invoice_id == self.target)
    }

    fn target_name(&self) -> String {
        self.row().map(ChainRow::name).unwrap_or_default()
    }

    /// What the rules allow now.
    pub fn deeds(&self) -> Vec<Deed> {
        let links: Vec<_> = self.chain.iter().map(ChainRow::link).collect();
        match self.row().map(|row| row.state) {
            Some(InvoiceState::Refused) => return vec![Deed::Mend],
            Some(InvoiceState::Coded) => {}
            _ => return Vec::new(),
        }
        let mut deeds = vec![Deed::Notice];
        for (method, allowed) in rules::choices(&links, &self.target) {
            if allowed.is_ok() {
                deeds.push(match method {
                    Correction::Adjusting => Deed::Adjust,
                    Correction::Replacing => Deed::Replace,
                });
            }
        }
        let law = rules::may_correct(
            &links,
            &self.target,
            Correction::Adjusting,
            rules::Ground::Law,
        );
        if law.is_ok() {
            deeds.push(Deed::Authority);
        }
        deeds
    }

    /// Why one of the two methods is missing.
    fn bound(&self) -> Option<Correction> {
        let links: Vec<_> = self.chain.iter().map(ChainRow::link).collect();
        rules::first_method(&links)
    }

    fn rates(&self) -> [VatRate; 6] {
        [
            VatRate::NotSubject,
            VatRate::NotDeclared,
            VatRate::Zero,
            VatRate::Five,
            VatRate::Eight,
            VatRate::Ten,
        ]
    }

    /// A coded invoice, one with a history that binds, one that was refused, and a mistake.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |kind, state, number, reason| ChainRow {
            invoice_id: InvoiceId::new(format!("i{number}")),
            payment_id: PaymentId::new("p1"),
            kind,
            state,
            related_id: (number > 128).then(|| InvoiceId::new("i128")),
            cause: String::new(),
            form: "1".to_owned(),
            symbol: "C26TAA".to_owned(),
            number,
            issue_day: sample_time().day(),
            total: Vnd::new(3_200_000),
            document: String::new(),
            refusal: (state == InvoiceState::Refused).then(|| "3001: Thiếu NMua/DChi".to_owned()),
            reason,
            why: (number > 128).then(|| "Sai mã số thuế".to_owned()),
            content: None,
            made_by: (number > 128).then(|| "Trần Thị Hạnh".to_owned()),
            made_at: (number > 128).then(sample_time),
        };
        let original = row(InvoiceKind::Original, InvoiceState::Coded, 128, None);
        let content = Content {
            buyer: Buyer {
                name: Some("Nguyễn Văn Tư".to_owned()),
                address: Some("Phường Phan Đình Phùng".to_owned()),
                ..Buyer::default()
            },
            lines: vec![
                ContentLine {
                    seq: 1,
                    name: "Học phí tháng 11/2026".to_owned(),
                    amount: Vnd::new(2_500_000),
                    rate: VatRate::NotSubject,
                },
                ContentLine {
                    seq: 2,
                    name: "Đồng phục".to_owned(),
                    amount: Vnd::new(700_000),
                    rate: VatRate::Eight,
                },
            ],
        };
        let first = Self {
            shell: shell.clone(),
            target: original.invoice_id.clone(),
            chain: vec![original.clone()],
            form: CorrectForm::of(&content, "0123456789abcdefghjkmnpqrstvwxyz".to_owned()),
            problem: None,
        };
        let mut adjusted = first.clone();
        adjusted.chain.push(row(
            InvoiceKind::Adjusting,
            InvoiceState::Coded,
            129,
            Some(CorrectionReason::WronglyMade),
        ));
        let mut refused = first.clone();
        refused.chain[0].state = InvoiceState::Refused;
        refused.chain[0].refusal = Some("3001: Thiếu NMua/DChi".to_owned());
        let mut mistake = first.clone();
        mistake.problem = Some(Problem::typed(shell.t("move-reason-missing")));
        let mut waiting = first.clone();
        waiting.chain[0].state = InvoiceState::Sent;
        vec![first, adjusted, refused, mistake, waiting]
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct AskQuery {
    #[serde(default)]
    invoice: String,
}

async fn load(web: &Web, accountant: &Accountant, invoice: &str) -> Result<Shown, PageError> {
    let invoice = InvoiceId::new(invoice);
    show(&web.app.db, &accountant.school_id, &invoice)
        .await
        .map_err(|error| match error {
            LifeError::Invoice(error) => internal(error),
            LifeError::Refused(refusal) => PageError::Internal(refusal.to_string()),
        })?
        .ok_or(PageError::NotFound)
}

pub(super) async fn ask(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Query(query): Query<AskQuery>,
) -> Result<Response, PageError> {
    let shown = load(&web, &accountant, &query.invoice).await?;
    let form = CorrectForm::of(&shown.content, web.app.ids.token());
    let asked = InvoiceId::new(query.invoice);
    page(&CorrectPage::of(&accountant.shell, &shown, &asked, form))
}

pub(super) async fn send(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Form(sent): Form<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let field = |name: &str| sent.get(name).map(String::as_str).unwrap_or_default();
    accountant.shell.check_form(field("form_token"))?;
    check_once(field("once"))?;
    let shown = load(&web, &accountant, field("invoice")).await?;
    let form = CorrectForm::typed(&shown.content, &sent);
    let deed = Deed::parse(&form.deed).ok_or(PageError::BadRequest)?;
    let asked = InvoiceId::new(field("invoice"));
    let mut page_shown = CorrectPage::of(&accountant.shell, &shown, &asked, form.clone());
    let language = accountant.shell.language;
    let problem = if form.why.is_empty() {
        Problem::typed(language.t("move-reason-missing"))
    } else {
        match form.read(&shown.content) {
            Err(seq) => Problem::typed(language.t1("correct-line-unreadable", "line", seq)),
            Ok(after) => {
                match act(&web, &accountant, &page_shown.target, deed, after, &form).await? {
                    None => return Ok(Redirect::to("/ke-toan/corrections").into_response()),
                    Some(problem) => problem,
                }
            }
        }
    };
    let status = problem.status;
    page_shown.problem = Some(problem);
    Ok((status, page(&page_shown)?).into_response())
}

/// Does what was asked for; a problem that the person can do something about is answered.
async fn act(
    web: &Web,
    accountant: &Accountant,
    target: &InvoiceId,
    deed: Deed,
    after: Content,
    form: &CorrectForm,
) -> Result<Option<Problem>, PageError> {
    let (app, school) = (&web.app, &accountant.school_id);
    let keys = KeyRing::default();
    let by = accountant.user_id.to_string();
    let ask = |method, reason| Ask {
        target: target.clone(),
        method,
        reason,
        after: After::Said(after.clone()),
        why: form.why.clone(),
        agreement: Some(form.agreement.clone()).filter(|text| !text.is_empty()),
        cause: form.once.clone(),
        by: by.clone(),
    };
    let done = match deed {
        Deed::Adjust => {
            let ask = ask(Correction::Adjusting, CorrectionReason::WronglyMade);
            correct(app, &keys, school, ask).await.map(drop)
        }
        Deed::Replace => {
            let ask = ask(Correction::Replacing, CorrectionReason::WronglyMade);
            correct(app, &keys, school, ask).await.map(drop)
        }
        Deed::Authority => {
            let ask = ask(Correction::Adjusting, CorrectionReason::Authority);
            correct(app, &keys, school, ask).await.map(drop)
        }
        Deed::Mend => mend(app, school, target, after.clone(), &form.why).await,
        Deed::Notice => {
            let new = NewNotice {
                invoices: vec![(target.clone(), form.why.clone())],
                answers: None,
                request: form.once.clone(),
                by: by.clone(),
            };
            match notify(app, &keys, school, new).await {
                Ok(_) => Ok(()),
                Err(error) => Err(spoken::of_declaration(error, school.as_str())),
            }
        }
    };
    match done {
        Ok(()) => {
            tracing::info!(user.id = by, invoice.id = %target, %deed, "a wrong invoice was dealt with");
            Ok(None)
        }
        Err(error) => problem_of(error, &accountant.shell).map(Some),
    }
}

fn problem_of(error: LifeError, shell: &Shell) -> Result<Problem, PageError> {
    let refusal = match error {
        LifeError::Refused(Refusal::NoInvoice) => return Err(PageError::NotFound),
        LifeError::Refused(refusal) => refusal,
        // What the format does not take, or a key or parameter that is missing: to be mended by hand.
        LifeError::Invoice(
            error @ (InvoiceError::Content(_)
            | InvoiceError::Parameter(_)
            | InvoiceError::NoKey(_)
            | InvoiceError::Sign(_)),
        ) => {
            let why = match shell.language {
                Language::Vietnamese => spoken::invoice(&error),
                Language::English => error.to_string(),
            };
            return Ok(Problem::typed(shell.language.t1(
                "correct-unwritable",
                "why",
                why,
            )));
        }
        LifeError::Invoice(error) => return Err(internal(error)),
    };
    let text = shell.t(spoken::refusal(&refusal));
    Ok(match refusal {
        Refusal::LawAdjusts
        | Refusal::NothingChanges
        | Refusal::AmountsStay
        | Refusal::BelowZero
        | Refusal::NoAgreement => Problem::typed(text),
        _ => Problem::conflict(text),
    })
}
