//! The content of a payment receipt.

use super::fields::{SELLER, extra, pairs, payment, signatures, split_lookup, text};
use super::{Line, Pair, Shown};
use crate::invoices::rendition::wording::{amount, day_in_words};
use crate::invoices::rendition::{Kind, RenditionError};
use crate::invoices::verify::Summary;
use crate::invoices::verify::tree::{find, named, text_at};
use crate::invoices::xml::reader::Node;

pub(super) fn receipt(root: Node<'_, '_>, summary: &Summary) -> Result<Shown, RenditionError> {
    let data = find(root, &["DLPhieuThu"]).ok_or(RenditionError::NotOne)?;
    let general = find(data, &["TTChung"]).ok_or(RenditionError::NotOne)?;
    let content = find(data, &["NDPThu"]).ok_or(RenditionError::NotOne)?;
    let (extras, lookup_code) = split_lookup(extra(general));
    let mut payer = find(content, &["NNop"])
        .map(|payer| {
            pairs(
                payer,
                &[
                    ("HVTNNop", "Họ tên người nộp tiền"),
                    ("DChi", "Địa chỉ"),
                    ("MKHang", "Mã khách hàng"),
                ],
            )
        })
        .unwrap_or_default();
    payer.extend(extras);
    payer.extend(payment(general));
    let lines = find(content, &["DSKThu"])
        .into_iter()
        .flat_map(|list| named(list, "KThu"))
        .map(|line| {
            let name = text(line, &["TKThu"]);
            Line {
                place: text(line, &["STT"]),
                name: if text_at(line, &["ThuHo"]).as_deref() == Some("1") {
                    format!("{name} (thu hộ)")
                } else {
                    name
                },
                amount: amount(&text(line, &["STien"])),
                ..Line::default()
            }
        })
        .collect();
    let mut signatures = signatures(summary, false);
    for (place, title) in [(0, "NGƯỜI NỘP TIỀN"), (1, "ĐƠN VỊ THU TIỀN")] {
        if let Some(signature) = signatures.get_mut(place) {
            signature.title = title;
        }
    }
    let symbol = text(general, &["KHHDon"]);
    let number = text(general, &["SHDon"]);
    Ok(Shown {
        kind: Kind::Receipt,
        title: text(general, &["THDon"]),
        day: day_in_words(&text(general, &["NLap"])),
        issue_day: text(general, &["NLap"]),
        format: text(general, &["PBan"]),
        authority_code: None,
        awaits_code: false,
        sentences: Some(text(general, &["GChu"]))
            .into_iter()
            .filter(|note| !note.is_empty())
            .collect(),
        seller: find(content, &["NBan"])
            .map(|seller| pairs(seller, &SELLER))
            .unwrap_or_default(),
        trustee: Vec::new(),
        buyer: payer,
        lines,
        has_discounts: false,
        rates: Vec::new(),
        totals: vec![Pair {
            label: "Tổng số tiền".to_owned(),
            value: amount(&text(content, &["TToan", "TgTTTBSo"])),
        }],
        words: text(content, &["TToan", "TgTTTBChu"]),
        legend: Vec::new(),
        signatures,
        // No format prescribes a code of receipts: it carries what finds the receipt again.
        qr: lookup_code
            .clone()
            .unwrap_or_else(|| format!("{symbol}-{number}")),
        lookup_code,
        solution_provider: None,
        signed_at: summary.signed_at.clone().unwrap_or_default(),
        symbol,
        number,
    })
}
