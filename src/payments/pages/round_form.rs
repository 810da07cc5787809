//! The form that plans a round: what it shows, how it is read, why it is refused.

use super::rounds::page_error;
use crate::clock::Day;
use crate::fees::rules::Item;
use crate::fees::service::{FeeError, NewRound};
use crate::fees::vocabulary::Calculation;
use crate::money::Quantity;
use crate::schools::parameters::parse_decimal;
use crate::schools::school_year;
use crate::schools::text::clean;
use crate::web::errors::PageError;
use crate::web::language::Language;

const NAME_CHARS_MAX: usize = 120;
/// Months, days or pieces of one item.
const QUANTITY_MAX: Quantity = Quantity::ONE_THOUSAND;
const QUANTITY_PLACES_MAX: u32 = 3;
/// Before the code of an item in the name of its field.
const ITEM_FIELD: &str = "item:";

/// A round as typed.
#[derive(Clone, Debug, Default)]
pub struct RoundForm {
    pub name: String,
    pub charge_day: String,
    pub due_day: String,
    pub items: Vec<ItemField>,
}

/// What is typed for one item of the catalogue; blank leaves it out of the round.
#[derive(Clone, Debug)]
pub struct ItemField {
    pub item: Item,
    pub typed: String,
}

impl ItemField {
    /// The name of the field in the form.
    pub fn field(&self) -> String {
        format!("{ITEM_FIELD}{}", self.item.code)
    }

    /// What is counted; nothing is where the round decides only whether the item is in.
    pub fn unit(&self) -> &str {
        match self.item.calculation {
            Calculation::PerMonth
            | Calculation::PerDay
            | Calculation::PerPiece
            | Calculation::HealthInsurance => &self.item.unit_name,
            Calculation::Once => "",
        }
    }
}

/// Why a round was not planned.
#[derive(Debug)]
pub enum RoundProblem {
    NameTooLong,
    ChargeDay,
    DueDay,
    Fees(FeeError),
}

impl RoundForm {
    /// An empty form for a round of today.
    pub fn fresh(today: Day, catalogue: Vec<Item>) -> Self {
        Self {
            charge_day: today.iso(),
            ..Self::sent(&[], catalogue)
        }
    }

    /// What was sent, laid over the catalogue.
    pub fn sent(fields: &[(String, String)], catalogue: Vec<Item>) -> Self {
        let items = catalogue
            .into_iter()
            .map(|item| {
                let field = format!("{ITEM_FIELD}{}", item.code);
                ItemField {
                    typed: value(fields, &field).to_owned(),
                    item,
                }
            })
            .collect();
        Self {
            name: value(fields, "name").to_owned(),
            charge_day: value(fields, "charge_day").to_owned(),
            due_day: value(fields, "due_day").to_owned(),
            items,
        }
    }
}

/// The value of a field; empty when it was not sent.
pub fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields
        .iter()
        .find(|(field, _)| field == name)
        .map_or("", |(_, value)| value.as_str())
}

/// The round that is meant.
///
/// # Errors
/// [`RoundProblem`] when a field cannot be read; whether the values fit together is for
/// [`create_round`](crate::fees::service::create_round) to say.
pub fn read(fields: &[(String, String)]) -> Result<NewRound, RoundProblem> {
    let name = clean(value(fields, "name"));
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(RoundProblem::NameTooLong);
    }
    let day = |field| Day::parse_iso(value(fields, field));
    let charge_day = day("charge_day").ok_or(RoundProblem::ChargeDay)?;
    let due_day = day("due_day").ok_or(RoundProblem::DueDay)?;
    let mut items = Vec::new();
    for (field, typed) in fields {
        if let Some(code) = field.strip_prefix(ITEM_FIELD)
            && !typed.trim().is_empty()
        {
            items.push((code.to_owned(), quantity(typed)?));
        }
    }
    Ok(NewRound {
        name,
        school_year: school_year(charge_day),
        charge_day,
        due_day,
        items,
    })
}

fn quantity(typed: &str) -> Result<Quantity, RoundProblem> {
    parse_decimal(&typed.trim().replace(',', "."))
        .map(|number| number.normalize())
        .filter(|number| *number <= QUANTITY_MAX && number.scale() <= QUANTITY_PLACES_MAX)
        .ok_or_else(|| {
            RoundProblem::Fees(FeeError::QuantityMalformed {
                text: typed.trim().to_owned(),
            })
        })
}

impl RoundProblem {
    /// A sentence for the person who typed.
    ///
    /// # Errors
    /// [`PageError`] when it is not about what was typed.
    pub fn text(self, language: Language) -> Result<String, PageError> {
        let error = match self {
            Self::NameTooLong => {
                return Ok(language.t1("round-error-name-long", "max", NAME_CHARS_MAX));
            }
            Self::ChargeDay => return Ok(language.t("round-error-charge-day")),
            Self::DueDay => return Ok(language.t("round-error-due-day")),
            Self::Fees(error) => error,
        };
        Ok(match error {
            FeeError::NameEmpty => language.t("round-error-name-empty"),
            FeeError::NameTaken { name } => language.t1("round-error-name-taken", "name", name),
            FeeError::NoItems => language.t("round-error-no-items"),
            FeeError::ItemTwice { code } => language.t1("round-error-item-twice", "code", code),
            FeeError::ItemUnknown { code } => language.t1("round-error-item-unknown", "code", code),
            FeeError::Quantity { code } => language.t1("round-error-quantity", "code", code),
            FeeError::QuantityMalformed { text } => {
                language.t1("round-error-quantity-unreadable", "text", text)
            }
            FeeError::DueBeforeCharge => language.t("round-error-due-before-charge"),
            other @ (FeeError::Store(_)
            | FeeError::SchoolUnknown
            | FeeError::RoundUnknown
            | FeeError::Price(_)) => return Err(page_error(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(item: &str) -> Result<NewRound, RoundProblem> {
        let typed = [
            ("name", " Tháng  12 "),
            ("charge_day", "2026-12-01"),
            ("due_day", "2026-12-15"),
            ("item:BANTRU", item),
            ("item:XE", " "),
        ];
        read(&typed.map(|(field, value)| (field.to_owned(), value.to_owned())))
    }

    #[test]
    fn a_blank_quantity_leaves_the_item_out_and_a_wrong_one_is_named() {
        let round = read_with("1,50").unwrap();
        assert_eq!(
            (round.name.as_str(), round.school_year.as_str()),
            ("Tháng 12", "2026-2027")
        );
        assert_eq!(round.items, [("BANTRU".to_owned(), Quantity::new(15, 1))]);
        for wrong in ["mười", "1e3", "1001", "0,0001"] {
            let problem = read_with(wrong).unwrap_err();
            let text = problem.text(Language::Vietnamese).unwrap();
            assert!(text.contains(wrong), "{text}");
        }
    }
}
