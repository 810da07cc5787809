//! `/ke-toan/bills`: what is owed, found by name or code.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::receipts::url_text;
use super::store::{self, BillRow};
use super::{Pager, Search, page_number};
use crate::clock::Day;
use crate::ids::BillId;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

const STATES: [&str; 5] = ["OPEN", "PARTIAL", "PAID", "NOTHING_DUE", "CANCELLED"];

/// Bills of a school, narrowed by name, code and state.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/bills.html")]
pub struct BillsPage {
    pub shell: Shell,
    pub typed: String,
    pub state: String,
    pub rows: Vec<BillRow>,
    pub pager: Pager,
}

impl BillsPage {
    /// One of each state, and nothing found.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |state: &str| BillRow {
            bill_id: BillId::new("b1"),
            bill_code: "HPZ37MTFCKQPG".to_owned(),
            pupil_name: "Nguyễn Hoàng Minh An".to_owned(),
            class_name: "6A1".to_owned(),
            title: "Các khoản thu tháng 11/2026".to_owned(),
            state: state.to_owned(),
            due_day: Day::new(2026, 11, 30).expect("a day"),
            amount_due: Vnd::new(1_273_100),
            amount_paid: Vnd::new(if state == "PAID" { 1_273_100 } else { 0 }),
        };
        let found = Self {
            shell: shell.clone(),
            typed: String::new(),
            state: String::new(),
            rows: STATES.into_iter().map(row).collect(),
            pager: Pager {
                base: "?".to_owned(),
                page: 0,
                has_next: true,
            },
        };
        let nothing = Self {
            typed: "Đặng".to_owned(),
            state: "OPEN".to_owned(),
            rows: Vec::new(),
            pager: Pager::default(),
            ..found.clone()
        };
        vec![found, nothing]
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct BillsQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    page: Option<i64>,
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
    Query(query): Query<BillsQuery>,
) -> Result<Response, PageError> {
    let state = STATES
        .into_iter()
        .find(|known| *known == query.state)
        .unwrap_or_default();
    let search = Search::read(&query.q);
    let number = page_number(query.page);
    let wanted = (search.name.as_str(), search.code.as_str(), state);
    let mut rows = store::bills(&web.app.db, &accountant.school_id, wanted, number).await?;
    let base = format!("?q={}&state={state}&", url_text(&query.q));
    let pager = Pager::of(&mut rows, base, number);
    page(&BillsPage {
        shell: accountant.shell,
        typed: query.q,
        state: state.to_owned(),
        rows,
        pager,
    })
}
