//! Every legal number the demo needs, with validity, scope, source and how sure we are.

use crate::schools::{self, DEPARTMENT, SCHOOLS};
use crate::table::{Table, date};

const SURE: &str = "Đã xác nhận";
const UNSURE: &str = "Chưa xác minh";
const SAMPLE: &str = "Minh họa";

/// Key, scope, first day, last day, value, source, status.
type Line = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const COUNTRY: [Line; 40] = [
    (
        "base_reference_level",
        "VN",
        "01/07/2019",
        "30/06/2023",
        "1490000",
        "Nghị định 38/2019/NĐ-CP",
        UNSURE,
    ),
    (
        "base_reference_level",
        "VN",
        "01/07/2023",
        "30/06/2024",
        "1800000",
        "Nghị định 24/2023/NĐ-CP",
        SURE,
    ),
    (
        "base_reference_level",
        "VN",
        "01/07/2024",
        "30/06/2026",
        "2340000",
        "Nghị định 73/2024/NĐ-CP",
        SURE,
    ),
    (
        "base_reference_level",
        "VN",
        "01/07/2026",
        "",
        "2530000",
        "Nghị định 161/2026/NĐ-CP ngày 15/05/2026",
        SURE,
    ),
    (
        "bhyt_rate",
        "VN",
        "01/07/2019",
        "",
        "0.045",
        "Luật Bảo hiểm y tế sửa đổi bởi Luật 51/2024/QH15; Nghị định 188/2025/NĐ-CP",
        SURE,
    ),
    (
        "bhyt_state_support",
        "VN",
        "01/07/2019",
        "30/06/2025",
        "0.3",
        "Nghị định 146/2018/NĐ-CP",
        SURE,
    ),
    (
        "bhyt_state_support",
        "VN",
        "01/07/2025",
        "",
        "0.5",
        "Nghị định 188/2025/NĐ-CP",
        SURE,
    ),
    (
        "bhyt_province_extra",
        "VN",
        "01/07/2019",
        "",
        "0",
        "Không có nghị quyết HĐND hỗ trợ thêm",
        SURE,
    ),
    (
        "bhyt_group_billed.HN",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Hộ nghèo: ngân sách nhà nước đóng (Nghị định 188/2025/NĐ-CP)",
        SURE,
    ),
    (
        "bhyt_group_billed.DT",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Dân tộc thiểu số vùng khó khăn: ngân sách nhà nước đóng",
        SURE,
    ),
    (
        "bhyt_group_billed.DK",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Người sống ở xã đặc biệt khó khăn: ngân sách nhà nước đóng",
        SURE,
    ),
    (
        "bhyt_group_billed.XD",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Người sống ở xã đảo, huyện đảo: ngân sách nhà nước đóng",
        SURE,
    ),
    (
        "bhyt_group_billed.BT",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Bảo trợ xã hội: ngân sách nhà nước đóng",
        SURE,
    ),
    (
        "bhyt_group_billed.TQ",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Thân nhân quân đội: có thẻ theo nhóm khác",
        SURE,
    ),
    (
        "bhyt_group_billed.TA",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Thân nhân công an: có thẻ theo nhóm khác",
        SURE,
    ),
    (
        "bhyt_group_billed.TY",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Thân nhân cơ yếu: có thẻ theo nhóm khác",
        SURE,
    ),
    (
        "bhyt_group_billed.TE",
        "VN",
        "01/07/2019",
        "",
        "1",
        "Trẻ em dưới 6 tuổi: ngân sách nhà nước đóng",
        SURE,
    ),
    (
        "bhyt_group_billed.CN",
        "VN",
        "01/07/2019",
        "",
        "0.7",
        "Hộ cận nghèo: hỗ trợ tối thiểu 70% (Nghị định 146/2018/NĐ-CP sửa đổi bởi Nghị định 75/2023/NĐ-CP)",
        UNSURE,
    ),
    (
        "tuition_months_max",
        "VN",
        "15/10/2021",
        "02/09/2025",
        "9",
        "Điều 12 Nghị định 81/2021/NĐ-CP",
        SURE,
    ),
    (
        "tuition_months_max",
        "VN",
        "03/09/2025",
        "",
        "9",
        "Điều 12 Nghị định 238/2025/NĐ-CP",
        SURE,
    ),
    (
        "private_fee_growth_cap",
        "VN",
        "03/09/2025",
        "",
        "0.10",
        "Điều 5 Nghị định 238/2025/NĐ-CP",
        SURE,
    ),
    (
        "vocational_fee_growth_cap",
        "VN",
        "03/09/2025",
        "",
        "0.15",
        "Điều 7 Nghị định 238/2025/NĐ-CP",
        SURE,
    ),
    (
        "learning_cost_support",
        "VN",
        "15/10/2021",
        "02/09/2025",
        "150000",
        "Nghị định 81/2021/NĐ-CP",
        SURE,
    ),
    (
        "learning_cost_support",
        "VN",
        "03/09/2025",
        "",
        "150000",
        "Điều 19 Nghị định 238/2025/NĐ-CP",
        SURE,
    ),
    (
        "service_price_authority",
        "VN",
        "03/09/2025",
        "14/03/2026",
        "HĐND",
        "Điều 4 Nghị định 238/2025/NĐ-CP",
        SURE,
    ),
    (
        "service_price_authority",
        "VN",
        "15/03/2026",
        "",
        "UBND",
        "Điều 13 Nghị định 66/2026/NĐ-CP",
        SURE,
    ),
    (
        "vat_standard_rate",
        "VN",
        "01/07/2025",
        "",
        "0.10",
        "Luật Thuế giá trị gia tăng 48/2024/QH15",
        SURE,
    ),
    (
        "vat_reduced_rate",
        "VN",
        "01/07/2025",
        "31/12/2026",
        "0.08",
        "Nghị quyết 204/2025/QH15; Nghị định 174/2025/NĐ-CP",
        SURE,
    ),
    (
        "paper_receipt_allowed",
        "VN",
        "01/07/2026",
        "31/12/2026",
        "1",
        "Điều 44 Nghị định 254/2026/NĐ-CP",
        SURE,
    ),
    (
        "public_holiday.24-11",
        "VN",
        "01/07/2026",
        "",
        "Ngày Văn hóa Việt Nam",
        "Nghị quyết 28/2026/QH16",
        SURE,
    ),
    (
        "report_deadline_plan",
        "VN",
        "01/09/2021",
        "",
        "10-10",
        "Công văn của Sở GDĐT Thái Nguyên, năm học 2021–2022",
        SURE,
    ),
    (
        "report_deadline_midyear",
        "VN",
        "01/09/2021",
        "",
        "01-20",
        "Công văn của Sở GDĐT Thái Nguyên, năm học 2021–2022",
        SURE,
    ),
    (
        "report_deadline_final",
        "VN",
        "01/09/2021",
        "",
        "06-05",
        "Công văn của Sở GDĐT Thái Nguyên, năm học 2021–2022",
        SURE,
    ),
    (
        "biometric_hint_transfer",
        "VN",
        "01/01/2025",
        "",
        "10000000",
        "Thông tư 50/2024/TT-NHNN sửa đổi bởi Thông tư 77/2025/TT-NHNN",
        SURE,
    ),
    (
        "biometric_hint_day",
        "VN",
        "01/01/2025",
        "",
        "20000000",
        "Thông tư 50/2024/TT-NHNN sửa đổi bởi Thông tư 77/2025/TT-NHNN",
        SURE,
    ),
    (
        "wallet_monthly_limit",
        "VN",
        "17/07/2024",
        "",
        "100000000",
        "Thông tư 40/2024/TT-NHNN và các thông tư sửa đổi",
        UNSURE,
    ),
    (
        "invoice_policy",
        "VN",
        "01/07/2025",
        "",
        "INVOICE_ALL",
        "Chỉ đạo của Sở GDĐT: xuất hóa đơn điện tử cho mọi khoản thu",
        SAMPLE,
    ),
    (
        "invoice_coding",
        "VN",
        "01/07/2022",
        "",
        "C",
        "Điều 6 Nghị định 254/2026/NĐ-CP: mặc định hóa đơn có mã",
        SURE,
    ),
    (
        "invoice_format",
        "VN",
        "01/06/2025",
        "31/12/2026",
        "2.1.0",
        "Quyết định 1306/QĐ-CT ngày 30/05/2025",
        UNSURE,
    ),
    (
        "invoice_format",
        "VN",
        "01/01/2027",
        "",
        "2.1.1",
        "Quyết định 1233 năm 2026 của Cục Thuế",
        UNSURE,
    ),
];

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
    for (key, scope, from, to, value, source, status) in COUNTRY {
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
