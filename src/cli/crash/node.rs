//! A gateway process that can be killed.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// One node: its configuration stays, its process comes and goes.
pub struct Node {
    pub listen: SocketAddr,
    config: PathBuf,
    clock_shift: PathBuf,
    log: PathBuf,
    process: Option<Child>,
}

impl Node {
    /// Writes the configuration; starts nothing yet. `urls` are the addresses of its database.
    pub fn new(
        folder: &Path,
        name: &str,
        listen: SocketAddr,
        urls: &[String],
        master_key_file: &Path,
        tax: &str,
    ) -> Result<Self> {
        let config = folder.join(format!("{name}.toml"));
        let urls: Vec<String> = urls.iter().map(|url| format!("{url:?}")).collect();
        let text = format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"http://{listen}\"\n\
             [database]\nurl = [{}]\n[secrets]\nmaster_key_file = {:?}\n{tax}",
            urls.join(", "),
            master_key_file.display().to_string(),
        );
        std::fs::write(&config, text)?;
        let node = Self {
            listen,
            config,
            clock_shift: folder.join(format!("{name}.clock")),
            log: folder.join(format!("{name}.log")),
            process: None,
        };
        node.shift_clock(0)?;
        Ok(node)
    }

    /// Makes the node's machine tell the time wrongly by so many seconds.
    pub fn shift_clock(&self, seconds: i64) -> Result<()> {
        let next = self.clock_shift.with_extension("clock-next");
        std::fs::write(&next, seconds.to_string())?;
        Ok(std::fs::rename(next, &self.clock_shift)?)
    }

    /// Starts the process without waiting for it.
    pub fn spawn(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let process = Command::new(std::env::current_exe()?)
            .args(["serve", "--config"])
            .arg(&self.config)
            .arg("--clock-shift")
            .arg(&self.clock_shift)
            .env("HOCPHI_LOG", "warn")
            .env_remove("HOCPHI_DATABASE_URL")
            .env_remove("HOCPHI_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("hocphi serve")?;
        self.process = Some(process);
        Ok(())
    }

    /// Starts the process and waits for its first answer.
    pub async fn start(&mut self, client: &reqwest::Client) -> Result<()> {
        self.spawn()?;
        let begun = Instant::now();
        loop {
            let answer = client
                .get(format!("http://{}/readyz", self.listen))
                .send()
                .await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                bail!(
                    "the gateway ended with {status}, see {}",
                    self.log.display()
                );
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("the gateway does not answer, see {}", self.log.display());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How the process ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.process {
            Some(process) => Ok(process.try_wait()?),
            None => Ok(None),
        }
    }

    /// `SIGKILL`: no chance to tidy up.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// `SIGTERM`; answers how it ended.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the node does not run")?;
        super::server::signal(process.id(), "TERM")?;
        let begun = Instant::now();
        loop {
            if let Some(status) = process.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > STOP_TIMEOUT {
                process.kill()?;
                bail!("the gateway does not stop within {STOP_TIMEOUT:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether its log names this code.
    pub fn logged(&self, code: &str) -> Result<bool> {
        Ok(std::fs::read_to_string(&self.log)?.contains(code))
    }

    /// What it has said so far.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(%error, "a gateway did not end");
        }
    }
}
