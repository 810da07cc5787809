use hocphi::App;
use hocphi::clock::Day;
use hocphi::schools::import::{self, ImportFailure, ImportReport};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

use super::tree::{import_units, province};
use super::{app_on, day, fresh_databases};

const FEES: &str = "Mã khoản,Tên khoản,Loại,Cách tính,Đơn vị tính,Chứng từ,Thuế suất,Đối tượng,Khối,Đơn giá,Từ ngày,Đến ngày,Căn cứ pháp lý\n\
HP,Học phí,Học phí,Theo tháng,tháng,Hóa đơn,KCT,Tất cả,6-8,\"100.000\",01/09/2026,,NĐ 238/2025\n\
HP,Học phí,Học phí,Theo tháng,tháng,Hóa đơn,KCT,Tất cả,9,120000 đ,01/09/2026,,NĐ 238/2025\n\
BT,Bán trú,Dịch vụ,Theo tháng,tháng,Hóa đơn,8%,Theo chọn,,350000,01/09/2026,31/12/2026,\n\
BT,Bán trú,Dịch vụ,Theo tháng,tháng,Hóa đơn,8%,Theo chọn,,380000,01/01/2027,,\n\
DP,Đồng phục,Thu hộ,Theo số lượng,bộ,Biên nhận,KCT,Theo chọn,,210000,01/09/2026,,\n\
BHYT,Bảo hiểm y tế,Thu hộ,BHYT,tháng,Biên nhận,KCT,Tất cả,,,,,Luật BHYT\n";
const ROSTER: &str = "Mã học sinh;Họ và tên;Ngày sinh (dd/mm/yyyy);Giới tính;Khối;Lớp;Họ tên phụ huynh;Quan hệ;Điện thoại;Email;Địa chỉ;Nhóm BHYT;Số tháng BHYT;Chọn BT;Chọn DP\n";

async fn prepared() -> Vec<(App, super::Keep)> {
    let mut apps = Vec::new();
    for (db, keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        import_fees(&app, FEES).await.unwrap();
        apps.push((app, keep));
    }
    apps
}

async fn import_fees(app: &App, text: &str) -> Result<ImportReport, ImportFailure> {
    import::fees(
        app,
        "C2A",
        "khoan-thu.csv",
        text.as_bytes().to_vec(),
        "test",
    )
    .await
}

async fn import_roster(app: &App, from: &str, rows: &str) -> Result<ImportReport, ImportFailure> {
    let bytes = format!("{ROSTER}{rows}").into_bytes();
    import::roster(
        app,
        "C2A",
        "hoc-sinh.csv",
        bytes,
        "2026-2027",
        day(from),
        "test",
    )
    .await
}

fn problems(outcome: Result<ImportReport, ImportFailure>) -> Vec<(u64, String, String)> {
    let Err(ImportFailure::Rows(rows)) = outcome else {
        panic!("must be refused for its rows: {outcome:?}")
    };
    let found = rows.problems.into_iter();
    found
        .map(|p| (p.line, p.column, p.code.to_string()))
        .collect()
}

/// Class and days of a pupil's enrolments.
async fn enrolments(app: &App, code: &str) -> Vec<(String, Day, Option<Day>)> {
    app.db
        .sql(
            "SELECT c.name, e.valid_from, e.valid_to
               FROM enrolment e
               JOIN pupil p ON p.school_id = e.school_id AND p.pupil_id = e.pupil_id
               JOIN school_class c ON c.school_id = e.school_id AND c.class_id = e.class_id
              WHERE p.code = $1 ORDER BY e.valid_from",
        )
        .bind(code.to_owned())
        .all()
        .await
        .unwrap()
}

async fn choices(app: &App, code: &str) -> Vec<(String, String, Day, Option<Day>)> {
    app.db
        .sql(
            "SELECT i.code, c.quantity, c.valid_from, c.valid_to
               FROM pupil_choice c
               JOIN pupil p ON p.school_id = c.school_id AND p.pupil_id = c.pupil_id
               JOIN fee_item i ON i.school_id = c.school_id AND i.item_id = c.item_id
              WHERE p.code = $1 ORDER BY i.code, c.valid_from",
        )
        .bind(code.to_owned())
        .all()
        .await
        .unwrap()
}

async fn count(app: &App, table: &'static str) -> i64 {
    let (count,): (i64,) = app.db.sql(table).one().await.unwrap();
    count
}

#[tokio::test]
async fn a_roster_twice_is_once_and_a_changed_one_moves_pupils_by_date() {
    for (app, _keep) in prepared().await {
        let first = "HS1;Nguyễn Thị  Đào;02/03/2014;Nữ;7;7A;Trần Văn B;Bố;0912 345 678;b@x.vn;Tổ 1;;;x;2\n\
                     HS2;Lê Văn Cường;;Nam;;8B;;;;;;cn;9;;\n\
                     HS3;Phạm Dũng;1/1/2013;;8;8B;;;;;;;;;\n";
        let report = import_roster(&app, "2026-09-01", first).await.unwrap();
        assert_eq!((report.rows, report.added, report.missing.len()), (3, 3, 0));
        assert!(
            import_roster(&app, "2026-09-01", first)
                .await
                .unwrap()
                .already_imported
        );
        assert_eq!(count(&app, "SELECT COUNT(*) FROM enrolment").await, 3);
        let pupil: (String, String, Option<Day>, String, i64) = app
            .db
            .sql("SELECT full_name, search_name, born_on, insurance_group, insurance_months FROM pupil WHERE code = 'HS1'")
            .one()
            .await
            .unwrap();
        assert_eq!(
            pupil,
            (
                "Nguyễn Thị Đào".into(),
                "nguyen thi dao".into(),
                Some(day("2014-03-02")),
                "HS".into(),
                12
            )
        );
        let guardian: (String, String, Option<String>) = app
            .db
            .sql("SELECT full_name, relation, phone FROM guardian")
            .one()
            .await
            .unwrap();
        assert_eq!(
            guardian,
            (
                "Trần Văn B".into(),
                "FATHER".into(),
                Some("0912345678".into())
            )
        );

        // HS1 changes class, meals and telephone; HS2 stays; HS3 is not named; HS4 is new.
        let later = "HS1;Nguyễn Thị Đào;02/03/2014;Nữ;7;7B;Trần Văn B;Cha;0987654321;b@x.vn;Tổ 1;HS;12;;2\n\
                     HS2;Lê Văn Cường;;Nam;8;8B;;;;;;CN;9;;\n\
                     HS4;Đỗ Hà;;;7;7b;;;;;;;;;\n";
        let report = import_roster(&app, "2026-11-01", later).await.unwrap();
        assert_eq!(
            (report.added, report.updated, report.unchanged, report.moved),
            (1, 1, 1, 1)
        );
        assert_eq!(report.missing, ["HS3 Phạm Dũng (8B)"]);
        assert_eq!(
            enrolments(&app, "HS1").await,
            [
                ("7A".to_owned(), day("2026-09-01"), Some(day("2026-11-01"))),
                ("7B".to_owned(), day("2026-11-01"), None),
            ]
        );
        assert_eq!(enrolments(&app, "HS4").await[0].0, "7B");
        assert_eq!(
            choices(&app, "HS1").await,
            [
                (
                    "BT".to_owned(),
                    "1".to_owned(),
                    day("2026-09-01"),
                    Some(day("2026-11-01"))
                ),
                ("DP".to_owned(), "2".to_owned(), day("2026-09-01"), None),
            ]
        );
        assert_eq!(count(&app, "SELECT COUNT(*) FROM guardian").await, 1);

        // A correction for the same day leaves no enrolment of no length.
        let corrected = "HS1;Nguyễn Thị Đào;02/03/2014;Nữ;7;7C;Trần Văn B;Cha;0987654321;b@x.vn;Tổ 1;HS;12;;3\n";
        import_roster(&app, "2026-11-01", corrected).await.unwrap();
        let found = enrolments(&app, "HS1").await;
        assert_eq!((found.len(), found[1].0.as_str()), (2, "7C"));
        assert_eq!(choices(&app, "HS1").await.len(), 3);

        // A roster of an earlier day would contradict what came later.
        let earlier = import_roster(&app, "2026-10-01", corrected).await;
        assert_eq!(problems(earlier)[0].2, "LATER_CHANGE");
    }
}

#[tokio::test]
async fn a_half_broken_roster_names_every_mistake_and_leaves_nothing() {
    for (app, _keep) in prepared().await {
        let rows = "HS1;A;31/02/2014;Nữ;7;7A;;;;;;;;;\n\
                    HS1;B;01/01/2030;Nữ;7;7A;;;;;;;;-1;\n\
                    1,23E+11;C;;Ngọc;12;12A;;;;;;;;;\n\
                    HS4;;;;8;7A;P;Dì;123;sai@;;;16;;nhiều\n\
                    HS5;E;;;6;9B;;;0912345678;;;;;;\n\
                    HS6;=1+1;;;7;7A;;;;;;;;;;thừa\n\
                    HS7;G;;;7;7A;;;;;;;;;\n\
                    HS8;H;;;7;7A/1;;;;;;;-2;;\n";
        let text = format!("{}{rows}", ROSTER.replace("Chọn DP", "Chọn LẠ"));
        let outcome = import::roster(
            &app,
            "C2A",
            "x.csv",
            text.into_bytes(),
            "2026-2027",
            day("2026-09-01"),
            "test",
        )
        .await;
        let csv = outcome.as_ref().unwrap_err().to_csv().unwrap();
        let found = problems(outcome);
        let found: Vec<(u64, &str, &str)> = found
            .iter()
            .map(|(l, c, p)| (*l, c.as_str(), p.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (1, "Chọn LẠ", "UNKNOWN_FEE"),
                (2, "Ngày sinh (dd/mm/yyyy)", "NOT_A_DAY"),
                (3, "Chọn BT", "NEGATIVE"),
                (3, "Mã học sinh", "DUPLICATE"),
                (3, "Ngày sinh (dd/mm/yyyy)", "FUTURE_DAY"),
                (4, "Mã học sinh", "SCIENTIFIC_NOTATION"),
                (4, "Khối", "UNKNOWN_GRADE"),
                (4, "Giới tính", "NOT_IN_LIST"),
                (5, "Chọn LẠ", "NOT_A_NUMBER"),
                (5, "Khối", "CLASS_GRADE"),
                (5, "Họ và tên", "REQUIRED"),
                (5, "Quan hệ", "NOT_IN_LIST"),
                (5, "Điện thoại", "PHONE"),
                (5, "Email", "EMAIL"),
                (5, "Số tháng BHYT", "OUT_OF_RANGE"),
                (6, "Khối", "CLASS_GRADE"),
                (6, "Họ tên phụ huynh", "REQUIRED"),
                (7, "", "TOO_MANY_CELLS"),
                (7, "Họ và tên", "FORMULA"),
                (9, "Số tháng BHYT", "NEGATIVE"),
            ]
        );
        assert!(csv.contains("\"Họ và tên\";\"'=1+1\";\"FORMULA\""));
        for table in [
            "SELECT COUNT(*) FROM pupil",
            "SELECT COUNT(*) FROM school_class",
            "SELECT COUNT(*) FROM import_batch WHERE kind = 'ROSTER'",
        ] {
            assert_eq!(count(&app, table).await, 0);
        }
    }
}

#[tokio::test]
async fn a_spreadsheet_with_a_cover_sheet_dates_and_numbers_is_read_as_it_shows() {
    let mut book = Workbook::new();
    book.add_worksheet().write(0, 0, "Hướng dẫn nhập").unwrap();
    let sheet = book.add_worksheet();
    let date = Format::new().set_num_format("dd/mm/yyyy");
    sheet.write(0, 0, "DANH SÁCH HỌC SINH").unwrap();
    for (column, title) in (0..).zip([
        "Lớp",
        "Mã HS",
        "HỌ TÊN",
        "Ngày sinh",
        "Điện thoại",
        "Phụ huynh",
        "Chọn bt",
    ]) {
        sheet.write(2, column, title).unwrap();
    }
    sheet.write(3, 0, "9A").unwrap();
    sheet.write(3, 1, 1_900_012_345_i64 as u32).unwrap();
    sheet.write(3, 2, "Nguyễn An").unwrap();
    let born = ExcelDateTime::from_ymd(2012, 2, 29).unwrap();
    sheet.write_with_format(3, 3, &born, &date).unwrap();
    sheet.write(3, 4, 912_345_678_u32).unwrap();
    sheet.write(3, 5, "Mẹ An").unwrap();
    sheet.write(3, 6, 1).unwrap();
    let good = book.save_to_buffer().unwrap();
    // Number cells that lost digits, a class that became a date.
    let sheet = book.worksheet_from_index(1).unwrap();
    sheet.write(4, 1, 1.5).unwrap();
    sheet.write_with_format(4, 0, &born, &date).unwrap();
    sheet.write(4, 2, "B").unwrap();
    sheet.write(5, 0, "9A").unwrap();
    sheet.write(5, 1, "12345678901234567890123").unwrap();
    sheet.write(5, 2, "C").unwrap();
    sheet.write(5, 4, 1e17).unwrap();
    let bad = book.save_to_buffer().unwrap();

    for (app, _keep) in prepared().await {
        let import = |bytes: Vec<u8>| {
            let app = app.clone();
            async move {
                let from = day("2026-09-01");
                import::roster(&app, "C2A", "hs.xlsx", bytes, "2026-2027", from, "test").await
            }
        };
        assert_eq!(import(good.clone()).await.unwrap().added, 1);
        let pupil: (String, Option<Day>) = app
            .db
            .sql("SELECT code, born_on FROM pupil")
            .one()
            .await
            .unwrap();
        assert_eq!(pupil, ("1900012345".to_owned(), Some(day("2012-02-29"))));
        let phone: (Option<String>,) = app
            .db
            .sql("SELECT phone FROM guardian")
            .one()
            .await
            .unwrap();
        assert_eq!(phone.0.as_deref(), Some("0912345678"));
        assert_eq!(choices(&app, "1900012345").await[0].1, "1");
        let found = problems(import(bad.clone()).await);
        let codes: Vec<(u64, &str)> = found.iter().map(|(l, _, p)| (*l, p.as_str())).collect();
        assert_eq!(
            codes,
            [
                (5, "NOT_A_CODE"),
                (5, "NOT_A_CODE"),
                (6, "TOO_LONG"),
                (6, "PHONE")
            ]
        );
    }
}

#[tokio::test]
async fn prices_are_dated_and_a_later_file_keeps_the_past() {
    for (app, _keep) in prepared().await {
        let prices = |code: &'static str| {
            let app = app.clone();
            async move {
                let found: Vec<(i64, Day, Option<Day>, i64)> = app
                    .db
                    .sql(
                        "SELECT p.grade, p.valid_from, p.valid_to, p.amount
                           FROM fee_price p JOIN fee_item i
                             ON i.school_id = p.school_id AND i.item_id = p.item_id
                          WHERE i.code = $1 ORDER BY p.grade, p.valid_from",
                    )
                    .bind(code.to_owned())
                    .all()
                    .await
                    .unwrap();
                found
            }
        };
        let tuition = prices("HP").await;
        assert_eq!(tuition.len(), 4);
        assert_eq!(
            (tuition[0].0, tuition[0].3, tuition[3].3),
            (6, 100_000, 120_000)
        );
        assert_eq!(prices("BT").await[0].2, Some(day("2027-01-01")));
        assert!(prices("BHYT").await.is_empty());
        let titles = FEES.lines().next().unwrap();
        let later = format!(
            "{titles}\nBT,Bán trú,Dịch vụ,Theo tháng,tháng,Hóa đơn,8%,Theo chọn,,400000,01/11/2026,,\n"
        );
        let report = import_fees(&app, &later).await.unwrap();
        assert_eq!((report.added, report.updated), (0, 1));
        assert_eq!(
            prices("BT").await,
            [
                (-1, day("2026-09-01"), Some(day("2026-11-01")), 350_000),
                (-1, day("2026-11-01"), None, 400_000),
            ]
        );
        let wrong = format!(
            "{titles}\n\
             A,A,Dịch vụ,Một lần,,Hóa đơn,7%,Tất cả,,1000.5,01/09/2026,,\n\
             B,B,Khác,Một lần,,Hóa đơn,KCT,Tất cả,10,1000,01/09/2026,,\n\
             C,C,Dịch vụ,BHYT,,Không,KCT,Tất cả,,1000,,,\n\
             D,D,Dịch vụ,Một lần,,Không,KCT,Tất cả,,-5,01/09/2026,,\n\
             E,E,Dịch vụ,Một lần,,Không,KCT,Tất cả,,1000,01/09/2026,,\n\
             E,E khác,Dịch vụ,Một lần,,Không,KCT,Tất cả,,2000,01/10/2026,,\n"
        );
        let found = problems(import_fees(&app, &wrong).await);
        let codes: Vec<(u64, &str)> = found.iter().map(|(l, _, p)| (*l, p.as_str())).collect();
        assert_eq!(
            codes,
            [
                (2, "NOT_IN_LIST"),
                (2, "NOT_WHOLE"),
                (3, "NOT_IN_LIST"),
                (3, "UNKNOWN_GRADE"),
                (4, "NOT_ALLOWED"),
                (5, "NEGATIVE"),
                (7, "DIFFERS"),
                (7, "OVERLAP"),
            ]
        );
    }
}

#[tokio::test]
async fn unknown_schools_and_days_outside_the_year_are_refused() {
    let (app, _keep) = prepared().await.remove(0);
    let roster = |school: &'static str, year: &'static str| {
        let app = app.clone();
        async move {
            let from = day("2026-09-01");
            import::roster(&app, school, "x.csv", Vec::new(), year, from, "t").await
        }
    };
    assert!(matches!(
        roster("XA1", "2026-2027").await,
        Err(ImportFailure::UnknownSchool { .. })
    ));
    assert!(matches!(
        roster("C2A", "2025-2026").await,
        Err(ImportFailure::DayOutsideYear { .. })
    ));
    assert!(matches!(
        roster("C2A", "2026-2027").await,
        Err(ImportFailure::File { .. })
    ));
}

#[tokio::test]
async fn a_whole_school_is_imported_in_one_go_from_any_task() {
    let grades = (0..1_500).map(|n| {
        let (grade, class) = (6 + n % 4, n % 37);
        format!(
            "HS{n:05};Nguyễn Thị Hồng {n};{:02}/{:02}/2013;Nữ;{grade};{grade}A{class};Trần Văn {n};Cha;09{n:08};p{n}@truong.vn;Tổ {n};HS;12;x;{}\n",
            1 + n % 28,
            1 + n % 12,
            n % 3
        )
    });
    let rows: String = grades.collect();
    for (app, _keep) in prepared().await {
        // Handlers run on any thread: the futures must be able to move.
        let task = {
            let (app, rows) = (app.clone(), rows.clone());
            tokio::spawn(async move { import_roster(&app, "2026-09-01", &rows).await })
        };
        assert_eq!(task.await.unwrap().unwrap().added, 1_500);
        let moved = rows.replace(";6;6A", ";7;7A");
        let report = import_roster(&app, "2026-10-01", &moved).await.unwrap();
        assert_eq!((report.moved, report.unchanged), (375, 1_125));
        assert_eq!(count(&app, "SELECT COUNT(*) FROM enrolment").await, 1_875);
        assert_eq!(count(&app, "SELECT COUNT(*) FROM guardian").await, 1_500);
    }
}
