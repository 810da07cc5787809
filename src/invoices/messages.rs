//! Messages to and from the tax authority (einvoice §4): the envelope `TDiep`, and its replies.
//!
//! Signed bytes pass through untouched: invoices are copied into an envelope and sliced out of a
//! reply, never written again.

use super::signature::Certificate;
use super::verify::tree::{elements, find, named, text_at};
use super::verify::{Trust, XmlError, verify};
use super::xml::Writer;
use super::xml::reader::{self, Node};

/// Parties of an envelope. Conventions differ between carriers, so both codes are configuration:
/// often the bare tax code of the software provider, and that of the carrier (einvoice §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// MNGui: also the beginning of every MTDiep.
    pub sender: String,
    /// MNNhan.
    pub receiver: String,
}

/// What is asked of the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// 200: give these invoices a code.
    Code,
    /// 203: take these uncoded invoices.
    Deliver,
    /// 100: register this seller, or change the registration.
    Register,
    /// 300: these invoices are wrong in something that needs no correction.
    Notice,
}

impl Request {
    /// By the first letter of the symbol: `C` wants a code, `K` does not.
    pub fn of_symbol(symbol: &str) -> Self {
        if symbol.starts_with('K') {
            Self::Deliver
        } else {
            Self::Code
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Code => "200",
            Self::Deliver => "203",
            Self::Register => "100",
            Self::Notice => "300",
        }
    }
}

/// A fresh MTDiep: the sender's code and 32 upper-case hex digits. It is the key against repeats:
/// fix it before sending and keep it.
pub fn message_id(parties: &Parties, random: [u8; 16]) -> String {
    format!("{}{}", parties.sender, hex::encode_upper(random))
}

/// A message over signed invoices or declarations of one taxpayer. No namespace is declared on any ancestor of the
/// signed elements, or inclusive canonicalisation would pull it into their digests.
pub fn envelope(
    parties: &Parties,
    request: Request,
    format: &str,
    message_id: &str,
    taxpayer: &str,
    invoices: &[&[u8]],
) -> Vec<u8> {
    let load: usize = invoices.iter().map(|invoice| invoice.len()).sum();
    let mut w = Writer::with_capacity(load + 600);
    w.open("TDiep");
    w.open("TTChung");
    for (name, text) in [
        ("PBan", format),
        ("MNGui", &parties.sender),
        ("MNNhan", &parties.receiver),
        ("MLTDiep", request.code()),
        ("MTDiep", message_id),
        ("MTDTChieu", ""),
        ("MST", taxpayer),
        ("SLuong", &invoices.len().to_string()),
    ] {
        w.leaf(name, text);
    }
    w.close("TTChung");
    w.open("DLieu");
    for invoice in invoices {
        w.raw(invoice);
    }
    w.close("DLieu");
    w.close("TDiep");
    w.into_bytes()
}

/// One reason of a refusal, as the authority words it. Codes are reused between contexts, so the
/// text is always shown with them (einvoice §4.5).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    pub code: String,
    pub text: String,
    pub advice: String,
}

/// A reply to one of our messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 999: technical receipt. With reasons it was not taken.
    Received {
        accepted: bool,
        reasons: Vec<Reason>,
    },
    /// 202: invoices with the authority's code, whole and verbatim.
    Coded { invoices: Vec<String> },
    /// 204: result of the check; `result` is LTBao (2 = everything valid).
    Checked {
        result: String,
        reasons: Vec<Reason>,
    },
    /// 102: whether a registration will be examined (THop 1 and 3).
    Admitted {
        accepted: bool,
        reasons: Vec<Reason>,
    },
    /// 103: the decision about a registration (TTXNCQT 1), with the five characters of cash-register
    /// codes if some were allotted.
    Decided {
        accepted: bool,
        cash_code: Option<String>,
        reasons: Vec<Reason>,
    },
    /// 301: the verdict on each invoice of a notice; without any, the notice as a whole was refused.
    Judged {
        invoices: Vec<InvoiceVerdict>,
        reasons: Vec<Reason>,
    },
    /// A type that concerns none of our messages.
    Other { kind: String },
}

/// What the authority says about one invoice of a notice (TTTNCCQT 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceVerdict {
    pub form: String,
    pub symbol: String,
    pub number: String,
    pub accepted: bool,
    pub reasons: Vec<Reason>,
}

/// A reply with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// MTDiep of the reply: the same one may be delivered twice.
    pub reply_id: String,
    /// Our MTDiep, from MTDTChieu or the body.
    pub answers: String,
    pub reply: Reply,
}

/// Why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("the answer is {found:?}, neither TDiep nor KetQuaTraCuu")]
    Unexpected { found: String },
    #[error("look-up failed with {code}: {text}")]
    Lookup { code: String, text: String },
}

/// Reads a single `TDiep`, or a `KetQuaTraCuu` with all replies so far.
///
/// # Errors
/// [`MessageError`] when the bytes are neither, or the carrier reports a failed look-up.
pub fn read_answers(bytes: &[u8]) -> Result<Vec<Answer>, MessageError> {
    let tree = reader::parse(bytes)?;
    let (root, source) = (tree.root_element(), tree.source());
    match root.tag_name().name() {
        "TDiep" => Ok(vec![read_message(root, source)]),
        "KetQuaTraCuu" => {
            let code = text_at(root, &["MaKetQua"]).unwrap_or_default();
            if code != "0" {
                return Err(MessageError::Lookup {
                    code,
                    text: text_at(root, &["MoTaKetQua"]).unwrap_or_default(),
                });
            }
            Ok(named(root, "DuLieu")
                .flat_map(|load| named(load, "TDiep"))
                .map(|message| read_message(message, source))
                .collect())
        }
        other => Err(MessageError::Unexpected {
            found: other.to_owned(),
        }),
    }
}

fn read_message(message: Node<'_, '_>, source: &str) -> Answer {
    let head = |name| text_at(message, &["TTChung", name]).unwrap_or_default();
    let kind = head("MLTDiep");
    let load = find(message, &["DLieu"]);
    let notice = load.and_then(|load| find(load, &["TBao"]));
    let reply = match kind.as_str() {
        "999" => Reply::Received {
            accepted: notice
                .and_then(|notice| text_at(notice, &["TTTNhan"]))
                .as_deref()
                == Some("0"),
            reasons: notice.map(reasons).unwrap_or_default(),
        },
        "202" => Reply::Coded {
            invoices: load
                .into_iter()
                .flat_map(|load| named(load, "HDon"))
                .map(|invoice| source[invoice.range()].to_owned())
                .collect(),
        },
        "204" => Reply::Checked {
            result: notice
                .and_then(|notice| text_at(notice, &["DLTBao", "LTBao"]))
                .unwrap_or_default(),
            reasons: notice.map(reasons).unwrap_or_default(),
        },
        "102" => Reply::Admitted {
            accepted: notice
                .and_then(|notice| text_at(notice, &["DLTBao", "THop"]))
                .is_some_and(|found| found == "1" || found == "3"),
            reasons: notice.map(reasons).unwrap_or_default(),
        },
        "103" => Reply::Decided {
            accepted: notice
                .and_then(|notice| text_at(notice, &["DLTBao", "TTXNCQT"]))
                .as_deref()
                == Some("1"),
            cash_code: notice.and_then(|notice| text_at(notice, &["DLTBao", "MCCQT"])),
            reasons: notice.map(reasons).unwrap_or_default(),
        },
        "301" => Reply::Judged {
            invoices: notice
                .and_then(|notice| find(notice, &["DLTBao", "DSHDon"]))
                .into_iter()
                .flat_map(|list| named(list, "HDon"))
                .map(verdict)
                .collect(),
            reasons: notice
                .and_then(|notice| find(notice, &["DLTBao", "DSLDKCNhan"]))
                .map(reasons)
                .unwrap_or_default(),
        },
        _ => Reply::Other { kind },
    };
    let mut answers = head("MTDTChieu");
    if answers.is_empty() {
        let named_in_body = notice.and_then(|notice| {
            text_at(notice, &["MTDiep"]).or_else(|| text_at(notice, &["DLTBao", "MGDDTu"]))
        });
        answers = named_in_body.unwrap_or_default();
    }
    Answer {
        reply_id: head("MTDiep"),
        answers,
        reply,
    }
}

fn verdict(invoice: Node<'_, '_>) -> InvoiceVerdict {
    let text = |name| text_at(invoice, &[name]).unwrap_or_default();
    InvoiceVerdict {
        form: text("KHMSHDon"),
        symbol: text("KHHDon"),
        number: text("SHDon"),
        accepted: text("TTTNCCQT") == "1",
        reasons: reasons(invoice),
    }
}

/// Every `LDo` of a notice, wherever its kind of notice puts the list.
fn reasons(notice: Node<'_, '_>) -> Vec<Reason> {
    notice
        .descendants()
        .filter(|node| node.is_element() && node.tag_name().name() == "LDo")
        .filter(|node| elements(*node).next().is_some())
        .map(|node| {
            let text = |name| text_at(node, &[name]).unwrap_or_default();
            Reason {
                code: text("MLoi"),
                // The description is spelled both ways in real notices (einvoice §4.4).
                text: Some(text("MTLoi"))
                    .filter(|found| !found.is_empty())
                    .unwrap_or_else(|| text("MTa")),
                advice: text("HDXLy"),
            }
        })
        .collect()
}

/// A coded invoice that may be handed to the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// MCCQT.
    pub code: String,
}

/// Why a coded invoice is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodedError {
    #[error("the invoice that came back is not the one that was sent")]
    OtherInvoice,
    #[error("the invoice came back without the authority's code and valid signature: {0}")]
    NotCoded(String),
}

/// Checks an invoice that came back in a 202: the signed data are the bytes that were sent, and the
/// authority's signature over code and data holds.
///
/// # Errors
/// [`CodedError`].
pub fn check_coded(
    sent: &[u8],
    received: &[u8],
    authorities: &[Certificate],
) -> Result<Coded, CodedError> {
    let same = data_slice(sent).is_some_and(|data| data_slice(received) == Some(data));
    if !same {
        return Err(CodedError::OtherInvoice);
    }
    let report = verify(
        received,
        Trust {
            authorities: &[],
            ..Trust::default()
        },
    );
    let summary = report.invoices.first();
    let code = summary.and_then(|summary| summary.authority_code.clone());
    match code {
        Some(code) if report.valid && summary.is_some_and(|s| s.authority_signature) => {
            if authorities.is_empty() || authority_is_trusted(received, authorities) {
                Ok(Coded { code })
            } else {
                Err(CodedError::NotCoded("its signer is not trusted".into()))
            }
        }
        _ => Err(CodedError::NotCoded(
            report
                .findings
                .iter()
                .filter(|finding| finding.severity == super::verify::Severity::Error)
                .map(|finding| finding.en.clone())
                .next()
                .unwrap_or_else(|| "no code".into()),
        )),
    }
}

/// The bytes of `DLHDon` of a bare invoice.
fn data_slice(invoice: &[u8]) -> Option<&[u8]> {
    let tree = reader::parse(invoice).ok()?;
    let data = find(tree.root_element(), &["DLHDon"])?;
    invoice.get(data.range())
}

fn authority_is_trusted(invoice: &[u8], authorities: &[Certificate]) -> bool {
    super::verify::authority_signer(invoice)
        .is_some_and(|signer| authorities.iter().any(|known| signer.is_trusted_by(known)))
}

/// Text for people out of reasons, one a line.
pub fn explain(reasons: &[Reason]) -> String {
    reasons
        .iter()
        .map(|reason| {
            let advice = if reason.advice.is_empty() {
                String::new()
            } else {
                format!(" ({})", reason.advice)
            };
            format!("{}: {}{advice}", reason.code, reason.text)
        })
        .collect::<Vec<_>>()
        .join("\n")
}
