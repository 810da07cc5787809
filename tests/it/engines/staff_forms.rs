//! Forms by which an accountant writes into the books, over HTTP.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hocphi::store::{Db, Tx, rows};
use hocphi::web::{self, PageConfig};

use super::fresh_databases;
use super::pages::{Answer, app, get, send, session, two_schools};
use crate::support::accounts;

/// The value of a hidden field of a page.
pub(super) fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let field = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    field.and_then(|rest| rest.split('"').next()).unwrap()
}

pub(super) async fn post(
    router: &Router,
    path: &str,
    cookie: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let body = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect::<Vec<_>>()
        .join("&");
    let request = Request::post(path)
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded");
    send(router, request.body(Body::from(body)).unwrap()).await
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Accounts for posting, and a fee list of the second school.
async fn with_accounts_and_fees(db: &Db) {
    two_schools(db).await.unwrap();
    db.write("test.accounts", async |tx: &mut Tx| {
        accounts(tx).await?;
        tx.sql(
            "INSERT INTO fee_item (school_id, item_id, code, name, collection_class, calculation,
                                   unit_name, document_rule, vat_rate, opt_in, legal_basis)
             SELECT 's2', code, code, name, 'SERVICE', 'PER_DAY', 'ngày', 'INVOICE', 'KCT', 'ALL', ''
               FROM ROWS($1: code TEXT, name TEXT) AS r",
        )
        .bind(rows([("AN", "Tiền ăn"), ("XE", "Xe đưa đón")]))
        .run()
        .await
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn cash_at_the_counter_is_one_payment_however_often_the_form_comes() {
    const CASH: &str = "/ke-toan/bills/b1/cash";
    for (db, _keep) in fresh_databases().await {
        with_accounts_and_fees(&db).await;
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt1").await;
        let bill = get(&router, "/ke-toan/bills/b1", &cookie).await.text;
        assert!(bill.contains("value=\"300\""), "what is open is proposed");
        let (token, once) = (hidden(&bill, "form_token"), hidden(&bill, "once"));
        let other_form = get(&router, "/ke-toan/bills/b1", &cookie).await.text;
        let cash = async |once: &str, amount: &str| {
            let fields = [
                ("form_token", token),
                ("once", once),
                ("amount", amount),
                ("note", "Bà ngoại nộp"),
            ];
            post(&router, CASH, &cookie, &fields).await
        };
        let payments = async || -> (i64, i64) {
            db.sql(
                "SELECT COUNT(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT)
                   FROM payment WHERE provider = 'cash'",
            )
            .one()
            .await
            .unwrap()
        };

        for (amount, told) in [
            ("301", "lớn hơn số còn thiếu (300\u{a0}₫)"),
            ("ba trăm", "Số tiền chưa đúng"),
            ("0", "Số tiền chưa đúng"),
        ] {
            let refused = cash(once, amount).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
            assert!(refused.text.contains(told), "{amount}");
            assert!(refused.text.contains(&format!("value=\"{amount}\"")));
            assert_eq!(hidden(&refused.text, "once"), once);
        }
        let foreign = [("form_token", "guessed"), ("once", once), ("amount", "300")];
        let foreign = post(&router, CASH, &cookie, &foreign).await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN);
        let two = session(&router, "kt2").await;
        let page = get(&router, "/ke-toan/rounds", &two).await.text;
        let fields = [
            ("form_token", hidden(&page, "form_token")),
            ("once", once),
            ("amount", "300"),
        ];
        let not_theirs = post(&router, CASH, &two, &fields).await;
        assert_eq!(not_theirs.status, StatusCode::NOT_FOUND);
        assert_eq!(payments().await, (0, 0));

        let (first, double) = tokio::join!(cash(once, "100"), cash(once, "100"));
        let reloaded = cash(once, "100").await;
        for answer in [&first, &double, &reloaded] {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
            assert_eq!(answer.headers["location"], first.headers["location"]);
        }
        assert_eq!(payments().await, (1, 100));
        let receipt = get(
            &router,
            first.headers["location"].to_str().unwrap(),
            &cookie,
        )
        .await;
        assert!(receipt.text.contains("Tiền mặt") && receipt.text.contains("Bà ngoại nộp"));
        assert!(receipt.text.contains(">111<"), "booked to cash");

        let changed = cash(once, "200").await;
        assert_eq!(changed.status, StatusCode::CONFLICT);
        assert!(
            changed
                .text
                .contains(first.headers["location"].to_str().unwrap())
        );
        assert_ne!(hidden(&changed.text, "once"), once);
        assert_eq!(payments().await, (1, 100));

        let rest = cash(hidden(&other_form, "once"), "200").await;
        assert_eq!(rest.status, StatusCode::SEE_OTHER);
        assert_eq!(payments().await, (2, 300));
        let settled = get(&router, "/ke-toan/bills/b1", &cookie).await;
        assert!(!settled.text.contains(CASH), "nothing open, no form");
        let late = cash(hidden(&changed.text, "once"), "1").await;
        assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
        let again = cash(once, "100").await;
        assert_eq!(again.headers["location"], first.headers["location"]);

        db.write("test.cancel", async |tx: &mut Tx| {
            tx.sql("UPDATE fee_bill SET state = 'CANCELLED', amount_due = 900 WHERE bill_id = 'b1'")
                .run()
                .await
        })
        .await
        .unwrap();
        let cancelled = get(&router, "/ke-toan/bills/b1", &cookie).await;
        assert!(!cancelled.text.contains(CASH));
        let late = cash(hidden(&changed.text, "once"), "1").await;
        assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(payments().await, (2, 300));
    }
}

#[tokio::test]
async fn a_round_is_planned_in_a_form_that_keeps_what_was_typed() {
    for (db, _keep) in fresh_databases().await {
        with_accounts_and_fees(&db).await;
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt2").await;
        let page = get(&router, "/ke-toan/rounds", &cookie).await.text;
        assert!(page.contains("Xe đưa đón") && page.contains("value=\"2026-11-23\""));
        let token = hidden(&page, "form_token");
        let plan = async |name: &str, due_day: &str, meals: &str| {
            let fields = [
                ("form_token", token),
                ("name", name),
                ("charge_day", "2026-12-01"),
                ("due_day", due_day),
                ("item:AN", meals),
                ("item:XE", ""),
            ];
            post(&router, "/ke-toan/rounds", &cookie, &fields).await
        };
        for (name, due_day, meals, told) in [
            ("Tháng 12", "2026-12-15", "", "ít nhất một khoản"),
            ("Tháng 12", "2026-12-15", "0", "khoản AN phải lớn hơn 0"),
            ("Tháng 12", "2026-12-15", "nhiều", "“nhiều” chưa đúng"),
            ("Tháng 12", "2026-11-30", "20", "từ ngày tính giá trở đi"),
            ("Tháng 12", "", "20", "Hãy chọn hạn nộp"),
            (" ", "2026-12-15", "20", "đặt tên"),
        ] {
            let refused = plan(name, due_day, meals).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
            for kept in [
                told,
                &format!("value=\"{name}\""),
                &format!("value=\"{meals}\""),
            ] {
                assert!(refused.text.contains(kept), "{told}: {kept}");
            }
        }
        let unsigned = [("form_token", "guessed"), ("name", "Tháng 12")];
        let unsigned = post(&router, "/ke-toan/rounds", &cookie, &unsigned).await;
        assert_eq!(unsigned.status, StatusCode::FORBIDDEN);

        let planned = plan("Tháng 12", "2026-12-15", "20,5").await;
        assert_eq!(planned.status, StatusCode::SEE_OTHER, "{}", planned.text);
        let preview = get(
            &router,
            planned.headers["location"].to_str().unwrap(),
            &cookie,
        )
        .await;
        assert!(preview.text.contains("Xem trước đợt thu: Tháng 12"));
        let again = plan("Tháng 12", "2026-12-15", "20").await;
        assert!(again.text.contains("Đã có đợt thu tên “Tháng 12”"));
        let kept: Vec<(String, String)> = db
            .sql(
                "SELECT r.school_year, i.quantity
                   FROM billing_round r
                   JOIN billing_round_item i ON i.school_id = r.school_id AND i.round_id = r.round_id
                  WHERE r.school_id = 's2'",
            )
            .all()
            .await
            .unwrap();
        assert_eq!(kept, [("2026-2027".to_owned(), "20.5".to_owned())]);
    }
}
