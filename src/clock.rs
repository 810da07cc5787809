//! Time as an argument: an [`Instant`] in UTC, a [`Day`] in Vietnam, and the [`Clock`] that is
//! passed to whoever needs to know what time it is.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// Vietnam keeps one zone and no summer time (Asia/Ho_Chi_Minh).
const VIETNAM: UtcOffset = time::macros::offset!(+7);

const UNIX_EPOCH_JULIAN_DAY: i32 = time::macros::date!(1970 - 01 - 01).to_julian_day();

const DAY_ISO: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const DAY_SHOWN: &[BorrowedFormatItem<'_>] = format_description!("[day]/[month]/[year]");
const LOCAL_ISO: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const LOCAL_SHOWN: &[BorrowedFormatItem<'_>] =
    format_description!("[hour]:[minute]:[second] [day]/[month]/[year]");

/// A moment, in microseconds since 1970 UTC: `INTEGER` on SQLite, `TIMESTAMPTZ` on PostgreSQL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(i64);

impl Instant {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn unix(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds * 1_000_000)
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0 + millis * 1_000)
    }

    fn in_vietnam(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.unix())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(VIETNAM)
    }

    /// The calendar day in Vietnam at this moment.
    pub fn day(self) -> Day {
        Day(self.in_vietnam().date())
    }

    /// `2026-11-23T09:15:00` in Vietnam, the form of invoices (einvoice §2.2: local time, no zone).
    pub fn local_iso(self) -> String {
        self.in_vietnam().format(LOCAL_ISO).unwrap_or_default()
    }

    /// `09:15:00 23/11/2026` in Vietnam, for people.
    pub fn shown(self) -> String {
        self.in_vietnam().format(LOCAL_SHOWN).unwrap_or_default()
    }

    /// Reads `2026-11-23T09:15:00` as Vietnam time.
    pub fn parse_local_iso(text: &str) -> Option<Self> {
        let local = PrimitiveDateTime::parse(text, LOCAL_ISO).ok()?;
        Some(Self::from_unix(
            local.assume_offset(VIETNAM).unix_timestamp(),
        ))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+07:00", self.local_iso())
    }
}

/// A calendar day, always meant in Vietnam: ISO `TEXT` on SQLite, `DATE` on PostgreSQL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let month = time::Month::try_from(month).ok()?;
        Date::from_calendar_date(year, month, day).ok().map(Self)
    }

    pub const fn from_date(date: Date) -> Self {
        Self(date)
    }

    pub const fn date(self) -> Date {
        self.0
    }

    pub const fn year(self) -> i32 {
        self.0.year()
    }

    pub fn month(self) -> u8 {
        u8::from(self.0.month())
    }

    pub const fn day_of_month(self) -> u8 {
        self.0.day()
    }

    /// `2026-11-23`.
    pub fn iso(self) -> String {
        self.0.format(DAY_ISO).unwrap_or_default()
    }

    /// `23/11/2026`, for people.
    pub fn shown(self) -> String {
        self.0.format(DAY_SHOWN).unwrap_or_default()
    }

    /// `YYYY-MM-DD` and nothing else.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else {
            return None;
        };
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0_u16, |number, digit| {
                let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
                Some(number * 10 + u16::from(digit))
            })
        };
        let small = |digits: &[u8]| u8::try_from(number(digits)?).ok();
        Self::new(
            i32::from(number(&[y1, y2, y3, y4])?),
            small(&[m1, m2])?,
            small(&[d1, d2])?,
        )
    }

    pub fn parse_shown(text: &str) -> Option<Self> {
        Date::parse(text, DAY_SHOWN).ok().map(Self)
    }

    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(time::Duration::days(days)))
    }

    /// Days since 1 January 1970.
    pub const fn unix_days(self) -> i32 {
        self.0.to_julian_day() - UNIX_EPOCH_JULIAN_DAY
    }

    /// The day so many days after 1 January 1970; none outside the calendar.
    pub fn from_unix_days(days: i32) -> Option<Self> {
        Date::from_julian_day(days.checked_add(UNIX_EPOCH_JULIAN_DAY)?)
            .ok()
            .map(Self)
    }

    /// The first moment of the day in Vietnam.
    pub fn start(self) -> Instant {
        Instant::from_unix(self.0.midnight().assume_offset(VIETNAM).unix_timestamp())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.iso())
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_iso(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a day YYYY-MM-DD")))
    }
}

/// Tells the time. Production reads the system; tests and simulations set it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Settable(Arc<AtomicI64>),
    Node(Arc<Node>),
}

/// A clock that runs on from a moment at the machine's even pace, whatever happens to the system's
/// time of day in between.
#[derive(Debug)]
struct Node {
    /// The moment it was last told, and the machine's own count then.
    anchor: RwLock<(Instant, std::time::Instant)>,
    /// Microseconds by which the system's time of day is read wrongly on purpose; 0 in production.
    shift: AtomicI64,
}

impl Clock {
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`set`](Self::set) moves it.
    pub fn settable(start: Instant) -> Self {
        Self(Source::Settable(Arc::new(AtomicI64::new(start.micros()))))
    }

    /// The clock of a node, which [`follow`](Self::follow)s what it is told. Begins with the
    /// system's time.
    pub fn node() -> Self {
        Self(Source::Node(Arc::new(Node {
            anchor: RwLock::new((system_time(), std::time::Instant::now())),
            shift: AtomicI64::new(0),
        })))
    }

    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::System => system_time(),
            Source::Settable(micros) => Instant(micros.load(Ordering::SeqCst)),
            Source::Node(node) => {
                let (told, then) = *node.anchor.read().unwrap_or_else(PoisonError::into_inner);
                let since = i64::try_from(then.elapsed().as_micros()).unwrap_or(i64::MAX);
                Instant(told.0.saturating_add(since))
            }
        }
    }

    /// What the machine takes for the time of day.
    pub fn time_of_day(&self) -> Instant {
        match &self.0 {
            Source::Node(node) => Instant(
                system_time()
                    .0
                    .saturating_add(node.shift.load(Ordering::SeqCst)),
            ),
            Source::System | Source::Settable(_) => self.now(),
        }
    }

    /// Makes a node's clock go on from here; other clocks stay what they are.
    pub fn follow(&self, told: Instant) {
        if let Source::Node(node) = &self.0 {
            *node.anchor.write().unwrap_or_else(PoisonError::into_inner) =
                (told, std::time::Instant::now());
        }
    }

    /// Makes a node read the system's time of day wrongly by so many seconds, to show that it copes.
    pub fn shift_system(&self, seconds: i64) {
        if let Source::Node(node) = &self.0 {
            node.shift.store(seconds * 1_000_000, Ordering::SeqCst);
        }
    }

    /// Today in Vietnam.
    pub fn today(&self) -> Day {
        self.now().day()
    }

    /// Moves a settable clock; a system clock stays what it is.
    pub fn set(&self, to: Instant) {
        if let Source::Settable(micros) = &self.0 {
            micros.store(to.micros(), Ordering::SeqCst);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that may read the system clock"
)]
fn system_time() -> Instant {
    Instant(
        (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000)
            .try_into()
            .unwrap_or(i64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_pace_when_the_time_of_day_jumps_and_follows_what_it_is_told() {
        let clock = Clock::node();
        let before = clock.now();
        clock.shift_system(-3 * 3600);
        assert!(clock.now() >= before, "the jump reached the node");
        assert!(clock.time_of_day() < before.plus_seconds(-3 * 3600 + 60));
        let told = before.plus_seconds(7200);
        clock.follow(told);
        assert!(clock.now() >= told && clock.now() < told.plus_seconds(60));
    }

    #[test]
    fn the_day_turns_at_midnight_in_vietnam_not_in_utc() {
        let before = Instant::parse_local_iso("2026-11-23T23:59:59").unwrap();
        assert_eq!(before.day().iso(), "2026-11-23");
        assert_eq!(before.plus_seconds(1).day().iso(), "2026-11-24");
        assert_eq!(
            before.plus_seconds(1),
            Day::new(2026, 11, 24).unwrap().start()
        );
    }

    #[test]
    fn days_are_counted_from_1970() {
        let day = Day::new(2026, 11, 24).unwrap();
        assert_eq!(day.unix_days(), 20_781);
        assert_eq!(Day::from_unix_days(20_781), Some(day));
        assert_eq!(Day::from_unix_days(i32::MAX), None);
    }

    #[test]
    fn days_are_read_in_both_spellings() {
        assert_eq!(Day::parse_iso("2026-02-28"), Day::parse_shown("28/02/2026"));
        assert_eq!(Day::parse_iso("2026-02-30"), None);
    }
}
