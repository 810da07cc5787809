//! Decimals of at most six places, and the sums of an invoice.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::reason::{self, Reason};
use super::xml::{child, children, text_at};

/// Digits altogether and after the point: the format's `21,6`.
const DIGITS_MAX: usize = 21;
const PLACES_MAX: usize = 6;
const MICRO: i128 = 1_000_000;

/// Reads a decimal as millionths.
pub(super) fn decimal(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(places) || digits.ends_with('.') {
        return None;
    }
    if places.len() > PLACES_MAX || whole.len() + places.len() > DIGITS_MAX {
        return None;
    }
    let padded = format!("{places:0<PLACES_MAX$}");
    let whole: i128 = whole.parse().ok()?;
    let places: i128 = padded.parse().ok()?;
    Some(sign * (whole * MICRO + places))
}

/// Division rounded half away from zero.
fn divide(value: i128, by: i128) -> i128 {
    let half = if value < 0 { -by / 2 } else { by / 2 };
    (value + half) / by
}

#[derive(Default)]
struct Rate {
    base: i128,
    lines: i128,
}

/// Compares every sum of `NDHDon` with its parts.
pub(super) fn check(content: Node<'_, '_>, form: &str) -> Vec<Reason> {
    let mut sums = Sums {
        reasons: Vec::new(),
    };
    let Some(list) = child(content, "DSHHDVu") else {
        return sums.reasons;
    };
    let Some(totals) = child(content, "TToan") else {
        return sums.reasons;
    };
    let mut rates: BTreeMap<String, Rate> = BTreeMap::new();
    for (index, line) in children(list, "HHDVu").enumerate() {
        sums.line(line, index + 1, &mut rates);
    }
    let lines: i128 = rates.values().map(|rate| rate.base).sum();
    let charges: i128 = child(totals, "DSLPhi")
        .map(|list| {
            children(list, "LPhi")
                .filter_map(|fee| sums.amount(fee, "TPhi"))
                .sum()
        })
        .unwrap_or(0);
    let less = sums.amount(totals, "TGTKhac").unwrap_or(0);
    let payable = if form == "1" {
        let (net, tax) = sums.per_rate(totals, &rates);
        sums.expect(totals, "TgTCThue", net, 0);
        sums.expect(totals, "TgTThue", tax, 0);
        net + tax - sums.amount(totals, "TGTKCThue").unwrap_or(0)
    } else {
        lines
    };
    sums.expect(totals, "TgTTTBSo", payable + charges - less, 0);
    sums.reasons
}

struct Sums {
    reasons: Vec<Reason>,
}

impl Sums {
    fn fault(&mut self, text: String) {
        self.reasons.push(Reason::new(reason::ARITHMETIC, text));
    }

    fn amount(&mut self, node: Node<'_, '_>, name: &str) -> Option<i128> {
        let text = text_at(node, name)?;
        let value = decimal(&text);
        if value.is_none() {
            self.fault(format!("{name} không phải số hợp lệ"));
        }
        value
    }

    fn expect(&mut self, node: Node<'_, '_>, name: &str, expected: i128, tolerance: i128) {
        if let Some(found) = self.amount(node, name)
            && (found - expected).abs() > tolerance
        {
            self.fault(format!(
                "{name} là {}, phải là {}",
                found / MICRO,
                expected / MICRO
            ));
        }
    }

    fn line(&mut self, line: Node<'_, '_>, number: usize, rates: &mut BTreeMap<String, Rate>) {
        let nature = text_at(line, "TChat").unwrap_or_default();
        let amount = self.amount(line, "ThTien").unwrap_or(0);
        let quantity = self.amount(line, "SLuong");
        let price = self.amount(line, "DGia");
        if let (Some(quantity), Some(price)) = (quantity, price) {
            let discount = self.amount(line, "STCKhau").unwrap_or(0);
            let Some(product) = quantity.checked_mul(price) else {
                return self.fault(format!("Dòng {number}: số lượng hoặc đơn giá quá lớn"));
            };
            let expected = divide(product, MICRO * MICRO) * MICRO - discount;
            if nature != "4" && (amount - expected).abs() > MICRO {
                self.fault(format!(
                    "Dòng {number}: thành tiền {} khác số lượng × đơn giá {}",
                    amount / MICRO,
                    expected / MICRO
                ));
            }
        }
        let signed = match nature.as_str() {
            "1" | "5" => amount,
            "3" => -amount,
            _ => return,
        };
        let rate = rates
            .entry(text_at(line, "TSuat").unwrap_or_default())
            .or_default();
        rate.base += signed;
        rate.lines += 1;
    }

    /// Checks `THTTLTSuat` against the lines; returns its net and tax sums.
    fn per_rate(&mut self, totals: Node<'_, '_>, rates: &BTreeMap<String, Rate>) -> (i128, i128) {
        let (mut net, mut tax) = (0, 0);
        let mut seen = Vec::new();
        if let Some(list) = child(totals, "THTTLTSuat") {
            for group in children(list, "LTSuat") {
                let name = text_at(group, "TSuat").unwrap_or_default();
                let base = self.amount(group, "ThTien").unwrap_or(0);
                let amount = self.amount(group, "TThue").unwrap_or(0);
                net += base;
                tax += amount;
                match (rates.get(&name), percent(&name)) {
                    (Some(rate), Some(percent)) => {
                        if base != rate.base {
                            self.fault(format!("Tổng theo thuế suất {name} khác tổng các dòng"));
                        }
                        let expected = divide(base * percent, 100 * MICRO) * MICRO;
                        if (amount - expected).abs() > rate.lines.max(1) * MICRO {
                            self.fault(format!(
                                "Tiền thuế {name} là {}, phải là {}",
                                amount / MICRO,
                                expected / MICRO
                            ));
                        }
                    }
                    _ => self.fault(format!(
                        "Thuế suất {name} không có trên dòng nào hoặc không hợp lệ"
                    )),
                }
                seen.push(name);
            }
        }
        for name in rates.keys().filter(|name| !seen.contains(name)) {
            self.fault(format!("Thiếu tổng của thuế suất {name}"));
        }
        (net, tax)
    }
}

/// Whole percent of a rate's name.
fn percent(name: &str) -> Option<i128> {
    match name {
        "KCT" | "KKKNT" | "0%" => Some(0),
        "5%" => Some(5),
        "8%" => Some(8),
        "10%" => Some(10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_to_twenty_one_digits_and_six_places() {
        assert_eq!(decimal("3500000"), Some(3_500_000 * MICRO));
        assert_eq!(decimal("-1.5"), Some(-1_500_000));
        for bad in ["", "1.", ".5", "1,5", "1e3", "1.1234567", "+1"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        assert_eq!(divide(5, 2), 3);
        assert_eq!(divide(-5, 2), -3);
    }
}
