//! From payments to signed receipts for money that takes no invoice. The steps are those of invoices:
//! nothing gets a number that cannot be signed, and what a crash left unsigned is signed by the next
//! run of the same job.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::batch::{Task, sign_all};
use super::draft::{Profiles, by_payment, payment_keys, payment_method, read_settled, wanted};
use super::keys::Signers;
use super::{InvoiceError, KeyRing};
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{Ids, PaymentId, ReceiptId, SchoolId};
use crate::invoices::archive::{self, Kept, Kind};
use crate::invoices::document::BillReference;
use crate::invoices::receipt::{self, Payer, Receipt, ReceiptLine, write_receipt};
use crate::invoices::receipt_store::{self as receipts, NewReceipt};
use crate::invoices::rules;
use crate::invoices::store::{self, AllocationRow, PaymentRow, SeriesKey, Wanted};
use crate::money::Vnd;
use crate::store::{StoreError, Tx};

/// The largest number: a draft is tried with it, so that every number fits.
const WIDEST_NUMBER: i64 = 99_999_999;

/// A receipt that waits for its number only.
struct Draft {
    payment: PaymentRow,
    day: Day,
    receipt: Receipt,
    allocations: Vec<(i64, Vnd)>,
}

type Waiting = Vec<(SchoolId, ReceiptId, Wanted)>;
type Failed = HashMap<Wanted, InvoiceError>;

/// Numbers and signs the receipts of a batch of payments; one outcome each, in order. Payments that
/// want none are done at once.
///
/// # Errors
/// A [`StoreError`] of the batch as a whole.
pub async fn receipt_payments(
    app: &App,
    keys: &KeyRing,
    payments: &[(SchoolId, PaymentId)],
) -> Result<Vec<Result<(), InvoiceError>>, InvoiceError> {
    let wanted: Vec<Wanted> = payments
        .iter()
        .map(|(school, payment)| (school.clone(), payment.clone(), String::new()))
        .collect();
    receipt_wanted(app, keys, &wanted).await
}

/// [`receipt_payments`] for payments and for movements: a receipt documents what no earlier one does.
///
/// # Errors
/// As [`receipt_payments`].
pub async fn receipt_wanted(
    app: &App,
    keys: &KeyRing,
    payments: &[Wanted],
) -> Result<Vec<Result<(), InvoiceError>>, InvoiceError> {
    let now = app.clock.now();
    let mut failed = Failed::new();
    let mut waiting = Waiting::new();
    let mut fresh = Vec::new();
    for row in receipts::payments(&app.db, payments).await? {
        match (row.receipt_id, row.receipt_state.as_deref()) {
            (Some(receipt), Some("NUMBERED")) => {
                let wanted = wanted(&row.payment);
                waiting.push((row.payment.school_id, receipt, wanted));
            }
            (Some(_), _) => {}
            (None, _) => fresh.push(row.payment),
        }
    }
    let drafts = draft(app, fresh, now, &mut failed).await?;
    if drafts.is_empty() && waiting.is_empty() {
        return Ok(in_order(payments, failed));
    }
    let mut schools: Vec<SchoolId> = drafts
        .iter()
        .map(|draft| draft.payment.school_id.clone())
        .chain(waiting.iter().map(|(school, ..)| school.clone()))
        .collect();
    schools.sort_unstable();
    schools.dedup();
    let signers = keys.of_schools(app, &schools, now).await?;
    let mut ready = Vec::new();
    for draft in drafts {
        let fits = signers
            .choose(&draft.payment.school_id, &draft.receipt.seller.tax_code)
            .and_then(|_| Ok(write_receipt(&draft.receipt)?));
        match fits {
            Ok(_) => ready.push(draft),
            Err(error) => {
                failed.insert(wanted(&draft.payment), error);
            }
        }
    }
    number(app, ready, now, &mut waiting, &mut failed).await?;
    sign(app, &signers, waiting, now, &mut failed).await?;
    Ok(in_order(payments, failed))
}

fn in_order(payments: &[Wanted], mut failed: Failed) -> Vec<Result<(), InvoiceError>> {
    payments
        .iter()
        .map(|payment| failed.remove(payment).map_or(Ok(()), Err))
        .collect()
}

async fn draft(
    app: &App,
    fresh: Vec<PaymentRow>,
    now: Instant,
    failed: &mut Failed,
) -> Result<Vec<Draft>, InvoiceError> {
    let mut settled =
        by_payment(store::undocumented(&app.db, &payment_keys(&fresh), Kind::Receipt).await?);
    let mut profiles = Profiles::default();
    let mut drafts = Vec::new();
    for payment in fresh {
        let key = wanted(&payment);
        // Whoever comes first among several causes of one payment documents all of it.
        let rows = settled
            .remove(&(key.0.clone(), key.1.clone()))
            .unwrap_or_default();
        let day = rules::collection_day(payment.paid_day, now.day());
        let drafted = match profiles.get(app, &payment.school_id, day).await {
            Ok(profile) => {
                let receipted = |row: &AllocationRow| {
                    read_settled(row).map(|settled| {
                        rules::wants_receipt(profile.policy, settled.document_rule)
                            .then(|| (row.clone(), settled))
                    })
                };
                match rows.iter().map(receipted).collect::<Result<Vec<_>, _>>() {
                    Ok(rows) => draft_one(app, profile, payment, rows, day, now),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        match drafted {
            Ok(Some(draft)) => drafts.push(draft),
            Ok(None) => {}
            Err(error) => {
                failed.insert(key, error);
            }
        }
    }
    Ok(drafts)
}

fn draft_one(
    app: &App,
    profile: &super::draft::Profile,
    payment: PaymentRow,
    rows: Vec<Option<(AllocationRow, rules::Settled)>>,
    day: Day,
    now: Instant,
) -> Result<Option<Draft>, InvoiceError> {
    let mut lines = Vec::new();
    let mut allocations = Vec::new();
    let mut bills: Vec<BillReference> = Vec::new();
    let mut payer = Payer::default();
    for (row, settled) in rows.into_iter().flatten() {
        allocations.push((row.seq, row.amount));
        lines.push(ReceiptLine {
            on_behalf: settled.collection_class == "ON_BEHALF",
            name: settled.name,
            amount: settled.amount,
        });
        let bill = BillReference {
            bill_code: row.bill_code,
            pupil_name: row.pupil_name,
            pupil_code: row.pupil_code,
            class_name: row.class_name,
        };
        if payer.customer_code.is_none() {
            payer = Payer {
                name: Some(row.payer_name).filter(|name| !name.trim().is_empty()),
                address: row.payer_address,
                customer_code: Some(bill.pupil_code.clone()),
            };
        }
        if !bills.contains(&bill) {
            bills.push(bill);
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let receipt = Receipt {
        symbol: receipt::symbol(day),
        number: WIDEST_NUMBER,
        issue_day: day,
        payment_method: payment_method(&payment),
        seller: profile.seller.clone(),
        payer,
        bills,
        lookup_code: app.ids.next(now),
        total: Receipt::sum(&lines)?,
        lines,
    };
    Ok(Some(Draft {
        payment,
        day,
        receipt,
        allocations,
    }))
}

fn series(draft: &Draft) -> SeriesKey {
    SeriesKey(
        draft.payment.school_id.clone(),
        receipt::FORM.to_owned(),
        draft.receipt.symbol.clone(),
    )
}

/// Takes the numbers, in one transaction with the receipts they belong to.
async fn number(
    app: &App,
    mut drafts: Vec<Draft>,
    now: Instant,
    waiting: &mut Waiting,
    failed: &mut Failed,
) -> Result<(), InvoiceError> {
    if drafts.is_empty() {
        return Ok(());
    }
    drafts.sort_by(|a, b| {
        (a.day, a.payment.paid_at, &a.payment.payment_id).cmp(&(
            b.day,
            b.payment.paid_at,
            &b.payment.payment_id,
        ))
    });
    let drafts = Arc::new(drafts);
    let ids = app.ids.clone();
    let (numbered, ahead) = app
        .db
        .write("invoices.number_receipts", async move |tx: &mut Tx| {
            number_in(tx, &drafts, &ids, now).await
        })
        .await?;
    waiting.extend(numbered);
    failed.extend(ahead);
    Ok(())
}

type Ahead = Vec<(Wanted, InvoiceError)>;

async fn number_in(
    tx: &mut Tx,
    drafts: &[Draft],
    ids: &Ids,
    now: Instant,
) -> Result<(Waiting, Ahead), InvoiceError> {
    let mut first_days: BTreeMap<SeriesKey, Day> = BTreeMap::new();
    for draft in drafts {
        first_days.entry(series(draft)).or_insert(draft.day);
    }
    let series_of: Vec<_> = first_days.into_iter().collect();
    let mut at: HashMap<SeriesKey, (i64, Day)> = store::lock_series(tx, &series_of)
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
    let keys: Vec<Wanted> = drafts.iter().map(|draft| wanted(&draft.payment)).collect();
    let before: HashMap<_, _> = receipts::receipted(tx, &keys)
        .await?
        .into_iter()
        .map(|(school, payment, cause, receipt)| ((school, payment, cause), receipt))
        .collect();
    let (mut waiting, mut ahead, mut new) = (Waiting::new(), Ahead::new(), Vec::new());
    for (draft, of) in drafts.iter().zip(keys) {
        if let Some(receipt) = before.get(&of) {
            waiting.push((of.0.clone(), receipt.clone(), of));
            continue;
        }
        let key = series(draft);
        let Some((last_number, last_day)) = at.get_mut(&key) else {
            return Err(StoreError::Contradiction(format!("no series {}", key.2)).into());
        };
        let day = draft.day.max(*last_day);
        if day > now.day() {
            let error = InvoiceError::SeriesAhead {
                symbol: key.2,
                last_day: last_day.iso(),
            };
            ahead.push((of, error));
            continue;
        }
        *last_number += 1;
        *last_day = day;
        let mut receipt = draft.receipt.clone();
        receipt.number = *last_number;
        receipt.issue_day = day;
        let receipt_id = ReceiptId::new(ids.next(now));
        waiting.push((of.0.clone(), receipt_id.clone(), of.clone()));
        new.push(NewReceipt {
            school_id: of.0,
            receipt_id,
            payment_id: of.1,
            cause: of.2,
            receipt,
            allocations: draft.allocations.clone(),
        });
    }
    let advanced: Vec<_> = at
        .into_iter()
        .map(|(key, (number, day))| (key, number, day))
        .collect();
    store::advance_series(tx, &advanced).await?;
    receipts::insert(tx, &new).await?;
    Ok((waiting, ahead))
}

async fn sign(
    app: &App,
    signers: &Signers,
    waiting: Waiting,
    now: Instant,
    failed: &mut Failed,
) -> Result<(), InvoiceError> {
    let keys: Vec<_> = waiting
        .iter()
        .map(|(school, receipt, _)| (school.clone(), receipt.clone()))
        .collect();
    let wanted_by: HashMap<ReceiptId, Wanted> = waiting
        .into_iter()
        .map(|(_, receipt, wanted)| (receipt, wanted))
        .collect();
    let mut fail = |receipt: &ReceiptId, error| {
        if let Some(wanted) = wanted_by.get(receipt) {
            failed.insert(wanted.clone(), error);
        }
    };
    let mut work = Vec::new();
    for (school, receipt_id, document) in receipts::numbered(&app.db, &keys).await? {
        let ready = serde_json::from_str::<Receipt>(&document)
            .map_err(|_| InvoiceError::Stored {
                what: "receipt content",
                value: receipt_id.to_string(),
            })
            .and_then(|receipt| {
                let key = Arc::clone(signers.choose(&school, &receipt.seller.tax_code)?);
                Ok((receipt, key))
            });
        match ready {
            Ok((document, key)) => work.push(Task {
                subject: (school, receipt_id),
                document,
                key,
            }),
            Err(error) => fail(&receipt_id, error),
        }
    }
    let mut signed = Vec::with_capacity(work.len());
    let write = |receipt: &Receipt| write_receipt(receipt).map_err(InvoiceError::from);
    for ((school, receipt), result) in sign_all(&app.http, work, write, now).await? {
        match result {
            Ok(file) => signed.push((school, receipt, file)),
            Err(error) => fail(&receipt, error),
        }
    }
    if signed.is_empty() {
        return Ok(());
    }
    let (signed, seal) = (Arc::new(signed), Arc::clone(&app.seal));
    app.db
        .write("invoices.receipts_signed", async move |tx: &mut Tx| {
            let stored = receipts::set_signed(tx, &signed, now).await?;
            let kept: Vec<Kept<'_>> = signed
                .iter()
                .filter(|(school, receipt, _)| {
                    stored
                        .iter()
                        .any(|(of, found)| of == school && found == receipt)
                })
                .map(|(school_id, receipt, file)| Kept {
                    school_id,
                    subject_id: receipt.as_str(),
                    file,
                })
                .collect();
            Ok::<_, InvoiceError>(
                archive::keep(tx, &seal, archive::Kind::Receipt, &kept, now).await?,
            )
        })
        .await?;
    Ok(())
}
