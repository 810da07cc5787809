//! Who signed the invoice, and whether he may: registration, certificate, signature, signing time.

use std::collections::BTreeSet;

use roxmltree::Document;

use super::Taxpayer;
use super::check::Invoice;
use super::reason::{self, Reason};
use super::signature;
use super::xml::{child, children};
use crate::moment;
use crate::pki::{CertificateView, Pki};

pub(super) fn check(
    source: &str,
    invoice: &Invoice,
    pki: &Pki,
    find: impl Fn(&str) -> Option<Taxpayer>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match find(&invoice.tax_code) {
        None => {
            let text = format!(
                "Mã số thuế {} chưa đăng ký sử dụng hóa đơn điện tử",
                invoice.tax_code
            );
            reasons.push(Reason::new(reason::SELLER, text));
        }
        Some(taxpayer) if taxpayer.form != invoice.form => {
            let text = "Loại hóa đơn không phù hợp phương pháp tính thuế đã đăng ký";
            reasons.push(Reason::new(reason::WRONG_KIND, text));
        }
        Some(_) => {}
    }
    if let Err(reason) = signed(source, invoice, pki) {
        reasons.push(reason);
    }
    reasons
}

fn signed(source: &str, invoice: &Invoice, pki: &Pki) -> Result<(), Reason> {
    let bad = |text: String| Reason::new(reason::SIGNATURE, text);
    let document =
        Document::parse(source).map_err(|_| bad("Hóa đơn sai định dạng XML".to_owned()))?;
    let mut ids = BTreeSet::new();
    let mut all = document
        .descendants()
        .flat_map(|node| node.attributes())
        .filter(|attribute| attribute.name().eq_ignore_ascii_case("id"));
    if let Some(twice) = all.find(|attribute| !ids.insert(attribute.value())) {
        return Err(bad(format!("Id {} xuất hiện hai lần", twice.value())));
    }
    let root = document.root_element();
    let data = child(root, "DLHDon").ok_or_else(|| bad("Thiếu DLHDon".to_owned()))?;
    let seller = child(root, "DSCKS").and_then(|signatures| child(signatures, "NBan"));
    let found: Vec<_> = seller
        .iter()
        .flat_map(|seller| children(*seller, "Signature"))
        .collect();
    let [signature] = found.as_slice() else {
        return Err(bad("DSCKS/NBan phải có đúng một chữ ký".to_owned()));
    };
    let signed = signature::check(source, data, *signature)
        .map_err(|text| bad(format!("Chữ ký người bán không hợp lệ: {text}")))?;
    let certificate = CertificateView::read(&signed.certificate)
        .ok_or_else(|| bad("Chứng thư số không đọc được".to_owned()))?;
    let wrong = |text: &str| Err(Reason::new(reason::CERTIFICATE, text));
    if !pki.issued(&certificate) {
        return wrong("Chứng thư số không do tổ chức chứng thực được công nhận cấp");
    }
    if certificate.tax_code().as_deref() != Some(invoice.tax_code.as_str()) {
        return wrong("Mã số thuế trên chứng thư số khác mã số thuế người bán");
    }
    let Some(time) = moment::read_iso(&signed.signing_time) else {
        return Err(bad(
            "SigningTime phải có dạng YYYY-MM-DDThh:mm:ss".to_owned()
        ));
    };
    let unix = time
        .assume_offset(time::macros::offset!(+7))
        .unix_timestamp();
    if !certificate.is_valid_at(unix) {
        return wrong("Chứng thư số không còn hiệu lực tại thời điểm ký");
    }
    if moment::read_day(&invoice.day).is_some_and(|day| time.date() < day) {
        return Err(Reason::new(
            reason::DATE,
            "Thời điểm ký trước ngày lập hóa đơn",
        ));
    }
    Ok(())
}
