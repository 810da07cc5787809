//! `hocphi invoice corpus`: the mutation corpus and the attacks, judged by the verifier of this build.
//! Its keys are made for the run by the sandbox's authority.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use hocphi::clock::Instant as Moment;
use hocphi::invoices::signature::{Certificate, SigningKey, pem_blocks};
use hocphi::invoices::verify::RULES;
use hocphi::invoices::verify::corpus::{
    Kit, SELLER, Verdict, attacks, cases, judge, kill_rate, read,
};
use hocphi_sandbox::{Identity, Pki};

/// Refusing an attack may take so long; a slow machine and a debug build included.
const ATTACK_TIME_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct CorpusArgs {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, serde::Serialize)]
struct AttackVerdict {
    name: &'static str,
    refused: bool,
    millis: u64,
    findings: Vec<&'static str>,
}

pub fn run(args: &CorpusArgs) -> Result<ExitCode> {
    let kit = kit()?;
    let verdicts: Vec<Verdict> = cases(&kit).iter().map(|case| judge(&kit, case)).collect();
    let attacks = attacks(&kit)
        .into_iter()
        .map(|attack| {
            let begun = Instant::now();
            let report = read(&kit, &attack.file, false);
            let took = begun.elapsed();
            let mut findings: Vec<_> = report.findings.iter().map(|found| found.rule).collect();
            findings.dedup();
            Ok(AttackVerdict {
                name: attack.name,
                refused: !report.valid && took < ATTACK_TIME_MAX,
                millis: u64::try_from(took.as_millis())?,
                findings,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let (killed, mutations) = kill_rate(&verdicts);
    let incomplete: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.id)
        .filter(|id| {
            let has = |fires| {
                verdicts
                    .iter()
                    .any(|one| one.rule == *id && one.fires == fires)
            };
            !(has(true) && has(false))
        })
        .collect();
    let passed = incomplete.is_empty()
        && verdicts.iter().all(|verdict| verdict.held)
        && attacks.iter().all(|attack| attack.refused);
    let mut out = std::io::stdout().lock();
    if args.json {
        let answer = serde_json::json!({
            "passed": passed,
            "rules": RULES.len(),
            "incomplete": incomplete,
            "mutations": mutations,
            "killed": killed,
            "cases": verdicts,
            "attacks": attacks,
        });
        writeln!(out, "{answer}")?;
    } else {
        print(&mut out, &verdicts, &attacks)?;
        writeln!(
            out,
            "{} quy tắc, {} tài liệu, {mutations} đột biến, phát hiện {killed} ({} %); {} tấn công",
            RULES.len(),
            verdicts.len(),
            (killed * 100).checked_div(mutations).unwrap_or(0),
            attacks.len(),
        )?;
        for id in incomplete {
            writeln!(out, "thiếu tài liệu cho quy tắc {id}")?;
        }
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(out: &mut impl Write, verdicts: &[Verdict], attacks: &[AttackVerdict]) -> Result<()> {
    let mut rule = "";
    for verdict in verdicts {
        if verdict.rule != rule {
            rule = verdict.rule;
            writeln!(out, "{rule}")?;
        }
        let mark = if verdict.held { "ĐẠT" } else { "SAI" };
        let kind = if verdict.fires {
            "đột biến"
        } else {
            "hợp lệ"
        };
        let valid = if verdict.valid {
            "HỢP LỆ"
        } else {
            "KHÔNG HỢP LỆ"
        };
        writeln!(out, "  {mark}  {kind:<8}  {:<60}  {valid}", verdict.name)?;
        if !verdict.held {
            writeln!(out, "       {}", verdict.findings.join(" "))?;
        }
    }
    writeln!(out, "tấn công")?;
    for attack in attacks {
        let mark = if attack.refused { "ĐẠT" } else { "SAI" };
        writeln!(out, "  {mark}  {:<60}  {} ms", attack.name, attack.millis)?;
    }
    Ok(())
}

fn kit() -> Result<Kit> {
    let at = |text| Moment::parse_local_iso(text).context("a moment");
    let now = at("2026-11-20T08:00:00")?.unix();
    let pki = Pki::new(now)?;
    let opened = |identity: &Identity| {
        SigningKey::from_pem(&format!("{}{}", identity.key_pem, identity.certificate_pem))
    };
    let root = pem_blocks(&pki.root_pem)
        .into_iter()
        .next()
        .context("the authority has no certificate")?;
    let authority = pki.tax_authority();
    Ok(Kit {
        seller: opened(&pki.issue("TRƯỜNG VÍ DỤ", SELLER)?)?,
        stranger: opened(&pki.issue("NGƯỜI KHÁC", "0312270160")?)?,
        old: opened(&pki.issue_as_of(
            "TRƯỜNG VÍ DỤ",
            SELLER,
            at("2022-12-01T08:00:00")?.unix(),
        )?)?,
        encrypting: opened(&pki.issue_for_encryption("TRƯỜNG VÍ DỤ", SELLER)?)?,
        foreign: opened(&Pki::new(now)?.issue("TRƯỜNG VÍ DỤ", SELLER)?)?,
        authority: opened(authority)?,
        issuer: Certificate::from_der(&root.der)?,
    })
}
