//! `/ke-toan/suspense`: money whose owner a person must find, and notices a person must look at.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::store::{self, HeldNotice, SuspenseRow};
use super::{Pager, page_number};
use crate::clock::Instant;
use crate::ids::PaymentId;
use crate::money::Vnd;
use crate::payments::review::store::open_count;
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
    pub notices: Vec<HeldNotice>,
    /// Items that wait for a person elsewhere.
    pub reviews: i64,
    pub pager: Pager,
}

impl SuspenseRow {
    /// The bill codes that may be meant; what cannot be read is no candidate.
    fn candidate_codes(&self) -> Vec<String> {
        serde_json::from_str(&self.candidates).unwrap_or_default()
    }
}

impl HeldNotice {
    /// Why it is shown, as a key of the catalogue.
    fn why(&self) -> &'static str {
        match self.reason.as_deref() {
            _ if self.conflicts > 0 => "notice-why-conflict",
            Some("wrong_merchant") => "notice-why-merchant",
            Some("wrong_currency") => "notice-why-currency",
            _ => "notice-why-review",
        }
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
            notices: vec![HeldNotice {
                provider: "vnpay".to_owned(),
                order_ref: Some("HPZ37MTFCKQPG-4k3f9a2b".to_owned()),
                memo: None,
                amount: Vnd::new(683_100),
                reason: None,
                conflicts: 0,
                received_at: Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment"),
            }],
            reviews: 2,
            pager: Pager::default(),
        };
        let nothing = Self {
            rows: Vec::new(),
            notices: Vec::new(),
            reviews: 0,
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
    let notices = store::held_notices(&web.app.db, &accountant.school_id).await?;
    let reviews = open_count(&web.app.db, &accountant.school_id).await?;
    page(&SuspensePage {
        shell: accountant.shell,
        rows,
        notices,
        reviews,
        pager,
    })
}
