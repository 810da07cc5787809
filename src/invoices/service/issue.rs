//! From payments to signed invoices.
//!
//! Nothing gets a number that cannot be signed: content and key are tried first. The number, the
//! content and the documented allocations are written in one transaction; signing follows outside of
//! it, and a numbered invoice that a crash left unsigned is signed by the next run of the same job.

use std::collections::HashMap;
use std::sync::Arc;

use super::batch::{Task, sign_all};
use super::draft::draft;
use super::number::number;
use super::{InvoiceError, KeyRing, Signers, kinds};
use crate::App;
use crate::ids::{InvoiceId, PaymentId, SchoolId};
use crate::invoices::archive::{self, Kept};
use crate::invoices::document::Document;
use crate::invoices::store::{self, InvoiceState, Wanted};
use crate::invoices::xml::write_invoice;
use crate::jobs::{self, NewJob};
use crate::store::Tx;

/// What became of a payment's invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// No settled line wants an invoice; no number was used.
    NotWanted,
    /// Numbered and signed, now or before.
    Signed(InvoiceId),
}

/// Outcomes by what wanted an invoice, filled step by step.
pub(super) type Outcomes = HashMap<Wanted, Result<Issued, InvoiceError>>;

/// Numbers and signs the invoices of a batch of payments, of any schools; one outcome each, in order.
///
/// # Errors
/// A [`StoreError`](crate::store::StoreError) of the batch as a whole; what concerns one payment is
/// in its own outcome.
pub async fn issue(
    app: &App,
    keys: &KeyRing,
    payments: &[(SchoolId, PaymentId)],
) -> Result<Vec<Result<Issued, InvoiceError>>, InvoiceError> {
    let wanted: Vec<Wanted> = payments
        .iter()
        .map(|(school, payment)| (school.clone(), payment.clone(), String::new()))
        .collect();
    issue_wanted(app, keys, &wanted).await
}

/// [`issue`] for payments and for movements that brought money of theirs to further bill lines: an
/// invoice documents what no earlier one does.
///
/// # Errors
/// As [`issue`].
pub async fn issue_wanted(
    app: &App,
    keys: &KeyRing,
    wanted: &[Wanted],
) -> Result<Vec<Result<Issued, InvoiceError>>, InvoiceError> {
    let now = app.clock.now();
    let mut outcomes = Outcomes::new();
    let found = store::payments(&app.db, wanted).await?;
    let mut waiting: Vec<(SchoolId, InvoiceId, Wanted)> = Vec::new();
    let mut fresh = Vec::new();
    for row in found {
        match (row.invoice_id.clone(), row.state) {
            (Some(invoice), Some(InvoiceState::Numbered)) => {
                waiting.push((row.school_id.clone(), invoice, super::draft::wanted(&row)));
            }
            (Some(invoice), _) => {
                outcomes.insert(super::draft::wanted(&row), Ok(Issued::Signed(invoice)));
            }
            (None, _) => fresh.push(row),
        }
    }

    let school_ids: Vec<SchoolId> = sorted_schools(
        fresh
            .iter()
            .map(|row| &row.school_id)
            .chain(waiting.iter().map(|(school, ..)| school)),
    );
    let signers = keys.of_schools(app, &school_ids, now).await?;
    let drafts = draft(app, &signers, fresh, now, &mut outcomes).await?;
    let numbered = number(app, drafts, now).await?;
    waiting.extend(numbered.waiting);
    outcomes.extend(
        numbered
            .ahead
            .into_iter()
            .map(|(wanted, error)| (wanted, Err(error))),
    );
    let keys: Vec<_> = waiting
        .iter()
        .map(|(school, invoice, _)| (school.clone(), invoice.clone()))
        .collect();
    let mut failed = sign(app, &signers, &keys).await?;
    for (_, invoice, wanted) in waiting {
        let outcome = match failed.remove(&invoice) {
            Some(error) => Err(error),
            None => Ok(Issued::Signed(invoice)),
        };
        outcomes.insert(wanted, outcome);
    }
    Ok(wanted
        .iter()
        .map(|wanted| {
            outcomes
                .remove(wanted)
                .unwrap_or_else(|| Err(InvoiceError::UnknownPayment(wanted.1.to_string())))
        })
        .collect())
}

/// Signs numbered invoices, whatever asked for them; one outcome each, in order. What is signed
/// already is done.
///
/// # Errors
/// As [`issue`].
pub async fn sign_numbered(
    app: &App,
    keys: &KeyRing,
    invoices: &[(SchoolId, InvoiceId)],
) -> Result<Vec<Result<(), InvoiceError>>, InvoiceError> {
    let schools = sorted_schools(invoices.iter().map(|(school, _)| school));
    let signers = keys.of_schools(app, &schools, app.clock.now()).await?;
    let mut failed = sign(app, &signers, invoices).await?;
    Ok(invoices
        .iter()
        .map(|(_, invoice)| failed.remove(invoice).map_or(Ok(()), Err))
        .collect())
}

fn sorted_schools<'s>(schools: impl Iterator<Item = &'s SchoolId>) -> Vec<SchoolId> {
    let mut all: Vec<SchoolId> = schools.cloned().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Signs, then stores file and follow-up job together; answers what failed.
async fn sign(
    app: &App,
    signers: &Signers,
    waiting: &[(SchoolId, InvoiceId)],
) -> Result<HashMap<InvoiceId, InvoiceError>, InvoiceError> {
    let mut failed: HashMap<InvoiceId, InvoiceError> = HashMap::new();
    if waiting.is_empty() {
        return Ok(failed);
    }
    let now = app.clock.now();
    let mut work = Vec::new();
    for row in store::numbered(&app.db, waiting).await? {
        let ready = read_content(&row).and_then(|document| {
            let key = Arc::clone(signers.choose(&row.school_id, document.signer())?);
            Ok((document, key))
        });
        match ready {
            Ok((document, key)) => work.push(Task {
                subject: (row.school_id, row.invoice_id),
                document,
                key,
            }),
            Err(error) => {
                failed.insert(row.invoice_id, error);
            }
        }
    }
    let mut signed = Vec::with_capacity(work.len());
    let write = |document: &Document| write_invoice(document).map_err(InvoiceError::from);
    for ((school, invoice), result) in sign_all(&app.http, work, write, now).await? {
        match result {
            Ok(file) => signed.push((school, invoice, file)),
            Err(error) => {
                failed.insert(invoice, error);
            }
        }
    }
    if !signed.is_empty() {
        let signed = Arc::new(signed);
        let (ids, seal) = (app.ids.clone(), Arc::clone(&app.seal));
        app.db
            .write("invoices.signed", async move |tx: &mut Tx| {
                let stored = store::set_signed(tx, &signed, now).await?;
                let kept: Vec<Kept<'_>> = signed
                    .iter()
                    .filter(|(school, invoice, _)| {
                        stored
                            .iter()
                            .any(|(of, found)| of == school && found == invoice)
                    })
                    .map(|(school_id, invoice, file)| Kept {
                        school_id,
                        subject_id: invoice.as_str(),
                        file,
                    })
                    .collect();
                archive::keep(tx, &seal, archive::Kind::Invoice, &kept, now).await?;
                let follow_up: Vec<NewJob> = stored
                    .into_iter()
                    .map(|(school_id, invoice)| NewJob {
                        school_id,
                        kind: kinds::SEND,
                        subject: invoice.to_string(),
                        run_at: now,
                    })
                    .collect();
                jobs::enqueue(tx, &ids, &follow_up, now).await?;
                Ok::<_, InvoiceError>(())
            })
            .await?;
        app.wake.now();
    }
    Ok(failed)
}

fn read_content(row: &store::NumberedRow) -> Result<Document, InvoiceError> {
    serde_json::from_str(&row.document).map_err(|_| InvoiceError::Stored {
        what: "invoice content",
        value: row.invoice_id.to_string(),
    })
}
