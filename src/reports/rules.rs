//! Indicators as shares of whole numbers, and how they are summed over schools.

use std::fmt;

use super::store::SchoolSums;
use crate::money::Vnd;

/// Parts of a whole. A whole of nothing has no share: it is shown as "không phát sinh", never as
/// 0 % or 100 % (school-fees §6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub part: i64,
    pub whole: i64,
}

impl Share {
    /// Tenths of a per cent, rounded half up; nothing without a whole.
    pub fn per_mille(self) -> Option<i64> {
        if self.whole <= 0 {
            return None;
        }
        let exact = i128::from(self.part) * 2_000 / i128::from(self.whole);
        i64::try_from((exact + 1) / 2).ok()
    }
}

/// `87,5 %`; nothing at all without a whole.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per_mille() {
            Some(tenths) => write!(f, "{},{}\u{a0}%", tenths / 10, tenths % 10),
            None => Ok(()),
        }
    }
}

/// Sums over some schools, and the indicators that follow from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub schools: i64,
    pub bills: i64,
    pub due: Vnd,
    pub settled: Vnd,
    cashless_settled: Vnd,
    receipts: i64,
    cashless_receipts: i64,
    invoice_lines: i64,
    invoiced_lines: i64,
}

impl Sums {
    /// Adds everything up; shares are never averaged.
    pub fn of<'s>(schools: impl IntoIterator<Item = &'s SchoolSums>) -> Self {
        schools
            .into_iter()
            .fold(Self::default(), |sums, school| Self {
                schools: sums.schools + 1,
                bills: sums.bills + school.bills,
                due: sums.due + school.due,
                settled: sums.settled + school.settled,
                cashless_settled: sums.cashless_settled + school.cashless_settled,
                receipts: sums.receipts + school.receipts,
                cashless_receipts: sums.cashless_receipts + school.cashless_receipts,
                invoice_lines: sums.invoice_lines + school.invoice_lines,
                invoiced_lines: sums.invoiced_lines + school.invoiced_lines,
            })
    }

    /// `K2_VALUE`: settled without cash ÷ settled.
    pub fn by_value(&self) -> Share {
        Share {
            part: self.cashless_settled.get(),
            whole: self.settled.get(),
        }
    }

    /// `K3_COUNT`: receipts without cash ÷ receipts.
    pub fn by_count(&self) -> Share {
        Share {
            part: self.cashless_receipts,
            whole: self.receipts,
        }
    }

    /// `K5_INVOICE`: settled lines with a valid invoice ÷ settled lines that want one.
    pub fn invoiced(&self) -> Share {
        Share {
            part: self.invoiced_lines,
            whole: self.invoice_lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_no_share() {
        assert_eq!(Share { part: 0, whole: 0 }.per_mille(), None);
        assert_eq!(Share { part: 0, whole: 0 }.to_string(), "");
        assert_eq!(Share { part: 0, whole: 7 }.to_string(), "0,0\u{a0}%");
    }

    #[test]
    fn shares_are_rounded_half_up_to_tenths_of_a_per_cent() {
        assert_eq!(Share { part: 7, whole: 8 }.to_string(), "87,5\u{a0}%");
        assert_eq!(Share { part: 1, whole: 3 }.to_string(), "33,3\u{a0}%");
        assert_eq!(Share { part: 2, whole: 3 }.to_string(), "66,7\u{a0}%");
        assert_eq!(
            Share {
                part: 1,
                whole: 2_000
            }
            .to_string(),
            "0,1\u{a0}%"
        );
        assert_eq!(Share { part: 9, whole: 9 }.to_string(), "100,0\u{a0}%");
    }
}
