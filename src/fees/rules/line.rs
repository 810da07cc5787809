//! A priced line.

use crate::clock::Day;
use crate::money::{Quantity, Rate, Vnd, times};

use super::{Item, PriceError, money, priority};

/// What a bill line says, before it has a number. The parts and what is due sum to the gross.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub quantity: Quantity,
    /// For one unit, for reading: the gross is rounded once, from exact numbers.
    pub unit_price: Vnd,
    pub gross: Vnd,
    /// Borne by the state budget.
    pub state_part: Vnd,
    pub province_part: Vnd,
    pub school_part: Vnd,
    /// Borne by the payer.
    pub amount_due: Vnd,
    /// In plain words, for the payer.
    pub legal_basis: String,
    pub priority: i64,
    /// The first day on which the line must be priced anew, when it depends on the day of payment.
    pub priced_until: Option<Day>,
}

impl Line {
    /// A line that the payer bears alone.
    pub(super) fn in_full(
        item: &Item,
        quantity: Quantity,
        unit_price: Vnd,
    ) -> Result<Self, PriceError> {
        let gross = times(unit_price, quantity).map_err(money(item))?;
        Ok(Self {
            quantity,
            unit_price,
            gross,
            state_part: Vnd::ZERO,
            province_part: Vnd::ZERO,
            school_part: Vnd::ZERO,
            amount_due: gross,
            legal_basis: item.legal_basis.clone(),
            priority: priority(item),
            priced_until: None,
        })
    }

    /// Adds a sentence to the legal basis.
    pub(super) fn explain(&mut self, sentence: &str) {
        if !self.legal_basis.is_empty() {
            let ended = self.legal_basis.ends_with(['.', ';']);
            self.legal_basis.push_str(if ended { " " } else { "; " });
        }
        self.legal_basis.push_str(sentence);
    }
}

/// `4,5%`.
pub(super) fn shown_rate(rate: Rate) -> String {
    let percent = (rate * Rate::ONE_HUNDRED).normalize();
    format!("{percent}%").replace('.', ",")
}
