//! What a file of units changes in the stored tree. Pure.

use std::collections::{BTreeMap, HashMap};

use super::{FROM, KIND, LAYOUT, MANAGER, PLACE, PREDECESSORS, Parsed, Period};
use crate::clock::Day;
use crate::schools::import::report::{ProblemCode, RowProblems};
use crate::schools::import::store::{EdgeRow, SchoolRow, UnitRow};
use crate::schools::tree::{Edge, Relation, earlier, first_cycle};
use crate::schools::units::UnitKind;

pub struct Stored {
    pub units: Vec<UnitRow>,
    pub edges: Vec<EdgeRow>,
    pub schools: HashMap<String, SchoolRow>,
}

#[derive(Default)]
pub struct Plan {
    pub problems: RowProblems,
    pub units: Vec<UnitRow>,
    pub schools: Vec<(String, SchoolRow)>,
    /// Units whose edges are written anew.
    pub edges_of: Vec<String>,
    pub edges: Vec<EdgeRow>,
    pub successions: Vec<(String, String, Day, String)>,
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
}

/// Decides what changes, and reports everything the rows contradict each other or the tree in.
pub fn plan(parsed: &Parsed, stored: Stored, mut next_id: impl FnMut() -> String) -> Plan {
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
