//! What an authentic notice means for an order (reference: payment-providers §2).

use serde::{Deserialize, Serialize};

use super::{Notice, Outcome, Reason, Status, Vnd};

/// How a provider's amounts relate to our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The provider charges exactly what we asked; another amount is refused and parked.
    Exact,
    /// The same, but another amount is held for a person.
    ExactHeld,
    /// The bank asks before it debits the payer: what is refused never was money.
    Asked,
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
    /// Settles the order. With [`Reason::AmountMismatch`] the payer gave too much: the order is
    /// settled and the excess is credit.
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

impl Decision {
    /// The stable code, as in vector files.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MarkPaid => "mark_paid",
            Self::RecordPartial => "record_partial",
            Self::RecordFailed => "record_failed",
            Self::RecordPending => "record_pending",
            Self::RecordReversal => "record_reversal",
            Self::AlreadyApplied => "already_applied",
            Self::HoldReview => "hold_review",
            Self::Ignore => "ignore",
            Self::Reject => "reject",
        }
    }
}

type Verdict = (Decision, Option<Reason>, Outcome);

/// Decides in the order VNPAY's acceptance test demands and every provider allows: not for us,
/// order known, merchant ours, currency ours, amount equal, state still open.
///
/// Nothing here unpays a paid order, and no money that moved leaves without a decision that parks
/// it: a second transaction, a late one and a wrong amount are all held for a person.
pub fn decide(settlement: Settlement, notice: &Notice, order: Option<&OrderView>) -> Verdict {
    if notice.status == Status::Ignored || notice.remark == Some(Reason::Outgoing) {
        return (Decision::Ignore, notice.remark, Outcome::Accepted);
    }
    let sample = notice.remark == Some(Reason::TestPing);
    // A free transfer names its order only by its memo, so the account is the better witness.
    let stranger = notice.remark == Some(Reason::WrongMerchant);
    let Some(order) = order else {
        // Sent when the address is registered; it must be welcome although no such order exists.
        if sample {
            return (
                Decision::Ignore,
                Some(Reason::OrderNotFound),
                Outcome::Accepted,
            );
        }
        return match settlement {
            Settlement::Free if stranger => wrong_merchant(settlement),
            Settlement::Free if money_moved(notice.status) => (
                Decision::HoldReview,
                Some(Reason::OrderNotFound),
                Outcome::UnknownOrder,
            ),
            Settlement::Free | Settlement::Exact | Settlement::ExactHeld | Settlement::Asked => (
                Decision::Reject,
                Some(Reason::OrderNotFound),
                Outcome::UnknownOrder,
            ),
        };
    };
    if stranger {
        return wrong_merchant(settlement);
    }
    if notice.currency != "VND" {
        return (
            Decision::Reject,
            Some(Reason::WrongCurrency),
            unsettled(settlement, Outcome::Unusable),
        );
    }
    match settlement {
        Settlement::Exact => exact(Decision::Reject, notice, order),
        Settlement::Asked => asked(notice, order),
        Settlement::ExactHeld => exact(Decision::HoldReview, notice, order),
        Settlement::Free => free(notice, order),
    }
}

fn exact(differs: Decision, notice: &Notice, order: &OrderView) -> Verdict {
    // A reversal or refund may name the part that went back.
    let whole = !matches!(notice.status, Status::Reversed | Status::Refunded);
    if whole && notice.amount != order.amount {
        return (
            differs,
            Some(Reason::AmountMismatch),
            Outcome::AmountDiffers,
        );
    }
    by_state(notice, order)
}

/// The bank waits for our word: money beside the plan is not taken at all.
fn asked(notice: &Notice, order: &OrderView) -> Verdict {
    let known =
        notice.transaction_id.is_some() && notice.transaction_id == order.applied_transaction;
    match order.state {
        OrderState::Paid if !known => (Decision::Reject, None, Outcome::Repeated),
        OrderState::Failed => (
            Decision::Reject,
            Some(Reason::OrderNotFound),
            Outcome::UnknownOrder,
        ),
        OrderState::Paid | OrderState::Open => exact(Decision::Reject, notice, order),
    }
}

fn free(notice: &Notice, order: &OrderView) -> Verdict {
    let verdict = by_state(notice, order);
    if verdict.0 != Decision::MarkPaid || notice.amount == order.amount {
        return verdict;
    }
    let decision = if !notice.amount.is_positive() {
        Decision::HoldReview
    } else if notice.amount < order.amount {
        Decision::RecordPartial
    } else {
        Decision::MarkPaid
    };
    (decision, Some(Reason::AmountMismatch), Outcome::Accepted)
}

fn by_state(notice: &Notice, order: &OrderView) -> Verdict {
    let known =
        notice.transaction_id.is_some() && notice.transaction_id == order.applied_transaction;
    let accepted = |decision| (decision, None, Outcome::Accepted);
    let repeated = (Decision::AlreadyApplied, None, Outcome::Repeated);
    match (notice.status, order.state) {
        (Status::Paid, OrderState::Open | OrderState::Paid) if known => repeated,
        // Without a number of its own a payment could be counted twice.
        (Status::Paid, OrderState::Open) if notice.transaction_id.is_some() => {
            accepted(Decision::MarkPaid)
        }
        // A second or late payment: the money is here and somebody must say whose it is.
        (Status::Paid, _) => accepted(Decision::HoldReview),
        (Status::Failed | Status::Expired, OrderState::Open) => accepted(Decision::RecordFailed),
        // The provider takes back what it confirmed: never by itself.
        (Status::Failed | Status::Expired, OrderState::Paid) if known => {
            accepted(Decision::HoldReview)
        }
        (Status::Failed | Status::Expired, OrderState::Paid | OrderState::Failed) => repeated,
        (Status::Pending | Status::Authorized, OrderState::Open) => {
            accepted(Decision::RecordPending)
        }
        // Overtaken by a final notice.
        (Status::Pending | Status::Authorized, OrderState::Paid | OrderState::Failed) => repeated,
        (Status::Reversed | Status::Refunded, OrderState::Paid) => {
            accepted(Decision::RecordReversal)
        }
        (
            Status::Reversed
            | Status::Refunded
            | Status::Review
            | Status::Unknown
            | Status::Ignored,
            _,
        ) => accepted(Decision::HoldReview),
    }
}

fn wrong_merchant(settlement: Settlement) -> Verdict {
    (
        Decision::Reject,
        Some(Reason::WrongMerchant),
        unsettled(settlement, Outcome::Unusable),
    )
}

/// A bank credit has happened whatever we think of it, so its report is received; a gateway is
/// told what was wrong.
const fn unsettled(settlement: Settlement, outcome: Outcome) -> Outcome {
    match settlement {
        Settlement::Free => Outcome::Accepted,
        Settlement::Exact | Settlement::ExactHeld | Settlement::Asked => outcome,
    }
}

const fn money_moved(status: Status) -> bool {
    match status {
        Status::Failed | Status::Expired | Status::Ignored => false,
        Status::Paid
        | Status::Pending
        | Status::Authorized
        | Status::Review
        | Status::Reversed
        | Status::Refunded
        | Status::Unknown => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(transaction: Option<&str>, amount: i64, status: Status) -> Notice {
        Notice {
            transaction_id: transaction.map(str::to_owned),
            order_ref: Some("HP1".to_owned()),
            amount: Vnd::new(amount),
            currency: "VND".to_owned(),
            status,
            remark: None,
            occurred_at_unix: None,
            memo: None,
            account: None,
            bank_reference: None,
            merchant: None,
            bill_ref: None,
        }
    }

    fn order(state: OrderState, applied: Option<&str>) -> OrderView {
        OrderView {
            amount: Vnd::new(1_000),
            state,
            applied_transaction: applied.map(str::to_owned),
        }
    }

    const ALL: [Status; 10] = [
        Status::Paid,
        Status::Failed,
        Status::Pending,
        Status::Authorized,
        Status::Review,
        Status::Reversed,
        Status::Refunded,
        Status::Expired,
        Status::Ignored,
        Status::Unknown,
    ];

    #[test]
    fn a_paid_order_is_never_settled_again_nor_unpaid() {
        let paid = order(OrderState::Paid, Some("7"));
        for settlement in [
            Settlement::Exact,
            Settlement::ExactHeld,
            Settlement::Asked,
            Settlement::Free,
        ] {
            for status in ALL {
                for transaction in [None, Some("7"), Some("8")] {
                    let (decision, _, _) =
                        decide(settlement, &notice(transaction, 1_000, status), Some(&paid));
                    assert!(
                        !matches!(
                            decision,
                            Decision::MarkPaid | Decision::RecordFailed | Decision::RecordPartial
                        ),
                        "{settlement:?} {status:?} {transaction:?} gave {decision:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn money_beside_the_plan_is_held_and_its_receipt_confirmed() {
        let second = notice(Some("8"), 1_000, Status::Paid);
        for state in [OrderState::Paid, OrderState::Failed] {
            assert_eq!(
                decide(Settlement::Exact, &second, Some(&order(state, Some("7")))),
                (Decision::HoldReview, None, Outcome::Accepted)
            );
        }
        assert_eq!(
            decide(Settlement::Free, &second, None),
            (
                Decision::HoldReview,
                Some(Reason::OrderNotFound),
                Outcome::UnknownOrder
            )
        );
        let numberless = notice(None, 1_000, Status::Paid);
        let open = order(OrderState::Open, None);
        assert_eq!(
            decide(Settlement::Exact, &numberless, Some(&open)).0,
            Decision::HoldReview
        );
    }

    #[test]
    fn free_amounts_settle_in_part_in_full_or_with_excess() {
        let open = order(OrderState::Open, None);
        let given = |amount| {
            decide(
                Settlement::Free,
                &notice(Some("7"), amount, Status::Paid),
                Some(&open),
            )
        };
        let differs = Some(Reason::AmountMismatch);
        assert_eq!(given(1_000), (Decision::MarkPaid, None, Outcome::Accepted));
        assert_eq!(
            given(999),
            (Decision::RecordPartial, differs, Outcome::Accepted)
        );
        assert_eq!(
            given(1_001),
            (Decision::MarkPaid, differs, Outcome::Accepted)
        );
        assert_eq!(given(0), (Decision::HoldReview, differs, Outcome::Accepted));
    }

    #[test]
    fn checks_run_in_the_order_of_the_acceptance_test() {
        let mut all_wrong = notice(Some("7"), 1, Status::Paid);
        all_wrong.remark = Some(Reason::WrongMerchant);
        all_wrong.currency = "USD".to_owned();
        let paid = order(OrderState::Paid, Some("7"));
        let reason = |notice: &Notice, order| decide(Settlement::Exact, notice, order).1;
        assert_eq!(reason(&all_wrong, None), Some(Reason::OrderNotFound));
        assert_eq!(reason(&all_wrong, Some(&paid)), Some(Reason::WrongMerchant));
        all_wrong.remark = None;
        assert_eq!(reason(&all_wrong, Some(&paid)), Some(Reason::WrongCurrency));
        all_wrong.currency = "VND".to_owned();
        assert_eq!(
            reason(&all_wrong, Some(&paid)),
            Some(Reason::AmountMismatch)
        );
        all_wrong.amount = Vnd::new(1_000);
        assert_eq!(
            decide(Settlement::Exact, &all_wrong, Some(&paid)),
            (Decision::AlreadyApplied, None, Outcome::Repeated)
        );
    }
}
