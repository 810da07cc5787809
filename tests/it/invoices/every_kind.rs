//! One signed document of every kind that is made, for whoever must accept or refuse all of them.

use hocphi::clock::{Day, Instant};
use hocphi::invoices::declarations::document::{
    CertificateChange, Declarant, Declaration, DeclaredCertificate, ErrorNotice, People,
    Registration, WrongInvoice,
};
use hocphi::invoices::document::{Document, Form, Format, Trustee};
use hocphi::invoices::receipt::{Payer, Receipt, ReceiptLine, symbol, write_receipt};
use hocphi::invoices::xml::{Unsigned, write_invoice};
use hocphi::money::Vnd;

use super::samples::{self, SELLER, key, signing_moment};

fn day() -> Day {
    Day::new(2026, 11, 23).unwrap()
}

fn signed(unsigned: Unsigned) -> Vec<u8> {
    key().sign(unsigned, SELLER, signing_moment()).unwrap()
}

/// Name and file of each.
pub fn every_kind() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for form in [Form::Vat, Form::Sales] {
        for format in [Format::V2_1_0, Format::V2_1_1] {
            let mut document = samples::document(form);
            document.numbering.format = format;
            let name = format!("invoice-{form}-{format}");
            all.push((name, signed(write_invoice(&document).unwrap())));
        }
    }
    let mut uncoded = samples::document(Form::Vat);
    uncoded.numbering.symbol = "K26TAA".into();
    all.push(("uncoded".into(), signed(write_invoice(&uncoded).unwrap())));
    all.push((
        "entrusted".into(),
        signed(write_invoice(&entrusted()).unwrap()),
    ));
    all.extend(
        samples::corrections()
            .into_iter()
            .map(|(name, file)| (name.replace(".xml", ""), file)),
    );
    all.push(("receipt".into(), receipt()));
    for format in [Format::V2_1_0, Format::V2_1_1] {
        for (name, declaration) in [
            ("notice", notice(format)),
            ("registration", registration(format)),
        ] {
            all.push((
                format!("{name}-{format}"),
                signed(declaration.write().unwrap()),
            ));
        }
    }
    all
}

/// Issued for another school by the owner of the key.
fn entrusted() -> Document {
    let mut document = samples::document(Form::Vat);
    document.seller.tax_code = "0312270160".into();
    document.trustee = Some(Trustee {
        tax_code: SELLER.into(),
        name: "Đơn vị nhận ủy nhiệm <lập hóa đơn>".into(),
        address: "Thái Nguyên".into(),
    });
    document
}

/// Insurance for others and a fund of parents, signed.
pub fn receipt() -> Vec<u8> {
    let sample = samples::document(Form::Vat);
    let lines = vec![
        ReceiptLine {
            name: "Bảo hiểm y tế học sinh 12 tháng".into(),
            amount: Vnd::new(683_100),
            on_behalf: true,
        },
        ReceiptLine {
            name: "Quỹ hội cha mẹ học sinh".into(),
            amount: Vnd::new(200_000),
            on_behalf: false,
        },
    ];
    let receipt = Receipt {
        symbol: symbol(day()),
        number: 15,
        issue_day: day(),
        payment_method: sample.payment_method,
        seller: sample.seller,
        payer: Payer {
            name: Some("Nguyễn Thị Ví Dụ".into()),
            address: Some("Tổ 5, Phú Xá".into()),
            customer_code: Some("HS000123".into()),
        },
        bills: sample.bills,
        lookup_code: "01kaxyz0000000000000000x".into(),
        total: Receipt::sum(&lines).unwrap(),
        lines,
    };
    signed(write_receipt(&receipt).unwrap())
}

fn declarant() -> Declarant {
    Declarant {
        name: "TRƯỜNG \"VÍ DỤ\" & CON".into(),
        tax_code: SELLER.into(),
        office_name: "Thuế cơ sở 1 tỉnh Thái Nguyên".into(),
        office_code: "60701".into(),
        place: "Thái Nguyên".into(),
        day: day(),
    }
}

fn notice(format: Format) -> Declaration {
    Declaration::ErrorNotice(ErrorNotice {
        id: "TB-1".into(),
        format,
        declarant: declarant(),
        answers: None,
        invoices: vec![WrongInvoice {
            form: "1".into(),
            symbol: "C26TAA".into(),
            number: 128,
            day: day(),
            code: Some("00A1B2C3D4E5F60718293A4B5C6D7E8F90".into()),
            why: "Sai tên người mua, đúng là <Trần Thị Đúng>".into(),
        }],
    })
}

fn registration(format: Format) -> Declaration {
    let at = |text| Instant::parse_local_iso(text).unwrap();
    Declaration::Registration(Registration {
        id: "TK-1".into(),
        format,
        declarant: declarant(),
        is_change: false,
        people: People {
            representative: "Trần Thị Hạnh".into(),
            representative_personal_id: Some("001185000001".into()),
            representative_passport: None,
            representative_born: Day::new(1985, 3, 8),
            representative_phone: None,
            contact: "Lê Văn Kế".into(),
            contact_address: "Thái Nguyên".into(),
            contact_email: "ketoan@example.edu.vn".into(),
            contact_phone: "0208000000".into(),
        },
        coded: true,
        form: Form::Vat,
        certificates: vec![DeclaredCertificate {
            issuer: "CN=VÍ DỤ CA,C=VN".into(),
            serial: "5401".into(),
            valid_from: at("2026-01-01T00:00:00"),
            valid_to: at("2028-12-31T23:59:59"),
            change: CertificateChange::Add,
        }],
        solution_provider: SELLER.into(),
        carrier: None,
    })
}
