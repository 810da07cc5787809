//! Renditions that look like real ones, for pages that show how paper will look.

use super::{Line, Pair, RateTotal, Shown, SignatureBox};
use crate::invoices::rendition::Kind;
use crate::invoices::rendition::wording::{self, day_in_words, moment};

impl Shown {
    /// For samples of pages: an invoice with the authority's code, and one that adjusts another and
    /// waits for it.
    pub fn samples() -> Vec<Self> {
        let pair = |label: &str, value: &str| Pair {
            label: label.to_owned(),
            value: value.to_owned(),
        };
        let coded = Self {
            kind: Kind::Vat,
            title: "Hóa đơn giá trị gia tăng".to_owned(),
            day: day_in_words("2026-11-23"),
            issue_day: "2026-11-23".to_owned(),
            symbol: "1C26TAA".to_owned(),
            number: "128".to_owned(),
            format: "2.1.1".to_owned(),
            authority_code: Some("0059C8A9F5D2E14B7A8C6D1E2F3A4B5C6D".to_owned()),
            awaits_code: false,
            sentences: Vec::new(),
            seller: vec![
                pair("Tên đơn vị", "Trường THCS Nguyễn Du"),
                pair("Mã số thuế", "0100233488"),
            ],
            trustee: Vec::new(),
            buyer: vec![
                pair("Họ tên người mua hàng", "Nguyễn Thị Hạnh"),
                pair("Lớp", "6A"),
            ],
            lines: vec![Line {
                place: "1".to_owned(),
                name: "Tiền ăn bán trú tháng 11/2026".to_owned(),
                unit: "tháng".to_owned(),
                quantity: "1".to_owned(),
                price: "559.259".to_owned(),
                discount: String::new(),
                amount: "559.259".to_owned(),
                rate: "8%".to_owned(),
            }],
            has_discounts: false,
            rates: vec![RateTotal {
                rate: "8%".to_owned(),
                net: "559.259".to_owned(),
                vat: "44.741".to_owned(),
            }],
            totals: vec![pair("Tổng tiền thanh toán", "604.000")],
            words: "Sáu trăm lẻ bốn nghìn đồng".to_owned(),
            legend: Vec::new(),
            signatures: vec![SignatureBox {
                title: "NGƯỜI BÁN HÀNG",
                note: "(chữ ký số)",
                signer: Some("TRƯỜNG THCS NGUYỄN DU".to_owned()),
                signed_at: moment("2026-11-23T09:15:04"),
            }],
            lookup_code: Some("01kaxyz0000000000000000x".to_owned()),
            solution_provider: Some("4600999091".to_owned()),
            qr: String::new(),
            signed_at: "2026-11-23T09:15:04".to_owned(),
        };
        let waiting = Self {
            authority_code: None,
            awaits_code: true,
            sentences: vec![wording::correction("2", "1", "C26TAA", "64", "2026-09-05")],
            ..coded.clone()
        };
        vec![coded, waiting]
    }
}
