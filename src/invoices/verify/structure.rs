//! Structure of the invoice: what must be there, once, and in the form of the tables.

use std::str::FromStr;

use rust_decimal::Decimal;
use unicode_normalization::is_nfc;

use super::catalogue::RuleSet;
use super::report::Report;
use super::schema::{Content, DATA, Element, Need};
use super::tree::{Node, NodeType, elements, is, named, value, value_at};
use crate::clock::Day;
use crate::invoices::tax_code;

const NUMBER_DIGITS_MAX: usize = 21;
const NUMBER_DECIMALS_MAX: usize = 6;

/// Checks `DLHDon` against the tables, then what depends on more than one element.
pub fn check(data: Node<'_, '_>, report: &mut Report) {
    let format = value_at(data, &["TTChung", "PBan"]).unwrap_or_default();
    if !matches!(format.as_ref(), "2.0.0" | "2.0.1" | "2.1.0" | "2.1.1" | "") {
        report.warn(
            "structure.version",
            (data, "TTChung/PBan"),
            format!("phiên bản {format} không được biết"),
            format!("format version {format} is not known"),
        );
    }
    let since_21 = report.rules >= RuleSet::V2_1_0;
    group(data, DATA, since_21, report);
    kind_of_invoice(data, since_21, report);
    symbol(data, report);
    buyer(data, report);
    for line in lines(data) {
        let nature = value_at(line, &["TChat"]).unwrap_or_default();
        if named(line, "ThTien").next().is_none() && !matches!(nature.as_ref(), "2" | "4") {
            missing(line, "ThTien", report);
        }
    }
}

/// `HHDVu` elements.
pub fn lines<'a, 'i>(data: Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
    super::tree::find(data, &["NDHDon", "DSHHDVu"])
        .map(|list| named(list, "HHDVu").collect())
        .unwrap_or_default()
}

pub fn group(node: Node<'_, '_>, table: &[Element], since_21: bool, report: &mut Report) {
    // Files mostly follow the table: the search begins where the last element was found.
    let mut known = Vec::with_capacity(table.len());
    let mut unknown = Vec::new();
    let mut last = 0;
    for child in elements(node) {
        let (before, from_last) = table.split_at(last);
        let found = from_last
            .iter()
            .position(|element| is(child, element.name))
            .map(|at| at + last)
            .or_else(|| before.iter().position(|element| is(child, element.name)));
        match found {
            Some(at) => {
                known.push((at, child));
                last = at;
            }
            None => unknown.push(child),
        }
    }
    known.sort_by_key(|(at, _)| *at);
    let mut rest = known.as_slice();
    for (at, element) in table.iter().enumerate() {
        if report.is_full() {
            return;
        }
        let here = rest.iter().take_while(|(found, _)| *found == at).count();
        let (found, later) = rest.split_at(here);
        rest = later;
        let needed = match element.need {
            Need::Must => true,
            Need::Must21 => since_21,
            Need::May => false,
        };
        if found.is_empty() && needed {
            missing(node, element.name, report);
        }
        if let [_, (_, second), ..] = found
            && !element.many
        {
            repeated(*second, report);
        }
        for (_, child) in found {
            if report.is_full() {
                return;
            }
            content(*child, element, needed, since_21, report);
        }
    }
    for child in unknown {
        if report.is_full() {
            return;
        }
        report.warn(
            "structure.unknown",
            child,
            format!(
                "phần tử {} không có trong định dạng",
                child.tag_name().name()
            ),
            format!(
                "element {} is not part of the format",
                child.tag_name().name()
            ),
        );
    }
}

pub fn missing(parent: Node<'_, '_>, name: &str, report: &mut Report) {
    report.error(
        "structure.missing",
        (parent, name),
        format!("thiếu phần tử bắt buộc {name}"),
        format!("mandatory element {name} is missing"),
    );
}

pub fn stray(node: Node<'_, '_>, report: &mut Report) {
    report.error(
        "structure.stray",
        node,
        "phần tử không thuộc hóa đơn",
        "an element that does not belong to an invoice",
    );
}

pub fn repeated(node: Node<'_, '_>, report: &mut Report) {
    let name = node.tag_name().name();
    report.error(
        "structure.repeated",
        node,
        format!("phần tử {name} chỉ được có một lần"),
        format!("element {name} may stand only once"),
    );
}

fn content(
    node: Node<'_, '_>,
    element: &Element,
    needed: bool,
    since_21: bool,
    report: &mut Report,
) {
    let inner = match element.content {
        // Vendors write optional groups empty.
        Content::Group(_) if !needed && elements(node).next().is_none() => return,
        Content::Group(table) => return group(node, table, since_21, report),
        Content::Any => return,
        leaf => leaf,
    };
    if node.only_text().is_none() {
        only_text(node, report);
    }
    let text = value(node);
    if text.is_empty() {
        // Vendors write optional elements empty; an empty mandatory one says nothing.
        if needed {
            missing(node.parent().unwrap_or(node), element.name, report);
        }
        return;
    }
    if !text.is_ascii() && !is_nfc(&text) {
        report.warn(
            "structure.nfc",
            node,
            "chữ tiếng Việt không ở dạng dựng sẵn (NFC)",
            "Vietnamese text is not in composed form (NFC)",
        );
    }
    match inner {
        // Bytes are at least characters.
        Content::Text(limit) if text.len() > limit && text.chars().count() > limit => {
            too_long(node, limit, report)
        }
        Content::Digits(limit) if !all_digits(&text) => {
            bad_form(node, "chỉ được có chữ số", "must be digits", report);
            let _ = limit;
        }
        Content::Digits(limit) if text.len() > limit => too_long(node, limit, report),
        Content::Number if !is_number(&text) => bad_form(
            node,
            "không phải số đúng dạng (21 chữ số, 6 số thập phân)",
            "not a number of the format (21 digits, 6 decimals)",
            report,
        ),
        Content::Quantity if !is_decimal(&text, quantity_limits(report.rules)) => bad_form(
            node,
            "không phải số lượng hay đơn giá đúng dạng",
            "not a quantity or price of the format",
            report,
        ),
        Content::Date if Day::parse_iso(&text).is_none() => {
            bad_form(
                node,
                "không phải ngày YYYY-MM-DD",
                "not a day YYYY-MM-DD",
                report,
            );
        }
        Content::OneOf(values) if !values.contains(&text.as_ref()) => bad_form(
            node,
            &format!("giá trị phải là một trong {}", values.join(", ")),
            &format!("value must be one of {}", values.join(", ")),
            report,
        ),
        Content::Rate if rate_percent(&text).is_none() => {
            bad_form(
                node,
                "thuế suất không đúng dạng",
                "not a VAT rate of the format",
                report,
            );
        }
        Content::TaxCode => {
            if let Err(problem) = tax_code::check(&text) {
                report.error(
                    "structure.tax_code",
                    node,
                    format!("mã số thuế {text} không đúng: {}", problem.in_vietnamese()),
                    format!("tax code {text} is wrong: {problem}"),
                );
            }
        }
        _ => {}
    }
}

/// A value is text and nothing else.
fn only_text(node: Node<'_, '_>, report: &mut Report) {
    if let Some(child) = elements(node).next() {
        bad_form(
            child,
            "phần tử con ở nơi chỉ có chữ",
            "an element where only text may stand",
            report,
        );
    }
    if let Some(hidden) = node
        .children()
        .find(|child| matches!(child.node_type(), NodeType::Comment | NodeType::Instruction))
    {
        report.error(
            "structure.comment",
            (node, if hidden.instruction().is_some() { "processing-instruction()" } else { "comment()" }),
            "chú thích hoặc chỉ thị xử lý nằm trong giá trị: chương trình khác có thể đọc thiếu",
            "a comment or processing instruction inside a value: other programs may read less of it",
        );
    }
}

fn too_long(node: Node<'_, '_>, limit: usize, report: &mut Report) {
    report.error(
        "structure.length",
        node,
        format!("dài quá {limit} ký tự"),
        format!("longer than {limit} characters"),
    );
}

fn bad_form(node: Node<'_, '_>, vi: &str, en: &str, report: &mut Report) {
    report.error("structure.form", node, vi, en);
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits and decimals of quantities and prices: 19,4 before 2.1.0 (einvoice §2.1).
fn quantity_limits(rules: RuleSet) -> (usize, usize) {
    match rules {
        RuleSet::V2_0 => (19, 4),
        RuleSet::V2_1_0 | RuleSet::V2_1_1 => (NUMBER_DIGITS_MAX, NUMBER_DECIMALS_MAX),
    }
}

/// A number as the format writes it: at most 21 digits, of which 6 decimals.
pub fn is_number(text: &str) -> bool {
    is_decimal(text, (NUMBER_DIGITS_MAX, NUMBER_DECIMALS_MAX))
}

fn is_decimal(text: &str, (digits_max, decimals_max): (usize, usize)) -> bool {
    // As nearly all are.
    if (1..=digits_max).contains(&text.len()) && all_digits(text) {
        return true;
    }
    let body = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = body.split_once('.').unwrap_or((body, "0"));
    let shown = decimals.trim_end_matches('0');
    !whole.is_empty()
        && !decimals.is_empty()
        && all_digits(whole)
        && all_digits(decimals)
        && whole.len() + shown.len() <= digits_max
        && shown.len() <= decimals_max
}

/// The percentage of a rate; 0 for rates without VAT. `None` when it is not a rate.
pub fn rate_percent(text: &str) -> Option<Decimal> {
    match text {
        "KCT" | "KKKNT" | "0%" | "CTTC" => Some(Decimal::ZERO),
        "5%" => Some(Decimal::from(5)),
        "8%" => Some(Decimal::from(8)),
        "10%" => Some(Decimal::from(10)),
        other => {
            let percent = other.strip_prefix("KHAC:")?;
            let percent = percent.strip_suffix('%').unwrap_or(percent);
            let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
            let good = |part: &str| (1..=2).contains(&part.len()) && all_digits(part);
            (good(whole) && good(decimals))
                .then(|| Decimal::from_str(percent).ok())
                .flatten()
        }
    }
}

fn kind_of_invoice(data: Node<'_, '_>, since_21: bool, report: &mut Report) {
    let Some(general) = named(data, "TTChung").next() else {
        return;
    };
    let form = value_at(general, &["KHMSHDon"]).unwrap_or_default();
    let totals = super::tree::find(data, &["NDHDon", "TToan"]);
    match form.as_ref() {
        "1" => {
            if since_21 && named(general, "HDCTTChinh").next().is_none() {
                missing(general, "HDCTTChinh", report);
            }
            let mut is_counted = false;
            for line in lines(data) {
                let nature = value_at(line, &["TChat"]).unwrap_or_default();
                if matches!(nature.as_ref(), "1" | "5") {
                    is_counted = true;
                    if named(line, "TSuat").next().is_none() {
                        missing(line, "TSuat", report);
                    }
                }
            }
            if let Some(totals) = totals {
                for (name, needed) in [
                    ("THTTLTSuat", is_counted),
                    ("TgTCThue", true),
                    ("TgTThue", true),
                ] {
                    if needed && named(totals, name).next().is_none() {
                        missing(totals, name, report);
                    }
                }
            }
        }
        "2" => {
            // Of every version, unlike the flag of finance leases.
            if named(general, "HDDCKPTQuan").next().is_none() {
                missing(general, "HDDCKPTQuan", report);
            }
            let rates = lines(data)
                .into_iter()
                .chain(totals)
                .flat_map(|node| ["TSuat", "THTTLTSuat", "TgTThue"].map(|name| (node, name)));
            for (node, name) in rates {
                if let Some(found) = named(node, name).next() {
                    report.error(
                        "structure.sales_rate",
                        found,
                        "hóa đơn bán hàng không có thuế suất và tiền thuế",
                        "a sales invoice has neither VAT rate nor VAT",
                    );
                }
            }
        }
        _ => {}
    }
}

fn symbol(data: Node<'_, '_>, report: &mut Report) {
    let Some(symbol) = value_at(data, &["TTChung", "KHHDon"]) else {
        return;
    };
    let bytes = symbol.as_bytes();
    let good = matches!(
        bytes,
        [b'C' | b'K', y1, y2, b'T' | b'D' | b'L' | b'M' | b'N' | b'B' | b'G' | b'H' | b'X' | b'F', a, b]
            if y1.is_ascii_digit() && y2.is_ascii_digit() && a.is_ascii_uppercase() && b.is_ascii_uppercase()
    );
    if !good {
        report.error(
            "structure.symbol",
            (data, "TTChung/KHHDon"),
            format!("ký hiệu {symbol} không đúng dạng (ví dụ C26TAA)"),
            format!("symbol {symbol} is not of the form C26TAA"),
        );
    }
    let number_is_zero = value_at(data, &["TTChung", "SHDon"])
        .is_some_and(|number| all_digits(&number) && number.trim_start_matches('0').is_empty());
    if number_is_zero {
        report.error(
            "structure.number",
            (data, "TTChung/SHDon"),
            "số hóa đơn bắt đầu từ 1",
            "invoice numbers start at 1",
        );
    }
}

fn buyer(data: Node<'_, '_>, report: &mut Report) {
    let Some(buyer) = super::tree::find(data, &["NDHDon", "NMua"]) else {
        return;
    };
    let has = |name| value_at(buyer, &[name]).is_some_and(|text| !text.is_empty());
    if (has("MST") || has("MDVQHNSach")) && !(has("Ten") && has("DChi")) {
        report.error(
            "structure.buyer",
            buyer,
            "người mua có mã số thuế hoặc mã ĐVQHNS phải có tên và địa chỉ",
            "a buyer with a tax code or budget code needs a name and an address",
        );
    }
    if !(has("Ten") || has("HVTNMHang")) {
        report.error(
            "structure.buyer",
            buyer,
            "người mua không có tên: phải ghi \"Bán cho người tiêu dùng\"",
            "a buyer without a name must read \"Bán cho người tiêu dùng\"",
        );
    }
    if let Some(personal) = value_at(buyer, &["CCCDan"]).filter(|text| !text.is_empty())
        && personal.len() != 12
    {
        report.error(
            "structure.form",
            (buyer, "CCCDan"),
            "số định danh cá nhân có 12 chữ số",
            "a personal identity number has 12 digits",
        );
    }
}
