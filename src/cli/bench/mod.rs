//! `hocphi bench`: figures beside the baseline of the same run, and whether they reach their target.

mod adapters;
mod books;
mod callbacks;
pub(in crate::cli) mod cluster;
mod figures;
mod gateway;
mod invoices;
mod ledger;
mod load;
mod rates;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use cluster::Cluster;
use figures::{Figure, Scratch, report};

/// Đo hiệu năng, in cạnh số đối chiếu của cùng lần chạy; mã thoát khác 0 khi không đạt.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Verified callbacks a second of one core's time of each provider, beside the bare digest over the
    /// same bytes and, with --sdk, beside the public Node packages.
    Adapters {
        /// How long each figure is measured, in rounds in which all of a provider take turns.
        #[arg(long, default_value_t = 2)]
        seconds: u64,
        /// Folder with `node_modules/vnpay` and `node_modules/@payos/node` (npm install vnpay
        /// @payos/node).
        #[arg(long, value_name = "DIR")]
        sdk: Option<PathBuf>,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Bank credits over HTTP, verified, posted and durable, beside pgbench of the same cluster; the
    /// load generator runs on the same cores.
    Callbacks {
        #[command(flatten)]
        size: callbacks::Size,
        /// How long each baseline runs for each number of clients.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Only this engine.
        #[arg(long, value_enum)]
        engine: Option<Engine>,
        /// An existing cluster (postgres://USER@HOST:PORT, a superuser) instead of a
        /// private one configured as docs/operations.md recommends.
        #[arg(long, value_name = "URL")]
        postgres_url: Option<String>,
        /// Folder for databases; put it on the disk that is to be measured.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    Invoices(invoices::InvoicesArgs),
    Ledger(ledger::LedgerArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Adapters { seconds, sdk, json } => {
            adapters::run(Duration::from_secs(seconds.max(1)), sdk.as_deref(), json)
        }
        What::Invoices(args) => invoices::run(&args),
        What::Ledger(args) => ledger::run(args),
        What::Callbacks {
            size,
            seconds,
            engine,
            postgres_url,
            folder,
            json,
        } => {
            let seconds = Duration::from_secs(seconds.max(1));
            let measured = measure_callbacks(size, seconds, engine, postgres_url, folder);
            report(&super::runtime()?.block_on(measured)?, json)
        }
    }
}

async fn measure_callbacks(
    size: callbacks::Size,
    seconds: Duration,
    engine: Option<Engine>,
    postgres_url: Option<String>,
    folder: Option<PathBuf>,
) -> Result<Vec<Figure>> {
    let folder = Scratch::inside(folder)?;
    let cluster = Cluster::start(postgres_url, folder.path())?;
    eprintln!("pgbench …");
    let (clients, transactions) = cluster.pgbench(seconds)?;
    let mut measured = Vec::new();
    for (one, name, times) in [
        (Engine::Sqlite, "SQLite FULL", 300),
        (Engine::Postgres, "PostgreSQL", 200),
    ] {
        if engine.is_some_and(|chosen| chosen != one) {
            continue;
        }
        let url = match one {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("hocphi.db").display()),
            Engine::Postgres => cluster.database("hocphi")?,
        };
        eprintln!("{name}: nạp dữ liệu và thanh toán …");
        let figures = callbacks::measure(&url, folder.path(), size).await?;
        measured.push((name, times, figures));
    }
    // The machine may have become slower or faster meanwhile: the baseline is the mean of both ends.
    eprintln!("pgbench …");
    let again = cluster.pgbench_at(clients, seconds)?;
    let baseline = u64::midpoint(transactions, again);
    let mut figures = vec![
        Figure::new(
            format!("pgbench tpcb-like, {clients} máy khách, lúc đầu"),
            transactions,
            "/s",
        ),
        Figure::new("pgbench, lúc cuối", again, "/s"),
    ];
    for (name, times, one) in measured {
        figures.extend(one.figures(name, baseline, times));
    }
    Ok(figures)
}
