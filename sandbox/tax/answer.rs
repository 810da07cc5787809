//! Messages the authority sends: acknowledgement (999), coded invoice (202), check result (204).

use roxmltree::Document;

use super::check::Invoice;
use super::envelope::{Envelope, UNCODED};
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

/// What became of one invoice.
pub(super) enum Verdict {
    /// The whole invoice with code and signature.
    Coded(String),
    /// Taken without a code.
    Valid,
    Refused(Refusal),
}

/// One business message.
pub(super) enum Reply {
    /// 202
    Coded(String),
    /// 204, `LTBao` 1
    Refused(Refusal),
    /// 204 about a package of uncoded invoices: `LTBao` 2, or 3 with the invalid ones.
    Package { count: usize, refused: Vec<Refusal> },
}

/// A coded invoice is answered by itself, a package of uncoded ones as a whole.
pub(super) fn replies(verdicts: Vec<Verdict>, envelope: &Envelope) -> Vec<Reply> {
    if envelope.kind == UNCODED {
        let count = verdicts.len();
        let refused = verdicts.into_iter().filter_map(|verdict| match verdict {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Coded(_) | Verdict::Valid => None,
        });
        return vec![Reply::Package {
            count,
            refused: refused.collect(),
        }];
    }
    let single = verdicts.into_iter().filter_map(|verdict| match verdict {
        Verdict::Coded(invoice) => Some(Reply::Coded(invoice)),
        Verdict::Refused(refusal) => Some(Reply::Refused(refusal)),
        Verdict::Valid => None,
    });
    single.collect()
}

pub(super) fn header(
    envelope: &Envelope,
    kind: &str,
    chance: &Chance,
    with_taxpayer: bool,
) -> String {
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

/// What a business answer is written with.
pub(super) struct Desk<'a> {
    pub envelope: &'a Envelope,
    /// Registered name, when the tax code is known.
    pub taxpayer: Option<String>,
    pub pki: &'a Pki,
    pub notice_number: u32,
    pub now: i64,
    pub chance: &'a Chance,
}

impl Desk<'_> {
    /// 202 or 204.
    pub fn business(&self, reply: &Reply) -> Result<String, PkiError> {
        let (kind, data) = match reply {
            Reply::Coded(invoice) => ("202", invoice.clone()),
            Reply::Refused(refusal) => ("204", self.refused(refusal)?),
            Reply::Package { count, refused } => ("204", self.package(*count, refused)?),
        };
        Ok(format!(
            "<TDiep>{}<DLieu>{data}</DLieu></TDiep>",
            header(self.envelope, kind, self.chance, true)
        ))
    }

    fn refused(&self, refusal: &Refusal) -> Result<String, PkiError> {
        let content = format!("<LCMa>{}</LCMa>", refusal.xml());
        self.notice("1", 1, &content)
    }

    fn package(&self, count: usize, refused: &[Refusal]) -> Result<String, PkiError> {
        if refused.is_empty() {
            return self.notice("2", count, "");
        }
        let list: String = (1..)
            .zip(refused)
            .map(|(line, refusal)| format!("<HDon><STT>{line}</STT>{}</HDon>", refusal.xml()))
            .collect();
        self.notice(
            "3",
            count,
            &format!("<LHDKMa><DSHDon>{list}</DSHDon></LHDKMa>"),
        )
    }

    /// `TBao` 01/TB-KTDL with the authority's signature.
    fn notice(&self, kind: &str, count: usize, content: &str) -> Result<String, PkiError> {
        let time = moment::iso(self.now);
        let unique = self.chance.hex32();
        let id = format!("TB-{unique}");
        let name = self
            .taxpayer
            .as_deref()
            .map(|name| format!("<TNNT>{}</TNNT>", escape(name)));
        let data = format!(
            "<DLTBao Id=\"{id}\"><PBan>{}</PBan><MSo>01/TB-KTDL</MSo>\
             <Ten>Thông báo về việc kết quả kiểm tra dữ liệu hóa đơn điện tử</Ten><So>{}</So>\
             <DDanh>Hà Nội</DDanh><NTBao>{}</NTBao><MST>{}</MST>{}<TGGui>{time}</TGGui>\
             <LTBao>{kind}</LTBao><MGDDTu>{}</MGDDTu><SLuong>{count}</SLuong>{content}</DLTBao>",
            escape(&self.envelope.version),
            self.notice_number,
            &time[..10],
            escape(&self.envelope.tax_code),
            name.unwrap_or_default(),
            escape(&self.envelope.message_id),
        );
        let parts = [(id.as_str(), data.as_str())];
        let signature = signature::sign(self.pki.tax_authority(), &unique, &parts, self.now)?;
        Ok(format!(
            "<TBao>{data}<DSCKS><CQT>{signature}</CQT></DSCKS></TBao>"
        ))
    }
}

impl Refusal {
    /// Which invoice, and the numbered reasons.
    fn xml(&self) -> String {
        let reasons: String = (1..)
            .zip(&self.reasons)
            .map(|(line, reason)| {
                let text = escape(&sentence(&reason.text));
                let code = reason.code;
                format!("<LDo><STT>{line}</STT><MLoi>{code}</MLoi><MTLoi>{text}</MTLoi></LDo>")
            })
            .collect();
        format!(
            "<KHMSHDon>{}</KHMSHDon><KHHDon>{}</KHHDon><SHDon>{}</SHDon><NLap>{}</NLap>\
             <DSLDo>{reasons}</DSLDo>",
            escape(&self.invoice.form),
            escape(&self.invoice.symbol),
            self.invoice.number,
            escape(&self.invoice.day),
        )
    }
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
