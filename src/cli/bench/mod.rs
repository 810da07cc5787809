//! `hocphi bench`: figures beside the baseline of the same run.

mod callbacks;
mod cluster;
mod gateway;
mod invoices;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use cluster::Cluster;

/// Đo hiệu năng, in cạnh số đối chiếu của cùng lần chạy.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Callbacks made durable and posted beside pgbench, signed invoices beside openssl, cold start,
    /// memory.
    FirstLight {
        /// How long each baseline and each signing loop runs.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Providers that call at the same time.
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Bills that are paid on each engine.
        #[arg(long, default_value_t = 12_000)]
        payments: usize,
        /// An existing cluster (postgres://USER@HOST:PORT, may create databases) instead of a
        /// private one with PostgreSQL's default durability.
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
}

/// One measured figure.
#[derive(Debug, serde::Serialize)]
struct Figure {
    name: String,
    value: u64,
    unit: &'static str,
    /// What it is compared with, of the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
}

#[derive(Debug, serde::Serialize)]
struct Baseline {
    name: String,
    value: u64,
    /// Hundredths: 150 is one and a half times the baseline.
    ratio_percent: u64,
}

impl Figure {
    fn new(name: impl Into<String>, value: u64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            baseline: None,
        }
    }

    fn beside(mut self, name: impl Into<String>, value: u64) -> Self {
        self.baseline = Some(Baseline {
            name: name.into(),
            value,
            ratio_percent: (self.value * 100).checked_div(value).unwrap_or(0),
        });
        self
    }
}

pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Invoices(args) => invoices::run(&args),
        What::FirstLight {
            seconds,
            connections,
            payments,
            postgres_url,
            folder,
            json,
        } => super::runtime()?.block_on(async {
            let seconds = Duration::from_secs(seconds.max(1));
            let figures = first_light(seconds, connections, payments, postgres_url, folder).await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&figures)?);
            } else {
                print(&figures);
            }
            Ok(ExitCode::SUCCESS)
        }),
    }
}

async fn first_light(
    seconds: Duration,
    connections: usize,
    payments: usize,
    postgres_url: Option<String>,
    folder: Option<PathBuf>,
) -> Result<Vec<Figure>> {
    let base = folder.unwrap_or_else(std::env::temp_dir);
    let folder = Scratch::new(base.join(format!("hocphi-bench-{}", std::process::id())))?;
    let cluster = Cluster::start(postgres_url, &folder.0)?;
    eprintln!("pgbench …");
    let (clients, transactions) = cluster.pgbench(seconds)?;
    let baseline = format!("pgbench tpcb-like, {clients} máy khách");
    let mut figures = Vec::new();
    let sqlite = format!("sqlite://{}", folder.0.join("hocphi.db").display());
    let postgres = cluster.database("hocphi")?;
    for (engine, url) in [("SQLite FULL", sqlite), ("PostgreSQL", postgres)] {
        eprintln!("{engine}: nạp dữ liệu và phát hành phiếu thu …");
        let measured = callbacks::measure(&url, &folder.0, connections, payments).await?;
        figures.push(
            Figure::new(
                format!("{engine}: thông báo được ghi bền và hạch toán"),
                measured.per_second,
                "/s",
            )
            .beside(&baseline, transactions),
        );
        for (name, value) in [
            ("độ trễ p50", measured.p50_micros),
            ("độ trễ p99", measured.p99_micros),
            (
                "khởi động lạnh đến câu trả lời đầu",
                measured.cold_start_micros,
            ),
        ] {
            figures.push(Figure::new(format!("{engine}: {name}"), value, "µs"));
        }
        figures.push(Figure::new(
            format!("{engine}: bộ nhớ thường trú khi tải"),
            measured.resident_kib,
            "KiB",
        ));
    }
    eprintln!("chữ ký …");
    let (openssl, signed) = invoices::first_light(seconds)?;
    for (lines, per_second) in signed {
        figures.push(
            Figure::new(
                format!("hóa đơn {lines} dòng ký trên một lõi"),
                per_second,
                "/s",
            )
            .beside("openssl speed rsa2048", openssl),
        );
    }
    Ok(figures)
}

fn print(figures: &[Figure]) {
    println!(
        "{:<52} {:>10}      {:<36} {:>8}  {:>6}",
        "số đo", "giá trị", "đối chiếu", "", "tỷ lệ"
    );
    for figure in figures {
        print!(
            "{:<52} {:>10} {:<4}",
            figure.name, figure.value, figure.unit
        );
        if let Some(baseline) = &figure.baseline {
            print!(
                " {:<36} {:>8}  {:>3},{:02}",
                baseline.name,
                baseline.value,
                baseline.ratio_percent / 100,
                baseline.ratio_percent % 100
            );
        }
        println!();
    }
}

/// A folder that ends with the run.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(&path)?;
        // The database server runs as another user.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "temporary folder stays");
        }
    }
}
