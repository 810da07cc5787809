//! The one state machine of everything we ask a provider for. Pure: a flow, what was seen and the
//! time in, the next flow out.
//!
//! ```text
//!                    not sent (refund)
//!              ┌───────────────────────────┐
//!              ▼                           │
//!   PLANNED ──send──▶ SENT ──accepted──▶ PENDING ──asked, or told──▶ DONE / FAILED
//!      ▲                │ no answer         │ time is up, asked once more
//!      │ not found      ▼                   └────────────────────────▶ EXPIRED (payment)
//!      └─(refund)──── UNKNOWN ──asked──▶ any of the above; REVIEW when only a person can say
//! ```
//!
//! SENT is written before the request leaves. A flow found in it later may have arrived or not: it is
//! asked about, never sent again before a query found nothing and enough time has passed.

use crate::clock::Instant;
use crate::stored_as_text;

/// A refund that never got through so often waits for a person.
const SENDS_MAX: i64 = 12;
const BACKOFF_SECONDS: i64 = 5;
const BACKOFF_SECONDS_MAX: i64 = 1_800;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Payment,
    Refund,
}

stored_as_text!(Kind {
    Payment = "PAYMENT",
    Refund = "REFUND",
});

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing has left the house.
    Planned,
    /// The request is leaving, or was when somebody stopped the program.
    Sent,
    /// It may have arrived: to be asked about.
    Unknown,
    /// The provider has it.
    Pending,
    /// Paid, or paid back.
    Done,
    /// Final, no money moved.
    Failed,
    /// Nobody paid in time. Money that comes later is posted all the same.
    Expired,
    /// Only a person can find out.
    Review,
}

stored_as_text!(State {
    Planned = "PLANNED",
    Sent = "SENT",
    Unknown = "UNKNOWN",
    Pending = "PENDING",
    Done = "DONE",
    Failed = "FAILED",
    Expired = "EXPIRED",
    Review = "REVIEW",
});

impl State {
    /// Nothing more is done by itself.
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Done | Self::Failed | Self::Expired | Self::Review
        )
    }
}

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub kind: Kind,
    pub state: State,
    pub sends: i64,
    pub asks: i64,
    /// Calls without an answer, in a row.
    pub faults: i64,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub sent_at: Option<Instant>,
    /// When something is to be done next; none when ended.
    pub next_at: Option<Instant>,
}

/// How a provider is to be asked. Whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    pub can_ask: bool,
    /// Pauses before the first, second, … question; the last one repeats.
    pub pauses: Vec<i64>,
    /// So long after sending, "not found" means that it never arrived.
    pub settles: i64,
    /// The last question comes so long after the flow's time is up.
    pub grace: i64,
    /// So long after creation nothing can be learnt by asking any more.
    pub horizon: i64,
}

impl Manner {
    fn pause(&self, asks: i64) -> i64 {
        let place = usize::try_from(asks).unwrap_or(0);
        self.pauses
            .get(place)
            .or(self.pauses.last())
            .copied()
            .unwrap_or(BACKOFF_SECONDS_MAX)
            .max(1)
    }

    fn last_ask_at(&self, flow: &Flow) -> Instant {
        flow.expires_at.plus_seconds(self.grace)
    }

    fn gives_up_at(&self, flow: &Flow) -> Instant {
        match flow.kind {
            // A payment always gets its last question.
            Kind::Payment => flow
                .created_at
                .plus_seconds(self.horizon)
                .max(self.last_ask_at(flow)),
            Kind::Refund => flow.created_at.plus_seconds(self.horizon),
        }
    }
}

/// What is to be done with a flow that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Write [`State::Sent`], then send.
    Send,
    Ask,
    /// Nothing leaves the house; the flow becomes this.
    Become(Flow),
    Nothing,
}

/// What a call, or a message of the provider, showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// The provider has taken the request and works on it, or says that it still does.
    Pending,
    /// The provider has had such a request before, from whomever, and does not say what became of it.
    SentBefore,
    Done,
    /// The provider says no for good.
    Failed,
    Expired,
    /// Money may have moved and the provider does not say how.
    Held,
    /// The provider knows nothing of it.
    NotFound,
    /// The request never left, or the connection never stood.
    NotSent,
    /// The request cannot be built.
    Unbuildable,
    /// No answer, or none that can be believed.
    NoAnswer,
}

/// What to do at `now` with a flow whose time has come.
pub fn todo(flow: &Flow, manner: &Manner, now: Instant) -> Todo {
    let become_state = |state| Todo::Become(ended(flow, state));
    match flow.state {
        State::Done | State::Failed | State::Expired | State::Review => Todo::Nothing,
        State::Planned => match flow.kind {
            Kind::Payment if now >= flow.expires_at => become_state(State::Expired),
            Kind::Refund if flow.sends >= SENDS_MAX => become_state(State::Review),
            Kind::Payment | Kind::Refund => Todo::Send,
        },
        State::Sent | State::Unknown | State::Pending if manner.can_ask => Todo::Ask,
        State::Sent | State::Unknown | State::Pending => match flow.kind {
            // A message of the provider may still decide until the time is up.
            Kind::Payment if now < manner.last_ask_at(flow) => Todo::Become(Flow {
                next_at: Some(manner.last_ask_at(flow)),
                ..*flow
            }),
            Kind::Payment => become_state(State::Expired),
            Kind::Refund if flow.state == State::Pending && now < manner.gives_up_at(flow) => {
                Todo::Become(Flow {
                    next_at: Some(manner.gives_up_at(flow)),
                    ..*flow
                })
            }
            Kind::Refund => become_state(State::Review),
        },
    }
}

/// The flow as it must be written before its request leaves.
pub fn leaving(flow: &Flow, now: Instant) -> Flow {
    Flow {
        state: State::Sent,
        sends: flow.sends + 1,
        sent_at: Some(now),
        ..*flow
    }
}

/// The flow after its request was sent. `chance` is 0 to 999 and spreads pauses.
pub fn after_send(flow: &Flow, seen: Seen, manner: &Manner, now: Instant, chance: i64) -> Flow {
    match (seen, flow.kind) {
        (Seen::Done, _) => ended(flow, State::Done),
        (Seen::Failed | Seen::Expired, _) => ended(flow, State::Failed),
        (Seen::Held, _) => ended(flow, State::Review),
        // Whose it was, and how it ended, no question can find out.
        (Seen::SentBefore, Kind::Refund) if !manner.can_ask => ended(flow, State::Review),
        (Seen::Pending | Seen::SentBefore, _) => Flow {
            state: State::Pending,
            faults: 0,
            next_at: Some(next_ask(flow, manner, now, chance)),
            ..*flow
        },
        // The payer has seen that it did not work and will start another one.
        (Seen::NotSent | Seen::Unbuildable, Kind::Payment) => ended(flow, State::Failed),
        (Seen::Unbuildable, Kind::Refund) => ended(flow, State::Review),
        (Seen::NotSent, Kind::Refund) => Flow {
            state: State::Planned,
            faults: flow.faults + 1,
            next_at: Some(now.plus_millis(backoff_millis(flow.faults, chance))),
            ..*flow
        },
        // "Not found" in answer to a request is no answer to it.
        (Seen::NoAnswer | Seen::NotFound, _) => Flow {
            state: State::Unknown,
            faults: flow.faults + 1,
            next_at: Some(now.plus_millis(backoff_millis(flow.faults, chance))),
            ..*flow
        },
    }
}

/// The flow after the provider was asked about it. `chance` is 0 to 999 and spreads pauses.
pub fn after_ask(flow: &Flow, seen: Seen, manner: &Manner, now: Instant, chance: i64) -> Flow {
    let was_last = now >= manner.last_ask_at(flow);
    let asked = Flow {
        // Whoever finds a flow in SENT does not know whether the request arrived.
        state: if flow.state == State::Sent {
            State::Unknown
        } else {
            flow.state
        },
        asks: flow.asks + 1,
        faults: 0,
        ..*flow
    };
    let later = |flow: Flow| Flow {
        next_at: Some(next_ask(&flow, manner, now, chance)),
        ..flow
    };
    match (seen, flow.kind) {
        (Seen::Done, _) => ended(&asked, State::Done),
        (Seen::Failed, _) => ended(&asked, State::Failed),
        (Seen::Held, _) => ended(&asked, State::Review),
        (Seen::Expired, Kind::Payment) => ended(&asked, State::Expired),
        (Seen::Expired, Kind::Refund) => ended(&asked, State::Failed),
        (Seen::Pending | Seen::SentBefore, Kind::Payment) if was_last => {
            ended(&asked, State::Expired)
        }
        (Seen::Pending | Seen::SentBefore, Kind::Refund) if now >= manner.gives_up_at(flow) => {
            ended(&asked, State::Review)
        }
        (Seen::Pending | Seen::SentBefore, _) => later(Flow {
            state: State::Pending,
            ..asked
        }),
        (Seen::NotFound, _) => not_found(&asked, manner, now, was_last, later),
        // The question, not the request, had no answer.
        (Seen::NoAnswer | Seen::NotSent | Seen::Unbuildable, _) => {
            if now >= manner.gives_up_at(flow) {
                return ended(
                    &asked,
                    match flow.kind {
                        Kind::Payment => State::Expired,
                        Kind::Refund => State::Review,
                    },
                );
            }
            Flow {
                faults: flow.faults + 1,
                next_at: Some(now.plus_millis(backoff_millis(flow.faults, chance))),
                ..asked
            }
        }
    }
}

fn not_found(
    asked: &Flow,
    manner: &Manner,
    now: Instant,
    was_last: bool,
    later: impl Fn(Flow) -> Flow,
) -> Flow {
    let settled_at = asked
        .sent_at
        .unwrap_or(asked.created_at)
        .plus_seconds(manner.settles);
    match (asked.state, asked.kind) {
        (State::Unknown, _) if now < settled_at => Flow {
            next_at: Some(settled_at),
            ..*asked
        },
        // It never arrived. The same key makes even a mistake here harmless where keys are honoured.
        (State::Unknown, Kind::Refund) => Flow {
            state: State::Planned,
            next_at: Some(now),
            ..*asked
        },
        // The payer will start another one.
        (State::Unknown, Kind::Payment) => ended(asked, State::Failed),
        // Several providers know an order only when its payer has arrived.
        (_, Kind::Payment) if was_last => ended(asked, State::Expired),
        // Taken once and forgotten: only a person can ask why.
        (_, Kind::Refund) if now >= manner.gives_up_at(asked) => ended(asked, State::Review),
        (_, Kind::Payment | Kind::Refund) => later(*asked),
    }
}

/// The flow when it ends.
pub fn ended(flow: &Flow, state: State) -> Flow {
    Flow {
        state,
        next_at: None,
        ..*flow
    }
}

/// When to ask next; never past the last question of a payment.
pub fn next_ask(flow: &Flow, manner: &Manner, now: Instant, chance: i64) -> Instant {
    let pause = manner.pause(flow.asks);
    // Up to a tenth later, so that flows of one minute are not asked about in the same second.
    let next = now.plus_millis(pause * 1_000 + pause * chance.clamp(0, 999) / 10);
    let last = manner.last_ask_at(flow);
    match flow.kind {
        Kind::Payment if now < last => next.min(last),
        Kind::Payment | Kind::Refund => next,
    }
}

/// Pauses of 5, 10, 20 … seconds, each up to half longer.
fn backoff_millis(faults: i64, chance: i64) -> i64 {
    let exponent = u32::try_from(faults.clamp(0, 12)).unwrap_or(0);
    let seconds = (BACKOFF_SECONDS << exponent).min(BACKOFF_SECONDS_MAX);
    seconds * 1_000 + seconds * chance.clamp(0, 999) / 2
}
