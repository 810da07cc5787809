//! What every scenario begins and ends with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hocphi::store::Db;
use hocphi_sandbox::Tax;

use super::load::Load;
use super::node::Node;
use super::verify::{self, Report};
use super::{Engine, Told};
use crate::cli::bench::cluster::free_port;
use crate::cli::demo::stage::{Plan, Stage, TAX_SENDER, TAX_TOKEN};

/// Until notices that were held up are acknowledged.
const FINISH_TIMEOUT: Duration = Duration::from_secs(120);
/// Until every invoice is coded: a killed node's jobs are another's after a minute.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(900);

/// Until a disk is no longer busy.
const UNMOUNT_TIMEOUT: Duration = Duration::from_secs(10);

/// Gateways under load.
pub struct Scene {
    pub load: Load,
    pub nodes: Vec<Node>,
    /// Seconds by which the first node's clock is set ahead once the load has ended, so that work that
    /// a wrong clock put off becomes due.
    pub catch_up: i64,
    /// The other side, which answers about invoices until the end.
    stage: Arc<Stage>,
    begun: Instant,
}

impl Scene {
    /// Loads the province into the database of the first address, starts so many nodes on all of
    /// them, and the load.
    pub async fn set(told: &Told, urls: &[String], nodes: usize) -> Result<Self> {
        let folder = &told.folder;
        let master_key_file = folder.join("master.key");
        let mut listens = Vec::new();
        for _ in 0..nodes {
            listens.push(([127, 0, 0, 1], free_port()?).into());
        }
        let stage = Stage::prepare(Plan {
            database_url: &urls[0],
            master_key_file: &master_key_file,
            gateway: listens[0],
            sandbox: ([127, 0, 0, 1], 0).into(),
            seed: told.seed,
        })
        .await?;
        // From here on the gateways alone hold the database open.
        stage.app.db.close().await;
        let tax = tax_section(folder, &stage)?;
        let mut running = Vec::new();
        for (place, listen) in listens.iter().enumerate() {
            let name = format!("node{place}");
            let mut node = Node::new(folder, &name, *listen, urls, &master_key_file, &tax)?;
            node.start(&stage.client).await?;
            running.push(node);
        }
        let stage = Arc::new(stage);
        let load = Load::start(
            stage.clone(),
            listens.iter().map(std::net::SocketAddr::port).collect(),
            &folder.join("acknowledged.csv"),
            told.seed,
        )?;
        Ok(Self {
            load,
            nodes: running,
            catch_up: 0,
            stage,
            begun: Instant::now(),
        })
    }

    /// The simulated tax authority.
    pub fn authority(&self) -> Arc<Tax> {
        self.stage.sandbox.tax().clone()
    }

    /// Lets the load and the jobs end, stops the nodes, and compares. `faults` is how often the
    /// scenario struck, `url` where the books are now.
    pub async fn finish(mut self, told: &Told, url: &str, faults: u32) -> Result<Report> {
        let heard = self.load.finish(FINISH_TIMEOUT).await?;
        self.nodes[0].shift_clock(self.catch_up)?;
        let db = Db::open_existing(url).await?;
        let settled = verify::settle(&db, SETTLE_TIMEOUT).await;
        let mut findings = Vec::new();
        if let Err(error) = settled {
            findings.push(error.to_string());
        }
        for node in &mut self.nodes {
            if node.ended()?.is_some() {
                findings.push("a gateway ended by itself".to_owned());
            } else if !node.stop().await?.success() {
                findings.push("a gateway did not stop in good order".to_owned());
            }
        }
        drop(self.stage);
        let report = verify::compare(told, &db, &heard, faults, findings).await?;
        db.close().await;
        let seconds = self.begun.elapsed().as_secs();
        verify::ledger_check(Report { seconds, ..report }, url).await
    }
}

fn tax_section(folder: &Path, stage: &Stage) -> Result<String> {
    let token = folder.join("tvan.token");
    std::fs::write(&token, TAX_TOKEN)?;
    let authority = folder.join("authority.pem");
    std::fs::write(&authority, &stage.authority_pem)?;
    Ok(format!(
        "[tax]\ncarrier_url = {:?}\ntoken_file = {:?}\nsender = {TAX_SENDER:?}\n\
         authority_certificates = [{:?}]\n",
        stage.sandbox.tax_url(),
        token.display().to_string(),
        authority.display().to_string(),
    ))
}

/// The embedded database of a scenario.
pub fn embedded(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("hocphi.db").display())
}

/// A disk of its own for a scenario, as large as `options` say; gone when dropped.
pub struct Disk(pub PathBuf);

impl Disk {
    /// Mounts; `None` where this process may not.
    pub fn mount(folder: &Path, arguments: &[&str]) -> Result<Option<Self>> {
        let place = folder.join("disk");
        std::fs::create_dir_all(&place)?;
        let output = std::process::Command::new("mount")
            .args(arguments)
            .arg(&place)
            .output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            eprintln!("bỏ qua: không gắn được đĩa thử ({})", why.trim());
            return Ok(None);
        }
        Ok(Some(Self(place)))
    }

    pub fn remount(&self, options: &str) -> Result<()> {
        crate::cli::bench::cluster::run(
            std::process::Command::new("mount")
                .args(["-o", options])
                .arg(&self.0),
        )
    }

    /// What a killed process had open is let go a moment after its end.
    pub fn unmount(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let tried =
                crate::cli::bench::cluster::run(std::process::Command::new("umount").arg(&self.0));
            if tried.is_ok() || begun.elapsed() > UNMOUNT_TIMEOUT {
                return tried;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            tracing::debug!(%error, "a scenario's disk stays mounted");
        }
    }
}

/// A database for a scenario that needs nothing special; the server must outlive the scene.
pub fn database(told: &Told) -> Result<(String, Option<super::server::Server>)> {
    Ok(match told.engine {
        Engine::Sqlite => (embedded(&told.folder), None),
        Engine::Postgres => {
            let server = super::server::Server::start(&told.folder.join("postgres"), None, "")?;
            (server.database("hocphi")?, Some(server))
        }
    })
}

/// Fails when a promise about behaviour, rather than about money, was not kept.
pub fn must(condition: bool, otherwise: &str) -> Result<()> {
    ensure!(condition, "{otherwise}");
    Ok(())
}
