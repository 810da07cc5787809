//! Keeps a node's clock right: all nodes of one PostgreSQL go by the server's time, so that leases,
//! dates and the age of signatures mean the same to each; a node on SQLite goes by its machine's.

use std::time::Duration;

use hocphi::clock::{Clock, Instant};
use hocphi::store::{Db, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// A difference below this is the way of the question and its answer.
const FOLLOW_MICROS: i64 = 100_000;
/// A time of day that is so far off is worth an administrator's attention.
const SKEW_MICROS: i64 = 2_000_000;

/// Sets the clock once, then keeps it until told to stop.
///
/// # Errors
/// When the server cannot be asked the first time.
pub async fn start(
    db: Db,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, StoreError> {
    let mut skewed = false;
    ask(&db, &clock, &mut skewed).await?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = stop.changed() => return,
                () = tokio::time::sleep(ASK_INTERVAL) => {}
            }
            if let Err(error) = ask(&db, &clock, &mut skewed).await {
                // The clock goes on by itself; who needs the database reports its absence.
                tracing::debug!(%error, "the server cannot be asked for the time");
            }
        }
    }))
}

async fn ask(db: &Db, clock: &Clock, skewed: &mut bool) -> Result<(), StoreError> {
    let begun = std::time::Instant::now();
    let server = db.server_time().await?;
    let way = i64::try_from(begun.elapsed().as_micros() / 2).unwrap_or(0);
    let time_of_day = clock.time_of_day();
    let (right, source) = match server {
        Some(server) => (
            Instant::from_micros(server.micros() + way),
            "database server",
        ),
        None => (time_of_day, "system"),
    };
    let difference = right.micros() - clock.now().micros();
    let skew = match server {
        Some(_) => time_of_day.micros() - right.micros(),
        // Without a second clock only a jump can be seen.
        None => difference,
    };
    let now_skewed = skew.abs() > SKEW_MICROS;
    if now_skewed && !*skewed {
        tracing::error!(
            code = "clock_skewed",
            milliseconds = skew / 1_000,
            followed = source,
            "this machine's time of day differs or has jumped"
        );
    }
    *skewed = now_skewed;
    if difference.abs() > FOLLOW_MICROS {
        clock.follow(right);
    }
    Ok(())
}
