//! PostgreSQL stops, or another server takes its place; gateways stay and go on by themselves.

use std::time::Duration;

use anyhow::Result;

use super::Told;
use super::scene::{Scene, database, must};
use super::server::{Server, documented};
use super::verify::Report;

const PATIENCE: Duration = Duration::from_secs(90);
const STOPS: u32 = 3;
/// Longer than a gateway waits for a connection, so that callers hear about it.
const AWAY: Duration = Duration::from_secs(12);
const NODES: usize = 2;

/// `pg_ctl stop -m immediate`, and a start after a while: once at once, once after callers were told
/// to come again.
pub async fn immediate(told: &Told) -> Result<Report> {
    let (url, server) = database(told)?;
    let Some(server) = server else {
        return Ok(Report::skipped(told, "an embedded database has no server"));
    };
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    for stop in 0..STOPS {
        scene.load.more(60, PATIENCE).await?;
        server.stop_at_once()?;
        let refused = scene.load.heard().refusals(503);
        if stop == 0 {
            tokio::time::sleep(AWAY).await;
            must(
                scene.load.heard().refusals(503) > refused,
                "nobody was told to come again while the database was away",
            )?;
        }
        server.start_again()?;
    }
    scene.load.more(60, PATIENCE).await?;
    must(
        scene.nodes[0].ended()?.is_none(),
        "the gateway did not survive",
    )?;
    must(
        scene.nodes[0].logged("database_unreachable")?,
        "the log does not say what was wrong",
    )?;
    scene.finish(told, &url, STOPS).await
}

/// The primary and all of its processes are killed, the synchronous standby is promoted. Settings are
/// those of docs/operations.md.
pub async fn failover(told: &Told) -> Result<Report> {
    let primary = Server::start(
        &told.folder.join("primary"),
        None,
        &documented("primary")?.replace(
            // Until the first standby follows, nothing could be committed.
            "synchronous_standby_names",
            "#synchronous_standby_names",
        ),
    )?;
    let url = primary.database("hocphi")?;
    let standby = primary.standby(&told.folder.join("standby"), &documented("standby")?)?;
    primary.reconfigure(&documented("primary")?)?;
    let after = standby.database_url("hocphi");
    let mut scene = Scene::set(told, &[url, after.clone()], NODES).await?;
    scene.load.more(200, PATIENCE).await?;
    must(
        primary.administer("SELECT sync_state FROM pg_stat_replication")? == "quorum",
        "the standby is not synchronous",
    )?;
    primary.kill()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    standby.promote()?;
    scene.load.more(200, PATIENCE).await?;
    for node in &mut scene.nodes {
        must(node.ended()?.is_none(), "a gateway did not survive")?;
        must(
            node.logged("database_primary_changed")?,
            "a gateway does not say that it follows another primary",
        )?;
    }
    // A primary that was succeeded comes back and thinks it still leads: nobody listens to it.
    primary.start_again()?;
    let behind = scene.load.heard().count();
    scene.load.more(200, PATIENCE).await?;
    must(behind > 0, "nothing was acknowledged before")?;
    let report = scene.finish(told, &after, 1).await?;
    drop(primary);
    Ok(report)
}
