//! The offices and the eight schools, with their history around 1 July 2025.

use crate::table::{Cell, Shape, Table, date};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Preschool,
    Primary,
    LowerSecondary,
    UpperSecondary,
}

impl Level {
    fn shown(self) -> &'static str {
        match self {
            Self::Preschool => "Mầm non",
            Self::Primary => "Tiểu học",
            Self::LowerSecondary => "THCS",
            Self::UpperSecondary => "THPT",
        }
    }

    pub fn grades(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Self::Preschool => 0..=0,
            Self::Primary => 1..=5,
            Self::LowerSecondary => 6..=9,
            Self::UpperSecondary => 10..=12,
        }
    }
}

pub struct School {
    pub code: &'static str,
    pub name: &'static str,
    pub level: Level,
    pub public: bool,
    /// Commune it lies in; also its manager below upper secondary.
    pub commune: &'static str,
    pub pupils: usize,
    pub street: &'static str,
    pub bank_bin: &'static str,
    pub account: &'static str,
    pub roster_shape: Shape,
    pub fees_shape: Shape,
    /// Deduction method: invoices with VAT (form 1); otherwise sales invoices (form 2).
    pub deducts: bool,
    pub symbol_letters: &'static str,
}

pub const DEPARTMENT: &str = "SO-TN";
const DISTRICT: &str = "PGD-DH";
pub const COMMUNES: [(&str, &str, &str); 2] = [
    (
        "PH-CX",
        "UBND phường Chè Xanh (minh họa)",
        "phường Chè Xanh",
    ),
    ("XA-SN", "UBND xã Suối Ngọc (minh họa)", "xã Suối Ngọc"),
];

pub const SCHOOLS: [School; 8] = [
    School {
        code: "MN-HM",
        name: "Trường Mầm non Hoa Mai (minh họa)",
        level: Level::Preschool,
        public: true,
        commune: "PH-CX",
        pupils: 150,
        street: "Số 12 đường Đồi Chè",
        bank_bin: "970405",
        account: "8505201000123",
        roster_shape: Shape::Xlsx,
        fees_shape: Shape::Xlsx,
        deducts: false,
        symbol_letters: "TAA",
    },
    School {
        code: "MN-BN",
        name: "Trường Mầm non tư thục Búp Non (minh họa)",
        level: Level::Preschool,
        public: false,
        commune: "XA-SN",
        pupils: 105,
        street: "Xóm Đầm Sen",
        bank_bin: "970436",
        account: "1900268001357",
        roster_shape: Shape::CsvSemicolon,
        fees_shape: Shape::CsvSemicolon,
        deducts: true,
        symbol_letters: "TAB",
    },
    School {
        code: "TH-HS",
        name: "Trường Tiểu học Hoa Sen (minh họa)",
        level: Level::Primary,
        public: true,
        commune: "PH-CX",
        pupils: 245,
        street: "Số 5 ngõ 18 đường Bến Tượng",
        bank_bin: "970415",
        account: "119000246802",
        roster_shape: Shape::Xlsx,
        fees_shape: Shape::CsvComma,
        deducts: false,
        symbol_letters: "TAC",
    },
    School {
        code: "TH-SN",
        name: "Trường Tiểu học Suối Ngọc (minh họa)",
        level: Level::Primary,
        public: true,
        commune: "XA-SN",
        pupils: 210,
        street: "Xóm Cây Thị",
        bank_bin: "970418",
        account: "8601357924",
        roster_shape: Shape::CsvComma,
        fees_shape: Shape::Xlsx,
        deducts: true,
        symbol_letters: "TAD",
    },
    School {
        code: "CS-DT",
        name: "Trường THCS Đồi Thông (minh họa)",
        level: Level::LowerSecondary,
        public: true,
        commune: "PH-CX",
        pupils: 230,
        street: "Số 77 đường Thông Reo",
        bank_bin: "970422",
        account: "0570112233445",
        roster_shape: Shape::Xlsx,
        fees_shape: Shape::Xlsx,
        deducts: true,
        symbol_letters: "TAE",
    },
    School {
        code: "CS-SN",
        name: "Trường THCS Suối Ngọc (minh họa)",
        level: Level::LowerSecondary,
        public: true,
        commune: "XA-SN",
        pupils: 185,
        street: "Xóm Ao Sen",
        bank_bin: "970407",
        account: "19027913579017",
        roster_shape: Shape::CsvSemicolon,
        fees_shape: Shape::CsvComma,
        deducts: false,
        symbol_letters: "TAG",
    },
    School {
        code: "PT-CX",
        name: "Trường THPT Chè Xanh (minh họa)",
        level: Level::UpperSecondary,
        public: true,
        commune: "PH-CX",
        pupils: 220,
        street: "Số 1 quảng trường Chè Xanh",
        bank_bin: "970416",
        account: "27913571",
        roster_shape: Shape::Xlsx,
        fees_shape: Shape::Xlsx,
        deducts: true,
        symbol_letters: "TAH",
    },
    School {
        code: "PT-AS",
        name: "Trường THPT tư thục Ánh Sao (minh họa)",
        level: Level::UpperSecondary,
        public: false,
        commune: "XA-SN",
        pupils: 155,
        street: "Lô 8 khu đô thị Suối Ngọc",
        bank_bin: "970436",
        account: "1900268002468",
        roster_shape: Shape::CsvComma,
        fees_shape: Shape::CsvSemicolon,
        deducts: true,
        symbol_letters: "TAK",
    },
];

impl School {
    /// Invented, in a stretch of numbers chosen to be unlikely; the check digit is right.
    pub fn tax_code(&self) -> String {
        let index = SCHOOLS
            .iter()
            .position(|school| school.code == self.code)
            .unwrap_or(0);
        tax_code(index)
    }

    pub fn place(&self) -> &'static str {
        COMMUNES
            .iter()
            .find(|(code, _, _)| *code == self.commune)
            .map_or("", |(_, _, place)| place)
    }
}

/// The n-th valid code of 4600 9999xx.
fn tax_code(nth: usize) -> String {
    const WEIGHTS: [u32; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];
    (460_099_900u32..)
        .filter_map(|head| {
            let digits = head.to_string();
            let sum: u32 = digits
                .chars()
                .zip(WEIGHTS)
                .map(|(d, w)| d.to_digit(10).unwrap_or(0) * w)
                .sum();
            let check = 10 - sum % 11;
            (check < 10).then(|| format!("{digits}{check}"))
        })
        .nth(nth)
        .unwrap_or_default()
}

/// Tax code of whoever makes the invoicing software of the demo.
pub fn software_tax_code() -> String {
    tax_code(SCHOOLS.len())
}

pub fn units() -> Table {
    let mut table = Table::new(
        "Đơn vị",
        &[
            "Mã",
            "Tên",
            "Loại",
            "Hiệu lực từ",
            "Hiệu lực đến",
            "Đơn vị quản lý",
            "Đặt tại",
            "Kế thừa từ",
            "Cấp học",
            "Loại hình",
            "Mã số thuế",
            "Mã ĐVQHNS",
            "Địa chỉ",
            "Điện thoại",
            "BIN ngân hàng",
            "Số tài khoản",
            "Tên tài khoản",
        ],
    );
    let office =
        |code: &str, name: &str, kind: &str, from: &str, to: &str, manager: &str, heir_of: &str| {
            let mut row: Vec<Cell> = vec![
                code.into(),
                name.into(),
                kind.into(),
                date(from),
                date(to),
                manager.into(),
                Cell::Empty,
                heir_of.into(),
            ];
            row.extend((0..9).map(|_| Cell::Empty));
            row
        };
    table.rows.push(office(
        DEPARTMENT,
        "Sở Giáo dục và Đào tạo Thái Nguyên",
        "Sở",
        "01/01/1997",
        "",
        "",
        "",
    ));
    table.rows.push(office(
        DISTRICT,
        "Phòng GDĐT huyện Đồng Hương (cũ, minh họa)",
        "Phòng",
        "01/01/1997",
        "30/06/2025",
        DEPARTMENT,
        "",
    ));
    for ((code, name, _), share) in COMMUNES.iter().zip(["0.6", "0.4"]) {
        table.rows.push(office(
            code,
            name,
            "Xã",
            "01/07/2025",
            "",
            DEPARTMENT,
            &format!("{DISTRICT}={share}"),
        ));
    }
    for (index, school) in SCHOOLS.iter().enumerate() {
        let by_department = school.level == Level::UpperSecondary;
        let before = if by_department { DEPARTMENT } else { DISTRICT };
        let since = if by_department {
            DEPARTMENT
        } else {
            school.commune
        };
        table.rows.push(school_row(
            index,
            school,
            ("01/08/2015", "30/06/2025"),
            before,
            DISTRICT,
        ));
        table.rows.push(school_row(
            index,
            school,
            ("01/07/2025", ""),
            since,
            school.commune,
        ));
    }
    table
}

fn school_row(
    index: usize,
    school: &School,
    period: (&str, &str),
    manager: &str,
    place: &str,
) -> Vec<Cell> {
    let budget_code = if school.public {
        format!("10999{:02}", index + 1)
    } else {
        String::new()
    };
    vec![
        school.code.into(),
        school.name.into(),
        "Trường".into(),
        date(period.0),
        date(period.1),
        manager.into(),
        place.into(),
        Cell::Empty,
        school.level.shown().into(),
        if school.public {
            "Công lập"
        } else {
            "Tư thục"
        }
        .into(),
        school.tax_code().into(),
        budget_code.into(),
        format!("{}, {}, tỉnh Thái Nguyên", school.street, school.place()).into(),
        format!("05700000{:02}", index + 1).into(),
        school.bank_bin.into(),
        school.account.into(),
        school
            .name
            .trim_end_matches(" (minh họa)")
            .to_uppercase()
            .into(),
    ]
}
