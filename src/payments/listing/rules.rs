//! From where a list is read, and what is left of it to be read again. Pure.

use hocphi_adapters::contract::{ListPlan, Paging};

use crate::clock::Instant;

/// Pause after the first reading that failed; doubled by each further one.
const BACKOFF_SECONDS: i64 = 30;
const BACKOFF_SECONDS_MAX: i64 = 3_600;

/// How far a list has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Nothing older is taken over: the school booked it before this program did.
    pub not_before: Instant,
    /// Everything until then has been read.
    pub through: Instant,
    /// The number from which on it is read again.
    pub after: Option<String>,
    /// Whether it was ever read to the end.
    pub is_begun: bool,
}

/// What of a row decides about the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub number: &'a str,
    pub at: Option<Instant>,
}

/// The moment from which the next reading asks, and the number; one of them where the number leads.
pub fn begin<'a>(
    cursor: &'a Cursor,
    plan: &ListPlan,
    now: Instant,
) -> (Option<Instant>, Option<&'a str>) {
    if plan.by_number
        && let Some(number) = &cursor.after
    {
        return (None, Some(number));
    }
    let from = cursor.through.plus_seconds(-i64::from(plan.overlap));
    let from = if cursor.is_begun {
        from
    } else {
        from.max(now.plus_seconds(-i64::from(plan.look_back)))
    };
    (Some(from.max(cursor.not_before)), None)
}

/// The cursor after all `rows` of a reading that began at `began` are in the books.
///
/// Numbers may become visible in another order than they were given out, so what is young is read
/// again: from its smallest number, or from the greatest of all when nothing is young.
pub fn advanced<'a>(
    cursor: &Cursor,
    rows: impl Iterator<Item = Row<'a>> + Clone,
    plan: &ListPlan,
    began: Instant,
) -> Cursor {
    let young_since = began.plus_seconds(-i64::from(plan.overlap));
    let numbers = |young: bool| {
        let rows = rows.clone().filter(|row| is_number(row.number));
        rows.filter(move |row| !young || row.at.is_none_or(|at| at > young_since))
            .map(|row| row.number)
    };
    let after = numbers(true)
        .min_by_key(|number| rank(number))
        .or_else(|| {
            let known = cursor.after.as_deref();
            numbers(false)
                .chain(known)
                .max_by_key(|number| rank(number))
        })
        .map(str::to_owned);
    Cursor {
        through: began.max(cursor.through),
        after: after.filter(|_| plan.by_number),
        is_begun: true,
        ..cursor.clone()
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Orders numbers of any length.
fn rank(number: &str) -> (usize, String) {
    let digits = number.trim_start_matches('0');
    (digits.len(), digits.to_owned())
}

/// What comes after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    End,
    /// The page of this number.
    Page(u32),
    /// What happened until this moment.
    Until(Instant),
    /// The rest cannot be had: only a statement of the bank shows it.
    OutOfReach,
}

/// What to ask for after page number `page`, which held `count` rows, the oldest of `oldest`.
pub fn next(
    plan: &ListPlan,
    page: u32,
    until: Option<Instant>,
    count: usize,
    oldest: Option<Instant>,
) -> Next {
    if count < plan.page {
        return Next::End;
    }
    match (plan.paging, oldest) {
        (Paging::Pages, _) => Next::Page(page + 1),
        // A page full of one second would come again for ever.
        (Paging::Until, Some(oldest)) if until.is_none_or(|until| oldest < until) => {
            Next::Until(oldest)
        }
        (Paging::Until | Paging::None, _) => Next::OutOfReach,
    }
}

/// When the list is read next. `chance` is 0 to 999 and keeps connections of one minute apart.
pub fn next_at(every: i64, faults: i64, now: Instant, chance: i64) -> Instant {
    let seconds = if faults == 0 {
        every
    } else {
        let exponent = u32::try_from((faults - 1).clamp(0, 12)).unwrap_or(0);
        (BACKOFF_SECONDS << exponent).min(BACKOFF_SECONDS_MAX.max(every))
    };
    now.plus_millis(seconds * 1_000 + seconds * chance.clamp(0, 999) / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_unix(1_795_000_000);

    fn plan(paging: Paging, by_number: bool) -> ListPlan {
        ListPlan {
            needs: "api_token".into(),
            every: 600,
            look_back: 86_400,
            overlap: 3_600,
            page: 3,
            by_number,
            paging,
        }
    }

    fn fresh() -> Cursor {
        Cursor {
            not_before: NOW.plus_seconds(-100),
            through: NOW.plus_seconds(-100),
            after: None,
            is_begun: false,
        }
    }

    fn row(number: &str, seconds_ago: i64) -> Row<'_> {
        Row {
            number,
            at: Some(NOW.plus_seconds(-seconds_ago)),
        }
    }

    #[test]
    fn the_first_reading_takes_nothing_from_before_and_reaches_back_only_so_far() {
        let plan = plan(Paging::Until, true);
        assert_eq!(
            begin(&fresh(), &plan, NOW),
            (Some(NOW.plus_seconds(-100)), None)
        );
        let old = Cursor {
            not_before: NOW.plus_seconds(-900_000),
            through: NOW.plus_seconds(-900_000),
            ..fresh()
        };
        assert_eq!(
            begin(&old, &plan, NOW),
            (Some(NOW.plus_seconds(-86_400)), None)
        );
        // An outage is caught up whole, however long it was.
        let begun = Cursor {
            is_begun: true,
            not_before: NOW.plus_seconds(-9_000_000),
            ..old
        };
        assert_eq!(
            begin(&begun, &plan, NOW),
            (Some(NOW.plus_seconds(-903_600)), None)
        );
    }

    #[test]
    fn what_is_young_is_read_again_from_its_smallest_number() {
        let plan = plan(Paging::Until, true);
        let after = |rows: &[Row<'_>]| {
            let cursor = advanced(&fresh(), rows.iter().copied(), &plan, NOW);
            assert_eq!(cursor.through, NOW);
            cursor.after
        };
        // 102 came late with an old date: 101 must still be read again.
        let rows = [row("102", 9_000), row("99", 4_000), row("101", 60)];
        assert_eq!(after(&rows).as_deref(), Some("101"));
        assert_eq!(after(&rows[..2]).as_deref(), Some("102"));
        assert_eq!(
            after(&[row("99", 9_000), row("100", 9_000)]).as_deref(),
            Some("100")
        );
        assert_eq!(after(&[row("x1", 9_000)]), None);
        let known = Cursor {
            after: Some("70".into()),
            ..fresh()
        };
        assert_eq!(
            advanced(&known, [].into_iter(), &plan, NOW)
                .after
                .as_deref(),
            Some("70")
        );
        assert_eq!(begin(&known, &plan, NOW), (None, Some("70")));
    }

    #[test]
    fn a_full_page_is_followed_as_the_provider_allows() {
        let oldest = Some(NOW.plus_seconds(-10));
        let until = plan(Paging::Until, true);
        assert_eq!(next(&until, 1, None, 2, oldest), Next::End);
        assert_eq!(
            next(&until, 1, None, 3, oldest),
            Next::Until(NOW.plus_seconds(-10))
        );
        assert_eq!(next(&until, 2, oldest, 3, oldest), Next::OutOfReach);
        assert_eq!(next(&until, 1, None, 3, None), Next::OutOfReach);
        assert_eq!(
            next(&plan(Paging::Pages, false), 4, None, 3, None),
            Next::Page(5)
        );
        assert_eq!(
            next(&plan(Paging::None, false), 1, None, 3, oldest),
            Next::OutOfReach
        );
    }

    #[test]
    fn failures_are_repeated_sooner_than_the_next_reading_and_then_ever_later() {
        let after = |faults| next_at(600, faults, NOW, 0);
        let pauses =
            [0, 1, 2, 5, 6, 7, 20].map(|faults| (after(faults).unix() - NOW.unix(), faults));
        assert_eq!(
            pauses,
            [
                (600, 0),
                (30, 1),
                (60, 2),
                (480, 5),
                (960, 6),
                (1_920, 7),
                (3_600, 20)
            ]
        );
        assert_eq!(next_at(600, 0, NOW, 500), NOW.plus_seconds(630));
    }
}
