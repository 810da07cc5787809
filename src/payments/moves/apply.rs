//! Carries a movement out inside the caller's transaction.

use std::collections::BTreeSet;

use super::rules::{MoveKind, Piece, Place, effects, journal};
use super::store::{self, Head};
use crate::clock::Instant;
use crate::ids::{Ids, MoveId, PaymentId, SchoolId};
use crate::jobs::{self, NewJob};
use crate::ledger::{self, EntryKind, Heads, Posting, PostingError};
use crate::money::Vnd;
use crate::payments::books::Chart;
use crate::payments::{INVOICE_ALLOCATED, INVOICE_REFUNDED, ISSUE_INVOICE};
use crate::store::{StoreError, Tx};

/// A movement to be made. The school's ledger head is locked, and `pieces` were drawn under that lock.
#[derive(Clone, Debug)]
pub struct Order {
    pub school_id: SchoolId,
    pub kind: MoveKind,
    /// What asked for it; the same kind and request move money once.
    pub request: String,
    pub reason: String,
    pub made_by: String,
    pub made_at: Instant,
    pub pieces: Vec<Piece>,
    pub chart: Chart,
    /// The account of money outside.
    pub gone: String,
    /// The entry that is undone, if there is one.
    pub reverses: Option<i64>,
    /// What leaves a bill line, or comes back to it, is owed less, or again.
    pub charge_falls: bool,
}

/// A movement that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub move_id: MoveId,
    pub amount: Vnd,
    /// It had been made before; nothing happened now.
    pub again: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Posting(#[from] PostingError),
}

/// Writes the movement, its journal entry and the jobs that follow from it.
///
/// # Errors
/// [`ApplyError`]; nothing may be committed then.
pub async fn apply(
    tx: &mut Tx,
    ids: &Ids,
    heads: &mut Heads,
    order: &Order,
) -> Result<Moved, ApplyError> {
    let move_id = MoveId::new(ids.next(order.made_at));
    let changed = effects(&order.pieces);
    let mut posting = Posting::new(
        order.school_id.clone(),
        entry_kind(order.kind),
        move_id.as_str(),
        order.made_at.day(),
        order.made_at,
        journal(&order.pieces, &order.chart, &order.gone),
    )?;
    if let Some(seq) = order.reverses {
        posting = posting.reversing(seq);
    }
    let head = Head {
        school_id: order.school_id.clone(),
        move_id: move_id.clone(),
        kind: order.kind,
        request: order.request.clone(),
        reason: order.reason.clone(),
        made_by: order.made_by.clone(),
        made_at: order.made_at,
        charge_falls: order.charge_falls,
    };
    store::write(tx, &head, &order.pieces, &changed).await?;
    ledger::append(tx, heads, &[posting]).await?;
    let follow_up = invoice_jobs(tx, order, &move_id).await?;
    jobs::enqueue(tx, ids, &follow_up, order.made_at).await?;
    tracing::info!(
        school.id = %order.school_id, move.id = %move_id, move.kind = %order.kind,
        "money moved"
    );
    Ok(Moved {
        move_id,
        amount: order.pieces.iter().map(|piece| piece.amount).sum(),
        again: false,
    })
}

const fn entry_kind(kind: MoveKind) -> EntryKind {
    match kind {
        MoveKind::TakenBack => EntryKind::PaymentTakenBack,
        MoveKind::SuspenseAssigned => EntryKind::SuspenseAssigned,
        MoveKind::CreditUsed => EntryKind::CreditUsed,
        MoveKind::Refund => EntryKind::RefundRequested,
        MoveKind::RefundCancelled => EntryKind::RefundCancelled,
    }
}

/// What invoices must hear of. A refund tells them when it is paid out, see `refunds`.
async fn invoice_jobs(
    tx: &mut Tx,
    order: &Order,
    move_id: &MoveId,
) -> Result<Vec<NewJob>, StoreError> {
    let is_line = |place: &Place| matches!(place, Place::Line { .. });
    let job = |kind, subject: String| NewJob {
        school_id: order.school_id.clone(),
        kind,
        subject,
        run_at: order.made_at,
    };
    match order.kind {
        MoveKind::TakenBack if order.pieces.iter().any(|piece| is_line(&piece.from)) => {
            Ok(vec![job(INVOICE_REFUNDED, move_id.to_string())])
        }
        MoveKind::SuspenseAssigned | MoveKind::CreditUsed => {
            let settled: BTreeSet<&PaymentId> = order
                .pieces
                .iter()
                .filter(|piece| is_line(&piece.to))
                .map(|piece| &piece.payment_id)
                .collect();
            let before: BTreeSet<PaymentId> =
                store::on_bills_before(tx, &order.school_id, move_id, settled.iter().copied())
                    .await?
                    .into_iter()
                    .collect();
            let mut wanted: Vec<NewJob> = settled
                .iter()
                .filter(|payment| !before.contains(**payment))
                .map(|payment| job(ISSUE_INVOICE, payment.to_string()))
                .collect();
            if !before.is_empty() {
                wanted.push(job(INVOICE_ALLOCATED, move_id.to_string()));
            }
            Ok(wanted)
        }
        // The invoice may have been made while the money was on its way out.
        MoveKind::RefundCancelled if order.pieces.iter().any(|piece| is_line(&piece.to)) => {
            Ok(vec![job(INVOICE_ALLOCATED, move_id.to_string())])
        }
        MoveKind::TakenBack | MoveKind::Refund | MoveKind::RefundCancelled => Ok(Vec::new()),
    }
}
