//! Documents to mutate, and signatures over whatever they have become.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Kit, SELLER};
use crate::clock::Day;
use crate::invoices::document::{
    Buyer, Collected, Correction, CorrectionReason, Document, Form, Format, Heading, Numbering,
    PaymentMethod, Related, Seller, Trustee, VatRate,
};
use crate::invoices::signature::{SigningKey, names};
use crate::invoices::xml::write_invoice;
use crate::money::{Quantity, Vnd};

pub const SIGNED_AT: &str = "2026-11-23T09:15:00";

/// A document that no rule objects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// GTGT, 2.1.1: rates, discount, money for others, a note.
    Vat,
    /// Sales, 2.1.0.
    Sales,
    /// GTGT of 2.0.1, as older files are.
    Old,
    /// GTGT, 2.1.1, adjusting downwards.
    Adjusting,
    /// Issued by a trustee.
    Entrusted,
    /// Cash register, unsigned.
    Register,
}

impl Base {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vat => "GTGT 2.1.1",
            Self::Sales => "bán hàng 2.1.0",
            Self::Old => "GTGT 2.0.1",
            Self::Adjusting => "GTGT điều chỉnh giảm",
            Self::Entrusted => "GTGT ủy nhiệm",
            Self::Register => "máy tính tiền",
        }
    }

    /// `DLHDon`, canonical.
    pub fn data(self) -> String {
        let written = write_invoice(&self.document()).expect("the bases fit the format");
        let text = String::from_utf8(written.data().to_vec()).expect("what was written is text");
        match self {
            Self::Vat => text.replacen("<STCKhau>", "<TLCKhau>10</TLCKhau><STCKhau>", 1),
            Self::Old => text
                .replace("<PBan>2.1.0</PBan>", "<PBan>2.0.1</PBan>")
                .replace("<HDCTTChinh>0</HDCTTChinh>", "")
                .replace("<HTTToan>CK</HTTToan>", "")
                .replace("2026-11-23", "2024-11-25")
                .replace("C26TAA", "K24TAA"),
            Self::Register => text.replace("C26TAA", "C26MAA"),
            Self::Sales | Self::Adjusting | Self::Entrusted => text,
        }
    }

    fn document(self) -> Document {
        let (form, format) = match self {
            Self::Sales => (Form::Sales, Format::V2_1_0),
            Self::Old => (Form::Vat, Format::V2_1_0),
            _ => (Form::Vat, Format::V2_1_1),
        };
        let numbering = Numbering {
            form,
            format,
            symbol: "C26TAA".into(),
            number: 128,
            issue_day: Day::new(2026, 11, 23).expect("a day"),
        };
        let sign = if self == Self::Adjusting { -1 } else { 1 };
        let supply = |name: &str, amount: i64, rate| Collected {
            unit: "lần".into(),
            quantity: Quantity::ONE,
            unit_price: Vnd::new(sign * amount),
            ..Collected::supply(name, Vnd::new(sign * amount), rate)
        };
        let mut lines = vec![
            supply("Học phí tháng 11/2026", 3_200_000, VatRate::NotSubject),
            Collected {
                on_behalf: true,
                ..supply("Bảo hiểm y tế học sinh", 683_100, VatRate::NotSubject)
            },
            supply("Tiền ăn bán trú", 604_000, VatRate::Eight),
        ];
        if self == Self::Vat {
            lines.push(Collected {
                quantity: Quantity::TWO,
                unit_price: Vnd::new(540_000),
                discount: Vnd::new(108_000),
                ..supply("Đồng phục", 972_000, VatRate::NotSubject)
            });
            lines.push(Collected::note("Thu theo phiếu HPZ0000000001"));
        }
        let mut original = numbering.clone();
        original.number = 64;
        let heading = Heading {
            numbering,
            payment_method: PaymentMethod::Transfer,
            solution_provider: "0100109106".into(),
            seller: Seller {
                name: "TRƯỜNG VÍ DỤ".into(),
                tax_code: match self {
                    Self::Entrusted => "0312270160".into(),
                    _ => SELLER.into(),
                },
                address: "Số 1 đường Ví Dụ, Thái Nguyên".into(),
                phone: None,
                bank_account: Some("19036868".into()),
            },
            buyer: Buyer {
                name: Some("Nguyễn Thị Ví Dụ".into()),
                address: Some("Tổ 5, Phú Xá".into()),
                customer_code: Some("HS000123".into()),
                ..Buyer::default()
            },
            trustee: (self == Self::Entrusted).then(|| Trustee {
                tax_code: SELLER.into(),
                name: "Đơn vị nhận ủy nhiệm".into(),
                address: "Hà Nội".into(),
            }),
            related: (self == Self::Adjusting).then(|| {
                Related::to(
                    &original,
                    Correction::Adjusting,
                    CorrectionReason::ServiceCancelled,
                )
            }),
            bills: Vec::new(),
            lookup_code: "abc123".into(),
        };
        Document::new(heading, &lines).expect("small amounts")
    }
}

/// One signature, with everything that may be wrong about it.
pub struct Signature<'k> {
    pub key: &'k SigningKey,
    /// Ids of the signature and its parts begin with it.
    pub name: &'static str,
    pub time: Option<&'static str>,
    /// What is signed besides the time: Ids and canonical bytes.
    pub parts: Vec<(String, String)>,
    pub with_sha1_digests: bool,
    /// Transforms of the time reference.
    pub time_transform: &'static str,
}

impl<'k> Signature<'k> {
    /// A seller's signature over data.
    pub fn over(key: &'k SigningKey, data: &str) -> Self {
        Self {
            key,
            name: "NBan",
            time: Some(SIGNED_AT),
            parts: vec![(id_of(data), data.to_owned())],
            with_sha1_digests: false,
            time_transform: "",
        }
    }

    /// The `Signature` element.
    pub fn element(&self) -> String {
        let name = self.name;
        let dsig = names::DSIG;
        let (algorithm, method): (&'static Algorithm, _) = if self.with_sha1_digests {
            (
                &SHA1_FOR_LEGACY_USE_ONLY,
                "http://www.w3.org/2000/09/xmldsig#sha1",
            )
        } else {
            (&SHA256, names::SHA256)
        };
        let hash = |bytes: &str| STANDARD.encode(digest(algorithm, bytes.as_bytes()));
        let reference = |id: &str, transform: &str, bytes: &str| {
            format!(
                "<Reference URI=\"#{id}\">{transform}<DigestMethod Algorithm=\"{method}\">\
                 </DigestMethod><DigestValue>{}</DigestValue></Reference>",
                hash(bytes)
            )
        };
        let mut references: String = self
            .parts
            .iter()
            .map(|(id, bytes)| reference(id, "", bytes))
            .collect();
        let mut object = String::new();
        if let Some(time) = self.time {
            object = format!(
                " Id=\"ST-{name}\"><SignatureProperties><SignatureProperty Id=\"SP-{name}\" \
                 Target=\"#{name}\"><SigningTime>{time}</SigningTime></SignatureProperty>\
                 </SignatureProperties></Object>"
            );
            let canonical = format!("<Object xmlns=\"{dsig}\"{object}");
            references += &reference(&format!("ST-{name}"), self.time_transform, &canonical);
            object.insert_str(0, "<Object");
        }
        let info = format!(
            "><CanonicalizationMethod Algorithm=\"{}\"></CanonicalizationMethod>\
             <SignatureMethod Algorithm=\"{}\"></SignatureMethod>{references}</SignedInfo>",
            names::C14N,
            names::RSA_SHA256
        );
        let to_sign = format!("<SignedInfo xmlns=\"{dsig}\"{info}");
        let value = self
            .key
            .sign_bytes(to_sign.as_bytes())
            .expect("keys of the corpus sign");
        format!(
            "<Signature xmlns=\"{dsig}\" Id=\"{name}\"><SignedInfo{info}<SignatureValue>{}\
             </SignatureValue><KeyInfo><X509Data><X509Certificate>{}</X509Certificate></X509Data>\
             </KeyInfo>{object}</Signature>",
            STANDARD.encode(value),
            STANDARD.encode(self.key.certificate().der())
        )
    }
}

/// The Id of canonical data.
pub fn id_of(element: &str) -> String {
    element
        .split_once("Id=\"")
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}

/// A file of data, what stands between data and signatures, and the seller's signature.
pub fn file(data: &str, between: &str, seller: &str) -> String {
    format!("<HDon>{data}{between}<DSCKS><NBan>{seller}</NBan></DSCKS></HDon>")
}

/// Data signed by the seller, as a file.
pub fn signed(kit: &Kit, data: &str) -> String {
    file(data, "", &Signature::over(&kit.seller, data).element())
}

/// A file with the authority's code and signature, over what `covers` names.
pub fn coded(kit: &Kit, data: &str, code: &str, covers_data: bool) -> String {
    let seller = Signature::over(&kit.seller, data).element();
    let mark = format!("<MCCQT Id=\"MA-128\">{code}</MCCQT>");
    let mut parts = vec![("MA-128".to_owned(), mark.clone())];
    if covers_data {
        parts.push((id_of(data), data.to_owned()));
    }
    let authority = Signature {
        name: "CQT",
        parts,
        ..Signature::over(&kit.authority, data)
    };
    file(data, &mark, &seller).replacen(
        "</DSCKS>",
        &format!("<CQT>{}</CQT></DSCKS>", authority.element()),
        1,
    )
}
