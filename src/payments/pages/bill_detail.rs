//! `/ke-toan/bills/{bill_id}`: one bill as the school sees it, and cash taken for it at the counter.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::problems::{Problem, check_once};
use super::receipts::sample_receipts;
use super::store::{self, Receipt};
use crate::fees::pages::store as fee_store;
use crate::fees::pages::{LineView, sample_bill, sample_lines};
use crate::fees::service::price_for_today;
use crate::fees::vocabulary::BillState;
use crate::ids::{BillId, PaymentId};
use crate::money::{self, Vnd};
use crate::payments::evidence_store::{self, Evidence, EvidenceKind, Step};
use crate::payments::moves::service::{Asked, use_credit};
use crate::payments::service::{PayError, record_cash};
use crate::schools::text::clean;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

const NOTE_CHARS_MAX: usize = 200;
/// Symbols of the token that makes a repeated form one payment, see
/// [`Ids::token`](crate::ids::Ids::token).
const ONCE_SYMBOLS: usize = 32;

/// One bill as the school sees it.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/bill_detail.html")]
pub struct BillDetailPage {
    pub shell: Shell,
    pub bill: fee_store::Bill,
    pub lines: Vec<LineView>,
    pub receipts: Vec<Receipt>,
    /// What the form for cash carries; it is shown only while the bill takes money.
    pub cash: CashForm,
    /// Why cash was not taken.
    pub problem: Option<CashProblem>,
    /// What the bill's pupil has in credit.
    pub credit: Vnd,
    /// Why credit was not used.
    pub credit_problem: Option<Problem>,
    pub evidence: Vec<Evidence>,
}

/// `POST /ke-toan/bills/{bill_id}/cash`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CashForm {
    #[serde(default)]
    form_token: String,
    /// The same in every repetition of this form, so that a double click is one payment.
    #[serde(default)]
    pub once: String,
    #[serde(default)]
    pub amount: String,
    #[serde(default)]
    pub note: String,
}

/// Why cash was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CashProblem {
    AmountUnreadable,
    AmountTooLarge {
        open: Vnd,
    },
    NoteTooLong,
    NothingOpen,
    /// The form was sent before, with another amount or for another bill.
    FormUsed(PaymentId),
    /// It is not known whether the payment was recorded; the same form may be sent again.
    Busy,
}

impl CashProblem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::FormUsed(_) => StatusCode::CONFLICT,
            Self::AmountUnreadable
            | Self::AmountTooLarge { .. }
            | Self::NoteTooLong
            | Self::NothingOpen => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl BillDetailPage {
    async fn load(web: &Web, accountant: &Accountant, bill_id: &BillId) -> Result<Self, PageError> {
        let (db, school, shell) = (&web.app.db, &accountant.school_id, &accountant.shell);
        // What is open at the counter is what is open today.
        price_for_today(&web.app, school, bill_id)
            .await
            .map_err(|error| PageError::Internal(error.to_string()))?;
        let bill = fee_store::bill(db, school, bill_id)
            .await?
            .ok_or(PageError::NotFound)?;
        let lines = fee_store::lines(db, school, bill_id).await?;
        let mut loaded = Self {
            lines: LineView::all(shell, lines),
            receipts: store::receipts_of_bill(db, school, bill_id).await?,
            cash: CashForm::default(),
            problem: None,
            credit: store::credit_of_bill(db, school, bill_id).await?,
            credit_problem: None,
            evidence: evidence_store::of_bill(db, school, bill_id).await?,
            bill,
            shell: shell.clone(),
        };
        loaded.cash = loaded.fresh_cash(web.app.ids.token());
        Ok(loaded)
    }

    fn fresh_cash(&self, once: String) -> CashForm {
        CashForm {
            once,
            amount: self.rest().to_string().replace("\u{a0}₫", ""),
            ..CashForm::default()
        }
    }

    fn state_word(&self) -> String {
        self.shell.word("bill", self.bill.state.as_str())
    }

    fn rest(&self) -> Vnd {
        self.bill.amount_due - self.bill.amount_paid
    }

    /// What credit can settle at most.
    fn usable_credit(&self) -> Vnd {
        self.credit.min(self.rest())
    }

    fn uses_credit(&self) -> bool {
        self.takes_money() && self.credit.is_positive()
    }

    fn takes_money(&self) -> bool {
        self.bill.state != BillState::Cancelled && self.rest().is_positive()
    }

    fn problem_text(&self, problem: &CashProblem) -> String {
        let language = self.shell.language;
        match problem {
            CashProblem::AmountUnreadable => language.t("cash-amount-unreadable"),
            CashProblem::AmountTooLarge { open } => {
                language.t1("cash-amount-too-large", "open", open)
            }
            CashProblem::NoteTooLong => language.t1("cash-note-too-long", "max", NOTE_CHARS_MAX),
            CashProblem::NothingOpen => language.t("cash-nothing-open"),
            CashProblem::FormUsed(_) => language.t("cash-form-used"),
            CashProblem::Busy => language.t("cash-busy"),
        }
    }

    /// The receipt that a used form led to.
    fn used_receipt(&self) -> Option<&PaymentId> {
        if let Some(CashProblem::FormUsed(payment)) = &self.problem {
            Some(payment)
        } else {
            None
        }
    }

    /// Unpaid, refused, used up, and paid in two parts.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let mut unpaid = Self {
            shell: shell.clone(),
            bill: sample_bill(),
            lines: sample_lines(shell),
            receipts: Vec::new(),
            cash: CashForm::default(),
            problem: None,
            credit: Vnd::new(26_900),
            credit_problem: None,
            evidence: vec![Evidence {
                step: Step::Claimed,
                kind: EvidenceKind::Checkout,
                reference: "HPZ37MTFCKQPG-4k3f9a2b".to_owned(),
                noted_at: crate::clock::Instant::parse_local_iso("2026-11-23T09:15:04")
                    .expect("a moment"),
            }],
        };
        unpaid.cash = unpaid.fresh_cash("0123456789abcdefghjkmnpqrstvwxyz".to_owned());
        let mut refused = unpaid.clone();
        refused.cash.amount = "68.31.00".to_owned();
        refused.cash.note = "Bà ngoại nộp".to_owned();
        refused.problem = Some(CashProblem::AmountUnreadable);
        refused.credit_problem = Some(Problem::typed(shell.t("move-no-credit")));
        let mut paid = unpaid.clone();
        paid.bill.state = BillState::Paid;
        paid.bill.amount_paid = paid.bill.amount_due;
        paid.receipts = sample_receipts().into_iter().take(2).collect();
        let mut used = paid.clone();
        used.problem = Some(CashProblem::FormUsed(PaymentId::new("pay1")));
        vec![unpaid, refused, used, paid]
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
    Path(bill_id): Path<BillId>,
) -> Result<Response, PageError> {
    page(&BillDetailPage::load(&web, &accountant, &bill_id).await?)
}

/// `POST /ke-toan/bills/{bill_id}/credit`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CreditForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    once: String,
    #[serde(default)]
    amount: String,
}

/// Uses the pupil's credit for the bill.
pub(super) async fn take_credit(
    State(web): State<Web>,
    accountant: Accountant,
    Path(bill_id): Path<BillId>,
    Form(form): Form<CreditForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    check_once(&form.once)?;
    let language = accountant.shell.language;
    let problem = match money::typed(&form.amount).filter(|amount| amount.is_positive()) {
        None => Problem::typed(language.t("cash-amount-unreadable")),
        Some(amount) => {
            let asked = Asked {
                request: form.once.clone(),
                by: accountant.user_id.to_string(),
                reason: language.t("credit-use"),
            };
            match use_credit(
                &web.app,
                &accountant.school_id,
                &bill_id,
                Some(amount),
                asked,
            )
            .await
            {
                Ok(moved) => {
                    tracing::info!(user.id = %accountant.user_id, move.id = %moved.move_id, "credit used");
                    let there = format!("/ke-toan/bills/{bill_id}");
                    return Ok(Redirect::to(&there).into_response());
                }
                Err(error) => Problem::of(error, language, &web.app.db).await?,
            }
        }
    };
    let mut shown = BillDetailPage::load(&web, &accountant, &bill_id).await?;
    let status = problem.status;
    shown.credit_problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}

/// Leads to the receipt, also when the form was sent before.
pub(super) async fn take_cash(
    State(web): State<Web>,
    accountant: Accountant,
    Path(bill_id): Path<BillId>,
    Form(mut form): Form<CashForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let problem = match taken(&web, &accountant, &bill_id, &form).await? {
        Ok(payment) => {
            let receipt = format!("/ke-toan/receipts/{payment}");
            return Ok(Redirect::to(&receipt).into_response());
        }
        Err(problem) => problem,
    };
    let mut shown = BillDetailPage::load(&web, &accountant, &bill_id).await?;
    if matches!(problem, CashProblem::FormUsed(_)) {
        form.once.clone_from(&shown.cash.once);
    }
    shown.cash = form;
    let status = problem.status();
    shown.problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}

async fn taken(
    web: &Web,
    accountant: &Accountant,
    bill_id: &BillId,
    form: &CashForm,
) -> Result<Result<PaymentId, CashProblem>, PageError> {
    let ours = form.once.len() == ONCE_SYMBOLS
        && form.once.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !ours {
        return Err(PageError::BadRequest);
    }
    let Some(amount) = money::typed(&form.amount).filter(|amount| amount.is_positive()) else {
        return Ok(Err(CashProblem::AmountUnreadable));
    };
    let note = clean(&form.note);
    if note.chars().count() > NOTE_CHARS_MAX {
        return Ok(Err(CashProblem::NoteTooLong));
    }
    let school = &accountant.school_id;
    let receipt = match record_cash(&web.app, school, bill_id, amount, &form.once, &note).await {
        Ok(receipt) => receipt,
        Err(PayError::Store(error)) => return Err(error.into()),
        Err(PayError::NoBill) => return Err(PageError::NotFound),
        Err(PayError::Amount { open }) => return Ok(Err(CashProblem::AmountTooLarge { open })),
        Err(PayError::NothingDue) => return Ok(Err(CashProblem::NothingOpen)),
        Err(PayError::Busy) => return Ok(Err(CashProblem::Busy)),
        Err(other) => return Err(PageError::Internal(other.to_string())),
    };
    let Some(payment) = receipt.payment_id else {
        return Ok(Err(CashProblem::Busy));
    };
    let booked = store::receipt(&web.app.db, school, &payment).await?;
    let is_this = booked
        .is_some_and(|booked| booked.amount == amount && booked.bill_id.as_ref() == Some(bill_id));
    if !is_this {
        return Ok(Err(CashProblem::FormUsed(payment)));
    }
    tracing::info!(user.id = %accountant.user_id, payment.id = %payment, "cash taken at the counter");
    Ok(Ok(payment))
}
