//! `/ke-toan/archive`: the signed documents of a school, one by one or a period as one ZIP.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Asked, PaperQuery, answer};
use crate::clock::Day;
use crate::invoices::archive::{Kind, Listed, listed, newest};
use crate::money::Vnd;
use crate::payments::pages::store::PAGE_ROWS;
use crate::payments::pages::{Pager, page_number};
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Days shown when nothing is asked for.
const DAYS_SHOWN: i64 = 30;

/// Documents of a period, newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "invoices/pages/archive.html")]
pub struct ArchivePage {
    pub shell: Shell,
    pub from: Day,
    pub to: Day,
    pub rows: Vec<Listed>,
    pub pager: Pager,
}

impl ArchivePage {
    /// Some, and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let day = Day::new(2026, 11, 23).expect("a day");
        let row = |kind, symbol: &str, number, total| Listed {
            kind,
            subject_id: "i1".to_owned(),
            form: "1".to_owned(),
            symbol: symbol.to_owned(),
            number,
            issue_day: day,
            total: Vnd::new(total),
            version: 2,
        };
        let some = Self {
            shell: shell.clone(),
            from: day.plus_days(-30),
            to: day,
            rows: vec![
                row(Kind::Invoice, "C26TAA", 128, 3_804_000),
                row(Kind::Invoice, "C26TAA", 129, -450_000),
                row(Kind::Receipt, "PT26", 15, 683_100),
            ],
            pager: Pager {
                base: "?".to_owned(),
                page: 1,
                has_next: true,
            },
        };
        let none = Self {
            rows: Vec::new(),
            pager: Pager::default(),
            ..some.clone()
        };
        vec![some, none]
    }

    fn zip_link(&self) -> String {
        format!(
            "/ke-toan/archive.zip?from={}&to={}",
            self.from.iso(),
            self.to.iso()
        )
    }
}

/// A period as a form sends it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PeriodQuery {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    page: Option<i64>,
}

impl PeriodQuery {
    /// The period asked for, or the last days.
    pub fn period(&self, today: Day) -> (Day, Day) {
        let to = Day::parse_iso(&self.to).unwrap_or(today);
        let from = Day::parse_iso(&self.from).unwrap_or_else(|| to.plus_days(1 - DAYS_SHOWN));
        (from, to)
    }
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
    Query(query): Query<PeriodQuery>,
) -> Result<Response, PageError> {
    let (from, to) = query.period(web.app.clock.today());
    let number = page_number(query.page);
    let (db, school) = (&web.app.db, &accountant.school_id);
    let mut rows = listed(db, school, (from, to), PAGE_ROWS + 1, number * PAGE_ROWS).await?;
    let base = format!("?from={}&to={}&", from.iso(), to.iso());
    let pager = Pager::of(&mut rows, base, number);
    page(&ArchivePage {
        shell: accountant.shell,
        from,
        to,
        rows,
        pager,
    })
}

/// `INVOICE-<id>.pdf` and the like.
pub(super) async fn download(
    State(web): State<Web>,
    accountant: Accountant,
    Path(file): Path<String>,
    Query(PaperQuery { paper }): Query<PaperQuery>,
) -> Result<Response, PageError> {
    let (stem, asked) = Asked::of(&file).ok_or(PageError::NotFound)?;
    let (kind, subject) = stem.split_once('-').ok_or(PageError::NotFound)?;
    let kind = Kind::parse(kind).ok_or(PageError::NotFound)?;
    let row = newest(&web.app.db, &accountant.school_id, kind, subject)
        .await?
        .ok_or(PageError::NotFound)?;
    answer(&web, row, asked, paper).await
}
