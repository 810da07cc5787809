//! Receipts for money that takes no invoice.

use hocphi::ids::SchoolId;
use hocphi::invoices::service::{KeyRing, install_key, issue, receipt_payments};
use hocphi::invoices::verify::{Trust, verify};

use super::books::{app_on, payment, schools, start};
use super::samples::key;
use crate::engines::fresh_databases;

#[tokio::test]
async fn by_nature_money_for_others_gets_one_signed_receipt_however_often_the_job_runs() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "BY_NATURE").await;
        install_key(&app, &SchoolId::new("s1"), &key(), &[])
            .await
            .unwrap();
        let mut paid = Vec::new();
        for name in ["p1", "p2"] {
            paid.push(payment(&app, "s1", name, start().day()).await);
        }
        let keys = KeyRing::default();
        for _ in 0..3 {
            issue(&app, &keys, &paid).await.unwrap();
            for outcome in receipt_payments(&app, &keys, &paid).await.unwrap() {
                outcome.unwrap();
            }
        }
        let rows: Vec<(i64, String, i64, String)> = app
            .db
            .sql("SELECT number, state, total, xml FROM payment_receipt ORDER BY number")
            .all()
            .await
            .unwrap();
        let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
        assert_eq!(numbers, [1, 2]);
        for (_, state, total, xml) in &rows {
            // The insurance alone; tuition and uniform are invoiced, the gift is neither.
            assert_eq!((state.as_str(), *total), ("SIGNED", 683_100));
            assert!(xml.contains("Bảo hiểm y tế") && !xml.contains("Học phí"));
            let report = verify(xml.as_bytes(), Trust::default());
            assert!(report.valid, "{:#?}", report.findings);
            let forged = xml.replace("683100", "683101");
            assert!(!verify(forged.as_bytes(), Trust::default()).valid);
        }
        // A crash between the two transactions.
        app.db
            .write("test.crash", async move |tx: &mut hocphi::store::Tx| {
                tx.sql("UPDATE payment_receipt SET state = 'NUMBERED', xml = NULL, signed_at = NULL WHERE number = 1")
                    .run().await
            })
            .await
            .unwrap();
        receipt_payments(&app, &keys, &paid).await.unwrap();
        let (unsigned,): (i64,) = app
            .db
            .sql("SELECT COUNT(*) FROM payment_receipt WHERE state = 'NUMBERED'")
            .one()
            .await
            .unwrap();
        assert_eq!(unsigned, 0);
    }
}

#[tokio::test]
async fn where_everything_is_invoiced_there_is_no_receipt() {
    let (db, _keep) = fresh_databases().await.remove(0);
    let app = app_on(db);
    schools(&app, "INVOICE_ALL").await;
    install_key(&app, &SchoolId::new("s1"), &key(), &[])
        .await
        .unwrap();
    let paid = payment(&app, "s1", "p1", start().day()).await;
    receipt_payments(&app, &KeyRing::default(), &[paid])
        .await
        .unwrap();
    let (count,): (i64,) = app
        .db
        .sql("SELECT COUNT(*) FROM payment_receipt")
        .one()
        .await
        .unwrap();
    assert_eq!(count, 0);
}
