//! Content and canonical XML of declarations (einvoice §4.4). Field names and lengths are those of
//! decisions 1450 and 1306 as public code models them; what differs in 2.1.1 is left out there.

use serde::{Deserialize, Serialize};

use crate::clock::{Day, Instant};
use crate::invoices::document::{Form, Format};
use crate::invoices::xml::{ContentError, Unsigned, Writer, fields};

/// Who declares, and to which office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declarant {
    pub name: String,
    pub tax_code: String,
    /// TCQT and MCQT: the tax office that manages the seller.
    pub office_name: String,
    pub office_code: String,
    /// DDanh: where it is declared.
    pub place: String,
    pub day: Day,
}

/// A wrong invoice of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongInvoice {
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub day: Day,
    /// MCCQT; nothing for an uncoded invoice.
    pub code: Option<String>,
    /// What is wrong and how it should be.
    pub why: String,
}

/// 04/SS-HĐĐT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorNotice {
    pub id: String,
    pub format: Format,
    pub declarant: Declarant,
    /// Number and day of the authority's notice 302 that this one answers.
    pub answers: Option<(String, Day)>,
    pub invoices: Vec<WrongInvoice>,
}

/// What happens to a certificate, HThuc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateChange {
    Add,
    Extend,
    Stop,
}

impl CertificateChange {
    const fn code(self) -> &'static str {
        match self {
            Self::Add => "1",
            Self::Extend => "2",
            Self::Stop => "3",
        }
    }
}

/// A certificate of the registration, DSCTSSDung/CTS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredCertificate {
    pub issuer: String,
    /// Upper-case hex.
    pub serial: String,
    pub valid_from: Instant,
    pub valid_to: Instant,
    pub change: CertificateChange,
}

/// Who stands for the seller, and whom the office asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    pub representative: String,
    pub representative_personal_id: Option<String>,
    pub representative_passport: Option<String>,
    pub representative_born: Option<Day>,
    pub representative_phone: Option<String>,
    pub contact: String,
    pub contact_address: String,
    pub contact_email: String,
    pub contact_phone: String,
}

/// 01/ĐKTĐ-HĐĐT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub id: String,
    pub format: Format,
    pub declarant: Declarant,
    /// A change of an accepted registration, otherwise the first one.
    pub is_change: bool,
    pub people: People,
    /// Invoices with the authority's code, otherwise without.
    pub coded: bool,
    pub form: Form,
    pub certificates: Vec<DeclaredCertificate>,
    /// Tax codes of the maker of the software and of the transmission provider.
    pub solution_provider: String,
    pub carrier: Option<String>,
}

/// Either declaration, as it is stored.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, never in a collection"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "declaration", rename_all = "snake_case")]
pub enum Declaration {
    Registration(Registration),
    ErrorNotice(ErrorNotice),
}

impl Declaration {
    pub fn declarant(&self) -> &Declarant {
        match self {
            Self::Registration(of) => &of.declarant,
            Self::ErrorNotice(of) => &of.declarant,
        }
    }

    pub fn format(&self) -> Format {
        match self {
            Self::Registration(of) => of.format,
            Self::ErrorNotice(of) => of.format,
        }
    }

    /// The file up to its signature.
    ///
    /// # Errors
    /// [`ContentError`] names the element that the format does not take.
    pub fn write(&self) -> Result<Unsigned, ContentError> {
        match self {
            Self::Registration(of) => of.write(),
            Self::ErrorNotice(of) => of.write(),
        }
    }
}

/// `<root><data Id="…">…</data>`, to be signed by the taxpayer.
fn unsigned(
    root: &'static str,
    data: &str,
    id: &str,
    fill: impl FnOnce(&mut Writer) -> Result<(), ContentError>,
) -> Result<Unsigned, ContentError> {
    let mut writer = Writer::with_capacity(8_000);
    writer.open(root);
    let start = writer.position();
    writer.open_with(data, &[("Id", id)]);
    fill(&mut writer)?;
    writer.close(data);
    let data = start..writer.position();
    Ok(Unsigned {
        writer,
        data,
        id: id.to_owned(),
        root,
        slot: "NNT",
    })
}

impl ErrorNotice {
    fn write(&self) -> Result<Unsigned, ContentError> {
        unsigned("TBao", "DLTBao", &self.id, |w| {
            let by = &self.declarant;
            w.leaf("PBan", self.format.as_str());
            w.leaf("MSo", "04/SS-HĐĐT");
            w.leaf("Ten", "Thông báo hóa đơn điện tử có sai sót");
            match &self.answers {
                None => w.leaf("Loai", "1"),
                Some((number, day)) => {
                    w.leaf("Loai", "2");
                    fields::text(w, "So", number, 30)?;
                    w.leaf("NTBCCQT", &day.iso());
                }
            }
            fields::text(w, "TCQT", &by.office_name, 100)?;
            fields::text(w, "MCQT", &by.office_code, 5)?;
            fields::tax_code(w, "MST", &by.tax_code)?;
            fields::text(w, "TNNT", &by.name, 400)?;
            fields::text(w, "DDanh", &by.place, 50)?;
            w.leaf("NTBao", &by.day.iso());
            w.open("DSHDon");
            for (place, invoice) in self.invoices.iter().enumerate() {
                w.open("HDon");
                fields::short_number(w, "STT", place + 1, 4)?;
                fields::optional(w, "MCCQT", invoice.code.as_deref(), 34)?;
                fields::text(w, "KHMSHDon", &invoice.form, 11)?;
                fields::text(w, "KHHDon", &invoice.symbol, 8)?;
                fields::text(w, "SHDon", &invoice.number.to_string(), 8)?;
                w.leaf("Ngay", &invoice.day.iso());
                w.leaf("LADHDDT", "1");
                if self.format == Format::V2_1_0 {
                    // Explain: nothing is cancelled, adjusted or replaced by a notice.
                    w.leaf("TCTBao", "4");
                }
                fields::text(w, "LDo", &invoice.why, 255)?;
                w.close("HDon");
            }
            w.close("DSHDon");
            Ok(())
        })
    }
}

impl Registration {
    fn write(&self) -> Result<Unsigned, ContentError> {
        unsigned("TKhai", "DLTKhai", &self.id, |w| {
            self.general(w)?;
            self.content(w)
        })
    }

    fn general(&self, w: &mut Writer) -> Result<(), ContentError> {
        let (by, people) = (&self.declarant, &self.people);
        w.open("TTChung");
        w.leaf("PBan", self.format.as_str());
        w.leaf("MSo", "01/ĐKTĐ-HĐĐT");
        w.leaf(
            "Ten",
            "Tờ khai đăng ký, thay đổi thông tin sử dụng hóa đơn điện tử",
        );
        w.leaf("HThuc", if self.is_change { "2" } else { "1" });
        fields::text(w, "TNNT", &by.name, 400)?;
        fields::tax_code(w, "MST", &by.tax_code)?;
        fields::text(w, "CQTQLy", &by.office_name, 100)?;
        fields::text(w, "MCQTQLy", &by.office_code, 5)?;
        fields::text(w, "TNDDPLuat", &people.representative, 50)?;
        fields::optional(w, "DTDDPLuat", people.representative_phone.as_deref(), 20)?;
        fields::optional(
            w,
            "CCCDan",
            people.representative_personal_id.as_deref(),
            12,
        )?;
        fields::optional(w, "SHChieu", people.representative_passport.as_deref(), 20)?;
        if let Some(born) = people.representative_born {
            w.leaf("NSDDPLuat", &born.iso());
        }
        fields::text(w, "DCLHe", &people.contact_address, 400)?;
        fields::text(w, "DCTDTu", &people.contact_email, 50)?;
        fields::text(w, "NLHe", &people.contact, 50)?;
        fields::text(w, "DTLHe", &people.contact_phone, 20)?;
        fields::text(w, "DDanh", &by.place, 50)?;
        w.leaf("NLap", &by.day.iso());
        w.close("TTChung");
        Ok(())
    }

    fn content(&self, w: &mut Writer) -> Result<(), ContentError> {
        let flag = |is_set: bool| if is_set { "1" } else { "0" };
        let flags = |w: &mut Writer, group: &str, values: &[(&str, bool)]| {
            w.open(group);
            for (name, is_set) in values {
                w.leaf(name, flag(*is_set));
            }
            w.close(group);
        };
        w.open("NDTKhai");
        flags(
            w,
            "HTHDon",
            &[
                ("CMa", self.coded),
                ("KCMa", !self.coded),
                ("CMTMTTien", false),
            ],
        );
        // Through a transmission provider, every invoice in full: schools may neither link directly nor
        // send tables (NĐ 254/2026 art. 16).
        flags(
            w,
            "HTGDLHDDT",
            &[
                ("NNTDBKKhan", false),
                ("CQXLTSCong", false),
                ("CDLTTDCQT", false),
                ("CDLQTCTN", true),
            ],
        );
        flags(w, "PThuc", &[("CDDu", true), ("CBTHop", false)]);
        flags(
            w,
            "LHDSDung",
            &[
                ("HDGTGT", self.form == Form::Vat),
                ("HDBHang", self.form == Form::Sales),
                ("HDBTSCong", false),
                ("HDBHDTQGia", false),
                ("HDKhac", false),
                ("CTu", false),
            ],
        );
        w.open("DSCTSSDung");
        for (place, certificate) in self.certificates.iter().enumerate() {
            w.open("CTS");
            fields::short_number(w, "STT", place + 1, 4)?;
            fields::text(w, "TTChuc", &certificate.issuer, 400)?;
            fields::text(w, "Seri", &certificate.serial, 40)?;
            w.leaf("TNgay", &certificate.valid_from.local_iso());
            w.leaf("DNgay", &certificate.valid_to.local_iso());
            w.leaf("HThuc", certificate.change.code());
            w.close("CTS");
        }
        w.close("DSCTSSDung");
        w.open("TTTCGP");
        w.open("TCGP");
        fields::tax_code(w, "MST", &self.solution_provider)?;
        w.close("TCGP");
        w.close("TTTCGP");
        if let Some(carrier) = &self.carrier {
            w.open("TTTCTN");
            w.open("TCTN");
            fields::tax_code(w, "MST", carrier)?;
            w.close("TCTN");
            w.close("TTTCTN");
        }
        w.close("NDTKhai");
        Ok(())
    }
}
