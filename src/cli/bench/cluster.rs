//! A PostgreSQL cluster of the bench's own, with the durability PostgreSQL has by default.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const CLIENTS: [u32; 6] = [4, 8, 16, 32, 64, 96];
/// What docs/operations.md recommends, for pgbench and hocphi alike; durability as PostgreSQL has it by
/// default.
const SETTINGS: &str = "-c shared_buffers=1GB -c max_wal_size=8GB -c checkpoint_timeout=15min \
                        -c max_connections=200";
/// Rows of pgbench_accounts in hundred thousands.
const PGBENCH_SCALE: &str = "10";

/// A running cluster; a private one ends with it.
pub struct Cluster {
    /// `postgres://USER@HOST:PORT`.
    url: String,
    programs: PathBuf,
    private: Option<PathBuf>,
}

impl Cluster {
    pub fn start(given: Option<String>, folder: &Path) -> Result<Self> {
        let programs = programs()?;
        if let Some(url) = given {
            return Ok(Self {
                url: url.trim_end_matches('/').to_owned(),
                programs,
                private: None,
            });
        }
        let home = folder.join("postgres");
        std::fs::create_dir_all(&home)?;
        let port = free_port()?;
        let cluster = Self {
            url: format!("postgres://hocphi@127.0.0.1:{port}"),
            programs,
            private: Some(home.clone()),
        };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&home))?;
        }
        let data = home.join("data");
        run(cluster
            .server("initdb")
            .args([
                "-A",
                "trust",
                "-U",
                "hocphi",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "-D",
            ])
            .arg(&data))?;
        run(cluster
            .server("pg_ctl")
            .args(["-s", "-w", "start", "-l"])
            .arg(home.join("log"))
            .arg("-D")
            .arg(&data)
            .arg("-o")
            .arg(format!(
                "-p {port} -k {} -c listen_addresses=127.0.0.1 {SETTINGS}",
                home.display()
            )))?;
        Ok(cluster)
    }

    /// A fresh database; its address.
    pub fn database(&self, name: &str) -> Result<String> {
        run(Command::new(self.programs.join("psql"))
            .args(["-q", "-c"])
            .arg(format!("CREATE DATABASE {name}"))
            .arg(format!("{}/postgres", self.url)))?;
        Ok(format!("{}/{name}", self.url))
    }

    /// Transactions a second of `pgbench -b tpcb-like` at the number of clients that suits it best.
    pub fn pgbench(&self, seconds: Duration) -> Result<(u32, u64)> {
        let database = self.database("pgbench")?;
        run(Command::new(self.programs.join("pgbench"))
            .args(["-i", "-q", "-s", PGBENCH_SCALE])
            .arg(&database))?;
        let mut best = (0, 0);
        for clients in CLIENTS {
            let rate = self.pgbench_at(clients, seconds)?;
            if rate > best.1 {
                best = (clients, rate);
            }
        }
        Ok(best)
    }

    /// The same with so many clients, after [`pgbench`](Self::pgbench) made its tables.
    pub fn pgbench_at(&self, clients: u32, seconds: Duration) -> Result<u64> {
        let output = Command::new(self.programs.join("pgbench"))
            .args(["-n", "-b", "tpcb-like", "-j", "2", "-c"])
            .arg(clients.to_string())
            .arg("-T")
            .arg(seconds.as_secs().to_string())
            .arg(format!("{}/pgbench", self.url))
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .and_then(|rest| rest.split(['.', ' ']).next()?.parse().ok())
            .with_context(|| format!("pgbench: {said}"))
    }

    /// A program of the server, which refuses to run as root.
    fn server(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(home) = &self.private
            && let Err(error) = run(self
                .server("pg_ctl")
                .args(["-s", "-m", "immediate", "stop", "-D"])
                .arg(home.join("data")))
        {
            tracing::warn!(%error, "the private cluster did not stop");
        }
    }
}

/// The folder of the newest server's programs.
pub fn programs() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .context("cần PostgreSQL: apt-get install postgresql")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .context("cần PostgreSQL: apt-get install postgresql")
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0)
}

/// Runs to the end; an error carries what the program complained about.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
