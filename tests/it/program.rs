//! The real program, run as its users run it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Things that need the whole machine take turns: they make promises about time.
pub static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// `hocphi` with arguments, not yet started, deaf to the settings of whoever runs the tests.
pub fn hocphi<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hocphi"));
    for name in ["HOCPHI_DATABASE_URL", "HOCPHI_CONFIG", "HOCPHI_LOG_FORMAT"] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("HOCPHI_LOG", "error")
        .stdin(Stdio::null());
    command
}

/// What a finished run said.
#[derive(Debug)]
pub struct Said {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs to the end, beside other tasks of the test.
pub async fn run(mut command: Command) -> Said {
    tokio::task::spawn_blocking(move || {
        let output = command.output().expect("the program starts");
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    })
    .await
    .expect("the program was waited for")
}

/// `hocphi ledger check` of a database.
pub async fn ledger_check(database: &str) -> Said {
    run(hocphi([
        "ledger",
        "check",
        "--full",
        "--database-url",
        database,
    ]))
    .await
}

/// As [`ledger_check`], with the master key of the installation.
pub async fn ledger_check_with_key(database: &str, master_key_file: &Path) -> Said {
    let mut command = hocphi(["ledger", "check", "--full", "--database-url", database]);
    command.arg("--master-key-file").arg(master_key_file);
    run(command).await
}

/// The embedded database that a demonstration leaves in its folder.
pub fn embedded(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("hocphi.db").display())
}

/// Set where nothing may be skipped, as `tests/run` does.
pub fn must_run_everything() -> bool {
    std::env::var_os("HOCPHI_TEST_ALL").is_some()
}

/// Kills what it started when the test ends, whichever way it ends.
#[derive(Debug)]
pub struct Child(pub std::process::Child);

impl Child {
    /// `SIGKILL`: the process gets no chance to tidy up.
    pub fn kill(&mut self) {
        self.0.kill().expect("a child of ours");
        self.0.wait().expect("a child of ours");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
