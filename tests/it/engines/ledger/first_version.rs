//! Books of the first version: their entries move into the new form and stay proven.

use hocphi::ledger::check;
use hocphi::store::{Db, Tx};
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;

use crate::engines::empty_postgres;
use crate::support::{NOW, chain_keys};

/// The digest of the first version, written down a second time.
fn digest(previous: &str, seq: i64, source: &str, lines: &[(&str, i64, i64, &str)]) -> String {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for text in [
        "entry/1",
        previous,
        "a",
        &seq.to_string(),
        "PAYMENT_RECEIVED",
        source,
    ] {
        field(text);
    }
    field("2026-11-18");
    field(&NOW.micros().to_string());
    field("");
    for (account, debit, credit, object) in lines {
        field(account);
        field(&debit.to_string());
        field(&credit.to_string());
        field(object);
    }
    hex::encode(hash.finalize())
}

fn first_only(mut migrator: Migrator) -> Migrator {
    migrator.migrations = migrator
        .migrations
        .iter()
        .filter(|step| step.version == 1)
        .cloned()
        .collect();
    migrator
}

const SCHOOL: &str = "
INSERT INTO org_unit (unit_id, code, name, kind, valid_from) VALUES ('a', 'a', 'a', 'SCHOOL', '2020-01-01');
INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin, bank_account,
                    bank_account_name)
VALUES ('a', 'PRIMARY', 'PUBLIC', '0100233488', 'Hà Nội', '970436', 'a', 'a');";

async fn books_of_the_first_version(address: &str) {
    let lines = [
        ("112", 70, 0, ""),
        ("531", 0, 30, "học phí \"6A\""),
        ("131", 0, 40, "p1"),
    ];
    let mut head = hex::encode(Sha256::digest("hocphi ledger of a"));
    let posted = if address.starts_with("sqlite") {
        NOW.micros().to_string()
    } else {
        format!(
            "TIMESTAMPTZ 'epoch' + {} * INTERVAL '1 microsecond'",
            NOW.micros()
        )
    };
    let mut sql = format!("{SCHOOL} INSERT INTO ledger_head VALUES ('a', 2, 'later');");
    for seq in 1..=2 {
        let own = digest(&head, seq, &format!("old{seq}"), &lines);
        sql.push_str(&format!(
            "INSERT INTO journal_entry VALUES ('a', {seq}, 'PAYMENT_RECEIVED', 'old{seq}', '2026-11-18',
             {posted}, NULL, '{head}', '{own}');"
        ));
        for (place, (account, debit, credit, object)) in lines.iter().enumerate() {
            let object = if object.is_empty() {
                "NULL".into()
            } else {
                format!("'{object}'")
            };
            sql.push_str(&format!(
                "INSERT INTO journal_line VALUES ('a', {seq}, {}, '{account}', {debit}, {credit}, {object});",
                place + 1
            ));
        }
        head = own;
    }
    sql.push_str(&format!("UPDATE ledger_head SET last_digest = '{head}';"));
    sql.push_str("INSERT INTO account_balance VALUES ('a', '112', 140, 0), ('a', '531', 0, 60), ('a', '131', 0, 80);");
    if address.starts_with("sqlite") {
        let pool = sqlx::SqlitePool::connect(&format!("{address}?mode=rwc"))
            .await
            .unwrap();
        first_only(sqlx::migrate!("migrations/sqlite"))
            .run(&pool)
            .await
            .unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    } else {
        let pool = sqlx::PgPool::connect(address).await.unwrap();
        first_only(sqlx::migrate!("migrations/postgres"))
            .run(&pool)
            .await
            .unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }
}

#[tokio::test]
async fn entries_of_the_first_version_stay_proven_and_keyed_ones_follow() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("old.db").display());
    for address in [Some(file), empty_postgres().await].into_iter().flatten() {
        books_of_the_first_version(&address).await;
        // A reader changes no schema.
        assert!(Db::open_reader(&address).await.is_err());
        let db = Db::open(&address).await.unwrap();
        assert!(Db::open_reader(&address).await.is_ok());
        let report = check::run(&db, &chain_keys()).await.unwrap();
        assert_eq!(report.findings, []);
        assert_eq!((report.entries, report.lines, report.unkeyed), (2, 6, 2));
        let (object,): (String,) = db
            .sql("SELECT object FROM journal_line WHERE seq = 1 AND line_no = 2")
            .one()
            .await
            .unwrap();
        assert_eq!(object, "học phí \"6A\"");

        let keys = chain_keys();
        db.write("test.append", async move |tx: &mut Tx| {
            use hocphi::clock::Day;
            use hocphi::ids::SchoolId;
            use hocphi::ledger::{EntryKind, Line, Posting, Side, append, lock_heads};
            use hocphi::money::Vnd;
            let line = |account: &str, side| Line {
                account: account.into(),
                side,
                amount: Vnd::new(5),
                object: None,
            };
            let posting = Posting::new(
                SchoolId::new("a"),
                EntryKind::PaymentReceived,
                "new",
                Day::new(2026, 11, 19).expect("a day"),
                NOW,
                vec![line("112", Side::Debit), line("531", Side::Credit)],
            )
            .expect("it balances");
            let mut heads = lock_heads(tx, &keys, &[SchoolId::new("a")]).await?;
            append(tx, &mut heads, &[posting]).await
        })
        .await
        .unwrap();
        let report = check::run(&db, &chain_keys()).await.unwrap();
        assert_eq!(report.findings, []);
        assert_eq!((report.entries, report.unkeyed), (3, 2));

        // An old entry that is changed is found as before.
        super::drop_guards(&db).await;
        super::change(
            &db,
            "UPDATE journal_entry SET source_id = 'x' WHERE seq = 1",
        )
        .await
        .unwrap();
        let report = check::run(&db, &chain_keys()).await.unwrap();
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.code == "digest_differs" && finding.seq == Some(1))
        );
        db.close().await;
    }
}
