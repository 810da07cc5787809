//! Our own payment receipts: structure, sum, words, signature.

use super::tree::Node;
use rust_decimal::Decimal;

use super::arithmetic::{check_words, number};
use super::catalogue::RuleSet;
use super::report::{Report, Summary};
use super::schema::RECEIPT;
use super::signatures::{self, Context};
use super::tree::{elements, find, is, named, path, text_at};
use super::{dates, structure};
use crate::clock::Day;
use crate::invoices::receipt::FORM;

pub fn check<'a, 'i>(
    receipt: Node<'a, 'i>,
    context: Context<'_, 'a, 'i>,
    today: Option<Day>,
    report: &mut Report,
) {
    report.rules = RuleSet::V2_1_1;
    for child in elements(receipt) {
        if !(is(child, "DLPhieuThu") || is(child, "DSCKS")) {
            structure::stray(child, report);
        }
    }
    for name in ["DLPhieuThu", "DSCKS"] {
        if let Some(second) = named(receipt, name).nth(1) {
            structure::repeated(second, report);
        }
    }
    let Some(data) = named(receipt, "DLPhieuThu").next() else {
        structure::missing(receipt, "DLPhieuThu", report);
        return;
    };
    let text = |steps: &[&str]| text_at(data, steps).unwrap_or_default();
    let mut summary = Summary {
        place: path(receipt),
        format: text(&["TTChung", "PBan"]),
        form: FORM.to_owned(),
        symbol: text(&["TTChung", "KHHDon"]),
        number: text(&["TTChung", "SHDon"]),
        issue_day: text(&["TTChung", "NLap"]),
        seller_tax_code: text(&["NDPThu", "NBan", "MST"]),
        seller_name: text(&["NDPThu", "NBan", "Ten"]),
        total: text(&["NDPThu", "TToan", "TgTTTBSo"]),
        ..Summary::default()
    };
    structure::group(data, RECEIPT, true, report);
    if let Some(totals) = find(data, &["NDPThu", "TToan"]) {
        let sum = find(data, &["NDPThu", "DSKThu"])
            .into_iter()
            .flat_map(|list| named(list, "KThu"))
            .filter_map(|line| number(line, "STien"))
            .fold(Decimal::ZERO, Decimal::saturating_add);
        if let Some(stated) = number(totals, "TgTTTBSo")
            && stated != sum
        {
            report.error(
                "arithmetic.total",
                (totals, "TgTTTBSo"),
                format!("tổng tiền thanh toán đúng là {sum}, ghi {stated}"),
                format!("the amount to pay is {sum}, stated {stated}"),
            );
        }
        check_words(totals, report);
    }
    dates::check_symbol_year(data, today, report);
    signatures::check(receipt, data, context, &mut summary, report);
    report.invoices.push(summary);
}
