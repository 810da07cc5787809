//! One cell to one value; what is wrong is reported, never guessed.

use rust_decimal::Decimal;

use super::report::{ProblemCode, RowProblems};
use super::sheet::{Cell, Column, Line, Sheet};
use crate::clock::Day;
use crate::schools::parameters::parse_decimal;
use crate::schools::text::fold;

/// Days before and after which nothing in these files can lie.
const YEAR_MIN: i32 = 1900;
const YEAR_MAX: i32 = 2200;
/// A spreadsheet keeps this many digits of a number and replaces the rest by zeros.
const NUMBER_DIGITS_MAX: usize = 15;

/// The cells of one line by column of the layout. Methods answer `None` for an empty cell and for
/// a wrong one; [`Fields::failed`] tells them apart.
pub struct Fields<'a> {
    sheet: &'a Sheet,
    layout: &'static [Column],
    line: &'a Line,
    problems: &'a mut RowProblems,
    pub failed: bool,
}

impl<'a> Fields<'a> {
    pub fn new(
        sheet: &'a Sheet,
        layout: &'static [Column],
        line: &'a Line,
        problems: &'a mut RowProblems,
    ) -> Self {
        let mut fields = Self {
            sheet,
            layout,
            line,
            problems,
            failed: false,
        };
        if let Some(cell) = sheet.stray_cell(line) {
            fields.failed = true;
            fields.problems.add(
                line.number,
                "",
                &cell.shown(),
                ProblemCode::TooManyCells,
                "Dòng có nhiều ô hơn số cột của tiêu đề; kiểm tra dấu phân cách",
            );
        }
        fields
    }

    pub fn line(&self) -> u64 {
        self.line.number
    }

    /// Reports the cell of a column.
    pub fn refuse(&mut self, column: usize, code: ProblemCode, message: impl Into<String>) {
        let shown = self.sheet.cell(self.line, column).shown();
        let title = match self.sheet.place(column) {
            Some(place) => self.sheet.title_at(place),
            None => self.layout[column].title,
        };
        self.problems
            .add(self.line.number, title, &shown, code, message);
        self.failed = true;
    }

    fn refused<T>(
        &mut self,
        column: usize,
        code: ProblemCode,
        message: impl Into<String>,
    ) -> Option<T> {
        self.refuse(column, code, message);
        None
    }

    pub fn is_blank(&self, column: usize) -> bool {
        *self.sheet.cell(self.line, column) == Cell::Empty
    }

    fn need<T>(&mut self, column: usize, value: Option<T>) -> Option<T> {
        if value.is_none() && self.is_blank(column) {
            self.refuse(column, ProblemCode::Required, "Ô này không được để trống");
        }
        value
    }

    /// Text of at most `chars_max` characters.
    pub fn text(&mut self, column: usize, chars_max: usize) -> Option<String> {
        let text = match self.sheet.cell(self.line, column) {
            Cell::Empty => return None,
            Cell::Text(text) if text.starts_with('=') => {
                return self.refused(
                    column,
                    ProblemCode::Formula,
                    "Ô chứa công thức dạng chữ; hãy ghi giá trị",
                );
            }
            Cell::Text(text) | Cell::Number(text) => text.clone(),
            Cell::Day(_) => {
                return self.refused(
                    column,
                    ProblemCode::NotACode,
                    "Bảng tính đã đổi ô này thành ngày; đặt định dạng ô là Văn bản rồi nhập lại",
                );
            }
            Cell::Error(_) => {
                return self.refused(column, ProblemCode::CellError, "Ô có giá trị lỗi");
            }
            Cell::Long(_) => {
                return self.refused(
                    column,
                    ProblemCode::TooLong,
                    format!("Ô dài quá {chars_max} ký tự"),
                );
            }
        };
        if text.chars().count() > chars_max {
            return self.refused(
                column,
                ProblemCode::TooLong,
                format!("Ô dài quá {chars_max} ký tự"),
            );
        }
        Some(text)
    }

    pub fn required_text(&mut self, column: usize, chars_max: usize) -> Option<String> {
        let text = self.text(column, chars_max);
        self.need(column, text)
    }

    /// An opaque code: letters, digits and `- _ . /`, kept as written.
    pub fn code(&mut self, column: usize, chars_max: usize) -> Option<String> {
        let is_number = matches!(self.sheet.cell(self.line, column), Cell::Number(_));
        let text = self.text(column, chars_max)?;
        if looks_scientific(&text) {
            return self.refused(
                column,
                ProblemCode::ScientificNotation,
                "Bảng tính đã rút gọn mã thành dạng 1,23E+11; đặt định dạng ô là Văn bản rồi nhập lại",
            );
        }
        if is_number && text.len() > NUMBER_DIGITS_MAX {
            return self.refused(
                column,
                ProblemCode::DigitsLost,
                "Bảng tính chỉ giữ 15 chữ số; đặt định dạng ô là Văn bản rồi nhập lại",
            );
        }
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if !text.chars().all(allowed) || is_number && !text.bytes().all(|b| b.is_ascii_digit()) {
            return self.refused(
                column,
                ProblemCode::NotACode,
                "Mã chỉ gồm chữ, số và - _ . /",
            );
        }
        Some(text)
    }

    pub fn required_code(&mut self, column: usize, chars_max: usize) -> Option<String> {
        let code = self.code(column, chars_max);
        self.need(column, code)
    }

    /// A code of digits only, with one of the given lengths.
    pub fn digits(
        &mut self,
        column: usize,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> Option<String> {
        let code = self.code(column, *lengths.end())?;
        if code.bytes().all(|b| b.is_ascii_digit()) && lengths.contains(&code.len()) {
            return Some(code);
        }
        let length = if lengths.start() == lengths.end() {
            lengths.end().to_string()
        } else {
            format!("{}–{}", lengths.start(), lengths.end())
        };
        self.refused(
            column,
            ProblemCode::NotACode,
            format!("Cần {length} chữ số (giữ cả số 0 ở đầu)"),
        )
    }

    /// A day: a date cell, `d/m/yyyy` (also with `-` or `.`) or `yyyy-mm-dd`.
    pub fn day(&mut self, column: usize) -> Option<Day> {
        let found = match self.sheet.cell(self.line, column) {
            Cell::Empty => return None,
            Cell::Day(day) => Some(*day),
            Cell::Text(text) => parse_day(text),
            Cell::Number(_) | Cell::Error(_) | Cell::Long(_) => None,
        };
        match found {
            Some(day) if (YEAR_MIN..=YEAR_MAX).contains(&day.year()) => Some(day),
            _ => self.refused(
                column,
                ProblemCode::NotADay,
                "Không phải ngày có thật; ghi dạng ngày/tháng/năm, ví dụ 05/09/2014",
            ),
        }
    }

    pub fn required_day(&mut self, column: usize) -> Option<Day> {
        let day = self.day(column);
        self.need(column, day)
    }

    /// The interval of two columns, `to` being the last day; answers the first day after it.
    pub fn interval(&mut self, from: usize, to: usize) -> Option<(Day, Option<Day>)> {
        let first = self.required_day(from);
        let last = self.day(to);
        let first = first?;
        if last.is_some_and(|last| last < first) {
            return self.refused(
                to,
                ProblemCode::Interval,
                "Ngày kết thúc trước ngày bắt đầu",
            );
        }
        Some((first, last.map(|last| last.plus_days(1))))
    }

    /// A whole number, not negative.
    pub fn whole(&mut self, column: usize) -> Option<i64> {
        let text = self.text(column, 20)?;
        match text.parse::<i64>() {
            Ok(number) if number >= 0 => Some(number),
            Ok(_) => self.refused(column, ProblemCode::Negative, "Không được là số âm"),
            Err(_) if parse_decimal(&text.replace(',', ".")).is_some() => {
                self.refused(column, ProblemCode::NotWhole, "Cần số nguyên")
            }
            Err(_) => self.refused(column, ProblemCode::NotANumber, "Không phải số nguyên"),
        }
    }

    /// Whole đồng; text may group thousands (`25.000`, `1,250,000`) and end in `đ` or `₫`.
    pub fn amount(&mut self, column: usize) -> Option<i64> {
        let grouped = match self.sheet.cell(self.line, column) {
            Cell::Text(text) => ungrouped(text),
            _ => None,
        };
        match grouped {
            Some(amount) => Some(amount),
            None => self.whole(column),
        }
    }

    /// `9`, `Khối 9`, `Lớp 9`; preschool groups are 0.
    pub fn grade(&mut self, column: usize) -> Option<i64> {
        let text = self.text(column, 30)?;
        parse_grade(&text).or_else(|| {
            self.refused(
                column,
                ProblemCode::UnknownGrade,
                "Khối không có; ghi số 1–12 hoặc Mầm non",
            )
        })
    }

    /// One of a closed list, by folded name.
    pub fn one_of<T: Copy>(&mut self, column: usize, list: &[(&str, T)]) -> Option<T> {
        let text = self.text(column, 60)?;
        let folded = fold(&text);
        let found = list.iter().find(|(name, _)| fold(name) == folded);
        if let Some((_, value)) = found {
            return Some(*value);
        }
        let names: Vec<&str> = list.iter().map(|(name, _)| *name).take(8).collect();
        self.refused(
            column,
            ProblemCode::NotInList,
            format!("Cần một trong: {}", names.join(", ")),
        )
    }

    pub fn required_one_of<T: Copy>(&mut self, column: usize, list: &[(&str, T)]) -> Option<T> {
        let value = self.one_of(column, list);
        self.need(column, value)
    }

    /// A Vietnamese telephone number, answered as digits with the leading 0.
    pub fn phone(&mut self, column: usize) -> Option<String> {
        let is_number = matches!(self.sheet.cell(self.line, column), Cell::Number(_));
        let text = self.text(column, 30)?;
        if looks_scientific(&text) {
            return self.refused(
                column,
                ProblemCode::ScientificNotation,
                "Bảng tính đã rút gọn số điện thoại thành dạng 9,1E+8; đặt định dạng ô là Văn bản rồi nhập lại",
            );
        }
        parse_phone(&text, is_number).or_else(|| {
            self.refused(
                column,
                ProblemCode::Phone,
                "Số điện thoại không đúng; ghi 10 chữ số, ví dụ 0912345678",
            )
        })
    }

    pub fn email(&mut self, column: usize) -> Option<String> {
        let text = self.text(column, 254)?;
        if is_email(&text) {
            Some(text)
        } else {
            self.refused(column, ProblemCode::Email, "Địa chỉ e-mail không đúng")
        }
    }
}

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
fn looks_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let Some(exponent) = exponent.strip_prefix(['+', '-']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(exponent) && digits(&mantissa.replacen(['.', ','], "", 1))
}

fn ungrouped(text: &str) -> Option<i64> {
    let number = text.trim_end_matches(['đ', '₫', ' ']);
    let separator = number.chars().find(|c| matches!(c, '.' | ',' | ' '));
    let Some(separator) = separator else {
        return number.parse().ok().filter(|amount| *amount >= 0);
    };
    let groups: Vec<&str> = number.split(separator).collect();
    let well_grouped = groups.iter().enumerate().all(|(place, group)| {
        group.bytes().all(|b| b.is_ascii_digit())
            && if place == 0 {
                (1..=3).contains(&group.len())
            } else {
                group.len() == 3
            }
    });
    if well_grouped {
        groups.concat().parse().ok()
    } else {
        None
    }
}

fn parse_phone(text: &str, is_number: bool) -> Option<String> {
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

fn is_email(text: &str) -> bool {
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
        assert_eq!(ungrouped("1.250.000 đ"), Some(1_250_000));
        assert_eq!(ungrouped("25,000"), Some(25_000));
        assert_eq!(ungrouped("25.5"), None);
        assert_eq!(ungrouped("-25"), None);
        assert!(looks_scientific("1,23E+11") && looks_scientific("9E+8"));
        assert!(!looks_scientific("6E1") && !looks_scientific("HE+1"));
    }
}
