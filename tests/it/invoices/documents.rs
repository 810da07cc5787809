//! Every kind of invoice that is made is one that our own verifier, and hence the format, takes.

use hocphi::invoices::document::{
    Buyer, Collected, Correction, CorrectionReason, Document, Form, Format, Heading, LineKind,
    Related, Trustee, VatRate,
};
use hocphi::invoices::verify::{Trust, verify};
use hocphi::invoices::xml::{ContentError, write_invoice};
use hocphi::money::Vnd;

use super::samples::{SELLER, SELLER_PEM, document, key, signing_moment};

/// The heading of the sample invoice, for other lines.
fn heading(form: Form, format: Format) -> Heading {
    let sample = document(form);
    let mut numbering = sample.numbering;
    numbering.format = format;
    Heading {
        numbering,
        payment_method: sample.payment_method,
        solution_provider: sample.solution_provider,
        seller: sample.seller,
        buyer: sample.buyer,
        trustee: None,
        related: None,
        bills: sample.bills,
        lookup_code: sample.lookup_code,
    }
}

fn tuition(amount: i64) -> Collected {
    Collected::supply(
        "Học phí tháng 11/2026",
        Vnd::new(amount),
        VatRate::NotSubject,
    )
}

fn signed(document: &Document) -> String {
    let unsigned = write_invoice(document).unwrap();
    let file = key()
        .sign(unsigned, document.signer(), signing_moment())
        .unwrap();
    String::from_utf8(file).unwrap()
}

#[track_caller]
fn accepted(file: &str) {
    let report = verify(file.as_bytes(), Trust::default());
    let others: Vec<_> = report
        .findings
        .iter()
        .filter(|found| {
            !matches!(
                found.rule,
                "authority.no_code" | "signature.chain_unchecked"
            )
        })
        .collect();
    assert!(report.valid && others.is_empty(), "{others:#?}\n{file}");
}

const KINDS: [(Form, Format); 4] = [
    (Form::Vat, Format::V2_1_0),
    (Form::Vat, Format::V2_1_1),
    (Form::Sales, Format::V2_1_0),
    (Form::Sales, Format::V2_1_1),
];

#[test]
fn adjusting_and_replacing_invoices_say_so_in_every_form_and_version() {
    for (form, format) in KINDS {
        for correction in [Correction::Adjusting, Correction::Replacing] {
            let mut heading = heading(form, format);
            let mut original = heading.numbering.clone();
            original.number = 64;
            heading.related = Some(Related::to(
                &original,
                correction,
                CorrectionReason::ServiceCancelled,
            ));
            let amount = match correction {
                Correction::Adjusting => -1_250_000,
                Correction::Replacing => 1_250_000,
            };
            let note = heading.related.as_ref().unwrap().sentence();
            let lines = [tuition(amount), Collected::note(note)];
            let file = signed(&Document::new(heading, &lines).unwrap());
            accepted(&file);
            let said = format!("<TCHDon>{correction}</TCHDon>");
            assert!(
                file.contains(&said) && file.contains(" số 64 ngày 23 tháng 11 năm 2026</GChu>")
            );
            assert_eq!(file.contains("<LDDCTThe>08<"), format == Format::V2_1_1);
        }
    }
}

#[test]
fn an_adjustment_of_words_alone_has_no_amounts() {
    for (form, format) in KINDS {
        let mut heading = heading(form, format);
        let mut original = heading.numbering.clone();
        original.number = 64;
        heading.related = Some(Related::to(
            &original,
            Correction::Adjusting,
            CorrectionReason::WronglyMade,
        ));
        let lines = [Collected::note("Mã số thuế người mua đúng là 0100109106")];
        accepted(&signed(&Document::new(heading, &lines).unwrap()));
    }
}

#[test]
fn discounts_and_gifts_are_printed_and_counted_as_the_tables_say() {
    for (form, format) in KINDS {
        let uniform = Collected {
            unit: "bộ".into(),
            quantity: rust_decimal::dec!(2),
            unit_price: Vnd::new(540_000),
            discount: Vnd::new(108_000),
            ..Collected::supply("Đồng phục", Vnd::new(972_000), VatRate::Eight)
        };
        let gift = Collected {
            kind: LineKind::Promotion,
            ..Collected::supply("Mũ (tặng)", Vnd::ZERO, VatRate::Eight)
        };
        let discount = Collected {
            kind: LineKind::Discount,
            ..Collected::supply("Chiết khấu con thứ hai", Vnd::new(108_000), VatRate::Eight)
        };
        let lines = [uniform, gift, discount, tuition(3_200_000)];
        let document = Document::new(heading(form, format), &lines).unwrap();
        assert_eq!(document.total, Vnd::new(972_000 - 108_000 + 3_200_000));
        let file = signed(&document);
        accepted(&file);
        assert!(file.contains("<STCKhau>") && file.contains("<TChat>3</TChat>"));
    }
}

#[test]
fn buyers_are_named_as_the_law_asks() {
    let with = |buyer: Buyer| {
        let mut heading = heading(Form::Vat, Format::V2_1_1);
        heading.buyer = buyer;
        Document::new(heading, &[tuition(1_000_000)]).unwrap()
    };
    let nobody = signed(&with(Buyer::default()));
    accepted(&nobody);
    assert!(nobody.contains("<HVTNMHang>Bán cho người tiêu dùng</HVTNMHang>"));

    let company = Buyer {
        organisation: Some("Công ty TNHH Ví Dụ".into()),
        tax_code: Some("0100109106".into()),
        address: Some("Hà Nội".into()),
        ..Buyer::default()
    };
    let file = signed(&with(company.clone()));
    accepted(&file);
    assert!(file.contains("<NMua><Ten>Công ty TNHH Ví Dụ</Ten><MST>0100109106</MST><DChi>"));

    let refused = |buyer: Buyer| write_invoice(&with(buyer)).unwrap_err();
    let without_address = Buyer {
        address: None,
        ..company.clone()
    };
    assert!(matches!(
        refused(without_address),
        ContentError::Missing {
            element: "NMua/DChi"
        }
    ));
    let wrong_code = Buyer {
        tax_code: Some("0100109107".into()),
        ..company
    };
    assert!(matches!(
        refused(wrong_code),
        ContentError::BadForm {
            element: "NMua/MST",
            ..
        }
    ));
    let wrong_person = Buyer {
        personal_id: Some("12345".into()),
        ..Buyer::default()
    };
    assert!(!refused(wrong_person).to_string().contains("12345"));
}

#[test]
fn an_entrusted_invoice_names_both_and_is_signed_by_the_trustee() {
    let mut heading = heading(Form::Vat, Format::V2_1_1);
    heading.seller.tax_code = "0312270160".into();
    heading.trustee = Some(Trustee {
        tax_code: SELLER.into(),
        name: "Đơn vị nhận ủy nhiệm".into(),
        address: "Hà Nội".into(),
    });
    let document = Document::new(heading, &[tuition(1_000_000)]).unwrap();
    assert_eq!(document.signer(), SELLER);
    let file = signed(&document);
    accepted(&file);
    assert!(file.contains("<TDVNUNLHDon>Đơn vị nhận ủy nhiệm<"));
    // Without the contract in the invoice, the same certificate is somebody else's.
    let unsaid = Document {
        trustee: None,
        ..document
    };
    let key = hocphi::invoices::signature::SigningKey::from_pem(SELLER_PEM).unwrap();
    let refused = key.sign(
        write_invoice(&unsaid).unwrap(),
        unsaid.signer(),
        signing_moment(),
    );
    assert!(refused.is_err());
}

#[test]
fn amounts_below_zero_stand_on_adjusting_invoices_alone() {
    let plain = Document::new(heading(Form::Vat, Format::V2_1_1), &[tuition(-1)]).unwrap();
    assert_eq!(write_invoice(&plain).unwrap_err(), ContentError::Negative);
}
