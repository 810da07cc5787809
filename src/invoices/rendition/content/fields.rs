//! What invoices and receipts have in common: labelled fields, how it was paid, who signed.

use super::{Pair, SignatureBox};
use crate::invoices::rendition::wording::{self, amount, day_in_words, moment};
use crate::invoices::signature::common_name;
use crate::invoices::verify::Summary;
use crate::invoices::verify::tree::{find, named, value};
use crate::invoices::xml::reader::Node;

/// The name under which the look-up code stands in the extra fields.
const LOOKUP_FIELD: &str = "Mã tra cứu";

pub(super) const SELLER: [(&str, &str); 9] = [
    ("Ten", "Tên đơn vị"),
    ("MST", "Mã số thuế"),
    ("DChi", "Địa chỉ"),
    ("TCHang", "Cửa hàng"),
    ("SDThoai", "Điện thoại"),
    ("STKNHang", "Số tài khoản"),
    ("TNHang", "Tại ngân hàng"),
    ("DCTDTu", "Thư điện tử"),
    ("Website", "Trang web"),
];

pub(super) const BUYER: [(&str, &str); 12] = [
    ("HVTNMHang", "Họ tên người mua hàng"),
    ("Ten", "Tên đơn vị"),
    ("MST", "Mã số thuế"),
    ("MDVQHNSach", "Mã số đơn vị có quan hệ với ngân sách"),
    ("DChi", "Địa chỉ"),
    ("CCCDan", "Số định danh cá nhân"),
    ("SHChieu", "Số hộ chiếu"),
    ("MKHang", "Mã khách hàng"),
    ("SDThoai", "Điện thoại"),
    ("DCTDTu", "Thư điện tử"),
    ("STKNHang", "Số tài khoản"),
    ("TNHang", "Tại ngân hàng"),
];

pub(super) const TRUSTEE: [(&str, &str); 3] = [
    ("TDVNUNLHDon", "Đơn vị được ủy nhiệm lập hóa đơn"),
    ("MSTDVNUNLHDon", "Mã số thuế"),
    ("DCDVNUNLHDon", "Địa chỉ"),
];

/// A value on one line: other vendors break lines inside fields.
pub(super) fn shown(node: Node<'_, '_>) -> String {
    value(node).split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn text(from: Node<'_, '_>, path: &[&str]) -> String {
    find(from, path).map(shown).unwrap_or_default()
}

/// Pairs of what is there.
pub(super) fn pairs(from: Node<'_, '_>, wanted: &[(&str, &str)]) -> Vec<Pair> {
    wanted
        .iter()
        .filter_map(|(element, label)| {
            let value = text(from, &[element]);
            (!value.is_empty()).then(|| Pair {
                label: (*label).to_owned(),
                value,
            })
        })
        .collect()
}

/// Fields outside the format's vocabulary.
pub(super) fn extra(from: Node<'_, '_>) -> Vec<Pair> {
    find(from, &["TTKhac"])
        .into_iter()
        .flat_map(|group| named(group, "TTin"))
        .map(|field| Pair {
            label: text(field, &["TTruong"]),
            value: text(field, &["DLieu"]),
        })
        .filter(|pair| !pair.value.is_empty())
        .collect()
}

pub(super) fn split_lookup(extras: Vec<Pair>) -> (Vec<Pair>, Option<String>) {
    let (lookup, rest): (Vec<Pair>, Vec<Pair>) = extras
        .into_iter()
        .partition(|pair| pair.label == LOOKUP_FIELD);
    (rest, lookup.into_iter().next().map(|pair| pair.value))
}

pub(super) fn payment(general: Node<'_, '_>) -> Vec<Pair> {
    let mut found = Vec::new();
    let mut push = |label: &str, value: String| {
        if !value.is_empty() {
            found.push(Pair {
                label: label.to_owned(),
                value,
            });
        }
    };
    push(
        "Hình thức thanh toán",
        wording::payment_method(&text(general, &["HTTToan"])),
    );
    let currency = text(general, &["DVTTe"]);
    let exchange = text(general, &["TGia"]);
    if currency != "VND" && !exchange.is_empty() {
        push("Tỷ giá", amount(&exchange));
    }
    push("Đồng tiền", currency);
    let list = text(general, &["SBKe"]);
    if !list.is_empty() {
        push(
            "Kèm theo bảng kê số",
            format!("{list}, {}", day_in_words(&text(general, &["NBKe"]))),
        );
    }
    found
}

/// The sentences that an adjusting or replacing invoice must show, and other facts about the whole.
pub(super) fn signatures(summary: &Summary, entrusted: bool) -> Vec<SignatureBox> {
    let signer = |subject: &Option<String>| {
        subject
            .as_deref()
            .map(|subject| common_name(subject).unwrap_or_else(|| subject.to_owned()))
    };
    let mut boxes = vec![
        SignatureBox {
            title: "NGƯỜI MUA HÀNG",
            note: "(không bắt buộc ký)",
            signer: None,
            signed_at: String::new(),
        },
        SignatureBox {
            title: if entrusted {
                "ĐƠN VỊ ĐƯỢC ỦY NHIỆM"
            } else {
                "NGƯỜI BÁN HÀNG"
            },
            note: "(chữ ký số)",
            signer: signer(&summary.signer),
            signed_at: summary.signed_at.as_deref().map(moment).unwrap_or_default(),
        },
    ];
    if summary.authority_signature {
        boxes.insert(
            1,
            SignatureBox {
                title: "CƠ QUAN THUẾ",
                note: "(chữ ký số)",
                signer: signer(&summary.authority_signer),
                signed_at: summary
                    .authority_signed_at
                    .as_deref()
                    .map(moment)
                    .unwrap_or_default(),
            },
        );
    }
    boxes
}
