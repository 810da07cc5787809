//! The archive: every signed file gets in, nothing in it changes, and what was changed is found.

use std::sync::Arc;

use hocphi::App;
use hocphi::ids::SchoolId;
use hocphi::invoices::archive::{self, Filled, by_lookup, lookup_digest};
use hocphi::invoices::rendition::RenditionOptions;
use hocphi::invoices::service::{KeyRing, install_key, issue, receipt_payments};
use hocphi::store::Tx;

use super::books::{app_on, payment, schools, start};
use super::samples::key;
use crate::engines::fresh_databases;

/// A school with one invoice and one receipt, signed.
pub(super) async fn signed(app: &App) {
    schools(app, "BY_NATURE").await;
    install_key(app, &SchoolId::new("s1"), &key(), &[])
        .await
        .unwrap();
    let paid = [payment(app, "s1", "p1", start().day()).await];
    let keys = KeyRing::default();
    for outcome in issue(app, &keys, &paid).await.unwrap() {
        outcome.unwrap();
    }
    for outcome in receipt_payments(app, &keys, &paid).await.unwrap() {
        outcome.unwrap();
    }
}

async fn codes(app: &App) -> Vec<&'static str> {
    let (_, findings) = archive::check(&app.db, &app.seal).await.unwrap();
    findings.into_iter().map(|finding| finding.code).collect()
}

/// What only an administrator of the database can do.
async fn open_the_archive(app: &App) {
    app.db
        .write("test.open", async move |tx: &mut Tx| {
            tx.sql_by_engine(
                "DROP TRIGGER invoice_archive_no_update",
                "DROP TRIGGER invoice_archive_no_change ON invoice_archive",
            )
            .run()
            .await?;
            tx.sql_by_engine("DROP TRIGGER invoice_archive_no_delete", "SELECT 1")
                .run()
                .await
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn every_signed_file_is_kept_and_found_by_its_code_alone() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        signed(&app).await;
        let (count, findings) = archive::check(&app.db, &app.seal).await.unwrap();
        assert_eq!((count, findings), (2, Vec::new()));
        for table in [
            app.db.sql("SELECT lookup_code, xml FROM invoice"),
            app.db.sql("SELECT lookup_code, xml FROM payment_receipt"),
        ] {
            let (code, xml): (String, String) = table.one().await.unwrap();
            let found = by_lookup(&app.db, &lookup_digest(&code))
                .await
                .unwrap()
                .unwrap();
            assert_eq!((&found.file, found.version), (&xml, 1));
            found.prove(&app.seal).unwrap();
            let options = RenditionOptions::default();
            let exported = archive::render(&found, "S1", &app.seal, Some(10), &options).unwrap();
            assert_eq!(exported.xml.bytes, xml.as_bytes());
            assert!(exported.pdf.bytes.starts_with(b"%PDF-"));
            assert_eq!(exported.index[10], archive::hash(xml.as_bytes()));
            assert_eq!(exported.index[8], "2036-12-31");
            assert!(
                exported.xml.path.starts_with("S1/2026-11/"),
                "{}",
                exported.xml.path
            );
            let almost = format!("{}x", &code[..code.len() - 1]);
            assert!(
                by_lookup(&app.db, &lookup_digest(&almost))
                    .await
                    .unwrap()
                    .is_none()
            );
        }
        let today = start().day();
        let shelves = archive::shelves(&app.db, today, today).await.unwrap();
        assert_eq!((shelves.len(), shelves[0].files), (1, 2));
        let first = archive::page(&app.db, &SchoolId::new("s1"), today, (today, "", ""), 1)
            .await
            .unwrap();
        let at = (today, first[0].kind.as_str(), first[0].subject_id.as_str());
        let second = archive::page(&app.db, &SchoolId::new("s1"), today, at, 5)
            .await
            .unwrap();
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_ne!(first[0].kind, second[0].kind);
    }
}

#[tokio::test]
async fn nothing_in_the_archive_changes_and_what_was_changed_is_found() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        signed(&app).await;
        for statement in [
            "UPDATE invoice_archive SET file = file",
            "DELETE FROM invoice_archive",
        ] {
            let refused = app
                .db
                .write("test.change", async move |tx: &mut Tx| match statement {
                    "DELETE FROM invoice_archive" => {
                        tx.sql("DELETE FROM invoice_archive").run().await
                    }
                    _ => tx.sql("UPDATE invoice_archive SET file = file").run().await,
                })
                .await;
            assert!(refused.is_err(), "{statement}");
        }
        open_the_archive(&app).await;
        // Another amount in the archived invoice, and in what the row says about the receipt.
        app.db
            .write("test.tamper", async move |tx: &mut Tx| {
                tx.sql("UPDATE invoice_archive SET file = replace(file, '3200000', '3200001') WHERE kind = 'INVOICE'")
                    .run().await?;
                tx.sql("UPDATE invoice_archive SET total = total + 1 WHERE kind = 'RECEIPT'").run().await
            })
            .await
            .unwrap();
        assert_eq!(
            codes(&app).await,
            [
                "archive_file_changed",
                "archive_seal_broken",
                "archive_differs"
            ]
        );
        // Taken out altogether, then brought in again from the tables that work with the files.
        app.db
            .write("test.remove", async move |tx: &mut Tx| {
                tx.sql("DELETE FROM invoice_archive").run().await
            })
            .await
            .unwrap();
        assert_eq!(codes(&app).await, ["archive_missing", "archive_missing"]);
        let key = Arc::clone(&app.seal);
        let filled = archive::fill(&app.db, &key, app.clock.now()).await.unwrap();
        assert_eq!((filled.kept, filled.refused.len()), (2, 0));
        assert!(codes(&app).await.is_empty());
        assert_eq!(
            archive::fill(&app.db, &key, app.clock.now()).await.unwrap(),
            Filled::default()
        );
        // A file that is not what was signed does not get in.
        app.db
            .write("test.forge", async move |tx: &mut Tx| {
                tx.sql("DELETE FROM invoice_archive").run().await?;
                tx.sql("UPDATE invoice SET xml = replace(xml, '3200000', '3200001')")
                    .run()
                    .await
            })
            .await
            .unwrap();
        let filled = archive::fill(&app.db, &key, app.clock.now()).await.unwrap();
        assert_eq!((filled.kept, filled.refused.len()), (1, 1));
        assert_eq!(codes(&app).await, ["archive_missing"]);
    }
}
