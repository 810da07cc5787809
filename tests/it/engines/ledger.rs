//! The journal cannot be changed unnoticed.

use hocphi::ledger;
use hocphi::store::{Db, Engine, StoreError, Tx};

use super::fresh_databases;
use crate::support::Books;

async fn change(db: &Db, sql: &'static str) -> Result<u64, StoreError> {
    db.write("test.change", async |tx: &mut Tx| tx.sql(sql).run().await)
        .await
}

/// As somebody with the rights of the database's owner would.
async fn drop_guards(db: &Db) {
    let statements: &[&str] = match db.engine() {
        Engine::Sqlite => &[
            "DROP TRIGGER journal_entry_no_update",
            "DROP TRIGGER journal_entry_no_delete",
            "DROP TRIGGER journal_line_no_update",
            "DROP TRIGGER journal_line_no_delete",
        ],
        Engine::Postgres => &[
            "DROP TRIGGER journal_entry_no_change ON journal_entry",
            "DROP TRIGGER journal_line_no_change ON journal_line",
        ],
    };
    for statement in statements {
        change(db, statement).await.unwrap();
    }
}

async fn three_payments(db: Db) -> Books {
    let books = Books::open(db).await;
    for (round, code) in [(1, "B1"), (2, "B2"), (3, "B3")] {
        books
            .bill("a", code, "p1", round, &[("TUITION", 2, 100)])
            .await;
        books.post(books.credit("a", code, 100, &[code])).await;
    }
    books.must_be_sound().await;
    books
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_journal() {
    for (db, _keep) in fresh_databases().await {
        let books = three_payments(db).await;
        for statement in [
            "UPDATE journal_line SET debit = debit + 1 WHERE debit > 0",
            "DELETE FROM journal_line",
            "UPDATE journal_entry SET source_id = 'x'",
            "DELETE FROM journal_entry",
        ] {
            let refused = change(&books.db, statement).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn every_kind_of_tampering_is_found() {
    let tampering: [(&str, &[&str]); 6] = [
        (
            "digest_differs",
            &["UPDATE journal_line SET debit = debit * 2, credit = credit * 2 WHERE seq = 2"],
        ),
        (
            "entry_missing",
            &[
                "DELETE FROM journal_line WHERE seq = 2",
                "DELETE FROM journal_entry WHERE seq = 2",
            ],
        ),
        (
            "digest_differs",
            &[
                "UPDATE journal_entry SET source_id = 'swap' WHERE seq = 1",
                "UPDATE journal_entry SET source_id =
                    (SELECT payment_id FROM payment WHERE transaction_id = 'B1') WHERE seq = 2",
            ],
        ),
        (
            "head_differs",
            &[
                "DELETE FROM journal_line WHERE seq = 3",
                "DELETE FROM journal_entry WHERE seq = 3",
            ],
        ),
        (
            "head_differs",
            &["UPDATE ledger_head SET last_seq = last_seq + 1"],
        ),
        (
            "balance_differs",
            &["UPDATE account_balance SET credit = credit - 1 WHERE account = '531'"],
        ),
    ];
    for (code, statements) in tampering {
        for (db, _keep) in fresh_databases().await {
            let books = three_payments(db).await;
            drop_guards(&books.db).await;
            for statement in statements {
                change(&books.db, statement).await.unwrap();
            }
            let report = ledger::check::run(&books.db).await.unwrap();
            assert!(
                report.findings.iter().any(|finding| finding.code == code),
                "{code}: {:?}",
                report.findings
            );
        }
    }
}
