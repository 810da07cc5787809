//! How an amount is spread over the lines of a bill. Pure, exact, total.

use crate::money::Vnd;

/// What a line still wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLine {
    pub line_no: i64,
    /// Order inside the bill (convention PC-6): health insurance, tuition, services, on behalf.
    pub priority: i64,
    /// Voluntary lines are paid only by a payment that settles the whole bill: the payer then
    /// clearly meant them.
    pub voluntary: bool,
    pub outstanding: Vnd,
}

/// The parts of an amount: per line, and what no line takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocated {
    /// Line number and its part; no part is zero.
    pub lines: Vec<(i64, Vnd)>,
    /// Held for the pupil.
    pub rest: Vnd,
}

/// Spreads `amount` over `lines`. The parts and the rest always sum to the amount.
pub fn allocate(lines: &[OpenLine], amount: Vnd) -> Allocated {
    let outstanding: Vnd = lines.iter().map(|line| line.outstanding).sum();
    let whole = amount >= outstanding;
    let mut order: Vec<&OpenLine> = lines
        .iter()
        .filter(|line| line.outstanding.is_positive() && (whole || !line.voluntary))
        .collect();
    order.sort_by_key(|line| (line.priority, line.line_no));
    let mut rest = amount;
    let mut parts = Vec::with_capacity(order.len());
    for line in order {
        let part = line.outstanding.min(rest);
        if part.is_positive() {
            parts.push((line.line_no, part));
            rest -= part;
        }
    }
    Allocated { lines: parts, rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(line_no: i64, priority: i64, voluntary: bool, outstanding: i64) -> OpenLine {
        OpenLine {
            line_no,
            priority,
            voluntary,
            outstanding: Vnd::new(outstanding),
        }
    }

    #[test]
    fn a_part_payment_goes_by_priority_and_spares_voluntary_lines() {
        let lines = [
            line(1, 3, false, 200),
            line(2, 1, false, 100),
            line(3, 9, true, 50),
        ];
        let part = allocate(&lines, Vnd::new(150));
        assert_eq!(part.lines, [(2, Vnd::new(100)), (1, Vnd::new(50))]);
        // 320 covers the obligations but not the voluntary line: the 20 are the pupil's.
        assert_eq!(allocate(&lines, Vnd::new(320)).rest, Vnd::new(20));
        let whole = allocate(&lines, Vnd::new(360));
        assert_eq!((whole.lines.len(), whole.rest), (3, Vnd::new(10)));
    }

    proptest! {
        #[test]
        fn every_dong_is_somewhere_and_no_line_gets_too_much(
            wanted in prop::collection::vec((0i64..5, any::<bool>(), 0i64..1_000_000), 0..8),
            amount in 1i64..5_000_000,
        ) {
            let lines: Vec<_> = wanted.iter().enumerate()
                .map(|(no, (priority, voluntary, out))| line(no as i64 + 1, *priority, *voluntary, *out))
                .collect();
            let allocated = allocate(&lines, Vnd::new(amount));
            let parts: Vnd = allocated.lines.iter().map(|(_, part)| *part).sum();
            prop_assert_eq!(parts + allocated.rest, Vnd::new(amount));
            for (line_no, part) in &allocated.lines {
                let line = lines.iter().find(|line| line.line_no == *line_no).unwrap();
                prop_assert!(part.is_positive() && *part <= line.outstanding);
            }
        }
    }
}
