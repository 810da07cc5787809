//! The state machine against a provider that loses requests and answers, and a program that stops
//! at every step.

use proptest::prelude::*;

use super::rules::{Flow, Kind, Manner, Seen, State, Todo, after_ask, after_send, leaving, todo};
use crate::clock::Instant;

const START: Instant = Instant::from_unix(1_000_000);

fn manner(can_ask: bool) -> Manner {
    Manner {
        can_ask,
        pauses: vec![15, 30, 60],
        settles: 60,
        grace: 120,
        horizon: 7 * 24 * 3600,
    }
}

fn planned(kind: Kind) -> Flow {
    Flow {
        kind,
        state: State::Planned,
        sends: 0,
        asks: 0,
        faults: 0,
        created_at: START,
        expires_at: START.plus_seconds(900),
        sent_at: None,
        next_at: Some(START),
    }
}

/// A provider that does what arrives, every time it arrives: it honours no idempotency key.
#[derive(Debug, Default)]
struct Provider {
    executed: u32,
    /// How many questions a request stays in progress.
    left: u32,
    ends_well: bool,
}

impl Provider {
    fn take(&mut self, in_progress: u32, ends_well: bool) {
        self.executed += 1;
        (self.left, self.ends_well) = (in_progress, ends_well);
    }

    fn answer(&mut self) -> Seen {
        if self.executed == 0 {
            return Seen::NotFound;
        }
        if self.left > 0 {
            self.left -= 1;
            return Seen::Pending;
        }
        if self.ends_well {
            Seen::Done
        } else {
            Seen::Failed
        }
    }
}

/// What goes wrong at one step.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    None,
    /// The connection never stood.
    NoConnection,
    /// The request arrives, the answer does not.
    AnswerLost,
    /// The request does not arrive, and nobody knows.
    RequestLost,
    /// The program stops before the call, after writing what it wrote before.
    StopBefore,
    /// The program stops after the call, before writing what it saw.
    StopAfter,
}

fn mishaps() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        3 => Just(Mishap::None),
        1 => Just(Mishap::NoConnection),
        2 => Just(Mishap::AnswerLost),
        2 => Just(Mishap::RequestLost),
        1 => Just(Mishap::StopBefore),
        2 => Just(Mishap::StopAfter),
    ]
}

/// Runs a flow to its end or until the mishaps are used up and 200 healthy steps are done.
fn run(kind: Kind, mishaps: &[Mishap], in_progress: u32, ends_well: bool) -> (Flow, Provider) {
    let manner = manner(true);
    let mut provider = Provider::default();
    let mut flow = planned(kind);
    let mut now = START;
    let mut steps = mishaps
        .iter()
        .copied()
        .chain(std::iter::repeat_n(Mishap::None, 200));
    while !flow.state.is_ended()
        && let Some(mishap) = steps.next()
    {
        let next = flow.next_at.expect("an open flow has a next step");
        // A lease that was not given back runs out after a minute.
        now = now.plus_seconds(61).max(next);
        match todo(&flow, &manner, now) {
            Todo::Nothing => break,
            Todo::Become(other) => flow = other,
            Todo::Send => {
                flow = leaving(&flow, now);
                let seen = match mishap {
                    Mishap::StopBefore => continue,
                    Mishap::NoConnection => Seen::NotSent,
                    Mishap::RequestLost => Seen::NoAnswer,
                    Mishap::AnswerLost | Mishap::StopAfter => {
                        provider.take(in_progress, ends_well);
                        Seen::NoAnswer
                    }
                    Mishap::None => {
                        provider.take(in_progress, ends_well);
                        Seen::Pending
                    }
                };
                if !matches!(mishap, Mishap::StopAfter) {
                    flow = after_send(&flow, seen, &manner, now, 500);
                }
            }
            Todo::Ask => {
                let seen = match mishap {
                    Mishap::None => provider.answer(),
                    Mishap::NoConnection => Seen::NotSent,
                    Mishap::RequestLost | Mishap::AnswerLost => Seen::NoAnswer,
                    Mishap::StopBefore | Mishap::StopAfter => continue,
                };
                flow = after_ask(&flow, seen, &manner, now, 500);
            }
        }
    }
    (flow, provider)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_refund_is_executed_at_most_once_and_its_end_is_the_providers(
        mishaps in prop::collection::vec(mishaps(), 0..12),
        in_progress in 0_u32..5,
        ends_well: bool,
    ) {
        let (flow, provider) = run(Kind::Refund, &mishaps, in_progress, ends_well);
        prop_assert!(provider.executed <= 1, "{flow:?}");
        prop_assert!(flow.state.is_ended(), "{flow:?}");
        match flow.state {
            State::Done => prop_assert!(provider.executed == 1 && provider.ends_well),
            State::Failed => prop_assert!(provider.executed == 1 && !provider.ends_well),
            other => prop_assert!(false, "{other:?} though everything healed"),
        }
    }

    #[test]
    fn a_payment_is_created_at_most_once_and_done_only_when_it_was_paid(
        mishaps in prop::collection::vec(mishaps(), 0..12),
        in_progress in 0_u32..40,
        ends_well: bool,
    ) {
        let (flow, provider) = run(Kind::Payment, &mishaps, in_progress, ends_well);
        prop_assert!(provider.executed <= 1);
        prop_assert!(flow.state.is_ended(), "{flow:?}");
        if flow.state == State::Done {
            prop_assert!(provider.executed == 1 && provider.ends_well);
        }
        // Nobody who may have paid is written off before the last question.
        if flow.state == State::Failed && provider.executed == 1 {
            prop_assert!(!provider.ends_well);
        }
    }

    /// Whatever is seen, whenever: an ended flow has nothing left to do, an open one has; counters
    /// only grow; nothing is sent from any state but PLANNED.
    #[test]
    fn every_transition_keeps_the_shape(
        refund: bool,
        place in 1_usize..4,
        seen in 0_usize..9,
        asks in 0_i64..20,
        faults in 0_i64..20,
        later in 0_i64..2_000_000,
        chance in 0_i64..1_000,
        can_ask: bool,
    ) {
        let kind = if refund { Kind::Refund } else { Kind::Payment };
        let state = [State::Planned, State::Sent, State::Unknown, State::Pending][place];
        let seen = [
            Seen::Pending, Seen::Done, Seen::Failed, Seen::Expired, Seen::Held, Seen::NotFound,
            Seen::NotSent, Seen::Unbuildable, Seen::NoAnswer,
        ][seen];
        let (now, manner) = (START.plus_seconds(later), manner(can_ask));
        let flow = Flow {
            state, asks, faults, sends: 1, sent_at: Some(START), next_at: Some(now), ..planned(kind)
        };
        prop_assert!(todo(&flow, &manner, now) != Todo::Send);
        if let Todo::Become(other) = todo(&flow, &manner, now) {
            prop_assert_eq!(other.state.is_ended(), other.next_at.is_none());
            // Waiting makes progress.
            prop_assert!(other.next_at.is_none_or(|next| next > now));
        }
        let after = if state == State::Sent {
            after_send(&flow, seen, &manner, now, chance)
        } else {
            after_ask(&flow, seen, &manner, now, chance)
        };
        prop_assert_eq!(after.state.is_ended(), after.next_at.is_none());
        prop_assert!(after.sends == flow.sends && after.asks >= flow.asks);
        if let Some(next) = after.next_at {
            prop_assert!(next > now || after.state == State::Planned);
        }
        // Sent again only when the provider knew nothing of it long enough afterwards.
        if after.state == State::Planned {
            prop_assert!(
                refund && (seen == Seen::NotSent
                    || (seen == Seen::NotFound && later >= manner.settles))
            );
        }
    }
}

#[test]
fn a_payment_is_asked_about_once_more_after_its_time_and_then_expires() {
    let manner = manner(true);
    let mut flow = after_send(
        &leaving(&planned(Kind::Payment), START),
        Seen::Pending,
        &manner,
        START,
        0,
    );
    let mut last = START;
    while let Some(next) = flow.next_at {
        assert_eq!(todo(&flow, &manner, next), Todo::Ask);
        last = next;
        flow = after_ask(&flow, Seen::NotFound, &manner, next, 0);
    }
    assert_eq!(flow.state, State::Expired);
    assert_eq!(last, flow.expires_at.plus_seconds(manner.grace));
}

#[test]
fn without_a_query_a_lost_refund_waits_for_a_person_and_a_payment_for_its_message() {
    let manner = manner(false);
    let lost = |kind| {
        after_send(
            &leaving(&planned(kind), START),
            Seen::NoAnswer,
            &manner,
            START,
            0,
        )
    };
    let refund = lost(Kind::Refund);
    let Todo::Become(held) = todo(&refund, &manner, refund.next_at.unwrap()) else {
        panic!("nothing may be sent again");
    };
    assert_eq!(held.state, State::Review);
    let payment = lost(Kind::Payment);
    let Todo::Become(waiting) = todo(&payment, &manner, payment.next_at.unwrap()) else {
        panic!("nothing may be sent again");
    };
    assert_eq!(waiting.state, State::Unknown);
    let Todo::Become(over) = todo(&waiting, &manner, waiting.next_at.unwrap()) else {
        panic!("its time is up");
    };
    assert_eq!(over.state, State::Expired);
}

#[test]
fn a_refund_that_somebody_sent_before_is_asked_about_or_waits_for_a_person() {
    for (can_ask, expected) in [(true, State::Pending), (false, State::Review)] {
        let sent = leaving(&planned(Kind::Refund), START);
        let told = after_send(&sent, Seen::SentBefore, &manner(can_ask), START, 0);
        assert_eq!(told.state, expected);
    }
}
