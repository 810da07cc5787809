//! Text of a message to amounts and times, and back.

use serde::Deserialize;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::contract::Vnd;

/// Every zoneless time of a Vietnamese provider (reference §2 rule 9). Vietnam knows no summer time.
const VIETNAM: UtcOffset = match UtcOffset::from_hms(7, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

/// How a provider writes a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum TimeFormat {
    /// `20260905101530`, GMT+7
    #[serde(rename = "yyyyMMddHHmmss")]
    Compact,
    /// `2026-09-05 10:15:30`, GMT+7
    #[serde(rename = "yyyy-MM-dd HH:mm:ss")]
    Spaced,
    #[serde(rename = "unix_s")]
    UnixSeconds,
    #[serde(rename = "unix_ms")]
    UnixMillis,
}

/// Reads whole đồng written in units of `1 / scale` đồng. Digits only: no sign, exponent or
/// separator; a fraction only if it is zero and the provider is known to write one.
pub(super) fn amount(text: &str, scale: i64, zero_fraction: bool) -> Option<Vnd> {
    let units = digits(text).or_else(|| {
        let (whole, fraction) = text.split_once('.')?;
        let zeros = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
        (zero_fraction && zeros).then(|| digits(whole)).flatten()
    })?;
    (units.checked_rem(scale) == Some(0)).then(|| Vnd::new(units / scale))
}

/// A number of only ASCII digits within `i64`.
pub(super) fn digits(text: &str) -> Option<i64> {
    let more = |number: i64, byte: u8| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    };
    text.bytes().next()?;
    text.bytes().try_fold(0, more)
}

/// Seconds since 1970 UTC; `None` for a text that is not a real moment.
pub(super) fn moment(text: &str, format: TimeFormat) -> Option<i64> {
    let civil = |[year, month, day, hour, minute, second]: [i64; 6]| {
        let small = |number: i64| u8::try_from(number).ok();
        let date = Date::from_calendar_date(
            i32::try_from(year).ok()?,
            Month::try_from(small(month)?).ok()?,
            small(day)?,
        );
        let time = Time::from_hms(small(hour)?, small(minute)?, small(second)?);
        let local = PrimitiveDateTime::new(date.ok()?, time.ok()?);
        Some(local.assume_offset(VIETNAM).unix_timestamp())
    };
    match format {
        TimeFormat::Compact if text.len() == 14 => {
            let all = digits(text)?;
            let part = |unit: i64| all / unit % 100;
            let [month, day, hour, minute] = [100_000_000, 1_000_000, 10_000, 100].map(part);
            civil([all / 10_000_000_000, month, day, hour, minute, all % 100])
        }
        TimeFormat::Spaced if text.len() == 19 => {
            let part = |from: usize, to: usize| digits(text.get(from..to)?);
            let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
            let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
            civil([year, month, day, hour, minute, second])
        }
        TimeFormat::Compact | TimeFormat::Spaced => None,
        TimeFormat::UnixSeconds => digits(text),
        TimeFormat::UnixMillis => digits(text).map(|millis| millis / 1_000),
    }
}

/// The provider's text of a moment; `None` outside the years it can write.
pub(super) fn moment_text(unix: i64, format: TimeFormat) -> Option<String> {
    let local = OffsetDateTime::from_unix_timestamp(unix)
        .ok()?
        .checked_to_offset(VIETNAM)?;
    let (year, month, day) = (local.year(), u8::from(local.month()), local.day());
    let (hour, minute, second) = local.to_hms();
    match format {
        TimeFormat::UnixSeconds => Some(unix.to_string()),
        TimeFormat::UnixMillis => unix.checked_mul(1_000).map(|millis| millis.to_string()),
        TimeFormat::Compact | TimeFormat::Spaced if !(1..=9_999).contains(&year) => None,
        TimeFormat::Compact => Some(format!(
            "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"
        )),
        TimeFormat::Spaced => Some(format!(
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_digits_and_nothing_else() {
        let plain = |text| amount(text, 1, false).map(Vnd::get);
        assert_eq!(plain("1250000"), Some(1_250_000));
        assert_eq!(plain("9223372036854775807"), Some(i64::MAX));
        for wrong in [
            "",
            "-1",
            "+1",
            "1e6",
            "1.0",
            "1,000",
            " 1",
            "9223372036854775808",
            "١",
        ] {
            assert_eq!(plain(wrong), None, "{wrong:?}");
        }
        assert_eq!(amount("125000000", 100, false), Some(Vnd::new(1_250_000)));
        assert_eq!(amount("125000001", 100, false), None);
        assert_eq!(amount("1250000.00", 1, true), Some(Vnd::new(1_250_000)));
        for wrong in ["1250000.50", "1250000.", ".00", "1.0.0"] {
            assert_eq!(amount(wrong, 1, true), None, "{wrong:?}");
        }
    }

    #[test]
    fn zoneless_times_are_vietnamese() {
        let unix = 1_788_578_130;
        assert_eq!(
            moment("2026-09-05 10:15:30", TimeFormat::Spaced),
            Some(unix)
        );
        assert_eq!(moment("20260905101530", TimeFormat::Compact), Some(unix));
        assert_eq!(
            moment_text(unix, TimeFormat::Compact).as_deref(),
            Some("20260905101530")
        );
        assert_eq!(moment("20260231101530", TimeFormat::Compact), None);
        assert_eq!(moment("2026090510153đ", TimeFormat::Compact), None);
    }
}
