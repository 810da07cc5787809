//! School years, as rosters and rounds name them.

use crate::clock::Day;

/// Rosters and rounds of July are those of the school year that is about to begin.
const FIRST_MONTH: u8 = 7;

/// `2026-2027` for a day of that school year.
pub fn school_year(day: Day) -> String {
    let first = day.year() - i32::from(day.month() < FIRST_MONTH);
    format!("{first}-{}", first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_year_turns_in_july() {
        assert_eq!(school_year(Day::new(2026, 6, 30).unwrap()), "2025-2026");
        assert_eq!(school_year(Day::new(2026, 7, 1).unwrap()), "2026-2027");
    }
}
