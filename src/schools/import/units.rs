//! The file of departments, offices and schools.
//!
//! Several rows of one code are successive periods of one unit: a school managed by a district
//! until 30/06/2025 and by a commune from 01/07/2025 has two. A later file may hold the new
//! periods alone: what is stored is closed where the file begins, and the file is appended.

mod plan;

use rust_decimal::Decimal;

use super::fields::Fields;
use super::report::{FileProblem, ImportKind, ImportReport, ProblemCode, RowProblems};
use super::sheet::{self, Column, optional, required};
use super::store::{self, SchoolRow};
use super::{Batch, ImportFailure};
use crate::App;
use crate::clock::Day;
use crate::schools::parameters::parse_decimal;
use crate::schools::units::{EducationLevel, Ownership, UnitKind};
use crate::store::Tx;

const CODE: usize = 0;
const NAME: usize = 1;
const KIND: usize = 2;
const FROM: usize = 3;
const TO: usize = 4;
const MANAGER: usize = 5;
const PLACE: usize = 6;
const PREDECESSORS: usize = 7;
const LEVEL: usize = 8;
const OWNERSHIP: usize = 9;
const TAX_CODE: usize = 10;
const BUDGET_CODE: usize = 11;
const ADDRESS: usize = 12;
const PHONE: usize = 13;
const BANK: usize = 14;
const ACCOUNT: usize = 15;
const ACCOUNT_NAME: usize = 16;

static LAYOUT: [Column; 17] = [
    required("Mã", &["ma don vi", "ma truong"]),
    required("Tên", &["ten don vi", "ten truong"]),
    required("Loại", &["loai don vi"]),
    required("Hiệu lực từ", &["tu ngay"]),
    optional("Hiệu lực đến", &["den ngay"]),
    required("Đơn vị quản lý", &["ma don vi quan ly", "truc thuoc"]),
    optional("Đặt tại", &["dia ban"]),
    optional("Kế thừa từ", &[]),
    optional("Cấp học", &[]),
    optional("Loại hình", &[]),
    optional("Mã số thuế", &["mst"]),
    optional("Mã ĐVQHNS", &["ma don vi quan he ngan sach"]),
    optional("Địa chỉ", &[]),
    optional("Điện thoại", &["so dien thoai"]),
    optional("BIN ngân hàng", &["bin", "ma ngan hang"]),
    optional("Số tài khoản", &["stk"]),
    optional("Tên tài khoản", &["chu tai khoan"]),
];

const KINDS: [(&str, UnitKind); 9] = [
    ("Sở", UnitKind::Department),
    ("Phòng", UnitKind::DistrictOffice),
    ("Xã", UnitKind::CommuneOffice),
    ("Trường", UnitKind::School),
    ("Phường", UnitKind::CommuneOffice),
    ("Sở GDĐT", UnitKind::Department),
    ("Phòng GDĐT", UnitKind::DistrictOffice),
    ("UBND xã", UnitKind::CommuneOffice),
    ("Trung tâm", UnitKind::School),
];
const LEVELS: [(&str, EducationLevel); 8] = [
    ("Mầm non", EducationLevel::Preschool),
    ("Tiểu học", EducationLevel::Primary),
    ("THCS", EducationLevel::LowerSecondary),
    ("THPT", EducationLevel::UpperSecondary),
    ("GDTX", EducationLevel::Continuing),
    ("Trung học cơ sở", EducationLevel::LowerSecondary),
    ("Trung học phổ thông", EducationLevel::UpperSecondary),
    ("GDNN-GDTX", EducationLevel::Continuing),
];
const OWNERSHIPS: [(&str, Ownership); 3] = [
    ("Công lập", Ownership::Public),
    ("Tư thục", Ownership::Private),
    ("Ngoài công lập", Ownership::Private),
];

/// One row: a unit during a period.
#[derive(Clone, Debug)]
struct Period {
    line: u64,
    code: String,
    name: String,
    kind: UnitKind,
    from: Day,
    to: Option<Day>,
    manager: Option<String>,
    place: Option<String>,
    predecessors: Vec<(String, Decimal)>,
    school: Option<SchoolRow>,
}

#[derive(Clone, Debug)]
pub struct Parsed {
    periods: Vec<Period>,
    problems: RowProblems,
    notes: Vec<String>,
    rows: usize,
}

pub fn parse(bytes: &[u8]) -> Result<Parsed, FileProblem> {
    let sheet = sheet::read(bytes, &LAYOUT, false)?;
    let mut problems = RowProblems::default();
    let mut periods = Vec::new();
    for line in &sheet.lines {
        let mut fields = Fields::new(&sheet, &LAYOUT, line, &mut problems);
        periods.extend(period(&mut fields));
    }
    Ok(Parsed {
        periods,
        problems,
        notes: sheet.notes(),
        rows: sheet.lines.len(),
    })
}

fn period(fields: &mut Fields<'_>) -> Option<Period> {
    let code = fields.required_code(CODE, 30);
    let name = fields.required_text(NAME, 200);
    let kind = fields.required_one_of(KIND, &KINDS);
    let interval = fields.interval(FROM, TO);
    let manager = fields.code(MANAGER, 30);
    let place = fields.code(PLACE, 30);
    let predecessors = predecessors(fields);
    let school = match kind {
        Some(UnitKind::School) => school(fields),
        _ => None,
    };
    if matches!(kind, Some(UnitKind::School)) && fields.is_blank(MANAGER) {
        fields.refuse(
            MANAGER,
            ProblemCode::Required,
            "Trường phải có đơn vị quản lý",
        );
    }
    let (code, name, kind, (from, to)) = (code?, name?, kind?, interval?);
    if code.contains('/') || code.to_uppercase() == "VN" {
        // Such codes would be read as scopes of parameters: PUBLIC/PRIMARY, VN.
        fields.refuse(
            CODE,
            ProblemCode::NotACode,
            "Mã đơn vị không được chứa / hoặc là VN",
        );
    }
    (!fields.failed).then(|| Period {
        line: fields.line(),
        code,
        name,
        kind,
        from,
        to,
        manager,
        place,
        predecessors,
        school,
    })
}

/// `T1|T2`, or with the share that was taken over: `T1=0.4|T2`.
fn predecessors(fields: &mut Fields<'_>) -> Vec<(String, Decimal)> {
    let Some(text) = fields.text(PREDECESSORS, 1_000) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for part in text
        .split('|')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (code, share) = match part.split_once('=') {
            Some((code, share)) => (code.trim(), parse_decimal(&share.trim().replace(',', "."))),
            None => (part, Some(Decimal::ONE)),
        };
        match share {
            Some(share) if share > Decimal::ZERO && share <= Decimal::ONE => {
                found.push((code.to_owned(), share));
            }
            _ => fields.refuse(
                PREDECESSORS,
                ProblemCode::OutOfRange,
                "Tỷ lệ kế thừa phải lớn hơn 0 và không quá 1, ví dụ T1=0.4|T2",
            ),
        }
    }
    found
}

fn school(fields: &mut Fields<'_>) -> Option<SchoolRow> {
    let level = fields.required_one_of(LEVEL, &LEVELS);
    let ownership = fields.required_one_of(OWNERSHIP, &OWNERSHIPS);
    let tax_code = fields.required_code(TAX_CODE, 14);
    if let Some(code) = &tax_code
        && !is_tax_code(code)
    {
        fields.refuse(
            TAX_CODE,
            ProblemCode::NotACode,
            "Mã số thuế có 10 chữ số, hoặc 10 chữ số - 3 chữ số",
        );
    }
    let budget_unit_code = fields.digits(BUDGET_CODE, 7..=7);
    let address = fields.required_text(ADDRESS, 300);
    let phone = fields.phone(PHONE);
    let bank_bin = fields.digits(BANK, 6..=6);
    let bank_account = fields.required_code(ACCOUNT, 19);
    let bank_account_name = fields.required_text(ACCOUNT_NAME, 120);
    if fields.is_blank(BANK) {
        fields.refuse(BANK, ProblemCode::Required, "Ô này không được để trống");
    }
    Some(SchoolRow {
        education_level: level?,
        ownership: ownership?,
        tax_code: tax_code?,
        budget_unit_code,
        address: address?,
        phone,
        bank_bin: bank_bin?,
        bank_account: bank_account?,
        bank_account_name: bank_account_name?,
    })
}

fn is_tax_code(code: &str) -> bool {
    let digits =
        |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    match code.split_once('-') {
        Some((head, branch)) => digits(head, 10) && digits(branch, 3),
        None => digits(code, 10),
    }
}

pub async fn write(app: &App, batch: Batch, parsed: Parsed) -> Result<ImportReport, ImportFailure> {
    let ids = app.ids.clone();
    app.db
        .write("schools.import.units", async move |tx: &mut Tx| {
            if !store::begin(tx, &batch, parsed.rows).await? {
                return Ok(ImportReport::already(
                    batch.kind,
                    &batch.file_name,
                    parsed.rows,
                ));
            }
            let stored = plan::Stored {
                units: store::units(tx).await?,
                edges: store::edges(tx).await?,
                schools: store::schools(tx).await?,
            };
            let plan = plan::plan(&parsed, stored, || ids.next(batch.at));
            plan.problems.into_result(&batch.file_name)?;
            store::write_units(tx, &plan.units).await?;
            store::write_schools(tx, &plan.schools).await?;
            store::replace_edges(tx, &plan.edges_of, &plan.edges).await?;
            store::write_successions(tx, &plan.successions).await?;
            let mut report = ImportReport::new(ImportKind::Units, &batch.file_name, parsed.rows);
            report.notes.clone_from(&parsed.notes);
            report.added = plan.added;
            report.updated = plan.updated;
            report.unchanged = plan.unchanged;
            Ok(report)
        })
        .await
}
