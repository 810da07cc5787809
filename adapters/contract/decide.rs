//! What an authentic notice means for an order (reference: payment-providers §2).

use serde::{Deserialize, Serialize};

use super::{Notice, Outcome, Reason, Vnd};

/// How a provider's amounts relate to our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The provider charges exactly what we asked; another amount is an alarm.
    Exact,
    /// The payer types the amount: part payments and excess are normal.
    Free,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    Open,
    Paid,
    Failed,
}

/// What our books hold about the order a notice names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    pub amount: Vnd,
    pub state: OrderState,
    /// The provider transaction that settled it, if one did.
    pub applied_transaction: Option<String>,
}

/// What to do with an authentic notice. The text form is that of vector files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    MarkPaid,
    RecordPartial,
    RecordFailed,
    RecordPending,
    RecordReversal,
    AlreadyApplied,
    /// A person decides; money that moved is parked.
    HoldReview,
    Ignore,
    /// Not settled against the order. If money moved it is parked, never dropped.
    Reject,
}

/// Decides in the order VNPAY's acceptance test demands and every provider allows:
/// order known, currency ours, amount equal, state still open.
pub fn decide(
    _settlement: Settlement,
    _notice: &Notice,
    _order: Option<&OrderView>,
) -> (Decision, Option<Reason>, Outcome) {
    todo!()
}
