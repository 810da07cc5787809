//! Bare signatures of OpenSSL.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::rates::busy_nanos;

/// Private-key operations a second of `openssl speed rsa2048`, over so many processes together.
pub fn speed(time: Duration, processes: usize) -> Result<u64> {
    let mut command = Command::new("openssl");
    command
        .args(["speed", "-mr", "-seconds"])
        .arg(time.as_secs().max(1).to_string());
    if busy_nanos().is_none() {
        // Otherwise it counts processor time.
        command.arg("-elapsed");
    }
    if processes > 1 {
        command.arg("-multi").arg(processes.to_string());
    }
    let output = command
        .arg("rsa2048")
        .output()
        .context("cần openssl: apt-get install openssl")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // "+F2:…:2048:<signatures>:<verifications>"; of several processes the sum comes last.
    said.lines()
        .rev()
        .find_map(|line| per_second(line.strip_prefix("+F2:")?.split(':').nth(2)?))
        .with_context(|| format!("openssl speed: {said}"))
}

/// OpenSSL 3 writes operations a second (`3937.5`), OpenSSL 1 the seconds of one (`0.000254`).
fn per_second(figure: &str) -> Option<u64> {
    let (whole, fraction) = figure.trim().split_once('.')?;
    if whole.parse() != Ok(0_u64) {
        return whole.parse().ok();
    }
    let digits = u32::try_from(fraction.len()).ok()?;
    let scaled: u64 = format!("{whole}{fraction}").parse().ok()?;
    10_u64.checked_pow(digits)?.checked_div(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_openssl_become_signatures_a_second() {
        assert_eq!(per_second("0.000254"), Some(3_937));
        assert_eq!(per_second("3937.500000"), Some(3_937));
        assert_eq!(per_second("0.000000"), None);
    }
}
