//! Tuition: what the State bears and what is left to the payer (school-fees §2).

use crate::money::{Quantity, Rate, Vnd, split, times};

use super::super::parameters::Parameters;
use super::super::vocabulary::Calculation;
use super::{
    Excess, Item, Line, Occasion, PriceError, PupilFacts, SchoolFacts, TuitionRelief, money,
    number, required, shown_rate,
};

/// Who bears what, and why.
#[derive(Default)]
struct Support {
    state: Vnd,
    school: Vnd,
    reason: String,
}

pub(super) fn price(
    item: &Item,
    unit_price: Vnd,
    quantity: Quantity,
    parameters: &impl Parameters,
    school: &SchoolFacts,
    pupil: &PupilFacts<'_>,
    occasion: &Occasion,
) -> Result<Line, PriceError> {
    let day = occasion.charge_day;
    let monthly = item.calculation == Calculation::PerMonth;
    if monthly && !school.continuing {
        let max = required(parameters, school, "tuition_months_max", day)?.value;
        if quantity > max {
            return Err(PriceError::TooManyMonths {
                item: item.code.clone(),
                months: quantity,
                max,
            });
        }
    }
    let mut line = Line::in_full(item, quantity, unit_price)?;
    // Overlapping supports do not add up: the highest counts (NĐ 238/2025 Đ.19.4).
    let mut best = for_everybody(item, line.gross, parameters, school, occasion)?;
    if monthly && !school.public {
        let netted = private_support(item, unit_price, quantity, parameters, school, occasion)?;
        if netted.state > best.state {
            best = netted;
        }
    }
    if let Some(relief) = pupil.tuition_relief {
        let own = for_the_pupil(item, unit_price, quantity, line.gross, relief)?;
        if own.state > best.state {
            best = own;
        }
    }
    line.state_part = best.state;
    line.school_part = best.school;
    line.amount_due = line.gross - best.state - best.school;
    if !best.reason.is_empty() {
        line.explain(&best.reason);
    }
    Ok(line)
}

/// The share the State bears for every pupil of such a school; 1 is the exemption. A public school
/// without that parameter is not priced: nobody shall be billed for want of a row.
fn for_everybody(
    item: &Item,
    gross: Vnd,
    parameters: &impl Parameters,
    school: &SchoolFacts,
    occasion: &Occasion,
) -> Result<Support, PriceError> {
    const KEY: &str = "tuition_state_share";
    let share = if school.public {
        Some(required(parameters, school, KEY, occasion.charge_day)?)
    } else {
        number(parameters, school, KEY, occasion.charge_day)?
    };
    let Some(share) = share.filter(|share| !share.value.is_zero()) else {
        return Ok(Support::default());
    };
    let ([state], _) = split(gross, [share.value]).map_err(money(item))?;
    let reason = if share.value == Rate::ONE {
        format!("Miễn học phí, ngân sách nhà nước cấp bù ({})", share.source)
    } else {
        format!(
            "Ngân sách nhà nước cấp bù {} ({})",
            shown_rate(share.value),
            share.source
        )
    };
    Ok(Support {
        state,
        school: Vnd::ZERO,
        reason,
    })
}

/// Private schools that were authorised to receive the support take it off the bill; otherwise it
/// is paid to the parent and the bill is full. Never above the school's own fee.
fn private_support(
    item: &Item,
    unit_price: Vnd,
    months: Quantity,
    parameters: &impl Parameters,
    school: &SchoolFacts,
    occasion: &Occasion,
) -> Result<Support, PriceError> {
    let day = occasion.charge_day;
    let mode = parameters.value_at("private_support_mode", school.scopes(), day);
    match mode.found.map(|held| held.value) {
        None | Some("PAID_TO_PARENT") => return Ok(Support::default()),
        Some("NETTED") => {}
        Some(other) => {
            return Err(PriceError::ParameterMalformed {
                key: "private_support_mode".into(),
                value: other.into(),
            });
        }
    }
    let level = required(parameters, school, "private_support_level", day)?;
    let counted = level.value.min(Rate::from(unit_price.get()));
    let exact = counted
        .checked_mul(months)
        .ok_or(crate::money::MoneyError::OutOfRange);
    let state = exact
        .and_then(crate::money::round_half_up)
        .map_err(money(item))?;
    Ok(Support {
        state,
        school: Vnd::ZERO,
        reason: format!("Nhà nước hỗ trợ học phí ({})", level.source),
    })
}

/// The reason stays inside: a bill may be seen by others (school-fees §8).
fn for_the_pupil(
    item: &Item,
    unit_price: Vnd,
    months: Quantity,
    gross: Vnd,
    relief: TuitionRelief,
) -> Result<Support, PriceError> {
    let counted = relief
        .ceiling
        .map_or(unit_price, |ceiling| ceiling.min(unit_price));
    let base = times(counted, months).map_err(money(item))?;
    let ([state], _) = split(base, [relief.share]).map_err(money(item))?;
    let school = match relief.excess {
        Excess::School => gross - base,
        Excess::Learner => Vnd::ZERO,
    };
    Ok(Support {
        state,
        school,
        reason: "Miễn, giảm theo quy định".into(),
    })
}
