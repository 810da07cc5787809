//! Dated legal numbers, as pricing asks for them.

use std::collections::HashMap;

use crate::clock::Day;

/// Where pricing finds legal numbers.
pub trait Parameters {
    /// The value of `key` on `day` in the narrowest of `scopes` (narrow to wide) that has one.
    fn value_at(&self, key: &str, scopes: &[String], day: Day) -> Dated<'_>;
}

/// An answer and how long it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated<'a> {
    pub found: Option<Held<'a>>,
    /// The first later day on which the answer may be another; `None` when none is known. Counts
    /// the end of the value, and the start of a value in the same or a narrower scope.
    pub until: Option<Day>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'a> {
    pub value: &'a str,
    /// The document the value comes from.
    pub source: &'a str,
}

/// One dated value.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Parameter {
    pub key: String,
    pub scope: String,
    pub valid_from: Day,
    /// First day on which it no longer holds.
    pub valid_to: Option<Day>,
    pub value: String,
    pub source: String,
}

/// Parameters held in memory.
#[derive(Clone, Debug, Default)]
pub struct ParameterTable(HashMap<String, Vec<Parameter>>);

impl FromIterator<Parameter> for ParameterTable {
    fn from_iter<T: IntoIterator<Item = Parameter>>(parameters: T) -> Self {
        let mut by_key: HashMap<String, Vec<Parameter>> = HashMap::new();
        for parameter in parameters {
            by_key
                .entry(parameter.key.clone())
                .or_default()
                .push(parameter);
        }
        Self(by_key)
    }
}

impl Parameters for ParameterTable {
    fn value_at(&self, key: &str, scopes: &[String], day: Day) -> Dated<'_> {
        let known = self.0.get(key).map_or(&[][..], Vec::as_slice);
        let mut until = None;
        for scope in scopes {
            for parameter in known.iter().filter(|parameter| parameter.scope == *scope) {
                let ended = parameter.valid_to.is_some_and(|end| end <= day);
                if parameter.valid_from > day {
                    until = earlier(until, Some(parameter.valid_from));
                } else if !ended {
                    let found = Some(Held {
                        value: &parameter.value,
                        source: &parameter.source,
                    });
                    let later_start = known
                        .iter()
                        .filter(|other| other.scope == *scope && other.valid_from > day)
                        .map(|other| other.valid_from)
                        .min();
                    until = earlier(earlier(until, parameter.valid_to), later_start);
                    return Dated { found, until };
                }
            }
        }
        Dated { found: None, until }
    }
}

/// The earlier of two ends, where `None` never ends.
pub fn earlier(one: Option<Day>, other: Option<Day>) -> Option<Day> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse_iso(text).unwrap()
    }

    fn parameter(scope: &str, from: &str, to: Option<&str>, value: &str) -> Parameter {
        Parameter {
            key: "k".into(),
            scope: scope.into(),
            valid_from: day(from),
            valid_to: to.map(day),
            value: value.into(),
            source: "s".into(),
        }
    }

    #[test]
    fn the_narrowest_scope_answers_until_anything_nearer_begins() {
        let table: ParameterTable = [
            parameter("VN", "2025-01-01", Some("2026-07-01"), "wide"),
            parameter("VN", "2026-07-01", None, "wide again"),
            parameter("THN", "2026-03-01", Some("2026-04-01"), "narrow"),
        ]
        .into_iter()
        .collect();
        let scopes = ["THN".to_owned(), "VN".to_owned()];
        let at = |on| {
            let dated = table.value_at("k", &scopes, day(on));
            (
                dated.found.map(|held| held.value),
                dated.until.map(Day::iso),
            )
        };
        assert_eq!(at("2026-02-01"), (Some("wide"), Some("2026-03-01".into())));
        assert_eq!(
            at("2026-03-01"),
            (Some("narrow"), Some("2026-04-01".into()))
        );
        assert_eq!(at("2026-04-01"), (Some("wide"), Some("2026-07-01".into())));
        assert_eq!(at("2026-07-01"), (Some("wide again"), None));
        assert_eq!(at("2024-12-31"), (None, Some("2025-01-01".into())));
    }
}
