//! Takes numbers: gapless, ascending with the date, each once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::InvoiceError;
use super::draft::Draft;
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{Ids, InvoiceId, SchoolId};
use crate::invoices::store::{self, NewInvoice, SeriesKey, Wanted};
use crate::store::{StoreError, Tx};

/// What numbering left to be signed, and payments that must wait for a later day.
#[derive(Default)]
pub(super) struct Numbered {
    pub waiting: Vec<(SchoolId, InvoiceId, Wanted)>,
    pub ahead: Vec<(Wanted, InvoiceError)>,
}

/// Takes the numbers, all in one transaction with the invoices they belong to.
pub(super) async fn number(
    app: &App,
    mut drafts: Vec<Draft>,
    now: Instant,
) -> Result<Numbered, InvoiceError> {
    if drafts.is_empty() {
        return Ok(Numbered::default());
    }
    // Numbers follow the time of collection inside a series.
    drafts.sort_by(|a, b| {
        (a.day, a.payment.paid_at, &a.payment.payment_id).cmp(&(
            b.day,
            b.payment.paid_at,
            &b.payment.payment_id,
        ))
    });
    let drafts = Arc::new(drafts);
    let ids = app.ids.clone();
    app.db
        .write("invoices.number", async move |tx: &mut Tx| {
            number_in(tx, &drafts, &ids, now).await
        })
        .await
}

async fn number_in(
    tx: &mut Tx,
    drafts: &[Draft],
    ids: &Ids,
    now: Instant,
) -> Result<Numbered, InvoiceError> {
    let mut first_days: BTreeMap<SeriesKey, Day> = BTreeMap::new();
    for draft in drafts {
        first_days.entry(draft.series()).or_insert(draft.day);
    }
    let wanted: Vec<_> = first_days.into_iter().collect();
    let mut series: HashMap<SeriesKey, (i64, Day)> = store::lock_series(tx, &wanted)
        .await?
        .into_iter()
        .map(|row| {
            (
                SeriesKey(row.school_id, row.form, row.symbol),
                (row.last_number, row.last_day),
            )
        })
        .collect();
    // Read after the lock: a faster issuer of the same series has committed by now.
    let keys: Vec<_> = drafts.iter().map(Draft::wanted).collect();
    let before: HashMap<_, _> = store::invoiced(tx, &keys)
        .await?
        .into_iter()
        .map(|(school, payment, cause, invoice)| ((school, payment, cause), invoice))
        .collect();
    let mut numbered = Numbered::default();
    let mut invoices = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let wanted = draft.wanted();
        if let Some(invoice) = before.get(&wanted) {
            numbered
                .waiting
                .push((wanted.0.clone(), invoice.clone(), wanted));
            continue;
        }
        let key = draft.series();
        let Some((last_number, last_day)) = series.get_mut(&key) else {
            return Err(StoreError::Contradiction(format!("no series {}", key.2)).into());
        };
        let day = draft.day.max(*last_day);
        if day > now.day() {
            let error = InvoiceError::SeriesAhead {
                symbol: key.2,
                last_day: last_day.iso(),
            };
            numbered.ahead.push((wanted, error));
            continue;
        }
        *last_number += 1;
        *last_day = day;
        let mut document = draft.document.clone();
        document.numbering.number = *last_number;
        document.numbering.issue_day = day;
        let invoice_id = InvoiceId::new(ids.next(now));
        numbered
            .waiting
            .push((wanted.0.clone(), invoice_id.clone(), wanted.clone()));
        invoices.push(NewInvoice {
            school_id: wanted.0,
            invoice_id,
            payment_id: wanted.1,
            cause: wanted.2,
            document,
            allocations: draft.allocations.clone(),
        });
    }
    let advanced: Vec<_> = series
        .into_iter()
        .map(|(key, (number, day))| (key, number, day))
        .collect();
    store::advance_series(tx, &advanced).await?;
    store::insert(tx, &invoices).await?;
    Ok(numbered)
}
