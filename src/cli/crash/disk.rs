//! Disks that are full, or take no writes.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::scene::{Disk, Scene, database, embedded, must};
use super::server::Server;
use super::verify::Report;
use super::{Engine, Told};
use crate::cli::bench::cluster::run;

const PATIENCE: Duration = Duration::from_secs(120);
const FULL: &str = "database_disk_full";
const READ_ONLY: &str = "database_read_only";

/// Nothing more fits on the disk of the database, until somebody makes room. No restart.
pub async fn full(told: &Told) -> Result<Report> {
    let size = match told.engine {
        Engine::Sqlite => "size=96m",
        Engine::Postgres => "size=192m",
    };
    let Some(disk) = Disk::mount(&told.folder, &["-t", "tmpfs", "-o", size, "tmpfs"])? else {
        return Ok(Report::skipped(told, "this user may not mount a disk"));
    };
    let (url, _server) = match told.engine {
        Engine::Sqlite => (embedded(&disk.0), None),
        Engine::Postgres => {
            let data = disk.0.join("data");
            std::fs::create_dir(&data)?;
            let home = told.folder.join("postgres");
            let server = Server::start(&home, Some(&data), "")?;
            (server.database("hocphi")?, Some(server))
        }
    };
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    scene.load.more(100, PATIENCE).await?;
    let ballast = disk.0.join("ballast");
    let before = scene.load.heard().refusals(503);
    let heard = scene.load.heard().clone();
    scene
        .load
        .until(PATIENCE, "the disk does not fill", || {
            // What was freed in between is taken again.
            fill(&ballast).is_err() || heard.refusals(503) > before + 20
        })
        .await?;
    must(
        scene.nodes[0].logged(FULL)?,
        "the log does not say that the disk is full",
    )?;
    std::fs::remove_file(&ballast)?;
    scene.load.more(100, PATIENCE).await?;
    must(
        scene.nodes[0].ended()?.is_none(),
        "the gateway did not survive",
    )?;
    scene.finish(told, &url, 1).await
}

/// Writes until nothing fits.
fn fill(ballast: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(ballast)?;
    let block = [0x68; 16 * 1024];
    while file.write_all(&block).is_ok() {}
    Ok(())
}

/// The disk of an embedded database becomes read-only under the gateway, as the kernel does it after
/// an error; it is repaired and mounted again, which needs a restart. A server that takes no writes
/// needs none.
pub async fn read_only(told: &Told) -> Result<Report> {
    match told.engine {
        Engine::Sqlite => read_only_disk(told).await,
        Engine::Postgres => read_only_server(told).await,
    }
}

async fn read_only_disk(told: &Told) -> Result<Report> {
    let image = told.folder.join("disk.img");
    run(Command::new("truncate").args(["-s", "192M"]).arg(&image))?;
    run(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
    let image = image.display().to_string();
    let arguments = ["-o", "loop,errors=remount-ro", &image];
    let Some(disk) = Disk::mount(&told.folder, &arguments)? else {
        return Ok(Report::skipped(told, "this user may not mount a disk"));
    };
    let url = embedded(&disk.0);
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    scene.load.more(100, PATIENCE).await?;
    disk.remount("remount,abort")?;
    let before = scene.load.heard().refusals(503);
    let heard = scene.load.heard().clone();
    scene
        .load
        .until(PATIENCE, "nobody was told to come again", || {
            heard.refusals(503) > before + 5
        })
        .await?;
    let log = scene.nodes[0].log()?;
    must(
        log.contains(READ_ONLY) || log.contains("database_disk_error"),
        "the log does not say what is wrong with the disk",
    )?;
    scene.nodes[0].kill()?;
    let client = scene.load.client().clone();
    // Whether it opens or refuses to, it takes nothing.
    if scene.nodes[0].start(&client).await.is_ok() {
        let before = heard.count();
        tokio::time::sleep(Duration::from_secs(2)).await;
        must(
            heard.count() == before,
            "payments are acknowledged on a disk that takes no writes",
        )?;
    }
    scene.nodes[0].kill()?;
    disk.unmount()?;
    let Some(_repaired) = Disk::mount(&told.folder, &arguments)? else {
        anyhow::bail!("the disk cannot be mounted again");
    };
    scene.nodes[0].start(&client).await?;
    scene.load.more(100, PATIENCE).await?;
    std::mem::forget(disk);
    scene.finish(told, &url, 1).await
}

async fn read_only_server(told: &Told) -> Result<Report> {
    let (url, server) = database(told)?;
    let Some(server) = server else {
        return Ok(Report::skipped(told, "an embedded database has no server"));
    };
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    scene.load.more(100, PATIENCE).await?;
    server.administer("ALTER SYSTEM SET default_transaction_read_only = on")?;
    server.administer("SELECT pg_reload_conf()")?;
    let before = scene.load.heard().refusals(503);
    let heard = scene.load.heard().clone();
    scene
        .load
        .until(PATIENCE, "nobody was told to come again", || {
            heard.refusals(503) > before + 20
        })
        .await?;
    must(
        scene.nodes[0].logged(READ_ONLY)?,
        "the log does not say that the server takes no writes",
    )?;
    // Alone in its statement: several at once are a transaction, in which it may not stand.
    server.administer("ALTER SYSTEM RESET default_transaction_read_only")?;
    server.administer("SELECT pg_reload_conf()")?;
    scene.load.more(100, PATIENCE).await?;
    must(
        scene.nodes[0].ended()?.is_none(),
        "the gateway did not survive",
    )?;
    scene.finish(told, &url, 1).await
}
