//! The gateway as a process of its own, as it runs in production.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const START_TIMEOUT: Duration = Duration::from_secs(30);

pub struct Gateway {
    process: Child,
    /// From the start of the process to the first answer.
    pub cold_start: Duration,
}

impl Gateway {
    /// Starts `hocphi serve` without jobs, so that what is measured is posting alone.
    pub async fn start(
        database_url: &str,
        master_key_file: &Path,
        listen: SocketAddr,
        client: &reqwest::Client,
    ) -> Result<Self> {
        let config = master_key_file.with_file_name("bench.toml");
        let text = format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"http://{listen}\"\n\
             [database]\nurl = \"{database_url}\"\n[secrets]\nmaster_key_file = \"{}\"\n",
            master_key_file.display()
        );
        std::fs::write(&config, text)?;
        let begun = Instant::now();
        let process = Command::new(std::env::current_exe()?)
            .args(["serve", "--no-jobs", "--config"])
            .arg(&config)
            .env(
                "HOCPHI_LOG",
                std::env::var("HOCPHI_LOG").unwrap_or_else(|_| "error".to_owned()),
            )
            .stdin(Stdio::null())
            .spawn()
            .context("hocphi serve")?;
        let mut gateway = Self {
            process,
            cold_start: Duration::ZERO,
        };
        loop {
            let answer = client.get(format!("http://{listen}/healthz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                gateway.cold_start = begun.elapsed();
                return Ok(gateway);
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("the gateway does not answer");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Resident memory of the process now, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .context("VmRSS in /proc")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            tracing::warn!(%error, "the gateway did not end");
        }
    }
}
