//! Batches of rows as one bound value.
//!
//! `ROWS($1: bill_id TEXT, amount BIGINT, paid_at INSTANT, paid_day DAY)` stands in a `FROM` clause
//! for a table of those columns. The bound value is the JSON of [`rows`]. SQLite reads it with
//! `json_each`, PostgreSQL with `jsonb_array_elements`; the statement around it stays one text.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;

use super::Engine;

/// One row of a batch: a tuple, serialised as a JSON array in the order of the declared columns.
pub trait Row: Serialize {}
impl<T: Serialize> Row for T {}

/// The bound value of a `ROWS(…)`: a JSON array of arrays.
pub fn rows<T: Row>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::from("[");
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        // Tuples of strings, numbers and options always serialise.
        text.push_str(&serde_json::to_string(&item).expect("rows are plain tuples"));
    }
    text.push(']');
    text
}

static EXPANDED: RwLock<Option<HashMap<(usize, Engine), &'static str>>> = RwLock::new(None);

/// The text to send to an engine: `ROWS(…)` expanded, everything else as written.
///
/// Literals are expanded once and kept for the life of the program; their number is that of the
/// literals in the source.
pub fn engine_text(literal: &'static str, engine: Engine) -> &'static str {
    if !literal.contains("ROWS(") {
        return literal;
    }
    let key = (literal.as_ptr().addr(), engine);
    if let Some(text) = EXPANDED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
        .and_then(|known| known.get(&key))
    {
        return text;
    }
    let mut known = EXPANDED.write().unwrap_or_else(PoisonError::into_inner);
    known
        .get_or_insert_default()
        .entry(key)
        .or_insert_with(|| Box::leak(expand(literal, engine).into_boxed_str()))
}

fn expand(literal: &str, engine: Engine) -> String {
    let mut text = String::with_capacity(literal.len() * 2);
    let mut rest = literal;
    while let Some(start) = rest.find("ROWS(") {
        let inside = start + "ROWS(".len();
        let end = inside + rest[inside..].find(')').expect("ROWS( is closed");
        text.push_str(&rest[..start]);
        push_source(&mut text, &rest[inside..end], engine);
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    text
}

fn push_source(text: &mut String, declaration: &str, engine: Engine) {
    let (placeholder, columns) = declaration
        .split_once(':')
        .expect("ROWS names its placeholder");
    text.push_str("(SELECT ");
    for (place, column) in columns.split(',').enumerate() {
        let (name, kind) = column
            .trim()
            .split_once(' ')
            .expect("a ROWS column has a name and a type");
        if place > 0 {
            text.push_str(", ");
        }
        let value = match engine {
            Engine::Sqlite => format!("value ->> {place}"),
            Engine::Postgres => match kind.trim() {
                "TEXT" => format!("(e ->> {place}) COLLATE \"C\""),
                "BIGINT" => format!("(e ->> {place})::BIGINT"),
                "DAY" => format!("(e ->> {place})::DATE"),
                // Whole microseconds below 2^53 survive the multiplication exactly.
                "INSTANT" => format!(
                    "TIMESTAMPTZ 'epoch' + (e ->> {place})::BIGINT * INTERVAL '1 microsecond'"
                ),
                other => panic!("ROWS does not know the type {other}"),
            },
        };
        text.push_str(&format!("{value} AS {name}"));
    }
    match engine {
        Engine::Sqlite => text.push_str(&format!(" FROM json_each({placeholder}))")),
        Engine::Postgres => text.push_str(&format!(
            " FROM jsonb_array_elements({placeholder}::TEXT::JSONB) AS elements(e))"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_becomes_a_table_on_both_engines() {
        let literal = "INSERT INTO t (a, b) SELECT a, b FROM ROWS($1: a TEXT, b BIGINT) AS r";
        assert_eq!(
            engine_text(literal, Engine::Sqlite),
            "INSERT INTO t (a, b) SELECT a, b FROM \
             (SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each($1)) AS r"
        );
        assert!(engine_text(literal, Engine::Postgres).contains("(e ->> 1)::BIGINT AS b"));
        assert_eq!(rows([("x", 1), ("y", 2)]), r#"[["x",1],["y",2]]"#);
    }
}
