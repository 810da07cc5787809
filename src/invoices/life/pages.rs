//! `/ke-toan/corrections`: wrong invoices, what was done about them, and what is about to be late.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;

use super::content::{Content, ContentLine};
use super::rules::{self, Refusal};
use super::service::{After, Ask, LifeError, Shown, correct, mend, show};
use super::store::{self, ChainRow, CorrectionRow};
use crate::clock::Instant;
use crate::ids::{DeclarationId, InvoiceId, PaymentId};
use crate::invoices::deadline::{self, Nearness, Pending};
use crate::invoices::declarations::service::{DeclarationError, NewNotice, notify};
use crate::invoices::declarations::store as declarations;
use crate::invoices::document::{Buyer, Correction, CorrectionReason, VatRate};
use crate::invoices::service::{InvoiceError, KeyRing};
use crate::invoices::store::{InvoiceKind, InvoiceState};
use crate::money::{self, Vnd};
use crate::payments::pages::problems::{Problem, check_once};
use crate::payments::pages::store::PAGE_ROWS;
use crate::payments::pages::{Pager, page_number};
use crate::schools::text::clean;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Declarations shown beside the corrections.
const DECLARATIONS_MAX: i64 = 20;
/// Rows of the deadline watch.
const PENDING_MAX: i64 = 500;

/// Everything under `/ke-toan/corrections`, and the deadline watch.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/ke-toan/corrections", get(list))
        .route("/ke-toan/corrections/new", get(ask).post(send))
        .route("/ke-toan/deadlines", get(deadlines))
}

/// Corrections, newest first, and declarations to the authority.
#[derive(Clone, Debug, Template)]
#[template(path = "invoices/life/pages/list.html")]
pub struct CorrectionsPage {
    pub shell: Shell,
    pub rows: Vec<CorrectionRow>,
    pub declarations: Vec<declarations::Listed>,
    pub pager: Pager,
}

impl CorrectionsPage {
    /// Some in several states, and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |kind, state, total| CorrectionRow {
            invoice_id: InvoiceId::new("i2"),
            kind,
            state,
            form: "1".to_owned(),
            symbol: "C26TAA".to_owned(),
            number: 129,
            issue_day: sample_time().day(),
            total: Vnd::new(total),
            refusal: (state == InvoiceState::Refused).then(|| "3001: Thiếu NMua/DChi".to_owned()),
            why: "Học sinh chuyển trường".to_owned(),
            related_id: InvoiceId::new("i1"),
            related_name: "1C26TAA-128".to_owned(),
        };
        let declaration = |kind, state| declarations::Listed {
            declaration_id: DeclarationId::new("d1"),
            kind,
            state,
            made_at: sample_time(),
            problem: None,
            refusal: (state == declarations::State::Refused).then(|| "301: sai".to_owned()),
            invoices: match kind {
                declarations::Kind::ErrorNotice => "1C26TAA-127".to_owned(),
                declarations::Kind::Registration => String::new(),
            },
        };
        let some = Self {
            shell: shell.clone(),
            rows: vec![
                row(InvoiceKind::Adjusting, InvoiceState::Coded, -450_000),
                row(InvoiceKind::Replacing, InvoiceState::Sent, 3_200_000),
                row(InvoiceKind::Adjusting, InvoiceState::Refused, 0),
            ],
            declarations: vec![
                declaration(
                    declarations::Kind::ErrorNotice,
                    declarations::State::Accepted,
                ),
                declaration(
                    declarations::Kind::Registration,
                    declarations::State::Admitted,
                ),
                declaration(
                    declarations::Kind::ErrorNotice,
                    declarations::State::Refused,
                ),
            ],
            pager: Pager::default(),
        };
        let none = Self {
            rows: Vec::new(),
            declarations: Vec::new(),
            ..some.clone()
        };
        vec![some, none]
    }
}

fn sample_time() -> Instant {
    Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment")
}

#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    page: Option<i64>,
}

async fn list(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let number = page_number(query.page);
    let (db, school) = (&web.app.db, &accountant.school_id);
    let mut rows = store::list(db, school, PAGE_ROWS + 1, number * PAGE_ROWS).await?;
    let pager = Pager::of(&mut rows, "?".to_owned(), number);
    page(&CorrectionsPage {
        declarations: declarations::list(db, school, DECLARATIONS_MAX).await?,
        shell: accountant.shell,
        rows,
        pager,
    })
}

/// What must still reach the authority, the most urgent first.
#[derive(Clone, Debug, Template)]
#[template(path = "invoices/life/pages/deadlines.html")]
pub struct DeadlinesPage {
    pub shell: Shell,
    pub rows: Vec<Pending>,
}

impl DeadlinesPage {
    /// Late, due today, with time left; and nothing.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |nearness, state: Option<InvoiceState>, problem: Option<&str>| Pending {
            school: "THCS01".to_owned(),
            invoice: state.map(|_| "1C26TAA-130".to_owned()),
            invoice_id: state.map(|_| InvoiceId::new("i3")),
            payment_id: PaymentId::new("p3"),
            state,
            issue_day: sample_time().day(),
            deadline: sample_time().day().plus_days(1),
            nearness,
            problem: problem.map(str::to_owned),
            problem_since: problem.map(|_| sample_time().shown()),
        };
        let some = Self {
            shell: shell.clone(),
            rows: vec![
                row(
                    Nearness::Late,
                    Some(InvoiceState::Signed),
                    Some("no connection"),
                ),
                row(Nearness::Today, Some(InvoiceState::Sent), None),
                row(Nearness::Later, None, None),
            ],
        };
        let none = Self {
            rows: Vec::new(),
            ..some.clone()
        };
        vec![some, none]
    }
}

async fn deadlines(
    Shared(web): Shared<Web>,
    accountant: Accountant,
) -> Result<Response, PageError> {
    let rows = deadline::watch(&web.app, Some(&accountant.school_id), PENDING_MAX)
        .await
        .map_err(internal)?;
    page(&DeadlinesPage {
        shell: accountant.shell,
        rows,
    })
}

/// What a person wants done about a wrong invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// 04/SS-HĐĐT: nothing is issued again.
    Notice,
    Adjust,
    Replace,
    /// A price that an authority set later.
    Authority,
    /// The authority refused it: the same number again.
    Mend,
}
crate::stored_as_text!(Deed {
    Notice = "NOTICE",
    Adjust = "ADJUST",
    Replace = "REPLACE",
    Authority = "AUTHORITY",
    Mend = "MEND",
});

/// A line of the form.
#[derive(Clone, Debug)]
pub struct LineForm {
    pub seq: i64,
    pub name: String,
    pub amount: String,
    pub rate: String,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct CorrectForm {
    pub once: String,
    pub deed: String,
    pub why: String,
    pub agreement: String,
    pub name: String,
    pub organisation: String,
    pub tax_code: String,
    pub budget_code: String,
    pub address: String,
    pub personal_id: String,
    pub lines: Vec<LineForm>,
}

impl CorrectForm {
    fn of(content: &Content, once: String) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let buyer = &content.buyer;
        Self {
            once,
            name: text(&buyer.name),
            organisation: text(&buyer.organisation),
            tax_code: text(&buyer.tax_code),
            budget_code: text(&buyer.budget_code),
            address: text(&buyer.address),
            personal_id: text(&buyer.personal_id),
            lines: content
                .lines
                .iter()
                .map(|line| LineForm {
                    seq: line.seq,
                    name: line.name.clone(),
                    amount: line.amount.to_string().replace("\u{a0}₫", ""),
                    rate: line.rate.as_str().to_owned(),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// Over what stands, so that a field that was not sent stays.
    fn typed(content: &Content, sent: &HashMap<String, String>) -> Self {
        let mut form = Self::of(content, String::new());
        let take = |field: &str, place: &mut String| {
            if let Some(value) = sent.get(field) {
                *place = clean(value);
            }
        };
        take("once", &mut form.once);
        take("deed", &mut form.deed);
        take("why", &mut form.why);
        take("agreement", &mut form.agreement);
        take("name", &mut form.name);
        take("organisation", &mut form.organisation);
        take("tax_code", &mut form.tax_code);
        take("budget_code", &mut form.budget_code);
        take("address", &mut form.address);
        take("personal_id", &mut form.personal_id);
        for line in &mut form.lines {
            take(&format!("name_{}", line.seq), &mut line.name);
            take(&format!("amount_{}", line.seq), &mut line.amount);
            take(&format!("rate_{}", line.seq), &mut line.rate);
        }
        form
    }

    /// The content as typed; the sequence number of a line whose amount or rate is not understood.
    fn read(&self, before: &Content) -> Result<Content, i64> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut lines = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            lines.push(ContentLine {
                seq: line.seq,
                name: line.name.clone(),
                amount: money::typed(&line.amount)
                    .filter(|amount| !amount.is_negative())
                    .ok_or(line.seq)?,
                rate: VatRate::parse(&line.rate).ok_or(line.seq)?,
            });
        }
        Ok(Content {
            buyer: Buyer {
                name: given(&self.name),
                organisation: given(&self.organisation),
                tax_code: given(&self.tax_code),
                budget_code: given(&self.budget_code),
                address: given(&self.address),
                personal_id: given(&self.personal_id),
                ..before.buyer.clone()
            },
            lines,
        })
    }
}

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
struct AskQuery {
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

fn internal(error: InvoiceError) -> PageError {
    match error {
        InvoiceError::Store(error) => error.into(),
        other => PageError::Internal(other.to_string()),
    }
}

async fn ask(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Query(query): Query<AskQuery>,
) -> Result<Response, PageError> {
    let shown = load(&web, &accountant, &query.invoice).await?;
    let form = CorrectForm::of(&shown.content, web.app.ids.token());
    let asked = InvoiceId::new(query.invoice);
    page(&CorrectPage::of(&accountant.shell, &shown, &asked, form))
}

async fn send(
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
                Err(DeclarationError::Invoice(error)) => Err(LifeError::Invoice(error)),
                Err(DeclarationError::NoInvoice | DeclarationError::Nothing) => {
                    Err(LifeError::Refused(Refusal::NoInvoice))
                }
                Err(DeclarationError::NotAccepted) => {
                    Err(LifeError::Refused(Refusal::NotAccepted(InvoiceState::Sent)))
                }
                Err(DeclarationError::NoKey) => {
                    Err(LifeError::Invoice(InvoiceError::NoKey(school.to_string())))
                }
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
        LifeError::Refused(refusal) => refusal,
        // What the format does not take, or a key or parameter that is missing: to be mended by hand.
        LifeError::Invoice(
            error @ (InvoiceError::Content(_)
            | InvoiceError::Parameter(_)
            | InvoiceError::NoKey(_)
            | InvoiceError::Sign(_)),
        ) => {
            return Ok(Problem::typed(shell.language.t1(
                "correct-unwritable",
                "why",
                error,
            )));
        }
        LifeError::Invoice(error) => return Err(internal(error)),
    };
    let text = |key| shell.t(key);
    Ok(match refusal {
        Refusal::NoInvoice => return Err(PageError::NotFound),
        Refusal::NotAccepted(_) => Problem::conflict(text("correct-not-accepted")),
        Refusal::NotRefused(_) => Problem::conflict(text("correct-not-refused")),
        Refusal::Replaced => Problem::conflict(text("correct-replaced")),
        Refusal::Pending => Problem::conflict(text("correct-pending")),
        Refusal::BoundTo(Correction::Adjusting) => Problem::conflict(text("correct-bound-adjust")),
        Refusal::BoundTo(Correction::Replacing) => Problem::conflict(text("correct-bound-replace")),
        Refusal::LawAdjusts => Problem::typed(text("correct-law-adjusts")),
        Refusal::AdjustedSince => Problem::conflict(text("correct-adjusted-since")),
        Refusal::NothingChanges => Problem::typed(text("correct-nothing-changes")),
        Refusal::OtherLines { .. } => Problem::conflict(text("correct-other-lines")),
        Refusal::AmountsStay => Problem::typed(text("correct-amounts-stay")),
        Refusal::BelowZero => Problem::typed(text("correct-below-zero")),
        Refusal::NoAgreement => Problem::typed(text("correct-no-agreement")),
        Refusal::FormUsed => Problem::conflict(text("move-form-used")),
    })
}
