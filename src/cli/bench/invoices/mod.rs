//! `hocphi bench invoices`: building, digesting, signing, verifying and printing invoices, beside the bare RSA
//! signatures of OpenSSL and beside the signers of Java and Python on the same documents.
//!
//! Everything takes turns in rounds, and a ratio is the median of the ratios of rounds, so that a
//! machine that slows down slows both sides. Rates are per second of processor time where the system
//! tells it, as `openssl speed` counts; elsewhere per second of the clock, and OpenSSL is told so.

mod openssl;
mod others;
mod sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use hocphi::clock::Clock;
use hocphi::invoices::document::Document;
use hocphi::invoices::rendition::{RenditionOptions, pdf_and_pages};
use hocphi::invoices::signature::SigningKey;
use hocphi::invoices::verify::{Trust, verify};
use hocphi::invoices::xml::write_invoice;
use hocphi_sandbox::{Identity, Pki};

use super::rates::{median, rate};
use sample::{TAX_CODE, document};

/// Hóa đơn lập, băm, ký, kiểm tra và trang PDF mỗi giây, cạnh openssl, Java và Python.
#[derive(Debug, Args)]
pub struct InvoicesArgs {
    /// Seconds of each measurement in each round.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Python with lxml, signxml and cryptography.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// A figure over all rounds.
#[derive(Debug, serde::Serialize)]
struct Row {
    name: String,
    /// Median, a second.
    per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
    target: Target,
    met: bool,
}

#[derive(Debug, serde::Serialize)]
struct Baseline {
    name: String,
    per_second: u64,
    /// Median of the rounds, in hundredths.
    ratio_percent: u64,
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    RatioPercent(u64),
    PerSecond(u64),
    None,
}

/// One measurement of every round, and what each round compares it with.
struct Series {
    name: String,
    baseline: Option<&'static str>,
    target: Target,
    rounds: Vec<(u64, u64)>,
}

impl Series {
    fn row(self) -> Row {
        let median_of = |pick: fn(&(u64, u64)) -> u64| median(self.rounds.iter().map(pick));
        let per_second = median_of(|round| round.0);
        let ratio = median(
            self.rounds
                .iter()
                .map(|(value, base)| (value * 100).checked_div(*base).unwrap_or(0)),
        );
        let met = match self.target {
            Target::RatioPercent(wanted) => ratio >= wanted,
            Target::PerSecond(wanted) => per_second >= wanted,
            Target::None => true,
        };
        Row {
            baseline: self.baseline.map(|name| Baseline {
                name: name.to_owned(),
                per_second: median_of(|round| round.1),
                ratio_percent: ratio,
            }),
            name: self.name,
            per_second,
            target: self.target,
            met,
        }
    }
}

const OPENSSL: &str = "openssl speed rsa2048";
const OPENSSL_ALL: &str = "openssl speed rsa2048 -multi";
const LINES: [(usize, u64); 2] = [(5, 95), (100, 85)];

pub fn run(args: &InvoicesArgs) -> Result<ExitCode> {
    let time = Duration::from_secs(args.seconds.max(1));
    let bench = Bench::new()?;
    let mut rows = bench.signing(time, args.rounds.max(1))?;
    rows.push(bench.verifying(time, args.rounds.max(1))?);
    rows.extend(bench.printing(time, args.rounds.max(1))?);
    let (beside, skipped) = bench.beside_others(time, args.rounds.max(1), &args.python)?;
    rows.extend(beside);
    let met = rows.iter().all(|row| row.met);
    if args.json {
        let answer = serde_json::json!({"figures": rows, "skipped": skipped});
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print(&rows, &skipped);
    }
    Ok(if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Bench {
    clock: Clock,
    identity: Identity,
    key: SigningKey,
    cores: usize,
}

impl Bench {
    fn new() -> Result<Self> {
        let clock = Clock::system();
        let identity = Pki::new(clock.now().unix())?.issue("TRƯỜNG ĐO HIỆU NĂNG", TAX_CODE)?;
        let pem = format!("{}{}", identity.key_pem, identity.certificate_pem);
        Ok(Self {
            key: SigningKey::from_pem(&pem)?,
            identity,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            clock,
        })
    }

    fn signing(&self, time: Duration, rounds: usize) -> Result<Vec<Row>> {
        let mut all: Vec<Series> = Vec::new();
        for (threads, baseline) in [(1, OPENSSL), (self.cores, OPENSSL_ALL)] {
            for (lines, target) in LINES {
                all.push(Series {
                    name: format!("hóa đơn {lines} dòng lập và ký, {threads} lõi"),
                    baseline: Some(baseline),
                    target: Target::RatioPercent(target),
                    rounds: Vec::new(),
                });
            }
        }
        let documents = LINES
            .iter()
            .map(|(lines, _)| document(&self.clock, *lines))
            .collect::<Result<Vec<_>>>()?;
        for round in 1..=rounds {
            eprintln!("ký, vòng {round}/{rounds} …");
            let mut series = all.iter_mut();
            for threads in [1, self.cores] {
                for document in &documents {
                    // Before and after, so that a drift of the machine meets both alike.
                    let before = openssl::speed(time, threads)?;
                    let value = self.sign_on(threads, document, time)?;
                    let after = openssl::speed(time, threads)?;
                    if let Some(series) = series.next() {
                        series.rounds.push((value, before.midpoint(after)));
                    }
                }
            }
        }
        Ok(all.into_iter().map(Series::row).collect())
    }

    fn verifying(&self, time: Duration, rounds: usize) -> Result<Row> {
        eprintln!("kiểm tra …");
        let signed = self.sign_one(&document(&self.clock, 5)?)?;
        anyhow::ensure!(
            verify(&signed, Trust::default()).valid,
            "the sample does not verify"
        );
        let mut series = Series {
            name: "hóa đơn 5 dòng kiểm tra đầy đủ, 1 lõi".into(),
            baseline: None,
            target: Target::PerSecond(20_000),
            rounds: Vec::new(),
        };
        for _ in 0..rounds {
            let value = rate(time, || Ok(verify(&signed, Trust::default()).valid))?;
            series.rounds.push((value, 0));
        }
        Ok(series.row())
    }

    /// Pages of renditions a second, from the signed bytes to the finished file.
    fn printing(&self, time: Duration, rounds: usize) -> Result<Vec<Row>> {
        eprintln!("bản thể hiện …");
        let mut rows = Vec::new();
        for (lines, _) in LINES {
            let signed = self.sign_one(&document(&self.clock, lines)?)?;
            let options = RenditionOptions::default();
            let (_, pages) = pdf_and_pages(&signed, &options)?;
            let mut series = Series {
                name: format!("trang PDF của hóa đơn {lines} dòng, 1 lõi"),
                baseline: None,
                target: Target::PerSecond(300),
                rounds: Vec::new(),
            };
            for _ in 0..rounds {
                let files = rate(time, || Ok(pdf_and_pages(&signed, &options)?.1 == pages))?;
                series.rounds.push((files * u64::try_from(pages)?, 0));
            }
            rows.push(series.row());
        }
        Ok(rows)
    }

    fn beside_others(
        &self,
        time: Duration,
        rounds: usize,
        python: &std::path::Path,
    ) -> Result<(Vec<Row>, Vec<String>)> {
        let document = document(&self.clock, 5)?;
        let stage = others::Stage::new(&self.identity, &document)?;
        let mut rows = Vec::new();
        let mut skipped = Vec::new();
        for (name, target, other) in [
            (
                "Java javax.xml.crypto",
                Target::RatioPercent(200),
                others::Other::Java,
            ),
            (
                "Python signxml",
                Target::RatioPercent(1_000),
                others::Other::Python(python),
            ),
            // Both sides do little but RSA then: shown, and no target.
            (
                "Python signxml, khóa đã nạp",
                Target::None,
                others::Other::PythonKeyLoaded(python),
            ),
        ] {
            eprintln!("{name} …");
            let mut series = Series {
                name: "hóa đơn 5 dòng lập và ký, 1 lõi".into(),
                baseline: Some(name),
                target,
                rounds: Vec::new(),
            };
            for _ in 0..rounds {
                let Some(theirs) = stage.run(&other, time)? else {
                    skipped.push(format!("{name}: không có trên máy này"));
                    break;
                };
                let value = self.sign_on(1, &document, time)?;
                series.rounds.push((value, theirs));
            }
            if !series.rounds.is_empty() {
                rows.push(series.row());
            }
        }
        Ok((rows, skipped))
    }

    fn sign_one(&self, document: &Document) -> Result<Vec<u8>> {
        let unsigned = write_invoice(document)?;
        Ok(self.key.sign(unsigned, TAX_CODE, self.clock.now())?)
    }

    /// Invoices a second, built from their content and signed, on so many threads together.
    fn sign_on(&self, threads: usize, document: &Document, time: Duration) -> Result<u64> {
        let sign = || self.sign_one(document).map(|file| !file.is_empty());
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| rate(time, sign)))
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().ok().context("a thread ended early")?)
                .sum()
        })
    }
}

fn print(rows: &[Row], skipped: &[String]) {
    println!(
        "{:<44} {:>9}    {:<30} {:>8} {:>7} {:>9}",
        "số đo", "/s", "đối chiếu", "/s", "tỷ lệ", "mục tiêu"
    );
    for row in rows {
        let (name, value, ratio) = match &row.baseline {
            Some(base) => (
                base.name.as_str(),
                base.per_second.to_string(),
                hundredths(base.ratio_percent),
            ),
            None => ("", String::new(), String::new()),
        };
        let target = match row.target {
            Target::RatioPercent(percent) => hundredths(percent),
            Target::PerSecond(number) => number.to_string(),
            Target::None => String::new(),
        };
        let verdict = match (row.target, row.met) {
            (Target::None, _) => "",
            (_, true) => "ĐẠT",
            (_, false) => "KHÔNG ĐẠT",
        };
        println!(
            "{:<44} {:>9}    {name:<30} {value:>8} {ratio:>7} {target:>9}  {verdict}",
            row.name, row.per_second
        );
    }
    for line in skipped {
        println!("bỏ qua: {line}");
    }
}

fn hundredths(percent: u64) -> String {
    format!("{},{:02}", percent / 100, percent % 100)
}
