//! Rules across elements: what the law and the format ask of an invoice as a whole.

use std::borrow::Cow;
use std::collections::HashSet;

use super::tree::Node;
use rust_decimal::Decimal;

use super::arithmetic::{number, rounded};
use super::catalogue::RuleSet;
use super::report::Report;
use super::structure::lines;
use super::tree::{elements, find, named, value, value_at};
use crate::clock::Day;

/// First days on which a format version was in use, and the first day after (einvoice §1.1).
const PERIODS: [(&str, &str, Option<&str>); 4] = [
    ("2.0.0", "2021-11-01", Some("2025-06-01")),
    ("2.0.1", "2021-11-01", Some("2025-06-01")),
    ("2.1.0", "2025-06-01", None),
    ("2.1.1", "2026-07-01", None),
];

/// Elements that came with a later version, by the version (einvoice §2.1).
const LATER: [(RuleSet, &[&str], &[&str]); 9] = [
    (RuleSet::V2_1_0, &["TTChung"], &["HDCTTChinh"]),
    (
        RuleSet::V2_1_0,
        &["NDHDon", "NMua"],
        &["MDVQHNSach", "CCCDan", "SHChieu"],
    ),
    (RuleSet::V2_1_0, &["NDHDon", "NBan"], &["MCHang", "TCHang"]),
    (
        RuleSet::V2_1_0,
        &["TTChung", "TTHDLQuan"],
        &["SBKCLQuan", "NBKCLQuan"],
    ),
    (
        RuleSet::V2_1_1,
        &["TTChung", "TTHDLQuan"],
        &["MSTCLQuan", "LDDCTThe"],
    ),
    (
        RuleSet::V2_1_1,
        &["NDHDon", "NMua"],
        &["MTinh", "TTinh", "MXa", "TXa"],
    ),
    (RuleSet::V2_1_1, &["NDHDon", "NMua"], &["QTNMua", "MQTNMua"]),
    (RuleSet::V2_1_1, &["NDHDon", "NMua"], &["SDDTCNNgoai"]),
    (
        RuleSet::V2_1_1,
        &["NDHDon", "NBan"],
        &["MDDKDoanh", "TDDKDoanh", "DCDDKDoanh"],
    ),
];

pub fn check(data: Node<'_, '_>, report: &mut Report) {
    version(data, report);
    title_and_symbol(data, report);
    pairs(data, report);
    currency(data, report);
    related(data, report);
    buyer(data, report);
    check_lines(data, report);
}

fn text<'a>(data: Node<'a, '_>, steps: &[&str]) -> Cow<'a, str> {
    value_at(data, steps).unwrap_or_default()
}

fn day(data: Node<'_, '_>, steps: &[&str]) -> Option<Day> {
    Day::parse_iso(&value_at(data, steps)?)
}

fn version(data: Node<'_, '_>, report: &mut Report) {
    let rules = report.rules;
    for (since, path, names) in LATER {
        if rules >= since {
            continue;
        }
        let Some(group) = find(data, path) else {
            continue;
        };
        for child in elements(group) {
            let name = child.tag_name().name();
            if names.contains(&name) {
                report.warn(
                    "version.element",
                    child,
                    format!("phần tử {name} chỉ có từ phiên bản {since}"),
                    format!("element {name} exists since version {since} only"),
                );
            }
        }
    }
    later_values(data, report);
    let format = text(data, &["TTChung", "PBan"]);
    let (Some(issued), Some((_, from, end))) = (
        day(data, &["TTChung", "NLap"]),
        PERIODS.iter().find(|(known, ..)| *known == format),
    ) else {
        return;
    };
    let too_early = Day::parse_iso(from).is_some_and(|from| issued < from);
    let too_late = end
        .and_then(Day::parse_iso)
        .is_some_and(|end| issued >= end);
    if too_early || too_late {
        report.warn(
            "version.period",
            (data, "TTChung/PBan"),
            format!("phiên bản {format} không dùng vào ngày {}", issued.shown()),
            format!("version {format} was not in use on {}", issued.iso()),
        );
    }
}

/// Values and elements of lines that came with a later version (einvoice §2.1, §2.5, §2.13).
fn later_values(data: Node<'_, '_>, report: &mut Report) {
    let rules = report.rules;
    let mut warn = |node: Node<'_, '_>, said: &str, since: RuleSet| {
        if rules < since {
            report.warn(
                "version.element",
                node,
                format!("{said} chỉ có từ phiên bản {since}"),
                format!("{said} exists since version {since} only"),
            );
        }
    };
    let general = |steps: &[&str]| find(data, &["TTChung"]).and_then(|node| find(node, steps));
    if let Some(form) = general(&["KHMSHDon"])
        && matches!(value(form).as_ref(), "7" | "8" | "9")
    {
        warn(form, "KHMSHDon 7, 8, 9", RuleSet::V2_1_0);
    }
    if let Some(symbol) = general(&["KHHDon"]) {
        match value(symbol).as_bytes().get(3) {
            Some(b'X') => warn(symbol, "KHHDon X", RuleSet::V2_1_0),
            Some(b'F') => warn(symbol, "KHHDon F", RuleSet::V2_1_1),
            _ => {}
        }
    }
    if let Some(nature) = general(&["TTHDLQuan", "TCHDon"])
        && matches!(value(nature).as_ref(), "3" | "4" | "5")
    {
        warn(nature, "TCHDon 3, 4, 5", RuleSet::V2_1_1);
    }
    for line in lines(data) {
        for child in elements(line) {
            match (child.tag_name().name(), value(child).as_ref()) {
                ("TChat", "5") => warn(child, "TChat 5", RuleSet::V2_1_0),
                ("TSuat", "CTTC") => warn(child, "TSuat CTTC", RuleSet::V2_1_0),
                ("TTHHDTrung", _) => warn(child, "TTHHDTrung", RuleSet::V2_1_0),
                _ => {}
            }
        }
    }
}

fn title_and_symbol(data: Node<'_, '_>, report: &mut Report) {
    let form = text(data, &["TTChung", "KHMSHDon"]);
    // The law fixes no wording (a ticket, a card and a receipt voucher are invoices too): a name is wrong
    // only where it says the other form.
    let title = text(data, &["TTChung", "THDon"]).to_lowercase();
    let says_vat = title.contains("giá trị gia tăng") || title.contains("gtgt");
    let says_sales = title.contains("bán hàng");
    let other = match form.as_ref() {
        "1" if says_sales && !says_vat => Some("2"),
        "2" if says_vat => Some("1"),
        _ => None,
    };
    if let Some(other) = other {
        report.warn(
            "structure.title",
            (data, "TTChung/THDon"),
            format!("tên hóa đơn mẫu {form} là tên của mẫu {other}"),
            format!("the name of this form {form} is that of form {other}"),
        );
    }
    let symbol = text(data, &["TTChung", "KHHDon"]);
    let wanted = match symbol.as_bytes().get(3) {
        Some(b'F') => "1",
        Some(b'X') => "7",
        Some(b'N' | b'B') => "6",
        _ => return,
    };
    if form != wanted {
        report.error(
            "legal.symbol_form",
            (data, "TTChung/KHHDon"),
            format!("ký hiệu {symbol} thuộc mẫu số {wanted}, ghi {form}"),
            format!("symbol {symbol} belongs to form {wanted}, stated {form}"),
        );
    }
}

fn pairs(data: Node<'_, '_>, report: &mut Report) {
    let has = |name| value_at(data, &["TTChung", name]).is_some_and(|text| !text.is_empty());
    if has("SBKe") != has("NBKe") {
        report.error(
            "list.pair",
            (data, "TTChung/SBKe"),
            "số bảng kê và ngày bảng kê phải đi cùng nhau",
            "number and day of the attached list come together",
        );
    }
    let trustee = ["MSTDVNUNLHDon", "TDVNUNLHDon", "DCDVNUNLHDon"].map(has);
    if trustee.contains(&true) && trustee.contains(&false) {
        report.error(
            "entrusted.data",
            (data, "TTChung/MSTDVNUNLHDon"),
            "bên nhận ủy nhiệm phải có đủ mã số thuế, tên và địa chỉ",
            "the trustee needs a tax code, a name and an address",
        );
    }
}

fn currency(data: Node<'_, '_>, report: &mut Report) {
    let currency = text(data, &["TTChung", "DVTTe"]);
    let stated = value_at(data, &["TTChung", "TGia"]).filter(|text| !text.is_empty());
    let rate = find(data, &["TTChung"]).and_then(|general| number(general, "TGia"));
    let good = match (currency.as_ref(), &stated) {
        ("VND", None) => true,
        ("VND", Some(_)) => rate == Some(Decimal::ONE),
        (_, _) => rate.is_some_and(|rate| rate > Decimal::ZERO),
    };
    if !good && !currency.is_empty() {
        report.error(
            "currency.rate",
            (data, "TTChung/TGia"),
            format!("tỷ giá không hợp với đồng tiền {currency}"),
            format!("the exchange rate does not fit the currency {currency}"),
        );
    }
    if currency != "VND" {
        return;
    }
    let totals = find(data, &["NDHDon", "TToan"]);
    let rates = totals
        .into_iter()
        .flat_map(|totals| named(totals, "THTTLTSuat"))
        .flat_map(|list| named(list, "LTSuat"));
    let places = lines(data)
        .into_iter()
        .chain(rates)
        .chain(totals)
        .flat_map(elements);
    for amount in places {
        let is_amount = matches!(
            amount.tag_name().name(),
            "ThTien" | "TThue" | "TgTCThue" | "TgTThue" | "TgTTTBSo" | "STCKhau" | "TTCKTMai"
        );
        if is_amount
            && value(amount)
                .split_once('.')
                .is_some_and(|(_, decimals)| decimals.bytes().any(|digit| digit != b'0'))
        {
            report.error(
                "currency.decimals",
                amount,
                "số tiền đồng không có số lẻ",
                "an amount in đồng has no decimals",
            );
        }
    }
}

fn related(data: Node<'_, '_>, report: &mut Report) {
    let Some(related) = find(data, &["TTChung", "TTHDLQuan"]) else {
        return;
    };
    let of = |name| value_at(related, &[name]).unwrap_or_default();
    let nature = of("TCHDon");
    let has_list = !of("SBKCLQuan").is_empty() && !of("NBKCLQuan").is_empty();
    let has_one = ["KHHDCLQuan", "SHDCLQuan", "NLHDCLQuan"]
        .iter()
        .all(|name| !of(name).is_empty());
    let named_well = match nature.as_ref() {
        "3" | "4" | "5" => has_list,
        _ => has_one || has_list,
    };
    if !named_well {
        report.error(
            "related.target",
            related,
            "phải ghi ký hiệu, số, ngày của hóa đơn liên quan, hoặc số và ngày bảng kê",
            "symbol, number and day of the related invoice, or number and day of a list, are needed",
        );
    }
    let issued = day(data, &["TTChung", "NLap"]);
    if let (Some(original), Some(issued)) = (Day::parse_iso(&of("NLHDCLQuan")), issued)
        && original > issued
    {
        report.error(
            "related.date",
            (related, "NLHDCLQuan"),
            format!(
                "hóa đơn liên quan ngày {} sau ngày lập {}",
                original.shown(),
                issued.shown()
            ),
            format!(
                "the related invoice is of {}, after {}",
                original.iso(),
                issued.iso()
            ),
        );
    }
    let same_number = of("SHDCLQuan").trim_start_matches('0')
        == text(data, &["TTChung", "SHDon"]).trim_start_matches('0');
    if same_number
        && of("KHHDCLQuan") == text(data, &["TTChung", "KHHDon"])
        && of("KHMSHDCLQuan") == text(data, &["TTChung", "KHMSHDon"])
    {
        report.error(
            "related.self",
            related,
            "hóa đơn liên quan là chính hóa đơn này",
            "the related invoice is this one",
        );
    }
    let reasons = 1..=14_u8;
    if report.rules >= RuleSet::V2_1_1
        && !of("LDDCTThe")
            .parse()
            .is_ok_and(|reason| reasons.contains(&reason))
    {
        report.warn(
            "related.reason",
            (related, "LDDCTThe"),
            "thiếu hoặc sai lý do điều chỉnh, thay thế (01–14)",
            "the reason of the correction is missing or not one of 01 to 14",
        );
    }
    let says = |node: Node<'_, '_>| {
        let text = value(node).to_lowercase();
        text.contains("cho hóa đơn mẫu số")
            && (text.contains("điều chỉnh") || text.contains("thay thế"))
    };
    let mut texts = related
        .descendants()
        .chain(data.descendants())
        .filter(|node| matches!(node.tag_name().name(), "GChu" | "DLieu" | "THHDVu"));
    if matches!(nature.as_ref(), "1" | "2") && !texts.any(says) {
        report.warn(
            "related.sentence",
            (related, "GChu"),
            "không có dòng \"Điều chỉnh/Thay thế cho hóa đơn Mẫu số … ký hiệu … số …\"",
            "the obligatory line about the related invoice is not there",
        );
    }
}

fn buyer(data: Node<'_, '_>, report: &mut Report) {
    let Some(buyer) = find(data, &["NDHDon", "NMua"]) else {
        return;
    };
    let code = value_at(buyer, &["MST"]).filter(|code| !code.is_empty());
    if code.is_some() && code == value_at(data, &["NDHDon", "NBan", "MST"]) {
        report.warn(
            "buyer.is_seller",
            (buyer, "MST"),
            "người mua mang mã số thuế của người bán",
            "the buyer has the seller's tax code",
        );
    }
    let province = value_at(buyer, &["CCCDan"])
        .filter(|personal| personal.len() == 12)
        .and_then(|personal| personal.get(..3)?.parse::<u16>().ok());
    if province.is_some_and(|province| !(1..=96).contains(&province)) {
        report.warn(
            "buyer.personal_id",
            (buyer, "CCCDan"),
            "ba số đầu của số định danh không phải mã tỉnh",
            "the first three digits of the personal number are no province",
        );
    }
}

fn check_lines(data: Node<'_, '_>, report: &mut Report) {
    let mut seen = HashSet::new();
    for line in lines(data) {
        if report.is_full() {
            return;
        }
        let nature = text(line, &["TChat"]);
        let amount = number(line, "ThTien").unwrap_or_default();
        if nature == "4" && !amount.is_zero() {
            report.error(
                "line.note",
                (line, "ThTien"),
                "dòng ghi chú không được có tiền",
                "a note has no amount",
            );
        }
        if nature == "5" && named(line, "TTHHDTrung").next().is_none() {
            report.error(
                "line.special",
                (line, "TTHHDTrung"),
                "hàng hóa đặc trưng thiếu TTHHDTrung",
                "special goods without TTHHDTrung",
            );
        }
        let position = text(line, &["STT"]);
        if !position.is_empty() && !seen.insert(position) {
            report.warn(
                "line.number",
                (line, "STT"),
                "số thứ tự dòng bị lặp",
                "a line number repeats",
            );
        }
        let rate = text(line, &["TSuat"]);
        if !matches!(rate.as_ref(), "" | "KCT" | "KKKNT" | "0%") {
            let name = text(line, &["THHDVu"]).to_lowercase();
            if name.contains("thu hộ") || name.contains("chi hộ") {
                report.warn(
                    "line.on_behalf",
                    (line, "TSuat"),
                    "khoản thu hộ không có thuế suất",
                    "money collected for others carries no rate",
                );
            }
        }
        discount(line, report);
    }
}

fn discount(line: Node<'_, '_>, report: &mut Report) {
    let (Some(quantity), Some(price), Some(percent), Some(stated)) = (
        number(line, "SLuong"),
        number(line, "DGia"),
        number(line, "TLCKhau"),
        number(line, "STCKhau"),
    ) else {
        return;
    };
    if percent.is_zero() {
        return;
    }
    let expected = quantity
        .checked_mul(price)
        .and_then(|product| product.checked_mul(percent))
        .map(|product| rounded(product / Decimal::ONE_HUNDRED, Decimal::ONE));
    if expected.is_none_or(|expected| (expected - stated).abs() > Decimal::ONE) {
        report.error(
            "arithmetic.discount",
            (line, "STCKhau"),
            format!(
                "chiết khấu {percent}% là {}, ghi {stated}",
                expected.unwrap_or_default()
            ),
            format!(
                "{percent}% are {}, stated {stated}",
                expected.unwrap_or_default()
            ),
        );
    }
}

/// The invoice block of the QR code, where it has the form of einvoice §6.1, against the invoice.
pub fn check_qr(invoice: Node<'_, '_>, data: Node<'_, '_>, report: &mut Report) {
    let Some(code) = named(invoice, "DLQRCode").next() else {
        return;
    };
    let written = value(code);
    if written.chars().count() > QR_CHARS_MAX {
        report.error(
            "structure.qr",
            code,
            format!("mã QR dài quá {QR_CHARS_MAX} ký tự"),
            format!("the QR code is longer than {QR_CHARS_MAX} characters"),
        );
        return;
    }
    let Some(block) = fields(&written).and_then(|all| tag(&all, "99")) else {
        // Other vendors write their own text.
        return;
    };
    let Some(block) = fields(block) else { return };
    let seller = text(data, &["NDHDon", "NBan", "MST"]).replace('-', "");
    let number = text(data, &["TTChung", "SHDon"]);
    let total = text(data, &["NDHDon", "TToan", "TgTTTBSo"]);
    let differs = [
        ("01", seller.as_str()),
        ("02", &text(data, &["TTChung", "KHMSHDon"])),
        ("03", &text(data, &["TTChung", "KHHDon"])),
        ("04", &number),
        ("05", &text(data, &["TTChung", "NLap"]).replace('-', "")),
        ("06", &total),
    ]
    .into_iter()
    .any(|(name, signed)| {
        tag(&block, name)
            .is_some_and(|shown| shown.trim_start_matches('0') != signed.trim_start_matches('0'))
    });
    if differs {
        report.warn(
            "qr.mismatch",
            code,
            "mã QR nói khác hóa đơn đã ký; đừng tin mã QR",
            "the QR code says something else than the signed invoice; do not believe it",
        );
    }
}

const QR_CHARS_MAX: usize = 512;

/// Tags with their values: two digits, two digits of length, so many characters.
fn fields(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, length) = (rest.get(..2)?, rest.get(2..4)?.parse::<usize>().ok()?);
        found.push((name, rest.get(4..4 + length)?));
        rest = rest.get(4 + length..)?;
    }
    Some(found)
}

fn tag<'t>(fields: &[(&str, &'t str)], name: &str) -> Option<&'t str> {
    fields
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| *value)
}
