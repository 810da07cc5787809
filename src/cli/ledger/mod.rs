//! `hocphi ledger`: the books proven, read at any moment, closed and opened.

mod check;
mod periods;
mod read;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use hocphi::config::Config;
use hocphi::ledger::ChainKeys;
use hocphi::schools::{self, School};
use hocphi::sealing::SealingKey;
use hocphi::store::Db;

use super::serve::Place;

/// Sổ kế toán: kiểm tra, số dư tại một thời điểm, truy nguồn, khóa sổ.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(check::Args),
    Balance(read::BalanceArgs),
    Lineage(read::LineageArgs),
    Lock(periods::LockArgs),
    Unlock(periods::UnlockArgs),
    Periods(periods::PeriodsArgs),
    RotateKey(periods::RotateArgs),
}

/// Where the books are, and the keys that prove them.
#[derive(Debug, ClapArgs)]
pub(super) struct Books {
    #[command(flatten)]
    place: Place,
    /// Replaces `secrets.master_key_file` of the configuration. Without either, `master.key` beside an
    /// embedded database is taken.
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// A master key of before: it proves entries that were sealed under it. May be repeated.
    #[arg(long, value_name = "FILE")]
    former_master_key_file: Vec<PathBuf>,
}

impl Books {
    pub(super) fn config(&self) -> Result<Config> {
        self.place.configuration()
    }

    /// The keys of the installation, or none where no key was named and none lies at the usual place.
    fn keys_if_there(&self) -> Result<Option<ChainKeys>> {
        let is_named = self.master_key_file.is_some()
            || !self.former_master_key_file.is_empty()
            || !self.place.names_no_config();
        if is_named || self.key_file(&self.config()?).exists() {
            self.keys().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The keys of the installation; the key file must be there.
    pub(super) fn keys(&self) -> Result<ChainKeys> {
        let config = self.config()?;
        let file = self.key_file(&config);
        if !file.exists() {
            bail!(
                "không có khóa chủ {}: chỉ ra bằng --master-key-file",
                file.display()
            );
        }
        let former = self
            .former_master_key_file
            .iter()
            .map(|file| SealingKey::read(file))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ChainKeys::with_former(
            Arc::new(SealingKey::read(&file)?),
            former,
        ))
    }

    /// The master key itself; its file must be there.
    pub(super) fn sealing_key(&self) -> Result<SealingKey> {
        let file = self.key_file(&self.config()?);
        Ok(SealingKey::read(&file)?)
    }

    fn key_file(&self, config: &Config) -> PathBuf {
        self.master_key_file
            .clone()
            .unwrap_or_else(|| config.secrets.master_key_file.clone())
    }

    /// For reading alone: changes nothing, works on a replica.
    pub(super) async fn reader(&self) -> Result<Db> {
        Ok(Db::open_reader(&self.config()?.database.url).await?)
    }

    pub(super) async fn writer(&self) -> Result<Db> {
        Ok(Db::open_existing(&self.config()?.database.url).await?)
    }
}

pub(super) async fn find_school(db: &Db, code: &str) -> Result<School> {
    schools::school_by_code(db, code)
        .await?
        .with_context(|| format!("không có trường mang mã {code}"))
}

pub fn run(args: Args) -> Result<ExitCode> {
    let runtime = super::runtime()?;
    match args.action {
        Action::Check(args) => runtime.block_on(check::run(args)),
        Action::Balance(args) => runtime.block_on(read::balance(args)),
        Action::Lineage(args) => runtime.block_on(read::lineage(args)),
        Action::Lock(args) => runtime.block_on(periods::lock(args)),
        Action::Unlock(args) => runtime.block_on(periods::unlock(args)),
        Action::Periods(args) => runtime.block_on(periods::history(args)),
        Action::RotateKey(args) => runtime.block_on(periods::rotate(args)),
    }
}
