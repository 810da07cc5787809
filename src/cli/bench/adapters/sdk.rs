//! A provider's public Node package over the same message: one warmed-up process that measures when it
//! is asked to.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hocphi_adapters::contract::{Credentials, Inbound};

use super::super::rates::busy_nanos;

const SCRIPT: &str = include_str!("sdk.mjs");

pub struct Sdk {
    provider: String,
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    _script: Script,
}

/// Beside `node_modules`, where Node looks for packages; gone with the process.
struct Script(PathBuf);

impl Sdk {
    /// `folder` holds `node_modules` with the package.
    pub fn start(
        folder: &Path,
        provider: &str,
        inbound: &Inbound,
        credentials: &Credentials,
    ) -> Result<Self> {
        let get = |name: &str| credentials.get(name).unwrap_or_default().to_owned();
        let job = serde_json::json!({
            "provider": provider,
            "processor_time": busy_nanos().is_some(),
            "query": inbound.query,
            "body": String::from_utf8_lossy(&inbound.body),
            "tmn_code": get("tmn_code"),
            "hash_secret": get("hash_secret"),
            "client_id": get("client_id"),
            "api_key": get("api_key"),
            "checksum_key": get("checksum_key"),
        });
        let script = Script(folder.join("hocphi-bench-adapters.mjs"));
        std::fs::write(&script.0, SCRIPT)
            .with_context(|| format!("{} cannot be written", script.0.display()))?;
        let mut process = Command::new("node")
            .arg(&script.0)
            .arg(job.to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node cannot be started")?;
        let (questions, answers) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            provider: provider.to_owned(),
            process,
            questions: questions.context("node takes no questions")?,
            answers: BufReader::new(answers.context("node gives no answers")?),
            _script: script,
        })
    }

    /// Verified messages a second, as [`rate`](super::super::rates::rate) counts them.
    pub fn rate(&mut self, time: Duration) -> Result<u64> {
        let mut answer = String::new();
        // A process that ended says why on the error output; all that is known here is that it did.
        let asked = writeln!(self.questions, "{}", time.as_millis().max(1));
        if asked.is_err() || self.answers.read_line(&mut answer)? == 0 {
            bail!("the package of {} does not run", self.provider);
        }
        answer
            .trim()
            .parse()
            .with_context(|| format!("the script answered {answer:?}"))
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        if let Err(error) = ended {
            tracing::warn!(%error, "node goes on");
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, file = %self.0.display(), "the script stays");
        }
    }
}
