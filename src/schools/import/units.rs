//! The file of departments, offices and schools.
//!
//! Several rows of one code are successive periods of one unit: a school managed by a district
//! until 30/06/2025 and by a commune from 01/07/2025 has two. A later file may hold the new
//! periods alone: what is stored is closed where the file begins, and the file is appended.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use super::fields::Fields;
use super::report::{FileProblem, ImportKind, ImportReport, ProblemCode, RowProblems};
use super::sheet::{self, Column, optional, required};
use super::store::{self, EdgeRow, SchoolRow, UnitRow};
use super::{Batch, ImportFailure};
use crate::App;
use crate::clock::Day;
use crate::schools::parameters::parse_decimal;
use crate::schools::tree::{Edge, Relation, earlier, first_cycle};
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
            let stored = Stored {
                units: store::units(tx).await?,
                edges: store::edges(tx).await?,
                schools: store::schools(tx).await?,
            };
            let plan = plan(&parsed, stored, || ids.next(batch.at));
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

struct Stored {
    units: Vec<UnitRow>,
    edges: Vec<EdgeRow>,
    schools: HashMap<String, SchoolRow>,
}

#[derive(Default)]
struct Plan {
    problems: RowProblems,
    units: Vec<UnitRow>,
    schools: Vec<(String, SchoolRow)>,
    /// Units whose edges are written anew.
    edges_of: Vec<String>,
    edges: Vec<EdgeRow>,
    successions: Vec<(String, String, Day, String)>,
    added: u64,
    updated: u64,
    unchanged: u64,
}

/// Decides what changes, and reports everything the rows contradict each other or the tree in.
fn plan(parsed: &Parsed, stored: Stored, mut next_id: impl FnMut() -> String) -> Plan {
    let mut plan = Plan {
        problems: parsed.problems.clone(),
        ..Plan::default()
    };
    let mut by_code: BTreeMap<&str, Vec<&Period>> = BTreeMap::new();
    for period in &parsed.periods {
        by_code.entry(&period.code).or_default().push(period);
    }
    let mut known: HashMap<String, UnitRow> = HashMap::with_capacity(stored.units.len());
    known.extend(
        stored
            .units
            .into_iter()
            .map(|unit| (unit.code.clone(), unit)),
    );
    let before: HashMap<String, UnitRow> = by_code
        .keys()
        .filter_map(|code| Some(((*code).to_owned(), known.get(*code)?.clone())))
        .collect();
    let mut lines: HashMap<String, u64> = HashMap::with_capacity(by_code.len());
    for (code, periods) in &mut by_code {
        periods.sort_by_key(|period| period.from);
        check_periods(periods, before.get(*code), &mut plan.problems);
        let (first, last) = (periods[0], periods[periods.len() - 1]);
        let unit = UnitRow {
            unit_id: before
                .get(*code)
                .map_or_else(&mut next_id, |unit| unit.unit_id.clone()),
            code: last.code.clone(),
            name: last.name.clone(),
            kind: last.kind,
            valid_from: before
                .get(*code)
                .map_or(first.from, |unit| unit.valid_from.min(first.from)),
            valid_to: last.to,
        };
        lines.insert(unit.unit_id.clone(), last.line);
        known.insert((*code).to_owned(), unit);
    }
    let mut edges_before: HashMap<String, Vec<EdgeRow>> = HashMap::new();
    for edge in stored.edges {
        edges_before
            .entry(edge.child_id.clone())
            .or_default()
            .push(edge);
    }
    let mut edges_after: Vec<EdgeRow> = Vec::new();
    for (code, periods) in &by_code {
        let unit = &known[*code];
        let old = edges_before.remove(&unit.unit_id).unwrap_or_default();
        let new = edges_of(unit, periods, &old, &known, &mut plan.problems);
        let school = periods[periods.len() - 1].school.clone();
        let same_school = stored.schools.get(&unit.unit_id) == school.as_ref();
        match before.get(*code) {
            None => plan.added += 1,
            Some(same) if same == unit && same_school && old == new => plan.unchanged += 1,
            Some(_) => plan.updated += 1,
        }
        if before.get(*code) != Some(unit) {
            plan.units.push(unit.clone());
        }
        if !same_school && let Some(school) = school {
            plan.schools.push((unit.unit_id.clone(), school));
        }
        if old != new {
            plan.edges_of.push(unit.unit_id.clone());
            plan.edges.extend(new.iter().cloned());
        }
        edges_after.extend(new);
        successions(unit, periods, &known, &mut plan);
    }
    edges_after.extend(edges_before.into_values().flatten());
    check_edges(&edges_after, &known, &lines, &mut plan.problems);
    plan
}

/// Periods of one unit follow each other without gap or overlap, and it stays what it is.
fn check_periods(periods: &[&Period], before: Option<&UnitRow>, problems: &mut RowProblems) {
    for pair in periods.windows(2) {
        let (earlier, later) = (pair[0], pair[1]);
        let (code, message) = match earlier.to {
            Some(end) if end == later.from => continue,
            Some(end) if end < later.from => (
                ProblemCode::Gap,
                format!("Để trống từ {} đến trước ngày này", end.shown()),
            ),
            _ => (
                ProblemCode::Overlap,
                format!("Trùng thời gian với dòng {}", earlier.line),
            ),
        };
        problems.add(
            later.line,
            LAYOUT[FROM].title,
            &later.from.shown(),
            code,
            message,
        );
    }
    let kind = before.map_or(periods[0].kind, |unit| unit.kind);
    for period in periods.iter().filter(|period| period.kind != kind) {
        problems.add(
            period.line,
            LAYOUT[KIND].title,
            period.kind.as_str(),
            ProblemCode::Differs,
            "Một mã không thể đổi loại đơn vị; đơn vị mới cần mã mới",
        );
    }
}

/// What is stored, closed where the file begins, and what the file says from there on.
fn edges_of(
    unit: &UnitRow,
    periods: &[&Period],
    old: &[EdgeRow],
    known: &HashMap<String, UnitRow>,
    problems: &mut RowProblems,
) -> Vec<EdgeRow> {
    let begin = periods[0].from;
    let mut edges = Vec::new();
    for relation in [Relation::LocatedIn, Relation::Manages] {
        let mut chain: Vec<EdgeRow> = old
            .iter()
            .filter(|edge| edge.relation == relation && edge.valid_from < begin)
            .cloned()
            .map(|edge| EdgeRow {
                valid_to: earlier(edge.valid_to, Some(begin)),
                ..edge
            })
            .collect();
        for period in periods {
            let (column, code) = match relation {
                Relation::Manages => (MANAGER, &period.manager),
                Relation::LocatedIn => (PLACE, &period.place),
            };
            let Some(code) = code else { continue };
            let Some(parent) = known.get(code) else {
                problems.add(
                    period.line,
                    LAYOUT[column].title,
                    code,
                    ProblemCode::UnknownUnit,
                    "Không có đơn vị mang mã này",
                );
                continue;
            };
            match chain.last_mut() {
                Some(last)
                    if last.parent_id == parent.unit_id && last.valid_to == Some(period.from) =>
                {
                    last.valid_to = period.to;
                }
                _ => chain.push(EdgeRow {
                    child_id: unit.unit_id.clone(),
                    relation,
                    valid_from: period.from,
                    valid_to: period.to,
                    parent_id: parent.unit_id.clone(),
                }),
            }
        }
        edges.extend(chain);
    }
    edges
}

fn successions(
    unit: &UnitRow,
    periods: &[&Period],
    known: &HashMap<String, UnitRow>,
    plan: &mut Plan,
) {
    for period in periods {
        for (code, share) in &period.predecessors {
            match known.get(code) {
                Some(before) if before.unit_id != unit.unit_id => plan.successions.push((
                    before.unit_id.clone(),
                    unit.unit_id.clone(),
                    period.from,
                    share.normalize().to_string(),
                )),
                _ => plan.problems.add(
                    period.line,
                    LAYOUT[PREDECESSORS].title,
                    code,
                    ProblemCode::UnknownUnit,
                    "Không có đơn vị mang mã này, hoặc là chính đơn vị này",
                ),
            }
        }
    }
}

/// Managers are no schools and exist while they manage; nobody belongs to itself.
fn check_edges(
    edges: &[EdgeRow],
    known: &HashMap<String, UnitRow>,
    lines: &HashMap<String, u64>,
    problems: &mut RowProblems,
) {
    let by_id: HashMap<&str, &UnitRow> = known
        .values()
        .map(|unit| (unit.unit_id.as_str(), unit))
        .collect();
    for edge in edges {
        let (Some(child), Some(parent)) = (
            by_id.get(edge.child_id.as_str()),
            by_id.get(edge.parent_id.as_str()),
        ) else {
            continue;
        };
        // An edge that was stored before and concerns no row of this file was checked then.
        let Some(line) = lines
            .get(&child.unit_id)
            .or_else(|| lines.get(&parent.unit_id))
        else {
            continue;
        };
        let title = match edge.relation {
            Relation::Manages => LAYOUT[MANAGER].title,
            Relation::LocatedIn => LAYOUT[PLACE].title,
        };
        if parent.kind == UnitKind::School {
            problems.add(
                *line,
                title,
                &parent.code,
                ProblemCode::NotAllowed,
                "Trường không thể là đơn vị quản lý hoặc địa bàn",
            );
        }
        let outlives = parent
            .valid_to
            .is_some_and(|end| edge.valid_to.is_none_or(|edge_end| edge_end > end));
        if edge.valid_from < parent.valid_from || outlives {
            problems.add(
                *line,
                title,
                &parent.code,
                ProblemCode::Interval,
                format!(
                    "{} thuộc {} ngoài thời gian đơn vị ấy tồn tại ({} – {})",
                    child.code,
                    parent.code,
                    parent.valid_from.shown(),
                    parent
                        .valid_to
                        .map_or_else(|| "nay".to_owned(), |end| end.plus_days(-1).shown()),
                ),
            );
        }
    }
    for relation in [Relation::Manages, Relation::LocatedIn] {
        let tree: Vec<Edge<&str>> = edges
            .iter()
            .filter(|edge| edge.relation == relation)
            .map(|edge| Edge {
                child: edge.child_id.as_str(),
                parent: edge.parent_id.as_str(),
                valid_from: edge.valid_from,
                valid_to: edge.valid_to,
            })
            .collect();
        if let Some(edge) = first_cycle(&tree) {
            let code = by_id.get(edge.child).map_or("", |unit| &unit.code);
            problems.add(
                lines.get(edge.child).copied().unwrap_or(0),
                LAYOUT[MANAGER].title,
                code,
                ProblemCode::Cycle,
                "Đơn vị này nằm dưới chính nó, hoặc cây quá sâu",
            );
        }
    }
}
