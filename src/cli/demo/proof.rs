//! The invariants of a run, checked from the outside: database, files, and other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use hocphi::App;
use hocphi::invoices::verify::Trust;
use hocphi::{invoices, ledger, payments};
use hocphi_sandbox::Sandbox;
use tokio::process::Command;
use tokio::task::{JoinError, JoinSet};

use super::story::Told;

/// Compiled and run by the JVM's own launcher: an XML signature library nobody here wrote.
const JAVA_VERIFIER: &str = include_str!("VerifyInvoices.java");

/// Processes that verify at the same time.
const XMLSEC1_AT_ONCE: usize = 4;

/// One invariant and what was found against it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Verdict {
    pub invariant: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    pub faults: Vec<String>,
    /// `Some` when it could not be checked here, with the reason.
    pub skipped: Option<String>,
}

impl Verdict {
    fn new(invariant: &'static str, checked: usize, faults: Vec<String>) -> Self {
        Self {
            invariant,
            checked: checked as u64,
            faults,
            skipped: None,
        }
    }

    fn skipped(invariant: &'static str, reason: &str) -> Self {
        Self {
            invariant,
            checked: 0,
            faults: Vec::new(),
            skipped: Some(reason.to_owned()),
        }
    }

    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Checks everything. `folder` holds the issued invoices, one file each.
pub async fn check(
    app: &App,
    sandbox: &Sandbox,
    told: &Told,
    folder: &Path,
) -> Result<Vec<Verdict>> {
    Ok(vec![
        Verdict::new(
            "đáp đúng: thật được nhận, giả bị từ chối",
            usize::try_from(told.answers)?,
            told.wrong_answers.clone(),
        ),
        acknowledged_once(app, sandbox).await?,
        books(app).await?,
        money_is_somewhere(app).await?,
        numbers(app).await?,
        documented(app, sandbox).await?,
        own_verifier(folder).await?,
        xmlsec1(folder).await?,
        java(folder).await?,
    ])
}

async fn acknowledged_once(app: &App, sandbox: &Sandbox) -> Result<Verdict> {
    let stored: Vec<(String, String, i64)> = app
        .db
        .sql("SELECT provider, transaction_id, amount FROM payment")
        .all()
        .await?;
    let mut counts: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for (provider, transaction, amount) in stored {
        counts
            .entry((provider, transaction))
            .or_default()
            .push(amount);
    }
    let acknowledged = sandbox.acknowledged();
    let mut faults: Vec<String> = sandbox
        .forged_acknowledged()
        .iter()
        .map(|forged| {
            format!(
                "forged {} {} acknowledged",
                forged.provider, forged.transaction_id
            )
        })
        .collect();
    for movement in &acknowledged {
        let key = (
            movement.provider.to_owned(),
            movement.transaction_id.clone(),
        );
        match counts.get(&key).map(Vec::as_slice) {
            Some([amount]) if *amount == movement.amount => {}
            Some(amounts) => faults.push(format!("{key:?}: {amounts:?} for {}", movement.amount)),
            None => faults.push(format!("{key:?} is missing")),
        }
    }
    Ok(Verdict::new(
        "mỗi khoản đã báo nhận được ghi đúng một lần",
        acknowledged.len(),
        faults,
    ))
}

async fn books(app: &App) -> Result<Verdict> {
    let report = ledger::check::run(&app.db, &app.chain).await?;
    let mut faults: Vec<String> = report
        .findings
        .iter()
        .map(|finding| format!("{} {:?} {}", finding.school_id, finding.seq, finding.code))
        .collect();
    faults.extend(
        payments::check::run(&app.db)
            .await?
            .iter()
            .map(|finding| format!("{} {} {}", finding.school_id, finding.code, finding.subject)),
    );
    for (school, debit, credit) in app
        .db
        .sql(
            "SELECT school_id, CAST(SUM(debit) AS BIGINT), CAST(SUM(credit) AS BIGINT)
               FROM account_balance GROUP BY school_id",
        )
        .all::<(String, i64, i64)>()
        .await?
    {
        if debit != credit {
            faults.push(format!("{school}: debit {debit}, credit {credit}"));
        }
    }
    Ok(Verdict::new(
        "sổ mỗi trường cân và chuỗi bút toán nguyên vẹn",
        usize::try_from(report.entries)?,
        faults,
    ))
}

async fn money_is_somewhere(app: &App) -> Result<Verdict> {
    let sums = payments::check::totals(&app.db).await?;
    let placed = sums.settled + sums.credits + sums.suspense;
    let faults = if placed == sums.money_in {
        Vec::new()
    } else {
        vec![format!("in {}, placed {placed}", sums.money_in)]
    };
    Ok(Verdict::new(
        "đã thu = gạch nợ + ghi có + treo",
        usize::try_from(sums.payments)?,
        faults,
    ))
}

async fn numbers(app: &App) -> Result<Verdict> {
    let series: Vec<(String, String, String, i64, i64, i64, i64)> = app
        .db
        .sql(
            "SELECT s.school_id, s.form, s.symbol, s.last_number, COUNT(i.number),
                    COALESCE(MIN(i.number), 0), COALESCE(MAX(i.number), 0)
               FROM invoice_series s
               LEFT JOIN invoice i ON i.school_id = s.school_id AND i.form = s.form
                                  AND i.symbol = s.symbol
              GROUP BY s.school_id, s.form, s.symbol, s.last_number",
        )
        .all()
        .await?;
    let mut faults = Vec::new();
    let mut issued = 0;
    for (school, form, symbol, last, count, min, max) in series {
        issued += usize::try_from(count)?;
        if count > 0 && (min != 1 || max != last || count != last) {
            faults.push(format!(
                "{school} {form}{symbol}: {count} of {min}..{max}, last {last}"
            ));
        }
    }
    Ok(Verdict::new(
        "số hóa đơn liên tục 1..n, không trùng",
        issued,
        faults,
    ))
}

async fn documented(app: &App, sandbox: &Sandbox) -> Result<Verdict> {
    let mut faults: Vec<String> = invoices::check::run(&app.db)
        .await?
        .into_iter()
        .map(|finding| format!("{} {} {}", finding.school_id, finding.code, finding.subject))
        .collect();
    let issued: Vec<(String, String, String, i64, String)> = app
        .db
        .sql(
            "SELECT s.tax_code, i.form, i.symbol, i.number, i.state
               FROM invoice i JOIN school s ON s.school_id = i.school_id",
        )
        .all()
        .await?;
    for (tax_code, form, symbol, number, state) in &issued {
        if state != "CODED" {
            faults.push(format!("{form}{symbol}-{number} is {state}"));
        } else if sandbox
            .tax()
            .accepted(tax_code, form, symbol, u32::try_from(*number)?)
            .is_none()
        {
            faults.push(format!(
                "{form}{symbol}-{number} is unknown to the authority"
            ));
        }
    }
    Ok(Verdict::new(
        "mỗi khoản cần hóa đơn có đúng một hóa đơn hợp lệ",
        issued.len(),
        faults,
    ))
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    Ok(files)
}

async fn own_verifier(folder: &Path) -> Result<Verdict> {
    let files = files(folder)?;
    let mut faults = Vec::new();
    for file in &files {
        let report = invoices::verify::verify(&tokio::fs::read(file).await?, Trust::default());
        if !report.valid {
            faults.push(format!("{}: {:?}", file.display(), report.findings.first()));
        }
    }
    Ok(Verdict::new(
        "hocphi invoice verify nhận mọi hóa đơn",
        files.len(),
        faults,
    ))
}

async fn xmlsec1(folder: &Path) -> Result<Verdict> {
    const INVARIANT: &str = "xmlsec1 xác nhận mọi chữ ký";
    if !runs("xmlsec1", "--version").await {
        return Ok(Verdict::skipped(INVARIANT, "không có xmlsec1"));
    }
    let mut faults = Vec::new();
    let mut checked = 0;
    let mut running: JoinSet<Result<Option<String>>> = JoinSet::new();
    for file in files(folder)? {
        let text = tokio::fs::read_to_string(&file).await?;
        // The seller's signature and, on a coded invoice, the authority's.
        for node in ["NBan", "CQT"] {
            if text.contains(&format!("<{node}><Signature")) {
                checked += 1;
                running.spawn(xmlsec1_accepts(file.clone(), node));
            } else if node == "NBan" {
                faults.push(format!("{}: no seller signature", file.display()));
            }
        }
        while running.len() >= XMLSEC1_AT_ONCE {
            collect(running.join_next().await, &mut faults)?;
        }
    }
    while let Some(ended) = running.join_next().await {
        collect(Some(ended), &mut faults)?;
    }
    Ok(Verdict::new(INVARIANT, checked, faults))
}

fn collect(
    ended: Option<Result<Result<Option<String>>, JoinError>>,
    faults: &mut Vec<String>,
) -> Result<()> {
    if let Some(ended) = ended {
        faults.extend(ended??);
    }
    Ok(())
}

/// What xmlsec1 has against one signature of a file.
async fn xmlsec1_accepts(file: PathBuf, node: &'static str) -> Result<Option<String>> {
    let output = Command::new("xmlsec1")
        .args(["--verify", "--insecure"])
        .args(["--id-attr:Id", "DLHDon", "--id-attr:Id", "MCCQT"])
        .args(["--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Object"])
        .arg("--node-xpath")
        .arg(format!(
            "//*[local-name()='{node}']/*[local-name()='Signature']"
        ))
        .arg(&file)
        .output()
        .await?;
    if output.status.success() {
        return Ok(None);
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Ok(Some(format!("{} {node}: {}", file.display(), why.trim())))
}

async fn java(folder: &Path) -> Result<Verdict> {
    const INVARIANT: &str = "Java javax.xml.crypto xác nhận mọi chữ ký";
    if !runs("java", "-version").await {
        return Ok(Verdict::skipped(INVARIANT, "không có Java"));
    }
    let program = std::env::temp_dir().join(format!("hocphi-{}", std::process::id()));
    tokio::fs::create_dir_all(&program).await?;
    let source = program.join("VerifyInvoices.java");
    tokio::fs::write(&source, JAVA_VERIFIER).await?;
    let output = Command::new("java")
        .arg(&source)
        .arg(folder)
        .output()
        .await?;
    tokio::fs::remove_dir_all(&program).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut faults: Vec<String> = said
        .lines()
        .filter(|line| line.starts_with("BAD "))
        .map(str::to_owned)
        .collect();
    let checked = said
        .lines()
        .find_map(|line| line.strip_prefix("CHECKED ")?.parse().ok())
        .unwrap_or(0);
    if !output.status.success() && faults.is_empty() {
        faults.push(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(Verdict::new(INVARIANT, checked, faults))
}

async fn runs(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success())
}

/// Writes every issued invoice as `<form><symbol>-<number>.xml`, once per seller where symbols meet.
pub async fn export(app: &App, folder: &Path) -> Result<usize> {
    tokio::fs::create_dir_all(folder).await?;
    let issued: Vec<(String, String, String, i64, Option<String>)> = app
        .db
        .sql(
            "SELECT u.code, i.form, i.symbol, i.number, COALESCE(i.coded_xml, i.xml)
               FROM invoice i JOIN org_unit u ON u.unit_id = i.school_id
              ORDER BY u.code, i.form, i.symbol, i.number",
        )
        .all()
        .await?;
    let mut used = BTreeSet::new();
    let count = issued.len();
    for (school, form, symbol, number, xml) in issued {
        let plain = format!("{form}{symbol}-{number}.xml");
        let name = if used.insert(plain.clone()) {
            plain
        } else {
            format!("{form}{symbol}-{number}-{school}.xml")
        };
        if let Some(xml) = xml {
            tokio::fs::write(folder.join(name), xml).await?;
        }
    }
    Ok(count)
}
