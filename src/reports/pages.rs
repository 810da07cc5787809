//! `/quan-ly`: what an office sees of the schools under it, and of no others.

use std::borrow::Borrow;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::rules::{Share, Sums};
use super::store::{self, SchoolSums};
use crate::clock::Day;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Officer;

/// A school year opens on the first of this month for reports.
const SCHOOL_YEAR_MONTH: u8 = 8;
const LEVELS: [&str; 5] = [
    "PRESCHOOL",
    "PRIMARY",
    "LOWER_SECONDARY",
    "UPPER_SECONDARY",
    "CONTINUING",
];

/// Everything under `/quan-ly`.
pub fn routes() -> Router<Web> {
    Router::new().route("/quan-ly", get(show))
}

/// Schools of a subtree in a period, by level, with totals and their indicators.
#[derive(Clone, Debug, Template)]
#[template(path = "reports/pages/office.html")]
pub struct OfficePage {
    pub shell: Shell,
    pub from: Day,
    pub to: Day,
    pub schools: Vec<SchoolSums>,
}

/// The schools of one level.
struct Level<'p> {
    name: String,
    schools: Vec<&'p SchoolSums>,
    sums: Sums,
}

impl OfficePage {
    fn levels(&self) -> Vec<Level<'_>> {
        LEVELS
            .into_iter()
            .map(|level| {
                let schools: Vec<_> = self
                    .schools
                    .iter()
                    .filter(|school| school.education_level == level)
                    .collect();
                Level {
                    name: level_name(&self.shell, level),
                    sums: Sums::of(schools.iter().copied()),
                    schools,
                }
            })
            .filter(|level| !level.schools.is_empty())
            .collect()
    }

    fn total(&self) -> Sums {
        Sums::of(&self.schools)
    }

    fn sums(&self, school: &SchoolSums) -> Sums {
        Sums::of([school])
    }

    /// A share in words of the reader.
    fn shown(&self, share: impl Borrow<Share>) -> String {
        let share = share.borrow();
        match share.per_mille() {
            Some(_) => share.to_string(),
            None => self.shell.t("office-none"),
        }
    }

    fn chart_height(&self) -> usize {
        self.levels().len() * 44
    }

    /// All levels with one idle school, and an office without schools.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let school = |name: &str, level: &str, bills: i64, paid: i64, cash: i64| SchoolSums {
            name: name.to_owned(),
            education_level: level.to_owned(),
            bills,
            due: Vnd::new(bills * 1_273_100),
            receipts: paid,
            cashless_receipts: paid - cash,
            settled: Vnd::new(paid * 1_273_100),
            cashless_settled: Vnd::new((paid - cash) * 1_273_100),
            invoice_lines: paid,
            invoiced_lines: paid - paid / 20,
        };
        let found = Self {
            shell: shell.clone(),
            from: Day::new(2026, 8, 1).expect("a day"),
            to: Day::new(2026, 11, 23).expect("a day"),
            schools: vec![
                school("Trường Mầm non Hoa Sen", "PRESCHOOL", 118, 97, 22),
                school("Trường Tiểu học Chu Văn An", "PRIMARY", 342, 301, 18),
                school("Trường Tiểu học Đồng Quang", "PRIMARY", 0, 0, 0),
                school("Trường THCS Nguyễn Du", "LOWER_SECONDARY", 204, 98, 3),
                school(
                    "Trường THPT Lương Ngọc Quyến",
                    "UPPER_SECONDARY",
                    421,
                    377,
                    0,
                ),
                school("Trung tâm GDNN-GDTX Đại Từ", "CONTINUING", 64, 0, 0),
            ],
        };
        let nothing = Self {
            schools: Vec::new(),
            ..found.clone()
        };
        vec![found, nothing]
    }
}

fn level_name(shell: &Shell, level: &str) -> String {
    match level {
        "PRESCHOOL" => shell.t("level-preschool"),
        "PRIMARY" => shell.t("level-primary"),
        "LOWER_SECONDARY" => shell.t("level-lower-secondary"),
        "UPPER_SECONDARY" => shell.t("level-upper-secondary"),
        _ => shell.t("level-continuing"),
    }
}

#[derive(Debug, Default, Deserialize)]
struct Period {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

async fn show(
    State(web): State<Web>,
    officer: Officer,
    Query(period): Query<Period>,
) -> Result<Response, PageError> {
    let to = Day::parse_iso(&period.to).unwrap_or_else(|| web.app.clock.today());
    let from = Day::parse_iso(&period.from).unwrap_or_else(|| school_year_start(to));
    page(&OfficePage {
        schools: store::schools_under(&web.app.db, &officer.unit_id, from, to).await?,
        shell: officer.shell,
        from,
        to,
    })
}

fn school_year_start(day: Day) -> Day {
    let year = day.year() - i32::from(day.month() < SCHOOL_YEAR_MONTH);
    Day::new(year, SCHOOL_YEAR_MONTH, 1).unwrap_or(day)
}
