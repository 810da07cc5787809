//! Takes due flows and steps them on, on every node that runs jobs.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::service::{self, LEASE_SECONDS};
use super::store::{self, FlowRow};
use crate::App;
use crate::store::{StoreError, Tx};

/// Calls at the same time.
const BATCH_MAX: i64 = 32;
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Follows flows until told to stop.
pub fn spawn(app: App, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while !*stop.borrow() {
            match run_due(&app).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "flows cannot be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
    })
}

/// Takes what is due, so that no other node steps it on.
///
/// # Errors
/// [`StoreError`] when flows cannot be claimed.
pub async fn claim_due(app: &App) -> Result<Vec<FlowRow>, StoreError> {
    let now = app.clock.now();
    if !store::any_due(&app.db, now).await? {
        return Ok(Vec::new());
    }
    app.db
        .write("outbound.claim", async move |tx: &mut Tx| {
            store::claim(tx, now, now.plus_seconds(LEASE_SECONDS), BATCH_MAX).await
        })
        .await
}

/// Steps one batch of due flows on; answers how many there were.
///
/// # Errors
/// [`StoreError`] when flows cannot be claimed.
pub async fn run_due(app: &App) -> Result<usize, StoreError> {
    let claimed = claim_due(app).await?;
    let count = claimed.len();
    let mut tasks = JoinSet::new();
    for row in claimed {
        let app = app.clone();
        tasks.spawn(async move {
            let flow = row.flow_id.clone();
            if let Err(error) = service::step(&app, row).await {
                // Due again when the lease runs out.
                tracing::error!(flow.id = %flow, %error, "a flow was not stepped on");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a step of a flow ended early");
        }
    }
    Ok(count)
}
