//! Words and numbers as people read them (einvoice §6.2: `.` between thousands, `,` before decimals).

use std::fmt::Write as _;

use crate::fees::vietqr::crc16;

/// A number of the file for people; what is no number stays as it is.
pub fn amount(written: &str) -> String {
    let (sign, digits) = match written.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", written),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return written.to_owned();
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    };
    let mut out = String::with_capacity(written.len() + whole.len() / 3 + 1);
    out.push_str(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push(',');
        out.push_str(fraction);
    }
    out
}

pub fn percent(written: &str) -> String {
    format!("{}%", amount(written))
}

/// `2026-11-23` as `Ngày 23 tháng 11 năm 2026`.
pub fn day_in_words(iso: &str) -> String {
    match parts(iso) {
        Some((year, month, day)) => format!("Ngày {day} tháng {month} năm {year}"),
        None => iso.to_owned(),
    }
}

/// `2026-11-23` as `23/11/2026`.
pub fn day(iso: &str) -> String {
    match parts(iso) {
        Some((year, month, day)) => format!("{day}/{month}/{year}"),
        None => iso.to_owned(),
    }
}

/// `2026-11-23T09:15:04` as `23/11/2026 09:15:04`.
pub fn moment(local: &str) -> String {
    match local.split_once('T') {
        Some((date, time)) => format!("{} {}", day(date), time.get(..8).unwrap_or(time)),
        None => day(local),
    }
}

fn parts(iso: &str) -> Option<(&str, &str, &str)> {
    let mut parts = iso.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    (year.len() == 4 && month.len() == 2 && day.len() == 2).then_some((year, month, day))
}

pub fn payment_method(code: &str) -> String {
    match code {
        "CK" => "Chuyển khoản (CK)".to_owned(),
        "TM" => "Tiền mặt (TM)".to_owned(),
        "TM/CK" => "Tiền mặt hoặc chuyển khoản (TM/CK)".to_owned(),
        other => other.to_owned(),
    }
}

/// What a line is besides goods and services.
pub fn nature(code: &str) -> Option<&'static str> {
    match code {
        "2" => Some("hàng khuyến mại, không thu tiền"),
        "3" => Some("chiết khấu thương mại, trừ vào tổng tiền"),
        _ => None,
    }
}

/// The obligatory sentence, where the file does not carry it.
pub fn correction(nature: &str, form: &str, symbol: &str, number: &str, iso: &str) -> String {
    let verb = if matches!(nature, "1" | "3") {
        "Thay thế"
    } else {
        "Điều chỉnh"
    };
    let day = day_in_words(iso);
    let day = day
        .strip_prefix('N')
        .map_or(day.clone(), |rest| format!("n{rest}"));
    format!("{verb} cho hóa đơn Mẫu số {form} ký hiệu {symbol} số {number} {day}")
}

/// Abbreviations of VAT rates, explained where they stand.
pub fn legend<'r>(rates: impl Iterator<Item = &'r str>) -> Vec<&'static str> {
    let mut found = Vec::new();
    for rate in rates {
        let text = match rate {
            "KCT" => "KCT: không chịu thuế giá trị gia tăng",
            "KKKNT" => "KKKNT: không kê khai, tính nộp thuế giá trị gia tăng",
            _ => continue,
        };
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// What the code of an invoice says (einvoice §6.1).
pub struct QrFields<'f> {
    pub seller: &'f str,
    pub form: &'f str,
    pub symbol: &'f str,
    pub number: &'f str,
    pub day: &'f str,
    pub total: &'f str,
}

/// The text of an invoice's QR code.
pub fn qr(fields: &QrFields<'_>) -> String {
    let block: String = [
        ("00", "A000000775".to_owned()),
        ("01", fields.seller.replace('-', "")),
        ("02", fields.form.to_owned()),
        ("03", fields.symbol.to_owned()),
        ("04", fields.number.to_owned()),
        ("05", fields.day.replace('-', "")),
        ("06", fields.total.to_owned()),
    ]
    .iter()
    .map(|(tag, value)| field(tag, value))
    .collect();
    let mut code = [field("00", "01"), field("01", "11"), field("99", &block)].concat();
    code.push_str("6304");
    let sum = crc16(code.as_bytes());
    let _ = write!(code, "{sum:04X}");
    code
}

fn field(tag: &str, value: &str) -> String {
    format!("{tag}{:02}{value}", value.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_written_the_vietnamese_way() {
        for (written, shown) in [
            ("13690000", "13.690.000"),
            ("-683100", "-683.100"),
            ("100", "100"),
            ("1.500000", "1,5"),
            ("0.25", "0,25"),
            ("2962963.5", "2.962.963,5"),
            ("0", "0"),
            ("", ""),
            ("miễn phí", "miễn phí"),
        ] {
            assert_eq!(amount(written), shown);
        }
        assert_eq!(day_in_words("2026-11-05"), "Ngày 05 tháng 11 năm 2026");
        assert_eq!(moment("2026-11-05T09:15:04"), "05/11/2026 09:15:04");
        assert_eq!(
            correction("2", "1", "C26TAA", "128", "2026-09-05"),
            "Điều chỉnh cho hóa đơn Mẫu số 1 ký hiệu C26TAA số 128 ngày 05 tháng 09 năm 2026"
        );
    }

    #[test]
    fn the_code_of_an_invoice_is_a_checked_list_of_fields() {
        let code = qr(&QrFields {
            seller: "0100233488-001",
            form: "1",
            symbol: "C26TAA",
            number: "128",
            day: "2026-11-23",
            total: "4487101",
        });
        assert_eq!(
            &code[..code.len() - 4],
            "00020101021199760010A00000077501130100233488001020110306C26TAA0403128050820261123060744871016304"
        );
    }
}
