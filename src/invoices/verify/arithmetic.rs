//! Arithmetic of an invoice (einvoice §5.1): lines, totals per rate, totals, words.
//!
//! Where a product is rounded (quantity × price, base × rate) one unit of the currency's last digit
//! is tolerated, because sellers keep advertised gross prices. Sums must be exact.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::tree::Node;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::report::Report;
use super::structure::{is_number, lines, rate_percent};
use super::tree::{find, named, value, value_at};
use crate::invoices::words::in_words;
use crate::money::Vnd;

pub fn check(data: Node<'_, '_>, report: &mut Report) {
    let Some(totals) = find(data, &["NDHDon", "TToan"]) else {
        return;
    };
    let currency = value_at(data, &["TTChung", "DVTTe"]).unwrap_or_default();
    let unit = if currency == "VND" {
        Decimal::ONE
    } else {
        Decimal::new(1, 2)
    };
    let adjusting = value_at(data, &["TTChung", "TTHDLQuan", "TCHDon"])
        .is_some_and(|nature| matches!(nature.as_ref(), "2" | "4" | "5"));
    let lines = lines(data);
    for line in &lines {
        if report.is_full() {
            return;
        }
        check_line(*line, unit, report);
    }
    if !adjusting {
        not_negative(&lines, totals, report);
    }
    let form = value_at(data, &["TTChung", "KHMSHDon"]).unwrap_or_default();
    let before_charges = if form == "2" {
        Some(
            sums_by_rate(&lines)
                .into_values()
                .fold(Decimal::ZERO, |sum, amount| sum.saturating_add(amount)),
        )
    } else {
        check_rates(&lines, totals, unit, report)
    };
    if let Some(before_charges) = before_charges {
        check_total(totals, before_charges, report);
    }
    if currency == "VND" {
        check_words(totals, report);
    }
}

pub(super) fn number(parent: Node<'_, '_>, name: &str) -> Option<Decimal> {
    // What is not a number of the format is reported by the structure; longer ones could overflow.
    value_at(parent, &[name])
        .filter(|text| is_number(text))
        .and_then(|text| Decimal::from_str(&text).ok())
}

fn check_line(line: Node<'_, '_>, unit: Decimal, report: &mut Report) {
    if value_at(line, &["TChat"]).is_some_and(|nature| matches!(nature.as_ref(), "2" | "4")) {
        return;
    }
    let (Some(quantity), Some(price), Some(amount)) = (
        number(line, "SLuong"),
        number(line, "DGia"),
        number(line, "ThTien"),
    ) else {
        return;
    };
    let Some(product) = quantity.checked_mul(price) else {
        return out_of_range(line, report);
    };
    let discount = number(line, "STCKhau").unwrap_or_default();
    let Some(expected) = product.checked_sub(discount) else {
        return out_of_range(line, report);
    };
    let mut off = rounded(expected, unit).saturating_sub(amount).abs();
    if value_at(line, &["TChat"]).as_deref() == Some("3") {
        // A discount is written as the positive amount to subtract, or negative (einvoice §2.12).
        off = off.min(rounded(expected, unit).saturating_add(amount).abs());
    }
    if off > unit {
        report.error(
            "arithmetic.line",
            (line, "ThTien"),
            format!(
                "thành tiền {amount} khác số lượng × đơn giá = {}",
                expected.normalize()
            ),
            format!(
                "amount {amount} is not quantity × price = {}",
                expected.normalize()
            ),
        );
    }
}

fn out_of_range(node: Node<'_, '_>, report: &mut Report) {
    report.error(
        "arithmetic.range",
        node,
        "số quá lớn để tính",
        "numbers are too large to compute with",
    );
}

pub(super) fn rounded(value: Decimal, unit: Decimal) -> Decimal {
    value.round_dp_with_strategy(unit.scale(), RoundingStrategy::MidpointAwayFromZero)
}

/// Sums of the lines that count (TChat 1 and 5), less trade discounts (3), by rate. Lines of a sales
/// invoice have no rate and stand under the empty one.
fn sums_by_rate<'a>(lines: &[Node<'a, '_>]) -> BTreeMap<Cow<'a, str>, Decimal> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let amount = number(*line, "ThTien").unwrap_or_default();
        let counted = match value_at(*line, &["TChat"]).as_deref() {
            Some("1" | "5") => amount,
            Some("3") => -amount.abs(),
            _ => continue,
        };
        let rate = value_at(*line, &["TSuat"]).unwrap_or_default();
        let sum: &mut Decimal = sums.entry(rate).or_default();
        *sum = sum.saturating_add(counted);
    }
    sums
}

fn check_rates(
    lines: &[Node<'_, '_>],
    totals: Node<'_, '_>,
    unit: Decimal,
    report: &mut Report,
) -> Option<Decimal> {
    let mut net = Decimal::ZERO;
    let mut vat = Decimal::ZERO;
    let mut sums = sums_by_rate(lines);
    let mut listed = BTreeSet::new();
    for total in named(totals, "THTTLTSuat").flat_map(|list| named(list, "LTSuat")) {
        let rate = value_at(total, &["TSuat"]).unwrap_or_default();
        let base = number(total, "ThTien").unwrap_or_default();
        let tax = number(total, "TThue").unwrap_or_default();
        if report.is_full() {
            return None;
        }
        let of_lines = sums.remove(&rate).unwrap_or_default();
        if of_lines != base {
            report.error(
                "arithmetic.rate_base",
                (total, "ThTien"),
                format!("tổng các dòng {rate} là {of_lines}, ghi {base}"),
                format!("lines at {rate} sum to {of_lines}, stated {base}"),
            );
        }
        if let Some(percent) = rate_percent(&rate) {
            let exact = base
                .checked_mul(percent)
                .map(|product| product / Decimal::ONE_HUNDRED);
            let expected = exact.map(|exact| rounded(exact, unit));
            if expected.is_none_or(|expected| tax.saturating_sub(expected).abs() > unit)
                || (percent.is_zero() && !tax.is_zero())
            {
                let shown = expected.unwrap_or_default();
                report.error(
                    "arithmetic.rate_vat",
                    (total, "TThue"),
                    format!("tiền thuế {rate} của {base} là {shown}, ghi {tax}"),
                    format!("VAT at {rate} of {base} is {shown}, stated {tax}"),
                );
            }
        }
        if !listed.insert(rate) {
            super::structure::repeated(total, report);
        }
        net = net.checked_add(base)?;
        vat = vat.checked_add(tax)?;
    }
    for rate in sums.into_keys() {
        report.error(
            "arithmetic.rate_missing",
            (totals, "THTTLTSuat"),
            format!("không có dòng tổng của thuế suất {rate}"),
            format!("no total for the rate {rate}"),
        );
    }
    equal(totals, "TgTCThue", net, "arithmetic.net", report);
    equal(totals, "TgTThue", vat, "arithmetic.vat", report);
    net.checked_add(vat)
}

fn equal(
    totals: Node<'_, '_>,
    name: &'static str,
    expected: Decimal,
    rule: &'static str,
    report: &mut Report,
) {
    if let Some(stated) = number(totals, name)
        && stated != expected
    {
        report.error(
            rule,
            (totals, name),
            format!("tổng đúng là {expected}, ghi {stated}"),
            format!("the sum is {expected}, stated {stated}"),
        );
    }
}

fn check_total(totals: Node<'_, '_>, before_charges: Decimal, report: &mut Report) {
    let Some(stated) = number(totals, "TgTTTBSo") else {
        return;
    };
    let charges = named(totals, "DSLPhi")
        .flat_map(|list| named(list, "LPhi"))
        .filter_map(|charge| number(charge, "TPhi"))
        .fold(Decimal::ZERO, |sum, charge| sum.saturating_add(charge));
    let reductions = number(totals, "TGTKCThue")
        .unwrap_or_default()
        .saturating_add(number(totals, "TGTKhac").unwrap_or_default());
    let expected = before_charges
        .saturating_add(charges)
        .saturating_sub(reductions);
    // Whether the trade discount is already in the lines is not settled (einvoice §5.1).
    let discount = number(totals, "TTCKTMai").unwrap_or_default();
    if stated != expected && stated != expected.saturating_sub(discount) {
        report.error(
            "arithmetic.total",
            (totals, "TgTTTBSo"),
            format!("tổng tiền thanh toán đúng là {expected}, ghi {stated}"),
            format!("the amount to pay is {expected}, stated {stated}"),
        );
    }
}

fn not_negative(lines: &[Node<'_, '_>], totals: Node<'_, '_>, report: &mut Report) {
    let amounts = lines
        .iter()
        .filter_map(|line| named(*line, "ThTien").next())
        .chain(named(totals, "TgTTTBSo"));
    for node in amounts {
        if value(node).starts_with('-') {
            report.error(
                "arithmetic.negative",
                node,
                "số âm chỉ có trên hóa đơn điều chỉnh",
                "negative amounts stand on adjusting invoices only",
            );
        }
    }
}

pub(super) fn check_words(totals: Node<'_, '_>, report: &mut Report) {
    let (Some(stated), Some(amount)) = (
        value_at(totals, &["TgTTTBChu"]),
        number(totals, "TgTTTBSo").and_then(|amount| amount.to_i64()),
    ) else {
        return;
    };
    let expected = in_words(Vnd::new(amount));
    if stated != expected && plain(&stated) != plain(&expected) {
        report.error(
            "arithmetic.words",
            (totals, "TgTTTBChu"),
            format!("số tiền bằng chữ phải là \"{expected}\", ghi \"{stated}\""),
            format!("the amount in words is \"{expected}\", stated \"{stated}\""),
        );
    }
}

/// Words without the variants that mean the same (einvoice §6.3).
fn plain(words: &str) -> Vec<String> {
    words
        .to_lowercase()
        .split(|found: char| !found.is_alphabetic())
        .filter(|word| !matches!(*word, "" | "chẵn" | "vnd" | "việt" | "nam"))
        .map(|word| match word {
            "linh" => "lẻ",
            "ngàn" => "nghìn",
            "tỉ" => "tỷ",
            "bốn" => "tư",
            "lăm" => "năm",
            "mốt" => "một",
            "giảm" => "âm",
            "mươi" => "mười",
            other => other,
        })
        .map(str::to_owned)
        .collect()
}
