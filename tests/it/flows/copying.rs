//! A whole installation moves between the engines and back, and what does not arrive is noticed.

use hocphi::store::{Db, Tx};

use crate::engines::empty_postgres;
use crate::program::{self, Said, hocphi, ledger_check, run};

async fn copy(from: &str, to: &str) -> Said {
    run(hocphi(["db", "copy", "--json", "--from", from, "--to", to])).await
}

/// Table, rows and digest of each line.
fn tables(said: &Said) -> Vec<(String, u64, String)> {
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    let mut tables: Vec<_> = said
        .out
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            (
                value["table"].as_str().expect("a table").to_owned(),
                value["rows"].as_u64().expect("a number"),
                value["digest"].as_str().expect("a digest").to_owned(),
            )
        })
        .collect();
    // Each engine has its own order of references.
    tables.sort();
    tables
}

async fn holds(database: &str) -> (i64, i64, i64) {
    let db = Db::open_reader(database).await.expect("a database");
    let counts = db
        .sql(
            "SELECT (SELECT COUNT(*) FROM pupil), (SELECT COUNT(*) FROM payment),
                    (SELECT COUNT(*) FROM journal_entry)",
        )
        .one()
        .await
        .expect("counts");
    db.close().await;
    counts
}

async fn takes_no_writes(database: &str) {
    let db = Db::open_existing(database).await.expect("a database");
    db.write("test.read_only", async |tx: &mut Tx| {
        tx.sql(
            "DO $$ BEGIN
                 EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
                                current_database());
             END $$",
        )
        .run()
        .await
    })
    .await
    .expect("whoever owns the database can do that");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_moves_to_postgresql_and_back_and_is_the_same_to_the_byte() {
    let _turn = program::TURN.lock().await;
    let (Some(server), Some(spoilt)) = (empty_postgres().await, empty_postgres().await) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = hocphi(["demo", "--headless", "--payments", "60", "--out"]);
    demo.arg(folder.path());
    let said = run(demo).await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    let home = program::embedded(folder.path());
    let back = format!("sqlite://{}", folder.path().join("back.db").display());

    let there = tables(&copy(&home, &server).await);
    assert!(there.len() > 25, "{there:?}");
    let rows = |name: &str| {
        let found = there.iter().find(|(table, ..)| table == name);
        found.expect("a table").1
    };
    assert!(rows("payment") >= 55 && rows("invoice") > 30 && rows("journal_entry") >= 55);
    // A source is not written to: a standby takes no writes either.
    takes_no_writes(&server).await;
    let again = tables(&copy(&server, &back).await);
    assert_eq!(there, again);
    assert_eq!(holds(&home).await, holds(&back).await);
    for database in [&server, &back] {
        let said = ledger_check(database).await;
        assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    }

    // Never into somebody's books.
    let said = copy(&home, &back).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("đã có dữ liệu"), "{}", said.err);
    // What cannot be written to says so, once.
    let said = copy(&home, &server).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    let times = said.err.matches("read-only transaction").count();
    assert_eq!(times, 1, "{}", said.err);

    // A target that changes what it is given is found out, and nothing stays in it.
    let db = Db::open(&spoilt).await.expect("a database");
    db.write("test.spoil", async |tx: &mut Tx| {
        for statement in [
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.full_name := upper(NEW.full_name); RETURN NEW; END'",
            "CREATE TRIGGER spoil BEFORE INSERT ON pupil FOR EACH ROW EXECUTE FUNCTION spoil()",
        ] {
            tx.sql(statement).run().await?;
        }
        Ok::<_, hocphi::store::StoreError>(())
    })
    .await
    .expect("whoever owns the database can do that");
    db.close().await;
    let said = copy(&home, &spoilt).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("bảng pupil"), "{}", said.err);
    assert_eq!(holds(&spoilt).await, (0, 0, 0));
}
