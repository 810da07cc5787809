//! `/ke-toan/review`: what providers said and a person must judge.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::problems::Problem;
use super::store::{PAGE_ROWS, payment_named};
use super::{Pager, page_number};
use crate::clock::Instant;
use crate::ids::{PaymentId, ReviewId};
use crate::money::Vnd;
use crate::payments::review::rules::{ReviewKind, Verdict, Why};
use crate::payments::review::service::{Decided, Judgement, decide};
use crate::payments::review::store::{self, FirstNotice, ReviewItem, ReviewRow};
use crate::schools::text::clean;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Open items first.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/review.html")]
pub struct ReviewPage {
    pub shell: Shell,
    pub rows: Vec<ReviewRow>,
    pub pager: Pager,
}

impl ReviewPage {
    /// Open and closed items, and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |kind, why, state: &str, amount| ReviewRow {
            review_id: ReviewId::new("r1"),
            kind,
            provider: "vnpay".to_owned(),
            transaction_id: Some("14422574".to_owned()),
            order_ref: None,
            amount: Vnd::new(amount),
            why,
            received_at: sample_time(),
            state: state.to_owned(),
        };
        let some = Self {
            shell: shell.clone(),
            rows: vec![
                row(
                    ReviewKind::NoticeConflict,
                    Why::OtherMeaning,
                    "OPEN",
                    860_000,
                ),
                row(ReviewKind::Reversal, Why::CreditUsed, "OPEN", 683_100),
                row(ReviewKind::Reversal, Why::OriginalUnknown, "CLOSED", 50_000),
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

#[derive(Debug, Default, Deserialize)]
pub(super) struct PageQuery {
    page: Option<i64>,
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let number = page_number(query.page);
    let offset = number * PAGE_ROWS;
    let mut rows = store::list(&web.app.db, &accountant.school_id, PAGE_ROWS + 1, offset).await?;
    let pager = Pager::of(&mut rows, "?".to_owned(), number);
    page(&ReviewPage {
        shell: accountant.shell,
        rows,
        pager,
    })
}

/// One item: what was said, beside what was said first, and the decision.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/review_item.html")]
pub struct ReviewItemPage {
    pub shell: Shell,
    pub item: ReviewItem,
    /// Of a conflict: the notice that came first.
    pub first: Option<FirstNotice>,
    pub form: DecideForm,
    pub problem: Option<Problem>,
}

/// `POST /ke-toan/review/{review_id}`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct DecideForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pub verdict: String,
    /// Of a reversal: the payment that is meant.
    #[serde(default)]
    pub payment: String,
    #[serde(default)]
    pub also_used: String,
    #[serde(default)]
    pub reason: String,
}

/// One line of the comparison.
#[derive(Clone, Debug)]
pub struct Said {
    pub name: String,
    pub first: String,
    pub second: String,
    pub differs: bool,
}

impl ReviewItemPage {
    async fn load(
        web: &Web,
        accountant: &Accountant,
        review: &ReviewId,
    ) -> Result<Self, PageError> {
        let (db, school) = (&web.app.db, &accountant.school_id);
        let item = store::item(db, school, review)
            .await?
            .ok_or(PageError::NotFound)?;
        let first = match item.kind {
            ReviewKind::NoticeConflict => {
                store::first_notice(db, school, &item.provider, &item.notice_key).await?
            }
            ReviewKind::Reversal => None,
        };
        let payment = item.payment_id.as_ref().map(PaymentId::to_string);
        Ok(Self {
            shell: accountant.shell.clone(),
            form: DecideForm {
                payment: payment.unwrap_or_default(),
                ..DecideForm::default()
            },
            item,
            first,
            problem: None,
        })
    }

    fn is_reversal(&self) -> bool {
        self.item.kind == ReviewKind::Reversal
    }

    /// The payment of the first notice, when another one stands in its place.
    fn undone(&self) -> Option<PaymentId> {
        let first = self.first.as_ref()?.payment_id.clone()?;
        let replaced = self.item.decision == Some(Verdict::SecondHolds)
            && self.item.payment_id.as_ref() != Some(&first);
        replaced.then_some(first)
    }

    fn verdicts(&self) -> &'static [Verdict] {
        if self.is_reversal() {
            &[Verdict::TakenBack, Verdict::Dismissed]
        } else {
            &[Verdict::FirstHolds, Verdict::SecondHolds]
        }
    }

    fn second_name(&self) -> String {
        self.shell.t(if self.is_reversal() {
            "review-notice"
        } else {
            "review-second"
        })
    }

    fn rows(&self) -> Vec<Said> {
        let (item, first) = (&self.item, self.first.as_ref());
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        let status = |stored: &str| self.shell.word("notice-status", stored);
        let pairs = [
            (
                "receipt-time",
                first.map(|first| first.received_at.shown()),
                item.received_at.shown(),
            ),
            (
                "receipt-amount",
                first.map(|first| first.amount.to_string()),
                item.amount.to_string(),
            ),
            (
                "review-status",
                first.map(|first| status(&first.status)),
                status(&item.status),
            ),
            (
                "review-order",
                first.map(|first| shown(&first.order_ref)),
                shown(&item.order_ref),
            ),
            (
                "receipt-transaction",
                first.map(|_| item.notice_key.clone()),
                item.transaction_id
                    .clone()
                    .unwrap_or_else(|| item.notice_key.clone()),
            ),
            (
                "receipt-memo",
                first.map(|first| shown(&first.memo)),
                shown(&item.memo),
            ),
        ];
        pairs
            .into_iter()
            .map(|(key, first, second)| Said {
                name: self.shell.t(key),
                differs: key != "receipt-time" && first.as_ref().is_some_and(|f| *f != second),
                first: first.unwrap_or_default(),
                second,
            })
            .collect()
    }

    /// A conflict, a reversal that was refused, one that is closed, and one that corrected the books.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let conflict = Self {
            shell: shell.clone(),
            item: ReviewItem {
                review_id: ReviewId::new("r1"),
                kind: ReviewKind::NoticeConflict,
                provider: "vnpay".to_owned(),
                notice_key: "14422574".to_owned(),
                transaction_id: Some("14422574".to_owned()),
                order_ref: Some("HPZ37MTFCKQPG-4k3f9a2b".to_owned()),
                status: "paid".to_owned(),
                amount: Vnd::new(860_000),
                currency: "VND".to_owned(),
                memo: Some("Thanh toan phieu thu".to_owned()),
                raw: "vnp_Amount=86000000&vnp_TransactionNo=14422574".to_owned(),
                why: Why::OtherMeaning,
                payment_id: Some(PaymentId::new("pay1")),
                received_at: sample_time(),
                state: "OPEN".to_owned(),
                decision: None,
                decision_reason: None,
                decided_by: None,
                decided_at: None,
            },
            first: Some(FirstNotice {
                order_ref: Some("HPZ37MTFCKQPG-4k3f9a2b".to_owned()),
                status: "paid".to_owned(),
                amount: Vnd::new(683_100),
                memo: Some("Thanh toan phieu thu".to_owned()),
                raw: "vnp_Amount=68310000&vnp_TransactionNo=14422574".to_owned(),
                payment_id: Some(PaymentId::new("pay1")),
                received_at: sample_time(),
            }),
            form: DecideForm::default(),
            problem: None,
        };
        let mut reversal = conflict.clone();
        reversal.item.kind = ReviewKind::Reversal;
        reversal.item.why = Why::CreditUsed;
        reversal.item.status = "reversed".to_owned();
        reversal.first = None;
        reversal.form.payment = "pay1".to_owned();
        reversal.problem = Some(Problem::conflict(shell.language.t1(
            "move-credit-used",
            "used",
            Vnd::new(60_000),
        )));
        let mut closed = conflict.clone();
        closed.item.state = "CLOSED".to_owned();
        closed.item.decision = Some(Verdict::FirstHolds);
        closed.item.decision_reason = Some("Sao kê ngân hàng ghi 683.100".to_owned());
        closed.item.decided_by = Some("Trần Thị Hạnh".to_owned());
        closed.item.decided_at = Some(sample_time());
        let mut corrected = closed.clone();
        corrected.item.decision = Some(Verdict::SecondHolds);
        corrected.item.payment_id = Some(PaymentId::new("pay2"));
        vec![conflict, reversal, closed, corrected]
    }
}

fn sample_time() -> Instant {
    Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment")
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
    Path(review): Path<ReviewId>,
) -> Result<Response, PageError> {
    page(&ReviewItemPage::load(&web, &accountant, &review).await?)
}

pub(super) async fn close(
    State(web): State<Web>,
    accountant: Accountant,
    Path(review): Path<ReviewId>,
    Form(form): Form<DecideForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let language = accountant.shell.language;
    let mut shown = ReviewItemPage::load(&web, &accountant, &review).await?;
    let verdict = Verdict::parse(&form.verdict)
        .filter(|verdict| verdict.fits(shown.item.kind))
        .ok_or(PageError::BadRequest)?;
    let named = clean(&form.payment);
    let payment = payment_named(&web.app.db, &accountant.school_id, &named).await?;
    let reason = clean(&form.reason);
    let problem = if reason.is_empty() {
        Problem::typed(language.t("move-reason-missing"))
    } else if verdict == Verdict::TakenBack && payment.is_none() {
        Problem::typed(language.t("review-payment-missing"))
    } else {
        let judgement = Judgement {
            verdict,
            reason,
            by: accountant.user_id.to_string(),
            payment,
            also_used: form.also_used == "1",
        };
        match decide(&web.app, &accountant.school_id, &review, judgement).await {
            Ok(Decided::Closed(_)) => {
                let there = format!("/ke-toan/review/{review}");
                return Ok(Redirect::to(&there).into_response());
            }
            Ok(Decided::Before) => {
                shown = ReviewItemPage::load(&web, &accountant, &review).await?;
                let by = shown.item.decided_by.clone().unwrap_or_default();
                let at = shown
                    .item
                    .decided_at
                    .map(|at| at.shown())
                    .unwrap_or_default();
                Problem::conflict(language.t2("move-resolved", ("by", &by), ("at", &at)))
            }
            Err(crate::payments::moves::MoveError::Refused(
                crate::payments::moves::Refusal::NoPayment,
            )) => Problem::typed(language.t("review-payment-missing")),
            Err(error) => Problem::of(error, language, &web.app.db).await?,
        }
    };
    let status = problem.status;
    shown.form = form;
    shown.problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}
