//! `hocphi ledger check`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args as ClapArgs;
use hocphi::clock::Clock;
use hocphi::ledger::{self, check::Extent};
use hocphi::money::Vnd;
use hocphi::soundness::{self, Finding, Options, Report, advice};
use hocphi::store::Db;

use super::Books;

/// Findings of one kind that are printed; `--json` has all.
const SHOWN_PER_CODE: usize = 20;

/// Tính lại mọi số liệu từ nhật ký và so với những gì đã lưu; có điểm sai thì thoát với mã 1.
///
/// Reads one moment beside running nodes, also on a standby, and changes nothing but the checkpoints
/// from which the next check goes on. Entries and archived files that were proven before a checkpoint are
/// not looked at again: a full check is due regularly. Where there is no master key, everything but the keyed digests is derived
/// again, and the report says so.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    books: Books,
    /// Look at every entry, whatever was checked before.
    #[arg(long)]
    full: bool,
    /// The journal alone, without bills, credits, invoices, archived files and jobs.
    #[arg(long)]
    journal_only: bool,
    /// As if there were no master key here.
    #[arg(long, conflicts_with_all = ["master_key_file", "former_master_key_file"])]
    without_key: bool,
    /// Write no checkpoints. A standby is never written to.
    #[arg(long)]
    no_checkpoint: bool,
    /// Write checkpoints here instead: the primary, when a standby is checked.
    #[arg(long, value_name = "URL", hide_env_values = true)]
    checkpoint_url: Option<String>,
    /// Readers at the same time; by default one a processor.
    #[arg(long)]
    readers: Option<usize>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Result<ExitCode> {
    let keys = if args.without_key {
        None
    } else {
        args.books.keys_if_there()?
    };
    let is_keyed = keys.is_some();
    let db = args.books.reader().await?;
    let readers = args
        .readers
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    let options = Options {
        keys: keys.clone(),
        extent: if args.full {
            Extent::Full
        } else {
            Extent::Incremental
        },
        readers: readers.clamp(1, 8),
        journal_only: args.journal_only,
    };
    let report = soundness::check(&db, &options).await?;
    if let Some(keys) = keys.filter(|_| !args.no_checkpoint) {
        let url = match &args.checkpoint_url {
            Some(url) => Some(url.clone()),
            None if is_standby(&db).await? => None,
            None => Some(args.books.config()?.database.url),
        };
        if let Some(url) = url {
            let primary = Db::open_existing(&url).await?;
            let now = Clock::system().now();
            ledger::check::keep(&primary, &keys, &report.verified, now).await?;
            primary.close().await;
        }
    }
    db.close().await;
    if args.json {
        println!("{}", as_json(&report, is_keyed));
    } else {
        print(&report, is_keyed, args.journal_only);
    }
    Ok(if report.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn is_standby(db: &Db) -> Result<bool> {
    let (standby,): (bool,) = db
        .sql_by_engine("SELECT FALSE", "SELECT pg_is_in_recovery()")
        .one()
        .await?;
    Ok(standby)
}

fn as_json(report: &Report, is_keyed: bool) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let advice = advice(finding.code);
            serde_json::json!({
                "school": finding.school, "code": finding.code, "entry": finding.entry,
                "detail": finding.detail, "meaning": advice.meaning,
                "what_to_do": advice.what_to_do,
            })
        })
        .collect();
    serde_json::json!({
        "schools": report.schools, "entries": report.entries, "lines": report.lines,
        "unkeyed": report.unkeyed, "below_checkpoints": report.below_checkpoints,
        "keyed_digests_proven": is_keyed,
        "payments": report.totals.payments, "money_in": report.totals.money_in,
        "files": report.files,
        "findings": findings,
    })
}

fn print(report: &Report, is_keyed: bool, journal_only: bool) {
    let mut by_code: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_code.entry(finding.code).or_default().push(finding);
    }
    for (code, findings) in &by_code {
        let advice = advice(code);
        println!("{code}: {}", advice.meaning);
        for finding in findings.iter().take(SHOWN_PER_CODE) {
            let place = finding
                .entry
                .map_or(String::new(), |entry| format!("bút toán {entry}: "));
            println!("  {}  {place}{}", finding.school, finding.detail);
        }
        if findings.len() > SHOWN_PER_CODE {
            println!("  … và {} điểm nữa", findings.len() - SHOWN_PER_CODE);
        }
        println!("  Việc cần làm: {}", advice.what_to_do);
    }
    if report.unkeyed > 0 {
        println!(
            "{} bút toán của phiên bản đầu không có dấu khóa; con số này không bao giờ được tăng",
            report.unkeyed
        );
    }
    if report.below_checkpoints > 0 {
        println!(
            "{} bút toán đã kiểm tra lần trước không được đọc lại (--full đọc lại tất cả)",
            report.below_checkpoints
        );
    }
    if !is_keyed {
        println!("Không có khóa chủ: dấu khóa của bút toán chưa được kiểm tra");
    }
    let of_payments = if journal_only {
        String::new()
    } else {
        format!(
            ", {} khoản thu {}, {} tệp của kho lưu trữ",
            report.totals.payments,
            Vnd::new(report.totals.money_in),
            report.files,
        )
    };
    println!(
        "{} trường, {} bút toán, {} dòng{of_payments}: {}",
        report.schools,
        report.entries,
        report.lines,
        match report.findings.len() {
            0 => "sổ đúng".to_owned(),
            count => format!("{count} điểm sai"),
        }
    );
}
