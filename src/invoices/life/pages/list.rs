//! What was done about wrong invoices, and what must still reach the authority.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use serde::Deserialize;

use super::{internal, sample_time};
use crate::ids::{DeclarationId, InvoiceId, PaymentId};
use crate::invoices::deadline::{self, Nearness, Pending};
use crate::invoices::declarations::store as declarations;
use crate::invoices::life::store::{self, CorrectionRow};
use crate::invoices::spoken;
use crate::invoices::store::{InvoiceKind, InvoiceState};
use crate::money::Vnd;
use crate::payments::pages::store::PAGE_ROWS;
use crate::payments::pages::{Pager, page_number};
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Declarations shown beside the corrections.
const DECLARATIONS_MAX: i64 = 20;
/// Rows of the deadline watch.
const PENDING_MAX: i64 = 500;

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

#[derive(Debug, Default, Deserialize)]
pub(super) struct PageQuery {
    page: Option<i64>,
}

pub(super) async fn list(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let number = page_number(query.page);
    let (db, school) = (&web.app.db, &accountant.school_id);
    let mut rows = store::list(db, school, PAGE_ROWS + 1, number * PAGE_ROWS).await?;
    let pager = Pager::of(&mut rows, "?".to_owned(), number);
    let mut declarations = declarations::list(db, school, DECLARATIONS_MAX).await?;
    for declaration in &mut declarations {
        declaration.problem = declaration.problem.as_deref().map(spoken::outage);
    }
    page(&CorrectionsPage {
        declarations,
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

pub(super) async fn deadlines(
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
