//! From payments to signed invoices.
//!
//! Nothing gets a number that cannot be signed: content and key are tried first. The number, the
//! content and the documented allocations are written in one transaction; signing follows outside of
//! it, and a numbered invoice that a crash left unsigned is signed by the next run of the same job.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::{InvoiceError, KeyRing, kinds};
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{Ids, InvoiceId, PaymentId, SchoolId};
use crate::invoices::document::{
    BillReference, Buyer, Collected, Document, Form, Format, Heading, Numbering, PaymentMethod,
    Seller, VatRate,
};
use crate::invoices::rules::{self, DocumentRule, Policy, Settled};
use crate::invoices::signature::SigningKey;
use crate::invoices::store::{
    self, AllocationRow, InvoiceState, NewInvoice, PaymentRow, SeriesKey,
};
use crate::invoices::xml::write_invoice;
use crate::jobs::{self, NewJob};
use crate::money::Vnd;
use crate::schools::{self, School, parameters};
use crate::store::{StoreError, Tx};

/// What became of a payment's invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// No settled line wants an invoice; no number was used.
    NotWanted,
    /// Numbered and signed, now or before.
    Signed(InvoiceId),
}

/// What a school prints and which rules it follows on one day.
struct Profile {
    seller: Seller,
    form: Form,
    format: Format,
    policy: Policy,
    symbol: String,
    solution_provider: String,
}

/// An invoice that waits for its number only.
struct Draft {
    payment: PaymentRow,
    day: Day,
    document: Document,
    allocations: Vec<(i64, Vnd)>,
}

impl Draft {
    fn series(&self) -> SeriesKey {
        let numbering = &self.document.numbering;
        SeriesKey(
            self.payment.school_id.clone(),
            numbering.form.to_string(),
            numbering.symbol.clone(),
        )
    }

    fn payment_key(&self) -> (SchoolId, PaymentId) {
        (
            self.payment.school_id.clone(),
            self.payment.payment_id.clone(),
        )
    }
}

/// The largest number: a draft is tried with it, so that every number fits.
const WIDEST_NUMBER: i64 = 99_999_999;

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
    let now = app.clock.now();
    let mut outcomes: HashMap<(SchoolId, PaymentId), Result<Issued, InvoiceError>> = HashMap::new();
    let found = store::payments(&app.db, payments).await?;
    let mut waiting: Vec<(SchoolId, InvoiceId, PaymentId)> = Vec::new();
    let mut fresh = Vec::new();
    for row in found {
        match (row.invoice_id.clone(), row.state) {
            (Some(invoice), Some(InvoiceState::Numbered)) => {
                waiting.push((row.school_id, invoice, row.payment_id));
            }
            (Some(invoice), _) => {
                outcomes.insert((row.school_id, row.payment_id), Ok(Issued::Signed(invoice)));
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
            .map(|(payment, error)| (payment, Err(error))),
    );
    sign(app, &signers, waiting, &mut outcomes).await?;
    Ok(payments
        .iter()
        .map(|payment| {
            outcomes
                .remove(payment)
                .unwrap_or_else(|| Err(InvoiceError::UnknownPayment(payment.1.to_string())))
        })
        .collect())
}

fn sorted_schools<'s>(schools: impl Iterator<Item = &'s SchoolId>) -> Vec<SchoolId> {
    let mut all: Vec<SchoolId> = schools.cloned().collect();
    all.sort_unstable();
    all.dedup();
    all
}

async fn draft(
    app: &App,
    signers: &HashMap<SchoolId, Arc<SigningKey>>,
    fresh: Vec<PaymentRow>,
    now: Instant,
    outcomes: &mut HashMap<(SchoolId, PaymentId), Result<Issued, InvoiceError>>,
) -> Result<Vec<Draft>, InvoiceError> {
    let keys: Vec<_> = fresh
        .iter()
        .map(|row| (row.school_id.clone(), row.payment_id.clone()))
        .collect();
    let mut settled: HashMap<(SchoolId, PaymentId), Vec<AllocationRow>> = HashMap::new();
    for row in store::allocations(&app.db, &keys).await? {
        settled
            .entry((row.school_id.clone(), row.payment_id.clone()))
            .or_default()
            .push(row);
    }
    let mut profiles = Profiles::default();
    let mut drafts = Vec::new();
    for payment in fresh {
        let key = (payment.school_id.clone(), payment.payment_id.clone());
        let rows = settled.remove(&key).unwrap_or_default();
        let day = rules::collection_day(payment.paid_day, now.day());
        let outcome = match profiles.get(app, &payment.school_id, day).await {
            Ok(profile) => draft_one(app, profile, payment, rows, day, now),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(None) => {
                outcomes.insert(key, Ok(Issued::NotWanted));
            }
            Ok(Some(draft)) => {
                let ready = signers
                    .get(&key.0)
                    .ok_or_else(|| InvoiceError::NoKey(key.0.to_string()))
                    .and_then(|signer| {
                        signer
                            .certificate()
                            .check(&draft.document.seller.tax_code, now)
                            .map_err(|problem| InvoiceError::Sign(problem.into()))?;
                        write_invoice(&draft.document)?;
                        Ok(())
                    });
                match ready {
                    Ok(()) => drafts.push(draft),
                    Err(error) => {
                        outcomes.insert(key, Err(error));
                    }
                }
            }
            Err(error) => {
                outcomes.insert(key, Err(error));
            }
        }
    }
    Ok(drafts)
}

fn draft_one(
    app: &App,
    profile: &Profile,
    payment: PaymentRow,
    rows: Vec<AllocationRow>,
    day: Day,
    now: Instant,
) -> Result<Option<Draft>, InvoiceError> {
    let mut collected: Vec<Collected> = Vec::new();
    let mut allocations = Vec::new();
    let mut bills: Vec<BillReference> = Vec::new();
    let mut buyer = Buyer::default();
    for row in rows {
        let settled = read_settled(&row)?;
        if !rules::wants_invoice(profile.policy, settled.document_rule) {
            continue;
        }
        allocations.push((row.seq, row.amount));
        collected.push(rules::described(settled));
        let bill = BillReference {
            bill_code: row.bill_code,
            pupil_name: row.pupil_name,
            pupil_code: row.pupil_code,
            class_name: row.class_name,
        };
        if buyer.name.is_none() {
            buyer.name = Some(row.payer_name).filter(|name| !name.trim().is_empty());
            buyer.address = row.payer_address;
            buyer.customer_code = Some(bill.pupil_code.clone());
        }
        if !bills.contains(&bill) {
            bills.push(bill);
        }
    }
    if collected.is_empty() {
        return Ok(None);
    }
    let heading = Heading {
        numbering: Numbering {
            form: profile.form,
            format: profile.format,
            symbol: profile.symbol.clone(),
            number: WIDEST_NUMBER,
            issue_day: day,
        },
        payment_method: if payment.channel == "CASH" {
            PaymentMethod::Cash
        } else {
            PaymentMethod::Transfer
        },
        solution_provider: profile.solution_provider.clone(),
        seller: profile.seller.clone(),
        buyer,
        bills,
        lookup_code: app.ids.next(now),
    };
    Ok(Some(Draft {
        document: Document::new(heading, &collected)?,
        payment,
        day,
        allocations,
    }))
}

fn read_settled(row: &AllocationRow) -> Result<Settled, InvoiceError> {
    let bad = |what, value: &str| InvoiceError::Stored {
        what,
        value: value.to_owned(),
    };
    let document_rule = DocumentRule::parse(&row.document_rule)
        .ok_or_else(|| bad("document rule", &row.document_rule))?;
    Ok(Settled {
        name: row.name.clone(),
        unit: row.unit_name.clone(),
        quantity: Decimal::from_str(&row.quantity).map_err(|_| bad("quantity", &row.quantity))?,
        unit_price: row.unit_price,
        amount: row.amount,
        collection_class: row.collection_class.clone(),
        document_rule,
        rate: VatRate::parse(&row.vat_rate).ok_or_else(|| bad("VAT rate", &row.vat_rate))?,
    })
}

/// Profiles of a batch: schools and days repeat.
#[derive(Default)]
struct Profiles {
    schools: HashMap<SchoolId, (School, parameters::Parameters)>,
    by_day: HashMap<(SchoolId, Day), Profile>,
}

impl Profiles {
    async fn get(
        &mut self,
        app: &App,
        school_id: &SchoolId,
        day: Day,
    ) -> Result<&Profile, InvoiceError> {
        let key = (school_id.clone(), day);
        if !self.by_day.contains_key(&key) {
            if !self.schools.contains_key(school_id) {
                let school = schools::school(&app.db, school_id)
                    .await?
                    .ok_or_else(|| InvoiceError::UnknownSchool(school_id.to_string()))?;
                let dated = parameters::load_for(&app.db, &school).await?;
                self.schools.insert(school_id.clone(), (school, dated));
            }
            let (school, dated) = &self.schools[school_id];
            let profile = read_profile(school, dated, day)?;
            self.by_day.insert(key.clone(), profile);
        }
        Ok(&self.by_day[&key])
    }
}

fn read_profile(
    school: &School,
    dated: &parameters::Parameters,
    day: Day,
) -> Result<Profile, InvoiceError> {
    let text = |key| dated.text(key, day);
    let bad = |what, value: &str| InvoiceError::Stored {
        what,
        value: value.to_owned(),
    };
    let form = match text("vat_method")? {
        "DEDUCTION" => Form::Vat,
        "DIRECT" => Form::Sales,
        other => return Err(bad("vat_method", other)),
    };
    let policy = text("invoice_policy")?;
    let format = text("invoice_format")?;
    let coding = text("invoice_coding")?;
    if !matches!(coding, "C" | "K") {
        return Err(bad("invoice_coding", coding));
    }
    Ok(Profile {
        seller: Seller {
            name: school.name.clone(),
            tax_code: school.tax_code.clone(),
            address: school.address.clone(),
            phone: school.phone.clone(),
            bank_account: Some(school.bank_account.clone()),
        },
        form,
        format: Format::parse(format).ok_or_else(|| bad("invoice_format", format))?,
        policy: Policy::parse(policy).ok_or_else(|| bad("invoice_policy", policy))?,
        symbol: rules::symbol(coding, day, text("invoice_symbol_letters")?),
        solution_provider: text("solution_provider_tax_code")?.to_owned(),
    })
}

/// What numbering left to be signed, and payments that must wait for a later day.
#[derive(Default)]
struct Numbered {
    waiting: Vec<(SchoolId, InvoiceId, PaymentId)>,
    ahead: Vec<((SchoolId, PaymentId), InvoiceError)>,
}

/// Takes the numbers, all in one transaction with the invoices they belong to.
async fn number(app: &App, mut drafts: Vec<Draft>, now: Instant) -> Result<Numbered, InvoiceError> {
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
    let keys: Vec<_> = drafts.iter().map(Draft::payment_key).collect();
    let before: HashMap<_, _> = store::invoiced(tx, &keys)
        .await?
        .into_iter()
        .map(|(school, payment, invoice)| ((school, payment), invoice))
        .collect();
    let mut numbered = Numbered::default();
    let mut invoices = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let payment = draft.payment_key();
        if let Some(invoice) = before.get(&payment) {
            numbered
                .waiting
                .push((payment.0, invoice.clone(), payment.1));
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
            numbered.ahead.push((payment, error));
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
            .push((payment.0.clone(), invoice_id.clone(), payment.1.clone()));
        invoices.push(NewInvoice {
            school_id: payment.0,
            invoice_id,
            payment_id: payment.1,
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

/// Signs on the threads for blocking work, then stores file and follow-up job together.
async fn sign(
    app: &App,
    signers: &HashMap<SchoolId, Arc<SigningKey>>,
    waiting: Vec<(SchoolId, InvoiceId, PaymentId)>,
    outcomes: &mut HashMap<(SchoolId, PaymentId), Result<Issued, InvoiceError>>,
) -> Result<(), InvoiceError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = waiting
        .iter()
        .map(|(school, invoice, _)| (school.clone(), invoice.clone()))
        .collect();
    let now = app.clock.now();
    let mut work = Vec::new();
    let mut failed: HashMap<InvoiceId, InvoiceError> = HashMap::new();
    for row in store::numbered(&app.db, &keys).await? {
        match signers.get(&row.school_id) {
            Some(key) => work.push((row, Arc::clone(key))),
            None => {
                failed.insert(
                    row.invoice_id,
                    InvoiceError::NoKey(row.school_id.to_string()),
                );
            }
        }
    }
    let mut signed = Vec::with_capacity(work.len());
    for (school, invoice, result) in sign_in_parallel(work, now).await? {
        match result {
            Ok(file) => signed.push((school, invoice, file)),
            Err(error) => {
                failed.insert(invoice, error);
            }
        }
    }
    if !signed.is_empty() {
        let signed = Arc::new(signed);
        let ids = app.ids.clone();
        app.db
            .write("invoices.signed", async move |tx: &mut Tx| {
                let stored = store::set_signed(tx, &signed, now).await?;
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
    for (school, invoice, payment) in waiting {
        let outcome = match failed.remove(&invoice) {
            Some(error) => Err(error),
            None => Ok(Issued::Signed(invoice)),
        };
        outcomes.insert((school, payment), outcome);
    }
    Ok(())
}

type SignResult = (SchoolId, InvoiceId, Result<String, InvoiceError>);

async fn sign_in_parallel(
    work: Vec<(store::NumberedRow, Arc<SigningKey>)>,
    now: Instant,
) -> Result<Vec<SignResult>, InvoiceError> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = work.len().div_ceil(threads).max(1);
    let mut tasks = Vec::new();
    let mut work = work.into_iter();
    loop {
        let part: Vec<_> = work.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        tasks.push(tokio::task::spawn_blocking(move || {
            part.into_iter()
                .map(|(row, key)| {
                    let result = sign_one(&row, &key, now);
                    (row.school_id, row.invoice_id, result)
                })
                .collect::<Vec<_>>()
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.extend(task.await.map_err(|_| InvoiceError::Interrupted)?);
    }
    Ok(results)
}

fn sign_one(
    row: &store::NumberedRow,
    key: &SigningKey,
    now: Instant,
) -> Result<String, InvoiceError> {
    let document: Document =
        serde_json::from_str(&row.document).map_err(|_| InvoiceError::Stored {
            what: "invoice content",
            value: row.invoice_id.to_string(),
        })?;
    let file = key.sign(write_invoice(&document)?, &document.seller.tax_code, now)?;
    // Everything that was written is text.
    String::from_utf8(file).map_err(|_| InvoiceError::Interrupted)
}
