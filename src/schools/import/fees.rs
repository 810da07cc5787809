//! The file of a school's fee items and their prices.
//!
//! Several rows of one code are one item with several prices, by date and grade. For each grade the
//! stored prices are closed where the file begins, and the file is appended: prices before that
//! day stay what they were.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::report::{FileProblem, ImportKind, ImportReport, ProblemCode, RowProblems};
use super::sheet::{self, Column, optional, required};
use super::store::{self, ItemRow, PriceRow};
use super::{Batch, ImportFailure};
use crate::App;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::schools::parameters::parse_decimal;
use crate::schools::text::fold;
use crate::schools::tree::earlier;
use crate::store::Tx;

const CODE: usize = 0;
const NAME: usize = 1;
const CLASS: usize = 2;
const CALCULATION: usize = 3;
const UNIT: usize = 4;
const DOCUMENT: usize = 5;
const VAT: usize = 6;
const OPT_IN: usize = 7;
const GRADE: usize = 8;
const PRICE: usize = 9;
const FROM: usize = 10;
const TO: usize = 11;
const BASIS: usize = 12;

static LAYOUT: [Column; 13] = [
    required("Mã khoản", &["ma khoan thu"]),
    required("Tên khoản", &["ten khoan thu"]),
    required("Loại", &["loai khoan"]),
    required("Cách tính", &[]),
    optional("Đơn vị tính", &["dvt"]),
    required("Chứng từ", &[]),
    required("Thuế suất", &["thue suat gtgt"]),
    required("Đối tượng", &[]),
    optional("Khối", &["khoi lop"]),
    required("Đơn giá", &["muc thu"]),
    required("Từ ngày", &["hieu luc tu"]),
    optional("Đến ngày", &["hieu luc den"]),
    optional("Căn cứ pháp lý", &["can cu"]),
];

const CLASSES: [(&str, &str); 4] = [
    ("Học phí", "TUITION"),
    ("Dịch vụ", "SERVICE"),
    ("Thu hộ", "ON_BEHALF"),
    ("Tự nguyện", "VOLUNTARY"),
];
const CALCULATIONS: [(&str, &str); 5] = [
    ("Theo tháng", "PER_MONTH"),
    ("Theo ngày", "PER_DAY"),
    ("Theo số lượng", "PER_PIECE"),
    ("Một lần", "ONCE"),
    ("BHYT", HEALTH_INSURANCE),
];
const DOCUMENTS: [(&str, &str); 3] = [
    ("Hóa đơn", "INVOICE"),
    ("Biên nhận", "RECEIPT"),
    ("Không", "NONE"),
];
const OPT_INS: [(&str, &str); 2] = [("Tất cả", "ALL"), ("Theo chọn", "CHOSEN")];
const HEALTH_INSURANCE: &str = "HEALTH_INSURANCE";
/// Spellings of TSuat an invoice takes (einvoice §5).
const VAT_RATES: [&str; 6] = ["KCT", "KKKNT", "0%", "5%", "8%", "10%"];
/// A price for every grade.
const EVERY_GRADE: i64 = -1;
const PRICE_MAX: i64 = 1_000_000_000;

#[derive(Clone, Debug)]
struct FeeRow {
    line: u64,
    item: ItemRow,
    prices: Vec<PriceRow>,
}

#[derive(Clone, Debug)]
pub struct Parsed {
    fees: Vec<FeeRow>,
    problems: RowProblems,
    notes: Vec<String>,
    rows: usize,
}

pub fn parse(bytes: &[u8], grades: &std::ops::RangeInclusive<i64>) -> Result<Parsed, FileProblem> {
    let sheet = sheet::read(bytes, &LAYOUT, false)?;
    let mut problems = RowProblems::default();
    let mut fees = Vec::new();
    for line in &sheet.lines {
        let mut fields = Fields::new(&sheet, &LAYOUT, line, &mut problems);
        fees.extend(fee(&mut fields, grades));
    }
    Ok(Parsed {
        fees,
        problems,
        notes: sheet.notes(),
        rows: sheet.lines.len(),
    })
}

fn fee(fields: &mut Fields<'_>, grades: &std::ops::RangeInclusive<i64>) -> Option<FeeRow> {
    let code = fields
        .required_code(CODE, 20)
        .map(|code| code.to_uppercase());
    let name = fields.required_text(NAME, 150);
    let collection_class = fields.required_one_of(CLASS, &CLASSES);
    let calculation = fields.required_one_of(CALCULATION, &CALCULATIONS);
    let unit_name = fields.text(UNIT, 30);
    let document_rule = fields.required_one_of(DOCUMENT, &DOCUMENTS);
    let vat_rate = vat_rate(fields);
    let opt_in = fields.required_one_of(OPT_IN, &OPT_INS);
    let legal_basis = fields.text(BASIS, 500).unwrap_or_default();
    let priced_by_law = calculation == Some(HEALTH_INSURANCE);
    let prices = if priced_by_law {
        if !fields.is_blank(PRICE) {
            fields.refuse(
                PRICE,
                ProblemCode::NotAllowed,
                "Khoản BHYT không ghi đơn giá: mức đóng tính theo tham số từng ngày",
            );
        }
        Vec::new()
    } else {
        prices(fields, grades, &legal_basis)
    };
    let item = ItemRow {
        item_id: String::new(),
        code: code?,
        name: name?,
        collection_class: collection_class?.to_owned(),
        calculation: calculation?.to_owned(),
        unit_name: unit_name.unwrap_or_else(|| unit_by_calculation(calculation).to_owned()),
        document_rule: document_rule?.to_owned(),
        vat_rate: vat_rate?,
        opt_in: opt_in?.to_owned(),
        legal_basis,
    };
    (!fields.failed).then(|| FeeRow {
        line: fields.line(),
        item,
        prices,
    })
}

fn unit_by_calculation(calculation: Option<&str>) -> &'static str {
    match calculation {
        Some("PER_MONTH" | HEALTH_INSURANCE) => "tháng",
        Some("PER_DAY") => "ngày",
        Some("PER_PIECE") => "cái",
        _ => "lần",
    }
}

/// A percent cell of a spreadsheet holds 0.08.
fn vat_rate(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.required_text(VAT, 20)?;
    let spelled = match fold(&text).as_str() {
        "kct" | "khong chiu thue" => "KCT".to_owned(),
        "kkknt" => "KKKNT".to_owned(),
        _ => {
            let number = text.trim_end_matches('%').trim().replace(',', ".");
            match parse_decimal(&number) {
                Some(rate) if text.ends_with('%') => format!("{}%", rate.normalize()),
                Some(rate) => format!(
                    "{}%",
                    (rate * rust_decimal::Decimal::ONE_HUNDRED).normalize()
                ),
                None => text,
            }
        }
    };
    if VAT_RATES.contains(&spelled.as_str()) {
        return Some(spelled);
    }
    fields.refuse(
        VAT,
        ProblemCode::NotInList,
        format!("Cần một trong: {}", VAT_RATES.join(", ")),
    );
    None
}

fn prices(
    fields: &mut Fields<'_>,
    school_grades: &std::ops::RangeInclusive<i64>,
    source: &str,
) -> Vec<PriceRow> {
    let amount = fields.amount(PRICE);
    if fields.is_blank(PRICE) {
        fields.refuse(
            PRICE,
            ProblemCode::Required,
            "Ghi đơn giá (đồng, số nguyên)",
        );
    }
    if amount.is_some_and(|amount| amount > PRICE_MAX) {
        fields.refuse(PRICE, ProblemCode::OutOfRange, "Đơn giá quá lớn");
    }
    let interval = fields.interval(FROM, TO);
    let grades = grades(fields, school_grades);
    let (Some(amount), Some((valid_from, valid_to)), Some(grades)) = (amount, interval, grades)
    else {
        return Vec::new();
    };
    grades
        .into_iter()
        .map(|grade| PriceRow {
            grade,
            valid_from,
            valid_to,
            amount,
            source: source.to_owned(),
        })
        .collect()
}

/// Blank for every grade, or `6`, `6,7`, `6-9`, `Khối 6`.
fn grades(
    fields: &mut Fields<'_>,
    school_grades: &std::ops::RangeInclusive<i64>,
) -> Option<Vec<i64>> {
    if fields.is_blank(GRADE) {
        return Some(vec![EVERY_GRADE]);
    }
    let text = fields.text(GRADE, 40)?;
    let mut grades = Vec::new();
    for part in text.split([',', ';']).map(str::trim) {
        let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
        let first = super::fields::parse_grade(first.trim());
        let last = super::fields::parse_grade(last.trim());
        match (first, last) {
            (Some(first), Some(last))
                if first <= last
                    && school_grades.contains(&first)
                    && school_grades.contains(&last) =>
            {
                grades.extend(first..=last);
            }
            _ => {
                fields.refuse(
                    GRADE,
                    ProblemCode::UnknownGrade,
                    format!(
                        "Trường có khối {}–{}; ghi 6 hoặc 6,7 hoặc 6-9, để trống là mọi khối",
                        school_grades.start(),
                        school_grades.end()
                    ),
                );
                return None;
            }
        }
    }
    grades.sort_unstable();
    grades.dedup();
    Some(grades)
}

pub async fn write(
    app: &App,
    batch: Batch,
    school_id: SchoolId,
    parsed: Parsed,
) -> Result<ImportReport, ImportFailure> {
    let ids = app.ids.clone();
    app.db
        .write("schools.import.fees", async move |tx: &mut Tx| {
            if !store::begin(tx, &batch, parsed.rows).await? {
                return Ok(ImportReport::already(
                    batch.kind,
                    &batch.file_name,
                    parsed.rows,
                ));
            }
            let school = school_id.as_str();
            let items = store::items(tx, school).await?;
            let prices = store::prices(tx, school).await?;
            let plan = plan(&parsed, &items, prices, || ids.next(batch.at));
            plan.problems.into_result(&batch.file_name)?;
            store::write_items(tx, school, &plan.items).await?;
            store::replace_prices(tx, school, &plan.prices_of, &plan.prices).await?;
            let mut report = ImportReport::new(ImportKind::Fees, &batch.file_name, parsed.rows);
            report.notes.clone_from(&parsed.notes);
            report.added = plan.added;
            report.updated = plan.updated;
            report.unchanged = plan.unchanged;
            Ok(report)
        })
        .await
}

#[derive(Default)]
struct Plan {
    problems: RowProblems,
    items: Vec<ItemRow>,
    /// Items whose prices are written anew.
    prices_of: Vec<String>,
    prices: Vec<(String, PriceRow)>,
    added: u64,
    updated: u64,
    unchanged: u64,
}

fn plan(
    parsed: &Parsed,
    items: &[ItemRow],
    prices: Vec<(String, PriceRow)>,
    mut next_id: impl FnMut() -> String,
) -> Plan {
    let mut plan = Plan {
        problems: parsed.problems.clone(),
        ..Plan::default()
    };
    let mut old_prices: BTreeMap<String, Vec<PriceRow>> = BTreeMap::new();
    for (item, price) in prices {
        old_prices.entry(item).or_default().push(price);
    }
    let mut by_code: BTreeMap<&str, Vec<&FeeRow>> = BTreeMap::new();
    for row in &parsed.fees {
        by_code.entry(&row.item.code).or_default().push(row);
    }
    for rows in by_code.into_values() {
        let first = rows[0];
        check_same(&rows, &mut plan.problems);
        let before = items.iter().find(|item| item.code == first.item.code);
        let item = ItemRow {
            item_id: before.map_or_else(&mut next_id, |item| item.item_id.clone()),
            ..first.item.clone()
        };
        let old = old_prices.remove(&item.item_id).unwrap_or_default();
        let new = merged(&rows, &old, &mut plan.problems);
        match before {
            None => plan.added += 1,
            Some(before) if *before == item && old == new => plan.unchanged += 1,
            Some(_) => plan.updated += 1,
        }
        if old != new {
            plan.prices_of.push(item.item_id.clone());
            let id = &item.item_id;
            plan.prices
                .extend(new.into_iter().map(|price| (id.clone(), price)));
        }
        if before != Some(&item) {
            plan.items.push(item);
        }
    }
    plan
}

/// Rows of one code describe one item; only price, grade, days and legal basis may differ.
fn check_same(rows: &[&FeeRow], problems: &mut RowProblems) {
    let first = rows[0];
    for row in &rows[1..] {
        let pairs = [
            (NAME, &first.item.name, &row.item.name),
            (
                CLASS,
                &first.item.collection_class,
                &row.item.collection_class,
            ),
            (CALCULATION, &first.item.calculation, &row.item.calculation),
            (UNIT, &first.item.unit_name, &row.item.unit_name),
            (DOCUMENT, &first.item.document_rule, &row.item.document_rule),
            (VAT, &first.item.vat_rate, &row.item.vat_rate),
            (OPT_IN, &first.item.opt_in, &row.item.opt_in),
        ];
        for (column, said, says) in pairs {
            if said != says {
                problems.add(
                    row.line,
                    LAYOUT[column].title,
                    says,
                    ProblemCode::Differs,
                    format!("Khác với dòng {} của cùng mã khoản", first.line),
                );
            }
        }
    }
}

/// Stored prices closed where the file begins for their grade, then those of the file; by grade
/// and day.
fn merged(rows: &[&FeeRow], old: &[PriceRow], problems: &mut RowProblems) -> Vec<PriceRow> {
    let mut file: BTreeMap<(i64, Day), (&PriceRow, u64)> = BTreeMap::new();
    for row in rows {
        for price in &row.prices {
            if let Some((_, line)) = file.insert((price.grade, price.valid_from), (price, row.line))
            {
                problems.add(
                    row.line,
                    LAYOUT[FROM].title,
                    &price.valid_from.shown(),
                    ProblemCode::Duplicate,
                    format!("Trùng khối và ngày với dòng {line}"),
                );
            }
        }
    }
    let dated: Vec<_> = file.values().collect();
    for pair in dated.windows(2) {
        let ((before, line), (after, after_line)) = (pair[0], pair[1]);
        let overlap =
            before.grade == after.grade && before.valid_to.is_none_or(|end| end > after.valid_from);
        if overlap {
            problems.add(
                *after_line,
                LAYOUT[FROM].title,
                &after.valid_from.shown(),
                ProblemCode::Overlap,
                format!("Trùng thời gian với dòng {line}; ghi Đến ngày cho giá trước"),
            );
        }
    }
    let begin = |grade: i64| {
        file.range((grade, Day::from_date(time::Date::MIN))..)
            .next()
            .filter(|((at, _), _)| *at == grade)
            .map(|((_, from), _)| *from)
    };
    let mut prices: Vec<PriceRow> = Vec::new();
    for price in old {
        match begin(price.grade) {
            Some(from) if price.valid_from >= from => {}
            from => prices.push(PriceRow {
                valid_to: earlier(price.valid_to, from),
                ..price.clone()
            }),
        }
    }
    prices.extend(file.values().map(|(price, _)| (*price).clone()));
    prices.sort_by_key(|price| (price.grade, price.valid_from));
    prices
}
