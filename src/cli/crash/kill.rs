//! Gateways that are killed, stopped, and taken over from.

use std::time::Duration;

use anyhow::Result;
use hocphi::clock::Clock;
use hocphi::store::Db;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Told;
use super::scene::{Scene, database, must};
use super::verify::{self, Report};

/// Milliseconds that a gateway lives after its first acknowledgement.
const LIFE_MILLIS: std::ops::Range<u64> = 20..600;
const PATIENCE: Duration = Duration::from_secs(60);
const STOPS: u32 = 3;
const NODES: usize = 3;

/// `kill -9` of the only gateway at random moments; providers and jobs never pause.
pub async fn kill(told: &Told) -> Result<Report> {
    let (url, _server) = database(told)?;
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    let mut chance = StdRng::seed_from_u64(told.seed);
    let mut during_jobs = 0;
    let clock = Clock::system();
    let mut born = clock.now();
    for _ in 0..told.kills {
        scene.load.more(1, PATIENCE).await?;
        let life = Duration::from_millis(chance.random_range(LIFE_MILLIS));
        tokio::time::sleep(life).await;
        scene.nodes[0].kill()?;
        let died = clock.now();
        let client = scene.load.client().clone();
        scene.nodes[0].start(&client).await?;
        // What the dead gateway held is held until its lease ends.
        let db = Db::open_existing(&url).await?;
        during_jobs += u32::from(verify::jobs_taken(&db, born, died).await? > 0);
        db.close().await;
        born = clock.now();
    }
    let report = scene.finish(told, &url, told.kills).await?;
    Ok(Report {
        faults_during_jobs: during_jobs,
        ..report
    })
}

/// `SIGTERM` under load: requests that run are answered, the process ends by itself.
pub async fn drain(told: &Told) -> Result<Report> {
    let (url, _server) = database(told)?;
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    for _ in 0..STOPS {
        scene.load.more(100, PATIENCE).await?;
        let status = scene.nodes[0].stop().await?;
        must(status.success(), "the gateway does not stop in good order")?;
        let client = scene.load.client().clone();
        scene.nodes[0].start(&client).await?;
    }
    scene.finish(told, &url, STOPS).await
}

/// Several nodes on one PostgreSQL, all taking notices of the same schools and numbering the same
/// series; one after another is killed for a while and the others take over what it held.
pub async fn nodes(told: &Told) -> Result<Report> {
    let (url, _server) = database(told)?;
    let mut scene = Scene::set(told, std::slice::from_ref(&url), NODES).await?;
    let mut chance = StdRng::seed_from_u64(told.seed);
    for place in 0..told.kills as usize {
        scene.load.more(20, PATIENCE).await?;
        let victim = place % NODES;
        let life = Duration::from_millis(chance.random_range(LIFE_MILLIS));
        tokio::time::sleep(life).await;
        scene.nodes[victim].kill()?;
        // The others alone go on.
        scene.load.more(40, PATIENCE).await?;
        let client = scene.load.client().clone();
        scene.nodes[victim].start(&client).await?;
    }
    scene.finish(told, &url, told.kills).await
}
