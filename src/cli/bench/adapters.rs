//! `hocphi bench adapters`: verified callbacks a second and core of every provider, beside a bare HMAC
//! over the same bytes and beside the providers' public Node packages.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use hocphi_adapters::Registry;
use hocphi_adapters::contract::{Adapter, Credentials, Flow, Inbound};
use hocphi_adapters::kit;

/// Rounds whose median counts.
const ROUNDS: usize = 5;
/// At most this many times the bare HMAC-SHA512 for a VNPAY message.
const DIGEST_PERCENT_MAX: u64 = 300;
/// At least this many times the public package.
const SDK_PERCENT_MIN: u64 = 1_000;
const SDK_SCRIPT: &str = include_str!("adapters_sdk.mjs");

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
        let adapter = entry.adapter.as_ref();
        let signed = signed_text(adapter, sample.flow, &sample.inbound, &sample.credentials);
        let verified = median(slice, || {
            let read = adapter.read_notice(sample.flow, &sample.inbound, &sample.credentials);
            black_box(read).is_ok()
        })?;
        let algorithm = match sample.digest {
            Some("hmac-sha512") => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        // A key is prepared for each message, as for callbacks of many schools.
        let secret = [7u8; 32];
        let digest = median(slice, || {
            let key = hmac::Key::new(algorithm, black_box(&secret));
            black_box(hmac::sign(&key, black_box(&signed)))
                .as_ref()
                .len()
                > 1
        })?;
        let digest_percent = percent(digest, verified);
        let sdk_per_s = match sdk {
            Some(folder) if matches!(name, "vnpay" | "payos") => Some(sdk_rate(
                folder,
                name,
                &sample.inbound,
                &sample.credentials,
                seconds,
            )?),
            _ => None,
        };
        let sdk_percent = sdk_per_s.map(|sdk| percent(verified, sdk));
        let digest_met = (name == "vnpay").then_some(digest_percent <= DIGEST_PERCENT_MAX);
        // The aim is one of VNPAY-sized messages; a smaller digest alone is hardly faster than it.
        let sdk_met = sdk_percent
            .filter(|_| name == "vnpay")
            .map(|percent| percent >= SDK_PERCENT_MIN);
        rows.push(Row {
            provider: name.to_owned(),
            proof: sample.digest.unwrap_or("key"),
            verified_per_s: verified,
            signed_bytes: signed.len(),
            digest_per_s: digest,
            digest_percent,
            sdk_per_s,
            sdk_percent,
            met: match (digest_met, sdk_met) {
                (None, None) => None,
                (digest, sdk) => Some(digest.unwrap_or(true) && sdk.unwrap_or(true)),
            },
        });
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

/// Operations a second on one core: the median of several rounds after a warm-up.
fn median(slice: Duration, mut operation: impl FnMut() -> bool) -> Result<u64> {
    let mut rates = Vec::with_capacity(ROUNDS);
    for round in 0..=ROUNDS {
        let started = Instant::now();
        let mut count = 0u64;
        while started.elapsed() < slice {
            for _ in 0..64 {
                if !operation() {
                    bail!("the sample message is not accepted");
                }
            }
            count += 64;
        }
        let nanoseconds = started.elapsed().as_nanos().max(1);
        let rate = u128::from(count) * 1_000_000_000 / nanoseconds;
        if round > 0 {
            rates.push(u64::try_from(rate)?);
        }
    }
    rates.sort_unstable();
    Ok(rates.get(rates.len() / 2).copied().unwrap_or_default())
}

fn percent(left: u64, right: u64) -> u64 {
    left.saturating_mul(100) / right.max(1)
}

/// Hundredths as people read them: 250 is `2,50`.
fn times(percent: u64) -> String {
    format!("{},{:02}", percent / 100, percent % 100)
}

/// The public package's rate over the same message, in a process of its own.
fn sdk_rate(
    folder: &Path,
    provider: &str,
    inbound: &Inbound,
    credentials: &Credentials,
    seconds: Duration,
) -> Result<u64> {
    let get = |name: &str| credentials.get(name).unwrap_or_default().to_owned();
    let job = serde_json::json!({
        "provider": provider,
        "seconds": seconds.as_secs().max(1),
        "query": inbound.query,
        "body": String::from_utf8_lossy(&inbound.body),
        "tmn_code": get("tmn_code"),
        "hash_secret": get("hash_secret"),
        "client_id": get("client_id"),
        "api_key": get("api_key"),
        "checksum_key": get("checksum_key"),
    });
    let script = folder.join("hocphi-bench-adapters.mjs");
    std::fs::write(&script, SDK_SCRIPT)
        .with_context(|| format!("{} cannot be written", script.display()))?;
    let output = Command::new("node")
        .arg(&script)
        .arg(job.to_string())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    std::fs::remove_file(&script)
        .with_context(|| format!("{} cannot be removed", script.display()))?;
    let output = output.context("node cannot be started")?;
    if !output.status.success() {
        bail!(
            "the package of {provider} does not run: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("the script printed no rate")
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
