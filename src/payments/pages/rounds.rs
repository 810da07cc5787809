//! `/ke-toan/rounds`: billing rounds of the school.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::store::{self, RoundRow};
use crate::clock::{Day, Instant};
use crate::fees::service::{self as fees, FeeError, ItemTotal, Preview};
use crate::ids::RoundId;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;
use crate::web::sign_in::Signed;

/// Newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/rounds.html")]
pub struct RoundsPage {
    pub shell: Shell,
    pub rows: Vec<RoundRow>,
}

impl RoundsPage {
    /// A draft and a published round, and none.
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
        };
        let nothing = Self {
            rows: Vec::new(),
            ..found.clone()
        };
        vec![found, nothing]
    }
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
) -> Result<Response, PageError> {
    page(&RoundsPage {
        rows: store::rounds(&web.app.db, &accountant.school_id).await?,
        shell: accountant.shell,
    })
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

fn page_error(error: FeeError) -> PageError {
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
