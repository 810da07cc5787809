//! The content of an invoice.

use super::fields::{
    BUYER, SELLER, TRUSTEE, extra, pairs, payment, signatures, split_lookup, text,
};
use super::{Line, Pair, RateTotal, Shown};
use crate::invoices::rendition::wording::{self, amount, day_in_words, percent};
use crate::invoices::rendition::{Kind, RenditionError};
use crate::invoices::verify::Summary;
use crate::invoices::verify::tree::{find, named};
use crate::invoices::xml::reader::Node;

pub(super) fn invoice(root: Node<'_, '_>, summary: &Summary) -> Result<Shown, RenditionError> {
    let data = find(root, &["DLHDon"]).ok_or(RenditionError::NotOne)?;
    let general = find(data, &["TTChung"]).ok_or(RenditionError::NotOne)?;
    let content = find(data, &["NDHDon"]).ok_or(RenditionError::NotOne)?;
    let form = text(general, &["KHMSHDon"]);
    let kind = if form == "2" { Kind::Sales } else { Kind::Vat };
    let (mut extras, lookup_code) = split_lookup(extra(general));
    let mut buyer = find(content, &["NMua"])
        .map(|buyer| pairs(buyer, &BUYER))
        .unwrap_or_default();
    buyer.append(&mut extras);
    buyer.extend(payment(general));
    let mut lines = Vec::new();
    for line in find(content, &["DSHHDVu"])
        .into_iter()
        .flat_map(|list| named(list, "HHDVu"))
    {
        lines.push(invoice_line(line, lines.len() + 1));
    }
    let totals = find(content, &["TToan"]);
    let trustee = pairs(general, &TRUSTEE);
    let symbol = text(general, &["KHHDon"]);
    let awaits_code = symbol.starts_with('C') && summary.authority_code.is_none();
    let own_qr = text(root, &["DLQRCode"]);
    let mut shown = Shown {
        kind,
        title: text(general, &["THDon"]),
        day: day_in_words(&text(general, &["NLap"])),
        issue_day: text(general, &["NLap"]),
        symbol: format!("{form}{symbol}"),
        number: text(general, &["SHDon"]),
        format: text(general, &["PBan"]),
        authority_code: summary.authority_code.clone(),
        awaits_code,
        sentences: corrections(general),
        seller: find(content, &["NBan"])
            .map(|seller| pairs(seller, &SELLER))
            .unwrap_or_default(),
        buyer,
        has_discounts: lines.iter().any(|line| !line.discount.is_empty()),
        rates: totals.map(rates).unwrap_or_default(),
        totals: totals
            .map(|node| invoice_totals(node, kind))
            .unwrap_or_default(),
        words: totals
            .map(|node| text(node, &["TgTTTBChu"]))
            .unwrap_or_default(),
        legend: Vec::new(),
        signatures: signatures(summary, !trustee.is_empty()),
        trustee,
        lines,
        lookup_code,
        solution_provider: Some(text(general, &["MSTTCGP"])).filter(|code| !code.is_empty()),
        qr: String::new(),
        signed_at: summary.signed_at.clone().unwrap_or_default(),
    };
    shown.legend = wording::legend(
        shown
            .lines
            .iter()
            .map(|line| line.rate.as_str())
            .chain(shown.rates.iter().map(|total| total.rate.as_str())),
    );
    shown.qr = if own_qr.is_empty() {
        wording::qr(&wording::QrFields {
            seller: &text(content, &["NBan", "MST"]),
            form: &form,
            symbol: &symbol,
            number: &shown.number,
            day: &shown.issue_day,
            total: &totals
                .map(|node| text(node, &["TgTTTBSo"]))
                .unwrap_or_default(),
        })
    } else {
        own_qr
    };
    Ok(shown)
}

fn corrections(general: Node<'_, '_>) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(related) = find(general, &["TTHDLQuan"]) {
        let note = text(related, &["GChu"]);
        sentences.push(if note.is_empty() {
            wording::correction(
                &text(related, &["TCHDon"]),
                &text(related, &["KHMSHDCLQuan"]),
                &text(related, &["KHHDCLQuan"]),
                &text(related, &["SHDCLQuan"]),
                &text(related, &["NLHDCLQuan"]),
            )
        } else {
            note
        });
    }
    if text(general, &["HDCTTChinh"]) == "1" {
        sentences.push("Hóa đơn cho thuê tài chính".to_owned());
    }
    if text(general, &["HDDCKPTQuan"]) == "1" {
        sentences.push("Dành cho tổ chức, cá nhân trong khu phi thuế quan".to_owned());
    }
    sentences
}

fn invoice_line(line: Node<'_, '_>, place: usize) -> Line {
    let stated = text(line, &["STT"]);
    let nature = wording::nature(&text(line, &["TChat"]));
    let mut name = text(line, &["THHDVu"]);
    let code = text(line, &["MHHDVu"]);
    if !code.is_empty() {
        name = format!("{name} [{code}]");
    }
    if let Some(nature) = nature {
        name = format!("{name} ({nature})");
    }
    let discount = text(line, &["STCKhau"]);
    let share = text(line, &["TLCKhau"]);
    Line {
        place: if stated.is_empty() {
            place.to_string()
        } else {
            stated
        },
        name,
        unit: text(line, &["DVTinh"]),
        quantity: amount(&text(line, &["SLuong"])),
        price: amount(&text(line, &["DGia"])),
        discount: match (is_nothing(&discount), is_nothing(&share)) {
            (true, true) => String::new(),
            (false, true) => amount(&discount),
            (true, false) => percent(&share),
            (false, false) => format!("{} ({})", amount(&discount), percent(&share)),
        },
        amount: amount(&text(line, &["ThTien"])),
        rate: text(line, &["TSuat"]),
    }
}

fn is_nothing(number: &str) -> bool {
    !number.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

fn rates(totals: Node<'_, '_>) -> Vec<RateTotal> {
    find(totals, &["THTTLTSuat"])
        .into_iter()
        .flat_map(|list| named(list, "LTSuat"))
        .map(|total| RateTotal {
            rate: text(total, &["TSuat"]),
            net: amount(&text(total, &["ThTien"])),
            vat: amount(&text(total, &["TThue"])),
        })
        .collect()
}

fn invoice_totals(totals: Node<'_, '_>, kind: Kind) -> Vec<Pair> {
    let mut found: Vec<Pair> = Vec::new();
    let mut push = |label: String, value: String| {
        if !value.is_empty() {
            found.push(Pair { label, value });
        }
    };
    let number = |element: &str| amount(&text(totals, &[element]));
    if kind == Kind::Vat {
        push(
            "Cộng tiền hàng, dịch vụ (chưa có thuế GTGT)".into(),
            number("TgTCThue"),
        );
        push("Tổng tiền thuế GTGT".into(), number("TgTThue"));
    }
    for fee in find(totals, &["DSLPhi"])
        .into_iter()
        .flat_map(|list| named(list, "LPhi"))
    {
        push(text(fee, &["TLPhi"]), amount(&text(fee, &["TPhi"])));
    }
    for (element, label) in [
        ("TTCKTMai", "Tổng tiền chiết khấu thương mại"),
        ("TGTKCThue", "Giảm trừ không chịu thuế"),
        ("TGTKhac", "Giảm trừ khác"),
    ] {
        if !is_nothing(&text(totals, &[element])) {
            push(label.into(), number(element));
        }
    }
    push("Tổng tiền thanh toán".into(), number("TgTTTBSo"));
    found
}
