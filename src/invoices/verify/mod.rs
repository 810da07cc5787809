//! Checks invoice files of anybody: structure, arithmetic, dates, signatures; says what is wrong.
//!
//! A signature is believed only for the element that is used: one reference must resolve to
//! `/HDon/DLHDon` itself, every other one must lie inside the signature, Ids must be unique.
//! Readers do not depend on element order, and values are all text of an element joined.

mod arithmetic;
mod as_written;
mod c14n;
mod catalogue;
pub mod corpus;
mod dates;
mod declaration;
mod dsig;
mod legal;
mod receipt;
mod report;
mod schema;
mod signatures;
mod structure;
pub(in crate::invoices) mod tree;

use std::sync::Arc;

pub use crate::invoices::xml::reader::{FILE_BYTES_MAX, XmlError};
pub use catalogue::{CATALOGUE, RULES, Rule, RuleSet};
pub use report::{Finding, Report, Severity, Summary};

use crate::clock::Day;
use crate::invoices::signature::Certificate;
use crate::invoices::xml::reader;
use signatures::Context;
use tree::{Node, elements, is, named, path, text_at, value_at};

/// What the verifier may rely on besides the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust<'t> {
    /// Certificates of issuers, or of signers themselves. Without any, the chain is not checked
    /// and the report says so.
    pub authorities: &'t [Certificate],
    /// Invoices may not be dated after this day.
    pub today: Option<Day>,
    /// Which rules; without it those of the version that each document states.
    pub rules: Option<RuleSet>,
}

/// Carriers take no larger packages (einvoice §2.2).
const INVOICES_MAX: usize = 1_000;

/// Checks a file: a bare `HDon`, a message `TDiep` with any number of them, a payment receipt, or a
/// declaration of a seller.
pub fn verify(bytes: &[u8], trust: Trust<'_>) -> Report {
    let mut report = Report::default();
    let tree = match reader::parse(bytes) {
        Ok(tree) => tree,
        Err(problem) => {
            report.error(
                "xml.unreadable",
                "/",
                problem.in_vietnamese(),
                problem.to_string(),
            );
            return report.concluded();
        }
    };
    let index = signatures::index_ids(&tree, &mut report);
    report.rules = trust.rules.unwrap_or_default();
    let context = Context {
        source: tree.source(),
        index: &index,
        authorities: trust.authorities,
    };
    let root = tree.root_element();
    if is(root, "PhieuThu") {
        receipt::check(root, context, trust.today, &mut report);
        return report.concluded();
    }
    if let Some(data) = declaration::data_name(root) {
        declaration::check(root, data, context, &mut report);
        return report.concluded();
    }
    let mut invoices: Vec<Node<'_, '_>> = if is(root, "HDon") {
        vec![root]
    } else if is(root, "TDiep") {
        named(root, "DLieu")
            .flat_map(|load| named(load, "HDon"))
            .collect()
    } else {
        Vec::new()
    };
    if invoices.is_empty() {
        report.error(
            "xml.no_invoice",
            root,
            "không tìm thấy hóa đơn (HDon) trong tệp",
            "no invoice (HDon) in the file",
        );
    }
    if let Some(excess) = invoices.get(INVOICES_MAX) {
        report.error(
            "xml.too_many",
            *excess,
            format!("tệp có hơn {INVOICES_MAX} hóa đơn, phần sau không được kiểm tra"),
            format!("more than {INVOICES_MAX} invoices in the file; the rest is not checked"),
        );
        invoices.truncate(INVOICES_MAX);
    }
    for invoice in invoices {
        check_invoice(invoice, context, trust, &mut report);
    }
    report.concluded()
}

/// The certificate that signed as the authority in a bare invoice, when that signature holds.
pub(super) fn authority_signer(invoice: &[u8]) -> Option<Arc<Certificate>> {
    let tree = reader::parse(invoice).ok()?;
    let slot = tree::find(tree.root_element(), &["DSCKS", "CQT"])?;
    let signature = dsig::in_dsig(slot, "Signature").next()?;
    let index = signatures::index_ids(&tree, &mut Report::default());
    dsig::check(signature, tree.source(), &index)
        .ok()
        .map(|checked| checked.certificate)
}

fn check_invoice<'a, 'i>(
    invoice: Node<'a, 'i>,
    context: Context<'_, 'a, 'i>,
    trust: Trust<'_>,
    report: &mut Report,
) {
    let data: Vec<_> = named(invoice, "DLHDon").collect();
    let stated = data
        .first()
        .and_then(|data| value_at(*data, &["TTChung", "PBan"]))
        .unwrap_or_default();
    report.rules = trust.rules.unwrap_or_else(|| RuleSet::of_format(&stated));
    for name in ["DLHDon", "DLQRCode", "MCCQT", "DSCKS"] {
        if let Some(second) = named(invoice, name).nth(1) {
            structure::repeated(second, report);
        }
    }
    for slots in named(invoice, "DSCKS") {
        for name in ["NBan", "NMua", "CQT"] {
            if let Some(second) = named(slots, name).nth(1) {
                structure::repeated(second, report);
            }
        }
    }
    for child in elements(invoice) {
        if !["DLHDon", "DLQRCode", "MCCQT", "DSCKS"]
            .iter()
            .any(|name| is(child, name))
        {
            structure::stray(child, report);
        }
    }
    // A copy elsewhere is how a signature is kept while another content is shown.
    for copy in invoice.descendants().filter(|node| {
        ["DLHDon", "HDon"].contains(&node.tag_name().name())
            && node.is_element()
            && *node != invoice
            && node.parent() != Some(invoice)
    }) {
        report.error(
            "structure.stray",
            copy,
            "bản sao dữ liệu hóa đơn nằm sai chỗ",
            "a copy of invoice data out of place",
        );
    }
    let Some(&data) = data.first() else {
        structure::missing(invoice, "DLHDon", report);
        return;
    };
    let text = |steps: &[&str]| text_at(data, steps).unwrap_or_default();
    let mut summary = Summary {
        place: path(invoice),
        format: text(&["TTChung", "PBan"]),
        form: text(&["TTChung", "KHMSHDon"]),
        symbol: text(&["TTChung", "KHHDon"]),
        number: text(&["TTChung", "SHDon"]),
        issue_day: text(&["TTChung", "NLap"]),
        seller_tax_code: text(&["NDHDon", "NBan", "MST"]),
        seller_name: text(&["NDHDon", "NBan", "Ten"]),
        total: text(&["NDHDon", "TToan", "TgTTTBSo"]),
        ..Summary::default()
    };
    structure::check(data, report);
    legal::check(data, report);
    legal::check_qr(invoice, data, report);
    arithmetic::check(data, report);
    dates::check_symbol_year(data, trust.today, report);
    signatures::check(invoice, data, context, &mut summary, report);
    report.invoices.push(summary);
}
