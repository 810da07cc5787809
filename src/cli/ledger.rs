//! `hocphi ledger check`: everything the books claim, derived again.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use hocphi::store::Db;
use hocphi::{invoices, ledger, payments};

/// Kiểm tra sổ: chuỗi bút toán, số dư, gạch nợ, ghi có, treo, hóa đơn.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Derive balances again, verify every chain, compare every stored projection. Exits with 1
    /// when something does not agree.
    Check {
        /// `sqlite://FILE` or `postgres://USER@HOST/NAME`.
        #[arg(
            long,
            env = "HOCPHI_DATABASE_URL",
            default_value = "sqlite://hocphi-data/hocphi.db"
        )]
        database_url: String,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: Args) -> Result<ExitCode> {
    let Action::Check { database_url, json } = args.action;
    super::runtime()?.block_on(check(&database_url, json))
}

async fn check(database_url: &str, json: bool) -> Result<ExitCode> {
    let db = Db::open_existing(database_url).await?;
    let report = ledger::check::run(&db).await?;
    let totals = payments::check::totals(&db).await?;
    let mut findings: Vec<(String, &'static str, String)> = report
        .findings
        .iter()
        .map(|finding| {
            let place = finding
                .seq
                .map_or(String::new(), |seq| format!("bút toán {seq}: "));
            (
                finding.school_id.to_string(),
                finding.code,
                format!("{place}{}", finding.detail),
            )
        })
        .collect();
    findings.extend(
        payments::check::run(&db)
            .await?
            .into_iter()
            .map(|finding| (finding.school_id.to_string(), finding.code, finding.subject)),
    );
    findings.extend(
        invoices::check::run(&db)
            .await?
            .into_iter()
            .map(|finding| (finding.school_id.to_string(), finding.code, finding.subject)),
    );
    if totals.money_in != totals.settled + totals.credits + totals.suspense {
        findings.push((
            "*".into(),
            "money_lost",
            format!(
                "đã thu {} khác gạch nợ {} + ghi có {} + treo {}",
                totals.money_in, totals.settled, totals.credits, totals.suspense
            ),
        ));
    }
    db.close().await;
    if json {
        let findings: Vec<_> = findings
            .iter()
            .map(|(school, code, detail)| {
                serde_json::json!({ "school": school, "code": code, "detail": detail })
            })
            .collect();
        println!(
            "{}",
            serde_json::json!({
                "schools": report.schools, "entries": report.entries, "lines": report.lines,
                "payments": totals.payments, "money_in": totals.money_in,
                "findings": findings,
            })
        );
    } else {
        for (school, code, detail) in &findings {
            println!("{school}  {code}  {detail}");
        }
        println!(
            "{} trường, {} bút toán, {} dòng, {} khoản thu {}: {}",
            report.schools,
            report.entries,
            report.lines,
            totals.payments,
            hocphi::money::Vnd::new(totals.money_in),
            match findings.len() {
                0 => "sổ đúng".to_owned(),
                count => format!("{count} điểm sai"),
            }
        );
    }
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
