//! Messages the authority sends: acknowledgement (999), coded invoice (202), refusal (204).

use roxmltree::Document;

use super::check::Invoice;
use super::envelope::Envelope;
use super::reason::{self, Reason};
use super::signature;
use super::xml::{child, escape};
use crate::chance::Chance;
use crate::moment;
use crate::pki::{Pki, PkiError};

/// Characters of a reason's sentence.
const REASON_CHARS_MAX: usize = 255;

/// A refused invoice and why.
pub(super) struct Refusal {
    pub invoice: Invoice,
    pub reasons: Vec<Reason>,
}

/// The business answer to one invoice.
pub(super) enum Reply {
    /// The whole invoice with code and signature.
    Coded(String),
    Refused(Refusal),
}

fn header(envelope: &Envelope, kind: &str, chance: &Chance, with_taxpayer: bool) -> String {
    let taxpayer = if with_taxpayer {
        format!(
            "<MST>{}</MST><SLuong>1</SLuong>",
            escape(&envelope.tax_code)
        )
    } else {
        String::new()
    };
    format!(
        "<TTChung><PBan>{}</PBan><MNGui>TCT</MNGui><MNNhan>{}</MNNhan><MLTDiep>{kind}</MLTDiep>\
         <MTDiep>TCT{}</MTDiep><MTDTChieu>{}</MTDTChieu>{taxpayer}</TTChung>",
        escape(&envelope.version),
        escape(&envelope.sender),
        chance.hex32(),
        escape(&envelope.message_id),
    )
}

/// 999, with the reason when the message cannot be taken.
pub(super) fn acknowledgement(
    envelope: &Envelope,
    reason: Option<&Reason>,
    now: i64,
    chance: &Chance,
) -> String {
    let (state, list) = match reason {
        None => ("0", String::new()),
        Some(reason) => (
            "1",
            format!(
                "<DSLDo><LDo><MLoi>{}</MLoi><MTa>{}</MTa></LDo></DSLDo>",
                reason.code,
                escape(&sentence(&reason.text))
            ),
        ),
    };
    format!(
        "<TDiep>{}<DLieu><TBao><MTDiep>{}</MTDiep><MNGui>{}</MNGui><NNhan>{}</NNhan>\
         <TTTNhan>{state}</TTTNhan>{list}</TBao></DLieu></TDiep>",
        header(envelope, "999", chance, false),
        escape(&envelope.message_id),
        escape(&envelope.sender),
        moment::iso(now),
    )
}

/// 202 or 204.
pub(super) fn business(
    reply: &Reply,
    envelope: &Envelope,
    pki: &Pki,
    notice_number: u32,
    now: i64,
    chance: &Chance,
) -> Result<String, PkiError> {
    let (kind, data) = match reply {
        Reply::Coded(invoice) => ("202", invoice.clone()),
        Reply::Refused(refusal) => (
            "204",
            refused(refusal, envelope, pki, notice_number, now, &chance.hex32())?,
        ),
    };
    Ok(format!(
        "<TDiep>{}<DLieu>{data}</DLieu></TDiep>",
        header(envelope, kind, chance, true)
    ))
}

fn refused(
    refusal: &Refusal,
    envelope: &Envelope,
    pki: &Pki,
    notice_number: u32,
    now: i64,
    unique: &str,
) -> Result<String, PkiError> {
    let invoice = &refusal.invoice;
    let reasons: String = refusal
        .reasons
        .iter()
        .enumerate()
        .map(|(index, reason)| {
            format!(
                "<LDo><STT>{}</STT><MLoi>{}</MLoi><MTLoi>{}</MTLoi></LDo>",
                index + 1,
                reason.code,
                escape(&sentence(&reason.text))
            )
        })
        .collect();
    let time = moment::iso(now);
    let id = format!("TB-{unique}");
    let data = format!(
        "<DLTBao Id=\"{id}\"><PBan>{}</PBan><MSo>01/TB-KTDL</MSo>\
         <Ten>Thông báo về việc kết quả kiểm tra dữ liệu hóa đơn điện tử</Ten><So>{notice_number}</So>\
         <DDanh>Hà Nội</DDanh><NTBao>{}</NTBao><MST>{}</MST><TGGui>{time}</TGGui><LTBao>1</LTBao>\
         <MGDDTu>{}</MGDDTu><SLuong>1</SLuong><LCMa><KHMSHDon>{}</KHMSHDon><KHHDon>{}</KHHDon>\
         <SHDon>{}</SHDon><NLap>{}</NLap><DSLDo>{reasons}</DSLDo></LCMa></DLTBao>",
        escape(&envelope.version),
        &time[..10],
        escape(&envelope.tax_code),
        escape(&envelope.message_id),
        escape(&invoice.form),
        escape(&invoice.symbol),
        invoice.number,
        escape(&invoice.day),
    );
    let signature = signature::sign(pki.tax_authority(), unique, &[(&id, &data)], now)?;
    Ok(format!(
        "<TBao>{data}<DSCKS><CQT>{signature}</CQT></DSCKS></TBao>"
    ))
}

/// The seller's invoice with `MCCQT` before `DSCKS` and the authority's signature behind his.
pub(super) fn coded_invoice(
    source: &str,
    code: &str,
    pki: &Pki,
    now: i64,
) -> Result<String, Reason> {
    let shape = || Reason::new(reason::FORMAT, "Hóa đơn thiếu DLHDon@Id hoặc DSCKS/NBan");
    let document = Document::parse(source).map_err(|_| shape())?;
    let root = document.root_element();
    let data = child(root, "DLHDon").ok_or_else(shape)?;
    let data_id = data.attribute("Id").ok_or_else(shape)?;
    let signatures = child(root, "DSCKS").ok_or_else(shape)?;
    let seller = child(signatures, "NBan").ok_or_else(shape)?;
    let last = child(signatures, "NMua").unwrap_or(seller);
    if child(root, "MCCQT").is_some() || child(signatures, "CQT").is_some() {
        return Err(Reason::new(
            reason::FORMAT,
            "Hóa đơn đã có mã của cơ quan thuế",
        ));
    }
    let code_id = format!("MCCQT-{code}");
    let code_element = format!("<MCCQT Id=\"{code_id}\">{code}</MCCQT>");
    let parts = [
        (data_id, &source[data.range()]),
        (code_id.as_str(), code_element.as_str()),
    ];
    let signature = signature::sign(pki.tax_authority(), code, &parts, now)
        .map_err(|error| Reason::new(reason::FORMAT, error.to_string()))?;
    let (before, after) = (signatures.range().start, last.range().end);
    Ok(format!(
        "{}{code_element}{}<CQT>{signature}</CQT>{}",
        &source[..before],
        &source[before..after],
        &source[after..]
    ))
}

fn sentence(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
