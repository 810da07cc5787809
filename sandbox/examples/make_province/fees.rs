//! What each school collects in 2025–2026 and 2026–2027. Prices are illustrations within the law's
//! frame: ceilings of NĐ 238/2025, growth of private fees below 10 %.

use crate::schools::{Level, School};
use crate::table::{Cell, Table, date};

const LAST_YEAR: (&str, &str) = ("01/09/2025", "31/08/2026");
const THIS_YEAR: (&str, &str) = ("01/09/2026", "");

struct Item<'a> {
    code: &'a str,
    name: &'a str,
    class: &'a str,
    calculation: &'a str,
    unit: &'a str,
    document: &'a str,
    vat: &'a str,
    who: &'a str,
    basis: &'a str,
}

pub fn table(school: &School) -> Table {
    let mut table = Table::new(
        "Khoản thu",
        &[
            "Mã khoản",
            "Tên khoản",
            "Loại",
            "Cách tính",
            "Đơn vị tính",
            "Chứng từ",
            "Thuế suất",
            "Đối tượng",
            "Khối",
            "Đơn giá",
            "Từ ngày",
            "Đến ngày",
            "Căn cứ pháp lý",
        ],
    );
    tuition(school, &mut table);
    if school.level != Level::Preschool {
        let item = Item {
            code: "BHYT",
            name: "Bảo hiểm y tế học sinh",
            class: "Thu hộ",
            calculation: "BHYT",
            unit: "tháng",
            document: "Biên nhận",
            vat: "KCT",
            who: "Tất cả",
            basis: "Luật Bảo hiểm y tế và Nghị định 188/2025/NĐ-CP: mức đóng bằng 4,5% mức tham chiếu, Nhà nước hỗ trợ ít nhất 50%. Trường thu hộ cơ quan bảo hiểm xã hội.",
        };
        table.rows.push(row(&item, "", None, ("01/07/2025", "")));
    }
    if matches!(school.level, Level::Preschool | Level::Primary) {
        boarding(&mut table, school);
    }
    common(school, &mut table);
    table
}

fn tuition(school: &School, table: &mut Table) {
    let item = if school.public {
        Item {
            code: "HOCPHI",
            name: "Học phí",
            class: "Học phí",
            calculation: "Theo tháng",
            unit: "tháng",
            document: "Không",
            vat: "KCT",
            who: "Tất cả",
            basis: "Nghị quyết 217/2025/QH15 và Nghị định 238/2025/NĐ-CP: học sinh trường công lập được miễn học phí, ngân sách nhà nước cấp bù cho trường.",
        }
    } else {
        Item {
            code: "HOCPHI",
            name: "Học phí",
            class: "Học phí",
            calculation: "Theo tháng",
            unit: "tháng",
            document: "Hóa đơn",
            vat: "KCT",
            who: "Tất cả",
            basis: "Mức học phí trường đã công khai trước năm học theo Điều 13 Nghị định 238/2025/NĐ-CP; mỗi năm tăng không quá 10%.",
        }
    };
    let prices: &[(&str, u32, u32)] = match (school.level, school.public) {
        (Level::Preschool, true) => &[("", 100_000, 105_000)],
        (Level::Preschool, false) => &[("", 2_050_000, 2_200_000)],
        (Level::Primary, _) => &[("", 90_000, 95_000)],
        (Level::LowerSecondary, _) => &[("", 80_000, 85_000)],
        (Level::UpperSecondary, true) => &[("", 110_000, 115_000)],
        (Level::UpperSecondary, false) => &[
            ("10", 1_700_000, 1_850_000),
            ("11", 1_700_000, 1_850_000),
            ("12", 1_850_000, 2_000_000),
        ],
    };
    for (grade, last, this) in prices {
        table.rows.push(row(&item, grade, Some(*last), LAST_YEAR));
        table.rows.push(row(&item, grade, Some(*this), THIS_YEAR));
    }
}

fn boarding(table: &mut Table, school: &School) {
    let meals = Item {
        code: "TIENAN",
        name: "Tiền ăn bán trú",
        class: "Thu hộ",
        calculation: "Theo ngày",
        unit: "ngày",
        document: "Biên nhận",
        vat: "KCT",
        who: "Theo chọn",
        basis: "Thỏa thuận với cha mẹ học sinh, thu đủ chi; số ngày nghỉ ăn được trừ vào kỳ sau.",
    };
    let (last, this) = if school.public {
        (25_000, 28_000)
    } else {
        (32_000, 35_000)
    };
    table.rows.push(row(&meals, "", Some(last), LAST_YEAR));
    table.rows.push(row(&meals, "", Some(this), THIS_YEAR));
    let care = Item {
        code: "BANTRU",
        name: "Chăm sóc bán trú",
        class: "Dịch vụ",
        calculation: "Theo tháng",
        unit: "tháng",
        document: "Hóa đơn",
        vat: "KCT",
        who: "Theo chọn",
        basis: "Dịch vụ hỗ trợ giáo dục theo Điều 3, Điều 4 Nghị định 238/2025/NĐ-CP (sửa đổi bởi Nghị định 66/2026/NĐ-CP); mức thu minh họa.",
    };
    table.rows.push(row(&care, "", Some(150_000), LAST_YEAR));
    table.rows.push(row(&care, "", Some(165_000), THIS_YEAR));
}

fn common(school: &School, table: &mut Table) {
    let water = Item {
        code: "NUOC",
        name: "Nước uống tinh khiết",
        class: "Thu hộ",
        calculation: "Theo tháng",
        unit: "tháng",
        document: "Biên nhận",
        vat: "KCT",
        who: "Tất cả",
        basis: "Thỏa thuận với cha mẹ học sinh, thu đủ chi theo hợp đồng cung cấp nước.",
    };
    table.rows.push(row(&water, "", Some(8_000), LAST_YEAR));
    table.rows.push(row(&water, "", Some(9_000), THIS_YEAR));
    let uniform = Item {
        code: "DONGPHUC",
        name: "Đồng phục",
        class: "Dịch vụ",
        calculation: "Theo số lượng",
        unit: "bộ",
        document: "Hóa đơn",
        vat: "8%",
        who: "Theo chọn",
        basis: "Đăng ký tự nguyện; giá đã gồm thuế giá trị gia tăng 8% theo Nghị quyết 204/2025/QH15.",
    };
    let (small, large) = if school.public {
        (162_000, 194_400)
    } else {
        (216_000, 259_200)
    };
    if school.level == Level::Primary {
        table
            .rows
            .push(row(&uniform, "1-3", Some(small), THIS_YEAR));
        table
            .rows
            .push(row(&uniform, "4-5", Some(large), THIS_YEAR));
    } else {
        table.rows.push(row(&uniform, "", Some(large), THIS_YEAR));
    }
    let accident = Item {
        code: "BHTN",
        name: "Bảo hiểm tai nạn (tự nguyện)",
        class: "Thu hộ",
        calculation: "Một lần",
        unit: "năm",
        document: "Biên nhận",
        vat: "KCT",
        who: "Theo chọn",
        basis: "Tự nguyện; trường thu hộ doanh nghiệp bảo hiểm, doanh nghiệp xuất hóa đơn phí bảo hiểm.",
    };
    table
        .rows
        .push(row(&accident, "", Some(100_000), THIS_YEAR));
    if !school.public {
        let bus = Item {
            code: "XEDUADON",
            name: "Xe đưa đón",
            class: "Dịch vụ",
            calculation: "Theo tháng",
            unit: "tháng",
            document: "Hóa đơn",
            vat: "8%",
            who: "Theo chọn",
            basis: "Hợp đồng đưa đón với phụ huynh; giá đã gồm thuế giá trị gia tăng 8%.",
        };
        table.rows.push(row(&bus, "", Some(540_000), THIS_YEAR));
    }
}

fn row(item: &Item<'_>, grade: &str, price: Option<u32>, period: (&str, &str)) -> Vec<Cell> {
    vec![
        item.code.into(),
        item.name.into(),
        item.class.into(),
        item.calculation.into(),
        item.unit.into(),
        item.document.into(),
        item.vat.into(),
        item.who.into(),
        grade.into(),
        price.map_or(Cell::Empty, Cell::Number),
        date(period.0),
        date(period.1),
        item.basis.into(),
    ]
}
