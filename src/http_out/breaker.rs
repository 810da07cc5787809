//! A circuit breaker: after several failures in a row the other side is left alone for a while, then
//! one call tries. Pure; time and chance are arguments.

use crate::clock::Instant;

/// Failures in a row that open the circuit.
const FAILURES_MAX: u32 = 5;
/// First pause; every failed trial doubles it.
const PAUSE_SECONDS: i64 = 10;
const PAUSE_SECONDS_MAX: i64 = 600;
/// A trial that never reported back is forgotten after this.
const TRIAL_SECONDS_MAX: i64 = 120;

/// What may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// No call before this moment.
    Open { until: Instant },
    /// One call tries; others wait for what it finds.
    Trial { since: Instant },
}

/// The circuit to one other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    state: BreakerState,
    failures: u32,
    pauses: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: BreakerState::Closed,
            failures: 0,
            pauses: 0,
        }
    }
}

impl Breaker {
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// Whether a call may go out now; a call that may must report with [`note`](Self::note).
    pub fn admits(&mut self, now: Instant) -> bool {
        match self.state {
            BreakerState::Closed => true,
            BreakerState::Open { until } if until > now => false,
            BreakerState::Trial { since } if since.plus_seconds(TRIAL_SECONDS_MAX) > now => false,
            BreakerState::Open { .. } | BreakerState::Trial { .. } => {
                self.state = BreakerState::Trial { since: now };
                true
            }
        }
    }

    /// Notes how a call went. `chance` spreads the end of pauses, in thousandths, 0 to 999.
    pub fn note(&mut self, answered: bool, now: Instant, chance: i64) {
        if answered {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let is_trial = matches!(self.state, BreakerState::Trial { .. });
        if is_trial || (self.state == BreakerState::Closed && self.failures >= FAILURES_MAX) {
            let pause = (PAUSE_SECONDS << self.pauses.min(10)).min(PAUSE_SECONDS_MAX);
            self.pauses = self.pauses.saturating_add(1);
            // Between the whole pause and one and a half, so that nodes do not come back together.
            let until = now.plus_millis(pause * 1_000 + pause * chance.clamp(0, 999) / 2);
            self.state = BreakerState::Open { until };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_unix(1_000);

    #[test]
    fn it_opens_after_failures_in_a_row_tries_once_and_closes_on_an_answer() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.admits(NOW));
            breaker.note(false, NOW, 0);
        }
        assert!(!breaker.admits(NOW.plus_seconds(PAUSE_SECONDS - 1)));
        let later = NOW.plus_seconds(PAUSE_SECONDS);
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later), "one trial at a time");
        breaker.note(false, later, 999);
        assert!(!breaker.admits(later.plus_seconds(2 * PAUSE_SECONDS)));
        let last = later.plus_seconds(3 * PAUSE_SECONDS);
        assert!(breaker.admits(last));
        breaker.note(true, last, 0);
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn one_answer_between_failures_keeps_it_closed_and_a_lost_trial_is_not_the_end() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES_MAX {
                breaker.note(false, NOW, 0);
            }
            breaker.note(true, NOW, 0);
        }
        assert!(breaker.admits(NOW));
        for _ in 0..FAILURES_MAX {
            breaker.note(false, NOW, 0);
        }
        let later = NOW.plus_seconds(PAUSE_SECONDS);
        assert!(breaker.admits(later));
        assert!(breaker.admits(later.plus_seconds(TRIAL_SECONDS_MAX)));
    }
}
