//! Mutations of the content: one place is changed, then the seller signs, so that nothing but the
//! content is wrong.

use super::maker::{Base, signed};
use super::{Case, Kit};

/// Rule, base, and what is replaced by what, once.
type Row = (&'static str, Base, &'static str, &'static str);

use Base::{Adjusting, Entrusted, Old, Sales, Vat};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("structure.missing", Vat, "<PBan>2.1.1</PBan>", ""),
    ("structure.missing", Vat, "<HTTToan>CK</HTTToan>", ""),
    ("structure.missing", Vat, "<HDCTTChinh>0</HDCTTChinh>", ""),
    ("structure.missing", Sales, "<HDDCKPTQuan>0</HDDCKPTQuan>", ""),
    ("structure.missing", Vat, "<TSuat>8%</TSuat></HHDVu>", "</HHDVu>"),
    ("structure.missing", Vat, "<THDon>Hóa đơn giá trị gia tăng</THDon>", "<THDon></THDon>"),
    ("structure.missing", Old, "<SHDon>128</SHDon>", ""),
    ("structure.repeated", Vat, "<DVTTe>VND</DVTTe>", "<DVTTe>VND</DVTTe><DVTTe>VND</DVTTe>"),
    ("structure.unknown", Vat, "<DVTTe>", "<La>1</La><DVTTe>"),
    ("structure.form", Vat, "<KHMSHDon>1<", "<KHMSHDon>0<"),
    ("structure.form", Vat, "<ThTien>3200000<", "<ThTien>3.200.000<"),
    ("structure.form", Vat, "<TSuat>8%</TSuat></HHDVu>", "<TSuat>8,0%</TSuat></HHDVu>"),
    ("structure.form", Vat, "<NMua>", "<NMua><CCCDan>123</CCCDan>"),
    ("structure.form", Old, "<SLuong>1</SLuong><DGia>3200000<", "<SLuong>1.00001</SLuong><DGia>3200000<"),
    ("structure.length", Vat, "<SHDon>128<", "<SHDon>123456789<"),
    ("structure.length", Sales, "<DVTTe>VND<", "<DVTTe>VNDD<"),
    ("structure.comment", Vat, "<DVTTe>VND<", "<DVTTe>V<!---->ND<"),
    ("structure.nfc", Vat, "Tổ 5, Phú Xá", "Tổ 5, Phu\u{301} Xá"),
    ("structure.number", Vat, "<SHDon>128<", "<SHDon>0<"),
    ("structure.symbol", Vat, "<KHHDon>C26TAA<", "<KHHDon>C26ZAA<"),
    ("structure.symbol", Sales, "<KHHDon>C26TAA<", "<KHHDon>A26TAA<"),
    ("structure.tax_code", Vat, "<MSTTCGP>0100109106<", "<MSTTCGP>0100109107<"),
    ("structure.tax_code", Vat, "<NMua>", "<NMua><Ten>C</Ten><MST>01234</MST>"),
    ("structure.buyer", Vat, "<HVTNMHang>Nguyễn Thị Ví Dụ</HVTNMHang>", ""),
    ("structure.buyer", Vat, "<NMua>", "<NMua><MDVQHNSach>1234567</MDVQHNSach>"),
    ("structure.sales_rate", Sales, "</HHDVu>", "<TSuat>KCT</TSuat></HHDVu>"),
    ("structure.title", Vat, "Hóa đơn giá trị gia tăng", "Hóa đơn bán hàng"),
    ("structure.title", Sales, "Hóa đơn bán hàng", "Hóa đơn GTGT"),
    ("structure.version", Vat, "<PBan>2.1.1<", "<PBan>3.0.0<"),

    ("version.element", Old, "<NMua>", "<NMua><CCCDan>001185000001</CCCDan>"),
    ("version.element", Sales, "<NMua>", "<NMua><MTinh>19</MTinh>"),
    ("version.element", Old, "<TChat>1</TChat>", "<TChat>5</TChat>"),
    ("version.element", Old, "<TSuat>KCT</TSuat>", "<TSuat>CTTC</TSuat>"),
    ("version.period", Old, "<NLap>2024-11-25<", "<NLap>2026-11-23<"),
    ("version.period", Vat, "<NLap>2026-11-23<", "<NLap>2026-06-30<"),

    ("buyer.is_seller", Vat, "<NMua>", "<NMua><Ten>C</Ten><MST>0100233488</MST>"),
    ("buyer.personal_id", Vat, "<NMua>", "<NMua><CCCDan>000185000001</CCCDan>"),
    ("currency.decimals", Vat, "<ThTien>3200000<", "<ThTien>3200000.5<"),
    ("currency.decimals", Sales, "<TgTTTBSo>4487100<", "<TgTTTBSo>4487100.4<"),
    ("currency.rate", Vat, "<DVTTe>VND</DVTTe><TGia>1</TGia>", "<DVTTe>USD</DVTTe>"),
    ("currency.rate", Sales, "<TGia>1<", "<TGia>25000<"),
    ("entrusted.data", Entrusted, "<TDVNUNLHDon>Đơn vị nhận ủy nhiệm</TDVNUNLHDon>", ""),
    ("legal.symbol_form", Vat, "<KHHDon>C26TAA<", "<KHHDon>C26XAA<"),
    ("legal.symbol_form", Sales, "<KHHDon>C26TAA<", "<KHHDon>C26FAA<"),
    ("line.note", Vat, "</THHDVu></HHDVu>", "</THHDVu><ThTien>1</ThTien></HHDVu>"),
    ("line.number", Vat, "<STT>2<", "<STT>1<"),
    ("line.on_behalf", Vat, "Tiền ăn bán trú", "Tiền ăn bán trú (thu hộ)"),
    ("line.special", Vat, "<TChat>1</TChat><STT>1<", "<TChat>5</TChat><STT>1<"),
    ("list.pair", Vat, "<DVTTe>", "<SBKe>BK01</SBKe><DVTTe>"),
    ("related.target", Adjusting, "<SHDCLQuan>64</SHDCLQuan>", ""),
    ("related.target", Adjusting, "<TCHDon>2<", "<TCHDon>4<"),
    ("related.date", Adjusting, "<NLHDCLQuan>2026-11-23<", "<NLHDCLQuan>2026-11-24<"),
    ("related.self", Adjusting, "<SHDCLQuan>64<", "<SHDCLQuan>128<"),
    ("related.reason", Adjusting, "<LDDCTThe>08</LDDCTThe>", ""),
    ("related.reason", Adjusting, "<LDDCTThe>08<", "<LDDCTThe>15<"),
    ("related.sentence", Adjusting, "Điều chỉnh cho hóa đơn Mẫu số", "Về hóa đơn"),

    ("arithmetic.discount", Vat, "<TLCKhau>10<", "<TLCKhau>11<"),
    ("arithmetic.line", Vat, "<DGia>3200000<", "<DGia>3200002<"),
    ("arithmetic.line", Vat, "<STCKhau>108000<", "<STCKhau>107990<"),
    ("arithmetic.range", Vat, "<SLuong>1</SLuong><DGia>3200000<", "<SLuong>999999999999999999999</SLuong><DGia>999999999999999999999<"),
    ("arithmetic.rate_base", Vat, "<TSuat>8%</TSuat><ThTien>559259<", "<TSuat>8%</TSuat><ThTien>559260<"),
    ("arithmetic.rate_vat", Vat, "<TThue>44741<", "<TThue>44743<"),
    ("arithmetic.rate_vat", Vat, "<TThue>0<", "<TThue>1<"),
    ("arithmetic.rate_missing", Vat, "<LTSuat><TSuat>8%</TSuat><ThTien>559259</ThTien><TThue>44741</TThue></LTSuat>", ""),
    ("arithmetic.net", Vat, "<TgTCThue>", "<TgTCThue>1"),
    ("arithmetic.vat", Vat, "<TgTThue>", "<TgTThue>1"),
    ("arithmetic.total", Vat, "<TgTTTBSo>5459100<", "<TgTTTBSo>5459101<"),
    ("arithmetic.total", Sales, "<TgTTTBSo>4487100<", "<TgTTTBSo>4487101<"),
    ("arithmetic.negative", Vat, "<ThTien>3200000<", "<ThTien>-3200000<"),
    ("arithmetic.negative", Adjusting, "<TCHDon>2<", "<TCHDon>1<"),
    ("arithmetic.words", Vat, "một trăm đồng<", "hai trăm đồng<"),

    ("date.future", Vat, "<NLap>2026-11-23<", "<NLap>2026-11-25<"),
    ("date.signed_before", Vat, "<NLap>2026-11-23<", "<NLap>2026-11-24<"),
    ("date.signed_late", Vat, "<NLap>2026-11-23<", "<NLap>2026-11-19<"),
    ("date.symbol_year", Vat, "<KHHDon>C26TAA<", "<KHHDon>C25TAA<"),

    ("signature.owner", Vat, "<MST>0100233488<", "<MST>0312270160<"),
    ("signature.owner", Entrusted, "<MSTDVNUNLHDon>0100233488<", "<MSTDVNUNLHDon>0101243150<"),
];

pub fn cases(kit: &Kit) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    for &(rule, base, from, to) in ROWS {
        let data = base.data();
        assert!(data.contains(from), "{rule}: {from} is not in {data}");
        let case = |name: String, fires, data: &str| Case {
            rule,
            name,
            fires,
            file: match base {
                // An old file was signed in its own time.
                Old => super::built::signed_in_2024(kit, data),
                _ => signed(kit, data),
            }
            .into_bytes(),
            without_trust: false,
        };
        if !all
            .iter()
            .any(|known| known.rule == rule && known.name == base.name())
        {
            all.push(case(base.name().to_owned(), false, &data));
        }
        let name = format!("{}: {} → {}", base.name(), shown(from), shown(to));
        all.push(case(name, true, &data.replacen(from, to, 1)));
    }
    all
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "(bỏ)" } else { text }
}
