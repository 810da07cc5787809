//! Corrects invoices: number and content are decided in one transaction, signature and exchange
//! follow as jobs.

use std::sync::Arc;

use super::content::{Content, adjusting, changes, replacing};
use super::rules::{self, Ground, Refusal, kind_of};
use super::store::{self, ChainRow, NewCorrection};
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{Ids, InvoiceId, SchoolId};
use crate::invoices::document::{
    Correction, CorrectionReason, Document, Heading, Numbering, Related,
};
use crate::invoices::service::{InvoiceError, KeyRing, Profile, Profiles, WIDEST_NUMBER, kinds};
use crate::invoices::store::{self as invoices, InvoiceState, SeriesKey};
use crate::invoices::xml::write_invoice;
use crate::jobs::{self, NewJob};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx};

/// What is to be said instead.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, never in a collection"
)]
#[derive(Clone, Debug)]
pub enum After {
    /// The whole content as it should be.
    Said(Content),
    /// So much less of these allocations.
    Less(Vec<(i64, Vnd)>),
}

/// A correction that somebody asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The invoice in force.
    pub target: InvoiceId,
    pub method: Correction,
    pub reason: CorrectionReason,
    pub after: After,
    /// For people.
    pub why: String,
    /// The written agreement of an organisation, or how a person was told (TT 91/2026 art. 10.1).
    pub agreement: Option<String>,
    /// Token of a form, or a movement: asked twice, corrected once.
    pub cause: String,
    pub by: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<StoreError> for LifeError {
    fn from(error: StoreError) -> Self {
        Self::Invoice(error.into())
    }
}

/// Adjusts or replaces an invoice. Asked for twice by one cause, it is answered as the first time.
///
/// # Errors
/// [`LifeError`]; nothing was changed and no number was used.
pub async fn correct(
    app: &App,
    keys: &KeyRing,
    school: &SchoolId,
    ask: Ask,
) -> Result<InvoiceId, LifeError> {
    let now = app.clock.now();
    let root = store::root_of(&app.db, school, &ask.target)
        .await?
        .ok_or(Refusal::NoInvoice)?;
    let mut profiles = Profiles::default();
    let profile = profiles.get(app, school, now.day()).await?.clone();
    let signer = profile
        .trustee
        .as_ref()
        .map_or(&profile.seller.tax_code, |trustee| &trustee.tax_code);
    // Nothing gets a number that cannot be signed.
    keys.of_schools(app, std::slice::from_ref(school), now)
        .await?
        .choose(school, signer)?;
    let work = Arc::new(Work {
        school: school.clone(),
        root,
        profile,
        ask,
        now,
        today: now.day(),
        ids: app.ids.clone(),
    });
    let made = app
        .db
        .write("invoices.correct", async move |tx: &mut Tx| {
            work.correct(tx).await
        })
        .await?;
    app.wake.now();
    Ok(made)
}

struct Work {
    school: SchoolId,
    root: InvoiceId,
    profile: Profile,
    ask: Ask,
    now: Instant,
    today: Day,
    ids: Ids,
}

impl Work {
    async fn correct(&self, tx: &mut Tx) -> Result<InvoiceId, LifeError> {
        let (school, root, ask) = (&self.school, &self.root, &self.ask);
        if !store::lock_root(tx, school, root).await? {
            return Err(Refusal::NoInvoice.into());
        }
        let chain = store::chain(tx, school, root).await?;
        if let Some(known) = chain
            .iter()
            .find(|row| row.related_id.is_some() && row.cause == ask.cause)
        {
            let same =
                known.kind == kind_of(ask.method) && known.related_id.as_ref() == Some(&ask.target);
            return if same {
                Ok(known.invoice_id.clone())
            } else {
                Err(Refusal::FormUsed.into())
            };
        }
        let links: Vec<_> = chain.iter().map(ChainRow::link).collect();
        let ground = Ground::of(ask.reason);
        rules::may_correct(&links, &ask.target, ask.method, ground)?;
        let bound = match ground {
            Ground::Law => None,
            Ground::Error => {
                let wanted = kind_of(ask.method);
                let bound = store::bind_method(tx, school, root, wanted).await?;
                if bound != wanted {
                    return Err(Refusal::BoundTo(match ask.method {
                        Correction::Adjusting => Correction::Replacing,
                        Correction::Replacing => Correction::Adjusting,
                    })
                    .into());
                }
                Some(bound)
            }
        };
        let target = chain
            .iter()
            .find(|row| row.invoice_id == ask.target)
            .ok_or(Refusal::NoInvoice)?;
        let in_force = read_document(target)?;
        let before = content_of(tx, school, &chain).await?;
        let after = match &ask.after {
            After::Said(content) => content.clone(),
            After::Less(parts) => before.less(parts).ok_or(Refusal::BelowZero)?,
        };
        let changed = changes(&before, &after)?;
        let needs_agreement = before.buyer.organisation.is_some() && ground == Ground::Error;
        if needs_agreement && ask.agreement.is_none() {
            return Err(Refusal::NoAgreement.into());
        }
        let related = Related::to(&in_force.numbering, ask.method, ask.reason);
        let mut document = self.write(&in_force, &before, &after, Some(related))?;
        // Tried before a number is taken.
        write_invoice(&document).map_err(InvoiceError::from)?;
        let (number, day) = take_number(tx, school, &document, self.today).await?;
        document.numbering.number = number;
        document.numbering.issue_day = day;
        let invoice_id = InvoiceId::new(self.ids.next(self.now));
        let new = NewCorrection {
            school_id: school,
            invoice_id: &invoice_id,
            payment_id: &target.payment_id,
            kind: kind_of(ask.method),
            cause: &ask.cause,
            related: &ask.target,
            root,
            bound,
            document: &document,
            changes: &changed,
            reason: ask.reason,
            why: &ask.why,
            agreement: ask.agreement.as_deref(),
            step: i64::try_from(chain.len()).unwrap_or(i64::MAX),
            content: written(&after),
            made_by: &ask.by,
            made_at: self.now,
        };
        store::insert(tx, &new).await?;
        enqueue_signature(tx, &self.ids, school, &invoice_id, self.now).await?;
        tracing::info!(
            school.id = %school, invoice.id = %invoice_id, method = %kind_of(ask.method),
            "an invoice is corrected"
        );
        Ok(invoice_id)
    }

    fn write(
        &self,
        in_force: &Document,
        before: &Content,
        after: &Content,
        related: Option<Related>,
    ) -> Result<Document, InvoiceError> {
        let profile = &self.profile;
        let heading = Heading {
            numbering: Numbering {
                form: profile.form,
                format: profile.format,
                symbol: profile.symbol.clone(),
                number: WIDEST_NUMBER,
                issue_day: self.today,
            },
            payment_method: in_force.payment_method,
            solution_provider: profile.solution_provider.clone(),
            seller: profile.seller.clone(),
            buyer: after.buyer.clone(),
            trustee: profile.trustee.clone(),
            related,
            bills: in_force.bills.clone(),
            lookup_code: self.ids.next(self.now),
        };
        Ok(match self.ask.method {
            Correction::Adjusting => adjusting(heading, before, after)?,
            Correction::Replacing => replacing(heading, in_force, before, after)?,
        })
    }
}

/// The next number of the document's series, with the day it carries.
async fn take_number(
    tx: &mut Tx,
    school: &SchoolId,
    document: &Document,
    today: Day,
) -> Result<(i64, Day), InvoiceError> {
    let numbering = &document.numbering;
    let key = SeriesKey(
        school.clone(),
        numbering.form.to_string(),
        numbering.symbol.clone(),
    );
    let row = invoices::lock_series(tx, &[(key.clone(), today)])
        .await?
        .pop()
        .ok_or_else(|| StoreError::Contradiction(format!("no series {}", numbering.symbol)))?;
    if row.last_day > today {
        return Err(InvoiceError::SeriesAhead {
            symbol: row.symbol,
            last_day: row.last_day.iso(),
        });
    }
    let number = row.last_number + 1;
    invoices::advance_series(tx, &[(key, number, today)]).await?;
    Ok((number, today))
}

/// What the chain says now: the newest correction knows, otherwise the root.
async fn content_of(
    tx: &mut Tx,
    school: &SchoolId,
    chain: &[ChainRow],
) -> Result<Content, LifeError> {
    let root = chain.first().ok_or(Refusal::NoInvoice)?;
    if let Some(content) = chain.last().and_then(|row| row.content.as_deref()) {
        return Ok(read_content(content, root)?);
    }
    let documented = store::documented(tx, school, &root.invoice_id).await?;
    Ok(of_root(root, &documented)?)
}

fn of_root(root: &ChainRow, documented: &[(i64, i64)]) -> Result<Content, InvoiceError> {
    let documented: Vec<(i64, Vnd)> = documented
        .iter()
        .map(|(seq, amount)| (*seq, Vnd::new(*amount)))
        .collect();
    Content::of_root(&read_document(root)?, &documented).ok_or_else(|| stored(root))
}

fn stored(row: &ChainRow) -> InvoiceError {
    InvoiceError::Stored {
        what: "invoice content",
        value: row.invoice_id.to_string(),
    }
}

fn read_document(row: &ChainRow) -> Result<Document, InvoiceError> {
    serde_json::from_str(&row.document).map_err(|_| stored(row))
}

fn read_content(content: &str, row: &ChainRow) -> Result<Content, InvoiceError> {
    serde_json::from_str(content).map_err(|_| stored(row))
}

fn written(content: &Content) -> String {
    // The content holds plain values only; it always serialises.
    serde_json::to_string(content).unwrap_or_default()
}

async fn enqueue_signature(
    tx: &mut Tx,
    ids: &Ids,
    school: &SchoolId,
    invoice: &InvoiceId,
    now: Instant,
) -> Result<(), StoreError> {
    let job = NewJob {
        school_id: school.clone(),
        kind: kinds::SIGN,
        subject: invoice.to_string(),
        run_at: now,
    };
    jobs::enqueue(tx, ids, &[job], now).await
}

/// A chain with what it says, as a person looks at it before correcting.
#[derive(Clone, Debug)]
pub struct Shown {
    pub chain: Vec<ChainRow>,
    pub in_force: InvoiceId,
    pub content: Content,
}

/// The chain that an invoice belongs to.
///
/// # Errors
/// [`LifeError`].
pub async fn show(
    db: &Db,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<Option<Shown>, LifeError> {
    let Some(root) = store::root_of(db, school, invoice).await? else {
        return Ok(None);
    };
    let chain = store::chain_shown(db, school, &root).await?;
    let links: Vec<_> = chain.iter().map(ChainRow::link).collect();
    let (Some(in_force), Some(first)) = (rules::in_force(&links), chain.first()) else {
        return Ok(None);
    };
    let content = match chain.last().and_then(|row| row.content.as_deref()) {
        Some(content) => read_content(content, first)?,
        None => {
            let (of, root) = (school.clone(), root.clone());
            let documented = db
                .write("invoices.documented", async move |tx: &mut Tx| {
                    store::documented(tx, &of, &root).await
                })
                .await?;
            of_root(first, &documented)?
        }
    };
    Ok(Some(Shown {
        in_force: in_force.invoice_id.clone(),
        chain,
        content,
    }))
}

/// Mends an invoice that the authority refused: the same number, signed and sent anew under a new
/// message. Words and rates may change, amounts may not: they are collected money. Of a refused
/// correction the buyer alone may change.
///
/// # Errors
/// [`LifeError`]; nothing was changed.
pub async fn mend(
    app: &App,
    school: &SchoolId,
    invoice: &InvoiceId,
    after: Content,
    why: &str,
) -> Result<(), LifeError> {
    let now = app.clock.now();
    let root = store::root_of(&app.db, school, invoice)
        .await?
        .ok_or(Refusal::NoInvoice)?;
    let mut profiles = Profiles::default();
    let profile = profiles.get(app, school, now.day()).await?.clone();
    let (school, invoice, why, ids) = (
        school.clone(),
        invoice.clone(),
        why.to_owned(),
        app.ids.clone(),
    );
    app.db
        .write("invoices.mend", async move |tx: &mut Tx| {
            store::lock_root(tx, &school, &root).await?;
            let chain = store::chain(tx, &school, &root).await?;
            let row = chain
                .iter()
                .find(|row| row.invoice_id == invoice)
                .ok_or(Refusal::NoInvoice)?;
            if row.state != InvoiceState::Refused {
                return Err(Refusal::NotRefused(row.state).into());
            }
            let before = content_of(tx, &school, &chain).await?;
            let amounts_stay = before.lines.len() == after.lines.len()
                && before
                    .lines
                    .iter()
                    .zip(&after.lines)
                    .all(|(one, other)| one.seq == other.seq && one.amount == other.amount);
            if !amounts_stay {
                return Err(Refusal::AmountsStay.into());
            }
            let refused = read_document(row)?;
            // What a registration or a move of the school changed is said anew; number, day and form stay.
            let heading = Heading {
                numbering: Numbering {
                    format: profile.format,
                    ..refused.numbering.clone()
                },
                payment_method: refused.payment_method,
                solution_provider: profile.solution_provider.clone(),
                seller: profile.seller.clone(),
                buyer: after.buyer.clone(),
                trustee: profile.trustee.clone(),
                related: refused.related.clone(),
                bills: refused.bills.clone(),
                lookup_code: refused.lookup_code.clone(),
            };
            let document = if row.related_id.is_none() {
                replacing(heading, &refused, &before, &after).map_err(InvoiceError::from)?
            } else {
                // A correction keeps its lines: they are the difference that was decided.
                Document {
                    buyer: heading.buyer,
                    seller: heading.seller,
                    trustee: heading.trustee,
                    solution_provider: heading.solution_provider,
                    numbering: heading.numbering,
                    ..refused.clone()
                }
            };
            write_invoice(&document).map_err(InvoiceError::from)?;
            if !store::mend(tx, &school, &invoice, &document, &why).await? {
                return Err(Refusal::NotRefused(row.state).into());
            }
            if row.related_id.is_some() {
                let mut content = before;
                content.buyer = after.buyer.clone();
                store::set_content(tx, &school, &invoice, &written(&content)).await?;
            }
            enqueue_signature(tx, &ids, &school, &invoice, now).await?;
            Ok::<_, LifeError>(())
        })
        .await?;
    app.wake.now();
    Ok(())
}
