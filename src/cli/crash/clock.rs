//! Machines whose time of day is hours off, in both directions, and jumps while money comes in.

use std::time::Duration;

use anyhow::Result;
use hocphi::clock::Clock;

use super::scene::{Scene, database, must};
use super::verify::Report;
use super::{Engine, Told};

const PATIENCE: Duration = Duration::from_secs(120);
const HOUR: i64 = 3_600;
/// Longer than a node takes to look at its clock again.
const NOTICED: Duration = Duration::from_secs(7);

pub async fn skew(told: &Told) -> Result<Report> {
    match told.engine {
        Engine::Postgres => nodes_hours_apart(told).await,
        Engine::Sqlite => one_machine_whose_clock_jumps(told).await,
    }
}

/// Both nodes go by the server's clock, so that leases, dates and signatures mean the same to both.
async fn nodes_hours_apart(told: &Told) -> Result<Report> {
    let (url, _server) = database(told)?;
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 2).await?;
    let shifts = [(3 * HOUR, -5 * HOUR), (-HOUR, 26 * HOUR), (0, 0)];
    for (first, second) in shifts {
        scene.load.more(60, PATIENCE).await?;
        scene.nodes[0].shift_clock(first)?;
        scene.nodes[1].shift_clock(second)?;
        // A node that starts with a wrong clock is set right before it opens.
        scene.nodes[1].kill()?;
        let client = scene.load.client().clone();
        scene.nodes[1].start(&client).await?;
        tokio::time::sleep(NOTICED).await;
    }
    scene.load.more(60, PATIENCE).await?;
    for node in &scene.nodes {
        must(
            node.logged("clock_skewed")?,
            "a node does not say that its clock is wrong",
        )?;
    }
    scene.finish(told, &url, u32::try_from(shifts.len())?).await
}

/// A lone machine has no second clock: it follows its own, says that it jumped, and loses nothing.
/// Signed notices look too old or too new meanwhile and are refused until the clock is right.
async fn one_machine_whose_clock_jumps(told: &Told) -> Result<Report> {
    let (url, _server) = database(told)?;
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    // An invoice dated tomorrow would be the clock's fault; this is about money.
    let now = Clock::system().now();
    let ahead = if now.plus_seconds(3 * HOUR).day() == now.day() {
        2 * HOUR
    } else {
        -2 * HOUR
    };
    let shifts = [ahead, -HOUR / 6, 0];
    scene.load.more(40, PATIENCE).await?;
    for shift in shifts {
        scene.nodes[0].shift_clock(shift)?;
        tokio::time::sleep(NOTICED).await;
    }
    scene.load.more(40, PATIENCE).await?;
    must(
        scene.nodes[0].logged("clock_skewed")?,
        "the node does not say that its clock jumped",
    )?;
    scene.catch_up = ahead.max(0);
    scene.finish(told, &url, u32::try_from(shifts.len())?).await
}
