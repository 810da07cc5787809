//! `hocphi invoice archive`: whether what was signed is still what was signed.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use hocphi::clock::Clock;
use hocphi::invoices::archive::{self, Finding};
use hocphi::soundness::advice;

use super::super::ledger::Books;

#[derive(Debug, Args)]
pub struct ArchiveArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Đọc lại mọi tệp: mã băm, dấu niêm phong, phiên bản thiếu, khác với bản đang dùng; sai thì thoát với mã 1.
    Check {
        #[command(flatten)]
        books: Books,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Đưa vào kho các tệp đã ký trước khi có kho; tệp có chữ ký sai bị để lại và nêu tên.
    Fill {
        #[command(flatten)]
        books: Books,
    },
}

pub async fn run(args: ArchiveArgs) -> Result<ExitCode> {
    match args.action {
        Action::Check { books, json } => check(&books, json).await,
        Action::Fill { books } => fill(&books).await,
    }
}

async fn check(books: &Books, json: bool) -> Result<ExitCode> {
    let keys = books.keys()?;
    let db = books.reader().await?;
    let (count, findings) = archive::check(&db, keys.masters(), &BTreeMap::new()).await?;
    db.close().await;
    if json {
        let answer = serde_json::json!({"files": count, "findings": findings});
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else if findings.is_empty() {
        println!("{count} tệp trong kho: nguyên vẹn");
    } else {
        println!("{count} tệp trong kho, {} điểm sai", findings.len());
        for Finding {
            school_id,
            code,
            subject,
        } in &findings
        {
            let advice = advice(code);
            println!(
                "  {code}  trường {school_id}, {subject}: {}",
                advice.meaning
            );
            println!("    Việc cần làm: {}", advice.what_to_do);
        }
    }
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn fill(books: &Books) -> Result<ExitCode> {
    let key = Arc::new(books.sealing_key()?);
    let db = books.writer().await?;
    let filled = archive::fill(&db, &key, Clock::system().now()).await?;
    db.close().await;
    println!("đã đưa vào kho {} chứng từ", filled.kept);
    for (school, subject) in &filled.refused {
        println!("  để lại, chữ ký không hợp lệ: trường {school}, {subject}");
    }
    Ok(if filled.refused.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
