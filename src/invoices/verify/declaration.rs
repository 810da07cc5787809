//! Declarations of a seller (`TKhai`, `TBao`): who declares, and whether he signed it.

use super::tree::Node;

use super::report::{Report, Summary};
use super::signatures::{self, Context};
use super::structure;
use super::tree::{elements, is, named, path, text_at};

/// The signed part of a declaration by its root; nothing for other files.
pub fn data_name(root: Node<'_, '_>) -> Option<&'static str> {
    [("TKhai", "DLTKhai"), ("TBao", "DLTBao")]
        .into_iter()
        .find(|(name, _)| is(root, name))
        .map(|(_, data)| data)
}

pub fn check<'a, 'i>(
    root: Node<'a, 'i>,
    data_name: &'static str,
    context: Context<'_, 'a, 'i>,
    report: &mut Report,
) {
    for child in elements(root) {
        if !(is(child, data_name) || is(child, "DSCKS")) {
            structure::stray(child, report);
        }
    }
    for name in [data_name, "DSCKS"] {
        if let Some(second) = named(root, name).nth(1) {
            structure::repeated(second, report);
        }
    }
    let Some(data) = named(root, data_name).next() else {
        structure::missing(root, data_name, report);
        return;
    };
    let text = |name: &str| {
        text_at(data, &[name])
            .or_else(|| text_at(data, &["TTChung", name]))
            .unwrap_or_default()
    };
    let mut summary = Summary {
        place: path(root),
        format: text("PBan"),
        form: text("MSo"),
        seller_tax_code: text("MST"),
        seller_name: text("TNNT"),
        issue_day: Some(text("NTBao"))
            .filter(|day| !day.is_empty())
            .unwrap_or_else(|| text("NLap")),
        ..Summary::default()
    };
    signatures::check(root, data, context, &mut summary, report);
    report.invoices.push(summary);
}
