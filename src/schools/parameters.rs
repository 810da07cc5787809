//! Dated parameters: every legal number and every registration of a school, with validity, scope
//! and source (school-fees §0, §1).
//!
//! [`Parameters`] is a snapshot for one school that answers for *any* day, because which day selects
//! a rule differs per rule: the day of payment, of issue, the school year. A lookup walks the scopes
//! from narrow to wide as they stood on that day: the school, its managing units, `ownership/level`,
//! `ownership`, `regime:<accounting regime>`, `VN`. The first scope that holds a value wins.
//!
//! [`load`] reads the snapshot; everything else here is pure.

use std::collections::HashMap;
use std::fmt;

use rust_decimal::Decimal;

use super::store;
use super::units::{EducationLevel, Ownership, School};
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::store::{Db, StoreError, rows};

/// The scope of the whole country.
pub const COUNTRY: &str = "VN";
/// The parameter that names a school's accounting regime (`TT24`, `TT99`), and with it the scope
/// `regime:…` of its accounts.
pub const ACCOUNTING_REGIME: &str = "accounting_regime";

/// A stored parameter.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    pub key: String,
    pub scope: String,
    pub valid_from: Day,
    /// First day on which it no longer holds.
    pub valid_to: Option<Day>,
    pub value: String,
    /// The document that says so.
    pub source: String,
}

/// A unit that is a scope of the school on some days; depth 0 is the school itself, on all days.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DatedScope {
    pub scope: String,
    pub depth: i64,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
}

/// What holds on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    pub value: &'a str,
    pub scope: &'a str,
    pub valid_from: Day,
    /// First day on which it no longer holds: from then on, what was computed must be computed anew.
    pub valid_to: Option<Day>,
    pub source: &'a str,
}

/// A parameter that is needed is not there, or is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error(
        "Chưa khai báo tham số “{key}” có hiệu lực ngày {} trong các phạm vi {}",
        day.shown(), scopes.join(" → ")
    )]
    Missing {
        key: String,
        /// From narrow to wide, as searched.
        scopes: Vec<String>,
        day: Day,
    },
    #[error(
        "Tham số “{key}” của phạm vi {scope} ngày {} có giá trị “{value}”, cần {expected}",
        day.shown()
    )]
    Malformed {
        key: String,
        scope: String,
        value: String,
        expected: &'static str,
        day: Day,
    },
}

/// All parameters that may concern one school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    units: Vec<DatedScope>,
    level: EducationLevel,
    ownership: Ownership,
    /// By key, then scope: the dated values in order.
    values: HashMap<String, HashMap<String, Vec<Entry>>>,
}

impl Parameters {
    /// Builds a snapshot from the school's units (itself and all that ever managed it) and entries.
    pub fn new(
        mut units: Vec<DatedScope>,
        level: EducationLevel,
        ownership: Ownership,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Self {
        units.sort_by_key(|unit| unit.depth);
        let mut values: HashMap<String, HashMap<String, Vec<Entry>>> = HashMap::new();
        for entry in entries {
            values
                .entry(entry.key.clone())
                .or_default()
                .entry(entry.scope.clone())
                .or_default()
                .push(entry);
        }
        for dated in values.values_mut().flat_map(HashMap::values_mut) {
            dated.sort_by_key(|entry| entry.valid_from);
        }
        Self {
            units,
            level,
            ownership,
            values,
        }
    }

    /// The value of `key` on `day` in the narrowest scope that has one.
    pub fn at(&self, key: &str, day: Day) -> Option<Value<'_>> {
        let dated = self.values.get(key)?;
        self.scopes(key, day)
            .iter()
            .find_map(|scope| in_force(dated.get(scope)?, day))
    }

    /// As [`at`](Self::at), as text that must be there.
    ///
    /// # Errors
    /// [`ParameterError::Missing`] naming key, scopes and day.
    pub fn text(&self, key: &str, day: Day) -> Result<&str, ParameterError> {
        Ok(self.required(key, day)?.value)
    }

    /// A decimal such as `0.045`.
    ///
    /// # Errors
    /// [`ParameterError`] when it is missing or not a decimal.
    pub fn decimal(&self, key: &str, day: Day) -> Result<Decimal, ParameterError> {
        let value = self.required(key, day)?;
        parse_decimal(value.value)
            .ok_or_else(|| malformed(key, value, "một số thập phân như 0.045", day))
    }

    /// A decimal that may be absent.
    ///
    /// # Errors
    /// [`ParameterError::Malformed`] when it is there and not a decimal.
    pub fn decimal_or(
        &self,
        key: &str,
        day: Day,
        absent: Decimal,
    ) -> Result<Decimal, ParameterError> {
        match self.at(key, day) {
            Some(_) => self.decimal(key, day),
            None => Ok(absent),
        }
    }

    /// A share between 0 and 1.
    ///
    /// # Errors
    /// [`ParameterError`] when it is missing or not such a share.
    pub fn share(&self, key: &str, day: Day) -> Result<Decimal, ParameterError> {
        let value = self.required(key, day)?;
        parse_decimal(value.value)
            .filter(|share| (Decimal::ZERO..=Decimal::ONE).contains(share))
            .ok_or_else(|| malformed(key, value, "một tỷ lệ từ 0 đến 1", day))
    }

    /// Whole đồng.
    ///
    /// # Errors
    /// [`ParameterError`] when it is missing or not a whole number.
    pub fn vnd(&self, key: &str, day: Day) -> Result<Vnd, ParameterError> {
        let value = self.required(key, day)?;
        value
            .value
            .parse()
            .map(Vnd::new)
            .map_err(|_| malformed(key, value, "số tiền nguyên đồng", day))
    }

    /// The scopes a lookup of `key` walks on `day`, from narrow to wide.
    pub fn scopes(&self, key: &str, day: Day) -> Vec<String> {
        let mut scopes: Vec<String> = self
            .units
            .iter()
            .filter(|unit| {
                unit.depth == 0
                    || (unit.valid_from <= day && unit.valid_to.is_none_or(|to| day < to))
            })
            .map(|unit| unit.scope.clone())
            .collect();
        scopes.extend(general_scopes(self.level, self.ownership));
        // The regime is itself a parameter; asking for it through itself would never end.
        if key != ACCOUNTING_REGIME
            && let Some(regime) = self.at(ACCOUNTING_REGIME, day)
        {
            scopes.push(regime_scope(regime.value));
        }
        scopes.push(COUNTRY.to_owned());
        scopes
    }

    fn required(&self, key: &str, day: Day) -> Result<Value<'_>, ParameterError> {
        self.at(key, day).ok_or_else(|| ParameterError::Missing {
            key: key.to_owned(),
            scopes: self.scopes(key, day),
            day,
        })
    }
}

/// The entry of one key and scope that holds on `day`; entries are in order and do not overlap.
fn in_force(dated: &[Entry], day: Day) -> Option<Value<'_>> {
    let begun = dated.partition_point(|entry| entry.valid_from <= day);
    let entry = dated.get(begun.checked_sub(1)?)?;
    entry.valid_to.is_none_or(|to| day < to).then_some(Value {
        value: &entry.value,
        scope: &entry.scope,
        valid_from: entry.valid_from,
        valid_to: entry.valid_to,
        source: &entry.source,
    })
}

fn malformed(key: &str, value: Value<'_>, expected: &'static str, day: Day) -> ParameterError {
    ParameterError::Malformed {
        key: key.to_owned(),
        scope: value.scope.to_owned(),
        value: value.value.to_owned(),
        expected,
        day,
    }
}

/// `PUBLIC/PRIMARY`, then `PUBLIC`.
pub fn general_scopes(level: EducationLevel, ownership: Ownership) -> [String; 2] {
    [format!("{ownership}/{level}"), ownership.to_string()]
}

/// `regime:TT24`.
pub fn regime_scope(regime: impl fmt::Display) -> String {
    format!("regime:{regime}")
}

/// A plain decimal with a point, without exponent, sign `+` or grouping.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain {
        Decimal::from_str_exact(text).ok()
    } else {
        None
    }
}

/// Reads the snapshot of a school; `None` when there is no such school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn load(db: &Db, school_id: &SchoolId) -> Result<Option<Parameters>, StoreError> {
    let Some(school) = store::school(db, school_id).await? else {
        return Ok(None);
    };
    Ok(Some(load_for(db, &school).await?))
}

/// As [`load`], for a school already at hand.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn load_for(db: &Db, school: &School) -> Result<Parameters, StoreError> {
    let units = store::scopes_over_time(db, &school.unit_id()).await?;
    let scopes = rows(
        units
            .iter()
            .map(|unit| unit.scope.clone())
            .chain(general_scopes(school.education_level, school.ownership))
            .chain([COUNTRY.to_owned()])
            .map(|scope| (scope,)),
    );
    let entries = store::parameters(db, scopes).await?;
    Ok(Parameters::new(
        units,
        school.education_level,
        school.ownership,
        entries,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::dec;

    fn day(iso: &str) -> Day {
        Day::parse_iso(iso).unwrap()
    }

    fn entry(key: &str, scope: &str, from: &str, to: Option<&str>, value: &str) -> Entry {
        Entry {
            key: key.into(),
            scope: scope.into(),
            valid_from: day(from),
            valid_to: to.map(day),
            value: value.into(),
            source: "thử".into(),
        }
    }

    fn snapshot(entries: Vec<Entry>) -> Parameters {
        let unit = |scope: &str, depth, from: &str, to: Option<&str>| DatedScope {
            scope: scope.into(),
            depth,
            valid_from: day(from),
            valid_to: to.map(day),
        };
        Parameters::new(
            vec![
                unit("SO", 2, "2020-01-01", None),
                unit("PGD1", 1, "2020-01-01", Some("2025-07-01")),
                unit("XA1", 1, "2025-07-01", None),
                unit("TRUONG1", 0, "2020-01-01", None),
            ],
            EducationLevel::LowerSecondary,
            Ownership::Public,
            entries,
        )
    }

    #[test]
    fn the_narrowest_scope_of_the_day_wins() {
        let all = snapshot(vec![
            entry("k", "VN", "2000-01-01", None, "vn"),
            entry("k", "PUBLIC", "2026-01-01", None, "public"),
            entry("k", "PUBLIC/LOWER_SECONDARY", "2026-02-01", None, "level"),
            entry("k", "SO", "2026-03-01", None, "so"),
            entry("k", "XA1", "2020-01-01", Some("2026-05-01"), "xa"),
            entry("k", "PGD1", "2020-01-01", None, "phong"),
            entry("k", "TRUONG1", "2026-06-01", Some("2026-07-01"), "truong"),
        ]);
        for (on, value) in [
            ("2019-12-31", "vn"),
            ("2025-06-30", "phong"),
            ("2025-07-01", "xa"),
            ("2026-04-30", "xa"),
            ("2026-05-01", "so"),
            ("2026-06-30", "truong"),
            ("2026-07-01", "so"),
        ] {
            assert_eq!(all.at("k", day(on)).unwrap().value, value, "{on}");
        }
        assert_eq!(all.at("other", day("2026-01-01")), None);
    }

    #[test]
    fn accounts_come_from_the_regime_of_the_school_on_that_day() {
        let all = snapshot(vec![
            entry(
                "accounting_regime",
                "PUBLIC",
                "2020-01-01",
                Some("2025-01-01"),
                "TT107",
            ),
            entry("accounting_regime", "PUBLIC", "2025-01-01", None, "TT24"),
            entry(
                "account.REVENUE",
                "regime:TT107",
                "2018-01-01",
                None,
                "531x",
            ),
            entry("account.REVENUE", "regime:TT24", "2025-01-01", None, "531"),
            entry("account.REVENUE", "regime:TT99", "2025-01-01", None, "511"),
        ]);
        assert_eq!(all.text("account.REVENUE", day("2024-12-31")), Ok("531x"));
        assert_eq!(all.text("account.REVENUE", day("2025-01-01")), Ok("531"));
    }

    #[test]
    fn typed_reading_names_key_scope_and_day_when_it_fails() {
        let all = snapshot(vec![
            entry("bhyt_rate", "VN", "2020-01-01", None, "0.045"),
            entry("base_reference_level", "VN", "2026-07-01", None, "2530000"),
            entry("bhyt_state_support", "VN", "2020-01-01", None, "1.5"),
            entry("odd", "VN", "2020-01-01", None, "4,5e3"),
        ]);
        let on = day("2026-09-01");
        assert_eq!(all.decimal("bhyt_rate", on), Ok(dec!(0.045)));
        assert_eq!(all.vnd("base_reference_level", on), Ok(Vnd::new(2_530_000)));
        let missing = all
            .vnd("base_reference_level", day("2026-06-30"))
            .unwrap_err();
        let text = missing.to_string();
        for part in [
            "base_reference_level",
            "TRUONG1 → XA1 → SO",
            "VN",
            "30/06/2026",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(all.share("bhyt_state_support", on).is_err());
        assert!(all.decimal("odd", on).is_err() && all.vnd("bhyt_rate", on).is_err());
        assert_eq!(all.decimal_or("absent", on, dec!(1)), Ok(dec!(1)));
    }
}
