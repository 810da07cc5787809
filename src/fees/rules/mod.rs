//! What one pupil owes for one item: pure decisions, no clock, no database.
//!
//! The commonest change is a new number with a date: that is a parameter, not code. Which day
//! selects a rule differs by rule: prices and tuition by the day of charge, health insurance by the
//! day of payment (school-fees §0).

mod insurance;
mod line;
mod tuition;

use crate::clock::Day;
use crate::money::{MoneyError, Quantity, Rate, Vnd};

pub use super::catalogue::{EVERY_GRADE, Item, Price};
use super::parameters::Parameters;
use super::vocabulary::{Calculation, CollectionClass, OptIn};
pub use line::Line;
use line::shown_rate;

/// What of the school decides prices.
#[derive(Clone, Debug)]
pub struct SchoolFacts {
    scopes: Vec<String>,
    public: bool,
    /// Continuing education counts the months actually studied.
    continuing: bool,
}

impl SchoolFacts {
    /// `units` are the codes of the school and of its managing units, narrow to wide; `ownership`
    /// and `education_level` are spelled as the table `school` does.
    pub fn new(units: Vec<String>, ownership: &str, education_level: &str) -> Self {
        let mut scopes = units;
        scopes.push(format!("{ownership}/{education_level}"));
        scopes.push(ownership.to_owned());
        scopes.push("VN".to_owned());
        Self {
            scopes,
            public: ownership == "PUBLIC",
            continuing: education_level == "CONTINUING",
        }
    }

    /// Where to look for a parameter, narrow to wide.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

/// What of the pupil decides prices.
#[derive(Clone, Copy, Debug, Default)]
pub struct PupilFacts<'a> {
    pub grade: i64,
    /// `HS` and the other groups of school-fees §3.2.
    pub insurance_group: &'a str,
    /// Months the pupil's card shall cover; 0 when insured elsewhere.
    pub insurance_months: i64,
    /// What the family chose of the item, if it did.
    pub choice: Option<Quantity>,
    /// Exemption or reduction of this pupil's tuition beyond that of the whole school.
    pub tuition_relief: Option<TuitionRelief>,
}

/// A pupil's own exemption or reduction (school-fees §2.2, §2.4).
#[derive(Clone, Copy, Debug)]
pub struct TuitionRelief {
    /// The State's share.
    pub share: Rate,
    /// Vocational training: the State counts no more than this a month.
    pub ceiling: Option<Vnd>,
    /// Who bears the fee above the ceiling.
    pub excess: Excess,
}

/// Who bears what a vocational fee exceeds its ceiling by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    Learner,
    School,
}

/// What a round asks for.
#[derive(Clone, Copy, Debug)]
pub struct Occasion {
    /// Selects prices and tuition rules.
    pub charge_day: Day,
    /// Selects what health insurance costs.
    pub payment_day: Day,
    /// Months, days or pieces.
    pub quantity: Quantity,
}

/// Why an item has no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("Khoản {item} chưa có đơn giá cho khối {grade} vào ngày {}.", day.shown())]
    NoPrice { item: String, grade: i64, day: Day },
    #[error("Chưa khai báo tham số {key} có hiệu lực vào ngày {}.", day.shown())]
    ParameterMissing { key: String, day: Day },
    #[error("Tham số {key} có giá trị \"{value}\" không đọc được.")]
    ParameterMalformed { key: String, value: String },
    #[error("Khoản {item} thu {months} tháng, tối đa {max} tháng một năm học.")]
    TooManyMonths {
        item: String,
        months: Quantity,
        max: Quantity,
    },
    #[error("Khoản {item} có số lượng {quantity} không hợp lệ.")]
    Quantity { item: String, quantity: Quantity },
    #[error("Khoản {item} tính ra số tiền không hợp lệ: {source}.")]
    Money { item: String, source: MoneyError },
}

impl PriceError {
    /// Stable, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPrice { .. } => "NO_PRICE",
            Self::ParameterMissing { .. } => "PARAMETER_MISSING",
            Self::ParameterMalformed { .. } => "PARAMETER_MALFORMED",
            Self::TooManyMonths { .. } => "TOO_MANY_MONTHS",
            Self::Quantity { .. } => "QUANTITY_INVALID",
            Self::Money { .. } => "AMOUNT_INVALID",
        }
    }
}

/// The pupil's line for the item, or `None` when the pupil is not billed for it: not chosen, or
/// insured by another way. `prices` are those of the item.
///
/// # Errors
/// [`PriceError`]: the catalogue or the parameters do not allow an answer.
pub fn price(
    item: &Item,
    prices: &[Price],
    parameters: &impl Parameters,
    school: &SchoolFacts,
    pupil: &PupilFacts<'_>,
    occasion: &Occasion,
) -> Result<Option<Line>, PriceError> {
    let by_choice =
        item.opt_in == OptIn::Chosen || item.collection_class == CollectionClass::Voluntary;
    let chosen = pupil.choice.filter(|quantity| !quantity.is_zero());
    if by_choice && chosen.is_none() {
        return Ok(None);
    }
    let quantity = match item.calculation {
        Calculation::PerMonth | Calculation::PerDay => occasion.quantity,
        Calculation::PerPiece => chosen.unwrap_or(occasion.quantity),
        Calculation::Once => Quantity::ONE,
        Calculation::HealthInsurance => {
            return insurance::price(item, parameters, school, pupil, occasion);
        }
    };
    if quantity.is_sign_negative() || quantity.is_zero() {
        return Err(PriceError::Quantity {
            item: item.code.clone(),
            quantity,
        });
    }
    let unit_price = unit_price(item, prices, pupil.grade, occasion.charge_day)?;
    match item.collection_class {
        CollectionClass::Tuition => tuition::price(
            item, unit_price, quantity, parameters, school, pupil, occasion,
        )
        .map(Some),
        CollectionClass::Service | CollectionClass::OnBehalf | CollectionClass::Voluntary => {
            Line::in_full(item, quantity, unit_price).map(Some)
        }
    }
}

/// The price of the grade, else that of every grade; of several that hold, the latest.
fn unit_price(item: &Item, prices: &[Price], grade: i64, day: Day) -> Result<Vnd, PriceError> {
    prices
        .iter()
        .filter(|price| price.grade == grade || price.grade == EVERY_GRADE)
        .filter(|price| price.valid_from <= day && price.valid_to.is_none_or(|end| day < end))
        .max_by_key(|price| (price.grade, price.valid_from))
        .map(|price| price.amount)
        .ok_or_else(|| PriceError::NoPrice {
            item: item.code.clone(),
            grade,
            day,
        })
}

/// Order of allocation inside a bill (PC-6); the last is never allocated to unasked.
pub const PRIORITY_VOLUNTARY: i64 = 9;

fn priority(item: &Item) -> i64 {
    match (item.calculation, item.collection_class) {
        (_, CollectionClass::Voluntary) => PRIORITY_VOLUNTARY,
        (Calculation::HealthInsurance, _) => 1,
        (_, CollectionClass::Tuition) => 2,
        (_, CollectionClass::Service) => 3,
        (_, CollectionClass::OnBehalf) => 4,
    }
}

/// A decimal parameter with its source, and until when it stands.
struct Number<'a> {
    value: Rate,
    source: &'a str,
    until: Option<Day>,
}

fn number<'a>(
    parameters: &'a impl Parameters,
    school: &SchoolFacts,
    key: &str,
    day: Day,
) -> Result<Option<Number<'a>>, PriceError> {
    let dated = parameters.value_at(key, school.scopes(), day);
    let Some(held) = dated.found else {
        return Ok(None);
    };
    let value = held
        .value
        .trim()
        .parse::<Rate>()
        .ok()
        .filter(|value| !value.is_sign_negative() || value.is_zero())
        .ok_or_else(|| PriceError::ParameterMalformed {
            key: key.to_owned(),
            value: held.value.to_owned(),
        })?;
    Ok(Some(Number {
        value,
        source: held.source,
        until: dated.until,
    }))
}

fn required<'a>(
    parameters: &'a impl Parameters,
    school: &SchoolFacts,
    key: &str,
    day: Day,
) -> Result<Number<'a>, PriceError> {
    number(parameters, school, key, day)?.ok_or_else(|| PriceError::ParameterMissing {
        key: key.to_owned(),
        day,
    })
}

fn money(item: &Item) -> impl Fn(MoneyError) -> PriceError + '_ {
    |source| PriceError::Money {
        item: item.code.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
