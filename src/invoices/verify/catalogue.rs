//! Every rule of the verifier: what it asks, since which format, on what ground.
//!
//! A new check needs its line here before it can report (a debug build panics otherwise), and a
//! document of each kind in the mutation corpus, which a test asks for.

use serde::Serialize;

use super::report::Severity;
use crate::stored_as_text;

/// Changes with every change of a rule.
pub const CATALOGUE: &str = "2026-11-30";

/// Rules of one format version (einvoice §1.1, §2.1). The format decisions are known to us from
/// implementations, so what only they ask is never stricter than those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleSet {
    /// QĐ 1450/1510: formats 2.0.0 and 2.0.1.
    V2_0,
    /// QĐ 1306.
    V2_1_0,
    /// QĐ 1233.
    #[default]
    V2_1_1,
}
stored_as_text!(RuleSet {
    V2_0 = "2.0.1",
    V2_1_0 = "2.1.0",
    V2_1_1 = "2.1.1",
});

impl RuleSet {
    pub const ALL: [Self; 3] = [Self::V2_0, Self::V2_1_0, Self::V2_1_1];

    /// The rules that a document claims to follow, PBan; the newest for a version that is not known.
    pub fn of_format(format: &str) -> Self {
        match format {
            "2.0.0" | "2.0.1" => Self::V2_0,
            "2.1.0" => Self::V2_1_0,
            _ => Self::V2_1_1,
        }
    }
}

/// One rule.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rule {
    pub id: &'static str,
    pub severity: Severity,
    /// The first set that has it.
    pub since: RuleSet,
    pub vi: &'static str,
    pub en: &'static str,
    /// Article, annex or decision; `—` where it follows from XML or arithmetic.
    pub basis: &'static str,
}

const fn rule(
    id: &'static str,
    severity: Severity,
    since: RuleSet,
    vi: &'static str,
    en: &'static str,
    basis: &'static str,
) -> Rule {
    Rule {
        id,
        severity,
        since,
        vi,
        en,
        basis,
    }
}

use RuleSet::{V2_0, V2_1_0, V2_1_1};
use Severity::{Error, Note, Warning};

/// By id within each group, groups as a file is read.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    rule("xml.no_invoice", Error, V2_0, "Tệp phải chứa ít nhất một hóa đơn (HDon).", "A file must hold at least one invoice (HDon).", "1450"),
    rule("xml.too_many", Error, V2_0, "Một gói có không quá 1.000 hóa đơn.", "A package holds at most 1,000 invoices.", "1233"),
    rule("xml.unreadable", Error, V2_0, "Tệp phải là XML đúng dạng, viết và khai báo UTF-8, không có DTD, không quá lớn hay quá sâu.", "A file must be well-formed XML, written and declared in UTF-8, without a DTD, within bounds of size and depth.", "—"),

    rule("structure.buyer", Error, V2_0, "Người mua phải có tên, hoặc ghi \"Bán cho người tiêu dùng\"; có mã số thuế hay mã ĐVQHNS thì phải có tên và địa chỉ.", "A buyer is named, or reads \"Bán cho người tiêu dùng\"; with a tax or budget code comes a name and an address.", "NĐ 254/2026 PL 4"),
    rule("structure.comment", Error, V2_0, "Không có chú thích hay chỉ thị xử lý bên trong một giá trị.", "No comment or processing instruction stands inside a value.", "XMLDSig"),
    rule("structure.form", Error, V2_0, "Giá trị phải đúng dạng: số, ngày, danh mục.", "Values have the form of their element: number, day, enumeration.", "1450, 1306, 1233"),
    rule("structure.length", Error, V2_0, "Giá trị không dài quá giới hạn.", "Values are no longer than their element allows.", "1450, 1306, 1233"),
    rule("structure.missing", Error, V2_0, "Phải có đủ phần tử bắt buộc.", "Mandatory elements are there.", "1450, 1306, 1233"),
    rule("structure.nfc", Warning, V2_0, "Chữ tiếng Việt ở dạng dựng sẵn (NFC, TCVN 6909).", "Vietnamese text is composed (NFC, TCVN 6909).", "QĐ 635"),
    rule("structure.number", Error, V2_0, "Số hóa đơn bắt đầu từ 1.", "Invoice numbers start at 1.", "NĐ 254/2026 PL 2"),
    rule("structure.qr", Error, V2_0, "DLQRCode không quá 512 ký tự.", "DLQRCode has at most 512 characters.", "1450"),
    rule("structure.repeated", Error, V2_0, "Phần tử đơn chỉ có một lần.", "Single elements stand once.", "1450, 1306, 1233"),
    rule("structure.sales_rate", Error, V2_0, "Hóa đơn bán hàng không có thuế suất và tiền thuế.", "A sales invoice has neither VAT rate nor VAT.", "NĐ 254/2026 Đ8"),
    rule("structure.stray", Error, V2_0, "Không có phần tử lạ cạnh dữ liệu hóa đơn, không có bản sao dữ liệu ở chỗ khác.", "Nothing foreign stands beside the data, and no copy of them anywhere else.", "1450"),
    rule("structure.symbol", Error, V2_0, "Ký hiệu gồm C/K, hai số của năm, loại và hai chữ.", "The symbol is C or K, two digits of the year, a kind and two letters.", "TT 91/2026 PL I"),
    rule("structure.tax_code", Error, V2_0, "Mã số thuế đúng dạng, đúng số kiểm tra.", "Tax codes have their form and check digit.", "TT 90/2026 Đ5"),
    rule("structure.title", Warning, V2_0, "Tên hóa đơn không phải tên của mẫu số khác.", "The name of the document is not that of another form.", "TT 91/2026 PL I"),
    rule("structure.unknown", Warning, V2_0, "Chỉ có phần tử của định dạng.", "Only elements of the format stand in an invoice.", "1450, 1306, 1233"),
    rule("structure.version", Warning, V2_0, "Phiên bản định dạng là 2.0.0, 2.0.1, 2.1.0 hoặc 2.1.1.", "The format version is 2.0.0, 2.0.1, 2.1.0 or 2.1.1.", "1450, 1306, 1233"),

    rule("version.element", Warning, V2_0, "Phần tử và giá trị có trong phiên bản đã khai.", "Elements and values belong to the version that is stated.", "1306, 1233"),
    rule("version.period", Warning, V2_0, "Phiên bản đã có hiệu lực, hoặc còn hiệu lực, vào ngày lập.", "The version was in use on the issue day.", "1306, 1233"),

    rule("buyer.is_seller", Warning, V2_0, "Người mua khác người bán.", "The buyer is not the seller.", "NĐ 254/2026 Đ4"),
    rule("buyer.personal_id", Warning, V2_1_0, "Số định danh cá nhân bắt đầu bằng mã tỉnh 001–096.", "A personal number begins with a province code, 001 to 096.", "TT 07/2016/TT-BCA"),
    rule("currency.decimals", Error, V2_0, "Tiền đồng không có số lẻ.", "Amounts in đồng have no decimals.", "1233"),
    rule("currency.rate", Error, V2_0, "Ngoại tệ phải có tỷ giá lớn hơn 0; tiền đồng có tỷ giá 1 hoặc không ghi.", "Foreign currency has a rate above zero; đồng has 1 or none.", "1450"),
    rule("entrusted.data", Error, V2_0, "Ủy nhiệm phải ghi đủ mã số thuế, tên và địa chỉ bên nhận.", "Entrusted issuing names tax code, name and address of the trustee.", "TT 91/2026 Đ9"),
    rule("legal.symbol_form", Error, V2_0, "Loại trong ký hiệu hợp với mẫu số (F với 1, X với 7, N và B với 6).", "The kind in the symbol fits the form (F with 1, X with 7, N and B with 6).", "TT 91/2026 PL I"),
    rule("line.note", Error, V2_0, "Dòng ghi chú (TChat 4) không có tiền.", "A note (TChat 4) has no amount.", "1450"),
    rule("line.number", Warning, V2_0, "Số thứ tự dòng không lặp.", "Line numbers do not repeat.", "1450"),
    rule("line.on_behalf", Warning, V2_0, "Khoản thu hộ không chịu thuế: dòng thu hộ không có thuế suất.", "Money collected for others is outside VAT: such a line has no rate.", "NĐ 181/2025 Đ4, NĐ 254/2026 Đ7"),
    rule("line.special", Error, V2_1_0, "Hàng hóa đặc trưng (TChat 5) phải có TTHHDTrung.", "Special goods (TChat 5) carry TTHHDTrung.", "1306"),
    rule("list.pair", Error, V2_0, "Số và ngày bảng kê đi cùng nhau.", "Number and day of an attached list come together.", "NĐ 254/2026 PL 5"),
    rule("related.date", Error, V2_0, "Hóa đơn liên quan không lập sau hóa đơn này.", "The related invoice is not younger.", "TT 91/2026 Đ10"),
    rule("related.reason", Warning, V2_1_1, "Điều chỉnh, thay thế nêu lý do 01–14 (LDDCTThe).", "Adjusting and replacing give a reason, 01 to 14 (LDDCTThe).", "1233 PL XVII"),
    rule("related.self", Error, V2_0, "Hóa đơn không điều chỉnh hay thay thế chính nó.", "An invoice does not adjust or replace itself.", "TT 91/2026 Đ10"),
    rule("related.sentence", Warning, V2_0, "Có dòng \"Điều chỉnh cho hóa đơn Mẫu số …\" hoặc \"Thay thế cho hóa đơn Mẫu số …\".", "The line \"Điều chỉnh cho hóa đơn Mẫu số …\" or \"Thay thế cho hóa đơn Mẫu số …\" is there.", "TT 91/2026 Đ10"),
    rule("related.target", Error, V2_0, "Điều chỉnh, thay thế nêu rõ hóa đơn liên quan, hoặc bảng kê khi có nhiều.", "Adjusting and replacing name the invoice, or the list of several.", "TT 91/2026 Đ10"),

    rule("arithmetic.discount", Error, V2_0, "Chiết khấu bằng số lượng × đơn giá × tỷ lệ, lệch không quá 1.", "A discount is quantity × price × percentage, within one unit.", "1233"),
    rule("arithmetic.line", Error, V2_0, "Thành tiền bằng số lượng × đơn giá − chiết khấu, lệch không quá 1.", "An amount is quantity × price − discount, within one unit.", "TT 91/2026 PL V"),
    rule("arithmetic.negative", Error, V2_0, "Số âm chỉ có trên hóa đơn điều chỉnh.", "Negative amounts stand on adjusting invoices alone.", "TT 91/2026 Đ10"),
    rule("arithmetic.net", Error, V2_0, "Tổng tiền chưa thuế bằng tổng các thuế suất.", "The net total is the sum over the rates.", "1450"),
    rule("arithmetic.range", Error, V2_0, "Số nằm trong phạm vi tính được.", "Numbers can be computed with.", "—"),
    rule("arithmetic.rate_base", Error, V2_0, "Tiền theo thuế suất bằng tổng các dòng.", "The base of a rate is the sum of its lines.", "1450"),
    rule("arithmetic.rate_missing", Error, V2_0, "Mỗi thuế suất có dòng tổng.", "Every rate has its total.", "1450"),
    rule("arithmetic.rate_vat", Error, V2_0, "Tiền thuế bằng tiền × thuế suất, lệch không quá 1.", "VAT is base × rate, within one unit.", "1450"),
    rule("arithmetic.total", Error, V2_0, "Tổng thanh toán bằng tiền + thuế + phí − giảm trừ.", "The amount to pay is net + VAT + charges − reductions.", "1450"),
    rule("arithmetic.vat", Error, V2_0, "Tổng tiền thuế bằng tổng các thuế suất.", "Total VAT is the sum over the rates.", "1450"),
    rule("arithmetic.words", Error, V2_0, "Số tiền bằng chữ đúng với số.", "The words say the number.", "NĐ 254/2026 PL 5"),

    rule("date.future", Error, V2_0, "Ngày lập không ở tương lai.", "The issue day does not lie in the future.", "NĐ 254/2026 Đ9"),
    rule("date.signed_before", Error, V2_0, "Không ký trước ngày lập.", "Nothing is signed before its issue day.", "NĐ 254/2026 PL 7"),
    rule("date.signed_late", Warning, V2_0, "Ký chậm nhất ngày làm việc sau ngày lập.", "It is signed by the working day after its issue.", "NĐ 254/2026 PL 7"),
    rule("date.symbol_year", Error, V2_0, "Năm của ngày lập là năm trong ký hiệu.", "The year of issue is that of the symbol.", "TT 91/2026 PL I"),
    rule("qr.mismatch", Warning, V2_0, "Mã QR nói đúng như hóa đơn đã ký.", "The QR code says what the signed invoice says.", "1233"),

    rule("signature.chain", Error, V2_0, "Chứng thư số do nơi được tin cậy cấp.", "The certificate leads to a trusted issuer.", "Luật Giao dịch điện tử 2023"),
    rule("signature.chain_unchecked", Note, V2_0, "Chưa kiểm tra nơi cấp: không có danh sách tin cậy.", "The issuer was not checked: no trust list was given.", "—"),
    rule("signature.covers", Error, V2_0, "Chữ ký bao trùm đúng dữ liệu được dùng, và không gì lạ.", "A signature covers the data that are used, and nothing out of place.", "1450 II"),
    rule("signature.id", Error, V2_0, "Định danh Id không lặp trong tệp.", "Ids are unique in the file.", "XMLDSig"),
    rule("signature.invalid", Error, V2_0, "Giá trị băm và chữ ký đúng; thuật toán được chấp nhận.", "Digests and signature hold, by accepted algorithms.", "XMLDSig"),
    rule("signature.missing", Error, V2_0, "Có chữ ký của người bán.", "The seller has signed.", "NĐ 254/2026 PL 6"),
    rule("signature.none", Note, V2_0, "Hóa đơn từ máy tính tiền không có chữ ký riêng.", "Cash-register invoices carry no signature of their own.", "NĐ 254/2026 Đ8"),
    rule("signature.old_algorithm", Warning, V2_0, "SHA-1 chỉ có ở hóa đơn cũ.", "SHA-1 belongs to old files.", "TT 39/2017/TT-BTTTT"),
    rule("signature.owner", Error, V2_0, "Chứng thư số mang mã số thuế của người bán hoặc bên nhận ủy nhiệm.", "The certificate carries the tax code of the seller or the trustee.", "NĐ 254/2026 PL 6, PL 9"),
    rule("signature.repeated", Error, V2_0, "Người bán chỉ ký một lần.", "The seller signs once.", "1450 II"),
    rule("signature.stray", Error, V2_0, "Chữ ký chỉ nằm trong DSCKS.", "Signatures stand in DSCKS alone.", "1450 II"),
    rule("signature.time", Error, V2_0, "Thời điểm ký nằm trong phần được ký, dạng YYYY-MM-DDThh:mm:ss.", "The signing time is inside what is signed, as YYYY-MM-DDThh:mm:ss.", "1450 II"),
    rule("signature.usage", Error, V2_0, "Chứng thư số dùng để ký.", "The certificate is meant for signatures.", "X.509"),
    rule("signature.validity", Error, V2_0, "Chứng thư số có hiệu lực lúc ký.", "The certificate held at the signing time.", "NĐ 254/2026 PL 6"),

    rule("authority.code", Error, V2_0, "Mã của cơ quan thuế có từ 1 đến 34 ký tự.", "The authority's code has 1 to 34 characters.", "1450"),
    rule("authority.data", Warning, V2_0, "Chữ ký của cơ quan thuế bao trùm cả hóa đơn.", "The authority's signature covers the invoice as well.", "—"),
    rule("authority.no_code", Note, V2_0, "Hóa đơn có mã được giao cho người mua khi đã có mã.", "A coded invoice is handed over with its code.", "NĐ 254/2026 Đ15"),
    rule("authority.signature", Error, V2_0, "Mã và chữ ký của cơ quan thuế đi cùng nhau, mỗi thứ một.", "The authority's code and signature come together, one of each.", "NĐ 254/2026 Đ12"),
];

/// The rule of an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}
