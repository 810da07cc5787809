//! One command from roster to coded invoice; and whoever tampers with the result is found out.

use std::path::{Path, PathBuf};

use hocphi::ids::SchoolId;
use hocphi::store::{Db, StoreError, Tx};

use crate::engines::empty_postgres;
use crate::program::{self, Said, hocphi, ledger_check_with_key, run};

const PAYMENTS: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_keeps_every_invariant_on_sqlite_and_tampering_is_found() {
    let _turn = program::TURN.lock().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = program::embedded(folder.path());
    let said = run(demo(11, folder.path(), None)).await;
    holds(folder.path(), &said, "sqlite");
    invoices_cannot_be_changed(folder.path()).await;
    books_cannot_be_changed(&database, folder.path()).await;
    used_databases_are_refused(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_keeps_every_invariant_on_postgresql_and_tampering_is_found() {
    let _turn = program::TURN.lock().await;
    let Some(database) = empty_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = run(demo(12, folder.path(), Some(&database))).await;
    holds(folder.path(), &said, "postgres");
    assert!(
        !folder.path().join("hocphi.db").exists(),
        "the books are in PostgreSQL and nowhere else"
    );
    books_cannot_be_changed(&database, folder.path()).await;
    used_databases_are_refused(&database).await;
}

fn demo(seed: u64, folder: &Path, database: Option<&str>) -> std::process::Command {
    let mut command = hocphi(["demo", "--headless", "--payments"]);
    command.arg(PAYMENTS.to_string());
    command.arg("--seed").arg(seed.to_string());
    command.arg("--out").arg(folder);
    if let Some(database) = database {
        command.args(["--database-url", database]);
    }
    command
}

/// What the run says about itself, and what it left behind.
fn holds(folder: &Path, said: &Said, engine: &str) {
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    let text = std::fs::read_to_string(folder.join("summary.json")).expect("summary.json");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary["ok"], true, "{text}");
    assert_eq!(summary["database"], engine);
    let number = |name: &str| summary[name].as_i64().expect("a number");
    assert_eq!(
        number("money_in"),
        number("settled") + number("credits") + number("suspense")
    );
    // Money that left the account is reported, and is no payment.
    let outgoing = summary["acts"]["BankOutgoing"].as_u64().unwrap_or(0);
    let payments = summary["payments"].as_u64().expect("a number");
    assert!(
        payments + outgoing >= PAYMENTS && payments <= PAYMENTS + 1,
        "{payments} payments and {outgoing} outgoing movements of {PAYMENTS} movements"
    );
    for fault in ["repeated", "forged"] {
        assert!(
            summary["faults"][fault].as_u64() > Some(0),
            "no notice was {fault}"
        );
    }
    let invariants = summary["invariants"].as_array().expect("invariants");
    assert!(invariants.len() >= 9, "{invariants:#?}");
    for invariant in invariants {
        assert_eq!(invariant["faults"], serde_json::json!([]), "{invariant:#}");
        if program::must_run_everything() {
            assert!(invariant["skipped"].is_null(), "{invariant:#}");
        }
    }
    let files = invoices(folder);
    assert_eq!(files.len() as i64, number("invoices"));
    assert!(files.len() as u64 > PAYMENTS / 2);
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(is_named_by_its_number(&name), "{name}");
    }
}

/// `1C26TAB-12.xml`; form 1 or 2, symbol of six characters, number from 1. Two sellers with the
/// same symbol are told apart by the school's code behind the number.
fn is_named_by_its_number(name: &str) -> bool {
    let Some((series, rest)) = name.split_once('-') else {
        return false;
    };
    let number = rest.trim_end_matches(".xml").split('-').next();
    series.len() == 7
        && series.starts_with(['1', '2'])
        && series.chars().all(|c| c.is_ascii_alphanumeric())
        && name.ends_with(".xml")
        && number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
}

fn invoices(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("invoices"))
        .expect("the invoices")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

/// `hocphi invoice verify` accepts them all, and names the one in which a byte was changed.
async fn invoices_cannot_be_changed(folder: &Path) {
    let files = invoices(folder);
    let verify = || {
        let mut command = hocphi(["invoice", "verify"]);
        command.args(&files);
        command
    };
    let said = run(verify()).await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    assert_eq!(said.out.matches(": HỢP LỆ").count(), files.len());

    let victim = &files[files.len() / 2];
    let genuine = std::fs::read(victim).expect("an invoice");
    // A digit of the total, a letter of the buyer, a digit of the date, a letter of the signature.
    for element in ["<TgTTTBSo>", "<HVTNMHang>", "<NLap>", "<SignatureValue>"] {
        let mut tampered = genuine.clone();
        let place = offset_of(&genuine, element) + element.len();
        tampered[place] = match tampered[place] {
            b'9' => b'8',
            digit @ b'0'..=b'8' => digit + 1,
            b'A' => b'B',
            _ => b'A',
        };
        std::fs::write(victim, &tampered).expect("a file of ours");
        let said = run(verify()).await;
        assert_eq!(said.code, Some(1), "{element} changed: {}", said.out);
        assert_eq!(said.out.matches(": KHÔNG HỢP LỆ").count(), 1, "{element}");
        let verdict = format!("{}: KHÔNG HỢP LỆ", victim.display());
        assert!(said.out.contains(&verdict), "{element}: {}", said.out);
    }
    std::fs::write(victim, genuine).expect("a file of ours");
}

fn offset_of(text: &[u8], part: &str) -> usize {
    text.windows(part.len())
        .position(|window| window == part.as_bytes())
        .unwrap_or_else(|| panic!("the invoice has no {part}"))
}

/// The journal refuses changes; who takes the guard away is found by the check, with the place.
async fn books_cannot_be_changed(database: &str, folder: &Path) {
    let key = folder.join("master.key");
    let said = ledger_check_with_key(database, &key).await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);

    let db = Db::open_existing(database).await.expect("the books");
    let (school, seq): (SchoolId, i64) = db
        .sql("SELECT school_id, seq FROM journal_entry ORDER BY seq DESC, school_id")
        .optional()
        .await
        .expect("the journal")
        .expect("an entry");
    let falsify = async || -> Result<u64, StoreError> {
        let school = school.clone();
        db.write("test.falsify", async move |tx: &mut Tx| {
            // The entry still balances: sums alone would not notice.
            tx.sql(
                "UPDATE journal_entry
                    SET lines = replace(replace(lines, '\"112\"', '\"111\"'), '\"113\"', '\"111\"')
                  WHERE school_id = $1 AND seq = $2",
            )
            .bind(school.clone())
            .bind(seq)
            .run()
            .await
        })
        .await
    };
    let refused = falsify().await.expect_err("the journal is append-only");
    assert!(refused.to_string().contains("append-only"), "{refused}");
    assert_eq!(ledger_check_with_key(database, &key).await.code, Some(0));

    db.write("test.disarm", async |tx: &mut Tx| {
        tx.sql_by_engine(
            "DROP TRIGGER journal_entry_no_update",
            "DROP TRIGGER journal_entry_no_change ON journal_entry",
        )
        .run()
        .await
    })
    .await
    .expect("whoever owns the database can do that");
    assert_eq!(falsify().await.expect("nobody stops it"), 1);
    db.close().await;

    let said = ledger_check_with_key(database, &key).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    let named = said
        .out
        .lines()
        .find(|line| line.contains(school.as_str()) && line.contains(&format!("bút toán {seq}:")));
    assert!(
        named.is_some(),
        "school {school}, entry {seq}: {}",
        said.out
    );
}

/// The demonstration never plays in somebody's books.
async fn used_databases_are_refused(database: &str) {
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let before = counts(database).await;
    let said = run(demo(13, elsewhere.path(), Some(database))).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("đã có trường học"), "{}", said.err);
    assert!(!elsewhere.path().join("summary.json").exists());
    assert_eq!(counts(database).await, before);
}

async fn counts(database: &str) -> (i64, i64, i64) {
    let db = Db::open_existing(database).await.expect("the books");
    let counted = db
        .sql(
            "SELECT (SELECT COUNT(*) FROM school), (SELECT COUNT(*) FROM payment),
                    (SELECT COUNT(*) FROM invoice)",
        )
        .one()
        .await
        .expect("counts");
    db.close().await;
    counted
}
