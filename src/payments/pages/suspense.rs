//! `/ke-toan/suspense`: money whose owner a person must find.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::store::{self, SuspenseRow};
use super::{Pager, page_number};
use crate::clock::Instant;
use crate::ids::PaymentId;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Open items first.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/suspense.html")]
pub struct SuspensePage {
    pub shell: Shell,
    pub rows: Vec<SuspenseRow>,
    pub pager: Pager,
}

impl SuspenseRow {
    /// The bill codes that may be meant; what cannot be read is no candidate.
    fn candidate_codes(&self) -> Vec<String> {
        serde_json::from_str(&self.candidates).unwrap_or_default()
    }
}

impl SuspensePage {
    /// Open and resolved items, and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |id: &str, reason: &str, state: &str, candidates: &str| SuspenseRow {
            payment_id: PaymentId::new(id),
            reason: reason.to_owned(),
            candidates: candidates.to_owned(),
            state: state.to_owned(),
            memo: Some("BA NOI CHUYEN TIEN HOC CHO CHAU".to_owned()),
            paid_at: Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment"),
            amount: Vnd::new(956_200),
        };
        let found = Self {
            shell: shell.clone(),
            rows: vec![
                row("pay3", "NO_REFERENCE", "OPEN", "[]"),
                row("pay4", "SEVERAL_BILLS", "OPEN", r#"["HPZ37MTFCKQPG"]"#),
                row("pay5", "UNKNOWN_REFERENCE", "RESOLVED", "broken"),
            ],
            pager: Pager::default(),
        };
        let nothing = Self {
            rows: Vec::new(),
            ..found.clone()
        };
        vec![found, nothing]
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
    let mut rows = store::suspense(&web.app.db, &accountant.school_id, number).await?;
    let pager = Pager::of(&mut rows, "?".to_owned(), number);
    page(&SuspensePage {
        shell: accountant.shell,
        rows,
        pager,
    })
}
