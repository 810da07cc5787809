//! Dates of an invoice (einvoice §5.3): the year of the symbol, and when it was signed.

use super::tree::Node;

use super::report::Report;
use super::tree::value_at;
use crate::clock::{Day, Instant};

pub fn check_symbol_year(data: Node<'_, '_>, today: Option<Day>, report: &mut Report) {
    let Some(day) = issue_day(data) else { return };
    let place = (data, "TTChung/NLap");
    let symbol = value_at(data, &["TTChung", "KHHDon"]).unwrap_or_default();
    if let Some(year) = symbol
        .get(if symbol.starts_with("PT") { 2..4 } else { 1..3 })
        .and_then(|digits| digits.parse::<i32>().ok())
        && year != day.year().rem_euclid(100)
    {
        report.error(
            "date.symbol_year",
            place,
            format!(
                "năm của ngày lập {} khác năm trong ký hiệu {symbol}",
                day.shown()
            ),
            format!(
                "the year of {} is not that of the symbol {symbol}",
                day.iso()
            ),
        );
    }
    if today.is_some_and(|today| day > today) {
        report.error(
            "date.future",
            place,
            format!("ngày lập {} ở tương lai", day.shown()),
            format!("issue day {} lies in the future", day.iso()),
        );
    }
}

/// Checks the seller's signing time against the issue day; answers the moment when it is one.
pub fn check_signing(
    data: Node<'_, '_>,
    signature: Node<'_, '_>,
    written: &str,
    report: &mut Report,
) -> Option<Instant> {
    let place = (signature, "SigningTime");
    // XAdES of some vendors adds a zone; the local part is what is compared.
    let local = written.get(..19).unwrap_or(written);
    let Some(moment) = Instant::parse_local_iso(local) else {
        report.error(
            "signature.time",
            place,
            format!("thời điểm ký {written} không đúng dạng"),
            format!("signing time {written} is not YYYY-MM-DDThh:mm:ss"),
        );
        return None;
    };
    if let Some(day) = issue_day(data) {
        if moment.day() < day {
            report.error(
                "date.signed_before",
                place,
                format!(
                    "ký ngày {} trước ngày lập {}",
                    moment.day().shown(),
                    day.shown()
                ),
                format!(
                    "signed on {} before the issue day {}",
                    moment.day().iso(),
                    day.iso()
                ),
            );
        } else if moment.day() > next_weekday(day) {
            report.warn(
                "date.signed_late",
                place,
                format!(
                    "ký ngày {}, muộn hơn ngày làm việc sau ngày lập {}",
                    moment.day().shown(),
                    day.shown()
                ),
                format!(
                    "signed on {}, later than the working day after {}",
                    moment.day().iso(),
                    day.iso()
                ),
            );
        }
    }
    Some(moment)
}

fn issue_day(data: Node<'_, '_>) -> Option<Day> {
    Day::parse_iso(&value_at(data, &["TTChung", "NLap"])?)
}

/// The first Monday to Friday after a day. Public holidays would only make it later, so nothing
/// is called late wrongly except across them; hence a warning, not an error.
fn next_weekday(day: Day) -> Day {
    let mut next = day.plus_days(1);
    while next.date().weekday().number_days_from_monday() >= 5 {
        next = next.plus_days(1);
    }
    next
}
