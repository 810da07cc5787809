//! Unix seconds written the way Vietnamese peers write time: local, without a zone.

use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

const COMPACT: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day][hour][minute][second]");
const ISO: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const ISO_DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const SPACED: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const SHOWN: &[BorrowedFormatItem<'_>] =
    format_description!("[hour]:[minute]:[second] [day]/[month]/[year]");

fn local(unix: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(unix)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(offset!(+7))
}

fn write(unix: i64, shape: &[BorrowedFormatItem<'_>]) -> String {
    local(unix).format(&shape).unwrap_or_default()
}

/// `yyyyMMddHHmmss`
pub(crate) fn compact(unix: i64) -> String {
    write(unix, COMPACT)
}

/// `YYYY-MM-DDThh:mm:ss`
pub(crate) fn iso(unix: i64) -> String {
    write(unix, ISO)
}

/// `YYYY-MM-DD hh:mm:ss`
pub(crate) fn spaced(unix: i64) -> String {
    write(unix, SPACED)
}

/// `hh:mm:ss dd/mm/yyyy`, for people.
pub(crate) fn shown(unix: i64) -> String {
    write(unix, SHOWN)
}

/// Reads `YYYY-MM-DD hh:mm:ss`, or the begin of a day.
pub(crate) fn read_spaced(text: &str) -> Option<i64> {
    let at = match PrimitiveDateTime::parse(text, SPACED) {
        Ok(at) => at,
        Err(_) => read_day(text)?.midnight(),
    };
    Some(at.assume_offset(offset!(+7)).unix_timestamp())
}

/// The calendar day in Vietnam.
pub(crate) fn day(unix: i64) -> Date {
    local(unix).date()
}

/// Reads `yyyyMMddHHmmss` of Vietnam as unix seconds.
pub(crate) fn read_compact(text: &str) -> Option<i64> {
    let read = PrimitiveDateTime::parse(text, COMPACT).ok()?;
    Some(read.assume_offset(offset!(+7)).unix_timestamp())
}

/// Reads `YYYY-MM-DD`.
pub(crate) fn read_day(text: &str) -> Option<Date> {
    Date::parse(text, ISO_DAY).ok()
}

/// Reads the day of `YYYY-MM-DDThh:mm:ss`.
pub(crate) fn read_iso(text: &str) -> Option<PrimitiveDateTime> {
    PrimitiveDateTime::parse(text, ISO).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_vietnam_and_read_back() {
        let unix = 1_795_538_645; // 2026-11-24 16:44:05 UTC
        assert_eq!(compact(unix), "20261124234405");
        assert_eq!(read_compact("20261124234405"), Some(unix));
        assert_eq!(iso(unix), "2026-11-24T23:44:05");
        assert_eq!(read_compact("20261332000000"), None);
    }
}
