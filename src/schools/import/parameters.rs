//! The file of dated parameters.
//!
//! A confirmed value is never overwritten: it gets a last day, and the next value begins after it.
//! Values marked unverified or illustrative may be corrected.

use std::collections::{BTreeMap, HashSet};

use rust_decimal::Decimal;

use super::fields::Fields;
use super::report::{FileProblem, ImportKind, ImportReport, ProblemCode, RowProblems};
use super::sheet::{self, Column, optional, required};
use super::store::{self, ParameterRow};
use super::{Batch, ImportFailure};
use crate::App;
use crate::clock::Day;
use crate::schools::parameters::{ACCOUNTING_REGIME, COUNTRY, Entry, parse_decimal};
use crate::schools::units::{EducationLevel, Ownership};
use crate::store::Tx;
use crate::stored_as_text;

const KEY: usize = 0;
const SCOPE: usize = 1;
const FROM: usize = 2;
const TO: usize = 3;
const VALUE: usize = 4;
const SOURCE: usize = 5;
const STATUS: usize = 6;

static LAYOUT: [Column; 7] = [
    required("Khóa", &["tham so", "key"]),
    required("Phạm vi", &["scope"]),
    required("Từ ngày", &["hieu luc tu"]),
    optional("Đến ngày", &["hieu luc den"]),
    required("Giá trị", &["value"]),
    required("Nguồn", &["can cu", "can cu phap ly"]),
    required("Tình trạng", &["trang thai"]),
];

/// How sure we are of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Confirmed,
    Unverified,
    Illustrative,
}

stored_as_text!(Status {
    Confirmed = "CONFIRMED",
    Unverified = "UNVERIFIED",
    Illustrative = "ILLUSTRATIVE",
});

const STATUSES: [(&str, Status); 3] = [
    ("Đã xác nhận", Status::Confirmed),
    ("Chưa xác minh", Status::Unverified),
    ("Minh họa", Status::Illustrative),
];

/// What a key that this program reads must hold.
enum Shape {
    Amount,
    Share,
    Whole,
    OneOf(&'static [&'static str]),
    Account,
    /// Three capital letters, positions 4–6 of an invoice symbol.
    SymbolLetters,
    Text,
    /// As text, of so many characters at most.
    Short(usize),
    /// Days of the calendar with commas between them.
    Days,
}

fn shape_of(key: &str) -> Option<Shape> {
    Some(match key {
        "base_reference_level" => Shape::Amount,
        "bhyt_rate" | "bhyt_state_support" | "bhyt_province_extra" | "tuition_state_share" => {
            Shape::Share
        }
        "tuition_months_max" => Shape::Whole,
        "vat_method" => Shape::OneOf(&["DEDUCTION", "DIRECT"]),
        "invoice_archive_years" => Shape::Whole,
        "invoice_policy" => Shape::OneOf(&["INVOICE_ALL", "BY_NATURE"]),
        "invoice_format" => Shape::OneOf(&["2.1.0", "2.1.1"]),
        "invoice_coding" => Shape::OneOf(&["C", "K"]),
        "invoice_symbol_letters" => Shape::SymbolLetters,
        "solution_provider_tax_code" => Shape::Text,
        // Entrusted issuing; without the first of them the school issues itself.
        "invoice_trustee_tax_code" | "invoice_trustee_name" | "invoice_trustee_address" => {
            Shape::Text
        }
        // What declarations to the tax authority say of the office that manages a school.
        "tax_office_name" => Shape::Short(100),
        "tax_office_code" => Shape::Short(5),
        "tax_place" => Shape::Short(50),
        "public_holidays" => Shape::Days,
        ACCOUNTING_REGIME => Shape::Text,
        _ if key.starts_with("bhyt_group_billed.") => Shape::Share,
        _ if key.starts_with("account.") => Shape::Account,
        _ => return None,
    })
}

impl Shape {
    /// What the value should have been, when it is not.
    fn mistake(&self, value: &str) -> Option<String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (holds, expected) = match self {
            Self::Amount => (
                digits(value) && value.parse::<i64>().is_ok(),
                "số tiền nguyên đồng".to_owned(),
            ),
            Self::Share => (
                parse_decimal(value)
                    .is_some_and(|share| (Decimal::ZERO..=Decimal::ONE).contains(&share)),
                "một tỷ lệ từ 0 đến 1, ví dụ 0.045".to_owned(),
            ),
            Self::Whole => (
                digits(value) && value.len() <= 3,
                "một số nguyên".to_owned(),
            ),
            Self::OneOf(list) => (
                list.contains(&value),
                format!("một trong {}", list.join(", ")),
            ),
            Self::Account => (
                digits(value) && (3..=8).contains(&value.len()),
                "số hiệu tài khoản 3–8 chữ số".to_owned(),
            ),
            Self::SymbolLetters => (
                value.len() == 3 && value.bytes().all(|b| b.is_ascii_uppercase()),
                "3 chữ in hoa, ví dụ TAA".to_owned(),
            ),
            Self::Text => (true, String::new()),
            Self::Short(limit) => (
                value.chars().count() <= *limit,
                format!("chữ dài không quá {limit} ký tự"),
            ),
            Self::Days => (
                value
                    .split(',')
                    .all(|day| Day::parse_iso(day.trim()).is_some()),
                "các ngày dạng 2027-01-01, cách nhau bằng dấu phẩy".to_owned(),
            ),
        };
        (!holds).then(|| format!("Giá trị phải là {expected}"))
    }
}

#[derive(Clone, Debug)]
struct Row {
    line: u64,
    row: ParameterRow,
}

#[derive(Clone, Debug)]
pub struct Parsed {
    rows: Vec<Row>,
    problems: RowProblems,
    notes: Vec<String>,
    row_count: usize,
}

pub fn parse(bytes: &[u8]) -> Result<Parsed, FileProblem> {
    let sheet = sheet::read(bytes, &LAYOUT, false)?;
    let mut problems = RowProblems::default();
    let mut rows = Vec::new();
    for line in &sheet.lines {
        let mut fields = Fields::new(&sheet, &LAYOUT, line, &mut problems);
        rows.extend(row(&mut fields));
    }
    let mut notes = sheet.notes();
    let mut unknown: Vec<&str> = rows
        .iter()
        .map(|row: &Row| row.row.entry.key.as_str())
        .filter(|key| shape_of(key).is_none())
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        notes.push(format!(
            "Các khóa chương trình không dùng đến: {}",
            unknown.join(", ")
        ));
    }
    Ok(Parsed {
        rows,
        problems,
        notes,
        row_count: sheet.lines.len(),
    })
}

fn row(fields: &mut Fields<'_>) -> Option<Row> {
    let key = fields.required_code(KEY, 60);
    let scope = fields.required_text(SCOPE, 60);
    let interval = fields.interval(FROM, TO);
    let value = fields.required_text(VALUE, 200);
    let source = fields.required_text(SOURCE, 300);
    let status = fields.required_one_of(STATUS, &STATUSES);
    if let (Some(key), Some(value)) = (&key, &value)
        && let Some(shape) = shape_of(key)
        && let Some(mistake) = shape.mistake(value)
    {
        fields.refuse(VALUE, ProblemCode::OutOfRange, mistake);
    }
    let (valid_from, valid_to) = interval?;
    let entry = Entry {
        key: key?,
        scope: scope?,
        valid_from,
        valid_to,
        value: value?,
        source: source?,
    };
    let row = ParameterRow {
        entry,
        status: status?,
    };
    (!fields.failed).then(|| Row {
        line: fields.line(),
        row,
    })
}

pub async fn write(app: &App, batch: Batch, parsed: Parsed) -> Result<ImportReport, ImportFailure> {
    app.db
        .write("schools.import.parameters", async move |tx: &mut Tx| {
            if !store::begin(tx, &batch, parsed.row_count).await? {
                return Ok(ImportReport::already(
                    batch.kind,
                    &batch.file_name,
                    parsed.row_count,
                ));
            }
            let units = store::units(tx).await?;
            let codes: HashSet<&str> = units.iter().map(|unit| unit.code.as_str()).collect();
            let stored = store::parameters(tx).await?;
            let plan = plan(&parsed, &codes, &stored);
            plan.problems.into_result(&batch.file_name)?;
            store::write_parameters(tx, &plan.rows).await?;
            let mut report =
                ImportReport::new(ImportKind::Parameters, &batch.file_name, parsed.row_count);
            report.notes.clone_from(&parsed.notes);
            report.added = plan.added;
            report.updated = plan.updated;
            report.unchanged = plan.unchanged;
            Ok(report)
        })
        .await
}

struct Plan {
    problems: RowProblems,
    rows: Vec<ParameterRow>,
    added: u64,
    updated: u64,
    unchanged: u64,
}

type Timeline<'a> = BTreeMap<Day, (&'a ParameterRow, Option<u64>)>;

fn plan(parsed: &Parsed, codes: &HashSet<&str>, stored: &[ParameterRow]) -> Plan {
    let mut plan = Plan {
        problems: parsed.problems.clone(),
        rows: Vec::new(),
        added: 0,
        updated: 0,
        unchanged: 0,
    };
    // By key and scope: what would hold from which day, with the line it comes from.
    let mut lines: BTreeMap<(&str, &str), Timeline<'_>> = BTreeMap::new();
    for row in stored {
        let place = (row.entry.key.as_str(), row.entry.scope.as_str());
        lines
            .entry(place)
            .or_default()
            .insert(row.entry.valid_from, (row, None));
    }
    for Row { line, row } in &parsed.rows {
        let entry = &row.entry;
        if !is_scope(&entry.scope, codes) {
            plan.problems.add(
                *line,
                LAYOUT[SCOPE].title,
                &entry.scope,
                ProblemCode::UnknownScope,
                "Phạm vi phải là VN, mã đơn vị đã có, PUBLIC, PRIVATE, PUBLIC/PRIMARY… hoặc regime:…",
            );
        }
        let timeline = lines.entry((&entry.key, &entry.scope)).or_default();
        let Some((before, from_line)) = timeline.insert(entry.valid_from, (row, Some(*line)))
        else {
            plan.added += 1;
            plan.rows.push(row.clone());
            continue;
        };
        if let Some(first) = from_line {
            plan.problems.add(
                *line,
                LAYOUT[KEY].title,
                &entry.key,
                ProblemCode::Duplicate,
                format!("Trùng khóa, phạm vi và ngày với dòng {first}"),
            );
        } else if before == row {
            plan.unchanged += 1;
        } else if before.status == Status::Confirmed && before.entry.value != entry.value {
            plan.problems.add(
                *line,
                LAYOUT[VALUE].title,
                &entry.value,
                ProblemCode::Confirmed,
                format!(
                    "Giá trị {} đã được xác nhận; ghi Đến ngày cho giá trị ấy và thêm dòng mới",
                    before.entry.value
                ),
            );
        } else {
            plan.updated += 1;
            plan.rows.push(row.clone());
        }
    }
    for timeline in lines.values() {
        check_overlaps(timeline, &mut plan.problems);
    }
    plan
}

fn check_overlaps(timeline: &Timeline<'_>, problems: &mut RowProblems) {
    let dated: Vec<_> = timeline.values().collect();
    for pair in dated.windows(2) {
        let ((earlier, earlier_line), (later, later_line)) = (pair[0], pair[1]);
        let free = earlier
            .entry
            .valid_to
            .is_some_and(|end| end <= later.entry.valid_from);
        // Two stored rows were checked when they came.
        let Some(line) = later_line.or(*earlier_line) else {
            continue;
        };
        if !free {
            problems.add(
                line,
                LAYOUT[FROM].title,
                &later.entry.valid_from.shown(),
                ProblemCode::Overlap,
                format!(
                    "Trùng thời gian với giá trị {} có từ {}; ghi Đến ngày cho giá trị trước",
                    earlier.entry.value,
                    earlier.entry.valid_from.shown()
                ),
            );
        }
    }
}

fn is_scope(scope: &str, codes: &HashSet<&str>) -> bool {
    if scope == COUNTRY || codes.contains(scope) || Ownership::parse(scope).is_some() {
        return true;
    }
    if let Some(regime) = scope.strip_prefix("regime:") {
        return !regime.is_empty() && regime.bytes().all(|b| b.is_ascii_alphanumeric());
    }
    scope.split_once('/').is_some_and(|(ownership, level)| {
        Ownership::parse(ownership).is_some() && EducationLevel::parse(level).is_some()
    })
}
