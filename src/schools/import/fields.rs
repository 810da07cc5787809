//! One cell to one value; what is wrong is reported, never guessed.

use super::report::{ProblemCode, RowProblems};
use super::sheet::{Cell, Column, Line, Sheet};
use super::values::{is_email, looks_scientific, parse_day, parse_grade, parse_phone};
use crate::clock::Day;
use crate::money::{self, Vnd};
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
            Cell::Text(text) => money::typed(text).map(Vnd::get),
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
