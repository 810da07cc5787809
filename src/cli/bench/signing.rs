//! Invoices built, digested and signed on one core, beside the bare signatures of OpenSSL.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hocphi::clock::Clock;
use hocphi::invoices::document::{
    Buyer, Collected, Document, Form, Format, Heading, Numbering, PaymentMethod, Seller, VatRate,
};
use hocphi::invoices::signature::SigningKey;
use hocphi::invoices::xml::write_invoice;
use hocphi::money::{Quantity, Vnd};
use hocphi_sandbox::Pki;

const TAX_CODE: &str = "0100233488";
/// The two take turns, so that a machine that slows down slows both.
const TURNS: u32 = 4;

pub struct Measured {
    /// Bare RSA-2048 signatures a second.
    pub openssl: u64,
    /// Number of lines, invoices a second.
    pub invoices: Vec<(usize, u64)>,
}

pub fn measure(seconds: Duration) -> Result<Measured> {
    let clock = Clock::system();
    let identity = Pki::new(clock.now().unix())?.issue("TRƯỜNG ĐO HIỆU NĂNG", TAX_CODE)?;
    let key = SigningKey::from_pem(&format!("{}{}", identity.key_pem, identity.certificate_pem))?;
    let turn = (seconds / TURNS).max(Duration::from_secs(1));
    let sizes = [5, 100];
    let mut openssl = Vec::new();
    let mut ours: Vec<Vec<u64>> = vec![Vec::new(); sizes.len()];
    for _ in 0..TURNS {
        openssl.push(openssl_speed(turn)?);
        for (place, lines) in sizes.iter().enumerate() {
            ours[place].push(sign_for(&key, &document(&clock, *lines)?, &clock, turn)?);
        }
    }
    Ok(Measured {
        openssl: median(openssl),
        invoices: sizes
            .into_iter()
            .zip(ours.into_iter().map(median))
            .collect(),
    })
}

fn sign_for(key: &SigningKey, document: &Document, clock: &Clock, time: Duration) -> Result<u64> {
    let begun = Instant::now();
    let mut signed = 0_u64;
    let now = clock.now();
    while begun.elapsed() < time {
        key.sign(write_invoice(document)?, TAX_CODE, now)?;
        signed += 1;
    }
    Ok(signed * 1_000_000 / u64::try_from(begun.elapsed().as_micros())?.max(1))
}

fn document(clock: &Clock, lines: usize) -> Result<Document> {
    let today = clock.today();
    let collected: Vec<Collected> = (1..=lines)
        .map(|line| Collected {
            unit: "tháng".into(),
            quantity: Quantity::ONE,
            unit_price: Vnd::new(350_000),
            ..Collected::supply(
                format!(
                    "Học phí tháng {:02}/{} - HS000123 - lớp 6A",
                    line % 12 + 1,
                    today.year()
                ),
                Vnd::new(350_000),
                VatRate::NotSubject,
            )
        })
        .collect();
    let heading = Heading {
        numbering: Numbering {
            form: Form::Vat,
            format: Format::V2_1_0,
            symbol: format!("C{:02}TAA", today.year() % 100),
            number: 128,
            issue_day: today,
        },
        payment_method: PaymentMethod::Transfer,
        solution_provider: TAX_CODE.into(),
        seller: Seller {
            name: "TRƯỜNG ĐO HIỆU NĂNG".into(),
            tax_code: TAX_CODE.into(),
            address: "Số 1 đường Ví Dụ, Thái Nguyên".into(),
            phone: None,
            bank_account: None,
        },
        buyer: Buyer {
            name: Some("Nguyễn Thị Phụ Huynh".into()),
            customer_code: Some("HS000123".into()),
            ..Buyer::default()
        },
        trustee: None,
        related: None,
        bills: Vec::new(),
        lookup_code: "0123456789abcdef".into(),
    };
    Ok(Document::new(heading, &collected)?)
}

/// Private-key operations a second of `openssl speed rsa2048`, one process.
fn openssl_speed(time: Duration) -> Result<u64> {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds"])
        .arg(time.as_secs().to_string())
        .arg("rsa2048")
        .output()
        .context("cần openssl: apt-get install openssl")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // "+F2:…:2048:<signatures>:<verifications>"
    said.lines()
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

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
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
