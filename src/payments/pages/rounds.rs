//! `/ke-toan/rounds`: billing rounds of the school.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::store::{self, RoundRow};
use crate::clock::{Day, Instant};
use crate::ids::RoundId;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

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
