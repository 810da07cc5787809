//! Money, rates and quantities, and the one way they are rounded.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

pub use hocphi_adapters::contract::Vnd;

/// A dimensionless share such as 0.045 (4,5 %).
pub type Rate = Decimal;
/// A count that may have a fraction: months, days, pieces.
pub type Quantity = Decimal;

/// An amount left the range of `i64`, or a share was outside 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("amount does not fit whole đồng")]
    OutOfRange,
    #[error("a share must lie between 0 and 1")]
    ShareOutOfRange,
}

/// Rounds an exact amount to whole đồng, half up (away from zero), once per line
/// (convention PC-1; einvoice §5.1 asks for the same).
///
/// # Errors
/// [`MoneyError::OutOfRange`] when the result does not fit.
pub fn round_half_up(exact: Decimal) -> Result<Vnd, MoneyError> {
    exact
        .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
        .to_i64()
        .map(Vnd::new)
        .ok_or(MoneyError::OutOfRange)
}

/// `price × quantity`, rounded half up.
///
/// # Errors
/// [`MoneyError::OutOfRange`] when the product does not fit.
pub fn times(price: Vnd, quantity: Quantity) -> Result<Vnd, MoneyError> {
    let exact = Decimal::from(price.get())
        .checked_mul(quantity)
        .ok_or(MoneyError::OutOfRange)?;
    round_half_up(exact)
}

/// What a person writes for an amount, not negative: `683100`, or with thousands grouped by one sort
/// of points, commas or spaces (`683.100`), with or without `đ` or `₫` behind.
pub fn typed(text: &str) -> Option<Vnd> {
    let number = text
        .trim_end_matches(|c: char| matches!(c, 'đ' | '₫') || c.is_whitespace())
        .trim_start();
    let groups: Vec<&str> = match number.chars().find(|c| matches!(c, '.' | ',' | ' ')) {
        Some(separator) => number.split(separator).collect(),
        None => vec![number],
    };
    let digits = |group: &&str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    let well_grouped = match groups.as_slice() {
        [_] => true,
        [first, rest @ ..] => first.len() <= 3 && rest.iter().all(|group| group.len() == 3),
        [] => false,
    };
    if well_grouped && groups.iter().all(digits) {
        groups.concat().parse().ok().map(Vnd::new)
    } else {
        None
    }
}

/// Splits a gross amount between supporters and the payer. Each supporter's part is rounded half
/// up in the order given, never above what is left; the payer owns the remainder, so the parts
/// always sum to the gross (conventions PC-2 and PC-3).
///
/// # Errors
/// [`MoneyError::ShareOutOfRange`] when a share lies outside 0..=1.
pub fn split<const N: usize>(gross: Vnd, shares: [Rate; N]) -> Result<([Vnd; N], Vnd), MoneyError> {
    let mut parts = [Vnd::ZERO; N];
    let mut rest = gross;
    for (part, share) in parts.iter_mut().zip(shares) {
        if share < Decimal::ZERO || share > Decimal::ONE {
            return Err(MoneyError::ShareOutOfRange);
        }
        *part = times(gross, share)?.min(rest);
        rest -= *part;
    }
    Ok((parts, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::dec;

    #[test]
    fn worked_examples_of_health_insurance_hold() {
        // school-fees §11: examples 9, 11 and 13.
        let twelve = times(Vnd::new(113_850), dec!(12)).unwrap();
        assert_eq!(split(twelve, [dec!(0.5)]).unwrap().1, Vnd::new(683_100));
        let nine = times(Vnd::new(113_850), dec!(9)).unwrap();
        let ([state, province], pupil) = split(nine, [dec!(0.5), dec!(0.2)]).unwrap();
        assert_eq!(
            (state.get(), province.get(), pupil.get()),
            (512_325, 204_930, 307_395)
        );
        let ([state, province], pupil) = split(Vnd::new(113_850), [dec!(0.5), dec!(0.15)]).unwrap();
        assert_eq!(
            (state.get(), province.get(), pupil.get()),
            (56_925, 17_078, 39_847)
        );
    }

    #[test]
    fn an_amount_is_understood_as_it_is_written_and_never_guessed() {
        for text in [
            "683.100",
            "683100",
            " 683,100 đ",
            "683 100",
            "683.100\u{a0}₫",
        ] {
            assert_eq!(typed(text), Some(Vnd::new(683_100)), "{text}");
        }
        assert_eq!(typed("1.250.000"), Some(Vnd::new(1_250_000)));
        for text in [
            "",
            "đ",
            "-5",
            "+5",
            "25.5",
            "1.25.000",
            "1.250,000",
            ".500",
            "5.",
            "nhiều",
            "99999999999999999999",
        ] {
            assert_eq!(typed(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_gross_and_nobody_pays_less_than_nothing(
            gross in 0i64..10_000_000_000,
            first in 0u32..=1000,
            second in 0u32..=1000,
        ) {
            let shares = [Decimal::new(first.into(), 3), Decimal::new(second.into(), 3)];
            let ([a, b], payer) = split(Vnd::new(gross), shares).unwrap();
            prop_assert_eq!(a + b + payer, Vnd::new(gross));
            prop_assert!(!a.is_negative() && !b.is_negative() && !payer.is_negative());
        }
    }
}
