//! Until when an invoice must be signed and with the authority: the working day after its date
//! (NĐ 254/2026 annex 7 and art. 16.3 a), and what is about to be late.

use std::collections::BTreeSet;

use serde::Serialize;

use super::exchange_store::{self as store, PendingRow};
use super::service::InvoiceError;
use super::spoken;
use super::store::InvoiceState;
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{InvoiceId, PaymentId, SchoolId};
use crate::schools::{self, parameters};

/// The dated parameter with the public holidays: ISO days, separated by commas. Without it only
/// weekends are no working days, so that a deadline comes too early rather than too late.
pub const HOLIDAYS: &str = "public_holidays";

/// The last day for an invoice of this date.
pub fn deadline(issue_day: Day, holidays: &BTreeSet<Day>) -> Day {
    // A holiday season is shorter than this; a longer list would be a mistake.
    const DAYS_MAX: i64 = 30;
    (1..=DAYS_MAX)
        .map(|days| issue_day.plus_days(days))
        .find(|day| !is_weekend(*day) && !holidays.contains(day))
        .unwrap_or_else(|| issue_day.plus_days(1))
}

fn is_weekend(day: Day) -> bool {
    matches!(
        day.date().weekday(),
        time::Weekday::Saturday | time::Weekday::Sunday
    )
}

/// Reads the parameter; what is no day is left out.
pub fn read_holidays(text: &str) -> BTreeSet<Day> {
    text.split(',')
        .filter_map(|day| Day::parse_iso(day.trim()))
        .collect()
}

/// How near the deadline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Nearness {
    Late,
    Today,
    Later,
}

impl Nearness {
    pub fn of(deadline: Day, today: Day) -> Self {
        match deadline.cmp(&today) {
            std::cmp::Ordering::Less => Self::Late,
            std::cmp::Ordering::Equal => Self::Today,
            std::cmp::Ordering::Greater => Self::Later,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "LATE",
            Self::Today => "TODAY",
            Self::Later => "LATER",
        }
    }
}

/// Something that must still reach the authority.
#[derive(Clone, Debug, Serialize)]
pub struct Pending {
    pub school: String,
    /// `1C26TAA-128`; nothing while the collection has no number.
    pub invoice: Option<String>,
    pub invoice_id: Option<InvoiceId>,
    pub payment_id: PaymentId,
    /// Nothing while the collection has no number.
    pub state: Option<InvoiceState>,
    pub issue_day: Day,
    pub deadline: Day,
    pub nearness: Nearness,
    /// What stands in the way, as far as it is known.
    pub problem: Option<String>,
    pub problem_since: Option<String>,
}

/// Everything that must still reach the authority, of one school or of all, the most urgent first.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn watch(
    app: &App,
    school: Option<&SchoolId>,
    limit: i64,
) -> Result<Vec<Pending>, InvoiceError> {
    let today = app.clock.today();
    let mut pending = Vec::new();
    let mut holidays: Option<(SchoolId, BTreeSet<Day>)> = None;
    for row in store::pending(&app.db, school, limit).await? {
        if holidays.as_ref().is_none_or(|(of, _)| *of != row.school_id) {
            let days = holidays_of(app, &row.school_id, row.issue_day).await?;
            holidays = Some((row.school_id.clone(), days));
        }
        let days = holidays.as_ref().map(|(_, days)| days);
        pending.push(shown(row, days, today));
    }
    pending.sort_by_key(|row| (row.deadline, row.issue_day));
    Ok(pending)
}

fn shown(row: PendingRow, holidays: Option<&BTreeSet<Day>>, today: Day) -> Pending {
    let none = BTreeSet::new();
    let deadline = deadline(row.issue_day, holidays.unwrap_or(&none));
    Pending {
        school: row.code,
        invoice: row.name,
        invoice_id: row.invoice_id,
        payment_id: row.payment_id,
        state: row.state,
        issue_day: row.issue_day,
        deadline,
        nearness: Nearness::of(deadline, today),
        problem: row.problem.as_deref().map(spoken::outage),
        problem_since: row.tried_at.map(Instant::shown),
    }
}

async fn holidays_of(
    app: &App,
    school: &SchoolId,
    day: Day,
) -> Result<BTreeSet<Day>, InvoiceError> {
    let known = schools::school(&app.db, school)
        .await?
        .ok_or_else(|| InvoiceError::UnknownSchool(school.to_string()))?;
    let dated = parameters::load_for(&app.db, &known).await?;
    Ok(dated
        .at(HOLIDAYS, day)
        .map(|value| read_holidays(value.value))
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_the_working_day_after_the_invoice() {
        let day = |of_month| Day::new(2026, 4, of_month).unwrap();
        let none = BTreeSet::new();
        // Wednesday, Friday, Saturday, Sunday.
        for (issued, expected) in [(22, 23), (24, 27), (25, 27), (26, 27)] {
            assert_eq!(deadline(day(issued), &none), day(expected), "{issued}");
        }
        let holidays = read_holidays("2026-04-27, 2026-04-30,2026-05-01, tết");
        assert_eq!(holidays.len(), 3);
        assert_eq!(deadline(day(24), &holidays), day(28));
        // A holiday before a weekend.
        let after = Day::new(2026, 5, 4).unwrap();
        assert_eq!(deadline(day(29), &holidays), after);
        assert_eq!(Nearness::of(after, day(30)), Nearness::Later);
        assert_eq!(Nearness::of(after, after), Nearness::Today);
        assert_eq!(Nearness::of(day(28), after), Nearness::Late);
    }
}
