//! What a roster changes in what is stored. Pure.

use std::collections::{HashMap, HashSet};

use super::{Guardian, LAYOUT, Parsed, Place, Pupil};
use crate::clock::Day;
use crate::schools::import::report::{ProblemCode, RowProblems};
use crate::schools::import::store::{
    ChoiceRow, ClassRow, EnrolmentRow, FeeCode, GuardianRow, NewChoice, PupilRow, PupilState,
};

/// The school as it is stored; enrolments and choices are those that end after the day.
pub struct Stored {
    pub pupils: Vec<PupilRow>,
    pub classes: Vec<ClassRow>,
    pub enrolments: Vec<EnrolmentRow>,
    pub guardians: Vec<GuardianRow>,
    pub items: Vec<FeeCode>,
    pub choices: Vec<ChoiceRow>,
}

#[derive(Default)]
pub struct Plan {
    pub problems: RowProblems,
    pub classes: Vec<ClassRow>,
    /// New and changed pupils.
    pub pupils: Vec<PupilRow>,
    /// Pupils whose enrolment ends on the day.
    pub left_classes: Vec<String>,
    /// Pupil and class from the day on.
    pub enrolments: Vec<(String, String)>,
    pub guardians: Vec<GuardianRow>,
    /// Pupil and item whose choice ends on the day.
    pub ended_choices: Vec<(String, String)>,
    pub choices: Vec<NewChoice>,
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub moved: u64,
    pub missing: Vec<String>,
}

pub fn plan(
    parsed: &Parsed,
    place: &Place,
    stored: &Stored,
    mut next_id: impl FnMut() -> String,
) -> Plan {
    let mut plan = Plan {
        problems: parsed.problems.clone(),
        ..Plan::default()
    };
    let items = fee_items(parsed, &stored.items, &mut plan.problems);
    let known = Known::new(stored, place.valid_from);
    let mut classes: HashMap<String, ClassRow> = stored
        .classes
        .iter()
        .map(|class| (class.name.to_uppercase(), class.clone()))
        .collect();
    for pupil in &parsed.pupils {
        let Some(class_id) = class_of(pupil, &mut classes, &mut plan, &mut next_id) else {
            continue;
        };
        let before = known.pupils.get(pupil.code.as_str()).copied();
        let pupil_id = before.map_or_else(&mut next_id, |before| before.pupil_id.clone());
        let row = PupilRow {
            pupil_id: pupil_id.clone(),
            code: pupil.code.clone(),
            full_name: pupil.full_name.clone(),
            search_name: pupil.search_name.clone(),
            born_on: pupil.born_on,
            gender: pupil.gender,
            insurance_group: pupil.insurance_group.clone(),
            insurance_months: pupil.insurance_months,
            state: PupilState::Studying,
        };
        let mut changed = before != Some(&row);
        if changed {
            plan.pupils.push(row);
        }
        let moved = enrol(pupil, &pupil_id, &class_id, &known, &mut plan);
        changed |= moved;
        changed |= guard(
            pupil.guardian.as_ref(),
            &pupil_id,
            &known,
            &mut plan,
            &mut next_id,
        );
        changed |= choose(pupil, &pupil_id, &items, &known, &mut plan);
        match (before, changed) {
            (None, _) => plan.added += 1,
            (Some(_), true) => plan.updated += 1,
            (Some(_), false) => plan.unchanged += 1,
        }
        if before.is_some() && moved {
            plan.moved += 1;
        }
    }
    plan.missing = missing(parsed, stored, &known);
    plan
}

/// The items of the choice columns; an unknown code is a problem of the title row.
fn fee_items<'a>(
    parsed: &Parsed,
    items: &'a [FeeCode],
    problems: &mut RowProblems,
) -> Vec<Option<&'a str>> {
    let find = |code: &String| {
        let found = items.iter().find(|item| item.code.to_uppercase() == *code);
        if found.is_none() {
            problems.add(
                parsed.header_line,
                &format!("Chọn {code}"),
                code,
                ProblemCode::UnknownFee,
                "Trường chưa có khoản thu mang mã này; nhập danh mục khoản thu trước",
            );
        }
        found.map(|item| item.item_id.as_str())
    };
    parsed.choices.iter().map(find).collect()
}

/// What is stored, by pupil.
struct Known<'a> {
    day: Day,
    pupils: HashMap<&'a str, &'a PupilRow>,
    enrolments: HashMap<&'a str, Vec<&'a EnrolmentRow>>,
    guardians: HashMap<&'a str, Vec<&'a GuardianRow>>,
    choices: HashMap<(&'a str, &'a str), Vec<&'a ChoiceRow>>,
}

impl<'a> Known<'a> {
    fn new(stored: &'a Stored, day: Day) -> Self {
        let mut known = Self {
            day,
            pupils: stored.pupils.iter().map(|p| (p.code.as_str(), p)).collect(),
            enrolments: HashMap::new(),
            guardians: HashMap::new(),
            choices: HashMap::new(),
        };
        for row in &stored.enrolments {
            known.enrolments.entry(&row.pupil_id).or_default().push(row);
        }
        for row in &stored.guardians {
            known.guardians.entry(&row.pupil_id).or_default().push(row);
        }
        for row in &stored.choices {
            let place = (row.pupil_id.as_str(), row.item_id.as_str());
            known.choices.entry(place).or_default().push(row);
        }
        known
    }
}

fn class_of(
    pupil: &Pupil,
    classes: &mut HashMap<String, ClassRow>,
    plan: &mut Plan,
    next_id: &mut impl FnMut() -> String,
) -> Option<String> {
    let class = classes
        .entry(pupil.class.to_uppercase())
        .or_insert_with(|| {
            let class = ClassRow {
                class_id: next_id(),
                name: pupil.class.clone(),
                grade: pupil.grade,
            };
            plan.classes.push(class.clone());
            class
        });
    if class.grade == pupil.grade {
        return Some(class.class_id.clone());
    }
    plan.problems.add(
        pupil.line,
        LAYOUT[super::GRADE].title,
        &pupil.grade.to_string(),
        ProblemCode::ClassGrade,
        format!(
            "Lớp {} của năm học này thuộc khối {}",
            class.name, class.grade
        ),
    );
    None
}

/// Whether the pupil comes into another class on the day.
fn enrol(
    pupil: &Pupil,
    pupil_id: &str,
    class_id: &str,
    known: &Known<'_>,
    plan: &mut Plan,
) -> bool {
    let rows = known
        .enrolments
        .get(pupil_id)
        .map_or(&[][..], Vec::as_slice);
    if let Some(later) = rows.iter().find(|row| row.valid_from > known.day) {
        plan.problems.add(
            pupil.line,
            LAYOUT[super::CLASS].title,
            &pupil.class,
            ProblemCode::LaterChange,
            format!(
                "Học sinh đã có thay đổi lớp từ {}; nhập danh sách với ngày từ đó trở đi",
                later.valid_from.shown()
            ),
        );
        return false;
    }
    match rows.first() {
        Some(current) if current.class_id == class_id && current.valid_to.is_none() => false,
        Some(_) => {
            plan.left_classes.push(pupil_id.to_owned());
            plan.enrolments
                .push((pupil_id.to_owned(), class_id.to_owned()));
            true
        }
        None => {
            plan.enrolments
                .push((pupil_id.to_owned(), class_id.to_owned()));
            true
        }
    }
}

/// Whether the guardian is new or changed. A pupil has one father, one mother and one other.
fn guard(
    guardian: Option<&Guardian>,
    pupil_id: &str,
    known: &Known<'_>,
    plan: &mut Plan,
    next_id: &mut impl FnMut() -> String,
) -> bool {
    let Some(guardian) = guardian else {
        return false;
    };
    let rows = known.guardians.get(pupil_id).map_or(&[][..], Vec::as_slice);
    let before = rows.iter().find(|row| row.relation == guardian.relation);
    let row = GuardianRow {
        pupil_id: pupil_id.to_owned(),
        guardian_id: before.map_or_else(next_id, |row| row.guardian_id.clone()),
        full_name: guardian.full_name.clone(),
        relation: guardian.relation,
        phone: guardian.phone.clone(),
        email: guardian.email.clone(),
        address: guardian.address.clone(),
    };
    if before == Some(&&row) {
        return false;
    }
    plan.guardians.push(row);
    true
}

/// Whether what the family chose differs from what is stored. Only columns of the file count.
fn choose(
    pupil: &Pupil,
    pupil_id: &str,
    items: &[Option<&str>],
    known: &Known<'_>,
    plan: &mut Plan,
) -> bool {
    let mut changed = false;
    for (item, quantity) in items.iter().zip(&pupil.quantities) {
        let Some(item) = item else { continue };
        let rows = known
            .choices
            .get(&(pupil_id, *item))
            .map_or(&[][..], Vec::as_slice);
        if let Some(later) = rows.iter().find(|row| row.valid_from > known.day) {
            plan.problems.add(
                pupil.line,
                LAYOUT[super::CODE].title,
                &pupil.code,
                ProblemCode::LaterChange,
                format!(
                    "Lựa chọn của học sinh đã đổi từ {}; nhập với ngày từ đó trở đi",
                    later.valid_from.shown()
                ),
            );
            continue;
        }
        let quantity = quantity.map(|quantity| quantity.to_string());
        let before = rows.first().filter(|row| row.valid_to.is_none());
        if before.map(|row| &row.quantity) == quantity.as_ref()
            && before.is_some() == !rows.is_empty()
        {
            continue;
        }
        changed = true;
        if !rows.is_empty() {
            plan.ended_choices
                .push((pupil_id.to_owned(), (*item).to_owned()));
        }
        if let Some(quantity) = quantity {
            plan.choices.push(NewChoice {
                pupil_id: pupil_id.to_owned(),
                item_id: (*item).to_owned(),
                quantity,
            });
        }
    }
    changed
}

/// Pupils that study here and are not in the file; by code.
fn missing(parsed: &Parsed, stored: &Stored, known: &Known<'_>) -> Vec<String> {
    let named: HashSet<&str> = parsed
        .pupils
        .iter()
        .map(|pupil| pupil.code.as_str())
        .collect();
    let mut missing: Vec<String> = stored
        .pupils
        .iter()
        .filter(|pupil| pupil.state == PupilState::Studying)
        .filter(|pupil| !named.contains(pupil.code.as_str()))
        .map(|pupil| {
            let class = known
                .enrolments
                .get(pupil.pupil_id.as_str())
                .and_then(|rows| rows.first())
                .map_or("—", |row| &row.class_name);
            format!("{} {} ({class})", pupil.code, pupil.full_name)
        })
        .collect();
    missing.sort_unstable();
    missing
}
