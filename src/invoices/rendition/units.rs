//! Lengths in thousandths of a point: whole numbers, so that a document comes out the same everywhere.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// A length or a place on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milli(pub i32);

impl Milli {
    pub const ZERO: Self = Self(0);

    /// So many tenths of a point.
    pub const fn tenths(tenths: i32) -> Self {
        Self(tenths * 100)
    }

    /// `part` of `whole` of this length.
    pub fn share(self, part: i32, whole: i32) -> Self {
        let product = i64::from(self.0) * i64::from(part) / i64::from(whole.max(1));
        Self(i32::try_from(product).unwrap_or(i32::MAX))
    }

    pub fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// As PDF writes numbers: `12.345`.
    pub fn write(self, out: &mut Vec<u8>) {
        if self.0 < 0 {
            out.push(b'-');
        }
        let value = self.0.unsigned_abs();
        digits(value / 1_000, out);
        let rest = value % 1_000;
        if rest != 0 {
            out.push(b'.');
            for unit in [100, 10, 1] {
                out.push(digit(rest / unit % 10));
            }
        }
    }
}

fn digits(value: u32, out: &mut Vec<u8>) {
    if value >= 10 {
        digits(value / 10, out);
    }
    out.push(digit(value % 10));
}

fn digit(value: u32) -> u8 {
    b'0' + u8::try_from(value % 10).unwrap_or(0)
}

impl Add for Milli {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Milli {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Milli {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<i32> for Milli {
    type Output = Self;
    fn mul(self, times: i32) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Neg for Milli {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_pdf_numbers() {
        for (value, written) in [(0, "0"), (9_000, "9"), (12_345, "12.345"), (-50, "-0.050")] {
            let mut out = Vec::new();
            Milli(value).write(&mut out);
            assert_eq!(out, written.as_bytes());
        }
    }
}
