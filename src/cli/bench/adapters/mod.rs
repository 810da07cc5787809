//! `hocphi bench adapters`: verified callbacks a second and core of every provider, beside a bare HMAC
//! over the same bytes and beside the providers' public Node packages.
//!
//! Everything of a provider takes turns in rounds, and a ratio is the median of the ratios of rounds,
//! so that a machine that slows down slows all sides. Rates are per second of processor time where the
//! system tells it, of all threads of the Node package.

mod sdk;

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use hocphi_adapters::Registry;
use hocphi_adapters::contract::{Adapter, Credentials, Flow, Inbound};
use hocphi_adapters::kit;

use super::rates::{self, median};
use sdk::Sdk;

/// Rounds whose median counts.
const ROUNDS: usize = 5;
/// Done between two looks at the clock, which would cost as much as a short one.
const BATCH: u64 = 64;
/// At most this many times the bare HMAC-SHA512 for a VNPAY message.
const DIGEST_PERCENT_MAX: u64 = 300;
/// At least this many times the public package.
const SDK_PERCENT_MIN: u64 = 1_000;

#[derive(Debug, serde::Serialize)]
struct Row {
    provider: String,
    /// What proves its messages.
    proof: &'static str,
    verified_per_s: u64,
    /// Bytes the signature covers; of the whole message where a key, and no signature, proves it.
    signed_bytes: usize,
    /// HMAC over these bytes, SHA-256 where the provider signs otherwise.
    digest_per_s: u64,
    /// Time of the adapter in hundredths of the digest's.
    digest_percent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_percent: Option<u64>,
    /// `None` where no target is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

/// Rates of one round.
struct Round {
    verified: u64,
    digest: u64,
    sdk: Option<u64>,
}

/// Measures; `sdk` is a folder with `node_modules/vnpay` and `node_modules/@payos/node`.
pub(super) fn run(seconds: Duration, sdk: Option<&Path>, json: bool) -> Result<ExitCode> {
    let registry = Registry::builtin();
    let slice = seconds / u32::try_from(ROUNDS).unwrap_or(1);
    let mut rows = Vec::new();
    // Nothing of theirs is known to be genuine.
    let mut unmeasured: Vec<String> = Vec::new();
    for (name, entry) in registry.entries() {
        let vectors = registry.vectors(name)?.context("shipped without vectors")?;
        let mut samples = kit::samples(entry.adapter.as_ref(), &vectors)
            .with_context(|| format!("the vectors of {name}"))?;
        samples.sort_by_key(|sample| sample.digest.is_none());
        let Some(sample) = samples.into_iter().next() else {
            unmeasured.push(name.to_owned());
            continue;
        };
        let theirs = sdk.filter(|_| matches!(name, "vnpay" | "payos"));
        rows.push(measure(
            name,
            entry.adapter.as_ref(),
            &sample,
            slice,
            theirs,
        )?);
    }
    if rows.is_empty() {
        bail!("nothing was measured");
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print(&rows, sdk.is_some());
        if !unmeasured.is_empty() {
            println!(
                "Không đo, vì véc-tơ không có thông báo nào được biết là thật: {}.",
                unmeasured.join(", ")
            );
        }
    }
    let missed = rows.iter().any(|row| row.met == Some(false));
    Ok(if missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// All of one provider in turns.
fn measure(
    name: &str,
    adapter: &dyn Adapter,
    sample: &kit::Sample,
    slice: Duration,
    sdk: Option<&Path>,
) -> Result<Row> {
    let (flow, inbound, credentials) = (sample.flow, &sample.inbound, &sample.credentials);
    let signed = signed_text(adapter, flow, inbound, credentials);
    let algorithm = match sample.digest {
        Some("hmac-sha512") => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    // A key is prepared for each message, as for callbacks of many schools.
    let secret = [7u8; 32];
    let mut package = match sdk {
        Some(folder) => Some(Sdk::start(folder, name, inbound, credentials)?),
        None => None,
    };
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..=ROUNDS {
        let measured = Round {
            verified: rate(slice, || {
                black_box(adapter.read_notice(flow, inbound, credentials)).is_ok()
            })?,
            digest: rate(slice, || {
                let key = hmac::Key::new(algorithm, black_box(&secret));
                let made = hmac::sign(&key, black_box(&signed));
                black_box(made).as_ref().len() > 1
            })?,
            sdk: match &mut package {
                Some(package) => Some(package.rate(slice)?),
                None => None,
            },
        };
        // The first one warms up.
        if round > 0 {
            rounds.push(measured);
        }
    }
    let of_all = |pick: fn(&Round) -> u64| median(rounds.iter().map(pick));
    let of_package = |pick: fn(&Round, u64) -> u64| {
        let all = rounds.iter().map(|round| Some(pick(round, round.sdk?)));
        all.collect::<Option<Vec<_>>>().map(median)
    };
    let digest_percent = of_all(|round| percent(round.digest, round.verified));
    let sdk_percent = of_package(|round, sdk| percent(round.verified, sdk));
    let digest_met = (name == "vnpay").then_some(digest_percent <= DIGEST_PERCENT_MAX);
    // The aim is one of VNPAY-sized messages; a smaller digest alone is hardly faster than it.
    let sdk_met = sdk_percent
        .filter(|_| name == "vnpay")
        .map(|percent| percent >= SDK_PERCENT_MIN);
    Ok(Row {
        provider: name.to_owned(),
        proof: sample.digest.unwrap_or("key"),
        verified_per_s: of_all(|round| round.verified),
        signed_bytes: signed.len(),
        digest_per_s: of_all(|round| round.digest),
        digest_percent,
        sdk_per_s: of_package(|_, sdk| sdk),
        sdk_percent,
        met: match (digest_met, sdk_met) {
            (None, None) => None,
            (digest, sdk) => Some(digest.unwrap_or(true) && sdk.unwrap_or(true)),
        },
    })
}

fn signed_text(
    adapter: &dyn Adapter,
    flow: Flow,
    inbound: &Inbound,
    credentials: &Credentials,
) -> Vec<u8> {
    match adapter.inspect(flow, inbound, credentials).canonical {
        Some(canonical) => canonical.exposed(credentials).into_bytes(),
        None => [inbound.query.as_bytes(), &inbound.body].concat(),
    }
}

/// Operations a second on one core.
fn rate(time: Duration, mut operation: impl FnMut() -> bool) -> Result<u64> {
    let batches = rates::rate(time, || Ok((0..BATCH).all(|_| operation())));
    Ok(batches.context("the sample message is not accepted")? * BATCH)
}

fn percent(left: u64, right: u64) -> u64 {
    left.saturating_mul(100) / right.max(1)
}

/// Hundredths as people read them: 250 is `2,50`.
fn times(percent: u64) -> String {
    format!("{},{:02}", percent / 100, percent % 100)
}

fn print(rows: &[Row], with_sdk: bool) {
    println!(
        "{:<16} {:<12} {:>12} {:>7} {:>12} {:>8} {:>12} {:>8}  kết quả",
        "nhà cung cấp",
        "bằng",
        "kiểm/s/lõi",
        "byte ký",
        "HMAC/s/lõi",
        "× HMAC",
        "Node SDK/s",
        "× SDK"
    );
    for row in rows {
        let sdk = row
            .sdk_per_s
            .map_or_else(|| "-".to_owned(), |rate| rate.to_string());
        let sdk_times = row.sdk_percent.map_or_else(|| "-".to_owned(), times);
        let verdict = match row.met {
            None => "",
            Some(true) => "ĐẠT",
            Some(false) => "KHÔNG ĐẠT",
        };
        println!(
            "{:<16} {:<12} {:>12} {:>7} {:>12} {:>8} {sdk:>12} {sdk_times:>8}  {verdict}",
            row.provider,
            row.proof,
            row.verified_per_s,
            row.signed_bytes,
            row.digest_per_s,
            times(row.digest_percent),
        );
    }
    println!(
        "Đích: thông điệp VNPAY ≤ {} lần HMAC-SHA512 trần; ≥ {} lần gói Node.",
        times(DIGEST_PERCENT_MAX),
        times(SDK_PERCENT_MIN)
    );
    for row in rows.iter().filter(|row| row.provider != "vnpay") {
        if let Some(sdk) = row.sdk_per_s {
            println!(
                "{}: riêng HMAC trần đã chỉ gấp {} lần gói Node, nên không đặt đích.",
                row.provider,
                times(percent(row.digest_per_s, sdk))
            );
        }
    }
    if !with_sdk {
        println!(
            "Gói Node không được đo: đưa thư mục có node_modules/vnpay và node_modules/@payos/node bằng --sdk."
        );
    }
}
