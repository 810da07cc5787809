//! `hocphi adapters conformance`: every provider shows the same behaviours before the simulated
//! provider, through the real gateway. A green run is recorded with the digest of what was tried;
//! without one a provider cannot be switched on in production.

mod acks;
mod cases;
mod scene;
mod store;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hocphi::clock::Clock;
use hocphi::payments::trust::{Record, Records};
use hocphi_adapters::contract::Standing;
use hocphi_adapters::{Entry, Origin, Registry};
use hocphi_sandbox::Pki;
use hocphi_sandbox::peer::{all, of};

use cases::{NAMES, Verdict};
use scene::Scene;

/// File of records beside the adapters of the program, in its source.
const SHIPPED_RECORDS: &str = "adapters/conformance.toml";

#[derive(Debug, clap::Args)]
pub struct ConformanceArgs {
    /// Providers to try; all that have a simulated peer when left out.
    names: Vec<String>,
    /// Simulated provider to try them against, for folders that describe one under another name.
    #[arg(long, value_name = "PROVIDER")]
    against: Option<String>,
    /// Writes green runs down: beside the adapter in its folder, for shipped ones in
    /// adapters/conformance.toml of the source tree in the current folder.
    #[arg(long)]
    record: bool,
}

/// What one provider showed, met in one way.
struct Run {
    provider: String,
    peer: &'static str,
    verdicts: Vec<(&'static str, Verdict)>,
}

impl Run {
    fn is_green(&self) -> bool {
        self.verdicts
            .iter()
            .all(|(_, verdict)| !matches!(verdict, Verdict::Fail(_)))
    }
}

pub fn run(registry: &Registry, args: &ConformanceArgs) -> Result<ExitCode> {
    let against = args.against.as_deref();
    let names = chosen(registry, &args.names, against)?;
    let runs = crate::cli::runtime()?.block_on(try_all(registry, &names, against))?;
    print!("{}", table(&runs)?);
    let red: BTreeSet<&str> = runs
        .iter()
        .filter(|run| !run.is_green())
        .map(|run| run.provider.as_str())
        .collect();
    if args.record {
        for name in names.iter().filter(|name| !red.contains(name.as_str())) {
            record(registry, name)?;
        }
    }
    Ok(if red.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(registry: &Registry, asked: &[String], against: Option<&str>) -> Result<Vec<String>> {
    if asked.is_empty() {
        let with_peer: BTreeSet<&str> = all().iter().map(|peer| peer.provider()).collect();
        return Ok(registry
            .entries()
            .map(|(name, _)| name.to_owned())
            .filter(|name| with_peer.contains(name.as_str()))
            .collect());
    }
    for name in asked {
        if registry.get(name).is_none() {
            bail!("không có adapter {name}; xem `hocphi adapters list`");
        }
        if of(against.unwrap_or(name)).is_empty() {
            bail!("chưa có bên mô phỏng cho {name}; chọn một bên với --against");
        }
    }
    Ok(asked.to_vec())
}

async fn try_all(registry: &Registry, names: &[String], against: Option<&str>) -> Result<Vec<Run>> {
    let pki = Arc::new(Pki::new(Clock::system().now().unix())?);
    let mut runs = Vec::new();
    for name in names {
        let provider = against.unwrap_or(name);
        for (place, met) in of(provider).iter().enumerate() {
            let mut verdicts = Vec::new();
            // A peer remembers; every scene meets a fresh one.
            let fresh = || of(provider).into_iter().nth(place).context("a peer");
            let scene = Scene::set(registry, name, fresh()?, pki.clone(), true).await?;
            for case in NAMES {
                verdicts.push((case, cases::run(&scene, case).await));
            }
            let sound = match scene.strike().await {
                Ok(()) => Verdict::Pass,
                Err(error) => Verdict::Fail(format!("{error:#}")),
            };
            verdicts.push(("the books are sound afterwards", sound));
            let scene = Scene::set(registry, name, fresh()?, pki.clone(), false).await?;
            verdicts.push((
                "our own trouble makes it come again",
                cases::trouble(&scene).await,
            ));
            runs.push(Run {
                provider: name.clone(),
                peer: met.name(),
                verdicts,
            });
        }
    }
    Ok(runs)
}

fn table(runs: &[Run]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for run in runs {
        let count = |wanted: fn(&Verdict) -> bool| {
            run.verdicts
                .iter()
                .filter(|(_, verdict)| wanted(verdict))
                .count()
        };
        writeln!(
            out,
            "{:<18} {:<18} {:>2} pass, {:>2} not tried, {:>2} FAIL",
            run.provider,
            run.peer,
            count(|verdict| *verdict == Verdict::Pass),
            count(|verdict| *verdict == Verdict::NotTried),
            count(|verdict| matches!(verdict, Verdict::Fail(_))),
        )?;
        for (case, verdict) in &run.verdicts {
            match verdict {
                Verdict::Pass => writeln!(out, "    pass  {case}")?,
                Verdict::NotTried => writeln!(out, "    -     {case}")?,
                Verdict::Fail(why) => writeln!(out, "    FAIL  {case}: {why}")?,
            }
        }
    }
    Ok(out)
}

/// Writes down that this very description passed.
fn record(registry: &Registry, name: &str) -> Result<()> {
    let entry = find(registry, name)?;
    let file = records_file(&entry.origin)?;
    let mut records = match std::fs::read_to_string(&file) {
        Ok(text) => Records::parse(&text).with_context(|| file.display().to_string())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Records::default(),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    records.put(Record {
        provider: name.to_owned(),
        digest: entry.digest.clone(),
        day: Clock::system().today().iso(),
    });
    std::fs::write(&file, records.to_text()?).with_context(|| file.display().to_string())?;
    println!("{name}: ghi kết quả vào {}", file.display());
    if entry.adapter.profile().standing == Standing::Experimental {
        println!("{name}: còn là thử nghiệm, chỉ bật khi cấu hình nêu tên");
    }
    Ok(())
}

fn records_file(origin: &Origin) -> Result<PathBuf> {
    match origin {
        Origin::Folder(folder) => Ok(folder.join("conformance.toml")),
        Origin::Shipped => {
            let file = Path::new(SHIPPED_RECORDS);
            if !file.parent().is_some_and(Path::is_dir) {
                bail!("hãy chạy trong thư mục mã nguồn để ghi kết quả của adapter kèm sẵn");
            }
            Ok(file.to_owned())
        }
    }
}

fn find<'r>(registry: &'r Registry, name: &str) -> Result<&'r Entry> {
    registry
        .entries()
        .find(|(known, _)| *known == name)
        .map(|(_, entry)| entry)
        .with_context(|| format!("không có adapter {name}"))
}
