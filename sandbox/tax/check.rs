//! What the authority checks in one invoice before it gives a code: content, symbol, dates, sums.

use roxmltree::{Document, Node};

use super::arithmetic;
use super::envelope::{Envelope, UNCODED, is_tax_code};
use super::reason::{self, Reason};
use super::xml::{child, children, text_at};
use crate::moment;

/// What is known of an invoice, as far as it could be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Invoice {
    pub tax_code: String,
    pub form: String,
    pub symbol: String,
    pub number: u32,
    /// `NLap`, ISO; sorts as text.
    pub day: String,
    /// Whole đồng.
    pub total: i64,
    /// The invoice that it adjusts or replaces.
    pub corrects: Option<Box<Corrects>>,
}

/// `TTHDLQuan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Corrects {
    /// `TCHDon`: 1 replaces, 2 adjusts.
    pub nature: String,
    pub form: String,
    pub symbol: String,
    pub number: u32,
    /// `LDDCTThe`; written since 2.1.1.
    pub reason: Option<String>,
}

const GENERAL: [&str; 9] = [
    "PBan", "THDon", "KHMSHDon", "KHHDon", "SHDon", "NLap", "DVTTe", "HTTToan", "MSTTCGP",
];
const SELLER: [&str; 3] = ["Ten", "MST", "DChi"];
const LINE: [&str; 2] = ["TChat", "THHDVu"];
const TOTALS: [&str; 2] = ["TgTTTBSo", "TgTTTBChu"];
const TOTALS_GTGT: [&str; 2] = ["TgTCThue", "TgTThue"];
const TOTALS_BY_RATE: [&str; 1] = ["THTTLTSuat/LTSuat/TSuat"];

/// Reads and checks an invoice; no reasons means nothing is wrong with its content.
pub(super) fn invoice(source: &str, envelope: &Envelope, now: i64) -> (Invoice, Vec<Reason>) {
    let Ok(document) = Document::parse(source) else {
        return (
            Invoice::default(),
            vec![Reason::new(reason::FORMAT, "Hóa đơn sai định dạng XML")],
        );
    };
    let mut check = Check {
        invoice: Invoice::default(),
        reasons: Vec::new(),
        coding: if envelope.kind == UNCODED { 'K' } else { 'C' },
        has_amounts: false,
    };
    match child(document.root_element(), "DLHDon") {
        Some(data) => check.data(data, &envelope.tax_code, now),
        None => check.missing("DLHDon"),
    }
    (check.invoice, check.reasons)
}

struct Check {
    invoice: Invoice,
    reasons: Vec<Reason>,
    /// First letter of a symbol in this type of message.
    coding: char,
    has_amounts: bool,
}

impl Check {
    fn fault(&mut self, code: &'static str, text: impl Into<String>) {
        self.reasons.push(Reason::new(code, text));
    }

    fn missing(&mut self, name: &str) {
        self.fault(reason::MISSING, format!("Thiếu {name}"));
    }

    fn need(&mut self, node: Node<'_, '_>, paths: &[&str]) {
        for path in paths {
            if text_at(node, path).is_none() {
                self.missing(&format!("{}/{path}", node.tag_name().name()));
            }
        }
    }

    fn data(&mut self, data: Node<'_, '_>, message_tax_code: &str, now: i64) {
        let (Some(general), Some(content)) = (child(data, "TTChung"), child(data, "NDHDon")) else {
            return self.missing("TTChung hoặc NDHDon");
        };
        self.general(general, now);
        match child(content, "NBan") {
            Some(seller) => self.seller(seller, message_tax_code),
            None => self.missing("NBan"),
        }
        match child(content, "NMua") {
            Some(buyer) => self.buyer(buyer),
            None => self.missing("NMua"),
        }
        self.lines(content);
        match child(content, "TToan") {
            Some(totals) => self.totals(totals, child(general, "TTHDLQuan").is_some()),
            None => self.missing("TToan"),
        }
        let form = self.invoice.form.clone();
        self.reasons.extend(arithmetic::check(content, &form));
    }

    fn general(&mut self, general: Node<'_, '_>, now: i64) {
        self.need(general, &GENERAL);
        let text = |name| text_at(general, name).unwrap_or_default();
        self.invoice.form = text("KHMSHDon");
        self.invoice.symbol = text("KHHDon");
        self.invoice.day = text("NLap");
        if !matches!(text("PBan").as_str(), "2.1.0" | "2.1.1") {
            self.fault(reason::FORMAT, "PBan của hóa đơn không được hỗ trợ");
        }
        match self.invoice.form.as_str() {
            "1" => self.need(general, &["HDCTTChinh"]),
            "2" => self.need(general, &["HDDCKPTQuan"]),
            _ => self.fault(reason::WRONG_KIND, "KHMSHDon chỉ nhận 1 hoặc 2"),
        }
        if text("DVTTe") != "VND" {
            self.fault(reason::FORMAT, "DVTTe phải là VND");
        }
        if !is_tax_code(&text("MSTTCGP")) {
            self.fault(reason::FORMAT, "MSTTCGP không phải mã số thuế");
        }
        self.invoice.corrects = child(general, "TTHDLQuan").map(|of| {
            let text = |name| text_at(of, name).unwrap_or_default();
            Box::new(Corrects {
                nature: text("TCHDon"),
                form: text("KHMSHDCLQuan"),
                symbol: text("KHHDCLQuan"),
                number: text("SHDCLQuan").parse().unwrap_or(0),
                reason: text_at(of, "LDDCTThe"),
            })
        });
        match text("SHDon").parse::<u32>() {
            Ok(number @ 1..=99_999_999) => self.invoice.number = number,
            _ => self.fault(reason::FORMAT, "SHDon phải từ 1 đến 99999999"),
        }
        self.symbol_and_day(now);
    }

    fn symbol_and_day(&mut self, now: i64) {
        let symbol = self.invoice.symbol.clone();
        let year = symbol.get(1..3).unwrap_or("");
        let shape = symbol.len() == 6
            && year.bytes().all(|byte| byte.is_ascii_digit())
            && symbol[3..].bytes().all(|byte| byte.is_ascii_uppercase());
        if !shape {
            return self.fault(reason::SYMBOL, "KHHDon phải gồm 6 ký tự, ví dụ C26TAA");
        }
        if !symbol.starts_with(self.coding) {
            let text = format!(
                "Ký hiệu phải bắt đầu bằng {} ở loại thông điệp này",
                self.coding
            );
            self.fault(reason::SYMBOL, text);
        }
        if !matches!(
            symbol.as_bytes()[3],
            b'T' | b'D' | b'L' | b'M' | b'N' | b'B' | b'G' | b'H' | b'X' | b'F'
        ) {
            self.fault(
                reason::SYMBOL,
                "Ký tự thứ tư của KHHDon không có trong danh mục",
            );
        }
        let Some(day) = moment::read_day(&self.invoice.day) else {
            return self.fault(reason::DATE, "NLap phải có dạng YYYY-MM-DD");
        };
        if day > moment::day(now) {
            self.fault(reason::DATE, "NLap sau ngày hiện tại");
        }
        if self.invoice.day.get(2..4) != Some(year) {
            self.fault(reason::DATE, "Năm của NLap khác năm trong KHHDon");
        }
    }

    fn seller(&mut self, seller: Node<'_, '_>, message_tax_code: &str) {
        self.need(seller, &SELLER);
        self.invoice.tax_code = text_at(seller, "MST").unwrap_or_default();
        if self.invoice.tax_code != message_tax_code {
            self.fault(
                reason::SELLER,
                "Mã số thuế người bán khác mã số thuế của thông điệp",
            );
        }
    }

    fn buyer(&mut self, buyer: Node<'_, '_>) {
        if text_at(buyer, "MST").is_some() || text_at(buyer, "MDVQHNSach").is_some() {
            self.need(buyer, &["Ten", "DChi"]);
        } else if text_at(buyer, "Ten").is_none() && text_at(buyer, "HVTNMHang").is_none() {
            self.missing("tên người mua (NMua/Ten hoặc NMua/HVTNMHang)");
        }
        if let Some(id) = text_at(buyer, "CCCDan")
            && !(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()))
        {
            self.fault(reason::FORMAT, "CCCDan phải có 12 chữ số");
        }
    }

    fn lines(&mut self, content: Node<'_, '_>) {
        let Some(list) = child(content, "DSHHDVu") else {
            return self.missing("DSHHDVu");
        };
        let with_rate = self.invoice.form == "1";
        let mut any = false;
        for line in children(list, "HHDVu") {
            any = true;
            self.need(line, &LINE);
            let note = text_at(line, "TChat").as_deref() == Some("4");
            self.has_amounts |= !note;
            if !note {
                self.need(line, &["ThTien"]);
            }
            match (with_rate, text_at(line, "TSuat")) {
                (true, None) if !note => self.missing("HHDVu/TSuat"),
                (false, Some(_)) => {
                    self.fault(reason::WRONG_KIND, "Hóa đơn bán hàng không có thuế suất");
                }
                _ => {}
            }
        }
        if !any {
            self.missing("HHDVu");
        }
    }

    fn totals(&mut self, totals: Node<'_, '_>, corrects: bool) {
        self.need(totals, &TOTALS);
        if self.invoice.form == "1" {
            self.need(totals, &TOTALS_GTGT);
            // An adjustment of words alone has no amounts and so no rate.
            if self.has_amounts {
                self.need(totals, &TOTALS_BY_RATE);
            }
        }
        let total = text_at(totals, "TgTTTBSo").and_then(|text| text.parse::<i64>().ok());
        match total {
            Some(total) => self.invoice.total = total,
            None => self.fault(reason::ARITHMETIC, "TgTTTBSo phải là số đồng nguyên"),
        }
        if self.invoice.total < 0 && !corrects {
            self.fault(
                reason::ARITHMETIC,
                "Số tiền âm chỉ có trên hóa đơn điều chỉnh",
            );
        }
    }
}
