//! Invoices before their number: what a payment wants documented, in the words and under the rules of
//! its school on the day of collection.

use std::collections::HashMap;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::InvoiceError;
use super::issue::{Issued, Outcomes};
use super::keys::Signers;
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{PaymentId, SchoolId};
use crate::invoices::archive::Kind;
use crate::invoices::document::{
    BillReference, Buyer, Collected, Document, Form, Format, Heading, Numbering, PaymentMethod,
    Seller, Trustee, VatRate,
};
use crate::invoices::rules::{self, DocumentRule, Policy, Settled};
use crate::invoices::store::{self, AllocationRow, PaymentRow, SeriesKey, Wanted};
use crate::invoices::xml::write_invoice;
use crate::money::Vnd;
use crate::schools::{self, School, parameters};

/// What a school prints and which rules it follows on one day.
#[derive(Clone)]
pub(in crate::invoices) struct Profile {
    pub seller: Seller,
    pub trustee: Option<Trustee>,
    pub form: Form,
    pub format: Format,
    pub policy: Policy,
    pub symbol: String,
    pub solution_provider: String,
}

/// An invoice that waits for its number only.
pub(super) struct Draft {
    pub payment: PaymentRow,
    pub day: Day,
    pub document: Document,
    pub allocations: Vec<(i64, Vnd)>,
}

impl Draft {
    pub fn series(&self) -> SeriesKey {
        let numbering = &self.document.numbering;
        SeriesKey(
            self.payment.school_id.clone(),
            numbering.form.to_string(),
            numbering.symbol.clone(),
        )
    }

    pub fn wanted(&self) -> Wanted {
        wanted(&self.payment)
    }
}

pub(super) fn wanted(payment: &PaymentRow) -> Wanted {
    (
        payment.school_id.clone(),
        payment.payment_id.clone(),
        payment.cause.clone(),
    )
}

/// The largest number: a draft is tried with it, so that every number fits.
pub(in crate::invoices) const WIDEST_NUMBER: i64 = 99_999_999;

/// Drafts of all payments that want an invoice and could be signed; the rest gets its outcome.
pub(super) async fn draft(
    app: &App,
    signers: &Signers,
    fresh: Vec<PaymentRow>,
    now: Instant,
    outcomes: &mut Outcomes,
) -> Result<Vec<Draft>, InvoiceError> {
    let mut settled = settled_by_payment(app, &fresh).await?;
    let mut profiles = Profiles::default();
    let mut drafts = Vec::new();
    for payment in fresh {
        let key = wanted(&payment);
        // Whoever comes first among several causes of one payment documents all of it.
        let rows = settled
            .remove(&(key.0.clone(), key.1.clone()))
            .unwrap_or_default();
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
                    .choose(&key.0, draft.document.signer())
                    .and_then(|_| Ok(write_invoice(&draft.document)?));
                match ready {
                    Ok(_) => drafts.push(draft),
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

/// What the payments of a batch settled.
pub(super) async fn settled_by_payment(
    app: &App,
    fresh: &[PaymentRow],
) -> Result<HashMap<(SchoolId, PaymentId), Vec<AllocationRow>>, InvoiceError> {
    Ok(by_payment(
        store::undocumented(&app.db, &payment_keys(fresh), Kind::Invoice).await?,
    ))
}

/// Each payment once.
pub(super) fn payment_keys(fresh: &[PaymentRow]) -> Vec<(SchoolId, PaymentId)> {
    let mut keys: Vec<_> = fresh
        .iter()
        .map(|row| (row.school_id.clone(), row.payment_id.clone()))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

pub(super) fn by_payment(
    found: Vec<AllocationRow>,
) -> HashMap<(SchoolId, PaymentId), Vec<AllocationRow>> {
    let mut settled: HashMap<_, Vec<AllocationRow>> = HashMap::new();
    for row in found {
        settled
            .entry((row.school_id.clone(), row.payment_id.clone()))
            .or_default()
            .push(row);
    }
    settled
}

pub(super) fn payment_method(payment: &PaymentRow) -> PaymentMethod {
    if payment.channel == "CASH" {
        PaymentMethod::Cash
    } else {
        PaymentMethod::Transfer
    }
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
        payment_method: payment_method(&payment),
        solution_provider: profile.solution_provider.clone(),
        seller: profile.seller.clone(),
        buyer,
        trustee: profile.trustee.clone(),
        related: None,
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

pub(super) fn read_settled(row: &AllocationRow) -> Result<Settled, InvoiceError> {
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
pub(in crate::invoices) struct Profiles {
    schools: HashMap<SchoolId, (School, parameters::Parameters)>,
    by_day: HashMap<(SchoolId, Day), Profile>,
}

impl Profiles {
    pub async fn get(
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
        trustee: read_trustee(dated, day)?,
        form,
        format: Format::parse(format).ok_or_else(|| bad("invoice_format", format))?,
        policy: Policy::parse(policy).ok_or_else(|| bad("invoice_policy", policy))?,
        symbol: rules::symbol(coding, day, text("invoice_symbol_letters")?),
        solution_provider: text("solution_provider_tax_code")?.to_owned(),
    })
}

/// Who issues for the school on this day, when the contract of entrusted issuing is configured.
pub(super) fn read_trustee(
    dated: &parameters::Parameters,
    day: Day,
) -> Result<Option<Trustee>, InvoiceError> {
    let Some(tax_code) = dated.at("invoice_trustee_tax_code", day) else {
        return Ok(None);
    };
    Ok(Some(Trustee {
        tax_code: tax_code.value.to_owned(),
        name: dated.text("invoice_trustee_name", day)?.to_owned(),
        address: dated.text("invoice_trustee_address", day)?.to_owned(),
    }))
}
