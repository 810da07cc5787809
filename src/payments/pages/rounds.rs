//! `/ke-toan/rounds`: billing rounds of the school.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::round_form::{self, ItemField, RoundForm, RoundProblem};
use super::store::{self, RoundRow};
use crate::clock::{Day, Instant};
use crate::fees::rules::Item;
use crate::fees::service::{self as fees, FeeError, ItemTotal, Preview};
use crate::fees::store::items;
use crate::fees::vocabulary::{Calculation, CollectionClass, DocumentRule, OptIn};
use crate::ids::{FeeItemId, RoundId};
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;
use crate::web::sign_in::Signed;

/// Newest first, with the form for another one.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/rounds.html")]
pub struct RoundsPage {
    pub shell: Shell,
    pub rows: Vec<RoundRow>,
    pub form: RoundForm,
    /// Why the form was refused.
    pub problem: Option<String>,
}

impl RoundsPage {
    fn form_is_open(&self) -> bool {
        self.problem.is_some() || self.rows.is_empty()
    }

    /// A draft and a published round, a refused form, and nothing at all.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let round = |name: &str, state: &str, bills, due| RoundRow {
            round_id: RoundId::new(name),
            name: name.to_owned(),
            school_year: "2026-2027".to_owned(),
            charge_day: Day::new(2026, 11, 1).expect("a day"),
            due_day: Day::new(2026, 11, 30).expect("a day"),
            state: state.to_owned(),
            published_at: (state == "PUBLISHED")
                .then(|| Instant::parse_local_iso("2026-11-10T08:00:00").expect("a moment")),
            bill_count: bills,
            total_due: Vnd::new(due),
        };
        let found = Self {
            shell: shell.clone(),
            rows: vec![
                round("Tháng 12/2026", "DRAFT", 0, 0),
                round("Tháng 11/2026", "PUBLISHED", 204, 259_712_400),
            ],
            form: RoundForm {
                charge_day: "2026-12-01".to_owned(),
                items: sample_items(),
                ..RoundForm::default()
            },
            problem: None,
        };
        let mut refused = found.clone();
        refused.problem = Some(shell.t("round-error-no-items"));
        let nothing = Self {
            rows: Vec::new(),
            form: RoundForm::default(),
            ..found.clone()
        };
        vec![found, refused, nothing]
    }
}

fn sample_items() -> Vec<ItemField> {
    let field = |code: &str, name: &str, unit: &str, typed: &str| ItemField {
        item: Item {
            item_id: FeeItemId::new(code),
            code: code.to_owned(),
            name: name.to_owned(),
            collection_class: CollectionClass::Service,
            calculation: Calculation::PerMonth,
            unit_name: unit.to_owned(),
            document_rule: DocumentRule::Invoice,
            vat_rate: "KCT".to_owned(),
            opt_in: OptIn::Chosen,
            legal_basis: String::new(),
        },
        typed: typed.to_owned(),
    };
    vec![
        field("AN", "Tiền ăn bán trú", "ngày", "22"),
        field("BANTRU", "Chăm sóc bán trú", "tháng", ""),
    ]
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
) -> Result<Response, PageError> {
    let catalogue = items(&mut &web.app.db, &accountant.school_id).await?;
    page(&RoundsPage {
        rows: store::rounds(&web.app.db, &accountant.school_id).await?,
        shell: accountant.shell,
        form: RoundForm::fresh(web.app.clock.today(), catalogue),
        problem: None,
    })
}

/// Plans a round and leads to its preview. A form sent twice is one round: its name is taken then.
pub(super) async fn create(
    State(web): State<Web>,
    accountant: Accountant,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let (shell, school) = (accountant.shell, &accountant.school_id);
    shell.check_form(round_form::value(&fields, "form_token"))?;
    let created = match round_form::read(&fields) {
        Ok(new) => fees::create_round(&web.app, school, new)
            .await
            .map_err(RoundProblem::Fees),
        Err(problem) => Err(problem),
    };
    let problem = match created {
        Ok(round) => return Ok(Redirect::to(&format!("/ke-toan/rounds/{round}")).into_response()),
        Err(problem) => problem.text(shell.language)?,
    };
    let catalogue = items(&mut &web.app.db, school).await?;
    let shown = page(&RoundsPage {
        rows: store::rounds(&web.app.db, school).await?,
        shell,
        form: RoundForm::sent(&fields, catalogue),
        problem: Some(problem),
    })?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
}

/// What publishing a draft would come to, and the button that does it.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/round.html")]
pub struct RoundPage {
    pub shell: Shell,
    pub round: RoundRow,
    pub preview: Preview,
}

impl RoundPage {
    /// Ready to publish, and with nobody to bill.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let round = RoundsPage::samples(shell)[0].rows[0].clone();
        let ready = Self {
            shell: shell.clone(),
            round,
            preview: Preview {
                bills: 204,
                nothing_due: 4,
                total_due: Vnd::new(259_712_400),
                items: vec![ItemTotal {
                    code: "BHYT".to_owned(),
                    name: "Bảo hiểm y tế học sinh".to_owned(),
                    lines: 200,
                    gross: Vnd::new(273_240_000),
                    state_part: Vnd::new(136_620_000),
                    amount_due: Vnd::new(136_620_000),
                    ..ItemTotal::default()
                }],
                problems: Vec::new(),
                warnings: vec!["3 học sinh chưa có tên phụ huynh.".to_owned()],
            },
        };
        let nobody = Self {
            preview: Preview::default(),
            ..ready.clone()
        };
        vec![ready, nobody]
    }
}

pub(super) fn page_error(error: FeeError) -> PageError {
    match error {
        FeeError::RoundUnknown => PageError::NotFound,
        FeeError::Store(error) => error.into(),
        other => PageError::Internal(other.to_string()),
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
    Path(round_id): Path<RoundId>,
) -> Result<Response, PageError> {
    let school = &accountant.school_id;
    let rounds = store::rounds(&web.app.db, school).await?;
    let round = rounds
        .into_iter()
        .find(|round| round.round_id == round_id)
        .ok_or(PageError::NotFound)?;
    if round.state != "DRAFT" {
        return Ok(Redirect::to("/ke-toan/rounds").into_response());
    }
    let preview = fees::preview(&web.app, school, &round_id)
        .await
        .map_err(page_error)?;
    page(&RoundPage {
        shell: accountant.shell,
        round,
        preview,
    })
}

/// Publishing again changes nothing, so a form sent twice is harmless. What publishing refuses, the
/// preview names.
pub(super) async fn publish(
    State(web): State<Web>,
    accountant: Accountant,
    Path(round_id): Path<RoundId>,
    Form(form): Form<Signed>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let target = match fees::publish(&web.app, &accountant.school_id, &round_id).await {
        Ok(_) => "/ke-toan/rounds".to_owned(),
        Err(FeeError::Price(_)) => format!("/ke-toan/rounds/{round_id}"),
        Err(error) => return Err(page_error(error)),
    };
    Ok(Redirect::to(&target).into_response())
}
