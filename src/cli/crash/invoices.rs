//! Gateways that are killed while invoices are numbered, signed, sent and fetched, against an authority
//! whose answers get lost. Afterwards its books must be ours, invoice by invoice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use hocphi::clock::Clock;
use hocphi::store::Db;
use hocphi_sandbox::{AcceptedInvoice, Levers};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Told;
use super::scene::{Scene, database};
use super::verify::{self, Report};

/// Of a hundred answers of the authority so many are lost after it did its work.
const LOST_PERCENT: u8 = 5;
/// Milliseconds that a gateway lives after its first acknowledgement.
const LIFE_MILLIS: std::ops::Range<u64> = 20..900;
const PATIENCE: Duration = Duration::from_secs(120);

/// `kill -9` at random moments until at least the wanted number of collections was acknowledged.
pub async fn invoices(told: &Told) -> Result<Report> {
    let (url, _server) = database(told)?;
    let mut scene = Scene::set(told, std::slice::from_ref(&url), 1).await?;
    let authority = scene.authority();
    authority.set_levers(Levers {
        lose_percent: LOST_PERCENT,
        ..Levers::default()
    });
    let mut chance = StdRng::seed_from_u64(told.seed);
    let clock = Clock::system();
    let mut during_jobs = 0;
    let mut born = clock.now();
    for _ in 0..told.kills {
        scene.load.more(1, PATIENCE).await?;
        let life = Duration::from_millis(chance.random_range(LIFE_MILLIS));
        tokio::time::sleep(life).await;
        scene.nodes[0].kill()?;
        let died = clock.now();
        let client = scene.load.client().clone();
        scene.nodes[0].start(&client).await?;
        let db = Db::open_existing(&url).await?;
        during_jobs += u32::from(verify::jobs_taken(&db, born, died).await? > 0);
        db.close().await;
        born = clock.now();
    }
    let heard = scene.load.heard().count();
    let missing = told.invoices.saturating_sub(heard);
    if missing > 0 {
        scene.load.more(missing, PATIENCE * 10).await?;
    }
    let mut report = scene.finish(told, &url, told.kills).await?;
    report.faults_during_jobs = during_jobs;
    let db = Db::open_existing(&url).await?;
    let ours = our_books(&db).await?;
    db.close().await;
    let theirs = authority.accepted_all();
    compare(&mut report, &ours, &theirs, told.invoices);
    for refusal in authority.refusals() {
        report
            .findings
            .push(format!("the authority refused {refusal}"));
    }
    report.notes.push(format!(
        "authority: {} accepted, {} refused, {} answers lost, {} messages sent again",
        theirs.len(),
        authority.refusals().len(),
        authority.lost(),
        authority.repeats(),
    ));
    Ok(report)
}

/// Seller, form, symbol, number; total and the authority's code.
type Books = BTreeMap<(String, String, String, i64), (i64, String)>;

async fn our_books(db: &Db) -> Result<Books> {
    #[derive(sqlx::FromRow)]
    struct Row {
        tax_code: String,
        form: String,
        symbol: String,
        number: i64,
        total: i64,
        code: String,
    }
    let rows: Vec<Row> = db
        .sql(
            "SELECT s.tax_code, i.form, i.symbol, i.number, i.total,
                    COALESCE(i.authority_code, '') AS code
               FROM invoice i JOIN school s ON s.school_id = i.school_id",
        )
        .all()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                (row.tax_code, row.form, row.symbol, row.number),
                (row.total, row.code),
            )
        })
        .collect())
}

fn compare(report: &mut Report, ours: &Books, theirs: &[AcceptedInvoice], wanted: usize) {
    if ours.len() < wanted.min(report.acknowledged) / 2 {
        report.findings.push(format!(
            "only {} invoices for {} collections",
            ours.len(),
            report.acknowledged
        ));
    }
    let mut found = Books::new();
    for invoice in theirs {
        let key = (
            invoice.tax_code.clone(),
            invoice.form.clone(),
            invoice.symbol.clone(),
            i64::from(invoice.number),
        );
        if found
            .insert(key.clone(), (invoice.total, invoice.code.clone()))
            .is_some()
        {
            report
                .findings
                .push(format!("the authority has {key:?} twice"));
        }
    }
    for (key, figures) in ours {
        match found.remove(key) {
            Some(theirs) if theirs == *figures => {}
            Some(theirs) => report.findings.push(format!(
                "{key:?}: ours {figures:?}, the authority's {theirs:?}"
            )),
            None => report
                .findings
                .push(format!("{key:?} is not in the authority's books")),
        }
    }
    for key in found.into_keys() {
        report
            .findings
            .push(format!("{key:?} is in the authority's books alone"));
    }
}
