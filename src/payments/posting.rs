//! One batch of arrivals, one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::books::{Arrival, Chart, Receipt};
use super::chart::Charts;
use super::moves::MoveError;
use super::{evidence_store, posting_store, review, rules, snapshot};
use crate::clock::Clock;
use crate::fees::service::{self as fees, FeeError};
use crate::ids::{Ids, SchoolId};
use crate::jobs::{self, NewJob, Wake};
use crate::ledger;
use crate::store::{Db, Flushing, StoreError, Trouble, Tx};

/// The job that issues the invoice of a payment; `invoices` owns its handler.
pub const ISSUE_INVOICE: &str = "invoice.issue";
/// See the head of [`payments`](super).
pub const INVOICE_ALLOCATED: &str = "invoice.allocated";
/// See the head of [`payments`](super).
pub const INVOICE_REFUNDED: &str = "invoice.refunded";

#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("bills cannot be priced for the day of payment: {0}")]
    Pricing(#[from] FeeError),
    #[error("money cannot be taken back: {0}")]
    Reversal(Box<MoveError>),
}

impl From<MoveError> for PostError {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Store(error) => Self::Store(error),
            MoveError::Pricing(error) => Self::Pricing(error),
            other => Self::Reversal(Box::new(other)),
        }
    }
}

impl PostError {
    /// What is wrong with the database's surroundings, when nothing is wrong with the notices.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Store(error) | Self::Pricing(FeeError::Store(error)) => error.trouble(),
            Self::Pricing(_) | Self::Reversal(_) => None,
        }
    }

    /// Stable, for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) | Self::Pricing(FeeError::Store(error)) => error.code(),
            Self::Pricing(_) => "posting_pricing",
            Self::Reversal(_) => "posting_reversal",
        }
    }
}

/// What posting needs.
#[derive(Clone, Debug)]
pub struct Poster {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub wake: Wake,
    pub charts: Charts,
    /// Seals the entries.
    pub chain: ledger::ChainKeys,
}

/// A batch that is committed; its receipts may be acknowledged once it is durable.
#[derive(Debug)]
pub(super) struct Committed {
    /// Of each arrival, in order.
    pub(super) receipts: Vec<Receipt>,
    pub(super) flushing: Flushing,
}

/// Posts a batch: inbox, payments, allocations, bills, credits, suspense, journal and jobs, all or
/// nothing.
///
/// # Errors
/// [`PostError`] when the transaction as a whole failed; nothing was written.
pub(super) async fn post(
    poster: &Poster,
    arrivals: impl Into<Arc<[Arrival]>>,
) -> Result<Committed, PostError> {
    let arrivals: Arc<[Arrival]> = arrivals.into();
    let schools: BTreeSet<SchoolId> = arrivals
        .iter()
        .map(|arrival| arrival.school_id.clone())
        .collect();
    let charts = poster
        .charts
        .of(&poster.db, &schools, poster.clock.now())
        .await?;
    let inner = poster.clone();
    let (receipts, flushing) = poster
        .db
        .commit("payments.post", async move |tx: &mut Tx| {
            post_in(tx, &inner, &arrivals, &charts, &schools).await
        })
        .await?;
    Ok(Committed { receipts, flushing })
}

/// As [`post`], in a transaction of the caller and with its charts.
pub(in crate::payments) async fn post_in(
    tx: &mut Tx,
    poster: &Poster,
    arrivals: &[Arrival],
    charts: &HashMap<SchoolId, Chart>,
    schools: &BTreeSet<SchoolId>,
) -> Result<Vec<Receipt>, PostError> {
    let now = poster.clock.now();
    tx.join_by_index().await?;
    let schools: Vec<SchoolId> = schools.iter().cloned().collect();
    let mut heads = ledger::lock_heads(tx, &poster.chain, &schools).await?;
    let mut books = snapshot::read(tx, arrivals, charts.clone()).await?;
    // A premium that follows the day of payment may have changed since the bill was printed.
    let stale = snapshot::stale_bills(&books, arrivals);
    if !stale.is_empty() {
        for (paid_on, bills) in stale {
            fees::reprice(tx, &bills, paid_on).await?;
        }
        books = snapshot::read(tx, arrivals, charts.clone()).await?;
    }
    let plan = rules::plan(&mut books, arrivals);
    posting_store::write(tx, &plan, arrivals, now).await?;
    evidence_store::note_batch(tx, &plan, arrivals, now).await?;
    ledger::append(tx, &mut heads, &plan.postings).await?;
    review::follow(tx, &poster.ids, &plan, arrivals, charts, &mut heads, now).await?;
    let follow_up: Vec<NewJob> = plan
        .payments
        .iter()
        .filter(|payment| payment.to_bills.is_positive())
        .map(|payment| NewJob {
            school_id: arrivals[payment.arrival].school_id.clone(),
            kind: ISSUE_INVOICE,
            subject: arrivals[payment.arrival].payment_id.to_string(),
            run_at: now,
        })
        .collect();
    jobs::enqueue(tx, &poster.ids, &follow_up, now).await?;
    for repeat in plan.repeats.iter().filter(|(_, conflict)| *conflict) {
        tracing::warn!(
            school.id = %repeat.0.0,
            provider = repeat.0.1,
            notice.key = repeat.0.2,
            "a provider repeated a notice with another meaning"
        );
    }
    Ok(plan.receipts)
}
