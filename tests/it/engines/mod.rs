//! Promises of the data layer, kept on both engines.

mod correction_forms;
mod dead_letters;
mod fees;
mod handlers;
mod imports;
mod ledger;
mod listing;
mod lost_disk;
mod messages;
mod money_forms;
mod moves;
mod outbound;
mod outbox;
mod pages;
mod people;
mod posting;
mod pressure;
mod refunds;
mod staff_forms;
mod store_basics;
mod tree;

use hocphi::App;
use hocphi::clock::{Clock, Day, Instant};
use hocphi::ids::Ids;
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, Durability};
use sqlx::{Connection, PgConnection};

/// A fresh database on each engine that can be had. PostgreSQL is the server named by
/// `HOCPHI_TEST_POSTGRES` (an address without database name, as `tests/run` provides it).
pub async fn fresh_databases() -> Vec<(Db, Keep)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = format!("sqlite://{}", folder.path().join("test.db").display());
    let sqlite = Db::open_with(&address, Durability::Off)
        .await
        .expect("an embedded database");
    let mut found = vec![(sqlite, Keep(Some(folder)))];
    if let Some(address) = empty_postgres().await {
        let postgres = Db::open(&address).await.expect("a migrated database");
        found.push((postgres, Keep(None)));
    }
    found
}

/// The address of an empty PostgreSQL database; `None`, with a message, without a server for tests.
pub async fn empty_postgres() -> Option<String> {
    let Ok(server) = std::env::var("HOCPHI_TEST_POSTGRES") else {
        assert!(
            std::env::var_os("HOCPHI_TEST_ALL").is_none(),
            "HOCPHI_TEST_POSTGRES must be set"
        );
        eprintln!("skipped on PostgreSQL: HOCPHI_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("t{}", Ids::from_system().token());
    // Not through `Db`, which would bring a schema into the server's own database.
    let mut server_itself = PgConnection::connect(&format!("{server}/postgres"))
        .await
        .expect("the test server");
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut server_itself)
        .await
        .expect("a fresh database");
    server_itself.close().await.expect("the test server");
    Some(format!("{server}/{name}"))
}

/// Keeps a temporary database alive as long as the test.
pub struct Keep(#[expect(dead_code, reason = "dropped with the test")] Option<tempfile::TempDir>);

/// The application on one database, at 09:00 on 5 September 2026, with seeded identifiers.
pub fn app_on(db: Db) -> App {
    let start = Instant::parse_local_iso("2026-09-05T09:00:00").expect("a moment");
    let clock = Clock::settable(start);
    let seal = SealingKey::from_bytes([1; 32]);
    App::tool(db, clock, Ids::seeded(1), seal).expect("an application")
}

pub fn day(iso: &str) -> Day {
    Day::parse_iso(iso).expect("a day")
}
