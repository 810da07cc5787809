use hocphi::clock::{Day, Instant};
use hocphi::invoices::document::{
    BillReference, Buyer, Collected, Correction, CorrectionReason, Document, Form, Format, Heading,
    Numbering, PaymentMethod, Related, Seller, VatRate,
};
use hocphi::invoices::life::content::{Content, adjusting, replacing};
use hocphi::invoices::signature::{Certificate, SigningKey, pem_blocks};
use hocphi::invoices::xml::write_invoice;
use hocphi::money::Vnd;
use rust_decimal::Decimal;

pub const SELLER: &str = "0100233488";
pub const SELLER_PEM: &str = include_str!("../../data/keys/seller-pkcs8.pem");
pub const AUTHORITY_PEM: &str = include_str!("../../data/keys/authority-pkcs8.pem");

pub fn key() -> SigningKey {
    SigningKey::from_pem(SELLER_PEM).unwrap()
}

pub fn issuer() -> Certificate {
    let pem = include_str!("../../data/keys/ca.pem");
    Certificate::from_der(&pem_blocks(pem)[0].der).unwrap()
}

pub fn signing_moment() -> Instant {
    Instant::parse_local_iso("2026-11-23T09:15:00").unwrap()
}

pub fn collected(name: &str, amount: i64, rate: VatRate, on_behalf: bool) -> Collected {
    Collected {
        unit: "tháng".into(),
        quantity: Decimal::ONE,
        unit_price: Vnd::new(amount),
        on_behalf,
        ..Collected::supply(name, Vnd::new(amount), rate)
    }
}

/// An invoice with everything that canonical XML is touchy about.
pub fn document(form: Form) -> Document {
    let symbol = "C26TAA";
    Document::new(
        Heading {
            numbering: Numbering {
                form,
                format: Format::V2_1_1,
                symbol: symbol.into(),
                number: 128,
                issue_day: Day::new(2026, 11, 23).unwrap(),
            },
            payment_method: PaymentMethod::Transfer,
            solution_provider: SELLER.into(),
            seller: Seller {
                name: "TRƯỜNG \"VÍ DỤ\" & CON".into(),
                tax_code: SELLER.into(),
                address: "Số 1 đường Ví Dụ, Thái Nguyên".into(),
                phone: None,
                bank_account: Some("19036868".into()),
            },
            buyer: Buyer {
                name: Some("Nguyễn Thị Ví Dụ <mẹ> 'A'".into()),
                // Decomposed on purpose: the writer composes it.
                address: Some("To\u{302}̉ 5, Phu\u{301} Xa\u{301}".into()),
                customer_code: Some("HS000123".into()),
                ..Buyer::default()
            },
            trustee: None,
            related: None,
            bills: vec![BillReference {
                bill_code: "HPZ0000000001".into(),
                pupil_name: "Nguyễn Văn Ví Dụ".into(),
                pupil_code: "HS000123".into(),
                class_name: "6A".into(),
            }],
            lookup_code: "abc123".into(),
        },
        &[
            collected(
                "Học phí tháng 11/2026",
                3_200_000,
                VatRate::NotSubject,
                false,
            ),
            collected("Bảo hiểm y tế học sinh", 683_100, VatRate::NotSubject, true),
            collected("Tiền ăn bán trú", 604_000, VatRate::Eight, false),
            collected("Đồng phục", 13_690_000, VatRate::Ten, false),
            collected("Bảo hiểm tai nạn", 120_000, VatRate::NotSubject, true),
        ],
    )
    .unwrap()
}

pub fn signed(form: Form) -> Vec<u8> {
    key()
        .sign(
            write_invoice(&document(form)).unwrap(),
            SELLER,
            signing_moment(),
        )
        .unwrap()
}

/// Every kind of correction of the sample invoice, signed: amounts down and up, words alone, and a
/// replacement.
pub fn corrections() -> Vec<(&'static str, Vec<u8>)> {
    let original = document(Form::Vat);
    let amounts: Vec<(i64, Vnd)> = (1..)
        .zip([3_200_000, 683_100, 604_000, 13_690_000, 120_000].map(Vnd::new))
        .collect();
    let before = Content::of_root(&original, &amounts).unwrap();
    let mut less = before.clone();
    less.lines[0].amount = Vnd::new(1_200_000);
    less.lines[2].amount = Vnd::new(704_000);
    let mut words = before.clone();
    words.lines[1].name = "Bảo hiểm y tế <học sinh> & sinh viên".into();
    words.buyer.name = Some("Nguyễn Thị Đúng".into());
    [
        ("adjusted.xml", Correction::Adjusting, less.clone()),
        ("words.xml", Correction::Adjusting, words.clone()),
        ("replaced.xml", Correction::Replacing, less),
        ("renamed.xml", Correction::Replacing, words),
    ]
    .into_iter()
    .map(|(name, method, after)| {
        let mut numbering = original.numbering.clone();
        numbering.number = 129;
        let heading = Heading {
            numbering,
            payment_method: original.payment_method,
            solution_provider: original.solution_provider.clone(),
            seller: original.seller.clone(),
            buyer: after.buyer.clone(),
            trustee: None,
            related: Some(Related::to(
                &original.numbering,
                method,
                CorrectionReason::WronglyMade,
            )),
            bills: original.bills.clone(),
            lookup_code: "abc124".into(),
        };
        let correction = match method {
            Correction::Adjusting => adjusting(heading, &before, &after),
            Correction::Replacing => replacing(heading, &original, &before, &after),
        }
        .unwrap();
        let unsigned = write_invoice(&correction).unwrap();
        let file = key().sign(unsigned, SELLER, signing_moment()).unwrap();
        (name, file)
    })
    .collect()
}
