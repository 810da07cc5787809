//! What a rendition shows: every content of the signed file, read from its bytes and from nothing else.

use super::wording::{self, amount, day_in_words, moment, percent};
use super::{Kind, RenditionError};
use crate::invoices::signature::common_name;
use crate::invoices::verify::tree::{find, is, named, text_at, value};
use crate::invoices::verify::{Severity, Summary, Trust, verify};
use crate::invoices::xml::reader::{self, Node};

/// A labelled value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub label: String,
    pub value: String,
}

/// A line as shown; what does not exist is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub place: String,
    pub name: String,
    pub unit: String,
    pub quantity: String,
    pub price: String,
    pub discount: String,
    pub amount: String,
    pub rate: String,
}

/// Totals of one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateTotal {
    pub rate: String,
    pub net: String,
    pub vat: String,
}

/// A place for a signature; without a signer it stays empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureBox {
    pub title: &'static str,
    pub note: &'static str,
    pub signer: Option<String>,
    pub signed_at: String,
}

/// Everything that stands on a rendition, as it will be read.
#[derive(Clone, Debug)]
pub struct Shown {
    pub kind: Kind,
    pub title: String,
    /// `Ngày 23 tháng 11 năm 2026`.
    pub day: String,
    /// `2026-11-23`.
    pub issue_day: String,
    /// Form and symbol as people write them: `1C26TAA`.
    pub symbol: String,
    pub number: String,
    pub format: String,
    /// MCCQT.
    pub authority_code: Option<String>,
    /// A coded invoice that the authority has not coded: nobody may be given it as an invoice.
    pub awaits_code: bool,
    /// What must be read first: whether it corrects another invoice, that it is none.
    pub sentences: Vec<String>,
    /// The first is the name.
    pub seller: Vec<Pair>,
    pub trustee: Vec<Pair>,
    pub buyer: Vec<Pair>,
    pub lines: Vec<Line>,
    /// Whether any line has one.
    pub has_discounts: bool,
    pub rates: Vec<RateTotal>,
    /// The last is what is to be paid.
    pub totals: Vec<Pair>,
    pub words: String,
    /// Abbreviations that stand in it, explained.
    pub legend: Vec<&'static str>,
    pub signatures: Vec<SignatureBox>,
    pub lookup_code: Option<String>,
    /// Tax code of the maker of the software.
    pub solution_provider: Option<String>,
    pub qr: String,
    /// When the seller signed, as written.
    pub signed_at: String,
}

/// The name under which the look-up code stands in the extra fields.
const LOOKUP_FIELD: &str = "Mã tra cứu";

impl Shown {
    /// Reads a signed invoice or receipt.
    ///
    /// # Errors
    /// [`RenditionError::Unsound`] when a signature does not hold or does not cover what would be
    /// shown: such a file must not be given a face.
    pub fn read(file: &[u8]) -> Result<Self, RenditionError> {
        let report = verify(file, Trust::default());
        let unsound = report.findings.iter().find(|finding| {
            finding.severity == Severity::Error
                && (["signature.", "authority.", "xml."]
                    .iter()
                    .any(|family| finding.rule.starts_with(family))
                    || ["structure.repeated", "structure.stray"].contains(&finding.rule))
        });
        if let Some(finding) = unsound {
            return Err(RenditionError::Unsound {
                rule: finding.rule,
                place: finding.place.clone(),
                text: finding.vi.clone(),
            });
        }
        let (Some(summary), true) = (report.invoices.first(), report.invoices.len() == 1) else {
            return Err(RenditionError::NotOne);
        };
        let tree = reader::parse(file)?;
        let root = tree.root_element();
        if is(root, "PhieuThu") {
            receipt(root, summary)
        } else if is(root, "HDon") {
            invoice(root, summary)
        } else {
            // A message around an invoice: the invoice is shown from its own file.
            Err(RenditionError::NotOne)
        }
    }
}

impl Shown {
    /// For samples of pages: an invoice with the authority's code, and one that adjusts another and
    /// waits for it.
    pub fn samples() -> Vec<Self> {
        let pair = |label: &str, value: &str| Pair {
            label: label.to_owned(),
            value: value.to_owned(),
        };
        let coded = Self {
            kind: Kind::Vat,
            title: "Hóa đơn giá trị gia tăng".to_owned(),
            day: day_in_words("2026-11-23"),
            issue_day: "2026-11-23".to_owned(),
            symbol: "1C26TAA".to_owned(),
            number: "128".to_owned(),
            format: "2.1.1".to_owned(),
            authority_code: Some("0059C8A9F5D2E14B7A8C6D1E2F3A4B5C6D".to_owned()),
            awaits_code: false,
            sentences: Vec::new(),
            seller: vec![
                pair("Tên đơn vị", "Trường THCS Nguyễn Du"),
                pair("Mã số thuế", "0100233488"),
            ],
            trustee: Vec::new(),
            buyer: vec![
                pair("Họ tên người mua hàng", "Nguyễn Thị Hạnh"),
                pair("Lớp", "6A"),
            ],
            lines: vec![Line {
                place: "1".to_owned(),
                name: "Tiền ăn bán trú tháng 11/2026".to_owned(),
                unit: "tháng".to_owned(),
                quantity: "1".to_owned(),
                price: "559.259".to_owned(),
                discount: String::new(),
                amount: "559.259".to_owned(),
                rate: "8%".to_owned(),
            }],
            has_discounts: false,
            rates: vec![RateTotal {
                rate: "8%".to_owned(),
                net: "559.259".to_owned(),
                vat: "44.741".to_owned(),
            }],
            totals: vec![pair("Tổng tiền thanh toán", "604.000")],
            words: "Sáu trăm lẻ bốn nghìn đồng".to_owned(),
            legend: Vec::new(),
            signatures: vec![SignatureBox {
                title: "NGƯỜI BÁN HÀNG",
                note: "(chữ ký số)",
                signer: Some("TRƯỜNG THCS NGUYỄN DU".to_owned()),
                signed_at: moment("2026-11-23T09:15:04"),
            }],
            lookup_code: Some("01kaxyz0000000000000000x".to_owned()),
            solution_provider: Some("4600999091".to_owned()),
            qr: String::new(),
            signed_at: "2026-11-23T09:15:04".to_owned(),
        };
        let waiting = Self {
            authority_code: None,
            awaits_code: true,
            sentences: vec![wording::correction("2", "1", "C26TAA", "64", "2026-09-05")],
            ..coded.clone()
        };
        vec![coded, waiting]
    }
}

/// A value on one line: other vendors break lines inside fields.
fn shown(node: Node<'_, '_>) -> String {
    value(node).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(from: Node<'_, '_>, path: &[&str]) -> String {
    find(from, path).map(shown).unwrap_or_default()
}

/// Pairs of what is there.
fn pairs(from: Node<'_, '_>, wanted: &[(&str, &str)]) -> Vec<Pair> {
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
fn extra(from: Node<'_, '_>) -> Vec<Pair> {
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

const SELLER: [(&str, &str); 9] = [
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

const BUYER: [(&str, &str); 12] = [
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

const TRUSTEE: [(&str, &str); 3] = [
    ("TDVNUNLHDon", "Đơn vị được ủy nhiệm lập hóa đơn"),
    ("MSTDVNUNLHDon", "Mã số thuế"),
    ("DCDVNUNLHDon", "Địa chỉ"),
];

fn invoice(root: Node<'_, '_>, summary: &Summary) -> Result<Shown, RenditionError> {
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

fn split_lookup(extras: Vec<Pair>) -> (Vec<Pair>, Option<String>) {
    let (lookup, rest): (Vec<Pair>, Vec<Pair>) = extras
        .into_iter()
        .partition(|pair| pair.label == LOOKUP_FIELD);
    (rest, lookup.into_iter().next().map(|pair| pair.value))
}

fn payment(general: Node<'_, '_>) -> Vec<Pair> {
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

fn signatures(summary: &Summary, entrusted: bool) -> Vec<SignatureBox> {
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

fn receipt(root: Node<'_, '_>, summary: &Summary) -> Result<Shown, RenditionError> {
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
