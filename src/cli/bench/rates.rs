//! How often a second something is done: per second of processor time where the system tells it, so
//! that whatever else the machine does counts for nobody; elsewhere per second of the clock.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a second something is done by this thread; each must answer `true`.
pub fn rate(time: Duration, mut once: impl FnMut() -> Result<bool>) -> Result<u64> {
    let (begun, begun_busy) = (Instant::now(), busy_nanos());
    let mut count = 0_u64;
    while begun.elapsed() < time {
        anyhow::ensure!(once()?, "what is measured failed");
        count += 1;
    }
    let nanos = match (begun_busy, busy_nanos()) {
        (Some(before), Some(after)) => after - before,
        _ => u64::try_from(begun.elapsed().as_nanos())?,
    };
    let per_second = u128::from(count) * 1_000_000_000 / u128::from(nanos.max(1));
    Ok(u64::try_from(per_second)?)
}

/// Processor time of this thread, where the system tells it.
pub fn busy_nanos() -> Option<u64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

pub fn median(values: impl IntoIterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.into_iter().collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
