//! `hocphi crash`: real gateways under load, and what happens to their surroundings: killed at random
//! moments, databases that stop, servers that take over, disks that are full or take no writes, clocks
//! that are hours apart. Afterwards every payment that was acknowledged must be in the books once.
//!
//! The load keeps its own record of what the gateway acknowledged, written down as the answers come,
//! and [`verify`] compares it with the tables by SQL. A scenario is a function in one of the files
//! beside this one and a line in [`SCENARIOS`].

mod clock;
mod disk;
mod invoices;
mod kill;
mod load;
mod node;
mod outage;
mod scene;
mod server;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args as ClapArgs;

use verify::Report;

/// Thử sập: cổng thanh toán thật bị giết, mất CSDL, đầy đĩa, lệch giờ, trong khi tiền đang vào.
///
/// Prints one line for each scenario and database and exits non-zero when anything acknowledged was
/// lost or doubled, a number is missing, or the books do not agree. Needs PostgreSQL's programs on
/// the machine; it starts private servers with PostgreSQL's own durability.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// How often a gateway is killed, on each database.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// One of kill, invoices, drain, nodes, outage, failover, disk-full, read-only, clock; or all.
    #[arg(long, default_value = "kill")]
    scenario: String,
    /// Collections that the scenario `invoices` waits for at least.
    #[arg(long, default_value_t = 60)]
    invoices: usize,
    /// sqlite, postgres, or both.
    #[arg(long, default_value = "both")]
    database: String,
    /// Seed of the moments of killing and of the payments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where databases, logs and the record of acknowledgements are left; a temporary folder is
    /// removed when everything holds.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print reports as JSON lines.
    #[arg(long)]
    json: bool,
}

/// The database of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

const SCENARIOS: [(&str, &[Engine]); 9] = [
    ("kill", &[Engine::Sqlite, Engine::Postgres]),
    ("invoices", &[Engine::Sqlite, Engine::Postgres]),
    ("drain", &[Engine::Sqlite, Engine::Postgres]),
    ("nodes", &[Engine::Postgres]),
    ("outage", &[Engine::Postgres]),
    ("failover", &[Engine::Postgres]),
    ("disk-full", &[Engine::Sqlite, Engine::Postgres]),
    ("read-only", &[Engine::Sqlite, Engine::Postgres]),
    ("clock", &[Engine::Sqlite, Engine::Postgres]),
];

pub fn run(args: Args) -> Result<ExitCode> {
    let chosen: Vec<_> = SCENARIOS
        .into_iter()
        .filter(|(name, _)| args.scenario == "all" || args.scenario == *name)
        .collect();
    if chosen.is_empty() {
        bail!("không có kịch bản {:?}; xem --help", args.scenario);
    }
    if !["sqlite", "postgres", "both"].contains(&args.database.as_str()) {
        bail!("--database là sqlite, postgres hoặc both");
    }
    let (folder, temporary) = match &args.out {
        Some(folder) => (folder.clone(), false),
        None => {
            let name = format!("hocphi-crash-{}", std::process::id());
            (std::env::temp_dir().join(name), true)
        }
    };
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    server::let_everybody_pass(&folder)?;
    let all_hold = super::runtime()?.block_on(async {
        let mut all_hold = true;
        if !args.json {
            println!("{}", Report::HEADER);
        }
        for (name, engines) in chosen {
            for engine in engines {
                if args.database != "both" && args.database != engine.name() {
                    continue;
                }
                let folder = folder.join(format!("{name}-{}", engine.name()));
                std::fs::create_dir(&folder)?;
                server::let_everybody_pass(&folder)?;
                let told = Told {
                    name,
                    engine: *engine,
                    folder,
                    kills: args.kills,
                    invoices: args.invoices,
                    seed: args.seed,
                };
                let report = play(&told).await?;
                all_hold &= report.holds();
                if args.json {
                    println!("{}", serde_json::to_string(&report)?);
                } else {
                    print!("{report}");
                }
            }
        }
        anyhow::Ok(all_hold)
    })?;
    if temporary && all_hold {
        std::fs::remove_dir_all(&folder)?;
    } else if !args.json {
        println!("Dữ liệu và nhật ký: {}", folder.display());
    }
    Ok(if all_hold {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a scenario is told.
pub struct Told {
    pub name: &'static str,
    pub engine: Engine,
    /// Its own.
    pub folder: PathBuf,
    pub kills: u32,
    /// Collections that a scenario about invoices waits for at least.
    pub invoices: usize,
    pub seed: u64,
}

async fn play(told: &Told) -> Result<Report> {
    match told.name {
        "kill" => kill::kill(told).await,
        "invoices" => invoices::invoices(told).await,
        "drain" => kill::drain(told).await,
        "nodes" => kill::nodes(told).await,
        "outage" => outage::immediate(told).await,
        "failover" => outage::failover(told).await,
        "disk-full" => disk::full(told).await,
        "read-only" => disk::read_only(told).await,
        _ => clock::skew(told).await,
    }
}
