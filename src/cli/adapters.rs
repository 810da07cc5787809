//! `hocphi adapters`: which payment providers there are, and proof that they keep to their vectors.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use hocphi_adapters::contract::{Adapter, Credentials, Flow, Inbound, Settlement};
use hocphi_adapters::kit::{self, VectorResult, Verdict};
use hocphi_adapters::{Origin, Registry};

/// Longest vector file or message that is read.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Folder of further providers, one folder each; they override shipped ones.
    #[arg(long, global = true, value_name = "DIR")]
    adapters: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the usable providers, and the folders that were left out with the reason.
    List,
    /// Runs a vector file; fails on a miss that is not marked ambiguous.
    Test {
        name: String,
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
    /// Shows what a message from standard input is signed over and says: the query for messages
    /// in the address, else the body.
    Explain {
        name: String,
        /// ipn, return, webhook, create, query or refund; the provider's notice when left out.
        #[arg(long)]
        flow: Option<String>,
        /// JSON object with the credentials of the connection.
        #[arg(long, value_name = "FILE.json")]
        credentials: Option<PathBuf>,
        /// Header of the message, such as `X-SePay-Timestamp: 1788578130`.
        #[arg(long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
    },
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let registry = match &args.adapters {
        Some(dir) => Registry::load(dir),
        None => Registry::builtin(),
    };
    match &args.command {
        Command::List => list(&registry),
        Command::Test { name, file } => test(&registry, name, file),
        Command::Explain {
            name,
            flow,
            credentials,
            headers,
        } => {
            let adapter = find(&registry, name)?;
            let flow = match flow {
                Some(code) => {
                    Flow::from_code(code).with_context(|| format!("there is no flow {code}"))?
                }
                None => adapter.profile().capability.notice,
            };
            explain(adapter.as_ref(), flow, credentials.as_deref(), headers)
        }
    }
}

fn list(registry: &Registry) -> anyhow::Result<ExitCode> {
    let mut out = String::new();
    for (name, entry) in registry.entries() {
        let capability = &entry.adapter.profile().capability;
        let amounts = match capability.settlement {
            Settlement::Exact | Settlement::ExactHeld | Settlement::Asked => "exact amounts",
            Settlement::Free => "free amounts",
        };
        let checkout = if capability.checkout {
            ", checkout"
        } else {
            ""
        };
        let origin = match &entry.origin {
            Origin::Shipped => "shipped".to_owned(),
            Origin::Folder(folder) => folder.display().to_string(),
        };
        writeln!(
            out,
            "{name:<12} {:<24} {}, {amounts}{checkout} [{origin}]",
            entry.title,
            capability.notice.code(),
        )?;
    }
    print(&out)?;
    for fault in registry.faults() {
        eprintln!("left out: {fault}");
    }
    Ok(if registry.faults().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn test(registry: &Registry, name: &str, file: &Path) -> anyhow::Result<ExitCode> {
    let adapter = find(registry, name)?;
    let text = read_file(file)?;
    let results = kit::run(adapter.as_ref(), &text)
        .with_context(|| format!("{} is not a vector file", file.display()))?;
    print(&report(&results)?)?;
    let missed = results.iter().any(|result| result.verdict == Verdict::Miss);
    Ok(if missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// A line per vector, its differences below it, and the closing count.
fn report(results: &[VectorResult]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let [mut passed, mut failed, mut ambiguous] = [0; 3];
    for result in results {
        let (count, word) = match result.verdict {
            Verdict::Pass => (&mut passed, "pass"),
            Verdict::Miss => (&mut failed, "FAIL"),
            Verdict::Ambiguous => (&mut ambiguous, "ambiguous"),
        };
        *count += 1;
        writeln!(out, "{word:<10} {:<8} {}", result.flow, result.name)?;
        for difference in &result.differences {
            writeln!(
                out,
                "{:11}{}: expected {}, got {}",
                "", difference.member, difference.expected, difference.actual
            )?;
        }
    }
    writeln!(
        out,
        "{passed} passed, {failed} failed, {ambiguous} ambiguous"
    )?;
    Ok(out)
}

fn explain(
    adapter: &dyn Adapter,
    flow: Flow,
    credentials: Option<&Path>,
    headers: &[String],
) -> anyhow::Result<ExitCode> {
    let credentials: Credentials = match credentials {
        Some(file) => serde_json::from_str(&read_file(file)?)
            .with_context(|| format!("{} is not a JSON object of texts", file.display()))?,
        None => Credentials::default(),
    };
    let mut message = Vec::new();
    io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_end(&mut message)
        .context("the message cannot be read")?;
    let query = String::from_utf8_lossy(&message);
    let query = query.trim();
    let inbound = Inbound {
        query: query
            .split_once('?')
            .map_or(query, |(_, query)| query)
            .to_owned(),
        headers: headers
            .iter()
            .map(|header| {
                let (name, value) = header
                    .split_once(':')
                    .with_context(|| format!("{header} is not NAME: VALUE"))?;
                Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<anyhow::Result<_>>()?,
        body: message,
        ..Inbound::default()
    };
    let inspection = adapter.inspect(flow, &inbound, &credentials);
    let claimed = inspection.claimed;
    let amount = claimed.amount.map(|amount| amount.get().to_string());
    let status = claimed.status.map(|status| status.code().to_owned());
    let mut out = String::new();
    for (label, value) in [
        (
            "signed text",
            inspection.canonical.map(|text| text.masked()),
        ),
        ("signature", inspection.signature),
        ("transaction", claimed.transaction_id),
        ("order", claimed.order_ref),
        ("amount", amount),
        ("currency", claimed.currency),
        ("status", status),
    ] {
        let value = value.unwrap_or_else(|| "-".to_owned());
        writeln!(out, "{label:<12} {value}")?;
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn find(registry: &Registry, name: &str) -> anyhow::Result<Arc<dyn Adapter>> {
    if let Some(adapter) = registry.get(name) {
        return Ok(adapter);
    }
    for fault in registry.faults() {
        eprintln!("left out: {fault}");
    }
    let names: Vec<_> = registry.entries().map(|(name, _)| name).collect();
    bail!(
        "there is no provider {name}; there are {}",
        names.join(", ")
    )
}

fn read_file(file: &Path) -> anyhow::Result<String> {
    let length = fs::metadata(file)
        .with_context(|| format!("{} cannot be read", file.display()))?
        .len();
    if length > INPUT_BYTES_MAX {
        bail!("{} is longer than {INPUT_BYTES_MAX} bytes", file.display());
    }
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// A closed pipe (`| head`) is not a failure of ours.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
