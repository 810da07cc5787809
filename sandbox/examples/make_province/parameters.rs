//! Every legal number the demo needs, with validity, scope, source and how sure we are.

use crate::schools::{self, DEPARTMENT, SCHOOLS};
use crate::table::{Table, date};

const SURE: &str = "Đã xác nhận";
const UNSURE: &str = "Chưa xác minh";
const SAMPLE: &str = "Minh họa";

/// What holds in the whole country: key, scope, first day, last day, value, source, how sure.
const COUNTRY: &str = include_str!("country.txt");

const BANDS: [(&str, u32, u32, &str); 4] = [
    ("PUBLIC/PRESCHOOL", 50_000, 540_000, "580500"),
    ("PUBLIC/PRIMARY", 50_000, 540_000, "580500"),
    ("PUBLIC/LOWER_SECONDARY", 50_000, 650_000, "698750"),
    ("PUBLIC/UPPER_SECONDARY", 100_000, 650_000, "698750"),
];

/// Group, ceiling 2025–2026, ceiling 2026–2027, in đồng a month.
const VOCATIONAL: [(&str, u32, u32); 8] = [
    ("SOCIAL_ART_EDUCATION", 1_360_000, 1_600_000),
    ("SCIENCE_LAW_MATHS", 1_445_000, 1_700_000),
    ("ENGINEERING_IT", 2_040_000, 2_400_000),
    ("PRODUCTION_CONSTRUCTION", 1_955_000, 2_300_000),
    ("AGRICULTURE", 1_400_000, 1_650_000),
    ("HEALTH", 2_380_000, 2_800_000),
    ("SERVICES_TOURISM", 1_700_000, 2_000_000),
    ("SECURITY_DEFENCE", 1_870_000, 2_200_000),
];

/// Role, account of TT 24/2024 (public), account of TT 99/2025 (private).
const ACCOUNTS: [(&str, &str, &str); 7] = [
    ("CASH", "111", "111"),
    ("BANK", "112", "112"),
    ("IN_TRANSIT", "113", "113"),
    ("REVENUE", "531", "511"),
    ("ON_BEHALF", "338", "3388"),
    ("CREDIT_HELD", "131", "131"),
    ("SUSPENSE", "3388", "3388"),
];

pub fn table() -> Table {
    let mut table = Table::new(
        "Tham số",
        &[
            "Khóa",
            "Phạm vi",
            "Từ ngày",
            "Đến ngày",
            "Giá trị",
            "Nguồn",
            "Tình trạng",
        ],
    );
    for line in COUNTRY.lines() {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [key, scope, from, to, value, source, status] = fields.as_slice() else {
            panic!("country.txt has a line without seven fields: {line}");
        };
        let status = match *status {
            "sure" => SURE,
            "unsure" => UNSURE,
            _ => SAMPLE,
        };
        put(&mut table, key, scope, (from, to), value, (source, status));
    }
    put(
        &mut table,
        "bhyt_province_extra",
        DEPARTMENT,
        ("01/07/2019", ""),
        "0",
        ("Chưa tìm thấy nghị quyết của HĐND tỉnh Thái Nguyên", UNSURE),
    );
    tuition(&mut table);
    accounting(&mut table);
    invoices(&mut table);
    table
}

fn put(
    table: &mut Table,
    key: &str,
    scope: &str,
    period: (&str, &str),
    value: &str,
    source: (&str, &str),
) {
    table.rows.push(vec![
        key.into(),
        scope.into(),
        date(period.0),
        date(period.1),
        value.into(),
        source.0.into(),
        source.1.into(),
    ]);
}

fn tuition(table: &mut Table) {
    let exempt = (
        "Nghị quyết 217/2025/QH15; Điều 15 Nghị định 238/2025/NĐ-CP",
        SURE,
    );
    let before = (
        "Nghị định 81/2021/NĐ-CP: gia đình đóng theo mức HĐND tỉnh",
        SURE,
    );
    let primary = (
        "Nghị định 81/2021/NĐ-CP: tiểu học công lập không thu học phí",
        SURE,
    );
    for level in [
        "PRESCHOOL",
        "PRIMARY",
        "LOWER_SECONDARY",
        "UPPER_SECONDARY",
        "CONTINUING",
    ] {
        let scope = format!("PUBLIC/{level}");
        let (share, source) = if level == "PRIMARY" {
            ("1", primary)
        } else {
            ("0", before)
        };
        put(
            table,
            "tuition_state_share",
            &scope,
            ("15/10/2021", "31/08/2025"),
            share,
            source,
        );
        put(
            table,
            "tuition_state_share",
            &scope,
            ("01/09/2025", ""),
            "1",
            exempt,
        );
        put(
            table,
            "tuition_state_share",
            &format!("PRIVATE/{level}"),
            ("15/10/2021", ""),
            "0",
            (
                "Trường tư thục thu đủ học phí; Nhà nước hỗ trợ trực tiếp người học (Điều 21 Nghị định 238/2025/NĐ-CP)",
                SURE,
            ),
        );
    }
    let bands = ("Điều 8 Nghị định 238/2025/NĐ-CP", SURE);
    for (scope, low, high, next) in BANDS {
        put(
            table,
            "tuition_band_min",
            scope,
            ("01/09/2025", ""),
            &low.to_string(),
            bands,
        );
        put(
            table,
            "tuition_band_max",
            scope,
            ("01/09/2025", "31/08/2026"),
            &high.to_string(),
            bands,
        );
        put(
            table,
            "tuition_band_max",
            scope,
            ("01/09/2026", "31/08/2027"),
            next,
            bands,
        );
    }
    let vocational = ("Điều 9 Nghị định 238/2025/NĐ-CP", SURE);
    for (group, last, this) in VOCATIONAL {
        let key = format!("vocational_fee_ceiling.{group}");
        put(
            table,
            &key,
            "VN",
            ("01/09/2025", "31/08/2026"),
            &last.to_string(),
            vocational,
        );
        put(
            table,
            &key,
            "VN",
            ("01/09/2026", "31/08/2027"),
            &this.to_string(),
            vocational,
        );
    }
}

fn accounting(table: &mut Table) {
    let public = (
        "Thông tư 24/2024/TT-BTC, kế toán trưởng xác nhận lại",
        UNSURE,
    );
    let private = (
        "Thông tư 99/2025/TT-BTC, kế toán trưởng xác nhận lại",
        UNSURE,
    );
    put(
        table,
        "accounting_regime",
        "PUBLIC",
        ("01/01/2025", ""),
        "TT24",
        public,
    );
    put(
        table,
        "accounting_regime",
        "PRIVATE",
        ("01/01/2026", ""),
        "TT99",
        private,
    );
    for (role, of_public, of_private) in ACCOUNTS {
        let key = format!("account.{role}");
        put(
            table,
            &key,
            "regime:TT24",
            ("01/01/2025", ""),
            of_public,
            public,
        );
        put(
            table,
            &key,
            "regime:TT99",
            ("01/01/2026", ""),
            of_private,
            private,
        );
    }
}

fn invoices(table: &mut Table) {
    let registered = (
        "Tờ khai đăng ký sử dụng hóa đơn điện tử của trường (minh họa)",
        SAMPLE,
    );
    put(
        table,
        "solution_provider_tax_code",
        "VN",
        ("01/07/2025", ""),
        &schools::software_tax_code(),
        registered,
    );
    let office = ("Cơ quan thuế quản lý trường (minh họa)", SAMPLE);
    for (key, value) in [
        ("tax_office_name", "Thuế tỉnh Thái Nguyên"),
        ("tax_office_code", "60701"),
        ("tax_place", "Thái Nguyên"),
    ] {
        put(table, key, "SO-TN", ("01/07/2025", ""), value, office);
    }
    for school in SCHOOLS {
        let since = ("01/07/2025", "");
        let method = if school.deducts {
            "DEDUCTION"
        } else {
            "DIRECT"
        };
        put(table, "vat_method", school.code, since, method, registered);
        put(
            table,
            "invoice_symbol_letters",
            school.code,
            since,
            school.symbol_letters,
            registered,
        );
    }
    // Two schools moved to the new format early, so that both are seen.
    for code in ["CS-DT", "PT-AS"] {
        put(
            table,
            "invoice_format",
            code,
            ("01/10/2026", ""),
            "2.1.1",
            ("Quyết định 1233 năm 2026 của Cục Thuế", SAMPLE),
        );
    }
}
