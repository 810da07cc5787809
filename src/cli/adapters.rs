//! `hocphi adapters`: which payment providers there are, and proof that they keep to their vectors.

mod explain;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use hocphi_adapters::contract::{Adapter, Flow, RefundSupport, Settlement};
use hocphi_adapters::kit::{self, VectorResult, Verdict};
use hocphi_adapters::recipe::RecipeFault;
use hocphi_adapters::{Origin, Registry, scaffold};

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
    /// Lists the providers, and the folders that were left out with the reason. Shipped ones marked
    /// experimental are off until the configuration file names them: `[adapters] experimental = ["pay2s"]`,
    /// or `[{ name = "pay2s", from = "2026-12-01" }]` from that day on.
    List,
    /// Runs vectors; fails on a miss that is not marked ambiguous.
    Test {
        /// All providers when left out.
        name: Option<String>,
        /// The provider's own vectors when left out.
        #[arg(value_name = "FILE.json")]
        file: Option<PathBuf>,
    },
    /// Makes a folder for a new provider that passes its own vectors, to be changed from there.
    New {
        /// a-z, 0-9 and _, at most 32.
        name: String,
        /// Folder of providers in which it is made; the current folder when left out.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Shows what a message from standard input is signed over and says, and where its signature goes
    /// wrong: the query for messages in the address, else the body. Secrets are never shown.
    Explain {
        name: String,
        /// ipn, return, webhook, create, query, refund, …; the provider's notice when left out.
        #[arg(long)]
        flow: Option<String>,
        /// JSON object with the credentials of the connection.
        #[arg(long, value_name = "FILE.json")]
        credentials: Option<PathBuf>,
        /// Header of the message, such as `X-SePay-Timestamp: 1788578130`.
        #[arg(long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
        /// When the message came, unix seconds; now when left out. For signatures that grow stale.
        #[arg(long, value_name = "SECONDS")]
        at: Option<i64>,
        /// File with the text the other side says it signed, to find the first difference.
        #[arg(long, value_name = "FILE")]
        signed: Option<PathBuf>,
    },
    /// Tries providers against the simulated ones through the whole gateway, and prints the table.
    #[cfg(feature = "sandbox")]
    Conformance(super::conformance::ConformanceArgs),
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let registry = match &args.adapters {
        Some(dir) => Registry::load(dir),
        None => Registry::builtin(),
    };
    match &args.command {
        Command::List => list(&registry),
        #[cfg(feature = "sandbox")]
        Command::Conformance(args) => super::conformance::run(&registry, args),
        Command::Test { name, file } => test(&registry, name.as_deref(), file.as_deref()),
        Command::New { name, dir } => new(name, dir.as_ref().or(args.adapters.as_ref())),
        Command::Explain {
            name,
            flow,
            credentials,
            headers,
            at,
            signed,
        } => {
            let adapter = find(&registry, name)?;
            let flow = match flow {
                Some(code) => Flow::from_code(code).with_context(|| {
                    let known = Flow::ALL.map(Flow::code).join(", ");
                    format!("there is no flow {code}; there are {known}")
                })?,
                None => adapter.profile().capability.notice,
            };
            let signed = signed.as_deref().map(read_file).transpose()?;
            let asked = explain::Asked {
                credentials: credentials.as_deref(),
                headers,
                at: *at,
                signed: signed.as_deref(),
            };
            explain::explain(adapter.as_ref(), flow, &asked)
        }
    }
}

fn list(registry: &Registry) -> anyhow::Result<ExitCode> {
    let mut out = String::new();
    for (name, entry) in registry.entries() {
        let profile = entry.adapter.profile();
        let capability = &profile.capability;
        let amounts = match capability.settlement {
            Settlement::Exact | Settlement::ExactHeld | Settlement::Asked => "exact amounts",
            Settlement::Free => "free amounts",
        };
        let mut abilities = vec![capability.notice.code(), amounts];
        for (there, word) in [
            (capability.checkout, "checkout"),
            (capability.query, "query"),
            (capability.refund != RefundSupport::None, "refund"),
            (profile.list.is_some(), "list"),
            (capability.token, "token"),
            (capability.inquiry, "bill inquiry"),
        ] {
            if there {
                abilities.push(word);
            }
        }
        let origin = match &entry.origin {
            Origin::Shipped if entry.is_on() => "shipped".to_owned(),
            Origin::Shipped => "experimental, off".to_owned(),
            Origin::Folder(folder) => folder.display().to_string(),
        };
        writeln!(
            out,
            "{name:<16} {:<40} {} [{origin}]",
            entry.title,
            abilities.join(", "),
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

fn test(registry: &Registry, name: Option<&str>, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => registry
            .entries()
            .map(|(name, _)| name.to_owned())
            .collect(),
    };
    let mut missed = name.is_none() && !registry.faults().is_empty();
    for fault in registry.faults().iter().filter(|_| name.is_none()) {
        eprintln!("left out: {fault}");
    }
    for name in &names {
        let adapter = find(registry, name)?;
        let (text, place) = match file {
            Some(file) => (Cow::Owned(read_file(file)?), file.display().to_string()),
            None => {
                let text = registry
                    .vectors(name)
                    .with_context(|| format!("the vectors of {name} cannot be read"))?
                    .with_context(|| format!("{name} has no vectors.json"))?;
                (text, format!("vectors.json of {name}"))
            }
        };
        let results = kit::run(adapter.as_ref(), &text)
            .with_context(|| format!("{place} is not a vector file"))?;
        if names.len() > 1 {
            print(&format!("{name}\n"))?;
        }
        print(&report(&results)?)?;
        missed |= results.iter().any(|result| result.verdict == Verdict::Miss);
    }
    Ok(if missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn new(name: &str, dir: Option<&PathBuf>) -> anyhow::Result<ExitCode> {
    let files = scaffold::files(name)
        .with_context(|| format!("{name} is no name: a-z, 0-9 and _, at most 32"))?;
    let folder = dir.map_or_else(|| PathBuf::from(name), |dir| dir.join(name));
    if folder.exists() {
        bail!("{} exists already; choose another name", folder.display());
    }
    fs::create_dir_all(folder.parent().unwrap_or(Path::new(".")))
        .and_then(|()| fs::create_dir(&folder))
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    for (file, text) in files {
        let file = folder.join(file);
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let around = folder.parent().filter(|dir| !dir.as_os_str().is_empty());
    print(&format!(
        "Đã tạo {}. Sửa adapter.toml và vectors.json, rồi chạy:\n  hocphi adapters --adapters {} test {name}\n",
        folder.display(),
        around.unwrap_or(Path::new(".")).display(),
    ))?;
    Ok(ExitCode::SUCCESS)
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

fn find(registry: &Registry, name: &str) -> anyhow::Result<Arc<dyn Adapter>> {
    // An experimental one is off for connections, not for looking at it.
    if let Some(entry) = registry.entry(name) {
        return Ok(Arc::clone(&entry.adapter));
    }
    let folder = |fault: &RecipeFault| {
        let file = Path::new(&fault.file);
        let folder = file.parent().filter(|_| file.ends_with("adapter.toml"));
        folder.unwrap_or(file).file_name() == Some(name.as_ref())
    };
    let own: Vec<_> = registry
        .faults()
        .iter()
        .filter(|fault| folder(fault))
        .collect();
    if !own.is_empty() {
        let own: Vec<_> = own.iter().map(ToString::to_string).collect();
        bail!(
            "{name} is left out until this is mended:\n{}",
            own.join("\n")
        );
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
