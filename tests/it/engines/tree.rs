use hocphi::App;
use hocphi::ids::{SchoolId, UnitId};
use hocphi::schools::import::{self, ImportFailure, ImportReport};
use hocphi::schools::{School, parameters, school_by_code, tree, unit_by_code};

use super::{app_on, day, fresh_databases};

const TITLES: &str = "Mã;Tên;Loại;Hiệu lực từ;Hiệu lực đến;Đơn vị quản lý;Đặt tại;Kế thừa từ;\
Cấp học;Loại hình;Mã số thuế;Mã ĐVQHNS;Địa chỉ;Điện thoại;BIN ngân hàng;Số tài khoản;Tên tài khoản\n";
const SCHOOL: &str =
    "Công lập;4600123456;1023456;Tổ 3, Thái Nguyên;0208 3855 688;970415;0101000123;TRUONG";

/// Thái Nguyên in small: a district until 30/06/2025, two communes since.
pub fn province() -> String {
    format!(
        "{TITLES}\
SO19;Sở Giáo dục và Đào tạo;Sở;01/01/2015;;;;;;;;;;;;;\n\
PGD1;Phòng GDĐT thành phố;Phòng;01/01/2015;30/06/2025;SO19;;;;;;;;;;;\n\
XA1;UBND phường Một;Phường;01/07/2025;;SO19;;PGD1=0.6;;;;;;;;;\n\
XA2;UBND xã Hai;Xã;01/07/2025;;SO19;;PGD1=0.4;;;;;;;;;\n\
C2A;THCS A;Trường;01/01/2015;30/06/2025;PGD1;;;THCS;{SCHOOL} A\n\
C2A;THCS A;Trường;01/07/2025;;XA1;XA1;;THCS;{SCHOOL} A\n\
C2B;THCS B;Trường;01/01/2015;30/06/2025;PGD1;;;THCS;{SCHOOL} B\n\
C2B;THCS B;Trường;01/07/2025;;XA2;XA2;;THCS;{SCHOOL} B\n\
C3;THPT C;Trường;01/01/2015;;SO19;;;THPT;{SCHOOL} C\n"
    )
}

pub async fn import_units(app: &App, text: String) -> Result<ImportReport, ImportFailure> {
    import::units(app, "don-vi.csv", text.into_bytes(), "test").await
}

pub async fn unit(app: &App, code: &str) -> UnitId {
    unit_by_code(&app.db, code).await.unwrap().unwrap().unit_id
}

pub async fn school(app: &App, code: &str) -> School {
    school_by_code(&app.db, code).await.unwrap().unwrap()
}

async fn under(app: &App, code: &str, on: &str) -> Vec<String> {
    let units = tree::units_under(&app.db, &unit(app, code).await, day(on)).await;
    units.unwrap().into_iter().map(|unit| unit.code).collect()
}

async fn above(app: &App, code: &str, on: &str) -> Vec<String> {
    let units = tree::managers_of(&app.db, &unit(app, code).await, day(on)).await;
    units.unwrap().into_iter().map(|unit| unit.code).collect()
}

#[tokio::test]
async fn the_tree_is_what_it_was_on_the_day() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        let report = import_units(&app, province()).await.unwrap();
        assert_eq!((report.rows, report.added), (9, 7));
        assert_eq!(above(&app, "C2A", "2025-06-30").await, ["PGD1", "SO19"]);
        assert_eq!(above(&app, "C2A", "2025-07-01").await, ["XA1", "SO19"]);
        assert_eq!(
            under(&app, "PGD1", "2025-06-30").await,
            ["C2A", "C2B", "PGD1"]
        );
        assert!(under(&app, "PGD1", "2025-07-01").await.is_empty());
        assert_eq!(under(&app, "XA2", "2026-09-01").await, ["C2B", "XA2"]);
        assert_eq!(
            under(&app, "SO19", "2026-09-01").await,
            ["C2A", "C2B", "C3", "SO19", "XA1", "XA2"]
        );
        assert_eq!(under(&app, "SO19", "2020-01-01").await.len(), 5);
        let heirs = tree::successors(&app.db, &unit(&app, "PGD1").await)
            .await
            .unwrap();
        let shares: Vec<_> = heirs
            .iter()
            .map(|h| (h.successor_code.as_str(), h.share.as_str()))
            .collect();
        assert_eq!(shares, [("XA1", "0.6"), ("XA2", "0.4")]);
        let before = tree::predecessors(&app.db, &unit(&app, "XA2").await)
            .await
            .unwrap();
        assert_eq!((before.len(), before[0].on_day), (1, day("2025-07-01")));
        let a = school(&app, "C2A").await;
        assert_eq!(
            (a.tax_code.as_str(), a.phone.as_deref()),
            ("4600123456", Some("02083855688"))
        );
    }
}

#[tokio::test]
async fn a_later_file_closes_what_is_stored_and_appends() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        let again = import_units(&app, province()).await.unwrap();
        assert!(again.already_imported);
        // The same content in another file changes nothing either.
        let same = import_units(&app, format!("{}\n", province()))
            .await
            .unwrap();
        assert_eq!((same.added, same.updated, same.unchanged), (0, 0, 7));
        let moved = format!("{TITLES}C2A;THCS A mới;Trường;01/01/2027;;XA2;XA2;;THCS;{SCHOOL} A\n");
        let report = import_units(&app, moved).await.unwrap();
        assert_eq!((report.added, report.updated), (0, 1));
        assert_eq!(above(&app, "C2A", "2025-06-30").await, ["PGD1", "SO19"]);
        assert_eq!(above(&app, "C2A", "2026-12-31").await, ["XA1", "SO19"]);
        assert_eq!(above(&app, "C2A", "2027-01-01").await, ["XA2", "SO19"]);
        assert_eq!(school(&app, "C2A").await.name, "THCS A mới");
    }
}

#[tokio::test]
async fn contradictory_units_are_refused_row_by_row_and_leave_nothing() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        let text = format!(
            "{TITLES}\
SO;Sở;Sở;01/01/2015;;XA;;;;;;;;;;;\n\
XA;Xã;Xã;01/01/2015;;SO;;;;;;;;;;;\n\
PGD;Phòng;Phòng;01/01/2015;30/06/2025;SO;;;;;;;;;;;\n\
PGD;Phòng;Phòng;01/06/2025;;SO;;;;;;;;;;;\n\
XB;Xã;Xã;01/01/2026;;KHONG;;;;;;;;;;;\n\
XC;Xã;Xã;01/01/2026;;;;;;;;;;;;;\n\
XC;Xã;Trường;01/01/2014;30/06/2014;XA;;;THCS;Công lập;46001;;x;;97041;1;T\n\
XD;Xã;Xã;01/01/2026;31/12/2025;SO;;;;;;;;;;;\n\
T1;Trường;Trường;01/01/2014;;SO;;;THCS;{SCHOOL}\n"
        );
        let Err(ImportFailure::Rows(problems)) = import_units(&app, text).await else {
            panic!("must be refused")
        };
        let found: Vec<(u64, &str)> = problems
            .problems
            .iter()
            .map(|p| (p.line, p.code.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (2, "CYCLE"),
                (5, "OVERLAP"),
                (6, "UNKNOWN_UNIT"),
                (8, "NOT_A_CODE"),
                (8, "NOT_A_CODE"),
                (9, "INTERVAL"),
                (10, "INTERVAL"),
            ]
        );
        for table in [
            "SELECT COUNT(*) FROM org_unit",
            "SELECT COUNT(*) FROM import_batch",
        ] {
            let (count,): (i64,) = app.db.sql(table).one().await.unwrap();
            assert_eq!(count, 0);
        }
    }
}

const PARAMETERS: &str = "Khóa;Phạm vi;Từ ngày;Đến ngày;Giá trị;Nguồn;Tình trạng\n\
base_reference_level;VN;01/07/2024;30/06/2026;2340000;NĐ 73/2024;Đã xác nhận\n\
base_reference_level;VN;01/07/2026;;2530000;NĐ 161/2026;Đã xác nhận\n\
bhyt_province_extra;SO19;01/01/2020;;0.1;NQ HĐND;Minh họa\n\
bhyt_province_extra;PGD1;01/01/2020;;0.2;thử;Minh họa\n\
accounting_regime;PUBLIC;01/01/2025;;TT24;TT 24/2024;Đã xác nhận\n\
account.REVENUE;regime:TT24;01/01/2025;;531;TT 24/2024;Đã xác nhận\n\
account.REVENUE;regime:TT99;01/01/2026;;511;TT 99/2025;Đã xác nhận\n";

async fn import_parameters(app: &App, text: &str) -> Result<ImportReport, ImportFailure> {
    import::parameters(app, "tham-so.csv", text.as_bytes().to_vec(), "test").await
}

#[tokio::test]
async fn parameters_are_found_by_scope_and_day_for_a_school() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        assert_eq!(import_parameters(&app, PARAMETERS).await.unwrap().added, 7);
        let id: SchoolId = school(&app, "C2A").await.school_id;
        let all = parameters::load(&app.db, &id).await.unwrap().unwrap();
        let level = |on| {
            all.vnd("base_reference_level", day(on))
                .map(|amount| amount.get())
        };
        assert_eq!(level("2026-06-30"), Ok(2_340_000));
        assert_eq!(level("2026-07-01"), Ok(2_530_000));
        assert!(level("2024-06-30").is_err());
        assert_eq!(
            all.text("bhyt_province_extra", day("2025-06-30")),
            Ok("0.2")
        );
        assert_eq!(
            all.text("bhyt_province_extra", day("2025-07-01")),
            Ok("0.1")
        );
        assert_eq!(all.text("account.REVENUE", day("2026-09-01")), Ok("531"));
        let value = all.at("base_reference_level", day("2026-06-30")).unwrap();
        assert_eq!(
            (value.valid_to, value.source),
            (Some(day("2026-07-01")), "NĐ 73/2024")
        );
        assert!(
            parameters::load(&app.db, &SchoolId::new("none"))
                .await
                .unwrap()
                .is_none()
        );
    }
}

#[tokio::test]
async fn confirmed_parameters_are_closed_never_overwritten() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        import_parameters(&app, PARAMETERS).await.unwrap();
        let titles = PARAMETERS.lines().next().unwrap();
        let refused = format!(
            "{titles}\n\
             base_reference_level;VN;01/07/2026;;2600000;x;Đã xác nhận\n\
             base_reference_level;VN;01/01/2027;;2600000;x;Đã xác nhận\n\
             bhyt_rate;VN;01/01/2020;;4,5%;x;Đã xác nhận\n\
             bhyt_rate;NOWHERE;01/01/2020;;0.045;x;Đã xác nhận\n"
        );
        let Err(ImportFailure::Rows(problems)) = import_parameters(&app, &refused).await else {
            panic!("must be refused")
        };
        let found: Vec<(u64, &str)> = problems
            .problems
            .iter()
            .map(|p| (p.line, p.code.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (2, "CONFIRMED"),
                (3, "OVERLAP"),
                (4, "OUT_OF_RANGE"),
                (5, "UNKNOWN_SCOPE")
            ]
        );
        let closed = format!(
            "{titles}\n\
             base_reference_level;VN;01/07/2026;31/12/2026;2530000;NĐ 161/2026;Đã xác nhận\n\
             base_reference_level;VN;01/01/2027;;2600000;x;Đã xác nhận\n\
             bhyt_province_extra;SO19;01/01/2020;;0.15;NQ HĐND;Đã xác nhận\n"
        );
        let report = import_parameters(&app, &closed).await.unwrap();
        assert_eq!((report.added, report.updated), (1, 2));
    }
}
