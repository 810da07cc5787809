//! A round's rules loaded once, and bills made of them pupil by pupil.

use std::collections::HashMap;
use std::sync::Arc;

use super::parameters::{ParameterTable, earlier};
use super::rules::{Item, Line, Occasion, Price, PriceError, PupilFacts, SchoolFacts, price};
use super::service::FeeError;
use super::store::{self, Choice, Pupil, Round, Source};
use crate::clock::Day;
use crate::ids::{FeeItemId, PupilId, SchoolId};
use crate::money::{Quantity, Vnd};

/// Prices pupils of one round. Pupils who are alike share their lines.
pub(super) struct Pricer {
    school: SchoolFacts,
    parameters: ParameterTable,
    asked: Vec<Asked>,
    known: HashMap<Likeness, Result<Option<Arc<Line>>, PriceError>>,
}

struct Asked {
    item: Item,
    prices: Vec<Price>,
    occasion: Occasion,
}

/// Everything of a pupil that a price depends on.
#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    asked: usize,
    grade: i64,
    insurance_group: String,
    insurance_months: i64,
    choice: Option<Quantity>,
}

/// What one pupil owes in a round; lines in the order in which money is allocated to them, which is
/// the order in which families read them.
pub(super) struct Priced {
    pub lines: Vec<(usize, Arc<Line>)>,
    pub gross: Vnd,
    pub amount_due: Vnd,
    pub priced_until: Option<Day>,
}

/// Choices of a chunk of pupils.
pub(super) type Choices = HashMap<(PupilId, FeeItemId), Quantity>;

impl Pricer {
    pub async fn load(
        source: &mut impl Source,
        school: &SchoolId,
        round: &Round,
        payment_day: Day,
    ) -> Result<Self, FeeError> {
        let facts = school_facts(source, school, round.charge_day).await?;
        let parameters = store::parameters(source).await?.into_iter().collect();
        let mut prices: HashMap<FeeItemId, Vec<Price>> = HashMap::new();
        for price in store::prices_of_round(source, school, &round.round_id).await? {
            prices.entry(price.item_id.clone()).or_default().push(price);
        }
        let mut asked = Vec::new();
        for entry in store::round_items(source, school, &round.round_id).await? {
            let quantity = quantity(&entry.quantity)?;
            asked.push(Asked {
                prices: prices.remove(&entry.item.item_id).unwrap_or_default(),
                item: entry.item,
                occasion: Occasion {
                    charge_day: round.charge_day,
                    payment_day,
                    quantity,
                },
            });
        }
        Ok(Self {
            school: facts,
            parameters,
            asked,
            known: HashMap::new(),
        })
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.asked.iter().map(|asked| &asked.item)
    }

    pub fn item(&self, place: usize) -> &Item {
        &self.asked[place].item
    }

    pub fn bill(&mut self, pupil: &Pupil, choices: &Choices) -> Result<Priced, PriceError> {
        let mut priced = Priced {
            lines: Vec::with_capacity(self.asked.len()),
            gross: Vnd::ZERO,
            amount_due: Vnd::ZERO,
            priced_until: None,
        };
        for place in 0..self.asked.len() {
            let Some(line) = self.line(place, pupil, choices)? else {
                continue;
            };
            priced.gross += line.gross;
            priced.amount_due += line.amount_due;
            priced.priced_until = earlier(priced.priced_until, line.priced_until);
            priced.lines.push((place, line));
        }
        priced.lines.sort_by_key(|(_, line)| line.priority);
        Ok(priced)
    }

    fn line(
        &mut self,
        place: usize,
        pupil: &Pupil,
        choices: &Choices,
    ) -> Result<Option<Arc<Line>>, PriceError> {
        let asked = &self.asked[place];
        let choice = choices
            .get(&(pupil.pupil_id.clone(), asked.item.item_id.clone()))
            .copied();
        let likeness = Likeness {
            asked: place,
            grade: pupil.grade,
            insurance_group: pupil.insurance_group.clone(),
            insurance_months: pupil.insurance_months,
            choice,
        };
        if let Some(known) = self.known.get(&likeness) {
            return known.clone();
        }
        let facts = PupilFacts {
            grade: pupil.grade,
            insurance_group: &pupil.insurance_group,
            insurance_months: pupil.insurance_months,
            choice,
            tuition_relief: None,
        };
        let line = price(
            &asked.item,
            &asked.prices,
            &self.parameters,
            &self.school,
            &facts,
            &asked.occasion,
        )
        .map(|line| line.map(Arc::new));
        self.known.insert(likeness, line.clone());
        line
    }
}

/// Where the school stands in the tree on a day, and what kind it is.
pub(super) async fn school_facts(
    source: &mut impl Source,
    school: &SchoolId,
    day: Day,
) -> Result<SchoolFacts, FeeError> {
    let found = store::school(source, school)
        .await?
        .ok_or(FeeError::SchoolUnknown)?;
    let mut units = vec![found.code];
    units.extend(store::managing_units(source, school, day).await?);
    Ok(SchoolFacts::new(
        units,
        &found.ownership,
        &found.education_level,
    ))
}

pub(super) fn by_pupil_and_item(choices: Vec<Choice>) -> Result<Choices, FeeError> {
    choices
        .into_iter()
        .map(|choice| {
            let quantity = quantity(&choice.quantity)?;
            Ok(((choice.pupil_id, choice.item_id), quantity))
        })
        .collect()
}

/// Reads a stored decimal.
pub(super) fn quantity(text: &str) -> Result<Quantity, FeeError> {
    text.trim()
        .parse()
        .map_err(|_| FeeError::QuantityMalformed {
            text: text.to_owned(),
        })
}
