//! `hocphi db`: the database as a whole.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use hocphi::store::{Db, copy};
use tokio::process::Command;

/// Cơ sở dữ liệu: chuyển giữa SQLite và PostgreSQL.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Copy every table to an empty database of either engine, all or nothing.
    ///
    /// The source is read in one snapshot, so stop its gateways first: what they write afterwards
    /// stays behind. It is not changed and may be a standby. The copy is committed only after each table was read back and has the same
    /// number of rows and the same digest; then `hocphi ledger check` runs on it. An interrupted copy
    /// leaves the target empty. Credentials and signing keys stay sealed: take the master key along.
    Copy {
        /// `sqlite://FILE` or `postgres://USER@HOST/NAME`.
        #[arg(long, env = "HOCPHI_DATABASE_URL", hide_env_values = true)]
        from: String,
        /// Likewise; a new file, or a database without rows.
        #[arg(long)]
        to: String,
        /// Print one JSON object a table.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: Args) -> Result<ExitCode> {
    let Action::Copy { from, to, json } = args.action;
    super::runtime()?.block_on(async {
        // Nothing of the source is changed, so that it may be a standby.
        let source = Db::open_reader(&from).await.context("nguồn")?;
        let target = Db::open(&to).await.context("nơi đến")?;
        let copied = copy::copy(&source, &target, |table| {
            if !json {
                let digest = &table.digest[..16];
                println!("{:<24} {:>12} dòng  {digest}", table.table, table.rows);
            }
        })
        .await?;
        source.close().await;
        target.close().await;
        if json {
            for table in &copied {
                println!("{}", serde_json::to_string(table)?);
            }
        } else {
            let rows: u64 = copied.iter().map(|table| table.rows).sum();
            println!("{} bảng, {rows} dòng: đã đọc lại và khớp", copied.len());
        }
        let check = Command::new(std::env::current_exe()?)
            .args(["ledger", "check", "--full", "--no-checkpoint"])
            .env("HOCPHI_DATABASE_URL", &to)
            .output()
            .await?;
        if !check.status.success() {
            bail!(
                "bản sao khớp nguồn, nhưng sổ không đúng: {}{}",
                String::from_utf8_lossy(&check.stdout),
                String::from_utf8_lossy(&check.stderr)
            );
        }
        if !json {
            print!("{}", String::from_utf8_lossy(&check.stdout));
        }
        Ok(ExitCode::SUCCESS)
    })
}
