//! Health insurance of pupils: rate × reference level × months, shared with the State and the
//! province, all as they stand on the day of payment (school-fees §3).

use crate::clock::Day;
use crate::money::{MoneyError, Quantity, Rate, Vnd, round_half_up, split};

use super::super::parameters::{Parameters, earlier};
use super::{
    Item, Line, Number, Occasion, PriceError, PupilFacts, SchoolFacts, money, number, priority,
    required, shown_rate,
};

/// The group of those who belong to no other.
const PUPILS: &str = "HS";
/// A round that asks for a year asks each pupil for the pupil's own months (9 to 15).
const MONTHS_OF_A_YEAR: i64 = 12;

pub(super) fn price(
    item: &Item,
    parameters: &impl Parameters,
    school: &SchoolFacts,
    pupil: &PupilFacts<'_>,
    occasion: &Occasion,
) -> Result<Option<Line>, PriceError> {
    let day = occasion.payment_day;
    let months = months(item, pupil, occasion)?;
    let Some(state) = state_share(parameters, school, pupil.insurance_group, day)? else {
        return Ok(None);
    };
    if months.is_zero() {
        return Ok(None);
    }
    let level = required(parameters, school, "base_reference_level", day)?;
    let rate = required(parameters, school, "bhyt_rate", day)?;
    let extra_key = match pupil.insurance_group {
        PUPILS => "bhyt_province_extra".to_owned(),
        group => format!("bhyt_province_extra.{group}"),
    };
    let province = number(parameters, school, &extra_key, day)?;
    let province_share = province.as_ref().map_or(Rate::ZERO, |extra| extra.value);

    let monthly = level
        .value
        .checked_mul(rate.value)
        .ok_or(MoneyError::OutOfRange)
        .map_err(money(item))?;
    let gross = monthly
        .checked_mul(months)
        .ok_or(MoneyError::OutOfRange)
        .and_then(round_half_up)
        .map_err(money(item))?;
    let ([state_part, province_part], amount_due) =
        split(gross, [state.value, province_share]).map_err(money(item))?;

    // A value that begins later, such as a province's extra, also ends the price.
    let extra_until = parameters.value_at(&extra_key, school.scopes(), day).until;
    let priced_until = [state.until, level.until, rate.until, extra_until]
        .into_iter()
        .fold(None, earlier);
    let mut line = Line {
        quantity: months,
        unit_price: round_half_up(monthly).map_err(money(item))?,
        gross,
        state_part,
        province_part,
        school_part: Vnd::ZERO,
        amount_due,
        legal_basis: item.legal_basis.clone(),
        priority: priority(item),
        priced_until,
    };
    let level_shown = round_half_up(level.value).map_err(money(item))?;
    line.explain(&format!(
        "Mức đóng {} × {level_shown} × {months} tháng ({})",
        shown_rate(rate.value),
        level.source,
    ));
    // The share and its source would tell a poor household from others; a bill is shown to whoever
    // holds it (school-fees §8: never a poverty or health category on what others can see).
    if pupil.insurance_group != PUPILS {
        line.explain("Nhà nước hỗ trợ theo quy định");
        return Ok(Some(line));
    }
    line.explain(&format!(
        "Nhà nước hỗ trợ {} ({})",
        shown_rate(state.value),
        state.source,
    ));
    if let Some(extra) = province.filter(|extra| !extra.value.is_zero()) {
        line.explain(&format!(
            "Tỉnh hỗ trợ thêm {} ({})",
            shown_rate(extra.value),
            extra.source,
        ));
    }
    Ok(Some(line))
}

/// An instalment (3 or 6 months) asks for no more than the card still needs.
fn months(
    item: &Item,
    pupil: &PupilFacts<'_>,
    occasion: &Occasion,
) -> Result<Quantity, PriceError> {
    let asked = occasion.quantity;
    if asked.is_sign_negative() || asked.is_zero() || !asked.is_integer() {
        return Err(PriceError::Quantity {
            item: item.code.clone(),
            quantity: asked,
        });
    }
    let needed = Quantity::from(pupil.insurance_months.max(0));
    Ok(if asked >= Quantity::from(MONTHS_OF_A_YEAR) {
        needed
    } else {
        asked.min(needed)
    })
}

/// `None`: the group has its card from elsewhere and is not billed.
fn state_share<'a>(
    parameters: &'a impl Parameters,
    school: &SchoolFacts,
    group: &str,
    day: Day,
) -> Result<Option<Number<'a>>, PriceError> {
    if group == PUPILS {
        return required(parameters, school, "bhyt_state_support", day).map(Some);
    }
    let share = number(
        parameters,
        school,
        &format!("bhyt_group_billed.{group}"),
        day,
    )?;
    Ok(share.filter(|share| share.value < Rate::ONE))
}
