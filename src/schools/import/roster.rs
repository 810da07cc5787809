//! The roster of a school from a day on.

mod plan;

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::fields::{self, Fields, leading_grade};
use super::report::{FileProblem, ImportKind, ImportReport, ProblemCode, RowProblems};
use super::sheet::{self, Column, Sheet, optional, required};
use super::store;
use super::{Batch, ImportFailure};
use crate::App;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::schools::text::fold;
use crate::store::Tx;
use crate::stored_as_text;

const CODE: usize = 0;
const NAME: usize = 1;
const BORN: usize = 2;
const GENDER: usize = 3;
const GRADE: usize = 4;
const CLASS: usize = 5;
const GUARDIAN: usize = 6;
const RELATION: usize = 7;
const PHONE: usize = 8;
const EMAIL: usize = 9;
const ADDRESS: usize = 10;
const GROUP: usize = 11;
const MONTHS: usize = 12;

static LAYOUT: [Column; 13] = [
    required(
        "Mã học sinh",
        &["ma hs", "ma dinh danh", "ma dinh danh hoc sinh"],
    ),
    required(
        "Họ và tên",
        &["ho ten", "ten hoc sinh", "ho va ten hoc sinh"],
    ),
    optional("Ngày sinh", &["ngay thang nam sinh"]),
    optional("Giới tính", &[]),
    optional("Khối", &["khoi lop"]),
    required("Lớp", &["ten lop"]),
    optional(
        "Họ tên phụ huynh",
        &["phu huynh", "ho va ten phu huynh", "nguoi giam ho"],
    ),
    optional("Quan hệ", &["quan he voi hoc sinh"]),
    optional(
        "Điện thoại",
        &["so dien thoai", "sdt", "dien thoai phu huynh"],
    ),
    optional("Email", &["e mail", "thu dien tu"]),
    optional("Địa chỉ", &[]),
    optional("Nhóm BHYT", &["doi tuong bhyt", "ma nhom bhyt"]),
    optional("Số tháng BHYT", &["so thang"]),
];

/// Oldest plausible pupil, of continuing education.
const PUPIL_AGE_MAX: i32 = 90;
/// What a family pays for when the roster says nothing (school-fees §3.2).
const GROUP_ABSENT: &str = "HS";
const MONTHS_ABSENT: i64 = 12;
const MONTHS_MAX: i64 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gender {
    Female,
    Male,
}

stored_as_text!(Gender {
    Female = "F",
    Male = "M",
});

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kinship {
    Father,
    Mother,
    Other,
}

stored_as_text!(Kinship {
    Father = "FATHER",
    Mother = "MOTHER",
    Other = "OTHER",
});

const GENDERS: [(&str, Gender); 2] = [("Nam", Gender::Male), ("Nữ", Gender::Female)];
const KINSHIPS: [(&str, Kinship); 8] = [
    ("Cha", Kinship::Father),
    ("Mẹ", Kinship::Mother),
    ("Khác", Kinship::Other),
    ("Bố", Kinship::Father),
    ("Ông", Kinship::Other),
    ("Bà", Kinship::Other),
    ("Người giám hộ", Kinship::Other),
    ("Anh/chị", Kinship::Other),
];

/// Where and from when the roster holds.
#[derive(Clone, Debug)]
pub struct Place {
    pub school_id: SchoolId,
    pub school_year: String,
    pub valid_from: Day,
}

/// A pupil as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pupil {
    line: u64,
    code: String,
    full_name: String,
    search_name: String,
    born_on: Option<Day>,
    gender: Option<Gender>,
    grade: i64,
    class: String,
    guardian: Option<Guardian>,
    insurance_group: String,
    insurance_months: i64,
    /// In the order of [`Parsed::choices`]; `None`: not chosen.
    quantities: Vec<Option<Decimal>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Guardian {
    full_name: String,
    relation: Kinship,
    phone: Option<String>,
    email: Option<String>,
    address: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Parsed {
    pupils: Vec<Pupil>,
    /// Fee codes of the choice columns.
    choices: Vec<String>,
    header_line: u64,
    problems: RowProblems,
    notes: Vec<String>,
    rows: usize,
}

/// Reads the roster of a school with these grades; nobody is born after `today`.
pub fn parse(
    bytes: &[u8],
    grades: &std::ops::RangeInclusive<i64>,
    today: Day,
) -> Result<Parsed, FileProblem> {
    let sheet = sheet::read(bytes, &LAYOUT, true)?;
    let mut problems = RowProblems::default();
    let mut pupils: Vec<Pupil> = Vec::with_capacity(sheet.lines.len());
    let mut seen: HashMap<String, u64> = HashMap::with_capacity(sheet.lines.len());
    let mut classes: HashMap<String, (i64, u64)> = HashMap::new();
    for line in &sheet.lines {
        let quantities = quantities(&sheet, line, &mut problems);
        let mut fields = Fields::new(&sheet, &LAYOUT, line, &mut problems);
        let code = fields.required_code(CODE, 20);
        if let Some(code) = &code {
            match seen.entry(code.to_uppercase()) {
                std::collections::hash_map::Entry::Occupied(first) => fields.refuse(
                    CODE,
                    ProblemCode::Duplicate,
                    format!("Mã học sinh trùng với dòng {}", first.get()),
                ),
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(line.number);
                }
            }
        }
        let class = class(&mut fields, grades, &mut classes);
        let pupil = pupil(&mut fields, code, class, today);
        if let (Some(pupil), Some(quantities)) = (pupil, quantities) {
            pupils.push(Pupil {
                quantities,
                ..pupil
            });
        }
    }
    Ok(Parsed {
        pupils,
        choices: sheet.choices.iter().map(|(code, _)| code.clone()).collect(),
        header_line: sheet.header_line,
        problems,
        notes: sheet.notes(),
        rows: sheet.lines.len(),
    })
}

fn quantities(
    sheet: &Sheet,
    line: &sheet::Line,
    problems: &mut RowProblems,
) -> Option<Vec<Option<Decimal>>> {
    let mut all_good = true;
    let mut found = Vec::with_capacity(sheet.choices.len());
    for (_, place) in &sheet.choices {
        let cell = sheet.cell_at(line, *place);
        match fields::quantity(cell) {
            Ok(quantity) => found.push(quantity),
            Err((code, message)) => {
                all_good = false;
                let title = sheet.title_at(*place);
                problems.add(line.number, title, &cell.shown(), code, message);
            }
        }
    }
    all_good.then_some(found)
}

/// The class and its grade, which must fit the school and the other pupils of the class.
fn class(
    fields: &mut Fields<'_>,
    grades: &std::ops::RangeInclusive<i64>,
    classes: &mut HashMap<String, (i64, u64)>,
) -> Option<(String, i64)> {
    let class = fields.required_text(CLASS, 30);
    let written = fields.grade(GRADE);
    let class = class?;
    let by_name = leading_grade(&class);
    let grade = match (written, by_name) {
        (Some(grade), Some(by_name)) if grade != by_name => {
            fields.refuse(
                GRADE,
                ProblemCode::ClassGrade,
                format!("Khối không khớp với tên lớp {class}"),
            );
            return None;
        }
        (Some(grade), _) => grade,
        (None, Some(by_name)) if fields.is_blank(GRADE) => by_name,
        (None, _) if *grades == (0..=0) && fields.is_blank(GRADE) => 0,
        (None, _) => {
            if fields.is_blank(GRADE) {
                fields.refuse(GRADE, ProblemCode::Required, "Ghi khối của lớp");
            }
            return None;
        }
    };
    if !grades.contains(&grade) {
        fields.refuse(
            GRADE,
            ProblemCode::UnknownGrade,
            format!(
                "Trường không có khối {grade} (khối {}–{})",
                grades.start(),
                grades.end()
            ),
        );
        return None;
    }
    let (known, line) = *classes
        .entry(class.to_uppercase())
        .or_insert((grade, fields.line()));
    if known != grade {
        fields.refuse(
            GRADE,
            ProblemCode::ClassGrade,
            format!("Lớp {class} đã ghi khối {known} ở dòng {line}"),
        );
        return None;
    }
    Some((class, grade))
}

fn pupil(
    fields: &mut Fields<'_>,
    code: Option<String>,
    class: Option<(String, i64)>,
    today: Day,
) -> Option<Pupil> {
    let full_name = fields.required_text(NAME, 100);
    let born_on = fields.day(BORN);
    match born_on {
        Some(born) if born > today => {
            fields.refuse(BORN, ProblemCode::FutureDay, "Ngày sinh ở tương lai");
        }
        Some(born) if born.year() < today.year() - PUPIL_AGE_MAX => {
            fields.refuse(BORN, ProblemCode::Implausible, "Ngày sinh quá xa");
        }
        _ => {}
    }
    let gender = fields.one_of(GENDER, &GENDERS);
    let guardian = guardian(fields);
    let insurance_group = match fields.code(GROUP, 10) {
        Some(group) => group.to_uppercase(),
        None => GROUP_ABSENT.to_owned(),
    };
    let insurance_months = fields.whole(MONTHS).unwrap_or(MONTHS_ABSENT);
    if insurance_months > MONTHS_MAX {
        fields.refuse(
            MONTHS,
            ProblemCode::OutOfRange,
            format!("Số tháng từ 0 đến {MONTHS_MAX}"),
        );
    }
    let (class, grade) = class?;
    let (code, full_name) = (code?, full_name?);
    (!fields.failed).then(|| Pupil {
        line: fields.line(),
        code,
        search_name: fold(&full_name),
        full_name,
        born_on,
        gender,
        grade,
        class,
        guardian,
        insurance_group,
        insurance_months,
        quantities: Vec::new(),
    })
}

fn guardian(fields: &mut Fields<'_>) -> Option<Guardian> {
    let full_name = fields.text(GUARDIAN, 100);
    let relation = fields.one_of(RELATION, &KINSHIPS);
    let phone = fields.phone(PHONE);
    let email = fields.email(EMAIL);
    let address = fields.text(ADDRESS, 300);
    if fields.is_blank(GUARDIAN) && (phone.is_some() || email.is_some()) {
        fields.refuse(
            GUARDIAN,
            ProblemCode::Required,
            "Có điện thoại hoặc e-mail thì phải có tên phụ huynh",
        );
    }
    Some(Guardian {
        full_name: full_name?,
        relation: relation.unwrap_or(Kinship::Other),
        phone,
        email,
        address,
    })
}

pub async fn write(
    app: &App,
    batch: Batch,
    place: Place,
    parsed: Parsed,
) -> Result<ImportReport, ImportFailure> {
    let ids = app.ids.clone();
    app.db
        .write("schools.import.roster", async move |tx: &mut Tx| {
            if !store::begin(tx, &batch, parsed.rows).await? {
                return Ok(ImportReport::already(
                    batch.kind,
                    &batch.file_name,
                    parsed.rows,
                ));
            }
            let school = place.school_id.as_str();
            let stored = plan::Stored {
                pupils: store::pupils(tx, school).await?,
                classes: store::classes(tx, school, &place.school_year).await?,
                enrolments: store::enrolments(tx, school, place.valid_from).await?,
                guardians: store::guardians(tx, school).await?,
                items: store::fee_codes(tx, school).await?,
                choices: store::choices(tx, school, place.valid_from).await?,
            };
            let plan = plan::plan(&parsed, &place, &stored, || ids.next(batch.at));
            plan.problems.into_result(&batch.file_name)?;
            store::write_classes(tx, school, &place.school_year, &plan.classes).await?;
            store::write_pupils(tx, school, &plan.pupils).await?;
            store::end_enrolments(tx, school, place.valid_from, &plan.left_classes).await?;
            store::write_enrolments(tx, school, place.valid_from, &plan.enrolments).await?;
            store::write_guardians(tx, school, &plan.guardians).await?;
            store::end_choices(tx, school, place.valid_from, &plan.ended_choices).await?;
            store::write_choices(tx, school, place.valid_from, &plan.choices).await?;
            let mut report = ImportReport::new(ImportKind::Roster, &batch.file_name, parsed.rows);
            report.notes.clone_from(&parsed.notes);
            report.added = plan.added;
            report.updated = plan.updated;
            report.unchanged = plan.unchanged;
            report.moved = plan.moved;
            report.missing = plan.missing;
            Ok(report)
        })
        .await
}
