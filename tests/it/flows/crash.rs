//! The power goes; the books are sound, and a restart finishes what was begun.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hocphi::clock::Clock;
use hocphi::store::{Db, Tx};

use crate::program::{self, Child, hocphi, ledger_check};

const PAYMENTS: i64 = 400;
const KILLS: i64 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_while_payments_run_leaves_sound_books_and_a_restart_finishes_the_work() {
    let _turn = program::TURN.lock().await;
    for round in 0..KILLS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = program::embedded(folder.path());
        // Somewhere in this third of a story that is killed long before its end.
        let span = PAYMENTS / 8;
        let chance = Clock::system().now().micros() % span;
        let moment = 1 + round * span + chance;
        let mut gateway = start_demo(folder.path(), round);
        let seen = wait_for_payments(&database, moment).await;
        gateway.kill();
        assert!(
            !folder.path().join("summary.json").exists(),
            "the story had ended before it was killed at {seen} payments"
        );
        let said = ledger_check(&database).await;
        assert_eq!(
            said.code,
            Some(0),
            "killed in round {round} at {seen} payments: {}\n{}",
            said.out,
            said.err
        );
        if round + 1 == KILLS {
            a_restart_issues_every_invoice(folder.path(), &database).await;
        }
    }
}

fn start_demo(folder: &Path, round: i64) -> Child {
    let mut command = hocphi(["demo", "--headless", "--payments"]);
    command.arg(PAYMENTS.to_string());
    command.arg("--seed").arg((round + 1).to_string());
    command.arg("--out").arg(folder).stdout(Stdio::null());
    Child(command.spawn().expect("the program starts"))
}

/// Reads along, as a second process may; answers how many payments there were.
async fn wait_for_payments(database: &str, at_least: i64) -> i64 {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "no payments in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Some(payments) = payments(database).await
            && payments >= at_least
        {
            return payments;
        }
    }
}

/// `None` while there is no schema yet. Looks without opening the database as the program does:
/// migrating it is not the business of an onlooker.
async fn payments(database: &str) -> Option<i64> {
    let options: sqlx::sqlite::SqliteConnectOptions = database.parse().ok()?;
    let mut onlooker = sqlx::ConnectOptions::connect(&options.read_only(true))
        .await
        .ok()?;
    let counted: Result<(i64,), _> = sqlx::query_as("SELECT COUNT(*) FROM payment")
        .fetch_one(&mut onlooker)
        .await;
    sqlx::Connection::close(onlooker).await.ok()?;
    counted.ok().map(|(count,)| count)
}

/// The jobs that the dead gateway had promised in its transactions are done by the next one.
async fn a_restart_issues_every_invoice(folder: &Path, database: &str) {
    let port = free_port();
    let config = folder.join("hocphi.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\n\
         [secrets]\nmaster_key_file = \"{}\"\n",
        folder.join("master.key").display()
    );
    std::fs::write(&config, text).expect("a file of ours");
    let db = Db::open_existing(database).await.expect("the books");
    // The minute for which the dead gateway had claimed its jobs is over.
    db.write("test.later", async |tx: &mut Tx| {
        tx.sql("UPDATE job SET leased_until = NULL").run().await
    })
    .await
    .expect("the jobs");
    let mut command = hocphi(["serve", "--database-url", database, "--config"]);
    command.arg(&config);
    let gateway = Child(command.spawn().expect("the program starts"));
    let begun = Instant::now();
    loop {
        let waiting = hocphi::jobs::waiting(&db).await.expect("the jobs");
        // What goes to the tax authority waits for a carrier, of which this gateway knows none.
        if waiting.iter().all(|(kind, _)| kind != "invoice.issue") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "still waiting: {waiting:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let dead = hocphi::jobs::dead(&db).await.expect("the jobs");
    assert!(dead.is_empty(), "{dead:?}");
    db.close().await;
    drop(gateway);
    let said = ledger_check(database).await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
