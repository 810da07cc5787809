//! `/ke-toan`: today at a glance.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::store::{self, Tally};
use crate::clock::Day;
use crate::jobs;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Collected today, open suspense, bills and invoices by state.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/overview.html")]
pub struct OverviewPage {
    pub shell: Shell,
    pub today: Day,
    pub collected: Vec<Tally>,
    pub suspense: Tally,
    pub bills: Vec<Tally>,
    pub invoices: Vec<Tally>,
    /// Follow-up work that was given up.
    pub dead_jobs: i64,
}

impl OverviewPage {
    fn collected_total(&self) -> Vnd {
        self.collected.iter().map(|tally| tally.amount).sum()
    }

    fn collected_count(&self) -> i64 {
        self.collected.iter().map(|tally| tally.count).sum()
    }

    fn unpaid(&self) -> impl Iterator<Item = &Tally> {
        self.bills
            .iter()
            .filter(|tally| matches!(tally.name.as_str(), "OPEN" | "PARTIAL"))
    }

    fn outstanding(&self) -> Vnd {
        self.unpaid().map(|tally| tally.amount).sum()
    }

    fn unpaid_count(&self) -> i64 {
        self.unpaid().map(|tally| tally.count).sum()
    }

    /// A busy day and an empty school.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let tally = |name: &str, count, amount| Tally {
            name: name.to_owned(),
            count,
            amount: Vnd::new(amount),
        };
        let busy = Self {
            shell: shell.clone(),
            today: Day::new(2026, 11, 23).expect("a day"),
            collected: vec![
                tally("BANK_TRANSFER", 41, 52_197_100),
                tally("CASH", 3, 3_819_300),
                tally("GATEWAY", 17, 21_642_700),
            ],
            suspense: tally("OPEN", 2, 1_956_200),
            bills: vec![
                tally("NOTHING_DUE", 4, 0),
                tally("OPEN", 102, 129_856_200),
                tally("PAID", 93, 0),
                tally("PARTIAL", 5, 3_866_000),
            ],
            invoices: vec![tally("CODED", 88, 112_032_800), tally("SENT", 2, 2_546_200)],
            dead_jobs: 3,
        };
        let empty = Self {
            collected: Vec::new(),
            suspense: tally("OPEN", 0, 0),
            bills: Vec::new(),
            invoices: Vec::new(),
            dead_jobs: 0,
            ..busy.clone()
        };
        vec![busy, empty]
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
) -> Result<Response, PageError> {
    let (db, school) = (&web.app.db, &accountant.school_id);
    let today = web.app.clock.today();
    page(&OverviewPage {
        today,
        collected: store::collected(db, school, today).await?,
        suspense: store::open_suspense(db, school).await?,
        bills: store::bills_by_state(db, school).await?,
        invoices: store::invoices_by_state(db, school).await?,
        dead_jobs: jobs::dead_of(db, school).await?,
        shell: accountant.shell,
    })
}
