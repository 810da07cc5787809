//! The elements of an invoice: lengths, kinds and obligation (einvoice §2.4–2.11).

/// What an element holds.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// At most so many characters.
    Text(usize),
    /// At most so many digits, nothing else.
    Digits(usize),
    /// Decimal of at most 21 digits, 6 of them decimals.
    Number,
    /// Quantity or unit price, with fewer decimals in 2.0.
    Quantity,
    /// `YYYY-MM-DD`.
    Date,
    OneOf(&'static [&'static str]),
    TaxCode,
    /// VAT rate.
    Rate,
    Group(&'static [Element]),
    /// Extra fields of vendors: not looked into.
    Any,
}

/// When an element must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Must,
    /// Since format 2.1.0.
    Must21,
    May,
}

/// One element of a group. Order is not looked at: real files swap elements (einvoice §2.2).
#[derive(Clone, Copy, Debug)]
pub struct Element {
    pub name: &'static str,
    pub content: Content,
    pub need: Need,
    pub many: bool,
}

const fn must(name: &'static str, content: Content) -> Element {
    Element {
        name,
        content,
        need: Need::Must,
        many: false,
    }
}

const fn must21(name: &'static str, content: Content) -> Element {
    Element {
        name,
        content,
        need: Need::Must21,
        many: false,
    }
}

const fn may(name: &'static str, content: Content) -> Element {
    Element {
        name,
        content,
        need: Need::May,
        many: false,
    }
}

const fn many(name: &'static str, content: Content) -> Element {
    Element {
        name,
        content,
        need: Need::Must,
        many: true,
    }
}

use Content::{Any, Date, Digits, Group, Number, OneOf, Quantity, Rate, TaxCode, Text};

const FLAG: Content = OneOf(&["0", "1"]);

/// `DLHDon`.
pub const DATA: &[Element] = &[
    must("TTChung", Group(GENERAL)),
    must("NDHDon", Group(CONTENT)),
    may("TTKhac", Any),
];

/// `DLPhieuThu`, our own receipts (`receipt.rs`).
pub const RECEIPT: &[Element] = &[
    must(
        "TTChung",
        Group(&[
            must("PBan", OneOf(&["1.0"])),
            must("THDon", Text(100)),
            must("KHHDon", Text(6)),
            must("SHDon", Digits(8)),
            must("NLap", Date),
            must("DVTTe", OneOf(&["VND"])),
            must("HTTToan", Text(50)),
            must("GChu", Text(255)),
            may("TTKhac", Any),
        ]),
    ),
    must(
        "NDPThu",
        Group(&[
            must("NBan", Group(SELLER)),
            must(
                "NNop",
                Group(&[
                    may("DChi", Text(400)),
                    may("MKHang", Text(50)),
                    may("HVTNNop", Text(100)),
                ]),
            ),
            must(
                "DSKThu",
                Group(&[many(
                    "KThu",
                    Group(&[
                        must("STT", Digits(4)),
                        must("TKThu", Text(500)),
                        must("STien", Number),
                        must("ThuHo", FLAG),
                    ]),
                )]),
            ),
            must(
                "TToan",
                Group(&[must("TgTTTBSo", Number), must("TgTTTBChu", Text(255))]),
            ),
        ]),
    ),
];

const GENERAL: &[Element] = &[
    must("PBan", Text(6)),
    must("THDon", Text(100)),
    must(
        "KHMSHDon",
        OneOf(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    ),
    must("KHHDon", Text(6)),
    must("SHDon", Digits(8)),
    may("MHSo", Text(20)),
    must("NLap", Date),
    may("HDCTTChinh", FLAG),
    may("HDDCKPTQuan", FLAG),
    may("SBKe", Text(50)),
    may("NBKe", Date),
    must("DVTTe", Text(3)),
    may("TGia", Number),
    must21("HTTToan", Text(50)),
    must21("MSTTCGP", TaxCode),
    may("MSTDVNUNLHDon", TaxCode),
    may("TDVNUNLHDon", Text(400)),
    may("DCDVNUNLHDon", Text(400)),
    may("TTHDLQuan", Group(RELATED)),
    may("TTKhac", Any),
];

const RELATED: &[Element] = &[
    must("TCHDon", OneOf(&["1", "2", "3", "4", "5"])),
    may("MSTCLQuan", Text(14)),
    may("LHDCLQuan", OneOf(&["1", "2", "3", "4"])),
    may("KHMSHDCLQuan", Text(11)),
    may("KHHDCLQuan", Text(8)),
    may("SHDCLQuan", Text(8)),
    may("NLHDCLQuan", Date),
    may("LDDCTThe", Digits(2)),
    may("GChu", Text(255)),
    may("SBKCLQuan", Text(50)),
    may("NBKCLQuan", Date),
];

const CONTENT: &[Element] = &[
    must("NBan", Group(SELLER)),
    must("NMua", Group(BUYER)),
    must("DSHHDVu", Group(LINES)),
    must("TToan", Group(TOTALS)),
    may("TTKhac", Any),
];

const SELLER: &[Element] = &[
    must("Ten", Text(400)),
    must("MST", TaxCode),
    must("DChi", Text(400)),
    may("MDDKDoanh", Text(50)),
    may("TDDKDoanh", Text(400)),
    may("DCDDKDoanh", Text(400)),
    may("MCHang", Text(50)),
    may("TCHang", Text(400)),
    may("SDThoai", Text(20)),
    may("DCTDTu", Text(50)),
    may("STKNHang", Text(30)),
    may("TNHang", Text(400)),
    may("Fax", Text(20)),
    may("Website", Text(100)),
    may("TTKhac", Any),
];

const BUYER: &[Element] = &[
    may("Ten", Text(400)),
    may("MST", TaxCode),
    may("MDVQHNSach", Text(7)),
    may("DChi", Text(400)),
    may("MTinh", Text(50)),
    may("TTinh", Text(400)),
    may("MXa", Text(50)),
    may("TXa", Text(400)),
    may("QTNMua", Text(400)),
    may("MQTNMua", Text(50)),
    may("SDDTCNNgoai", Text(50)),
    may("MKHang", Text(50)),
    may("SDThoai", Text(20)),
    may("CCCDan", Digits(12)),
    may("SHChieu", Text(20)),
    may("DCTDTu", Text(50)),
    may("HVTNMHang", Text(100)),
    may("STKNHang", Text(30)),
    may("TNHang", Text(400)),
    may("TTKhac", Any),
];

const LINES: &[Element] = &[many("HHDVu", Group(LINE))];

const LINE: &[Element] = &[
    must("TChat", OneOf(&["1", "2", "3", "4", "5"])),
    may("STT", Digits(4)),
    may("MHHDVu", Text(50)),
    must("THHDVu", Text(500)),
    may("DVTinh", Text(50)),
    may("SLuong", Quantity),
    may("DGia", Quantity),
    may("TLCKhau", Number),
    may("STCKhau", Number),
    may("ThTien", Number),
    may("TSuat", Rate),
    // Not of the format, but written by several vendors (einvoice §2.8).
    may("TThue", Number),
    may("TTHHDTrung", Any),
    may("TTKhac", Any),
];

const TOTALS: &[Element] = &[
    may("THTTLTSuat", Group(RATES)),
    may("TgTCThue", Number),
    may("TGTKCThue", Number),
    may("TgTThue", Number),
    may("DSLPhi", Group(CHARGES)),
    may("TTCKTMai", Number),
    may("TGTKhac", Number),
    must("TgTTTBSo", Number),
    must("TgTTTBChu", Text(255)),
    may("TTKhac", Any),
];

const RATES: &[Element] = &[many("LTSuat", Group(RATE))];

const RATE: &[Element] = &[
    must("TSuat", Rate),
    must("ThTien", Number),
    may("TThue", Number),
];

const CHARGES: &[Element] = &[many("LPhi", Group(CHARGE))];

const CHARGE: &[Element] = &[must("TLPhi", Text(100)), must("TPhi", Number)];
