//! Closed periods of a school's books: nothing is booked in them any more. What arrives late is
//! booked on the first open day and keeps its true day.
//!
//! A period closes together with all before it, and opens together with all after it, so one day
//! says what is closed. Every closing and opening is recorded, sealed, with who and why.

use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::store::{Db, StoreError, Tx};

use super::chain::{self, ChainKey, ChainKeys};
use super::period_store as store;
use super::store::{put_heads, take_heads};
use crate::stored_as_text;

/// A calendar month or year, which is also the fiscal year of schools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    year: i32,
    month: Option<u8>,
}

impl Period {
    /// Reads `2026-10` or `2026`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = match text.split_once('-') {
            Some((year, month)) => (year, Some(month)),
            None => (text, None),
        };
        let digits = |text: &str, count| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(year, 4) || month.is_some_and(|month| !digits(month, 2)) {
            return None;
        }
        let period = Self {
            year: year.parse().ok()?,
            month: month.map(str::parse).transpose().ok()?,
        };
        Day::new(period.year, period.month.unwrap_or(1), 1)?;
        Some(period)
    }

    pub fn first_day(self) -> Day {
        Day::new(self.year, self.month.unwrap_or(1), 1).expect("parsed as a period")
    }

    pub fn last_day(self) -> Day {
        let after = match self.month {
            Some(month) if month < 12 => Day::new(self.year, month + 1, 1),
            _ => Day::new(self.year + 1, 1, 1),
        };
        after
            .expect("a year of four digits has a next one")
            .plus_days(-1)
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.month {
            Some(month) => write!(f, "{:04}-{month:02}", self.year),
            None => write!(f, "{:04}", self.year),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Locked,
    Unlocked,
}

stored_as_text!(Action {
    Locked = "LOCKED",
    Unlocked = "UNLOCKED",
});

/// A closing or an opening, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    pub school_id: SchoolId,
    pub event_no: i64,
    pub period: String,
    pub action: Action,
    /// Last closed day from then on.
    pub closed_through: Option<Day>,
    /// The last entry before it.
    pub after_seq: i64,
    pub reason: String,
    pub actor: String,
    pub at: Instant,
    pub(super) seal: String,
}

impl Event {
    /// Last entry before it, and last closed day from then on.
    pub(super) const fn as_closing(&self) -> (i64, Option<Day>) {
        (self.after_seq, self.closed_through)
    }

    pub(super) fn is_genuine(&self, keys: &ChainKeys) -> bool {
        self.seal
            .split_once(' ')
            .and_then(|(key_id, _)| keys.get(key_id))
            .is_some_and(|key| self.seal == self.seal_with(&key))
    }

    fn seal_with(&self, key: &ChainKey) -> String {
        let seal = chain::record_seal(
            key,
            "period/1",
            &[
                self.school_id.as_str(),
                &self.event_no.to_string(),
                &self.period,
                self.action.as_str(),
                &self.closed_through.map(Day::iso).unwrap_or_default(),
                &self.after_seq.to_string(),
                &self.reason,
                &self.actor,
                &self.at.micros().to_string(),
            ],
        );
        format!("{} {seal}", key.id())
    }
}

/// Why a period cannot be closed or opened.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("kỳ {period} chưa hết, chưa khóa sổ được")]
    NotOver { period: Period },
    #[error("sổ đã khóa đến ngày {}", closed_through.shown())]
    AlreadyClosed { closed_through: Day },
    #[error("kỳ {period} không bị khóa")]
    NotClosed { period: Period },
    #[error("mở lại kỳ đã khóa sổ phải ghi lý do")]
    NoReason,
}

/// Who closes or opens, when and why.
#[derive(Clone, Debug)]
pub struct Request {
    pub school_id: SchoolId,
    pub period: Period,
    pub actor: String,
    pub reason: String,
    pub at: Instant,
}

/// Closes a period that is over, and all before it; answers the last closed day.
///
/// # Errors
/// [`PeriodError`] when the period is not over or closed already.
pub async fn lock(db: &Db, keys: &ChainKeys, request: Request) -> Result<Day, PeriodError> {
    let period = request.period;
    let until = period.last_day();
    if until >= request.at.day() {
        return Err(PeriodError::NotOver { period });
    }
    change(
        db,
        keys,
        request,
        Action::Locked,
        move |closed| match closed {
            Some(closed_through) if closed_through >= until => {
                Err(PeriodError::AlreadyClosed { closed_through })
            }
            _ => Ok(until),
        },
    )
    .await
}

/// Opens a closed period, and all after it; answers the last day that stays closed.
///
/// # Errors
/// [`PeriodError`] when there is no reason or the period is not closed.
pub async fn unlock(db: &Db, keys: &ChainKeys, request: Request) -> Result<Day, PeriodError> {
    if request.reason.trim().is_empty() {
        return Err(PeriodError::NoReason);
    }
    let period = request.period;
    change(
        db,
        keys,
        request,
        Action::Unlocked,
        move |closed| match closed {
            Some(closed) if closed >= period.first_day() => Ok(period.first_day().plus_days(-1)),
            _ => Err(PeriodError::NotClosed { period }),
        },
    )
    .await
}

async fn change(
    db: &Db,
    keys: &ChainKeys,
    request: Request,
    action: Action,
    decide: impl Fn(Option<Day>) -> Result<Day, PeriodError> + Send + Sync + 'static,
) -> Result<Day, PeriodError> {
    let keys = keys.clone();
    db.write("ledger.period", async move |tx: &mut Tx| {
        let school = request.school_id.clone();
        let mut heads = take_heads(tx, std::slice::from_ref(&school)).await?;
        let head = heads
            .get_mut(&school)
            .ok_or_else(|| StoreError::Contradiction(format!("no ledger head of {school}")))?;
        let (key, _) = head
            .open(&keys)
            .map_err(|error| StoreError::Contradiction(error.to_string()))?;
        let closed_through = decide(head.closed_through)?;
        let mut event = Event {
            event_no: store::last_event(tx, &school).await? + 1,
            school_id: school,
            period: request.period.to_string(),
            action,
            closed_through: Some(closed_through),
            after_seq: head.last_seq,
            reason: request.reason.trim().to_owned(),
            actor: request.actor.clone(),
            at: request.at,
            seal: String::new(),
        };
        event.seal = event.seal_with(&key);
        store::insert(tx, &event).await?;
        head.closed_through = Some(closed_through);
        head.sign(&key);
        put_heads(tx, [&*head]).await?;
        Ok(closed_through)
    })
    .await
}

/// Closings and openings of a school, oldest first.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn history(db: &Db, school: &SchoolId) -> Result<Vec<Event>, StoreError> {
    store::history(db, school).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_their_days_and_nothing_else_is_one() {
        for (text, first, last) in [
            ("2026-10", "2026-10-01", "2026-10-31"),
            ("2026-12", "2026-12-01", "2026-12-31"),
            ("2028-02", "2028-02-01", "2028-02-29"),
            ("2026", "2026-01-01", "2026-12-31"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!(period.first_day().iso(), first);
            assert_eq!(period.last_day().iso(), last);
            assert_eq!(period.to_string(), text);
        }
        for text in [
            "",
            "26",
            "2026-",
            "2026-13",
            "2026-1",
            "2026-00",
            "+026-10",
            "2026-10-01",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
