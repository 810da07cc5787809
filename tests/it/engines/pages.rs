//! The pages of the three users, over HTTP, on rows of two schools.

use argon2::{Argon2, PasswordHasher};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hocphi::App;
use hocphi::clock::{Day, Instant};
use hocphi::ids::{BillId, PaymentId, SchoolId, UnitId};
use hocphi::money::Vnd;
use hocphi::payments::pages::store as receipts;
use hocphi::reports::rules::Sums;
use hocphi::store::{Db, StoreError, Tx};
use hocphi::web::{self, PageConfig};
use tower::ServiceExt;

use super::{app_on, fresh_databases};

const TOKEN: &str = "0123456789abcdefghjkmnpqrstvwxyz";
const CODE: &str = "HPZ37MTFCKQPG";
const PASSWORD: &str = "mật khẩu dài";

pub(super) fn noon() -> Instant {
    Instant::parse_local_iso("2026-11-23T12:00:00").unwrap()
}

/// A department over two schools; the first has a bill paid through the bank and documented.
pub(super) async fn two_schools(db: &Db) -> Result<(), StoreError> {
    let hash = Argon2::default()
        .hash_password(PASSWORD.as_bytes())
        .unwrap()
        .to_string();
    db.write("test.pages", async move |tx: &mut Tx| {
        let day = Day::new(2026, 8, 1).unwrap();
        let today = noon().day();
        for (id, kind) in [("dept", "DEPARTMENT"), ("s1", "SCHOOL"), ("s2", "SCHOOL"), ("s3", "SCHOOL")] {
            tx.sql("INSERT INTO org_unit (unit_id, code, name, kind, valid_from) VALUES ($1, $1, $2, $3, $4)")
                .bind(id.to_owned()).bind(format!("Đơn vị {id}")).bind(kind.to_owned()).bind(day)
                .run().await?;
        }
        for id in ["s1", "s2", "s3"] {
            tx.sql(
                "INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin, bank_account, bank_account_name)
                 VALUES ($1, 'PRIMARY', 'PUBLIC', '4600000001', 'Phố Núi', '970436', '0861000123456', 'TRUONG MOT')")
                .bind(id.to_owned()).run().await?;
        }
        // s3 left the department before the day of the report.
        for (id, to) in [("s1", None), ("s2", None), ("s3", Some(today))] {
            tx.sql("INSERT INTO org_relation (child_id, relation, valid_from, valid_to, parent_id) VALUES ($1, 'MANAGES', $2, $3, 'dept')")
                .bind(id.to_owned()).bind(day).bind(to).run().await?;
        }
        tx.sql(
            "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name, insurance_group, insurance_months, state)
             VALUES ('s1', 'p1', 'HS1', 'Đặng Minh Ánh', 'dang minh anh', 'HS', 12, 'STUDYING')").run().await?;
        tx.sql(
            "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day, state, created_at)
             VALUES ('s1', 'r1', 'Tháng 11', '2026-2027', $1, $1, 'PUBLISHED', $2)")
            .bind(today).bind(noon()).run().await?;
        tx.sql(
            "INSERT INTO fee_bill (school_id, bill_id, round_id, pupil_id, bill_code, access_token, pupil_name, pupil_code,
                                   class_name, payer_name, title, state, gross, amount_due, amount_paid, issued_day, due_day)
             VALUES ('s1', 'b1', 'r1', 'p1', $1, $2, 'Đặng Minh Ánh', 'HS1', '3A', 'Đặng Văn Tư', 'Tháng 11', 'PARTIAL',
                     1000, 800, 500, $3, $3)")
            .bind(CODE.to_owned()).bind(TOKEN.to_owned()).bind(today).run().await?;
        tx.sql(
            "INSERT INTO bill_line (school_id, bill_id, line_no, item_id, name, collection_class, calculation, unit_name, quantity,
                                    unit_price, gross, state_part, province_part, school_part, amount_due, amount_paid,
                                    document_rule, vat_rate, legal_basis, priority)
             VALUES ('s1', 'b1', 1, 'i1', 'Bảo hiểm y tế', 'ON_BEHALF', 'ONCE', 'lần', '1', 1000, 1000, 200, 0, 0, 800, 500,
                     'INVOICE', 'KCT', 'Nghị định 188', 1)").run().await?;
        tx.sql(
            "INSERT INTO provider_connection (school_id, connection_id, provider, display_name, channel, credentials, state)
             VALUES ('s1', 'c1', 'vnpay', 'VNPAY', 'GATEWAY', '-', 'ENABLED'), ('s1', 'c2', 'sepay', 'SePay', 'BANK_TRANSFER', '-', 'ENABLED')")
            .run().await?;
        for (school, id, channel, amount, to_bills, bill) in [
            ("s1", "pay1", "BANK_TRANSFER", 300, 300, Some("b1")),
            ("s1", "pay2", "CASH", 200, 200, Some("b1")),
            ("s1", "pay3", "BANK_TRANSFER", 70, 0, None),
            ("s2", "pay4", "CASH", 40, 0, None),
        ] {
            tx.sql(
                "INSERT INTO payment (school_id, payment_id, provider, transaction_id, channel, amount, to_bills, to_credit,
                                      to_suspense, state, bill_id, paid_at, paid_day, received_at)
                 VALUES ($1, $2, 'sepay', $2, $3, $4, $5, 0, $4 - $5, 'CONFIRMED', $6, $7, $8, $7)")
                .bind(school.to_owned()).bind(id.to_owned()).bind(channel.to_owned()).bind(i64::from(amount))
                .bind(i64::from(to_bills)).bind(bill.map(str::to_owned)).bind(noon()).bind(today).run().await?;
        }
        for (id, amount) in [("pay1", 300), ("pay2", 200)] {
            tx.sql(
                "INSERT INTO allocation (school_id, payment_id, seq, target, bill_id, line_no, pupil_id, amount)
                 VALUES ('s1', $1, 1, 'BILL_LINE', 'b1', 1, 'p1', $2)")
                .bind(id.to_owned()).bind(i64::from(amount)).run().await?;
        }
        tx.sql(
            "INSERT INTO suspense_item (school_id, payment_id, amount, reason, candidates, state, created_at)
             VALUES ('s1', 'pay3', 70, 'NO_REFERENCE', '[]', 'OPEN', $1)").bind(noon()).run().await?;
        tx.sql("INSERT INTO ledger_head (school_id, last_seq, last_digest) VALUES ('s1', 1, $1)").bind("0".repeat(64)).run().await?;
        tx.sql(
            "INSERT INTO journal_entry (school_id, seq, kind, source_id, booked_day, posted_at, amount, lines, seal)
             VALUES ('s1', 1, 'PAYMENT_RECEIVED', 'pay1', $1, $2, 300, '[[\"112\",300,0,null],[\"338\",0,300,null]]', '')")
            .bind(today).bind(noon()).run().await?;
        tx.sql("INSERT INTO invoice_series (school_id, form, symbol, last_number, last_day) VALUES ('s1', '1', 'C26TAA', 7, $1)")
            .bind(today).run().await?;
        tx.sql(
            "INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id, state, issue_day, total, vat,
                                  lookup_code, document, xml, coded_xml)
             VALUES ('s1', 'inv1', '1', 'C26TAA', 7, '2.1.0', 'pay1', 'CODED', $1, 300, 0, 'lookup1', '{}', '<HDon>signed</HDon>', '<HDon>coded</HDon>')")
            .bind(today).run().await?;
        tx.sql("INSERT INTO invoice_line (school_id, payment_id, seq, invoice_id, amount) VALUES ('s1', 'pay1', 1, 'inv1', 300)")
            .run().await?;
        for (id, role, unit) in [("kt1", "ACCOUNTANT", "s1"), ("kt2", "ACCOUNTANT", "s2"), ("so1", "OFFICE", "dept")] {
            tx.sql(
                "INSERT INTO user_account (user_id, login, password_hash, display_name, role, unit_id)
                 VALUES ($1, $1, $2, $3, $4, $5)")
                .bind(id.to_owned()).bind(hash.clone()).bind(format!("Người {id}")).bind(role.to_owned()).bind(unit.to_owned())
                .run().await?;
        }
        Ok(())
    })
    .await
}

pub(super) fn app(db: Db) -> App {
    let app = app_on(db);
    app.clock.set(noon());
    app
}

pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

pub(super) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 4_000_000).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

pub(super) async fn get(router: &Router, path: &str, cookie: &str) -> Answer {
    let request = Request::get(path).header("cookie", cookie);
    send(router, request.body(Body::empty()).unwrap()).await
}

async fn sign_in(router: &Router, login: &str, password: &str) -> Answer {
    let form = format!("login={login}&password={}", password.replace(' ', "+"));
    let request = Request::post("/dang-nhap")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    send(router, request.body(Body::from(form)).unwrap()).await
}

pub(super) async fn session(router: &Router, login: &str) -> String {
    let answer = sign_in(router, login, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_family_sees_its_bill_and_a_code_alone_does_not_name_the_child() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        let router = web::router(app(db), PageConfig::default());
        let own = get(&router, &format!("/b/{TOKEN}"), "").await;
        assert_eq!(own.status, StatusCode::OK);
        assert!(own.text.contains("Đặng Minh Ánh") && own.text.contains("Nghị định 188"));
        assert!(own.text.contains("/pay/c1") && !own.text.contains("/pay/c2"));
        assert!(own.text.contains("300\u{a0}₫"), "what is still owed");
        let policy = own.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));

        let typed = get(&router, "/tra-cuu?code=hpz+37mt+fckq+pg", "").await;
        assert_eq!(typed.headers["location"], format!("/b/{CODE}"));
        let masked = get(&router, &format!("/b/{CODE}"), "").await;
        assert!(masked.text.contains("Đ••• M••• Á•••"));
        for secret in ["Minh Ánh", "3A", "HS1", "Văn Tư", TOKEN, "lookup1.xml"] {
            assert!(!masked.text.contains(secret), "{secret}");
        }
        let wrong = get(&router, "/tra-cuu?code=HPZ37MTFCKQPH", "").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text.contains("Mã này chưa đúng"));

        let status = get(&router, &format!("/b/{TOKEN}/status"), "").await;
        assert!(status.text.contains("Đã nộp một phần") && status.text.contains("C26TAA"));
        assert!(!status.text.contains("<html"));
        let returned = get(&router, &format!("/b/{TOKEN}/status?from=return"), "").await;
        assert!(returned.text.contains("Đang chờ xác nhận của ngân hàng"));

        let file = get(&router, &format!("/b/{TOKEN}/invoice/lookup1.xml"), "").await;
        assert_eq!(file.text, "<HDon>coded</HDon>");
        let name = file.headers["content-disposition"].to_str().unwrap();
        assert_eq!(name, "attachment; filename=\"1C26TAA-7.xml\"");
        let by_code = get(&router, &format!("/b/{CODE}/invoice/lookup1.xml"), "").await;
        assert_eq!(by_code.status, StatusCode::FORBIDDEN);
        let lost = get(&router, "/no-such-page?lang=en", "").await;
        assert_eq!(lost.status, StatusCode::NOT_FOUND);
        assert!(lost.text.contains("This page does not exist"));
    }
}

#[tokio::test]
async fn an_accountant_sees_the_own_school_and_nothing_else() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        let router = web::router(app(db), PageConfig::default());
        let stranger = get(&router, "/ke-toan/receipts", "").await;
        assert_eq!(
            stranger.headers["location"],
            "/dang-nhap?next=/ke-toan/receipts"
        );
        let refused = sign_in(&router, "kt1", "guess").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);

        let one = session(&router, "kt1").await;
        let overview = get(&router, "/ke-toan", &one).await;
        assert!(overview.text.contains("570\u{a0}₫"), "collected today");
        let list = get(&router, "/ke-toan/receipts?q=%C4%91%E1%BA%B7ng+minh", &one).await;
        assert!(
            list.text.contains("2 khoản, tổng 500\u{a0}₫"),
            "found by name"
        );
        let detail = get(&router, "/ke-toan/receipts/pay1", &one).await;
        assert!(detail.text.contains("Bảo hiểm y tế") && detail.text.contains("338"));
        for path in [
            "/ke-toan/bills",
            "/ke-toan/bills/b1",
            "/ke-toan/suspense",
            "/ke-toan/rounds",
        ] {
            assert_eq!(
                get(&router, path, &one).await.status,
                StatusCode::OK,
                "{path}"
            );
        }
        let file = get(&router, "/ke-toan/invoices/inv1.xml", &one).await;
        assert_eq!(file.text, "<HDon>coded</HDon>");

        let two = session(&router, "kt2").await;
        for path in [
            "/ke-toan/receipts/pay1",
            "/ke-toan/bills/b1",
            "/ke-toan/invoices/inv1.xml",
        ] {
            assert_eq!(
                get(&router, path, &two).await.status,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
        assert_eq!(
            get(&router, "/quan-ly", &two).await.status,
            StatusCode::FORBIDDEN
        );

        let form_token = overview.text.split("name=\"form_token\" value=\"").nth(1);
        let form_token = form_token.and_then(|rest| rest.split('"').next()).unwrap();
        let out = |site: &str, form_token: &str| {
            Request::post("/dang-xuat")
                .header("cookie", one.as_str())
                .header("sec-fetch-site", site)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(format!("form_token={form_token}")))
                .unwrap()
        };
        let old = send(&router, out("same-origin", "old")).await;
        assert_eq!(old.status, StatusCode::FORBIDDEN);
        let foreign = send(&router, out("cross-site", form_token)).await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN);
        assert_eq!(get(&router, "/ke-toan", &one).await.status, StatusCode::OK);
        send(&router, out("same-origin", form_token)).await;
        assert_eq!(
            get(&router, "/ke-toan", &one).await.status,
            StatusCode::SEE_OTHER
        );
    }
}

/// A form with a file, as browsers send it.
async fn send_file(router: &Router, cookie: &str, form_token: &str, csv: &str) -> Answer {
    let mut body = String::new();
    for (name, value) in [
        ("form_token", form_token),
        ("kind", "roster"),
        ("valid_from", "2026-11-23"),
    ] {
        body.push_str(&format!(
            "--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str(&format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"lop.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{csv}\r\n--XX--\r\n"
    ));
    let request = Request::post("/ke-toan/import")
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "multipart/form-data; boundary=XX");
    send(router, request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_sent_roster_is_taken_whole_or_not_at_all() {
    const TITLES: &str = "Mã học sinh;Họ và tên;Ngày sinh;Giới tính;Khối;Lớp;Họ tên phụ huynh;\
                          Quan hệ;Điện thoại;Email;Địa chỉ;Nhóm BHYT;Số tháng BHYT";
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt2").await;
        let form = get(&router, "/ke-toan/import", &cookie).await.text;
        let token = form.split("name=\"form_token\" value=\"").nth(1).unwrap();
        let token = token.split('"').next().unwrap();
        let row = |day: &str| {
            format!(
                "{TITLES}\r\nHS9;Lý Thị Mai;{day};Nữ;3;3B;Lý Văn Ba;Cha;0912345678;;Phố Núi;HS;12\r\n"
            )
        };
        let unsigned = send_file(&router, &cookie, "guessed", &row("05/09/2018")).await;
        assert_eq!(unsigned.status, StatusCode::FORBIDDEN);
        let wrong = send_file(&router, &cookie, token, &row("31/02/2018")).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text.contains("31/02/2018") && wrong.text.contains("Ngày sinh"));
        let pupils = async || -> i64 {
            let row: (i64,) = db
                .sql("SELECT COUNT(*) FROM pupil WHERE school_id = 's2'")
                .one()
                .await
                .unwrap();
            row.0
        };
        assert_eq!(pupils().await, 0);
        let taken = send_file(&router, &cookie, token, &row("05/09/2018")).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
        assert_eq!(pupils().await, 1);
    }
}

#[tokio::test]
async fn a_draft_is_previewed_and_published_by_its_school_alone() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        db.write("test.draft", async |tx: &mut Tx| {
            tx.sql(
                "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day, state, created_at)
                 VALUES ('s2', 'r2', 'Tháng 12', '2026-2027', $1, $1, 'DRAFT', $2)",
            )
            .bind(noon().day())
            .bind(noon())
            .run()
            .await
        })
        .await
        .unwrap();
        let router = web::router(app(db), PageConfig::default());
        let other = session(&router, "kt1").await;
        let hidden = get(&router, "/ke-toan/rounds/r2", &other).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND);
        let own = session(&router, "kt2").await;
        let preview = get(&router, "/ke-toan/rounds/r2", &own).await;
        assert_eq!(preview.status, StatusCode::OK, "{}", preview.text);
        assert!(preview.text.contains("Xem trước đợt thu: Tháng 12"));
        assert!(
            !preview.text.contains("/publish"),
            "nobody to bill, no button"
        );
        let unsigned = Request::post("/ke-toan/rounds/r2/publish")
            .header("cookie", own.as_str())
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        let unsigned = send(&router, unsigned.body(Body::from("form_token=x")).unwrap()).await;
        assert_eq!(unsigned.status, StatusCode::FORBIDDEN);
        let published = get(&router, "/ke-toan/rounds", &own).await;
        assert!(published.text.contains("Nháp"));
    }
}

#[tokio::test]
async fn an_office_sums_the_schools_it_manages_on_that_day() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        let (from, to) = (Day::new(2026, 8, 1).unwrap(), noon().day());
        let unit = UnitId::new("dept");
        let schools = hocphi::reports::store::schools_under(&db, &unit, from, to)
            .await
            .unwrap();
        assert_eq!(schools.len(), 2, "the third has left");
        let total = Sums::of(&schools);
        assert_eq!(
            (total.bills, total.due, total.settled),
            (1, Vnd::new(800), Vnd::new(500))
        );
        assert_eq!(total.by_value().to_string(), "60,0\u{a0}%");
        assert_eq!(total.by_count().to_string(), "50,0\u{a0}%");
        assert_eq!(total.invoiced().to_string(), "100,0\u{a0}%");
        let before = to.plus_days(-1);
        let earlier = hocphi::reports::store::schools_under(&db, &unit, from, before)
            .await
            .unwrap();
        assert_eq!(earlier.len(), 3);
        assert_eq!(Sums::of(&earlier).by_value().per_mille(), None);

        let router = web::router(app(db), PageConfig::default());
        let officer = session(&router, "so1").await;
        let page = get(&router, "/quan-ly", &officer).await;
        assert!(page.text.contains("60,0\u{a0}%") && page.text.contains("không phát sinh"));
        assert_eq!(
            get(&router, "/ke-toan", &officer).await.status,
            StatusCode::FORBIDDEN
        );
    }
}

#[tokio::test]
async fn lists_of_one_school_read_the_same_on_both_engines() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        let school = SchoolId::new("s1");
        let bills = receipts::bills(&db, &school, ("minh", "", "PARTIAL"), 0)
            .await
            .unwrap();
        assert_eq!(bills.len(), 1);
        assert!(
            receipts::bills(&db, &school, ("", CODE, "PAID"), 0)
                .await
                .unwrap()
                .is_empty()
        );
        let of_bill = receipts::receipts_of_bill(&db, &school, &BillId::new("b1"))
            .await
            .unwrap();
        assert_eq!(of_bill.len(), 2);
        let parts = receipts::allocations(&db, &school, &PaymentId::new("pay1"))
            .await
            .unwrap();
        assert_eq!(parts[0].line_name.as_deref(), Some("Bảo hiểm y tế"));
        assert_eq!(
            receipts::open_suspense(&db, &school).await.unwrap().amount,
            Vnd::new(70)
        );
        assert_eq!(receipts::suspense(&db, &school, 0).await.unwrap().len(), 1);
        assert_eq!(
            receipts::invoices_by_state(&db, &school).await.unwrap()[0].name,
            "CODED"
        );
    }
}

#[tokio::test]
async fn static_files_are_kept_by_version_and_asked_for_by_tag() {
    let (db, _keep) = fresh_databases().await.remove(0);
    let router = web::router(app(db), PageConfig::default());
    let page = get(&router, "/", "").await;
    let address = page
        .text
        .split("href=\"")
        .find(|rest| rest.starts_with("/static/app.css"));
    let address = address.and_then(|rest| rest.split('"').next()).unwrap();
    let css = get(&router, address, "").await;
    assert!(
        css.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(css.headers["content-type"], "text/css; charset=utf-8");
    let again = Request::get("/static/app.css").header("if-none-match", &css.headers["etag"]);
    let again = send(&router, again.body(Body::empty()).unwrap()).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(get(&router, "/healthz", "").await.text, "ok");
}
