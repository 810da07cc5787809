//! Forms by which an accountant moves money that is in the books, over HTTP.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hocphi::store::{Db, Tx};
use hocphi::web::{self, PageConfig};

use super::fresh_databases;
use super::pages::{Answer, app, get, noon, send, session, two_schools};
use super::staff_forms::{hidden, post};
use crate::support::accounts;

const CODE: &str = "HPZ37MTFCKQPG";

/// The books of two schools with 70 đồng and 100 đồng parked at the first.
async fn books(db: &Db) {
    two_schools(db).await.unwrap();
    db.write("test.parked", async |tx: &mut Tx| {
        accounts(tx).await?;
        tx.sql(
            "INSERT INTO payment (school_id, payment_id, provider, transaction_id, channel, amount,
                                  to_bills, to_credit, to_suspense, state, paid_at, paid_day,
                                  received_at)
             VALUES ('s1', 'pay5', 'sepay', 'pay5', 'BANK_TRANSFER', 100, 0, 0, 100, 'SETTLED', $1,
                     $2, $1)",
        )
        .bind(noon())
        .bind(noon().day())
        .run()
        .await?;
        tx.sql(
            "INSERT INTO allocation (school_id, payment_id, seq, target, amount)
             VALUES ('s1', 'pay3', 1, 'SUSPENSE', 70), ('s1', 'pay5', 1, 'SUSPENSE', 100)",
        )
        .run()
        .await?;
        tx.sql(
            "INSERT INTO suspense_item (school_id, payment_id, amount, reason, candidates, state,
                                        created_at)
             VALUES ('s1', 'pay5', 100, 'SEVERAL_BILLS', $2, 'OPEN', $1)",
        )
        .bind(noon())
        .bind(format!("[\"{CODE}\"]"))
        .run()
        .await
    })
    .await
    .unwrap();
}

async fn put(router: &Router, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
    post(router, path, cookie, form).await
}

#[tokio::test]
async fn parked_money_is_assigned_by_a_form_and_the_second_accountant_is_told_who_was_first() {
    for (db, _keep) in fresh_databases().await {
        books(&db).await;
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt1").await;
        let list = get(&router, "/ke-toan/suspense", &cookie).await.text;
        assert!(list.contains("/ke-toan/suspense/pay5") && list.contains("/ke-toan/review"));
        let page = get(&router, "/ke-toan/suspense/pay5", &cookie).await.text;
        assert!(page.contains(CODE) && page.contains("Nội dung chuyển nhắc tới"));
        let chosen = get(
            &router,
            &format!("/ke-toan/suspense/pay5?bill={CODE}"),
            &cookie,
        )
        .await;
        assert!(chosen.text.contains(&format!("value=\"{CODE}\"")));
        let token = hidden(&page, "form_token").to_owned();
        let once = hidden(&page, "once").to_owned();
        let late = hidden(&chosen.text, "once").to_owned();
        let assign = async |once: &str, bills: &str, pupil: &str, reason: &str| {
            let form = [
                ("form_token", token.as_str()),
                ("once", once),
                ("bills", bills),
                ("pupil", pupil),
                ("reason", reason),
            ];
            put(&router, "/ke-toan/suspense/pay5/assign", &cookie, &form).await
        };
        for (bills, pupil, reason, told) in [
            ("", "", "vì", "chỉ một trong hai"),
            (CODE, "HS1", "vì", "chỉ một trong hai"),
            (CODE, "", " ", "Hãy ghi lý do"),
            ("HPZ37MTFCKQPH", "", "vì", "Không có phiếu"),
            ("", "HS9", "vì", "Không có học sinh"),
        ] {
            let refused = assign(&once, bills, pupil, reason).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
            assert!(refused.text.contains(told), "{told}");
            assert!(refused.text.contains(&format!("value=\"{bills}\"")));
        }
        let foreign = [("form_token", "guessed"), ("once", once.as_str())];
        let foreign = put(&router, "/ke-toan/suspense/pay5/assign", &cookie, &foreign).await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN);
        let two = session(&router, "kt2").await;
        assert_eq!(
            get(&router, "/ke-toan/suspense/pay5", &two).await.status,
            StatusCode::NOT_FOUND
        );
        let of_two = get(&router, "/ke-toan/rounds", &two).await.text;
        let theirs = [
            ("form_token", hidden(&of_two, "form_token")),
            ("once", once.as_str()),
            ("pupil", "HS1"),
            ("reason", "vì"),
        ];
        let theirs = put(&router, "/ke-toan/suspense/pay5/assign", &two, &theirs).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND);

        let done = assign(&once, "hpz37mt fckqpg", "", "đã hỏi ngân hàng").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        let again = assign(&once, CODE, "", "đã hỏi ngân hàng").await;
        assert_eq!(again.status, StatusCode::SEE_OTHER);
        let second = assign(&late, "", "HS1", "vì").await;
        assert_eq!(second.status, StatusCode::CONFLICT);
        assert!(second.text.contains("đã được Người kt1 xử lý lúc 12:00"));
        let (paid,): (i64,) = db
            .sql("SELECT amount_paid FROM fee_bill WHERE bill_id = 'b1'")
            .one()
            .await
            .unwrap();
        assert_eq!(paid, 600);
        let receipt = get(&router, "/ke-toan/receipts/pay5", &cookie).await.text;
        assert!(receipt.contains("Bảo hiểm y tế") && receipt.contains("Xử lý khoản treo"));
    }
}

#[tokio::test]
async fn credit_is_used_and_a_payment_undone_by_forms() {
    for (db, _keep) in fresh_databases().await {
        books(&db).await;
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt1").await;
        let page = get(&router, "/ke-toan/suspense/pay5", &cookie).await.text;
        let token = hidden(&page, "form_token").to_owned();
        let form = [
            ("form_token", token.as_str()),
            ("once", hidden(&page, "once")),
            ("pupil", "HS1"),
            ("reason", "người chuyển xác nhận"),
        ];
        let path = "/ke-toan/suspense/pay5/assign";
        assert_eq!(
            put(&router, path, &cookie, &form).await.status,
            StatusCode::SEE_OTHER
        );

        let bill = get(&router, "/ke-toan/bills/b1", &cookie).await.text;
        assert!(bill.contains("Ghi có của học sinh") && bill.contains("Căn cứ"));
        let once = hidden(&bill, "once").to_owned();
        let credit = async |amount: &str| {
            let form = [
                ("form_token", token.as_str()),
                ("once", once.as_str()),
                ("amount", amount),
            ];
            put(&router, "/ke-toan/bills/b1/credit", &cookie, &form).await
        };
        let refused = credit("101").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains("Chỉ còn 100\u{a0}₫"));
        for _ in 0..2 {
            assert_eq!(credit("100").await.status, StatusCode::SEE_OTHER);
        }
        let changed = credit("50").await;
        assert_eq!(changed.status, StatusCode::CONFLICT);

        let receipt = get(&router, "/ke-toan/receipts/pay5", &cookie).await.text;
        let once = hidden(&receipt, "once").to_owned();
        let undo = async |also_used: &str, amount: &str| {
            let form = [
                ("form_token", token.as_str()),
                ("once", once.as_str()),
                ("amount", amount),
                ("reason", "ngân hàng rút lại"),
                ("also_used", also_used),
            ];
            put(&router, "/ke-toan/receipts/pay5/undo", &cookie, &form).await
        };
        let parked = undo("", "100").await;
        assert_eq!(parked.status, StatusCode::CONFLICT);
        assert!(parked.text.contains("từng là ghi có"));
        let once = hidden(&parked.text, "once").to_owned();
        let form = [
            ("form_token", token.as_str()),
            ("once", once.as_str()),
            ("amount", "100"),
            ("reason", "ngân hàng rút lại"),
            ("also_used", "1"),
        ];
        let undone = put(&router, "/ke-toan/receipts/pay5/undo", &cookie, &form).await;
        assert_eq!(undone.status, StatusCode::SEE_OTHER, "{}", undone.text);
        let receipt = get(&router, "/ke-toan/receipts/pay5", &cookie).await.text;
        assert!(receipt.contains("Đã đảo") && receipt.contains("Đảo khoản thu"));
        assert!(!receipt.contains("/undo"), "nothing left to undo");
        let (paid,): (i64,) = db
            .sql("SELECT amount_paid FROM fee_bill WHERE bill_id = 'b1'")
            .one()
            .await
            .unwrap();
        assert_eq!(paid, 500);
    }
}

#[tokio::test]
async fn a_refund_goes_from_the_bill_to_the_familys_hand() {
    for (db, _keep) in fresh_databases().await {
        books(&db).await;
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt1").await;
        let choose = get(&router, "/ke-toan/refunds/new?bill=b1", &cookie)
            .await
            .text;
        assert!(choose.contains("/ke-toan/refunds/new?bill=b1&amp;line=1"));
        let page = get(&router, "/ke-toan/refunds/new?bill=b1&line=1", &cookie)
            .await
            .text;
        assert!(page.contains("value=\"500\"") && page.contains("Đặng Văn Tư"));
        let token = hidden(&page, "form_token").to_owned();
        let once = hidden(&page, "once").to_owned();
        let ask = async |amount: &str, way: &str, payee: &str| {
            let form = [
                ("form_token", token.as_str()),
                ("once", once.as_str()),
                ("bill", "b1"),
                ("line", "1"),
                ("amount", amount),
                ("way", way),
                ("charge", "FALLS"),
                ("payee", payee),
                ("reason", "chuyển trường"),
            ];
            put(&router, "/ke-toan/refunds/new", &cookie, &form).await
        };
        for (amount, way, payee, told) in [
            ("nhiều", "CASH", "Tư", "Số tiền chưa đúng"),
            ("501", "CASH", "Tư", "Chỉ còn 500"),
            ("100", "CASH", " ", "tên người nhận"),
            (
                "500",
                "PROVIDER",
                "Tư",
                "không đến từ một giao dịch duy nhất",
            ),
        ] {
            let refused = ask(amount, way, payee).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
            assert!(refused.text.contains(told), "{told}");
        }
        let asked = ask("200", "CASH", "Đặng Văn Tư").await;
        assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text);
        let there = asked.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(
            ask("200", "CASH", "Đặng Văn Tư").await.headers["location"],
            there.as_str()
        );
        assert_eq!(
            ask("201", "CASH", "Đặng Văn Tư").await.status,
            StatusCode::CONFLICT
        );
        let two = session(&router, "kt2").await;
        assert_eq!(
            get(&router, &there, &two).await.status,
            StatusCode::NOT_FOUND
        );
        let step = async |step: &str, reference: &str| {
            let form = [
                ("form_token", token.as_str()),
                ("step", step),
                ("reference", reference),
                ("detail", "phiếu chi"),
            ];
            put(&router, &format!("{there}/step"), &cookie, &form).await
        };
        assert_eq!(
            step("PAID", "").await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            step("SEND", "").await.status,
            StatusCode::CONFLICT,
            "cash is not sent"
        );
        assert_eq!(step("PAID", "PC1").await.status, StatusCode::SEE_OTHER);
        assert_eq!(step("FAIL", "").await.status, StatusCode::CONFLICT);
        let done = get(&router, &there, &cookie).await.text;
        assert!(done.contains("Đã chi") && done.contains("Đang chờ lập") && done.contains("PC1"));
        let list = get(&router, "/ke-toan/refunds", &cookie).await.text;
        assert!(list.contains("Đã chi") && list.contains("Đặng Minh Ánh"));
        let bill: (i64, i64) = db
            .sql("SELECT amount_due, amount_paid FROM fee_bill WHERE bill_id = 'b1'")
            .one()
            .await
            .unwrap();
        assert_eq!(bill, (600, 300));
    }
}

#[tokio::test]
async fn two_meanings_stand_side_by_side_and_one_decision_closes_them() {
    for (db, _keep) in fresh_databases().await {
        books(&db).await;
        db.write("test.review", async |tx: &mut Tx| {
            tx.sql(
                "INSERT INTO provider_notice (school_id, provider, notice_key, connection_id, status,
                        amount, fingerprint, raw, decision, outcome, payment_id, received_at)
                 VALUES ('s1', 'sepay', 'pay1', 'c2', 'paid', 300, 'f', 'nguyên văn một', 'mark_paid',
                         'ACCEPTED', 'pay1', $1)",
            )
            .bind(noon())
            .run()
            .await?;
            tx.sql(
                "INSERT INTO review_item (school_id, review_id, kind, provider, notice_key,
                        fingerprint, transaction_id, status, amount, currency, raw, why, payment_id,
                        received_at, state)
                 VALUES ('s1', 'r1', 'NOTICE_CONFLICT', 'sepay', 'pay1', 'g', 'pay1', 'paid', 400,
                         'VND', 'nguyên văn hai', 'OTHER_MEANING', 'pay1', $1, 'OPEN')",
            )
            .bind(noon())
            .run()
            .await
        })
        .await
        .unwrap();
        let router = web::router(app(db.clone()), PageConfig::default());
        let cookie = session(&router, "kt1").await;
        let list = get(&router, "/ke-toan/review", &cookie).await.text;
        assert!(list.contains("/ke-toan/review/r1") && list.contains("Chờ quyết định"));
        let page = get(&router, "/ke-toan/review/r1", &cookie).await.text;
        for shown in [
            "300\u{a0}₫",
            "400\u{a0}₫",
            "nguyên văn một",
            "nguyên văn hai",
            "khác",
        ] {
            assert!(page.contains(shown), "{shown}");
        }
        let token = hidden(&page, "form_token").to_owned();
        let close = async |verdict: &str, reason: &str| {
            let form = [
                ("form_token", token.as_str()),
                ("verdict", verdict),
                ("reason", reason),
            ];
            put(&router, "/ke-toan/review/r1", &cookie, &form).await
        };
        assert_eq!(
            close("FIRST_HOLDS", "").await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            close("TAKEN_BACK", "vì").await.status,
            StatusCode::BAD_REQUEST
        );
        let two = session(&router, "kt2").await;
        assert_eq!(
            get(&router, "/ke-toan/review/r1", &two).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            close("FIRST_HOLDS", "sao kê ghi 300").await.status,
            StatusCode::SEE_OTHER
        );
        let second = close("SECOND_HOLDS", "vì").await;
        assert_eq!(second.status, StatusCode::CONFLICT);
        assert!(second.text.contains("Người kt1"));
        let closed = get(&router, "/ke-toan/review/r1", &cookie).await.text;
        assert!(closed.contains("sao kê ghi 300") && !closed.contains("<select"));
        let unsigned = Request::get("/ke-toan/review/r1")
            .body(Body::empty())
            .unwrap();
        assert_eq!(send(&router, unsigned).await.status, StatusCode::SEE_OTHER);
    }
}
