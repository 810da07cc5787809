//! The archive: every signed file gets in, nothing in it changes, and what was changed is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use hocphi::App;
use hocphi::clock::Instant;
use hocphi::ids::SchoolId;
use hocphi::invoices::archive::{self, Filled, Finding, by_lookup, lookup_digest};
use hocphi::invoices::rendition::RenditionOptions;
use hocphi::invoices::service::{KeyRing, install_key, issue, receipt_payments};
use hocphi::ledger::ChainKeys;
use hocphi::ledger::check::Extent;
use hocphi::sealing::SealingKey;
use hocphi::soundness::{self, Options};
use hocphi::store::Tx;

use super::books::{app_on, payment, schools, start};
use super::moved_money::{issue_all, issuing};
use super::samples::key;
use crate::engines::fresh_databases;
use crate::support::{Books, chain_keys};

const GUARD_MISSING: &str = "archive_guard_missing";

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

async fn check(app: &App, checked: &BTreeMap<SchoolId, Instant>) -> (u64, Vec<Finding>) {
    archive::check(&app.db, [&*app.seal], checked)
        .await
        .unwrap()
}

/// What is wrong besides the guards that [`open_the_archive`] took away.
async fn codes(app: &App) -> Vec<&'static str> {
    let (_, findings) = check(app, &BTreeMap::new()).await;
    let codes = findings.into_iter().map(|finding| finding.code);
    codes.filter(|code| *code != GUARD_MISSING).collect()
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
        let (count, findings) = check(&app, &BTreeMap::new()).await;
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
            let other = if code.ends_with('x') { 'y' } else { 'x' };
            let almost = format!("{}{other}", &code[..code.len() - 1]);
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
        let (_, open) = check(&app, &BTreeMap::new()).await;
        assert!(!open.is_empty() && open.iter().all(|finding| finding.code == GUARD_MISSING));
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

#[tokio::test]
async fn a_check_of_the_books_reads_the_archive_from_where_the_last_one_ended() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        signed(&app).await;
        open_the_archive(&app).await;
        app.db
            .write("test.tamper", async move |tx: &mut Tx| {
                tx.sql("UPDATE invoice_archive SET file = replace(file, '3200000', '3200001') WHERE kind = 'INVOICE'")
                    .run()
                    .await
            })
            .await
            .unwrap();
        let keys = |present: [u8; 32], former: Vec<[u8; 32]>| {
            let former = former.into_iter().map(SealingKey::from_bytes).collect();
            ChainKeys::with_former(Arc::new(SealingKey::from_bytes(present)), former)
        };
        let seen = async |keys: Option<ChainKeys>| {
            let options = Options {
                keys,
                extent: Extent::Full,
                readers: 1,
                journal_only: false,
            };
            let report = soundness::check(&app.db, &options).await.unwrap();
            let codes: Vec<_> = report
                .findings
                .iter()
                .map(|finding| finding.code)
                .filter(|code| code.starts_with("archive_") && *code != GUARD_MISSING)
                .collect();
            (report.files, codes)
        };
        let changed = vec!["archive_file_changed", "archive_differs"];
        assert_eq!(
            seen(Some(keys([7; 32], vec![]))).await,
            (2, changed.clone())
        );
        assert_eq!(seen(None).await, (2, changed.clone()));
        // Under a new master key the former one still proves its rows.
        let moved = keys([8; 32], vec![[7; 32]]);
        assert_eq!(seen(Some(moved)).await, (2, changed));
        let strange = seen(Some(keys([8; 32], vec![]))).await.1;
        assert!(strange.contains(&"archive_seal_broken"), "{strange:?}");

        // Checked a month later: what was born before is not read again, a new document is.
        let later = start().plus_seconds(30 * 86_400);
        let checked = BTreeMap::from([(SchoolId::new("s1"), later)]);
        app.clock.set(later);
        let paid = [payment(&app, "s1", "p2", later.day()).await];
        for outcome in issue(&app, &KeyRing::default(), &paid).await.unwrap() {
            outcome.unwrap();
        }
        let (count, findings) = check(&app, &checked).await;
        assert_eq!(count, 1);
        assert!(findings.iter().all(|finding| finding.code == GUARD_MISSING));
    }
}

#[tokio::test]
async fn a_school_with_a_changed_file_gets_no_checkpoint() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let (app, keys, _) = issuing(&books).await;
        books
            .bill("a", "B1", "p1", 1, &[("TUITION", 2, 1_000)])
            .await;
        books.post(books.credit("a", "t1", 1_000, &["B1"])).await;
        issue_all(&app, &keys).await;
        let options = Options {
            keys: Some(chain_keys()),
            extent: Extent::Incremental,
            readers: 1,
            journal_only: false,
        };
        let report = soundness::check(&app.db, &options).await.unwrap();
        assert_eq!((report.findings.len(), report.files), (0, 1));
        assert_eq!(report.verified.len(), 1);
        open_the_archive(&app).await;
        app.db
            .write("test.tamper", async |tx: &mut Tx| {
                tx.sql("UPDATE invoice_archive SET digest = 'x'")
                    .run()
                    .await
            })
            .await
            .unwrap();
        let report = soundness::check(&app.db, &options).await.unwrap();
        let found = report.findings.iter().map(|finding| finding.code);
        assert!(found.clone().any(|code| code == "archive_file_changed"));
        assert_eq!(report.verified.len(), 0);
    }
}
