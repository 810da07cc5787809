//! Which signatures an invoice needs, and what each of them must cover.

use super::tree::{Document, Node};

use super::dates;
use super::declaration;
use super::dsig::{self, Checked, Index, SignatureProblem};
use super::report::{Report, Summary};
use super::tree::{elements, find, named, value, value_at};
use crate::clock::Instant;
use crate::invoices::signature::Certificate;
use crate::invoices::signature::names::DSIG;

/// Elements by their Id. Ids must be unique over every spelling of the attribute, or a reference
/// could mean two elements; a repeated one names nothing.
pub fn index_ids<'a, 'i>(tree: &'a Document<'i>, report: &mut Report) -> Index<'a, 'i> {
    let found = tree
        .descendants()
        .flat_map(|node| dsig::ids(node).map(move |id| (id, node)));
    let index = Index::new(found.collect());
    for (id, node) in index.repeated() {
        if report.is_full() {
            break;
        }
        report.error(
            "signature.id",
            node,
            format!("định danh {id} có hơn một lần trong tệp"),
            format!("the Id {id} stands more than once in the file"),
        );
    }
    index
}

/// Signatures of buyers or others that are checked, of each kind.
const OTHER_SIGNATURES_MAX: usize = 4;

/// What the checks of one file share.
#[derive(Clone, Copy)]
pub struct Context<'c, 'a, 'i> {
    pub source: &'c str,
    pub index: &'c Index<'a, 'i>,
    pub authorities: &'c [Certificate],
}

/// Checks all signatures of one `HDon`.
pub fn check<'a, 'i>(
    invoice: Node<'a, 'i>,
    data: Node<'a, 'i>,
    context: Context<'_, 'a, 'i>,
    summary: &mut Summary,
    report: &mut Report,
) {
    let slots = find(invoice, &["DSCKS"]);
    let owner = match declaration::data_name(invoice) {
        Some(_) => "NNT",
        None => "NBan",
    };
    let seller = slots.into_iter().flat_map(|slots| named(slots, owner));
    let seller_signatures: Vec<_> = seller.flat_map(signatures_in).collect();
    let symbol = value_at(data, &["TTChung", "KHHDon"]).unwrap_or_default();
    match seller_signatures.as_slice() {
        [] if symbol.as_bytes().get(3) == Some(&b'M') => report.note(
            "signature.none",
            invoice,
            "hóa đơn từ máy tính tiền không có chữ ký từng hóa đơn",
            "cash-register invoices carry no signature of their own",
        ),
        [] => report.error(
            "signature.missing",
            (invoice, "DSCKS/NBan"),
            "không có chữ ký của người bán",
            "the seller's signature is missing",
        ),
        [signature] => {
            if let Some(checked) = hold(*signature, context, report) {
                seller_signature(
                    *signature,
                    &checked,
                    data,
                    context.authorities,
                    summary,
                    report,
                );
            }
        }
        [_, second, ..] => report.error(
            "signature.repeated",
            *second,
            "có hơn một chữ ký của người bán",
            "more than one signature of the seller",
        ),
    }
    authority_signature(invoice, data, context, summary, report);
    for name in ["NMua", "CCKSKhac"] {
        for signature in slots
            .into_iter()
            .flat_map(|slots| named(slots, name))
            .flat_map(signatures_in)
            .take(OTHER_SIGNATURES_MAX)
        {
            if let Some(checked) = hold(signature, context, report) {
                covers_only(signature, &checked, &[data], report);
            }
        }
    }
    stray_signatures(invoice, report);
}

/// Signatures of a slot; empty `<Signature/>` shells of some vendors are not signatures.
fn signatures_in<'a, 'i: 'a>(slot: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(slot).filter(|node| {
        node.tag_name().name() == "Signature"
            && (node.tag_name().namespace() == Some(DSIG) || elements(*node).next().is_some())
    })
}

fn hold<'a, 'i>(
    signature: Node<'a, 'i>,
    context: Context<'_, 'a, 'i>,
    report: &mut Report,
) -> Option<Checked<'a, 'i>> {
    match dsig::check(signature, context.source, context.index) {
        Ok(checked) => {
            if checked.old_algorithm {
                report.warn(
                    "signature.old_algorithm",
                    signature,
                    "chữ ký dùng SHA-1, chỉ chấp nhận với hóa đơn cũ",
                    "the signature uses SHA-1, accepted for old files only",
                );
            }
            Some(checked)
        }
        Err(problem) => {
            let vi = match &problem {
                SignatureProblem::Structure(name) => {
                    format!("chữ ký thiếu hoặc lặp phần tử {name}")
                }
                SignatureProblem::Algorithm(name) => {
                    format!("thuật toán {name} không được chấp nhận")
                }
                SignatureProblem::Reference(uri) => {
                    format!("tham chiếu {uri} không chỉ đúng một phần tử")
                }
                SignatureProblem::Digest { place } => format!("{place} đã bị sửa sau khi ký"),
                SignatureProblem::Value => {
                    "giá trị chữ ký không khớp với nội dung được ký và chứng thư số".to_owned()
                }
                SignatureProblem::Certificate(_) => "không đọc được chứng thư số".to_owned(),
            };
            report.error("signature.invalid", signature, vi, problem.to_string());
            None
        }
    }
}

fn seller_signature(
    signature: Node<'_, '_>,
    checked: &Checked<'_, '_>,
    data: Node<'_, '_>,
    authorities: &[Certificate],
    summary: &mut Summary,
    report: &mut Report,
) {
    if !checked.covered.contains(&data) {
        report.error(
            "signature.covers",
            signature,
            "chữ ký người bán không bao trùm đúng phần tử /HDon/DLHDon",
            "the seller's signature does not cover the element /HDon/DLHDon",
        );
    }
    covers_only(signature, checked, &[data], report);
    summary.signer = Some(checked.certificate.subject.clone());
    summary.signed_at.clone_from(&checked.signing_time);
    let moment = match &checked.signing_time {
        Some(written) => dates::check_signing(data, signature, written, report),
        None => {
            report.error(
                "signature.time",
                signature,
                "không có thời điểm ký nằm trong phần được ký",
                "no signing time inside what is signed",
            );
            None
        }
    };
    let certificate = &checked.certificate;
    let seller = value_at(data, &["NDHDon", "NBan", "MST"])
        .or_else(|| value_at(data, &["NDPThu", "NBan", "MST"]))
        .or_else(|| value_at(data, &["MST"]))
        .or_else(|| value_at(data, &["TTChung", "MST"]))
        .unwrap_or_default();
    let trustee = value_at(data, &["TTChung", "MSTDVNUNLHDon"]);
    let owner = certificate.tax_code.as_deref();
    if owner != Some(seller.as_ref()) && (owner.is_none() || owner != trustee.as_deref()) {
        report.error(
            "signature.owner",
            signature,
            format!(
                "chứng thư số của mã số thuế {}, người bán là {seller}",
                owner.unwrap_or("?")
            ),
            format!(
                "the certificate belongs to tax code {}, the seller is {seller}",
                owner.unwrap_or("?")
            ),
        );
    }
    check_certificate(signature, certificate, moment, authorities, report);
}

fn check_certificate(
    signature: Node<'_, '_>,
    certificate: &Certificate,
    moment: Option<Instant>,
    authorities: &[Certificate],
    report: &mut Report,
) {
    if !certificate.for_signatures {
        report.error(
            "signature.usage",
            signature,
            "chứng thư số không dùng để ký",
            "the certificate is not meant for signatures",
        );
    }
    if let Some(moment) = moment
        && !certificate.is_valid_at(moment)
    {
        report.error(
            "signature.validity",
            signature,
            format!("chứng thư số không có hiệu lực lúc ký {}", moment.shown()),
            format!("the certificate was not valid at {}", moment.local_iso()),
        );
    }
    if authorities.is_empty() {
        report.note(
            "signature.chain_unchecked",
            signature,
            "chưa kiểm tra nơi cấp chứng thư số (không có danh sách tin cậy)",
            "the issuer of the certificate was not checked: no trust list given",
        );
    } else if !certificate.is_trusted(authorities, authorities, moment) {
        report.error(
            "signature.chain",
            signature,
            "chứng thư số không do nơi cấp được tin cậy cấp",
            "the certificate was not issued by a trusted authority",
        );
    }
}

/// Everything a signature covers must be known: the given elements, or inside the signature itself.
fn covers_only(
    signature: Node<'_, '_>,
    checked: &Checked<'_, '_>,
    allowed: &[Node<'_, '_>],
    report: &mut Report,
) {
    for target in &checked.covered {
        let inside = *target != signature && target.ancestors().any(|node| node == signature);
        if !inside && !allowed.contains(target) {
            report.error(
                "signature.covers",
                *target,
                "chữ ký bao trùm một phần tử không đúng chỗ",
                "a signature covers an element out of place",
            );
        }
    }
}

fn authority_signature<'a, 'i>(
    invoice: Node<'a, 'i>,
    data: Node<'a, 'i>,
    context: Context<'_, 'a, 'i>,
    summary: &mut Summary,
    report: &mut Report,
) {
    let code = named(invoice, "MCCQT").next();
    let signatures: Vec<_> = find(invoice, &["DSCKS"])
        .into_iter()
        .flat_map(|slots| named(slots, "CQT"))
        .flat_map(signatures_in)
        .collect();
    let symbol = value_at(data, &["TTChung", "KHHDon"]).unwrap_or_default();
    match code {
        None if symbol.starts_with('C') => report.note(
            "authority.no_code",
            invoice,
            "hóa đơn có mã nhưng chưa có mã của cơ quan thuế",
            "a coded invoice without the authority's code yet",
        ),
        Some(code) => {
            let written = value(code);
            if written.is_empty() || written.chars().count() > 34 {
                report.error(
                    "authority.code",
                    code,
                    "mã của cơ quan thuế trống hoặc dài quá 34 ký tự",
                    "the authority's code is empty or longer than 34 characters",
                );
            }
            summary.authority_code = Some(written.into_owned());
        }
        None => {}
    }
    match (code, signatures.as_slice()) {
        (None, []) => {}
        (Some(_), []) if symbol.as_bytes().get(3) == Some(&b'M') => {}
        (Some(_), []) => report.error(
            "authority.signature",
            (invoice, "DSCKS/CQT"),
            "có mã nhưng không có chữ ký của cơ quan thuế",
            "a code without the authority's signature",
        ),
        (Some(code), [signature]) => {
            let Some(checked) = hold(*signature, context, report) else {
                return;
            };
            let before = report.findings.len();
            if !checked.covered.contains(&code) {
                report.error(
                    "signature.covers",
                    *signature,
                    "chữ ký của cơ quan thuế không bao trùm mã MCCQT",
                    "the authority's signature does not cover MCCQT",
                );
            }
            if !checked.covered.contains(&data) {
                report.warn(
                    "authority.data",
                    *signature,
                    "chữ ký của cơ quan thuế chỉ bao trùm mã, không bao trùm hóa đơn",
                    "the authority's signature covers the code but not the invoice",
                );
            }
            covers_only(*signature, &checked, &[data, code], report);
            let moment = checked
                .signing_time
                .as_deref()
                .and_then(|written| Instant::parse_local_iso(written.get(..19).unwrap_or(written)));
            check_certificate(
                *signature,
                &checked.certificate,
                moment,
                context.authorities,
                report,
            );
            summary.authority_signer = Some(checked.certificate.subject.clone());
            summary
                .authority_signed_at
                .clone_from(&checked.signing_time);
            summary.authority_signature = report.findings[before..]
                .iter()
                .all(|finding| finding.severity != super::report::Severity::Error);
        }
        (None, [signature, ..]) | (Some(_), [_, signature, ..]) => report.error(
            "authority.signature",
            *signature,
            "chữ ký của cơ quan thuế thừa hoặc không có mã kèm theo",
            "an authority signature too many, or without a code",
        ),
    }
}

/// A signature outside the slots proves nothing and may mislead other programs.
fn stray_signatures(invoice: Node<'_, '_>, report: &mut Report) {
    let slots = find(invoice, &["DSCKS"]);
    for node in invoice
        .descendants()
        .filter(|node| node.is_named(Some(DSIG), "Signature"))
    {
        let in_slot = node
            .parent()
            .and_then(|slot| slot.parent())
            .is_some_and(|list| Some(list) == slots);
        if !in_slot {
            report.error(
                "signature.stray",
                node,
                "chữ ký nằm ngoài DSCKS",
                "a signature outside DSCKS",
            );
        }
    }
}
