//! What an invoice and its corrections say together, and the lines of a correction as the difference
//! of two such contents. Pure.

use serde::{Deserialize, Serialize};

use super::rules::Refusal;
use crate::invoices::document::{
    Buyer, Collected, Document, Heading, Line, LineKind, RateTotal, VatRate,
};
use crate::money::{MoneyError, Vnd};

/// One collected amount as it is documented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLine {
    /// The allocation of the payment.
    pub seq: i64,
    pub name: String,
    /// VAT included, zero or more.
    pub amount: Vnd,
    pub rate: VatRate,
}

/// What a chain says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub buyer: Buyer,
    pub lines: Vec<ContentLine>,
}

impl Content {
    /// Of an invoice that nothing has corrected: its lines stand in the order of the allocations.
    /// `None` when they do not.
    pub fn of_root(document: &Document, documented: &[(i64, Vnd)]) -> Option<Self> {
        let lines: Vec<&Line> = document
            .lines
            .iter()
            .filter(|line| line.kind != LineKind::Note)
            .collect();
        if lines.len() != documented.len() {
            return None;
        }
        Some(Self {
            buyer: document.buyer.clone(),
            lines: lines
                .into_iter()
                .zip(documented)
                .map(|(line, (seq, amount))| ContentLine {
                    seq: *seq,
                    name: line.name.clone(),
                    amount: *amount,
                    rate: line.rate,
                })
                .collect(),
        })
    }

    /// Less by what left these allocations; `None` when one of them holds less than that.
    pub fn less(&self, parts: &[(i64, Vnd)]) -> Option<Self> {
        let mut rest = self.clone();
        for (seq, amount) in parts {
            let line = rest.lines.iter_mut().find(|line| line.seq == *seq)?;
            line.amount = line.amount.checked_sub(*amount)?;
            if line.amount.is_negative() {
                return None;
            }
        }
        Some(rest)
    }

    pub fn total(&self) -> Vnd {
        self.lines.iter().map(|line| line.amount).sum()
    }
}

/// By how much each allocation's documented amount changes, where it does.
///
/// # Errors
/// [`Refusal`] when the lines are not the same ones, nothing changes, or an amount is below zero.
pub fn changes(before: &Content, after: &Content) -> Result<Vec<(i64, Vnd)>, Refusal> {
    let same_lines = before.lines.len() == after.lines.len()
        && before
            .lines
            .iter()
            .zip(&after.lines)
            .all(|(one, other)| one.seq == other.seq);
    if !same_lines {
        return Err(Refusal::OtherLines {
            expected: before.lines.len(),
            found: after.lines.len(),
        });
    }
    if after.lines.iter().any(|line| line.amount.is_negative()) {
        return Err(Refusal::BelowZero);
    }
    if before == after {
        return Err(Refusal::NothingChanges);
    }
    Ok(before
        .lines
        .iter()
        .zip(&after.lines)
        .map(|(one, other)| (one.seq, other.amount - one.amount))
        .filter(|(_, change)| !change.is_zero())
        .collect())
}

/// The lines of an adjusting invoice: differences alone, and words for what has no amount.
pub fn differences(before: &Content, after: &Content) -> Vec<Collected> {
    let mut lines = Vec::new();
    let mut add = |name: &str, amount: Vnd, rate| {
        if !amount.is_zero() {
            lines.push(Collected::supply(name, amount, rate));
        }
    };
    for (one, other) in before.lines.iter().zip(&after.lines) {
        if one.rate == other.rate {
            add(&other.name, other.amount - one.amount, other.rate);
        } else {
            add(&one.name, -one.amount, one.rate);
            add(&other.name, other.amount, other.rate);
        }
    }
    for (one, other) in before.lines.iter().zip(&after.lines) {
        if one.name != other.name {
            lines.push(Collected::note(format!(
                "Điều chỉnh tên hàng hóa, dịch vụ “{}” thành “{}”",
                one.name, other.name
            )));
        }
    }
    if before.buyer != after.buyer {
        lines.push(Collected::note("Điều chỉnh thông tin người mua"));
    }
    lines
}

/// An adjusting invoice.
///
/// # Errors
/// [`MoneyError`] when amounts leave their range.
pub fn adjusting(
    heading: Heading,
    before: &Content,
    after: &Content,
) -> Result<Document, MoneyError> {
    Document::new(heading, &differences(before, after))
}

/// A replacing invoice: the whole content. While no amount and no rate changes, the lines keep their
/// quantities and prices.
///
/// # Errors
/// As [`adjusting`].
pub fn replacing(
    heading: Heading,
    in_force: &Document,
    before: &Content,
    after: &Content,
) -> Result<Document, MoneyError> {
    let same_figures = heading.numbering.form == in_force.numbering.form
        && in_force.lines.len() == after.lines.len()
        && before
            .lines
            .iter()
            .zip(&after.lines)
            .all(|(one, other)| one.amount == other.amount && one.rate == other.rate);
    let collected: Vec<Collected> = after
        .lines
        .iter()
        .map(|line| Collected::supply(&line.name, line.amount, line.rate))
        .collect();
    let mut document = Document::new(heading, &collected)?;
    if same_figures {
        let lines: Vec<Line> = in_force
            .lines
            .iter()
            .zip(&after.lines)
            .map(|(line, wanted)| Line {
                name: wanted.name.clone(),
                ..line.clone()
            })
            .collect();
        let rates: Vec<RateTotal> = in_force.rates.clone();
        document = Document {
            lines,
            rates,
            net: in_force.net,
            vat: in_force.vat,
            total: in_force.total,
            ..document
        };
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(amounts: &[(i64, VatRate)]) -> Content {
        Content {
            buyer: Buyer::default(),
            lines: (1..)
                .zip(amounts)
                .map(|(seq, &(amount, rate))| ContentLine {
                    seq,
                    name: format!("Khoản {seq}"),
                    amount: Vnd::new(amount),
                    rate,
                })
                .collect(),
        }
    }

    #[test]
    fn a_wrong_rate_is_taken_back_at_the_old_one_and_put_at_the_new_one() {
        let before = content(&[(540_000, VatRate::Eight), (100, VatRate::NotSubject)]);
        let after = content(&[(540_000, VatRate::NotSubject), (100, VatRate::NotSubject)]);
        assert_eq!(changes(&before, &after), Ok(vec![]));
        let lines: Vec<_> = differences(&before, &after)
            .into_iter()
            .map(|line| (line.amount.get(), line.rate))
            .collect();
        assert_eq!(
            lines,
            [(-540_000, VatRate::Eight), (540_000, VatRate::NotSubject)]
        );
    }

    #[test]
    fn words_alone_are_adjusted_by_lines_without_amounts() {
        let before = content(&[(100, VatRate::NotSubject)]);
        let mut after = before.clone();
        after.buyer.tax_code = Some("0100109106".into());
        after.lines[0].name = "Học phí".into();
        let lines = differences(&before, &after);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.kind == LineKind::Note));
        assert_eq!(changes(&before, &before), Err(Refusal::NothingChanges));
    }

    #[test]
    fn no_more_leaves_a_line_than_it_documents() {
        let before = content(&[(100, VatRate::NotSubject)]);
        assert_eq!(
            before
                .less(&[(1, Vnd::new(40)), (1, Vnd::new(60))])
                .unwrap()
                .total(),
            Vnd::ZERO
        );
        assert_eq!(before.less(&[(1, Vnd::new(101))]), None);
        assert_eq!(before.less(&[(2, Vnd::new(1))]), None);
    }

    proptest! {
        #[test]
        fn the_amounts_of_a_correction_are_the_difference_of_the_totals(
            amounts in prop::collection::vec((0i64..50_000_000, 0i64..50_000_000, 0usize..3, 0usize..3), 1..8),
        ) {
            const RATES: [VatRate; 3] = [VatRate::NotSubject, VatRate::Eight, VatRate::Ten];
            let before = content(&amounts.iter().map(|row| (row.0, RATES[row.2])).collect::<Vec<_>>());
            let after = content(&amounts.iter().map(|row| (row.1, RATES[row.3])).collect::<Vec<_>>());
            let difference = after.total() - before.total();
            let lines: Vnd = differences(&before, &after).iter().map(|line| line.amount).sum();
            prop_assert_eq!(lines, difference);
            if let Ok(changes) = changes(&before, &after) {
                prop_assert_eq!(changes.iter().map(|change| change.1).sum::<Vnd>(), difference);
            }
        }
    }
}
