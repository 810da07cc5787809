//! Bank credits over HTTP: verified, posted (inbox, payment, allocations, bill, journal, job), durable,
//! acknowledged. The load generator is part of the same machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hocphi_sandbox::{Notice, Transfer};
use tokio::task::JoinSet;

use super::cluster::free_port;
use super::gateway::Gateway;
use crate::cli::demo::stage::{Plan, Stage};

pub struct Measured {
    pub per_second: u64,
    pub p50_micros: u64,
    pub p99_micros: u64,
    pub cold_start_micros: u64,
    pub resident_kib: u64,
}

pub async fn measure(
    database_url: &str,
    folder: &Path,
    connections: usize,
    payments: usize,
) -> Result<Measured> {
    let listen = ([127, 0, 0, 1], free_port()?).into();
    let master_key_file = folder.join("master.key");
    let stage = Stage::prepare(Plan {
        database_url,
        master_key_file: &master_key_file,
        gateway: listen,
        sandbox: ([127, 0, 0, 1], 0).into(),
        seed: 1,
    })
    .await?;
    stage.publish_until(payments).await?;
    let bills = stage.open_bills(payments).await?;
    ensure!(bills.len() == payments, "only {} bills to pay", bills.len());
    let notices = bills
        .into_iter()
        .map(|(account, amount, code)| {
            stage.sandbox.bank().notice(&Transfer {
                account,
                amount,
                memo: code,
                rendering: None,
                outgoing: false,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let before = stage.count_payments().await?;
    let gateway = Gateway::start(database_url, &master_key_file, listen, &stage.client).await?;
    let (elapsed, mut latencies) = fire(&stage.client, notices, connections).await?;
    let resident_kib = gateway.resident_kib()?;
    let cold_start = gateway.cold_start;
    drop(gateway);
    let posted = stage.count_payments().await? - before;
    ensure!(
        posted == i64::try_from(payments)?,
        "{posted} of {payments} acknowledged payments are in the books"
    );
    stage.app.db.close().await;
    latencies.sort_unstable();
    let at = |percent: usize| {
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(place).map_or(0, |latency| micros(*latency))
    };
    Ok(Measured {
        per_second: u64::try_from(payments as u128 * 1_000_000 / elapsed.as_micros().max(1))?,
        p50_micros: at(50),
        p99_micros: at(99),
        cold_start_micros: micros(cold_start),
        resident_kib,
    })
}

/// Sends every notice once, over so many connections; answers the time for all and for each.
async fn fire(
    client: &reqwest::Client,
    notices: Vec<Notice>,
    connections: usize,
) -> Result<(Duration, Vec<Duration>)> {
    let notices = Arc::new(notices);
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders: JoinSet<Result<Vec<Duration>>> = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..connections {
        let (client, notices, next) = (client.clone(), notices.clone(), next.clone());
        senders.spawn(async move {
            let mut latencies = Vec::new();
            while let Some(notice) = notices.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = Instant::now();
                let answer = notice.request(&client).send().await?;
                let status = answer.status();
                let body = answer.text().await?;
                latencies.push(sent.elapsed());
                ensure!(status.is_success(), "answered {status}: {body}");
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::with_capacity(notices.len());
    while let Some(sender) = senders.join_next().await {
        latencies.extend(sender??);
    }
    Ok((begun.elapsed(), latencies))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
