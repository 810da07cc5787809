//! `hocphi ledger balance` and `lineage`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use hocphi::clock::{Day, Instant};
use hocphi::ledger::{self, AccountLine, AsOf, Wanted};
use hocphi::payments::lineage::{self, Origin};
use hocphi::store::Db;

use super::{Books, find_school};

/// Lines that are read at once.
const LINES_PER_PAGE: i64 = 1_000;

/// Số dư các tài khoản của một trường tại một thời điểm.
#[derive(Debug, ClapArgs)]
pub struct BalanceArgs {
    #[command(flatten)]
    books: Books,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// `2026-10-31`: everything booked up to that day. `2026-10-31T17:00:00` (Vietnam): what the books
    /// said at that moment. Without it, now.
    #[arg(long, value_name = "WHEN")]
    as_of: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Từ số dư đến chứng từ: các dòng của một tài khoản, bút toán và khoản thu sinh ra chúng.
#[derive(Debug, ClapArgs)]
pub struct LineageArgs {
    #[command(flatten)]
    books: Books,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// Số hiệu tài khoản.
    #[arg(long, required_unless_present = "entry")]
    account: Option<String>,
    /// One entry with all its lines instead.
    #[arg(long, conflicts_with = "account")]
    entry: Option<i64>,
    /// Ngày ghi sổ đầu, 2026-10-01.
    #[arg(long, default_value = "0001-01-01")]
    from: String,
    /// Ngày ghi sổ cuối, 2026-10-31.
    #[arg(long, default_value = "9999-12-31")]
    to: String,
    /// Answer as JSON, one line of the account a line.
    #[arg(long)]
    json: bool,
}

fn day(text: &str) -> Result<Day> {
    Day::parse_iso(text).with_context(|| format!("{text} không phải ngày dạng 2026-10-31"))
}

pub async fn balance(args: BalanceArgs) -> Result<ExitCode> {
    let as_of = match args.as_of.as_deref() {
        None => None,
        Some(text) if text.contains('T') => Some(AsOf::Posted(
            Instant::parse_local_iso(text)
                .with_context(|| format!("{text} không phải thời điểm dạng 2026-10-31T17:00:00"))?,
        )),
        Some(text) => Some(AsOf::Booked(day(text)?)),
    };
    let db = args.books.reader().await?;
    let school = find_school(&db, &args.school).await?.school_id;
    let balances = match as_of {
        None => ledger::balances(&db, &school).await?,
        Some(as_of) => ledger::balances_at(&db, &school, as_of).await?,
    };
    db.close().await;
    for (account, debit, credit) in balances {
        if args.json {
            let line = serde_json::json!({
                "account": account, "debit": debit, "credit": credit, "balance": debit - credit,
            });
            println!("{line}");
        } else {
            println!(
                "{account:<10} Nợ {debit:>20}  Có {credit:>20}  dư {:>20}",
                debit - credit
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn lineage(args: LineageArgs) -> Result<ExitCode> {
    let (from, to) = (day(&args.from)?, day(&args.to)?);
    let db = args.books.reader().await?;
    let school = find_school(&db, &args.school).await?.school_id;
    let show = async |db: &Db, lines: &[AccountLine]| -> Result<()> {
        let sources: Vec<&str> = lines.iter().map(|line| line.source_id.as_str()).collect();
        let origins = lineage::origins(db, &school, &sources).await?;
        for line in lines {
            let origin = origins.get(&line.source_id);
            if args.json {
                println!("{}", as_json(line, origin));
            } else {
                print(line, origin);
            }
        }
        Ok(())
    };
    if let Some(seq) = args.entry {
        show(&db, &ledger::entry_lines(&db, &school, seq).await?).await?;
    } else {
        let mut wanted = Wanted {
            account: args.account.clone().unwrap_or_default(),
            from,
            to,
            after_seq: 0,
            limit: LINES_PER_PAGE,
        };
        loop {
            let mut page = ledger::account_lines(&db, &school, &wanted).await?;
            let is_last = page.len() < usize::try_from(LINES_PER_PAGE)?;
            if !is_last && let Some(seq) = page.last().map(|line| line.seq) {
                // The entry at the edge is read whole with the next page.
                let rest = page.partition_point(|line| line.seq < seq);
                if rest > 0 {
                    page.truncate(rest);
                }
            }
            show(&db, &page).await?;
            match page.last() {
                Some(line) if !is_last => wanted.after_seq = line.seq,
                _ => break,
            }
        }
    }
    db.close().await;
    Ok(ExitCode::SUCCESS)
}

fn as_json(line: &AccountLine, origin: Option<&Origin>) -> serde_json::Value {
    serde_json::json!({
        "entry": line.seq, "booked_day": line.booked_day, "event_day": line.event_day,
        "kind": line.kind, "source": line.source_id, "reverses": line.reverses,
        "account": line.account, "debit": line.debit, "credit": line.credit,
        "object": line.object, "payment": origin,
    })
}

fn print(line: &AccountLine, origin: Option<&Origin>) {
    let late = line
        .event_day
        .map_or(String::new(), |day| format!(" (của ngày {})", day.shown()));
    let reverses = line
        .reverses
        .map_or(String::new(), |seq| format!(", đảo bút toán {seq}"));
    let object = line
        .object
        .as_ref()
        .map_or(String::new(), |object| format!(" {object}"));
    println!(
        "{:>8}  {}{late}  {}  Nợ {:>16}  Có {:>16}  {}{reverses}{object}",
        line.seq,
        line.booked_day.shown(),
        line.account,
        line.debit,
        line.credit,
        line.kind,
    );
    match origin {
        Some(origin) => println!(
            "          ← {} {} {} ngày {}, thông báo {}, phiếu {}",
            origin.provider,
            origin.transaction_id,
            origin.amount,
            origin.paid_day.shown(),
            origin.notice_key.as_deref().unwrap_or("không có"),
            if origin.bill_codes.is_empty() {
                "không có".to_owned()
            } else {
                origin.bill_codes.join(" ")
            },
        ),
        None => println!("          ← {}", line.source_id),
    }
}
