//! Takes due lists and reads them, on every node that runs jobs.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::service::{self, LEASE_SECONDS};
use super::store;
use crate::App;
use crate::store::{StoreError, Tx};

/// Lists read at the same time.
const BATCH_MAX: i64 = 8;
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Polls between two looks for new connections.
const POLLS_OF_A_LOOK: u32 = 12;
/// A connection may be older than the first look at it.
const GRACE_SECONDS: i64 = 3_600;

/// Reads lists until told to stop.
pub fn spawn(app: App, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut polls = 0;
        while !*stop.borrow() {
            let looked = if polls % POLLS_OF_A_LOOK == 0 {
                follow_new(&app).await
            } else {
                Ok(())
            };
            polls = polls.wrapping_add(1);
            match looked {
                Ok(()) => match read_due(&app).await {
                    Ok(0) => {}
                    Ok(_) => continue,
                    Err(error) => tracing::error!(%error, "lists cannot be read"),
                },
                Err(error) => tracing::error!(%error, "new connections cannot be found"),
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
    })
}

/// Looks for new connections and reads one batch of due lists; answers how many there were.
///
/// # Errors
/// [`StoreError`] when lists cannot be claimed.
pub async fn run_due(app: &App) -> Result<usize, StoreError> {
    follow_new(app).await?;
    read_due(app).await
}

async fn follow_new(app: &App) -> Result<(), StoreError> {
    let entries = app.connections.registry().entries();
    let providers: Vec<String> = entries
        .filter(|(_, entry)| entry.adapter.profile().list.is_some())
        .map(|(name, _)| name.to_owned())
        .collect();
    if providers.is_empty() || !store::any_new(&app.db, &providers).await? {
        return Ok(());
    }
    let now = app.clock.now();
    let since = now.plus_seconds(-GRACE_SECONDS);
    app.db
        .write("listing.follow", async move |tx: &mut Tx| {
            store::follow(tx, &providers, since, now).await
        })
        .await?;
    Ok(())
}

async fn read_due(app: &App) -> Result<usize, StoreError> {
    let now = app.clock.now();
    if !store::any_due(&app.db, now).await? {
        return Ok(0);
    }
    let claimed = app
        .db
        .write("listing.claim", async move |tx: &mut Tx| {
            store::claim(tx, now, now.plus_seconds(LEASE_SECONDS), BATCH_MAX).await
        })
        .await?;
    let count = claimed.len();
    let mut tasks = JoinSet::new();
    for state in claimed {
        let app = app.clone();
        tasks.spawn(async move {
            let connection = state.connection_id.clone();
            if let Err(error) = service::read(&app, state).await {
                // Due again when the lease runs out.
                tracing::error!(connection.id = %connection, %error, "a list was not read");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a reading ended early");
        }
    }
    Ok(count)
}
