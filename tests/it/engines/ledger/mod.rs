//! The journal cannot be changed unnoticed, closes by periods, and answers for any moment.

mod first_version;
mod periods;
mod tampering;

use hocphi::ledger::check::Extent;
use hocphi::soundness::{self, Finding, Options, Report};
use hocphi::store::{Db, Engine, StoreError, Tx};

use super::fresh_databases;
use crate::support::{Books, chain_keys};

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
            "DROP TRIGGER journal_entry_no_replace",
            "DROP TRIGGER ledger_period_no_update",
            "DROP TRIGGER ledger_period_no_delete",
        ],
        Engine::Postgres => &[
            "DROP TRIGGER journal_entry_no_change ON journal_entry",
            "DROP TRIGGER ledger_period_no_change ON ledger_period",
        ],
    };
    for statement in statements {
        change(db, statement).await.unwrap();
    }
}

/// Books of school `a` with entries 1 to `count`: one payment each, of a bill of the same name.
async fn payments(db: Db, count: u32) -> Books {
    let books = Books::open(db).await;
    pay(&books, 1..=count).await;
    books
}

async fn pay(books: &Books, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        let code = format!("B{number}");
        books
            .bill("a", &code, "p1", number, &[("TUITION", 2, 100)])
            .await;
        books.post(books.credit("a", &code, 100, &[&code])).await;
    }
}

async fn checked(books: &Books, extent: Extent) -> Report {
    let options = Options {
        keys: Some(chain_keys()),
        extent,
        readers: 2,
        journal_only: false,
    };
    soundness::check(&books.db, &options).await.unwrap()
}

async fn findings(books: &Books, extent: Extent) -> Vec<Finding> {
    checked(books, extent).await.findings
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_journal() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 3).await;
        let mut statements = vec![
            "UPDATE journal_entry SET source_id = 'x'",
            "DELETE FROM journal_entry",
            "INSERT INTO journal_entry SELECT * FROM journal_entry WHERE seq = 1
             ON CONFLICT (school_id, seq) DO UPDATE SET amount = 0",
        ];
        match books.db.engine() {
            Engine::Sqlite => statements.extend([
                "INSERT OR REPLACE INTO journal_entry SELECT * FROM journal_entry WHERE seq = 1",
                "REPLACE INTO journal_entry (school_id, seq, kind, source_id, booked_day, posted_at,
                                             amount, lines, seal)
                 SELECT school_id, 99, kind, source_id, booked_day, posted_at, 0, lines, seal
                   FROM journal_entry WHERE seq = 1",
                "UPDATE OR REPLACE journal_entry SET seq = 1 WHERE seq = 2",
            ]),
            Engine::Postgres => statements.extend([
                "TRUNCATE journal_entry",
                "TRUNCATE ledger_head CASCADE",
                "WITH quiet AS (SELECT set_config('session_replication_role', 'replica', TRUE))
                 DELETE FROM journal_entry USING quiet",
                "MERGE INTO journal_entry e USING (VALUES (1)) AS v (seq) ON e.seq = v.seq
                  WHEN MATCHED THEN DELETE",
            ]),
        }
        for statement in statements {
            let refused = change(&books.db, statement).await.unwrap_err();
            assert!(
                refused.to_string().contains("append-only"),
                "{statement}: {refused}"
            );
        }
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_check_reads_one_moment_while_others_write() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 5).await;
        let writing = async {
            pay(&books, 6..=30).await;
        };
        let checking = async {
            for _ in 0..10 {
                let report = checked(&books, Extent::Full).await;
                assert_eq!(report.findings, []);
                assert!(report.entries >= 5);
            }
        };
        tokio::join!(writing, checking);
        assert_eq!(checked(&books, Extent::Full).await.entries, 30);
    }
}
