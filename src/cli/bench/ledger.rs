//! The checker at millions of stored entries, beside reading the same rows and beside bare HMAC over as
//! many bytes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use hmac::{Hmac, KeyInit, Mac};
use hocphi::clock::Clock;
use hocphi::ids::{Ids, SchoolId};
use hocphi::ledger::check::{self, Extent};
use hocphi::ledger::{ChainKeys, EntryKind, Line, Posting, Side, append, lock_heads};
use hocphi::money::Vnd;
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, StoreError, Tx, rows};
use sha2::Sha256;

use super::cluster::Cluster;
use super::figures::{Figure, Scratch, report};

const ROUNDS: usize = 3;
/// Entries a second on two cores.
const TARGET: u64 = 1_000_000;
const POSTINGS_PER_BATCH: usize = 4_000;
/// Bytes of an entry that its digest covers besides the lines: numbers, days, lengths and the texts of
/// the entries below.
const PREIMAGE_BYTES_BESIDE_LINES: usize = 8 + 32 + 4 * 8 + 2 * 4 + 4 * 4 + 24 + 16 + 24;

/// Kiểm tra sổ: bút toán một giây, cạnh việc chỉ đọc cùng những dòng đó và HMAC trần.
///
/// Entries are journal entries, each with its lines. Exits with 1 below the target.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// Entries stored on each engine.
    #[arg(long, default_value_t = 2_000_000)]
    entries: usize,
    /// Lines of an entry.
    #[arg(long, default_value_t = 4)]
    lines: usize,
    /// Schools whose payments come in turn, as they do in life.
    #[arg(long, default_value_t = 2_000)]
    schools: usize,
    /// Readers of the checker at the same time.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// An existing cluster (postgres://USER@HOST:PORT, may create databases) instead of a private one.
    #[arg(long, value_name = "URL")]
    postgres_url: Option<String>,
    /// Folder for databases.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: LedgerArgs) -> Result<ExitCode> {
    super::super::runtime()?.block_on(measure(args))
}

async fn measure(args: LedgerArgs) -> Result<ExitCode> {
    let folder = Scratch::inside(args.folder.clone())?;
    let cluster = Cluster::start(args.postgres_url.clone(), folder.path())?;
    let sqlite = format!("sqlite://{}", folder.path().join("hocphi.db").display());
    let postgres = cluster.database("hocphi_ledger")?;
    let keys = ChainKeys::of(Arc::new(SealingKey::from_bytes([7; 32])));
    let mut figures = Vec::new();
    for (engine, url) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
        eprintln!("{engine}: ghi {} bút toán …", args.entries);
        let db = Db::open(&url).await?;
        let bytes = fill(&db, &keys, &args).await?;
        db.close().await;
        eprintln!("{engine}: kiểm tra …");
        let db = Db::open_reader(&url).await?;
        let (mut read, mut bare, mut checked) = (Vec::new(), Vec::new(), Vec::new());
        // They take turns, so that a machine that slows down slows all.
        for _ in 0..=ROUNDS {
            let begun = Instant::now();
            let seen = check::read_through(db.snapshot(args.readers).await?).await?;
            ensure!(seen == args.entries as u64, "{seen} entries were read");
            read.push(begun.elapsed());
            bare.push(bare_hmac(args.readers, args.entries, bytes)?);
            let begun = Instant::now();
            let readers = db.snapshot(args.readers).await?;
            let (seen, _) = check::verify(readers, Some(&keys), Extent::Full).await?;
            ensure!(seen.findings.is_empty(), "{:?}", seen.findings.first());
            ensure!(
                seen.entries == args.entries as u64,
                "{} entries",
                seen.entries
            );
            checked.push(begun.elapsed());
        }
        db.close().await;
        let rate = |times: Vec<Duration>| per_second(args.entries, median_warm(times));
        let (read, bare, checked) = (rate(read), rate(bare), rate(checked));
        figures.push(
            Figure::new(format!("{engine}: bút toán được kiểm tra"), checked, "/s")
                .at_least(TARGET),
        );
        figures.push(Figure::new(
            format!("{engine}: dòng được kiểm tra"),
            checked * args.lines as u64,
            "/s",
        ));
        figures.push(
            Figure::new(format!("{engine}: như trên, so với chỉ đọc"), checked, "/s")
                .beside("đọc cùng các dòng", read),
        );
        figures.push(
            Figure::new(
                format!("{engine}: như trên, so với chỉ HMAC"),
                checked,
                "/s",
            )
            .beside(format!("HMAC-SHA256 {bytes} byte"), bare),
        );
    }
    report(&figures, args.json)
}

/// Stores the entries the way payments do; answers the bytes that one digest covers.
async fn fill(db: &Db, keys: &ChainKeys, args: &LedgerArgs) -> Result<usize> {
    let (clock, ids) = (Clock::system(), Ids::seeded(1));
    let now = clock.now();
    let schools: Vec<SchoolId> = (0..args.schools)
        .map(|_| SchoolId::new(ids.next(now)))
        .collect();
    let names = rows(schools.iter().map(|school| (school,)));
    db.write("bench.schools", async move |tx: &mut Tx| {
        tx.sql(
            "INSERT INTO org_unit (unit_id, code, name, kind, valid_from)
             SELECT id, id, id, 'SCHOOL', $2 FROM ROWS($1: id TEXT) AS r",
        )
        .bind(names.clone())
        .bind(now.day())
        .run()
        .await?;
        tx.sql(
            "INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin,
                                 bank_account, bank_account_name)
             SELECT id, 'PRIMARY', 'PUBLIC', '0100233488', '', '970436', id, id
               FROM ROWS($1: id TEXT) AS r",
        )
        .bind(names.clone())
        .run()
        .await
    })
    .await
    .map_err(|error: StoreError| error)?;
    let items: Vec<String> = (1..args.lines).map(|_| ids.next(now)).collect();
    let mut written = 0;
    let mut bytes = 0;
    while written < args.entries {
        let count = POSTINGS_PER_BATCH.min(args.entries - written);
        let mut batch = Vec::with_capacity(count);
        for place in written..written + count {
            let mut lines = vec![Line {
                account: "112".into(),
                side: Side::Debit,
                amount: Vnd::new(350_000 * i64::try_from(items.len())?),
                object: None,
            }];
            lines.extend(items.iter().enumerate().map(|(place, item)| Line {
                account: if place == 0 {
                    "531".into()
                } else {
                    "338".into()
                },
                side: Side::Credit,
                amount: Vnd::new(350_000),
                object: Some(item.clone()),
            }));
            batch.push(Posting::new(
                schools[place % schools.len()].clone(),
                EntryKind::PaymentReceived,
                ids.next(now),
                now.day(),
                now,
                lines,
            )?);
        }
        if bytes == 0 {
            bytes = PREIMAGE_BYTES_BESIDE_LINES + 17 + (items.len() * 43);
        }
        let (batch, keys) = (Arc::new(batch), keys.clone());
        db.write("bench.entries", async move |tx: &mut Tx| {
            let named: std::collections::BTreeSet<SchoolId> = batch
                .iter()
                .map(|posting| posting.school_id.clone())
                .collect();
            let named: Vec<SchoolId> = named.into_iter().collect();
            let mut heads = lock_heads(tx, &keys, &named).await?;
            append(tx, &mut heads, &batch).await
        })
        .await?;
        written += count;
    }
    Ok(bytes)
}

/// HMAC over as many messages of this length, on as many threads.
fn bare_hmac(threads: usize, messages: usize, bytes: usize) -> Result<Duration> {
    let begun = Instant::now();
    let key = Hmac::<Sha256>::new_from_slice(&[7; 32])?;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let key = key.clone();
            scope.spawn(move || {
                let message = vec![7_u8; bytes];
                for _ in 0..messages / threads {
                    let sum = key.clone().chain_update(&message).finalize();
                    std::hint::black_box(sum.into_bytes());
                }
            });
        }
    });
    Ok(begun.elapsed())
}

fn per_second(count: usize, time: Duration) -> u64 {
    u64::try_from(count as u128 * 1_000_000 / time.as_micros().max(1)).unwrap_or(u64::MAX)
}

/// The first round warms what the others find warm.
fn median_warm(times: Vec<Duration>) -> Duration {
    let mut warm: Vec<Duration> = times.into_iter().skip(1).collect();
    warm.sort_unstable();
    warm.get(warm.len() / 2).copied().unwrap_or_default()
}
