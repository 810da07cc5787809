//! The spellings people use for days, telephones, grades, amounts, and what is none of them. Pure.

use rust_decimal::Decimal;

use super::report::ProblemCode;
use super::sheet::Cell;
use crate::clock::Day;
use crate::schools::parameters::parse_decimal;
use crate::schools::text::fold;

/// A quantity of a choice column: blank none, `x` one, else a decimal; a comma may part decimals.
pub fn quantity(cell: &Cell) -> Result<Option<Decimal>, (ProblemCode, &'static str)> {
    let text = match cell {
        Cell::Empty => return Ok(None),
        Cell::Text(text) | Cell::Number(text) => text,
        Cell::Day(_) | Cell::Error(_) | Cell::Long(_) => {
            return Err((ProblemCode::NotANumber, "Cần số lượng hoặc x"));
        }
    };
    if text.starts_with('=') {
        return Err((
            ProblemCode::Formula,
            "Ô chứa công thức dạng chữ; hãy ghi giá trị",
        ));
    }
    if matches!(fold(text).as_str(), "x" | "co" | "true") {
        return Ok(Some(Decimal::ONE));
    }
    if matches!(fold(text).as_str(), "khong" | "false") {
        return Ok(None);
    }
    let Some(number) = parse_decimal(&text.replace(',', ".")) else {
        return Err((ProblemCode::NotANumber, "Cần số lượng hoặc x"));
    };
    if number.is_sign_negative() && !number.is_zero() {
        return Err((ProblemCode::Negative, "Số lượng không được âm"));
    }
    if number > Decimal::ONE_THOUSAND || number.normalize().scale() > 3 {
        return Err((
            ProblemCode::OutOfRange,
            "Số lượng từ 0 đến 1000, nhiều nhất 3 chữ số lẻ",
        ));
    }
    Ok(Some(number.normalize()).filter(|number| !number.is_zero()))
}

/// The number a class name begins with: `9` of `9A2`.
pub fn leading_grade(class: &str) -> Option<i64> {
    let digits: String = class.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|grade| (1..=12).contains(grade))
}

pub fn parse_grade(text: &str) -> Option<i64> {
    const PRESCHOOL: [&str; 9] = [
        "mam non", "mau giao", "nha tre", "mam", "choi", "la", "mn", "mg", "nt",
    ];
    let folded = fold(text);
    let name = folded
        .strip_prefix("khoi ")
        .or_else(|| folded.strip_prefix("lop "))
        .unwrap_or(&folded);
    if PRESCHOOL.contains(&name) {
        return Some(0);
    }
    name.parse().ok().filter(|grade| (0..=12).contains(grade))
}

pub fn parse_day(text: &str) -> Option<Day> {
    if let Some(day) = Day::parse_iso(text) {
        return Some(day);
    }
    let mut parts = text.split(['/', '-', '.']).map(str::trim);
    let mut number = |lengths: std::ops::RangeInclusive<usize>| {
        let part = parts.next()?;
        let digits = part.bytes().all(|b| b.is_ascii_digit()) && lengths.contains(&part.len());
        if digits {
            part.parse::<u16>().ok()
        } else {
            None
        }
    };
    let (day, month, year) = (number(1..=2)?, number(1..=2)?, number(4..=4)?);
    if parts.next().is_some() {
        return None;
    }
    Day::new(
        i32::from(year),
        u8::try_from(month).ok()?,
        u8::try_from(day).ok()?,
    )
}

/// `1.23E+11`, `9,1e+8`: digits, a part of them behind a point or comma, an exponent.
pub fn looks_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let Some(exponent) = exponent.strip_prefix(['+', '-']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(exponent) && digits(&mantissa.replacen(['.', ','], "", 1))
}

pub fn parse_phone(text: &str, is_number: bool) -> Option<String> {
    let mut digits: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')'))
        .collect();
    if let Some(rest) = digits.strip_prefix("+84") {
        digits = format!("0{}", rest.strip_prefix('0').unwrap_or(rest));
    } else if digits.starts_with("84") && digits.len() == 11 {
        digits = format!("0{}", &digits[2..]);
    } else if is_number && digits.len() == 9 && !digits.starts_with('0') {
        // A numeric cell cannot hold the leading 0.
        digits = format!("0{digits}");
    }
    let well_formed = digits.bytes().all(|b| b.is_ascii_digit()) && digits.starts_with('0');
    // Mobile numbers have 10 digits, land lines (02x) 10 or 11.
    let length = match digits.as_bytes().get(1) {
        Some(b'3' | b'5' | b'7' | b'8' | b'9') => digits.len() == 10,
        Some(b'2') => (10..=11).contains(&digits.len()),
        _ => false,
    };
    (well_formed && length).then_some(digits)
}

pub fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else {
        return false;
    };
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"');
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(good)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && host.contains('.')
        && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_real_days_in_the_ways_people_write_them() {
        let ninth = Day::new(2014, 3, 9);
        for text in [
            "09/03/2014",
            "9/3/2014",
            "9-3-2014",
            "09.03.2014",
            "2014-03-09",
        ] {
            assert_eq!(parse_day(text), ninth, "{text}");
        }
        for wrong in [
            "31/02/2014",
            "29/02/2023",
            "9/3/14",
            "2014",
            "9/3/2014/1",
            "+9/3/2014",
            "",
        ] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn telephone_numbers_are_made_one_form_or_refused() {
        for (text, number, digits) in [
            ("0912345678", false, "0912345678"),
            ("0912 345 678", false, "0912345678"),
            ("+84912345678", false, "0912345678"),
            ("84912345678", true, "0912345678"),
            ("912345678", true, "0912345678"),
            ("0208.3855.688", false, "02083855688"),
        ] {
            assert_eq!(parse_phone(text, number).as_deref(), Some(digits), "{text}");
        }
        for (text, number) in [
            ("912345678", false),
            ("09123456", false),
            ("0123456789", false),
            ("09123456789", false),
            ("091234567x", false),
            ("", false),
        ] {
            assert_eq!(parse_phone(text, number), None, "{text}");
        }
    }

    #[test]
    fn addresses_quantities_grades_and_amounts_are_told_apart_from_mistakes() {
        assert!(is_email("me.be+1@thcs.thainguyen.edu.vn"));
        for wrong in [
            "a@b",
            "a b@c.vn",
            "@c.vn",
            "a@@c.vn",
            "a.@c.vn",
            "a@-c.vn",
            "a@c..vn",
            "mẹ@c.vn",
        ] {
            assert!(!is_email(wrong), "{wrong}");
        }
        let read = |text: &str| quantity(&Cell::Text(text.into())).map_err(|(code, _)| code);
        assert_eq!(read("x"), Ok(Some(Decimal::ONE)));
        assert_eq!(read("1,5"), Ok(Some(Decimal::new(15, 1))));
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("-1"), Err(ProblemCode::Negative));
        assert_eq!(read("=1+1"), Err(ProblemCode::Formula));
        assert_eq!(read("nhiều"), Err(ProblemCode::NotANumber));
        assert_eq!(read("100000"), Err(ProblemCode::OutOfRange));
        assert_eq!(parse_grade("Khối 9"), Some(9));
        assert_eq!(parse_grade("Mẫu giáo"), Some(0));
        assert_eq!(parse_grade("13"), None);
        assert_eq!(leading_grade("10A1"), Some(10));
        assert!(looks_scientific("1,23E+11") && looks_scientific("9E+8"));
        assert!(!looks_scientific("6E1") && !looks_scientific("HE+1"));
    }
}
