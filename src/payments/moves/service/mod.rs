//! Use cases of moving money: undoing a payment, giving parked money an owner, using credit, noting a
//! settlement. Each is safe to repeat and safe beside others: the school's ledger head is locked
//! first, and what is asked for twice is answered as the first time.

mod placing;
mod settling;
mod undo;

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{ApplyError, Moved};
use super::rules::{MoveKind, Obstacle, Piece, Place, come_back, fit};
use super::store;
use crate::clock::Instant;
use crate::fees;
use crate::ids::{BillId, MoveId, SchoolId};
use crate::ledger::{self, ChainKeys, Heads, PostingError};
use crate::money::Vnd;
use crate::payments::books::Snapshot;
use crate::payments::chart::ChartError;
use crate::payments::snapshot;
use crate::store::{StoreError, Tx};

pub use placing::{Owner, assign_suspense, use_credit};
pub use settling::{SettlementLine, settle};
pub(crate) use undo::taking_back;
pub use undo::undo_payment;

#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Chart(#[from] ChartError),
    #[error(transparent)]
    Posting(#[from] PostingError),
    #[error("bills cannot be priced: {0}")]
    Pricing(#[from] fees::service::FeeError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<ApplyError> for MoveError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => Self::Store(error),
            ApplyError::Posting(error) => Self::Posting(error),
        }
    }
}

impl From<Obstacle> for MoveError {
    fn from(obstacle: Obstacle) -> Self {
        Self::Refused(Refusal::Obstacle(obstacle))
    }
}

/// Why money was not moved; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Obstacle(Obstacle),
    #[error("no such payment")]
    NoPayment,
    #[error("no such bill of this school: {0}")]
    NoBill(String),
    #[error("no such pupil of this school: {0}")]
    NoPupil(String),
    /// Somebody else was first.
    #[error("dealt with already by {by:?}")]
    Resolved {
        by: Option<String>,
        at: Option<Instant>,
    },
    #[error("nothing is open there")]
    NothingOpen,
    #[error("there is no credit")]
    NoCredit,
    #[error("the form was used before for another amount")]
    FormUsed,
    #[error("the payment is on the school's account already")]
    SettledBefore,
    #[error("the line settles {expected}, not {given}")]
    SettlesAnother { expected: Vnd, given: Vnd },
    /// Of a decision: undoing the payment is what remains.
    #[error("the second notice cannot be booked")]
    SecondUnusable,
    #[error("the parameter {0} is not set for this school")]
    NoAccount(&'static str),
}

/// Who asks for a movement, and why.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Token of a form: the same form moves money once.
    pub request: String,
    pub by: String,
    pub reason: String,
}

/// What comes back when a movement that left the school is called off. Unless the charge comes back
/// with it, lines take what is still open of them and the rest is credit.
pub(crate) async fn returning(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
    charge_returns: bool,
) -> Result<Vec<Piece>, MoveError> {
    let back = come_back(&store::pieces_out(tx, school, of).await?);
    let bills: BTreeSet<(SchoolId, BillId)> = back
        .iter()
        .filter_map(|piece| match &piece.to {
            Place::Line { bill_id, .. } => Some((school.clone(), bill_id.clone())),
            Place::Credit(_) | Place::Suspense | Place::Gone => None,
        })
        .collect();
    if charge_returns || bills.is_empty() {
        return Ok(back);
    }
    let mut books = Snapshot::default();
    snapshot::read_bills(tx, &bills, &mut books).await?;
    let mut room = BTreeMap::new();
    for bill in books.bills.into_values() {
        for line in bill.lines {
            let open = if bill.cancelled {
                Vnd::ZERO
            } else {
                line.amount_due - line.amount_paid
            };
            room.insert(
                (bill.bill_id.clone(), line.line_no),
                (open, bill.pupil_id.clone()),
            );
        }
    }
    Ok(fit(back, &room))
}

/// Locks the school's books for the rest of the transaction.
pub(crate) async fn lock(
    tx: &mut Tx,
    chain: &ChainKeys,
    school: &SchoolId,
) -> Result<Heads, StoreError> {
    tx.join_by_index().await?;
    ledger::lock_heads(tx, chain, std::slice::from_ref(school)).await
}

/// The movement a request made earlier.
pub(crate) async fn before(
    tx: &mut Tx,
    school: &SchoolId,
    kind: MoveKind,
    request: &str,
    amount: Option<Vnd>,
) -> Result<Option<Moved>, MoveError> {
    let Some((move_id, moved)) = store::known(tx, school, kind, request).await? else {
        return Ok(None);
    };
    let moved = Vnd::new(moved);
    if amount.is_some_and(|amount| amount != moved) {
        return Err(Refusal::FormUsed.into());
    }
    Ok(Some(Moved {
        move_id,
        amount: moved,
        again: true,
    }))
}
