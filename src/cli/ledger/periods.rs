//! `hocphi ledger lock`, `unlock`, `periods` and `rotate-key`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use hocphi::clock::{Clock, Day};
use hocphi::ledger;
use hocphi::ledger::period::{self, Action, Period, Request};

use super::{Books, find_school};

/// Khóa sổ một tháng (2026-10) hoặc một năm (2026) đã hết, và mọi kỳ trước đó.
///
/// What arrives later for a closed day is booked on the first open day and keeps its true day.
#[derive(Debug, ClapArgs)]
pub struct LockArgs {
    #[command(flatten)]
    change: Change,
    /// Ghi chú.
    #[arg(long, default_value = "")]
    reason: String,
}

/// Mở lại một kỳ đã khóa, và mọi kỳ sau đó.
#[derive(Debug, ClapArgs)]
pub struct UnlockArgs {
    #[command(flatten)]
    change: Change,
    /// Lý do, bắt buộc.
    #[arg(long)]
    reason: String,
}

/// Lịch sử khóa sổ của một trường.
#[derive(Debug, ClapArgs)]
pub struct PeriodsArgs {
    #[command(flatten)]
    books: Books,
    /// Mã trường.
    #[arg(long)]
    school: String,
}

/// Đổi khóa đóng dấu bút toán của mọi trường; bút toán cũ giữ dấu cũ.
///
/// After a change of the master key, name the former one with --former-master-key-file; all nodes must
/// run with the new one.
#[derive(Debug, ClapArgs)]
pub struct RotateArgs {
    #[command(flatten)]
    books: Books,
}

#[derive(Debug, ClapArgs)]
struct Change {
    #[command(flatten)]
    books: Books,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// 2026-10 hoặc 2026.
    #[arg(long)]
    period: String,
    /// Người thực hiện.
    #[arg(long)]
    by: String,
}

pub async fn lock(args: LockArgs) -> Result<ExitCode> {
    change(args.change, args.reason, Action::Locked).await
}

pub async fn unlock(args: UnlockArgs) -> Result<ExitCode> {
    change(args.change, args.reason, Action::Unlocked).await
}

async fn change(change: Change, reason: String, action: Action) -> Result<ExitCode> {
    let period = Period::parse(&change.period)
        .with_context(|| format!("{} không phải kỳ dạng 2026-10 hoặc 2026", change.period))?;
    let keys = change.books.keys()?;
    let db = change.books.writer().await?;
    let request = Request {
        school_id: find_school(&db, &change.school).await?.school_id,
        period,
        actor: change.by,
        reason,
        at: Clock::system().now(),
    };
    let closed_through = match action {
        Action::Locked => period::lock(&db, &keys, request).await?,
        Action::Unlocked => period::unlock(&db, &keys, request).await?,
    };
    db.close().await;
    println!("Sổ đã khóa đến hết ngày {}", closed_through.shown());
    Ok(ExitCode::SUCCESS)
}

pub async fn history(args: PeriodsArgs) -> Result<ExitCode> {
    let db = args.books.reader().await?;
    let school = find_school(&db, &args.school).await?.school_id;
    for event in period::history(&db, &school).await? {
        println!(
            "{}  {}  kỳ {}, khóa đến {}, sau bút toán {}, {}{}",
            event.at.shown(),
            match event.action {
                Action::Locked => "khóa  ",
                Action::Unlocked => "mở lại",
            },
            event.period,
            event.closed_through.map_or("không".to_owned(), Day::shown),
            event.after_seq,
            event.actor,
            if event.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", event.reason)
            }
        );
    }
    db.close().await;
    Ok(ExitCode::SUCCESS)
}

pub async fn rotate(args: RotateArgs) -> Result<ExitCode> {
    let keys = args.books.keys()?;
    let db = args.books.writer().await?;
    let schools = ledger::rotate(&db, &keys).await?;
    db.close().await;
    println!("{schools} trường dùng khóa mới từ bút toán kế tiếp");
    Ok(ExitCode::SUCCESS)
}
