//! The invoice that is measured.

use anyhow::Result;
use hocphi::clock::Clock;
use hocphi::invoices::document::{
    Buyer, Collected, Document, Form, Format, Heading, Numbering, PaymentMethod, Seller, VatRate,
};
use hocphi::money::{Quantity, Vnd};

pub const TAX_CODE: &str = "0100233488";

/// A tuition invoice of so many lines, today.
pub fn document(clock: &Clock, lines: usize) -> Result<Document> {
    let today = clock.today();
    let collected: Vec<Collected> = (1..=lines)
        .map(|line| Collected {
            unit: "tháng".into(),
            quantity: Quantity::ONE,
            unit_price: Vnd::new(350_000),
            ..Collected::supply(
                format!(
                    "Học phí tháng {:02}/{} - HS000123 - lớp 6A",
                    line % 12 + 1,
                    today.year()
                ),
                Vnd::new(350_000),
                VatRate::NotSubject,
            )
        })
        .collect();
    let heading = Heading {
        numbering: Numbering {
            form: Form::Vat,
            format: Format::V2_1_0,
            symbol: format!("C{:02}TAA", today.year() % 100),
            number: 128,
            issue_day: today,
        },
        payment_method: PaymentMethod::Transfer,
        solution_provider: TAX_CODE.into(),
        seller: Seller {
            name: "TRƯỜNG ĐO HIỆU NĂNG".into(),
            tax_code: TAX_CODE.into(),
            address: "Số 1 đường Ví Dụ, Thái Nguyên".into(),
            phone: None,
            bank_account: None,
        },
        buyer: Buyer {
            name: Some("Nguyễn Thị Phụ Huynh".into()),
            customer_code: Some("HS000123".into()),
            ..Buyer::default()
        },
        trustee: None,
        related: None,
        bills: Vec::new(),
        lookup_code: "0123456789abcdef".into(),
    };
    Ok(Document::new(heading, &collected)?)
}
