//! Whole đồng.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// An amount of whole Vietnamese đồng. The đồng has no minor unit, so this is the only money type.
///
/// Arithmetic is checked: an overflow is a defect or an attack, never a wrapped number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vnd(i64);

impl Vnd {
    pub const ZERO: Self = Self(0);

    pub const fn new(dong: i64) -> Self {
        Self(dong)
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(dong) => Some(Self(dong)),
            None => None,
        }
    }

    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(dong) => Some(Self(dong)),
            None => None,
        }
    }

    pub const fn checked_mul(self, times: i64) -> Option<Self> {
        match self.0.checked_mul(times) {
            Some(dong) => Some(Self(dong)),
            None => None,
        }
    }
}

/// For row structs: `#[sqlx(try_from = "i64")]`.
impl From<i64> for Vnd {
    fn from(dong: i64) -> Self {
        Self(dong)
    }
}

/// Panics on overflow: a sum that leaves `i64` (nine million million million đồng) is a broken invariant.
impl std::ops::Add for Vnd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.checked_add(other).expect("sum of đồng within i64")
    }
}

/// Panics on overflow, as [`Add`](std::ops::Add) does.
impl std::ops::Sub for Vnd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.checked_sub(other)
            .expect("difference of đồng within i64")
    }
}

impl std::ops::Neg for Vnd {
    type Output = Self;
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

impl std::ops::AddAssign for Vnd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::SubAssign for Vnd {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Vnd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |total, amount| total + amount)
    }
}

/// Written as Vietnamese readers expect: `683.100 ₫`, with a true minus sign.
impl fmt::Display for Vnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        if self.0 < 0 {
            f.write_str("−")?;
        }
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(".")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str("\u{a0}₫")
    }
}

impl fmt::Debug for Vnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}₫", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_by_thousands() {
        let written = |dong| Vnd::new(dong).to_string().replace('\u{a0}', " ");
        assert_eq!(written(683_100), "683.100 ₫");
        assert_eq!(written(-1_000), "−1.000 ₫");
        assert_eq!(written(0), "0 ₫");
        assert_eq!(written(999), "999 ₫");
        assert_eq!(written(9_999_999_999_999), "9.999.999.999.999 ₫");
    }

    #[test]
    fn overflow_is_seen() {
        assert_eq!(Vnd::new(i64::MAX).checked_add(Vnd::new(1)), None);
        assert_eq!(Vnd::new(i64::MAX).checked_mul(2), None);
    }
}
