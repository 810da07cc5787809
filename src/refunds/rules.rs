//! The states of a refund and what leads from one to the other. Pure.

use crate::stored_as_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Requested,
    /// Handed to the bank, the provider or the cashier.
    Sent,
    Done,
    Failed,
    /// It may have been paid or not: to be found out.
    Unknown,
}

stored_as_text!(State {
    Requested = "REQUESTED",
    Sent = "SENT",
    Done = "DONE",
    Failed = "FAILED",
    Unknown = "UNKNOWN",
});

/// What happens to a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Send,
    /// It is proven that the family has the money.
    Paid,
    /// It is proven that the family does not have it and will not get it by this refund.
    Fail,
    /// Nobody knows.
    LoseSight,
}

stored_as_text!(Step {
    Send = "SEND",
    Paid = "PAID",
    Fail = "FAIL",
    LoseSight = "LOSE_SIGHT",
});

/// The state after a step; nothing when the step is not allowed there.
pub const fn after(state: State, step: Step) -> Option<State> {
    match (state, step) {
        (State::Requested, Step::Send) => Some(State::Sent),
        // Cash goes from hand to hand.
        (State::Requested | State::Sent | State::Unknown, Step::Paid) => Some(State::Done),
        (State::Requested | State::Sent | State::Unknown, Step::Fail) => Some(State::Failed),
        (State::Requested | State::Sent, Step::LoseSight) => Some(State::Unknown),
        (State::Sent | State::Unknown, Step::Send)
        | (State::Unknown, Step::LoseSight)
        | (State::Done | State::Failed, _) => None,
    }
}

/// Where the money comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Credit,
    Suspense,
    BillLine,
}

stored_as_text!(Source {
    Credit = "CREDIT",
    Suspense = "SUSPENSE",
    BillLine = "BILL_LINE",
});

/// How it is paid back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    Cash,
    BankTransfer,
    Provider,
}

stored_as_text!(Way {
    Cash = "CASH",
    BankTransfer = "BANK_TRANSFER",
    Provider = "PROVIDER",
});

/// Whether the family still owes what is paid back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Charge {
    /// The bill opens again by the amount.
    Stays,
    /// The line is charged so much less: a pupil left, a service was not given.
    Falls,
}

stored_as_text!(Charge {
    Stays = "STAYS",
    Falls = "FALLS",
});

/// How far the negative adjustment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentState {
    None,
    Waiting,
    Done,
    Failed,
}

stored_as_text!(DocumentState {
    None = "NONE",
    Waiting = "WAITING",
    Done = "DONE",
    Failed = "FAILED",
});

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 5] = [
        State::Requested,
        State::Sent,
        State::Done,
        State::Failed,
        State::Unknown,
    ];
    const STEPS: [Step; 4] = [Step::Send, Step::Paid, Step::Fail, Step::LoseSight];

    #[test]
    fn what_has_ended_stays_ended() {
        for state in [State::Done, State::Failed] {
            for step in STEPS {
                assert_eq!(after(state, step), None, "{state} {step}");
            }
        }
    }

    #[test]
    fn money_of_unknown_fate_is_never_sent_again() {
        // Over every path of eight steps: after the first SEND no second one is allowed.
        let mut paths = vec![(State::Requested, 0)];
        for _ in 0..8 {
            let mut next = Vec::new();
            for (state, sends) in paths {
                for step in STEPS {
                    if let Some(to) = after(state, step) {
                        let sends = sends + usize::from(step == Step::Send);
                        assert!(sends <= 1);
                        next.push((to, sends));
                    }
                }
            }
            paths = next;
        }
        assert_eq!(after(State::Unknown, Step::Send), None);
    }

    #[test]
    fn every_state_that_has_not_ended_can_end_both_ways() {
        for state in STATES {
            if matches!(state, State::Done | State::Failed) {
                continue;
            }
            assert_eq!(after(state, Step::Paid), Some(State::Done));
            assert_eq!(after(state, Step::Fail), Some(State::Failed));
        }
    }
}
