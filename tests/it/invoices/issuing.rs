use hocphi::App;
use hocphi::clock::Day;
use hocphi::ids::SchoolId;
use hocphi::invoices::InvoiceState;
use hocphi::invoices::rendition::Shown;
use hocphi::invoices::service::{InvoiceError, Issued, KeyRing, install_key, issue};
use hocphi::invoices::signature::SigningKey;
use hocphi::invoices::verify::{Trust, verify};

use super::books::{app_on, payment, schools};
use super::samples::{SELLER, key};
use crate::engines::fresh_databases;

fn day(of_month: u8) -> Day {
    Day::new(2026, 11, of_month).unwrap()
}

async fn install(app: &App) {
    install_key(app, &SchoolId::new("s1"), &key(), &[])
        .await
        .unwrap();
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    number: i64,
    symbol: String,
    issue_day: Day,
    total: i64,
    state: InvoiceState,
    xml: Option<String>,
}

async fn invoices(app: &App) -> Vec<Row> {
    app.db
        .sql("SELECT number, symbol, issue_day, total, state, xml FROM invoice ORDER BY school_id, number")
        .all()
        .await
        .unwrap()
}

async fn jobs_waiting(app: &App, kind: &str) -> i64 {
    let (count,): (i64,) = app
        .db
        .sql("SELECT COUNT(*) FROM job WHERE kind = $1")
        .bind(kind.to_owned())
        .one()
        .await
        .unwrap();
    count
}

#[tokio::test]
async fn a_payment_becomes_one_signed_invoice_however_often_the_job_runs() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        install(&app).await;
        let paid = payment(&app, "s1", "p1", day(23)).await;
        let keys = KeyRing::default();
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            let mut outcome = issue(&app, &keys, std::slice::from_ref(&paid))
                .await
                .unwrap();
            outcomes.push(outcome.remove(0).unwrap());
        }
        assert!(matches!(outcomes[0], Issued::Signed(_)));
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
        let rows = invoices(&app).await;
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].number, rows[0].symbol.as_str()), (1, "C26TAA"));
        // Tuition, uniform and insurance; the gift wants no document.
        assert_eq!(rows[0].total, 3_200_000 + 604_001 + 683_100);
        let xml = rows[0].xml.as_deref().unwrap();
        let report = verify(xml.as_bytes(), Trust::default());
        assert!(report.valid, "{:#?}", report.findings);
        assert!(xml.contains("Bảo hiểm y tế (thu hộ)") && !xml.contains("Ủng hộ"));
        assert!(xml.contains("<DChi>Phường Phan Đình Phùng</DChi>"));
        assert_eq!(jobs_waiting(&app, "invoice.send").await, 1);
    }
}

#[tokio::test]
async fn by_nature_only_own_supplies_are_invoiced() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "BY_NATURE").await;
        install(&app).await;
        let paid = payment(&app, "s1", "p1", day(23)).await;
        issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert_eq!(invoices(&app).await[0].total, 3_200_000 + 604_001);
    }
}

#[tokio::test]
async fn nothing_gets_a_number_that_cannot_be_signed() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        let paid = payment(&app, "s1", "p1", day(23)).await;
        let without_key = issue(&app, &KeyRing::default(), std::slice::from_ref(&paid))
            .await
            .unwrap();
        assert!(matches!(without_key[0], Err(InvoiceError::NoKey(_))));
        assert!(invoices(&app).await.is_empty());
        let of_another = install_key(&app, &SchoolId::new("s2"), &key(), &[]).await;
        assert!(matches!(of_another, Err(InvoiceError::KeyOfAnother { .. })));
        install(&app).await;
        issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert_eq!(invoices(&app).await[0].number, 1);
    }
}

#[tokio::test]
async fn an_expired_certificate_takes_no_number() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        install(&app).await;
        let much_later = Day::new(2060, 5, 3).unwrap();
        app.clock.set(much_later.start());
        let paid = payment(&app, "s1", "p1", much_later).await;
        let refused = issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert!(
            matches!(refused[0], Err(InvoiceError::NoKey(_))),
            "{refused:?}"
        );
        assert!(invoices(&app).await.is_empty());
    }
}

#[tokio::test]
async fn a_trustee_issues_in_its_own_name_for_a_school_that_entrusted_it() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        let school = SchoolId::new("s2");
        app.db
            .write("test.contract", async |tx: &mut hocphi::store::Tx| {
                for (key, value) in [
                    ("invoice_trustee_tax_code", SELLER),
                    ("invoice_trustee_name", "Công ty nhận ủy nhiệm Ví Dụ"),
                    ("invoice_trustee_address", "Số 9 đường Ủy Nhiệm, Hà Nội"),
                ] {
                    tx.sql(
                        "INSERT INTO parameter (key, scope, valid_from, value, source, status)
                         VALUES ($1, 's2', $2, $3, 'test', 'ILLUSTRATIVE')",
                    )
                    .bind(key)
                    .bind(Day::new(2026, 1, 1).unwrap())
                    .bind(value)
                    .run()
                    .await?;
                }
                Ok::<_, hocphi::store::StoreError>(())
            })
            .await
            .unwrap();
        install_key(&app, &school, &key(), &[]).await.unwrap();
        let paid = payment(&app, "s2", "p1", day(23)).await;
        let issued = issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert!(matches!(issued[0], Ok(Issued::Signed(_))), "{issued:?}");
        let xml = invoices(&app).await.remove(0).xml.unwrap();
        // A sales invoice by the seller's method, with both parties on it.
        for said in [
            "<KHMSHDon>2</KHMSHDon>",
            "<MSTDVNUNLHDon>0100233488</MSTDVNUNLHDon>",
            "<NBan><Ten>Trường s2</Ten><MST>0312270160</MST>",
        ] {
            assert!(xml.contains(said), "{said}\n{xml}");
        }
        assert!(!xml.contains("TSuat"));
        let report = verify(xml.as_bytes(), Trust::default());
        assert!(report.valid, "{:#?}", report.findings);
        let shown = Shown::read(xml.as_bytes()).unwrap();
        let trustee: Vec<&str> = shown.trustee.iter().map(|pair| &*pair.value).collect();
        assert_eq!(
            trustee,
            [
                "Công ty nhận ủy nhiệm Ví Dụ",
                SELLER,
                "Số 9 đường Ủy Nhiệm, Hà Nội"
            ]
        );
        assert!(shown.seller.iter().any(|pair| pair.value == "0312270160"));
    }
}

#[tokio::test]
async fn an_invoice_that_a_crash_left_unsigned_is_signed_under_its_number() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        install(&app).await;
        let paid = payment(&app, "s1", "p1", day(23)).await;
        issue(&app, &KeyRing::default(), std::slice::from_ref(&paid))
            .await
            .unwrap();
        // As after a crash between the two transactions.
        for text in [
            "UPDATE invoice SET state = 'NUMBERED', xml = NULL, signed_at = NULL",
            "DELETE FROM job",
        ] {
            app.db
                .write("test.crash", async move |tx: &mut hocphi::store::Tx| {
                    tx.sql(text).run().await
                })
                .await
                .unwrap();
        }
        let again = issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert!(matches!(again[0], Ok(Issued::Signed(_))));
        let rows = invoices(&app).await;
        assert_eq!((rows[0].number, rows[0].state), (1, InvoiceState::Signed));
        assert_eq!(jobs_waiting(&app, "invoice.send").await, 1);
    }
}

#[tokio::test]
async fn dates_do_not_fall_while_numbers_rise_and_never_pass_today() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        install(&app).await;
        let keys = KeyRing::default();
        for (name, paid_day) in [("p1", day(20)), ("p2", day(18)), ("p3", day(25))] {
            let paid = payment(&app, "s1", name, paid_day).await;
            issue(&app, &keys, &[paid]).await.unwrap();
        }
        let days: Vec<_> = invoices(&app)
            .await
            .iter()
            .map(|row| row.issue_day)
            .collect();
        assert_eq!(days, [day(20), day(20), day(23)]);
        // A clock that went back must not date invoices in the future, nor out of order.
        app.clock.set(day(22).start());
        let paid = payment(&app, "s1", "p4", day(22)).await;
        let outcome = issue(&app, &keys, &[paid]).await.unwrap();
        assert!(matches!(outcome[0], Err(InvoiceError::SeriesAhead { .. })));
        assert_eq!(invoices(&app).await.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_issuers_at_once_leave_no_gap_and_no_double() {
    const PAYMENTS: usize = 48;
    const ISSUERS: usize = 8;
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        install(&app).await;
        let second = SigningKey::from_pem(include_str!("../../data/keys/second-seller-pkcs8.pem"));
        install_key(&app, &SchoolId::new("s2"), &second.unwrap(), &[])
            .await
            .unwrap();
        let mut paid = Vec::new();
        for place in 0..PAYMENTS {
            let school = ["s1", "s2"][place % 2];
            let of_month = u8::try_from(1 + place * 7 % 20).unwrap();
            paid.push(payment(&app, school, &format!("p{place}"), day(of_month)).await);
        }
        let keys = KeyRing::default();
        let mut tasks = tokio::task::JoinSet::new();
        for issuer in 0..ISSUERS {
            // Every payment is in the hands of several issuers, in batches of several sizes.
            let mut mine = paid.clone();
            mine.rotate_left(issuer * 5);
            mine.truncate(PAYMENTS / 2);
            let (app, keys) = (app.clone(), keys.clone());
            tasks.spawn(async move {
                for batch in mine.chunks(3 + issuer) {
                    for outcome in issue(&app, &keys, batch).await.unwrap() {
                        outcome.unwrap();
                    }
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        let last = issue(&app, &keys, &paid).await.unwrap();
        assert!(last.iter().all(Result::is_ok));
        for school in ["s1", "s2"] {
            let rows: Vec<(i64, Day, InvoiceState)> = app
                .db
                .sql("SELECT number, issue_day, state FROM invoice WHERE school_id = $1 ORDER BY number")
                .bind(school)
                .all()
                .await
                .unwrap();
            let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
            assert_eq!(numbers, (1..=24).collect::<Vec<i64>>(), "{school}");
            assert!(rows.windows(2).all(|pair| pair[0].1 <= pair[1].1));
            assert!(rows.iter().all(|row| row.2 == InvoiceState::Signed));
        }
        assert_eq!(jobs_waiting(&app, "invoice.send").await, 48);
    }
}
