//! Prices anew what depends on the day of payment.

use std::collections::{BTreeSet, HashMap};

use super::FeeError;
use crate::App;
use crate::clock::Day;
use crate::fees::parameters::{ParameterTable, earlier};
use crate::fees::pricing::{quantity, school_facts};
use crate::fees::rules::{Line, Occasion, PupilFacts, SchoolFacts, price};
use crate::fees::store::{self, DueLine};
use crate::ids::{BillId, SchoolId};
use crate::ledger;
use crate::store::Tx;

/// A bill that was priced anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repriced {
    pub school_id: SchoolId,
    pub bill_id: BillId,
}

/// Prices a bill for today before it is shown or paid. A bill that needs nothing, as almost every
/// one, costs one read.
///
/// # Errors
/// As [`reprice`]; nothing is changed.
pub async fn price_for_today(app: &App, school: &SchoolId, bill: &BillId) -> Result<(), FeeError> {
    let today = app.clock.today();
    if !store::is_stale(&app.db, school, bill, today).await? {
        return Ok(());
    }
    let bills = [(school.clone(), bill.clone())];
    app.db
        .write("fees.price_for_today", async move |tx: &mut Tx| {
            reprice(tx, &bills, today).await.map(|_| ())
        })
        .await
}

/// Prices the unpaid health insurance of open bills as of `day`, where the price they carry has run
/// out. What is paid in full stays (no top-up, school-fees §3.1). Of a line paid in part the new
/// price holds, but never less than was paid on it. A pupil who meanwhile is insured by another way
/// keeps the line: taking it off is for a person to decide.
///
/// Bills that need nothing cost one lookup.
///
/// # Errors
/// [`FeeError`]; a missing parameter is named and nothing may be committed.
pub async fn reprice(
    tx: &mut Tx,
    bills: &[(SchoolId, BillId)],
    day: Day,
) -> Result<Vec<Repriced>, FeeError> {
    if store::due_lines(tx, bills, day).await?.is_empty() {
        return Ok(Vec::new());
    }
    // Posting holds the ledger head of a school while it pays lines: whoever prices takes it too, and
    // looks again at what is still unpaid.
    let schools: BTreeSet<SchoolId> = bills.iter().map(|(school, _)| school.clone()).collect();
    ledger::hold_heads(tx, &schools.into_iter().collect::<Vec<_>>()).await?;
    let due = store::due_lines(tx, bills, day).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let parameters: ParameterTable = store::parameters(tx).await?.into_iter().collect();
    let mut schools: HashMap<SchoolId, SchoolFacts> = HashMap::new();
    let mut lines = Vec::with_capacity(due.len());
    let mut totals: Vec<(SchoolId, BillId, Option<Day>)> = Vec::new();
    for due in &due {
        if !schools.contains_key(&due.school_id) {
            let facts = school_facts(tx, &due.school_id, day).await?;
            schools.insert(due.school_id.clone(), facts);
        }
        let line = priced(due, &parameters, &schools[&due.school_id], day)?;
        let until = line.as_ref().and_then(|line| line.priced_until);
        match totals.last_mut() {
            Some((school, bill, of_bill))
                if (&*school, &*bill) == (&due.school_id, &due.bill_id) =>
            {
                *of_bill = earlier(*of_bill, until);
            }
            Some(_) | None => totals.push((due.school_id.clone(), due.bill_id.clone(), until)),
        }
        lines.extend(line.map(|line| (due, line)));
    }
    store::put_new_price(tx, lines.iter().map(|(due, line)| (*due, line))).await?;
    store::put_new_total(tx, &totals, day.start()).await?;
    Ok(totals
        .into_iter()
        .map(|(school_id, bill_id, _)| Repriced { school_id, bill_id })
        .collect())
}

fn priced(
    due: &DueLine,
    parameters: &ParameterTable,
    school: &SchoolFacts,
    day: Day,
) -> Result<Option<Line>, FeeError> {
    let months = quantity(&due.quantity)?;
    let facts = PupilFacts {
        insurance_group: &due.insurance_group,
        // The months were settled when the bill was made.
        insurance_months: i64::try_from(months).unwrap_or_default(),
        ..PupilFacts::default()
    };
    let occasion = Occasion {
        charge_day: day,
        payment_day: day,
        quantity: months,
    };
    let mut line = price(&due.item, &[], parameters, school, &facts, &occasion)?;
    if let Some(line) = &mut line
        && line.amount_due < due.amount_paid
    {
        line.gross += due.amount_paid - line.amount_due;
        line.amount_due = due.amount_paid;
    }
    Ok(line)
}
