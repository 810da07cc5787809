//! `/ke-toan/refunds`: money on its way back to families.

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;

use super::rules::{Charge, DocumentState, Source, State, Step, Way, after};
use super::service::{From, NewRefund, RefundError, Report, advance, request};
use super::store::{self, Event, Refund, RefundRow, Refundable};
use crate::clock::Instant;
use crate::fees::pages::store::{Line, lines};
use crate::ids::{BillId, MoveId, PaymentId, PupilId, RefundId};
use crate::money::{self, Vnd};
use crate::payments::pages::problems::{Problem, check_once};
use crate::payments::pages::store::PAGE_ROWS;
use crate::payments::pages::{Pager, page_number};
use crate::schools::text::clean;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Everything under `/ke-toan/refunds`.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/ke-toan/refunds", get(list))
        .route("/ke-toan/refunds/new", get(ask).post(send))
        .route("/ke-toan/refunds/{refund_id}", get(show))
        .route("/ke-toan/refunds/{refund_id}/step", post(take_step))
}

/// Refunds under way first.
#[derive(Clone, Debug, Template)]
#[template(path = "refunds/pages/list.html")]
pub struct RefundsPage {
    pub shell: Shell,
    pub rows: Vec<RefundRow>,
    pub pager: Pager,
}

impl RefundsPage {
    /// Some in every state, and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |state, document| RefundRow {
            refund_id: RefundId::new("r1"),
            payee: "Nguyễn Văn Tư".to_owned(),
            pupil_name: Some("Nguyễn Hoàng Minh An".to_owned()),
            bill_code: Some("HPZ37MTFCKQPG".to_owned()),
            amount: Vnd::new(450_000),
            source: Source::BillLine,
            way: Way::BankTransfer,
            state,
            document,
            requested_at: sample_time(),
        };
        let some = Self {
            shell: shell.clone(),
            rows: vec![
                row(State::Requested, DocumentState::None),
                row(State::Sent, DocumentState::None),
                row(State::Unknown, DocumentState::None),
                row(State::Done, DocumentState::Waiting),
                row(State::Failed, DocumentState::None),
            ],
            pager: Pager::default(),
        };
        let none = Self {
            rows: Vec::new(),
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
    let offset = number * PAGE_ROWS;
    let mut rows = store::list(&web.app.db, &accountant.school_id, PAGE_ROWS + 1, offset).await?;
    let pager = Pager::of(&mut rows, "?".to_owned(), number);
    page(&RefundsPage {
        shell: accountant.shell,
        rows,
        pager,
    })
}

/// The form that asks for a refund: first which line of a bill, then how much and how.
#[derive(Clone, Debug, Template)]
#[template(path = "refunds/pages/new.html")]
pub struct NewRefundPage {
    pub shell: Shell,
    pub from: AskQuery,
    /// Lines to choose from, while none is chosen.
    pub lines: Vec<Line>,
    pub money: Option<Refundable>,
    pub form: RefundForm,
    pub problem: Option<Problem>,
}

/// What is to be paid back: `bill` and `line`, `pupil` (credit), or `suspense` (a payment).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AskQuery {
    #[serde(default)]
    pub bill: String,
    #[serde(default)]
    pub line: String,
    #[serde(default)]
    pub pupil: String,
    #[serde(default)]
    pub suspense: String,
}

/// `POST /ke-toan/refunds/new`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RefundForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pub once: String,
    #[serde(default)]
    pub bill: String,
    #[serde(default)]
    pub line: String,
    #[serde(default)]
    pub pupil: String,
    #[serde(default)]
    pub suspense: String,
    #[serde(default)]
    pub amount: String,
    #[serde(default)]
    pub way: String,
    #[serde(default)]
    pub charge: String,
    #[serde(default)]
    pub payee: String,
    #[serde(default)]
    pub account: String,
    #[serde(default)]
    pub reason: String,
}

impl AskQuery {
    fn source(&self) -> Option<From> {
        let bill = (!self.bill.is_empty())
            .then(|| self.line.parse().ok())
            .flatten()
            .map(|line| From::BillLine(BillId::new(self.bill.clone()), line));
        let pupil =
            (!self.pupil.is_empty()).then(|| From::Credit(PupilId::new(self.pupil.clone())));
        let suspense = (!self.suspense.is_empty())
            .then(|| From::Suspense(PaymentId::new(self.suspense.clone())));
        bill.or(pupil).or(suspense)
    }
}

impl NewRefundPage {
    async fn load(web: &Web, accountant: &Accountant, from: AskQuery) -> Result<Self, PageError> {
        let (db, school) = (&web.app.db, &accountant.school_id);
        let mut paid_lines = Vec::new();
        let money = match from.source() {
            Some(From::BillLine(bill, line)) => store::on_line(db, school, &bill, line).await?,
            Some(From::Credit(pupil)) => store::on_credit(db, school, &pupil).await?,
            Some(From::Suspense(payment)) => store::on_suspense(db, school, &payment).await?,
            None => {
                let bill = BillId::new(from.bill.clone());
                paid_lines = lines(db, school, &bill).await?;
                paid_lines.retain(|line| line.amount_paid.is_positive());
                None
            }
        };
        if money.is_none() && paid_lines.is_empty() {
            return Err(PageError::NotFound);
        }
        let form = money
            .as_ref()
            .map(|money| RefundForm {
                amount: money.held.to_string().replace("\u{a0}₫", ""),
                payee: money.payee.clone(),
                ..RefundForm::default()
            })
            .unwrap_or_default();
        Ok(Self {
            shell: accountant.shell.clone(),
            from,
            lines: paid_lines,
            money,
            form: RefundForm {
                once: web.app.ids.token(),
                ..form
            },
            problem: None,
        })
    }

    fn is_bill(&self) -> bool {
        !self.from.bill.is_empty()
    }

    fn ways(&self) -> Vec<Way> {
        let mut ways = vec![Way::BankTransfer, Way::Cash];
        if self
            .money
            .as_ref()
            .is_some_and(|money| money.by_provider == 1)
        {
            ways.insert(0, Way::Provider);
        }
        ways
    }

    /// Choosing a line, the empty form, and a refusal.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let choose = Self {
            shell: shell.clone(),
            from: AskQuery {
                bill: "b1".to_owned(),
                ..AskQuery::default()
            },
            lines: crate::fees::pages::sample_lines(shell)
                .into_iter()
                .map(|view| view.line)
                .collect(),
            money: None,
            form: RefundForm::default(),
            problem: None,
        };
        let mut form = choose.clone();
        form.from.line = "1".to_owned();
        form.lines = Vec::new();
        form.money = Some(Refundable {
            title: "Tiền ăn bán trú".to_owned(),
            payee: "Nguyễn Văn Tư".to_owned(),
            pupil_name: Some("Nguyễn Hoàng Minh An".to_owned()),
            held: Vnd::new(440_000),
            by_provider: 1,
        });
        form.form.once = "0123456789abcdefghjkmnpqrstvwxyz".to_owned();
        form.form.amount = "440.000".to_owned();
        form.form.payee = "Nguyễn Văn Tư".to_owned();
        let mut refused = form.clone();
        refused.problem = Some(Problem::typed(shell.t("move-reason-missing")));
        vec![choose, form, refused]
    }
}

async fn ask(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Query(query): Query<AskQuery>,
) -> Result<Response, PageError> {
    page(&NewRefundPage::load(&web, &accountant, query).await?)
}

async fn send(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Form(form): Form<RefundForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    check_once(&form.once)?;
    let language = accountant.shell.language;
    let from = AskQuery {
        bill: form.bill.clone(),
        line: form.line.clone(),
        pupil: form.pupil.clone(),
        suspense: form.suspense.clone(),
    };
    let source = from.source().ok_or(PageError::BadRequest)?;
    let way = Way::parse(&form.way).ok_or(PageError::BadRequest)?;
    let amount = money::typed(&form.amount).filter(|amount| amount.is_positive());
    let (payee, reason) = (clean(&form.payee), clean(&form.reason));
    let problem = match amount {
        None => Problem::typed(language.t("cash-amount-unreadable")),
        Some(_) if payee.is_empty() => Problem::typed(language.t("refund-payee-missing")),
        Some(_) if reason.is_empty() => Problem::typed(language.t("move-reason-missing")),
        Some(amount) => {
            let new = NewRefund {
                from: source,
                amount,
                way,
                charge: Charge::parse(&form.charge).unwrap_or(Charge::Stays),
                payee,
                payee_account: Some(clean(&form.account)).filter(|text| !text.is_empty()),
                reason,
                request: form.once.clone(),
                by: accountant.user_id.to_string(),
            };
            match request(&web.app, &accountant.school_id, new).await {
                Ok(refund) => {
                    tracing::info!(user.id = %accountant.user_id, refund.id = %refund, "refund asked for");
                    return Ok(back_to(&refund));
                }
                Err(error) => problem_of(error, &accountant, &web).await?,
            }
        }
    };
    let mut shown = NewRefundPage::load(&web, &accountant, from).await?;
    let status = problem.status;
    let once = if status == StatusCode::CONFLICT {
        shown.form.once.clone()
    } else {
        form.once.clone()
    };
    shown.form = RefundForm { once, ..form };
    shown.problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}

fn back_to(refund: &RefundId) -> Response {
    Redirect::to(&format!("/ke-toan/refunds/{refund}")).into_response()
}

async fn problem_of(
    error: RefundError,
    accountant: &Accountant,
    web: &Web,
) -> Result<Problem, PageError> {
    let language = accountant.shell.language;
    Ok(match error {
        RefundError::Move(error) => return Problem::of(error, language, &web.app.db).await,
        RefundError::NoRefund => return Err(PageError::NotFound),
        RefundError::NotOneProviderPayment => Problem::typed(language.t("refund-not-provider")),
        RefundError::NotNow(state) => Problem::conflict(language.t1(
            "refund-not-now",
            "state",
            accountant.shell.word("refund-state", state.as_str()),
        )),
        RefundError::NoReference => Problem::typed(language.t("refund-reference-missing")),
        RefundError::ReferenceUsed => Problem::conflict(language.t("refund-reference-used")),
    })
}

/// One refund, its steps, and what may be reported next.
#[derive(Clone, Debug, Template)]
#[template(path = "refunds/pages/refund.html")]
pub struct RefundPage {
    pub shell: Shell,
    pub refund: Refund,
    pub events: Vec<Event>,
    pub form: StepForm,
    pub problem: Option<Problem>,
}

/// `POST /ke-toan/refunds/{refund_id}/step`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct StepForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pub step: String,
    #[serde(default)]
    pub reference: String,
    #[serde(default)]
    pub detail: String,
}

impl RefundPage {
    async fn load(
        web: &Web,
        accountant: &Accountant,
        refund: &RefundId,
    ) -> Result<Self, PageError> {
        let (db, school) = (&web.app.db, &accountant.school_id);
        Ok(Self {
            refund: store::refund(db, school, refund)
                .await?
                .ok_or(PageError::NotFound)?,
            events: store::events(db, school, refund).await?,
            form: StepForm::default(),
            problem: None,
            shell: accountant.shell.clone(),
        })
    }

    /// What a person may report. How far a provider's refund is, its provider says; a person ends only
    /// one of unknown fate.
    fn steps(&self) -> Vec<Step> {
        let by_hand = self.refund.way != Way::Provider || self.refund.state == State::Unknown;
        [Step::Paid, Step::Send, Step::LoseSight, Step::Fail]
            .into_iter()
            .filter(|step| by_hand && after(self.refund.state, *step).is_some())
            .filter(|step| self.refund.way != Way::Cash || matches!(step, Step::Paid | Step::Fail))
            .collect()
    }

    fn has_document(&self) -> bool {
        self.refund.document != DocumentState::None
    }

    /// Asked for, of unknown fate, and done with its document on the way.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let event = |to_state, detail: &str| Event {
            to_state,
            detail: detail.to_owned(),
            made_by: "Trần Thị Hạnh".to_owned(),
            made_at: sample_time(),
        };
        let asked = Self {
            shell: shell.clone(),
            refund: Refund {
                refund_id: RefundId::new("r1"),
                source: Source::BillLine,
                pupil_id: None,
                bill_id: Some(BillId::new("b1")),
                line_no: Some(1),
                payment_id: Some(PaymentId::new("pay1")),
                amount: Vnd::new(440_000),
                way: Way::BankTransfer,
                charge: Charge::Falls,
                payee: "Nguyễn Văn Tư".to_owned(),
                payee_account: Some("Vietcombank 0861000123456".to_owned()),
                reason: "Học sinh chuyển trường".to_owned(),
                state: State::Requested,
                document: DocumentState::None,
                document_note: None,
                move_id: MoveId::new("m1"),
                reference: None,
                requested_by: "Trần Thị Hạnh".to_owned(),
                requested_at: sample_time(),
                concluded_at: None,
            },
            events: vec![event(State::Requested, "Học sinh chuyển trường")],
            form: StepForm::default(),
            problem: None,
        };
        let mut unknown = asked.clone();
        unknown.refund.state = State::Unknown;
        unknown
            .events
            .push(event(State::Sent, "Ủy nhiệm chi số 12"));
        unknown
            .events
            .push(event(State::Unknown, "Ngân hàng chưa trả lời"));
        unknown.problem = Some(Problem::typed(shell.t("refund-reference-missing")));
        let mut done = asked.clone();
        done.refund.state = State::Done;
        done.refund.document = DocumentState::Waiting;
        done.refund.reference = Some("FT26328001".to_owned());
        done.refund.concluded_at = Some(sample_time());
        done.events.push(event(State::Done, ""));
        vec![asked, unknown, done]
    }
}

async fn show(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Path(refund): Path<RefundId>,
) -> Result<Response, PageError> {
    page(&RefundPage::load(&web, &accountant, &refund).await?)
}

async fn take_step(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Path(refund): Path<RefundId>,
    Form(form): Form<StepForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let language = accountant.shell.language;
    let step = Step::parse(&form.step).ok_or(PageError::BadRequest)?;
    let mut shown = RefundPage::load(&web, &accountant, &refund).await?;
    let detail = clean(&form.detail);
    let problem = if !shown.steps().contains(&step) {
        Problem::conflict(
            language.t1(
                "refund-not-now",
                "state",
                accountant
                    .shell
                    .word("refund-state", shown.refund.state.as_str()),
            ),
        )
    } else if detail.is_empty() && matches!(step, Step::Fail | Step::LoseSight) {
        Problem::typed(language.t("move-reason-missing"))
    } else {
        let report = Report {
            step,
            reference: Some(clean(&form.reference)).filter(|text| !text.is_empty()),
            detail,
            by: accountant.user_id.to_string(),
        };
        match advance(&web.app, &accountant.school_id, &refund, report).await {
            Ok(state) => {
                tracing::info!(user.id = %accountant.user_id, refund.id = %refund, %state, "refund reported");
                return Ok(back_to(&refund));
            }
            Err(error) => problem_of(error, &accountant, &web).await?,
        }
    };
    let status = problem.status;
    shown.form = form;
    shown.problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}
