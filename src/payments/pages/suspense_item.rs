//! `/ke-toan/suspense/{payment_id}`: parked money, and giving it an owner.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::problems::{Problem, check_once};
use super::store::{self, Candidate, ParkedItem};
use crate::clock::Instant;
use crate::fees::memo;
use crate::ids::{BillId, PaymentId};
use crate::money::Vnd;
use crate::payments::moves::service::{Asked, Owner, assign_suspense};
use crate::schools::text::clean;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

const CODES_MAX: usize = 10;

/// Parked money, bills it may belong to, and the form that assigns it.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/suspense_item.html")]
pub struct SuspenseItemPage {
    pub shell: Shell,
    pub item: ParkedItem,
    pub candidates: Vec<Candidate>,
    pub form: AssignForm,
    pub problem: Option<Problem>,
}

/// `POST /ke-toan/suspense/{payment_id}/assign`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AssignForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pub once: String,
    /// Bill codes, separated by commas or spaces.
    #[serde(default)]
    pub bills: String,
    /// A pupil's code.
    #[serde(default)]
    pub pupil: String,
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ItemQuery {
    #[serde(default)]
    bill: String,
}

impl SuspenseItemPage {
    async fn load(
        web: &Web,
        accountant: &Accountant,
        payment: &PaymentId,
    ) -> Result<Self, PageError> {
        let (db, school) = (&web.app.db, &accountant.school_id);
        let item = store::parked(db, school, payment)
            .await?
            .ok_or(PageError::NotFound)?;
        // A list that cannot be read holds no candidate.
        let codes: Vec<String> = serde_json::from_str(&item.candidates).unwrap_or_default();
        let candidates = if item.state == "OPEN" {
            store::candidates(db, school, &codes, item.held).await?
        } else {
            Vec::new()
        };
        Ok(Self {
            shell: accountant.shell.clone(),
            item,
            candidates,
            form: AssignForm {
                once: web.app.ids.token(),
                ..AssignForm::default()
            },
            problem: None,
        })
    }

    fn is_open(&self) -> bool {
        self.item.state == "OPEN"
    }

    /// With candidates, refused, and dealt with.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let at = Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment");
        let open = Self {
            shell: shell.clone(),
            item: ParkedItem {
                payment_id: PaymentId::new("pay3"),
                reason: "SEVERAL_BILLS".to_owned(),
                candidates: r#"["HPZ37MTFCKQPG"]"#.to_owned(),
                state: "OPEN".to_owned(),
                memo: Some("BA NOI CHUYEN TIEN HOC CHO CHAU".to_owned()),
                paid_at: at,
                held: Vnd::new(956_200),
                resolved_by: None,
                resolved_at: None,
            },
            candidates: vec![
                Candidate {
                    bill_id: BillId::new("b1"),
                    bill_code: "HPZ37MTFCKQPG".to_owned(),
                    pupil_name: "Nguyễn Hoàng Minh An".to_owned(),
                    class_name: "6A1".to_owned(),
                    rest: Vnd::new(683_100),
                    named: 1,
                },
                Candidate {
                    bill_id: BillId::new("b2"),
                    bill_code: "HPZ4WDH7TRXKM".to_owned(),
                    pupil_name: "Triệu Thị Thu Hà".to_owned(),
                    class_name: "7A2".to_owned(),
                    rest: Vnd::new(956_200),
                    named: 0,
                },
            ],
            form: AssignForm {
                once: "0123456789abcdefghjkmnpqrstvwxyz".to_owned(),
                ..AssignForm::default()
            },
            problem: None,
        };
        let mut refused = open.clone();
        refused.form.bills = "HPZ37MTFCKQPH".to_owned();
        refused.problem = Some(Problem::typed(shell.language.t1(
            "move-no-bill",
            "code",
            "HPZ37MTFCKQPH",
        )));
        let mut closed = open.clone();
        closed.item.state = "RESOLVED".to_owned();
        closed.item.held = Vnd::ZERO;
        closed.item.resolved_by = Some("Trần Thị Hạnh".to_owned());
        closed.item.resolved_at = Some(at);
        closed.candidates = Vec::new();
        vec![open, refused, closed]
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
    Path(payment): Path<PaymentId>,
    Query(query): Query<ItemQuery>,
) -> Result<Response, PageError> {
    let mut shown = SuspenseItemPage::load(&web, &accountant, &payment).await?;
    shown.form.bills = clean(&query.bill).chars().take(60).collect();
    page(&shown)
}

pub(super) async fn assign(
    State(web): State<Web>,
    accountant: Accountant,
    Path(payment): Path<PaymentId>,
    Form(form): Form<AssignForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    check_once(&form.once)?;
    let language = accountant.shell.language;
    let problem = match owner(&form) {
        None => Problem::typed(language.t("suspense-owner-missing")),
        Some(_) if clean(&form.reason).is_empty() => {
            Problem::typed(language.t("move-reason-missing"))
        }
        Some(owner) => {
            let asked = Asked {
                request: form.once.clone(),
                by: accountant.user_id.to_string(),
                reason: clean(&form.reason),
            };
            match assign_suspense(&web.app, &accountant.school_id, &payment, owner, asked).await {
                Ok(moved) => {
                    tracing::info!(user.id = %accountant.user_id, move.id = %moved.move_id, "suspense assigned");
                    let receipt = format!("/ke-toan/receipts/{payment}");
                    return Ok(Redirect::to(&receipt).into_response());
                }
                Err(error) => Problem::of(error, language, &web.app.db).await?,
            }
        }
    };
    let mut shown = SuspenseItemPage::load(&web, &accountant, &payment).await?;
    let status = problem.status;
    shown.form = form;
    shown.problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}

/// Bills or a pupil, never both.
fn owner(form: &AssignForm) -> Option<Owner> {
    let codes: Vec<String> = form
        .bills
        .split([',', ';'])
        .flat_map(codes_in)
        .take(CODES_MAX)
        .collect();
    let pupil = clean(&form.pupil);
    match (codes.is_empty(), pupil.is_empty()) {
        (false, true) => Some(Owner::Bills(codes)),
        (true, false) => Some(Owner::Pupil(pupil)),
        _ => None,
    }
}

/// The codes of a piece of what was typed, in any case and with spaces anywhere. A piece that is not
/// codes alone stays as it is, so that a damaged code is named and not passed over.
fn codes_in(piece: &str) -> Vec<String> {
    let packed: String = clean(piece).split_whitespace().collect();
    if packed.is_empty() {
        return Vec::new();
    }
    let found: Vec<String> = memo::read(piece)
        .codes
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    if found.concat().len() == packed.len() {
        found
    } else {
        vec![packed.to_uppercase()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_code_beside_a_good_one_is_not_passed_over() {
        assert_eq!(codes_in(" hpz37mt fckqpg "), ["HPZ37MTFCKQPG"]);
        assert_eq!(
            codes_in("hpz37mtfckqpg hpz37mtfckqph"),
            ["HPZ37MTFCKQPGHPZ37MTFCKQPH"]
        );
        assert_eq!(codes_in("  "), Vec::<String>::new());
    }
}
