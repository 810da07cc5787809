//! The books beside the providers' own record, by SQL; then the gateway's own checker.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hocphi::clock::Instant as Moment;
use hocphi::jobs::LEASE_SECONDS;
use hocphi::store::Db;
use tokio::process::Command;

use super::Told;
use super::load::Heard;

/// What a scenario found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub database: &'static str,
    /// How often the scenario struck.
    pub faults: u32,
    /// How many of them fell while a job was running.
    pub faults_during_jobs: u32,
    pub acknowledged: usize,
    pub in_books: usize,
    /// Acknowledged and not in the books with that amount.
    pub lost: usize,
    /// In the books more than once.
    pub doubled: usize,
    /// Missing numbers of invoices and of journal entries.
    pub gaps: i64,
    pub invoices: i64,
    /// Notices that were sent again although they had been acknowledged.
    pub repeated: u64,
    /// Requests that got no answer.
    pub unanswered: u64,
    /// Answers that were no acknowledgement, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Anything else that is wrong.
    pub findings: Vec<String>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why nothing was tried here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    pub seconds: u64,
}

impl Report {
    pub const HEADER: &'static str = "scenario   database   faults  in jobs  acknowledged   in books   lost  doubled   gaps  invoices  seconds";

    /// Nothing was tried, for this reason.
    pub fn skipped(told: &Told, why: &str) -> Self {
        Self {
            scenario: told.name,
            database: told.engine.name(),
            faults: 0,
            faults_during_jobs: 0,
            acknowledged: 0,
            in_books: 0,
            lost: 0,
            doubled: 0,
            gaps: 0,
            invoices: 0,
            repeated: 0,
            unanswered: 0,
            refused: BTreeMap::new(),
            findings: Vec::new(),
            notes: Vec::new(),
            skipped: Some(why.to_owned()),
            seconds: 0,
        }
    }

    pub fn holds(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.gaps == 0 && self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario, database, ..
        } = self;
        if let Some(why) = &self.skipped {
            return writeln!(f, "{scenario:<10} {database:<9} SKIPPED: {why}");
        }
        writeln!(
            f,
            "{scenario:<10} {database:<9} {:>7} {:>8} {:>13} {:>10} {:>6} {:>8} {:>6} {:>9} {:>8}  {}",
            self.faults,
            self.faults_during_jobs,
            self.acknowledged,
            self.in_books,
            self.lost,
            self.doubled,
            self.gaps,
            self.invoices,
            self.seconds,
            if self.holds() { "OK" } else { "FAILED" },
        )?;
        let refused: Vec<String> = self
            .refused
            .iter()
            .map(|(status, count)| format!("{count} × {status}"))
            .collect();
        writeln!(
            f,
            "           repeated {}, unanswered {}, refused {}",
            self.repeated,
            self.unanswered,
            if refused.is_empty() {
                "none".to_owned()
            } else {
                refused.join(", ")
            },
        )?;
        for note in &self.notes {
            writeln!(f, "           {note}")?;
        }
        for finding in &self.findings {
            writeln!(f, "           ! {finding}")?;
        }
        Ok(())
    }
}

/// Waits until every invoice has been through.
pub async fn settle(db: &Db, at_most: Duration) -> Result<()> {
    let begun = Instant::now();
    loop {
        let (waiting,): (i64,) = db
            .sql("SELECT COUNT(*) FROM job WHERE state = 'READY' AND kind LIKE 'invoice.%'")
            .one()
            .await?;
        if waiting == 0 {
            return Ok(());
        }
        if begun.elapsed() > at_most {
            bail!("{waiting} jobs still wait after {at_most:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How many jobs were taken between two moments and are still held.
pub async fn jobs_taken(db: &Db, after: Moment, until: Moment) -> Result<i64> {
    let (held,): (i64,) = db
        .sql("SELECT COUNT(*) FROM job WHERE leased_until > $1 AND leased_until <= $2")
        .bind(after.plus_seconds(LEASE_SECONDS))
        .bind(until.plus_seconds(LEASE_SECONDS))
        .one()
        .await?;
    Ok(held)
}

/// Compares everything that was acknowledged with the tables.
pub async fn compare(
    told: &Told,
    db: &Db,
    heard: &Heard,
    faults: u32,
    mut findings: Vec<String>,
) -> Result<Report> {
    let acknowledged = heard.acknowledged();
    let stored: Vec<(String, String, i64)> = db
        .sql("SELECT provider, transaction_id, amount FROM payment")
        .all()
        .await?;
    let in_books = stored.len();
    let mut found: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for (provider, transaction, amount) in stored {
        found
            .entry((provider, transaction))
            .or_default()
            .push(amount);
    }
    let lost = acknowledged
        .iter()
        .filter(|(key, amount)| !found.get(*key).is_some_and(|all| all.contains(amount)))
        .count();
    let doubled = found.values().map(|all| all.len() - 1).sum::<usize>()
        + usize::try_from(posted_often(db).await?)?;
    let strange = found.keys().filter(|key| !acknowledged.contains_key(*key));
    let strange = strange.count();
    if strange > 0 {
        findings.push(format!("{strange} payments that nobody reported"));
    }
    if lost == 0 && acknowledged.is_empty() {
        findings.push("nothing was acknowledged at all".to_owned());
    }
    let impolite = heard.impolite.load(Ordering::SeqCst);
    if impolite > 0 {
        findings.push(format!("{impolite} answers 503 without Retry-After"));
    }
    let (invoices, uncoded) = invoices(db).await?;
    if uncoded > 0 {
        findings.push(format!("{uncoded} invoices without the authority's code"));
    }
    let (dead,): (i64,) = db
        .sql("SELECT COUNT(*) FROM job WHERE state = 'DEAD'")
        .one()
        .await?;
    if dead > 0 {
        findings.push(format!("{dead} dead jobs"));
    }
    let falling = dates_that_fall(db).await?;
    if falling > 0 {
        findings.push(format!(
            "{falling} invoices are dated before one of a lower number"
        ));
    }
    Ok(Report {
        scenario: told.name,
        database: told.engine.name(),
        faults,
        faults_during_jobs: 0,
        acknowledged: acknowledged.len(),
        in_books,
        lost,
        doubled,
        gaps: invoice_gaps(db).await? + journal_gaps(db).await?,
        invoices,
        repeated: heard.repeated.load(Ordering::SeqCst),
        unanswered: heard.silent.load(Ordering::SeqCst),
        refused: heard
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
        findings,
        notes: Vec::new(),
        skipped: None,
        seconds: 0,
    })
}

/// Receipts in the journal beyond one for each payment.
async fn posted_often(db: &Db) -> Result<i64> {
    let (often,): (i64,) = db
        .sql(
            "SELECT CAST(COALESCE(SUM(entries - 1), 0) AS BIGINT)
               FROM (SELECT COUNT(*) AS entries FROM journal_entry
                      WHERE kind = 'PAYMENT_RECEIVED'
                      GROUP BY school_id, source_id) AS posted",
        )
        .one()
        .await?;
    Ok(often)
}

async fn invoices(db: &Db) -> Result<(i64, i64)> {
    Ok(db
        .sql(
            "SELECT COUNT(*),
                    CAST(COALESCE(SUM(CASE WHEN state = 'CODED' THEN 0 ELSE 1 END), 0) AS BIGINT)
               FROM invoice",
        )
        .one()
        .await?)
}

/// Numbers that a series has given out and no invoice carries.
async fn invoice_gaps(db: &Db) -> Result<i64> {
    let (gaps,): (i64,) = db
        .sql(
            "SELECT CAST(COALESCE(SUM(ABS(last_number - numbers) + ABS(last_number - highest)), 0) AS BIGINT)
               FROM (SELECT s.last_number, COUNT(DISTINCT i.number) AS numbers,
                            COALESCE(MAX(i.number), 0) AS highest
                       FROM invoice_series s
                       LEFT JOIN invoice i ON i.school_id = s.school_id AND i.form = s.form
                                          AND i.symbol = s.symbol
                      GROUP BY s.school_id, s.form, s.symbol, s.last_number) AS series",
        )
        .one()
        .await?;
    Ok(gaps)
}

/// Entries that a school's journal has numbered and does not hold.
async fn journal_gaps(db: &Db) -> Result<i64> {
    let (gaps,): (i64,) = db
        .sql(
            "SELECT CAST(COALESCE(SUM(ABS(last_seq - entries) + ABS(last_seq - highest)), 0) AS BIGINT)
               FROM (SELECT h.last_seq, COUNT(e.seq) AS entries, COALESCE(MAX(e.seq), 0) AS highest
                       FROM ledger_head h
                       LEFT JOIN journal_entry e ON e.school_id = h.school_id
                      GROUP BY h.school_id, h.last_seq) AS journal",
        )
        .one()
        .await?;
    Ok(gaps)
}

async fn dates_that_fall(db: &Db) -> Result<i64> {
    let (falling,): (i64,) = db
        .sql(
            "SELECT COUNT(*)
               FROM (SELECT issue_day, LAG(issue_day) OVER (
                                PARTITION BY school_id, form, symbol ORDER BY number) AS before
                       FROM invoice) AS series
              WHERE before > issue_day",
        )
        .one()
        .await?;
    Ok(falling)
}

/// The gateway's own opinion, in a process of its own.
pub async fn ledger_check(mut report: Report, url: &str) -> Result<Report> {
    let output = Command::new(std::env::current_exe()?)
        .args(["ledger", "check", "--full", "--no-checkpoint"])
        .env("HOCPHI_DATABASE_URL", url)
        .env("HOCPHI_LOG", "error")
        .output()
        .await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        report.findings.push(format!(
            "hocphi ledger check: {} {}",
            said.trim(),
            why.trim()
        ));
    }
    Ok(report)
}
