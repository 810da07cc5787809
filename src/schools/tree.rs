//! Who manages whom, and on which day.
//!
//! Managing and lying in are two trees: an upper-secondary school lies in a commune but is managed
//! by the department (school-fees §7). Both change by date: districts managed schools until
//! 2025-06-30, communes do since. Ask with the day the question is about, never with "today".

use std::collections::HashMap;

use super::store;
use super::units::Unit;
use crate::clock::Day;
use crate::ids::UnitId;
use crate::store::{Db, StoreError};
use crate::stored_as_text;

/// No real tree is deeper (ministry, department, office, school, branch); more is a mistake.
pub const TREE_DEPTH_MAX: usize = 8;

/// The two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    Manages,
    LocatedIn,
}

stored_as_text!(Relation {
    Manages = "MANAGES",
    LocatedIn = "LOCATED_IN",
});

/// The unit itself and everything it manages, directly or not, as it stood on `day`; by code.
/// Units that did not exist that day are left out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn units_under(db: &Db, unit: &UnitId, day: Day) -> Result<Vec<Unit>, StoreError> {
    store::units_under(db, unit, day).await
}

/// Who manages the unit on `day`, from its direct manager (narrow) to the root (wide).
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn managers_of(db: &Db, unit: &UnitId, day: Day) -> Result<Vec<Unit>, StoreError> {
    store::managers_of(db, unit, day).await
}

/// Whether `unit` is `top` or managed by it, directly or not, on `day`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_under(db: &Db, unit: &UnitId, top: &UnitId, day: Day) -> Result<bool, StoreError> {
    store::is_under(db, unit, top, day).await
}

/// One step of a merger or split.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Succession {
    pub predecessor_id: UnitId,
    pub predecessor_code: String,
    pub successor_id: UnitId,
    pub successor_code: String,
    /// First day of the successor.
    pub on_day: Day,
    /// Decimal text; `1` is the whole predecessor.
    pub share: String,
}

/// The units that continued `unit`, by code.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn successors(db: &Db, unit: &UnitId) -> Result<Vec<Succession>, StoreError> {
    store::successors(db, unit).await
}

/// The units that `unit` continues, by code.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn predecessors(db: &Db, unit: &UnitId) -> Result<Vec<Succession>, StoreError> {
    store::predecessors(db, unit).await
}

/// A dated edge from a unit to what it belongs to; `valid_to` is the first day it no longer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge<K> {
    pub child: K,
    pub parent: K,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
}

/// The first edge through which a unit would belong to itself on some day, or which makes the tree
/// deeper than [`TREE_DEPTH_MAX`].
pub fn first_cycle<K: Eq + std::hash::Hash>(edges: &[Edge<K>]) -> Option<&Edge<K>> {
    let mut above: HashMap<&K, Vec<&Edge<K>>> = HashMap::with_capacity(edges.len());
    for edge in edges {
        above.entry(&edge.child).or_default().push(edge);
    }
    let refused = |edge: &&Edge<K>, too_deep: bool| {
        let (from, to) = (edge.valid_from, edge.valid_to);
        let climb = Climb {
            above: &above,
            target: &edge.child,
            too_deep,
        };
        climb.meets(&edge.parent, from, to, TREE_DEPTH_MAX)
    };
    // What hangs below a circle is too deep as well; name the circle itself.
    edges
        .iter()
        .find(|edge| refused(edge, false))
        .or_else(|| edges.iter().find(|edge| refused(edge, true)))
}

struct Climb<'a, K> {
    above: &'a HashMap<&'a K, Vec<&'a Edge<K>>>,
    target: &'a K,
    /// The answer when the steps run out.
    too_deep: bool,
}

impl<K: Eq + std::hash::Hash> Climb<'_, K> {
    /// Whether the target lies above `at`, or is it, on some day of the interval.
    fn meets(&self, at: &K, from: Day, to: Option<Day>, steps: usize) -> bool {
        if self.target == at {
            return true;
        }
        if steps == 0 {
            return self.too_deep;
        }
        let edges = self.above.get(at).map_or(&[][..], Vec::as_slice);
        edges.iter().any(|edge| {
            let from = from.max(edge.valid_from);
            let to = earlier(to, edge.valid_to);
            to.is_none_or(|to| from < to) && self.meets(&edge.parent, from, to, steps - 1)
        })
    }
}

/// The earlier of two ends, where none is never.
pub(super) fn earlier(a: Option<Day>, b: Option<Day>) -> Option<Day> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(child: u8, parent: u8, from: &str, to: Option<&str>) -> Edge<u8> {
        Edge {
            child,
            parent,
            valid_from: Day::parse_iso(from).unwrap(),
            valid_to: to.map(|to| Day::parse_iso(to).unwrap()),
        }
    }

    #[test]
    fn a_cycle_is_one_only_if_its_edges_share_a_day() {
        let turned = [
            edge(1, 2, "2020-01-01", Some("2025-07-01")),
            edge(2, 1, "2025-07-01", None),
        ];
        assert_eq!(first_cycle(&turned), None);
        let circle = [
            edge(1, 2, "2020-01-01", Some("2025-07-02")),
            edge(2, 3, "2020-01-01", None),
            edge(3, 1, "2025-07-01", None),
        ];
        assert!(first_cycle(&circle).is_some());
        assert!(first_cycle(&[edge(4, 4, "2020-01-01", None)]).is_some());
    }

    #[test]
    fn a_tree_deeper_than_any_real_one_is_refused() {
        let chain: Vec<_> = (0..20)
            .map(|n| edge(n, n + 1, "2020-01-01", None))
            .collect();
        assert!(first_cycle(&chain).is_some());
        assert_eq!(first_cycle(&chain[..4]), None);
    }
}
