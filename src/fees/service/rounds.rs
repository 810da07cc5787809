//! Plans a round.

use std::collections::HashSet;

use super::FeeError;
use crate::App;
use crate::clock::Day;
use crate::fees::store::{self, Round};
use crate::fees::vocabulary::RoundState;
use crate::ids::{RoundId, SchoolId};
use crate::money::{Quantity, Vnd};
use crate::store::Tx;

/// A round to be planned.
#[derive(Clone, Debug)]
pub struct NewRound {
    pub name: String,
    /// `2026-2027`.
    pub school_year: String,
    /// Selects prices and classes.
    pub charge_day: Day,
    pub due_day: Day,
    /// Codes of items with months, days or pieces.
    pub items: Vec<(String, Quantity)>,
}

/// Adds a draft round; nothing is billed yet.
///
/// # Errors
/// [`FeeError`]: an unknown item, a name in use, a date or quantity that cannot be meant.
pub async fn create_round(
    app: &App,
    school: &SchoolId,
    new: NewRound,
) -> Result<RoundId, FeeError> {
    check(&new)?;
    let now = app.clock.now();
    let round = Round {
        round_id: RoundId::new(app.ids.next(now)),
        name: new.name.trim().to_owned(),
        school_year: new.school_year,
        charge_day: new.charge_day,
        due_day: new.due_day,
        state: RoundState::Draft,
        bill_count: 0,
        total_due: Vnd::ZERO,
    };
    let id = round.round_id.clone();
    let school = school.clone();
    let items = new.items;
    app.db
        .write("fees.create_round", async move |tx: &mut Tx| {
            if store::school(tx, &school).await?.is_none() {
                return Err(FeeError::SchoolUnknown);
            }
            if !store::insert_round(tx, &school, &round, now).await? {
                return Err(FeeError::NameTaken {
                    name: round.name.clone(),
                });
            }
            let mut asked = Vec::with_capacity(items.len());
            for (code, quantity) in &items {
                let item = store::item_id(tx, &school, code)
                    .await?
                    .ok_or_else(|| FeeError::ItemUnknown { code: code.clone() })?;
                asked.push((item, quantity.normalize().to_string()));
            }
            store::insert_round_items(tx, &school, &round.round_id, &asked).await?;
            Ok(())
        })
        .await?;
    Ok(id)
}

fn check(new: &NewRound) -> Result<(), FeeError> {
    if new.name.trim().is_empty() {
        return Err(FeeError::NameEmpty);
    }
    if new.due_day < new.charge_day {
        return Err(FeeError::DueBeforeCharge);
    }
    if new.items.is_empty() {
        return Err(FeeError::NoItems);
    }
    let mut seen = HashSet::new();
    for (code, quantity) in &new.items {
        let code = || code.clone();
        if quantity.is_sign_negative() || quantity.is_zero() {
            return Err(FeeError::Quantity { code: code() });
        }
        if !seen.insert(code()) {
            return Err(FeeError::ItemTwice { code: code() });
        }
    }
    Ok(())
}
