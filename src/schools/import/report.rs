//! What an import answers: what changed, or every wrong cell.

use std::fmt;

use crate::stored_as_text;

/// Problems shown in full; the rest is counted.
pub(super) const PROBLEMS_MAX: usize = 1_000;
/// Of a wrong value this much is repeated.
const VALUE_SHOWN_CHARS: usize = 60;

/// The four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    Units,
    Parameters,
    Roster,
    Fees,
}

stored_as_text!(ImportKind {
    Units = "UNITS",
    Parameters = "PARAMETERS",
    Roster = "ROSTER",
    Fees = "FEES",
});

impl ImportKind {
    fn shown(self) -> &'static str {
        match self {
            Self::Units => "Đơn vị",
            Self::Parameters => "Tham số",
            Self::Roster => "Danh sách học sinh",
            Self::Fees => "Danh mục khoản thu",
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    pub kind: ImportKind,
    pub file_name: String,
    /// The same file was imported before; nothing changed now.
    pub already_imported: bool,
    /// Data rows of the file.
    pub rows: u64,
    /// Units, parameters, pupils or fee items (by kind) that are new.
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Pupils whose class changed; also counted in `updated`.
    pub moved: u64,
    /// Pupils of the school that the file does not name: `code full name (class)`.
    pub missing: Vec<String>,
    /// What was read differently from how it was written, or not at all.
    pub notes: Vec<String>,
}

impl ImportReport {
    pub(super) fn new(kind: ImportKind, file_name: &str, rows: usize) -> Self {
        Self {
            kind,
            file_name: file_name.to_owned(),
            already_imported: false,
            rows: count(rows),
            added: 0,
            updated: 0,
            unchanged: 0,
            moved: 0,
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn already(kind: ImportKind, file_name: &str, rows: usize) -> Self {
        Self {
            already_imported: true,
            ..Self::new(kind, file_name, rows)
        }
    }
}

pub(super) fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} · {}", self.kind.shown(), self.file_name)?;
        if self.already_imported {
            return writeln!(f, "  Tệp này đã nhập trước đó; không có gì thay đổi.");
        }
        for (name, number) in [
            ("Số dòng", self.rows),
            ("Thêm mới", self.added),
            ("Cập nhật", self.updated),
            ("Không đổi", self.unchanged),
        ] {
            writeln!(f, "  {name:<10} {number:>7}")?;
        }
        if self.moved > 0 {
            writeln!(f, "  {:<10} {:>7}", "Chuyển lớp", self.moved)?;
        }
        if !self.missing.is_empty() {
            writeln!(
                f,
                "  Có {} học sinh đang học không có trong tệp (giữ nguyên):",
                self.missing.len()
            )?;
            for pupil in &self.missing {
                writeln!(f, "    {pupil}")?;
            }
        }
        for note in &self.notes {
            writeln!(f, "  Lưu ý: {note}")?;
        }
        Ok(())
    }
}

/// Why a file as a whole is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    #[error("Tệp lớn hơn {} MB", super::IMPORT_BYTES_MAX / 1024 / 1024)]
    TooLarge,
    #[error(
        "Tệp có hơn {} dòng dữ liệu; hãy chia thành nhiều tệp",
        super::IMPORT_ROWS_MAX
    )]
    TooManyRows,
    #[error("Trang tính có hơn {} cột", super::sheet::COLUMNS_MAX)]
    TooManyColumns,
    #[error("Tệp không có dòng dữ liệu nào")]
    Empty,
    #[error("Bảng mã của tệp không phải UTF-8; hãy lưu lại dạng “CSV UTF-8” hoặc .xlsx")]
    Encoding,
    #[error("Tệp .xls hoặc .ods không được đọc; hãy mở và lưu lại dạng .xlsx")]
    OldFormat,
    #[error("Tệp hỏng, có mật khẩu hoặc không phải bảng tính .xlsx/.csv")]
    Unreadable,
    #[error(
        "Không tìm thấy dòng tiêu đề trong {} dòng đầu; gần nhất còn thiếu cột: {}",
        super::sheet::HEADER_LINES_MAX, missing.join(", ")
    )]
    NoHeader { missing: Vec<String> },
    #[error("Hai cột cùng tên “{column}”")]
    SameColumnTwice { column: String },
}

/// Stable names of what can be wrong with a cell; interfaces and tests rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemCode {
    Required,
    TooLong,
    Formula,
    CellError,
    TooManyCells,
    ScientificNotation,
    DigitsLost,
    NotACode,
    NotADay,
    FutureDay,
    Implausible,
    Interval,
    Overlap,
    Gap,
    NotANumber,
    NotWhole,
    Negative,
    OutOfRange,
    NotInList,
    Phone,
    Email,
    Duplicate,
    Differs,
    UnknownUnit,
    UnknownScope,
    UnknownFee,
    UnknownGrade,
    ClassGrade,
    Cycle,
    Confirmed,
    LaterChange,
    NotAllowed,
}

stored_as_text!(ProblemCode {
    Required = "REQUIRED",
    TooLong = "TOO_LONG",
    Formula = "FORMULA",
    CellError = "CELL_ERROR",
    TooManyCells = "TOO_MANY_CELLS",
    ScientificNotation = "SCIENTIFIC_NOTATION",
    DigitsLost = "DIGITS_LOST",
    NotACode = "NOT_A_CODE",
    NotADay = "NOT_A_DAY",
    FutureDay = "FUTURE_DAY",
    Implausible = "IMPLAUSIBLE",
    Interval = "INTERVAL",
    Overlap = "OVERLAP",
    Gap = "GAP",
    NotANumber = "NOT_A_NUMBER",
    NotWhole = "NOT_WHOLE",
    Negative = "NEGATIVE",
    OutOfRange = "OUT_OF_RANGE",
    NotInList = "NOT_IN_LIST",
    Phone = "PHONE",
    Email = "EMAIL",
    Duplicate = "DUPLICATE",
    Differs = "DIFFERS",
    UnknownUnit = "UNKNOWN_UNIT",
    UnknownScope = "UNKNOWN_SCOPE",
    UnknownFee = "UNKNOWN_FEE",
    UnknownGrade = "UNKNOWN_GRADE",
    ClassGrade = "CLASS_GRADE",
    Cycle = "CYCLE",
    Confirmed = "CONFIRMED",
    LaterChange = "LATER_CHANGE",
    NotAllowed = "NOT_ALLOWED",
});

/// One wrong cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProblem {
    /// As the spreadsheet counts, from 1.
    pub line: u64,
    /// The title of the column as the file wrote it.
    pub column: String,
    pub value: String,
    pub code: ProblemCode,
    /// A Vietnamese sentence with a way on.
    pub message: String,
}

/// Every wrong cell of a file, in the order of the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowProblems {
    pub file_name: String,
    pub problems: Vec<RowProblem>,
    /// Further problems that are counted only.
    pub more: u64,
}

impl RowProblems {
    pub(super) fn add(
        &mut self,
        line: u64,
        column: &str,
        value: &str,
        code: ProblemCode,
        message: impl Into<String>,
    ) {
        if self.problems.len() >= PROBLEMS_MAX {
            self.more += 1;
            return;
        }
        self.problems.push(RowProblem {
            line,
            column: column.to_owned(),
            value: shortened(value),
            code,
            message: message.into(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// `Err` with all problems in the order of the lines when there are any.
    pub(super) fn into_result(mut self, file_name: &str) -> Result<(), super::ImportFailure> {
        if self.is_empty() {
            return Ok(());
        }
        self.problems.sort_by_key(|problem| problem.line);
        file_name.clone_into(&mut self.file_name);
        Err(super::ImportFailure::Rows(self))
    }

    /// `;`-separated with a byte order mark, as Vietnamese spreadsheets open it by double click.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("\u{feff}Dòng;Cột;Giá trị;Mã lỗi;Lý do\r\n");
        for problem in &self.problems {
            let fields = [
                problem.line.to_string(),
                problem.column.clone(),
                problem.value.clone(),
                problem.code.to_string(),
                problem.message.clone(),
            ];
            text.push_str(&fields.map(|field| csv_field(&field)).join(";"));
            text.push_str("\r\n");
        }
        if self.more > 0 {
            text.push_str(&format!(";;;;… và {} lỗi khác\r\n", self.more));
        }
        text
    }
}

/// Quoted; what a spreadsheet would take for a formula is made text.
fn csv_field(field: &str) -> String {
    let guard = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

impl fmt::Display for RowProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = count(self.problems.len()) + self.more;
        writeln!(
            f,
            "{}: có {all} lỗi, không dòng nào được nhập.",
            self.file_name
        )?;
        let width = |of: fn(&RowProblem) -> &str, least: usize| {
            let widths = self.problems.iter().map(|p| of(p).chars().count());
            widths.max().unwrap_or(0).clamp(least, 30)
        };
        let column = width(|p| &p.column, 3);
        let value = width(|p| &p.value, 7);
        writeln!(
            f,
            "  {:>6}  {:<column$}  {:<value$}  Lý do",
            "Dòng", "Cột", "Giá trị"
        )?;
        for p in &self.problems {
            writeln!(
                f,
                "  {:>6}  {:<column$}  {:<value$}  {} [{}]",
                p.line, p.column, p.value, p.message, p.code
            )?;
        }
        if self.more > 0 {
            writeln!(f, "  … và {} lỗi khác", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_a_table_and_a_file_that_opens_without_running_anything() {
        let mut problems = RowProblems::default();
        problems.add(
            7,
            "Điện thoại",
            "=HYPERLINK(\"x\")",
            ProblemCode::Formula,
            "Ô là công thức",
        );
        for line in 0..PROBLEMS_MAX {
            problems.add(count(line), "Cột", "v", ProblemCode::Required, "Thiếu");
        }
        assert_eq!(problems.more, 1);
        let csv = problems.to_csv();
        assert!(csv.contains("\"7\";\"Điện thoại\";\"'=HYPERLINK(\"\"x\"\")\";\"FORMULA\""));
        let table = problems.to_string();
        assert!(table.contains("có 1001 lỗi") && table.contains("Ô là công thức [FORMULA]"));
    }
}
