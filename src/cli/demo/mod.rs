//! `hocphi demo`: a province with its schools, banks and tax authority on this machine.

mod proof;
pub mod stage;
mod story;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;

use proof::Verdict;
use stage::{Plan, Stage};
use story::Told;

/// How long invoices may take to be issued and coded after the last payment.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Says that a folder's files are those of a demonstration and may be replaced by the next one.
const MARK: &str = ".hocphi-demo";

/// Families of each school that paid at the counter before the demonstration opens.
const CASH_FAMILIES: i64 = 5;

/// Trình diễn: một tỉnh với trường, ngân hàng, VNPAY và cơ quan thuế giả lập trên máy này.
///
/// Without options it opens the gateway for a browser and prints links and logins. With --headless
/// it plays the same story through HTTP alone, checks every invariant and exits non-zero if one fails.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Play the story without a browser, check the invariants, print a summary, end.
    #[arg(long)]
    headless: bool,
    /// How many payments the story makes.
    #[arg(long, default_value_t = 500, requires = "headless")]
    payments: usize,
    /// Seed of the story's chances; the same seed makes the same plan.
    #[arg(long, default_value_t = 1, requires = "headless")]
    seed: u64,
    /// Where the database, every invoice and summary.json are left. What an earlier run of the
    /// demonstration left there is replaced.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// An empty database instead of a new embedded one, e.g. postgres://USER@HOST/NAME.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Address of the gateway; the sandbox takes the next port.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub fn run(args: Args) -> Result<ExitCode> {
    super::runtime()?.block_on(async {
        if args.headless {
            headless(args).await
        } else {
            interactive(args).await
        }
    })
}

/// Where a run keeps its files; a temporary folder ends with the run.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn open(out: Option<PathBuf>, otherwise: Option<&str>) -> Result<Self> {
        let (path, temporary) = match (out, otherwise) {
            (Some(path), _) => (path, false),
            (None, Some(name)) => (PathBuf::from(name), false),
            (None, None) => {
                let name = format!("hocphi-demo-{}", std::process::id());
                (std::env::temp_dir().join(name), true)
            }
        };
        std::fs::create_dir_all(&path)
            .with_context(|| format!("không tạo được thư mục {}", path.display()))?;
        // Only what a demonstration left is replaced: an installation has no such mark.
        let mark = path.join(MARK);
        let left = [
            "hocphi.db",
            "hocphi.db-wal",
            "hocphi.db-shm",
            "summary.json",
            "master.key",
        ];
        if !mark.exists()
            && let Some(name) = left
                .iter()
                .chain(&["invoices"])
                .find(|name| path.join(name).exists())
        {
            bail!(
                "{} có sẵn {name}, không phải của bản trình diễn: hãy chọn thư mục khác",
                path.display()
            );
        }
        std::fs::write(&mark, "hocphi demo\n")?;
        for name in left {
            remove(&path.join(name))?;
        }
        let invoices = path.join("invoices");
        if invoices.is_dir() {
            std::fs::remove_dir_all(&invoices)?;
        }
        Ok(Self { path, temporary })
    }

    fn database_url(&self) -> String {
        format!("sqlite://{}", self.path.join("hocphi.db").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, folder = %self.path.display(), "temporary folder stays");
        }
    }
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("không thay được {}", file.display()))
        }
        _ => Ok(()),
    }
}

async fn interactive(args: Args) -> Result<ExitCode> {
    let folder = Folder::open(args.out, Some("hocphi-demo"))?;
    let database_url = args.database_url.unwrap_or_else(|| folder.database_url());
    println!("Đang nạp tỉnh minh họa …");
    let mut sandbox = args.listen;
    if sandbox.port() != 0 {
        sandbox.set_port(sandbox.port().wrapping_add(1));
    }
    let stage = Stage::set(Plan {
        database_url: &database_url,
        master_key_file: &folder.path.join("master.key"),
        gateway: args.listen,
        sandbox,
        seed: args.seed,
    })
    .await?;
    stage.take_cash(CASH_FAMILIES).await?;
    print_welcome(&stage);
    tokio::signal::ctrl_c().await?;
    println!("Đang đóng …");
    stage.strike().await?;
    Ok(ExitCode::SUCCESS)
}

fn print_welcome(stage: &Stage) {
    let base = &stage.base_url;
    println!(
        "\nhocphi đang chạy tại {base} với {} trường, {} học sinh, {} phiếu thu.\n",
        stage.schools,
        stage.pupils,
        stage.bills.len()
    );
    println!("Phụ huynh (không cần tài khoản)");
    for bill in stage
        .bills
        .iter()
        .step_by(stage.bills.len().max(3) / 3)
        .take(3)
    {
        println!("  {base}/b/{}    mã phiếu thu {}", bill.token, bill.code);
    }
    println!("\nNhà trường và cơ quan quản lý: {base}/dang-nhap");
    for login in &stage.logins {
        println!("  {:<24} {:<14} {}", login.login, login.password, login.who);
    }
    println!(
        "\nNgân hàng giả lập: {}/bank/   VNPAY và cơ quan thuế giả lập: cùng cổng",
        stage.sandbox.base_url
    );
    println!("Dừng: Ctrl+C");
}

async fn headless(args: Args) -> Result<ExitCode> {
    let folder = Folder::open(args.out, None)?;
    let database_url = args.database_url.unwrap_or_else(|| folder.database_url());
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let begun = Instant::now();
    let stage = Arc::new(
        Stage::set(Plan {
            database_url: &database_url,
            master_key_file: &folder.path.join("master.key"),
            gateway: any_port,
            sandbox: any_port,
            seed: args.seed,
        })
        .await?,
    );
    let set_up = begun.elapsed();
    let begun = Instant::now();
    let told = story::play(stage.clone(), args.payments, args.seed).await?;
    let played = begun.elapsed();
    stage.settle_down(SETTLE_TIMEOUT).await?;
    let settled = begun.elapsed();
    let invoices = folder.path.join("invoices");
    let issued = proof::export(&stage.app, &invoices).await?;
    let verdicts = proof::check(&stage.app, &stage.sandbox, &told, &invoices).await?;
    let summary = summary(&stage, &told, &verdicts, issued, [set_up, played, settled]).await?;
    std::fs::write(
        folder.path.join("summary.json"),
        serde_json::to_string_pretty(&summary)? + "\n",
    )?;
    print_summary(&told, &verdicts, &summary);
    let stage = Arc::try_unwrap(stage).map_err(|_| anyhow::anyhow!("the stage is still in use"))?;
    stage.strike().await?;
    Ok(if verdicts.iter().all(Verdict::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn summary(
    stage: &Stage,
    told: &Told,
    verdicts: &[Verdict],
    issued: usize,
    [set_up, played, settled]: [Duration; 3],
) -> Result<serde_json::Value> {
    let sums = hocphi::payments::check::totals(&stage.app.db).await?;
    let acts: serde_json::Map<String, serde_json::Value> = told
        .acts
        .iter()
        .map(|(act, count)| (format!("{act:?}"), (*count).into()))
        .collect();
    Ok(serde_json::json!({
        "database": format!("{:?}", stage.app.db.engine()).to_lowercase(),
        "schools": stage.schools,
        "pupils": stage.pupils,
        "bills": stage.bills.len(),
        "acts": acts,
        "faults": {
            "repeated": told.faults.repeated.load(Ordering::Relaxed),
            "reordered": told.faults.reordered.load(Ordering::Relaxed),
            "forged": told.faults.forged.load(Ordering::Relaxed),
        },
        "payments": sums.payments,
        "money_in": sums.money_in,
        "settled": sums.settled,
        "credits": sums.credits,
        "suspense": sums.suspense,
        "invoices": issued,
        "milliseconds": {
            "set_up": set_up.as_millis() as u64,
            "payments": played.as_millis() as u64,
            "until_every_invoice_is_coded": settled.as_millis() as u64,
        },
        "invariants": verdicts,
        "ok": verdicts.iter().all(Verdict::holds),
    }))
}

fn print_summary(told: &Told, verdicts: &[Verdict], summary: &serde_json::Value) {
    println!("\nViệc đã diễn");
    for (act, count) in &told.acts {
        println!("  {count:>6}  {}", act.label());
    }
    println!(
        "  {:>6}  thông báo gửi lặp, {} đảo thứ tự, {} giả mạo",
        told.faults.repeated.load(Ordering::Relaxed),
        told.faults.reordered.load(Ordering::Relaxed),
        told.faults.forged.load(Ordering::Relaxed)
    );
    println!(
        "\nSổ sách ({})",
        summary["database"].as_str().unwrap_or_default()
    );
    for (name, label) in [
        ("payments", "khoản thu"),
        ("money_in", "đã thu"),
        ("settled", "gạch nợ"),
        ("credits", "ghi có học sinh"),
        ("suspense", "treo chờ xử lý"),
        ("invoices", "hóa đơn"),
    ] {
        let value = summary[name].as_i64().unwrap_or(0);
        let shown = if matches!(name, "payments" | "invoices") {
            value.to_string()
        } else {
            hocphi::money::Vnd::new(value).to_string()
        };
        println!("  {label:<18} {shown:>20}");
    }
    println!("\nBất biến");
    for verdict in verdicts {
        let state = match (&verdict.skipped, verdict.holds()) {
            (Some(_), _) => "BỎ QUA",
            (None, true) => "ĐẠT",
            (None, false) => "SAI",
        };
        println!("  {state:<7} {:>6}  {}", verdict.checked, verdict.invariant);
        if let Some(reason) = &verdict.skipped {
            println!("                  {reason}");
        }
        for fault in verdict.faults.iter().take(10) {
            println!("                  {fault}");
        }
        if verdict.faults.len() > 10 {
            println!(
                "                  … và {} lỗi nữa",
                verdict.faults.len() - 10
            );
        }
    }
}
