//! Batches of rows as one bound value.
//!
//! `ROWS($1: bill_id TEXT, amount BIGINT, paid_at INSTANT, paid_day DAY)` stands in a `FROM` clause
//! for a table of those columns, once in a statement; [`rows`] makes the bound value. PostgreSQL receives one array a
//! column (`UNNEST`), SQLite a `VALUES` list padded to a power of two, so that a prepared statement
//! serves many batches. Where the batch is large, or is not the first value (`$1`), SQLite reads JSON. The
//! statement around it stays one text.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;

use super::Engine;
use super::cells::{Cell, push_row};

/// One row of a batch: a tuple of texts, whole numbers and options of them, in the order of the
/// declared columns.
pub trait Row: Serialize {}
impl<T: Serialize> Row for T {}

/// The bound value of a `ROWS(…)`.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(super) count: usize,
    /// Row after row.
    pub(super) cells: Vec<Cell>,
}

/// The bound value of a `ROWS(…)`.
pub fn rows<T: Row>(items: impl IntoIterator<Item = T>) -> Rows {
    let mut rows = Rows {
        count: 0,
        cells: Vec::new(),
    };
    for item in items {
        // Tuples of texts, numbers and options always fit.
        push_row(&mut rows.cells, &item).expect("rows are plain tuples");
        rows.count += 1;
    }
    rows
}

impl Rows {
    /// Beyond so many cells SQLite would spend more on a list of values than on reading JSON.
    const LISTED_CELLS_MAX: usize = 16_384;

    fn width(&self) -> usize {
        self.cells.len().checked_div(self.count).unwrap_or(0)
    }

    /// How SQLite is given this batch in `literal`.
    pub(super) fn shape(&self, literal: &str) -> Shape {
        if !takes_rows_first(literal) {
            return Shape::Json;
        }
        let slots = self.count.next_power_of_two();
        if slots * self.width() > Self::LISTED_CELLS_MAX {
            Shape::Json
        } else {
            Shape::Listed(slots)
        }
    }

    /// A JSON array of arrays.
    pub(super) fn json(&self) -> String {
        let mut text = String::from("[");
        for (place, row) in self.cells.chunks(self.width().max(1)).enumerate() {
            text.push_str(if place > 0 { ",[" } else { "[" });
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    text.push(',');
                }
                match cell {
                    Cell::Null => text.push_str("null"),
                    Cell::Integer(value) => text.push_str(&value.to_string()),
                    Cell::Text(value) => {
                        text.push_str(&serde_json::Value::from(value.as_str()).to_string());
                    }
                }
            }
            text.push(']');
        }
        text.push(']');
        text
    }
}

/// What stands for a `ROWS(…)` on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// A `VALUES` list of so many rows, of which the first are used.
    Listed(usize),
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    BigInt,
    Day,
    Instant,
}

/// A literal with a batch in it: text before, columns, text behind.
#[derive(Debug)]
struct Template {
    before: &'static str,
    /// The number of the batch's placeholder.
    place: usize,
    columns: Vec<(&'static str, Kind)>,
    behind: &'static str,
}

impl Template {
    fn parse(literal: &'static str) -> Self {
        let (before, rest) = literal.split_once("ROWS($").expect("ROWS($n: …)");
        let (place, rest) = rest.split_once(':').expect("ROWS names its placeholder");
        let (columns, behind) = rest.split_once(')').expect("ROWS( is closed");
        assert!(!takes_rows(behind), "a statement takes one batch");
        Self {
            before,
            place: place.parse().expect("a placeholder is $ and a number"),
            columns: columns.split(',').map(column).collect(),
            behind,
        }
    }

    /// One array a column; higher placeholders move up.
    fn for_postgres(&self) -> String {
        self.around(self.columns.len() - 1, unnest(self.place, &self.columns))
    }

    /// Cells are anonymous, since SQLite finds the name of a parameter by walking all named ones, and
    /// therefore come first; then the number of rows (or the JSON text), then plain values.
    fn for_sqlite(&self, shape: Shape) -> String {
        let shift = match shape {
            Shape::Listed(slots) => slots * self.columns.len(),
            Shape::Json => 0,
        };
        let text = self.around(shift, list(self.place + shift, &self.columns, shape));
        // Otherwise SQLite keeps every page as it was before the statement, to undo the statement alone,
        // which nobody wants: a transaction with a failed statement is rolled back.
        for verb in ["INSERT INTO ", "UPDATE "] {
            if let Some(rest) = text.strip_prefix(verb) {
                return verb.replacen(' ', " OR ROLLBACK ", 1) + rest;
            }
        }
        text
    }

    fn around(&self, shift: usize, batch: String) -> String {
        let mut text = String::new();
        self.push_shifted(&mut text, self.before, shift);
        text.push_str(&batch);
        self.push_shifted(&mut text, self.behind, shift);
        text
    }

    /// Appends `part`; placeholders higher than the batch's are moved by `shift`.
    fn push_shifted(&self, text: &mut String, part: &str, shift: usize) {
        let mut rest = part;
        while let Some((before, behind)) = rest.split_once('$') {
            text.push_str(before);
            let end = behind
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(behind.len());
            let number: usize = behind[..end]
                .parse()
                .expect("a placeholder is $ and a number");
            let shift = if number > self.place { shift } else { 0 };
            text.push_str(&format!("${}", number + shift));
            rest = &behind[end..];
        }
        text.push_str(rest);
    }
}

fn column(declaration: &'static str) -> (&'static str, Kind) {
    let (name, kind) = declaration
        .trim()
        .split_once(' ')
        .expect("a ROWS column has a name and a type");
    let kind = match kind.trim() {
        "TEXT" => Kind::Text,
        "BIGINT" => Kind::BigInt,
        "DAY" => Kind::Day,
        "INSTANT" => Kind::Instant,
        other => panic!("ROWS does not know the type {other}"),
    };
    (name, kind)
}

fn unnest(first: usize, columns: &[(&str, Kind)]) -> String {
    let named = listed(columns, |place, name, kind| match kind {
        Kind::Text => format!("c{place} COLLATE \"C\" AS {name}"),
        Kind::BigInt => format!("c{place} AS {name}"),
        Kind::Day => format!("c{place}::DATE AS {name}"),
        // Whole microseconds below 2^53 survive the multiplication exactly.
        Kind::Instant => {
            format!("TIMESTAMPTZ 'epoch' + c{place} * INTERVAL '1 microsecond' AS {name}")
        }
    });
    let arrays = listed(columns, |place, _, kind| match kind {
        Kind::Text | Kind::Day => format!("${}::TEXT[]", first + place),
        Kind::BigInt | Kind::Instant => format!("${}::BIGINT[]", first + place),
    });
    let aliases = listed(columns, |place, _, _| format!("c{place}"));
    format!("(SELECT {named} FROM UNNEST({arrays}) AS arrays({aliases}))")
}

fn list(count: usize, columns: &[(&str, Kind)], shape: Shape) -> String {
    match shape {
        Shape::Json => {
            let named = listed(columns, |place, name, _| {
                format!("value ->> {place} AS {name}")
            });
            format!("(SELECT {named} FROM json_each(${count}))")
        }
        Shape::Listed(slots) => {
            let named = listed(columns, |place, name, _| {
                format!("column{} AS {name}", place + 1)
            });
            let row = format!("({})", vec!["?"; columns.len()].join(","));
            let list = vec![row; slots].join(",");
            // A bare parameter would be looked at by the planner, and the statement prepared anew
            // whenever another value is bound.
            format!("(SELECT {named} FROM (VALUES {list}) LIMIT ${count} + 0)")
        }
    }
}

fn listed(columns: &[(&str, Kind)], one: impl Fn(usize, &str, Kind) -> String) -> String {
    let parts: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(place, (name, kind))| one(place, name, *kind))
        .collect();
    parts.join(", ")
}

/// A literal as one engine wants it.
#[derive(Clone, Copy)]
pub(super) struct Expanded {
    pub text: &'static str,
    pub columns: &'static [(&'static str, Kind)],
}

/// A literal by its address, and what stands for its batch (PostgreSQL: always the same).
type Key = (usize, Option<Shape>);
static EXPANDED: RwLock<Option<HashMap<Key, Expanded>>> = RwLock::new(None);

/// The text for an engine; `shape` on SQLite alone. Kept for the life of the program: literals are
/// those of the source, and shapes are powers of two.
pub(super) fn expanded(literal: &'static str, shape: Option<Shape>) -> Expanded {
    let key = (literal.as_ptr().addr(), shape);
    if let Some(known) = EXPANDED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
        .and_then(|known| known.get(&key))
    {
        return *known;
    }
    let mut known = EXPANDED.write().unwrap_or_else(PoisonError::into_inner);
    *known.get_or_insert_default().entry(key).or_insert_with(|| {
        let template: &'static Template = Box::leak(Box::new(Template::parse(literal)));
        let text = match shape {
            None => template.for_postgres(),
            Some(shape) => template.for_sqlite(shape),
        };
        Expanded {
            text: Box::leak(text.into_boxed_str()),
            columns: &template.columns,
        }
    })
}

/// Whether a literal names a batch.
pub(super) fn takes_rows(literal: &str) -> bool {
    literal.contains("ROWS(")
}

/// Only as the first value can a batch be a list of anonymous parameters on SQLite; hot statements
/// take it first.
fn takes_rows_first(literal: &str) -> bool {
    literal.contains("ROWS($1:")
}

/// The text an engine is sent for a batch of one row; for checks of the statements themselves.
pub fn engine_text(literal: &'static str, engine: Engine) -> &'static str {
    if !takes_rows(literal) {
        return literal;
    }
    let shape = match engine {
        Engine::Sqlite if takes_rows_first(literal) => Some(Shape::Listed(1)),
        Engine::Sqlite => Some(Shape::Json),
        Engine::Postgres => None,
    };
    expanded(literal, shape).text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITERAL: &str =
        "INSERT INTO t (a, b, c) SELECT a, b, $2 FROM ROWS($1: a TEXT, b BIGINT) AS r";

    #[test]
    fn a_declaration_becomes_a_table_on_both_engines() {
        assert_eq!(
            expanded(LITERAL, Some(Shape::Listed(2))).text,
            "INSERT OR ROLLBACK INTO t (a, b, c) SELECT a, b, $6 FROM \
             (SELECT column1 AS a, column2 AS b FROM (VALUES (?,?),(?,?)) LIMIT $5 + 0) AS r"
        );
        assert_eq!(
            expanded(LITERAL, Some(Shape::Json)).text,
            "INSERT OR ROLLBACK INTO t (a, b, c) SELECT a, b, $2 FROM \
             (SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each($1)) AS r"
        );
        assert_eq!(
            expanded(LITERAL, None).text,
            "INSERT INTO t (a, b, c) SELECT a, b, $3 FROM \
             (SELECT c0 COLLATE \"C\" AS a, c1 AS b \
             FROM UNNEST($1::TEXT[], $2::BIGINT[]) AS arrays(c0, c1)) AS r"
        );
    }

    #[test]
    fn a_batch_may_follow_other_values() {
        const LATER: &str = "SELECT $1, $3, a FROM ROWS($2: a TEXT, b BIGINT) AS r";
        assert_eq!(rows([("x", 1)]).shape(LATER), Shape::Json);
        assert_eq!(
            engine_text(LATER, Engine::Sqlite),
            "SELECT $1, $3, a FROM \
             (SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each($2)) AS r"
        );
        assert_eq!(
            engine_text(LATER, Engine::Postgres),
            "SELECT $1, $4, a FROM (SELECT c0 COLLATE \"C\" AS a, c1 AS b \
             FROM UNNEST($2::TEXT[], $3::BIGINT[]) AS arrays(c0, c1)) AS r"
        );
    }

    #[test]
    fn a_batch_is_listed_until_it_is_large() {
        let batch = rows([("x\"", Some(1)), ("y", None), ("z", Some(3))]);
        assert_eq!(batch.shape(LITERAL), Shape::Listed(4));
        assert_eq!(batch.json(), r#"[["x\"",1],["y",null],["z",3]]"#);
        assert_eq!(rows::<(i64,)>([]).json(), "[]");
        assert_eq!(rows((0..20_000).map(|n| (n,))).shape(LITERAL), Shape::Json);
    }
}
