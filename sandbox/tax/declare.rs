//! Registrations (100 → 102, 103) and notices of wrong invoices (300 → 301).

use roxmltree::{Document, Node};

use super::Taxpayer;
use super::answer::header;
use super::envelope::Envelope;
use super::reason::{self, Reason};
use super::registry::Registry;
use super::signature;
use super::xml::{child, children, escape, text_at};
use crate::chance::Chance;
use crate::moment;
use crate::pki::{CertificateView, Pki, PkiError};

/// What an answer is written with.
pub(super) struct Office<'a> {
    pub envelope: &'a Envelope,
    pub taxpayer: Option<Taxpayer>,
    pub pki: &'a Pki,
    pub now: i64,
    pub chance: &'a Chance,
    /// Refuses for no fault of the declaration.
    pub at_will: bool,
}

impl Office<'_> {
    /// 102, and 103 when the registration was admitted.
    pub fn registration(&self, source: &str) -> Result<Vec<String>, PkiError> {
        let declared = self.declared(source, "DLTKhai");
        let admitted = match &declared {
            Ok(()) if self.at_will => Err(at_will()),
            Ok(()) => Ok(()),
            Err(reason) => Err(reason.clone()),
        };
        let mut replies = vec![self.admission(admitted.as_ref().err())?];
        if admitted.is_ok() {
            replies.push(self.decision(self.unfit(source).as_ref())?);
        }
        Ok(replies)
    }

    /// A kind of invoice that the registered VAT method does not know.
    fn unfit(&self, source: &str) -> Option<Reason> {
        let document = Document::parse(source).ok()?;
        let kinds = child(document.root_element(), "DLTKhai")
            .and_then(|data| child(data, "NDTKhai"))
            .and_then(|content| child(content, "LHDSDung"))?;
        let wants = |name| text_at(kinds, name).as_deref() == Some("1");
        let form = self.taxpayer.as_ref().map_or("", |taxpayer| &taxpayer.form);
        let fits = (form == "1" && wants("HDGTGT") && !wants("HDBHang"))
            || (form == "2" && wants("HDBHang") && !wants("HDGTGT"));
        (!fits).then(|| {
            Reason::new(
                reason::WRONG_KIND,
                "Loại hóa đơn không phù hợp phương pháp tính thuế đã đăng ký",
            )
        })
    }

    /// 301 with a verdict for each invoice, or none where the notice itself is wrong.
    pub fn notice(&self, source: &str, registry: &Registry) -> Result<String, PkiError> {
        let (invoices, wrong) = match self.declared(source, "DLTBao") {
            Err(reason) => (String::new(), Some(reason)),
            Ok(()) => (self.verdicts(source, registry), None),
        };
        let reasons = wrong.map(|reason| list("DSLDKCNhan", "MTLoi", &reason));
        let data = |id: &str, time: &str| {
            format!(
                "<DLTBao Id=\"{id}\">{}<TGNhan>{time}</TGNhan><STTThe>1</STTThe>{}<DSHDon>{invoices}\
                 </DSHDon></DLTBao>",
                self.about("01/TB-SSĐT", time),
                reasons.unwrap_or_default(),
            )
        };
        self.signed("301", data)
    }

    fn verdicts(&self, source: &str, registry: &Registry) -> String {
        let Ok(document) = Document::parse(source) else {
            return String::new();
        };
        let wrong = child(document.root_element(), "DLTBao")
            .and_then(|data| child(data, "DSHDon"))
            .into_iter()
            .flat_map(|all| children(all, "HDon"));
        wrong.map(|one| self.verdict(one, registry)).collect()
    }

    fn verdict(&self, one: Node<'_, '_>, registry: &Registry) -> String {
        let text = |name| text_at(one, name).unwrap_or_default();
        let (form, symbol, number) = (text("KHMSHDon"), text("KHHDon"), text("SHDon"));
        let known = number
            .parse()
            .ok()
            .and_then(|number| registry.find(&self.envelope.tax_code, &form, &symbol, number));
        let refused = match known {
            Some(_) if self.at_will => Some(at_will()),
            Some(known) if known.code == text("MCCQT") && known.day == text("Ngay") => None,
            Some(_) => Some(Reason::new(
                reason::FORMAT,
                "Mã hoặc ngày khác hóa đơn đã nhận",
            )),
            None => Some(Reason::new(reason::SELLER, "Không có hóa đơn này")),
        };
        format!(
            "<HDon><STT>{}</STT><MCQTCap>{}</MCQTCap><KHMSHDon>{}</KHMSHDon><KHHDon>{}</KHHDon>\
             <SHDon>{}</SHDon><TTTNCCQT>{}</TTTNCCQT>{}</HDon>",
            escape(&text("STT")),
            escape(&text("MCCQT")),
            escape(&form),
            escape(&symbol),
            escape(&number),
            if refused.is_none() { "1" } else { "2" },
            refused
                .map(|reason| list("DSLDKTNhan", "MTa", &reason))
                .unwrap_or_default(),
        )
    }

    /// Whether the declaration is the taxpayer's own.
    fn declared(&self, source: &str, data_name: &str) -> Result<(), Reason> {
        let bad = |text: &str| Reason::new(reason::SIGNATURE, text);
        if self.taxpayer.is_none() {
            return Err(Reason::new(reason::SELLER, "Mã số thuế không có"));
        }
        let document = Document::parse(source).map_err(|_| bad("Sai định dạng XML"))?;
        let root = document.root_element();
        let data = child(root, data_name)
            .ok_or_else(|| Reason::new(reason::MISSING, format!("Thiếu {data_name}")))?;
        let tax_code = text_at(data, "MST").or_else(|| text_at(data, "TTChung/MST"));
        if tax_code.as_deref() != Some(self.envelope.tax_code.as_str()) {
            return Err(Reason::new(
                reason::SELLER,
                "Mã số thuế khác mã số thuế của thông điệp",
            ));
        }
        let found = child(root, "DSCKS")
            .and_then(|signatures| child(signatures, "NNT"))
            .and_then(|taxpayer| child(taxpayer, "Signature"))
            .ok_or_else(|| bad("DSCKS/NNT thiếu chữ ký"))?;
        let signed = signature::check(source, data, found)
            .map_err(|text| bad(&format!("Chữ ký không hợp lệ: {text}")))?;
        let certificate = CertificateView::read(&signed.certificate)
            .ok_or_else(|| bad("Chứng thư số không đọc được"))?;
        if !self.pki.issued(&certificate) || certificate.tax_code() != tax_code {
            return Err(Reason::new(
                reason::CERTIFICATE,
                "Chứng thư số không phải của người nộp thuế",
            ));
        }
        Ok(())
    }

    fn admission(&self, wrong: Option<&Reason>) -> Result<String, PkiError> {
        let data = |id: &str, time: &str| {
            format!(
                "<DLTBao Id=\"{id}\">{}<TTKhai>Tờ khai đăng ký</TTKhai><THop>{}</THop>\
                 <TGNhan>{time}</TGNhan>{}</DLTBao>",
                self.about("01/TB-TNĐT", time),
                if wrong.is_none() { "1" } else { "2" },
                wrong
                    .map(|reason| list("DSLDKCNhan", "MTa", reason))
                    .unwrap_or_default(),
            )
        };
        self.signed("102", data)
    }

    fn decision(&self, wrong: Option<&Reason>) -> Result<String, PkiError> {
        let data = |id: &str, time: &str| {
            format!(
                "<DLTBao Id=\"{id}\">{}<HTDKy>1</HTDKy><TTXNCQT>{}</TTXNCQT>{}</DLTBao>",
                self.about("01/TB-ĐKĐT", time),
                if wrong.is_none() { "1" } else { "2" },
                wrong
                    .map(|reason| list("DSLDKCNhan", "MTLoi", reason))
                    .unwrap_or_default(),
            )
        };
        self.signed("103", data)
    }

    /// What every notice begins with.
    fn about(&self, form: &str, time: &str) -> String {
        let name = self
            .taxpayer
            .as_ref()
            .map_or(String::new(), |taxpayer| escape(&taxpayer.name));
        format!(
            "<PBan>{}</PBan><MSo>{form}</MSo><Ten>Thông báo của cơ quan thuế</Ten><DDanh>Hà Nội</DDanh>\
             <NTBao>{}</NTBao><MST>{}</MST><TNNT>{name}</TNNT><MGDDTu>{}</MGDDTu><TGGui>{time}</TGGui>",
            escape(&self.envelope.version),
            &time[..10],
            escape(&self.envelope.tax_code),
            escape(&self.envelope.message_id),
        )
    }

    fn signed(
        &self,
        kind: &str,
        data: impl FnOnce(&str, &str) -> String,
    ) -> Result<String, PkiError> {
        let time = moment::iso(self.now);
        let unique = self.chance.hex32();
        let id = format!("TB-{unique}");
        let data = data(&id, &time);
        let parts = [(id.as_str(), data.as_str())];
        let signature = signature::sign(self.pki.tax_authority(), &unique, &parts, self.now)?;
        Ok(format!(
            "<TDiep>{}<DLieu><TBao>{data}<DSCKS><CQT>{signature}</CQT></DSCKS></TBao></DLieu></TDiep>",
            header(self.envelope, kind, self.chance, true)
        ))
    }
}

fn at_will() -> Reason {
    Reason::new(reason::LEVER, "Từ chối theo cài đặt thử nghiệm")
}

/// The description is spelled both ways in real notices.
fn list(group: &str, description: &str, reason: &Reason) -> String {
    format!(
        "<{group}><LDo><MLoi>{}</MLoi><{description}>{}</{description}></LDo></{group}>",
        reason.code,
        escape(&reason.text)
    )
}
