//! `hocphi jobs`: what waits to be done, what was given up, and doing it again.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use hocphi::clock::Clock;
use hocphi::ids::{Ids, JobId};
use hocphi::jobs::{self, Listed, State, Which};
use hocphi::store::{Db, Tx};

/// Việc chờ làm sau mỗi giao dịch: phát hành, gửi và nhận kết quả hóa đơn; việc hỏng cần người xem.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// `sqlite://FILE` or `postgres://USER@HOST/NAME`.
    #[arg(
        long,
        global = true,
        env = "HOCPHI_DATABASE_URL",
        default_value = "sqlite://hocphi-data/hocphi.db",
        hide_env_values = true
    )]
    database_url: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Dead letters, longest dead first; with --waiting what is still tried. Exits with 1 when there
    /// are dead letters, so that a monitor can call it.
    List {
        #[arg(long)]
        waiting: bool,
        /// For example `invoice.send`.
        #[arg(long)]
        kind: Option<String>,
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Everything known about one job.
    Show { job: String },
    /// Makes dead letters due again, with all attempts before them. Handlers are idempotent: what was
    /// done already is not done twice.
    Retry {
        /// One of these, or --all.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        jobs: Vec<String>,
        #[arg(long)]
        all: bool,
        /// With --all: only of this kind.
        #[arg(long, requires = "all")]
        kind: Option<String>,
        /// Who wants it; kept with every job that is done again.
        #[arg(long, env = "USER", default_value = "-")]
        by: String,
    },
}

pub fn run(args: Args) -> Result<ExitCode> {
    super::runtime()?.block_on(async {
        let db = Db::open_existing(&args.database_url).await?;
        let done = match args.action {
            Action::List {
                waiting,
                kind,
                limit,
                json,
            } => list(&db, waiting, kind.as_deref(), limit, json).await,
            Action::Show { job } => show(&db, job).await,
            Action::Retry {
                jobs,
                all: _,
                kind,
                by,
            } => retry(&db, jobs, kind, &by).await,
        };
        db.close().await;
        done
    })
}

async fn list(
    db: &Db,
    waiting: bool,
    kind: Option<&str>,
    limit: i64,
    json: bool,
) -> Result<ExitCode> {
    let state = if waiting { State::Ready } else { State::Dead };
    let found = jobs::list(db, state, kind, limit).await?;
    for job in &found {
        if json {
            println!("{}", serde_json::to_string(job)?);
        } else {
            println!(
                "{}  {:<16} {}  {}  {} lần  {}",
                job.job_id,
                job.kind,
                job.run_at.shown(),
                job.subject,
                job.attempts,
                job.last_error.as_deref().unwrap_or_default()
            );
        }
    }
    if !json {
        let what = if waiting {
            "việc đang chờ"
        } else {
            "việc hỏng"
        };
        println!("{} {what}", found.len());
    }
    Ok(if waiting || found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn show(db: &Db, job: String) -> Result<ExitCode> {
    let job = jobs::find(db, &JobId::new(job.clone()))
        .await?
        .with_context(|| format!("không có việc {job}: có thể đã làm xong"))?;
    let Listed {
        job_id,
        school_id,
        kind,
        subject,
        state,
        run_at,
        attempts,
        leased_until,
        last_error,
    } = job;
    println!("việc        {job_id}\nloại        {kind}\ntrường      {school_id}");
    println!("đối tượng   {subject}\ntrạng thái  {state}\nđã thử      {attempts} lần");
    match state {
        State::Ready => println!("đến hạn     {}", run_at.shown()),
        State::Dead => println!("dừng lúc    {}", run_at.shown()),
    }
    if let Some(until) = leased_until {
        println!("đang làm    đến {}", until.shown());
    }
    if let Some(error) = last_error {
        println!("lỗi cuối    {error}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry(db: &Db, jobs: Vec<String>, kind: Option<String>, by: &str) -> Result<ExitCode> {
    let (ids, now) = (Ids::from_system(), Clock::system().now());
    let by = format!("hocphi jobs: {by}");
    let wanted = jobs.len() as u64;
    let done = db
        .write("jobs.replay", async move |tx: &mut Tx| {
            if jobs.is_empty() {
                let which = Which {
                    kind: kind.clone(),
                    ..Which::default()
                };
                return jobs::replay(tx, &ids, &which, &by, now).await;
            }
            let mut done = 0;
            for job in &jobs {
                let which = Which {
                    job: Some(JobId::new(job.clone())),
                    ..Which::default()
                };
                done += jobs::replay(tx, &ids, &which, &by, now).await?;
            }
            Ok(done)
        })
        .await?;
    println!("{done} việc được làm lại");
    if done < wanted {
        bail!("{} việc không có, hoặc không phải việc hỏng", wanted - done);
    }
    Ok(ExitCode::SUCCESS)
}
