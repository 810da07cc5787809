//! Private PostgreSQL servers that can be stopped, killed, copied and promoted.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cli::bench::cluster::{free_port, is_root, programs, run};

/// How production is set up, from the page that operators read.
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// The settings of a role, word for word from the page for operators.
pub fn documented(role: &str) -> Result<String> {
    let start = format!("```ini {role}\n");
    OPERATIONS
        .split_once(&start)
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(settings, _)| settings.to_owned())
        .with_context(|| format!("docs/operations.md has no block {role:?}"))
}

/// The server runs as another user, who must be able to reach its files.
pub fn let_everybody_pass(folder: &Path) -> Result<()> {
    Ok(std::fs::set_permissions(
        folder,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

pub fn signal(process: u32, name: &str) -> Result<()> {
    run(Command::new("kill").args(["-s", name, &process.to_string()]))
}

pub struct Server {
    programs: PathBuf,
    home: PathBuf,
    port: u16,
}

impl Server {
    /// A new server with these settings; its write-ahead log is kept in `home` even when `data` lies
    /// on another disk.
    pub fn start(home: &Path, data: Option<&Path>, settings: &str) -> Result<Self> {
        let server = Self::at(home)?;
        if let Some(data) = data {
            std::os::unix::fs::symlink(data, home.join("data"))?;
            server.give(data)?;
        }
        let mut initdb = server.program("initdb");
        initdb
            .args(["-A", "trust", "-U", "hocphi"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "-D"])
            .arg(server.data());
        if data.is_some() {
            initdb.arg("-X").arg(home.join("wal"));
        }
        run(&mut initdb)?;
        let file = server.data().join("postgresql.conf");
        let configuration = std::fs::read_to_string(&file)?;
        std::fs::write(&file, configuration + "\ninclude 'hocphi.conf'\n")?;
        server.configure(settings)?;
        server.start_again()?;
        Ok(server)
    }

    /// A standby that follows this server.
    pub fn standby(&self, home: &Path, settings: &str) -> Result<Self> {
        let standby = Self::at(home)?;
        run(standby
            .program("pg_basebackup")
            .args(["-R", "-X", "stream", "-c", "fast", "-d", &self.url(), "-D"])
            .arg(standby.data()))?;
        standby.configure(settings)?;
        standby.start_again()?;
        Ok(standby)
    }

    fn at(home: &Path) -> Result<Self> {
        std::fs::create_dir_all(home)?;
        let server = Self {
            programs: programs()?,
            home: home.to_owned(),
            port: free_port()?,
        };
        server.give(home)?;
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn give(&self, folder: &Path) -> Result<()> {
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder))?;
        }
        Ok(())
    }

    fn configure(&self, settings: &str) -> Result<()> {
        std::fs::write(self.data().join("hocphi.conf"), settings)?;
        Ok(())
    }

    /// Takes over other settings while it runs.
    pub fn reconfigure(&self, settings: &str) -> Result<()> {
        self.configure(settings)?;
        run(&mut self.pg_ctl("reload"))
    }

    /// `postgres://USER@HOST:PORT`.
    fn url(&self) -> String {
        format!("postgres://hocphi@127.0.0.1:{}", self.port)
    }

    /// The address of a database that need not be there yet.
    pub fn database_url(&self, name: &str) -> String {
        format!("{}/{name}", self.url())
    }

    /// A fresh database; its address.
    pub fn database(&self, name: &str) -> Result<String> {
        self.administer(&format!("CREATE DATABASE {name}"))?;
        Ok(self.database_url(name))
    }

    /// Runs a statement as an administrator; answers what it printed.
    pub fn administer(&self, statement: &str) -> Result<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-q", "-A", "-t", "-c", statement])
            .arg(self.database_url("postgres"))
            .output()?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    pub fn start_again(&self) -> Result<()> {
        run(self
            .pg_ctl("start")
            .arg("-w")
            .arg("-l")
            .arg(self.home.join("log"))
            .arg("-o")
            .arg(format!(
                "-p {} -k {} -c listen_addresses=127.0.0.1",
                self.port,
                self.home.display()
            )))
    }

    /// Stops without finishing anything, as a crash would; a start recovers from the log.
    pub fn stop_at_once(&self) -> Result<()> {
        run(self.pg_ctl("stop").args(["-m", "immediate"]))
    }

    /// Becomes a primary.
    pub fn promote(&self) -> Result<()> {
        run(self.pg_ctl("promote").arg("-w"))
    }

    /// `SIGKILL` for the server and all of its processes.
    pub fn kill(&self) -> Result<()> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        let postmaster: u32 = file.lines().next().context("postmaster.pid")?.parse()?;
        let mut all = vec![postmaster];
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(process) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            // A process may end while we look.
            if let Ok(status) = std::fs::read_to_string(entry.path().join("status"))
                && status.contains(&format!("\nPPid:\t{postmaster}\n"))
            {
                all.push(process);
            }
        }
        let mut kill = Command::new("kill");
        kill.args(["-s", "KILL"]);
        for process in all {
            kill.arg(process.to_string());
        }
        // Children that ended in between make it complain.
        kill.output()?;
        Ok(())
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = self.program("pg_ctl");
        command.args(["-s", what, "-D"]).arg(self.data());
        command
    }

    /// A program of the server, which refuses to run as root.
    fn program(&self, name: &str) -> Command {
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

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop_at_once() {
            tracing::debug!(%error, "a private server did not stop");
        }
    }
}
