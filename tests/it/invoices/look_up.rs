//! What a family and an accountant get of signed documents over HTTP.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use hocphi::web::{self, PageConfig};
use tower::ServiceExt;

use super::archive::signed;
use super::books::{app_on, payment, start};
use crate::engines::fresh_databases;

async fn get(router: &Router, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 10_000_000).await.unwrap().to_vec();
    (parts.status, parts.headers, bytes)
}

#[tokio::test]
async fn a_code_opens_one_document_and_a_guess_opens_nothing() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        signed(&app).await;
        let (code, xml): (String, String) = app
            .db
            .sql("SELECT lookup_code, xml FROM invoice")
            .one()
            .await
            .unwrap();
        let (receipt,): (String,) = app
            .db
            .sql("SELECT lookup_code FROM payment_receipt")
            .one()
            .await
            .unwrap();
        let router = web::router(app, PageConfig::default());

        let (status, headers, _) = get(
            &router,
            &format!("/hoa-don?code=%20{}", code.to_uppercase()),
        )
        .await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        assert_eq!(headers["location"], format!("/hoa-don/{code}"));
        let (status, headers, page) = get(&router, &format!("/hoa-don/{code}")).await;
        let page = String::from_utf8(page).unwrap();
        assert_eq!(status, StatusCode::OK);
        for wanted in [
            "1C26TAA",
            "Học phí tháng 11",
            "3.200.000",
            "Trần Thị Ví Dụ",
            "chưa có mã của cơ quan thuế",
            "Ba triệu tám trăm lẻ bốn nghìn không trăm lẻ một đồng",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert!(
            !page.contains("Bảo hiểm y tế"),
            "the receipt is another document"
        );
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        assert_eq!(headers["cache-control"], "private, no-store");

        let (_, headers, file) = get(&router, &format!("/hoa-don/{code}/x.xml")).await;
        assert_eq!(file, xml.as_bytes());
        assert_eq!(
            headers["content-disposition"],
            "attachment; filename=\"1C26TAA-1.xml\""
        );
        for (path, kind) in [(&code, "a4"), (&code, "a5"), (&receipt, "a5")] {
            let (status, headers, file) =
                get(&router, &format!("/hoa-don/{path}/x.pdf?paper={kind}")).await;
            assert_eq!(
                (status, &headers["content-type"]),
                (StatusCode::OK, &"application/pdf".parse().unwrap())
            );
            assert!(file.starts_with(b"%PDF-1.7"));
        }
        let (_, _, page) = get(&router, &format!("/hoa-don/{receipt}")).await;
        assert!(
            String::from_utf8(page)
                .unwrap()
                .contains("không phải là hóa đơn")
        );

        let mut answers = Vec::new();
        let near = format!("{}0", &code[..code.len() - 1]);
        let near = if near == code {
            format!("{}1", &code[..code.len() - 1])
        } else {
            near
        };
        for guess in [near.as_str(), "abc", "01kaxyz0000000000000000x"] {
            let (status, _, page) = get(&router, &format!("/hoa-don/{guess}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{guess}");
            answers.push(String::from_utf8(page).unwrap().replace(guess, ""));
        }
        assert!(
            answers.windows(2).all(|two| two[0] == two[1]),
            "a guess learns something"
        );
        let mut refused = 0;
        for _ in 0..80 {
            let (status, ..) = get(&router, "/hoa-don/guess").await;
            refused += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert!(refused > 5, "{refused} guesses refused");
        // The archive itself is for accountants.
        for path in [
            "/ke-toan/archive",
            "/ke-toan/archive.zip",
            "/ke-toan/archive/INVOICE-x.pdf",
        ] {
            let (status, ..) = get(&router, path).await;
            assert_eq!(status, StatusCode::SEE_OTHER, "{path}");
        }
    }
}

/// A signed-in accountant of the school, straight into the tables.
async fn accountant(app: &hocphi::App) -> String {
    use argon2::{Argon2, PasswordHasher};
    let hash = Argon2::default()
        .hash_password(b"mat khau")
        .unwrap()
        .to_string();
    app.db
        .write("test.user", async move |tx: &mut hocphi::store::Tx| {
            tx.sql(
                "INSERT INTO user_account (user_id, login, password_hash, display_name, role, unit_id)
                 VALUES ('kt1', 'kt1', $1, 'Kế toán', 'ACCOUNTANT', 's1')",
            )
            .bind(hash.clone())
            .run()
            .await
        })
        .await
        .unwrap();
    "login=kt1&password=mat+khau".to_owned()
}

/// The cookie of a signed-in accountant.
async fn session(app: &hocphi::App, router: &Router) -> String {
    let form = accountant(app).await;
    let request = Request::post("/dang-nhap")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(form))
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn own(router: &Router, cookie: &str, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = Request::get(path)
        .header("cookie", cookie)
        .body(Body::empty())
        .unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 10_000_000).await.unwrap().to_vec();
    (parts.status, parts.headers, bytes)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_bill_and_its_payment_lead_to_invoice_and_receipt() {
    const LINK: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    const OTHER: &str = "1123456789abcdefghjkmnpqrstvwxyz";
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        signed(&app).await;
        payment(&app, "s1", "p2", start().day()).await;
        app.db
            .write("test.links", async |tx: &mut hocphi::store::Tx| {
                for (bill, link) in [("p1", LINK), ("p2", OTHER)] {
                    tx.sql("UPDATE fee_bill SET access_token = $2 WHERE bill_id = $1")
                        .bind(bill)
                        .bind(link)
                        .run()
                        .await?;
                }
                Ok::<_, hocphi::store::StoreError>(())
            })
            .await
            .unwrap();
        let (id, code, xml): (String, String, String) = app
            .db
            .sql("SELECT receipt_id, lookup_code, xml FROM payment_receipt")
            .one()
            .await
            .unwrap();
        let (invoice,): (String,) = app
            .db
            .sql("SELECT lookup_code FROM invoice")
            .one()
            .await
            .unwrap();
        let router = web::router(app.clone(), PageConfig::default());

        let page = text(get(&router, &format!("/b/{LINK}")).await.2);
        assert!(page.contains("Phiếu thu số") && page.contains("PT26"));
        for document in [&code, &invoice] {
            assert!(page.contains(&format!("href=\"/hoa-don/{document}\"")));
            assert!(page.contains(&format!("/b/{LINK}/invoice/{document}.xml")));
        }
        let (_, headers, file) = get(&router, &format!("/b/{LINK}/invoice/{code}.xml")).await;
        assert_eq!(text(file), xml);
        assert_eq!(
            headers["content-disposition"],
            "attachment; filename=\"PT26-1.xml\""
        );
        let (status, ..) = get(&router, &format!("/b/{OTHER}/invoice/{code}.xml")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "a receipt of another bill");

        let cookie = session(&app, &router).await;
        let page = text(own(&router, &cookie, "/ke-toan/receipts/p1").await.2);
        for wanted in ["1C26TAA-1", "PT26-1", "683.100"] {
            assert!(page.contains(wanted), "{wanted}");
        }
        let (status, _, file) = own(
            &router,
            &cookie,
            &format!("/ke-toan/archive/RECEIPT-{id}.xml"),
        )
        .await;
        assert_eq!((status, text(file)), (StatusCode::OK, xml));
    }
}

#[tokio::test]
async fn an_accountant_takes_a_period_as_one_archive_with_an_index() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        signed(&app).await;
        let (xml,): (String,) = app.db.sql("SELECT xml FROM invoice").one().await.unwrap();
        let router = web::router(app.clone(), PageConfig::default());
        let cookie = session(&app, &router).await;
        let page = text(own(&router, &cookie, "/ke-toan/archive").await.2);
        assert!(
            page.contains("1C26TAA-1") && page.contains("PT26-1"),
            "{page}"
        );

        let (_, headers, bytes) = own(&router, &cookie, "/ke-toan/archive.zip").await;
        assert_eq!(headers["content-type"], "application/zip");
        let mut files = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut names: Vec<String> = files
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "index.csv",
                "s1/2026-11/1C26TAA-1.pdf",
                "s1/2026-11/1C26TAA-1.xml",
                "s1/2026-11/PT26-1.pdf",
                "s1/2026-11/PT26-1.xml",
            ]
        );
        let mut read = |name: &str| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut files.by_name(name).unwrap(), &mut bytes).unwrap();
            bytes
        };
        assert_eq!(read("s1/2026-11/1C26TAA-1.xml"), xml.as_bytes());
        let index = String::from_utf8(read("index.csv")).unwrap();
        assert_eq!(index.lines().count(), 3);
        assert!(index.contains(&hocphi::invoices::archive::hash(xml.as_bytes())));
        let pdf = read("s1/2026-11/PT26-1.pdf");
        assert!(index.contains(&hocphi::invoices::archive::hash(&pdf)));
    }
}
