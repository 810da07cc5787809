//! The power of simulated processes: what a dead one tries to commit is rolled back.
//!
//! Every commit of a run passes the hook of its one connection. A process that is armed dies there,
//! before its transaction is durable or right after; whatever its code does afterwards reaches
//! neither the database, which refuses, nor anybody else, whom the world does not let hear it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Processes of an installation.
pub const NODES: usize = 2;

/// What happens at an armed commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process dies, the transaction is lost.
    BeforeCommit,
    /// The process dies, the transaction is durable.
    AfterCommit,
    /// The process lives, the transaction is lost.
    Refused,
}

#[derive(Debug, Default)]
struct State {
    /// Whose work is being done; nobody's is the harness's own.
    acting: Option<usize>,
    dead: [bool; NODES],
    armed: Option<(u64, Blow)>,
    struck: Option<Blow>,
    commits: u64,
    touched: Touched,
}

/// Which parts of the books a commit may have changed since the last look. SQLite does not tell of
/// tables without row ids, of which none changes alone; jobs do, and are looked at after every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The inbox alone: what was repeated, and how.
    pub notices: bool,
    pub payments: bool,
    pub journal: bool,
    /// What was asked of gateways, and refunds.
    pub flows: bool,
    /// Where invoices stand; numbers and what they document are `numbers`.
    pub invoices: bool,
    pub numbers: bool,
}

impl Touched {
    pub const ALL: Self = Self {
        notices: true,
        payments: true,
        journal: true,
        flows: true,
        invoices: true,
        numbers: true,
    };

    fn note(&mut self, table: &str) {
        match table {
            "journal_entry" | "journal_line" | "ledger_head" | "account_balance" => {
                self.journal = true;
                self.payments = true;
            }
            "provider_flow" => self.flows = true,
            "refund" => {
                self.flows = true;
                self.payments = true;
            }
            "invoice" | "invoice_message" | "invoice_archive" => self.invoices = true,
            "invoice_line" | "invoice_series" | "invoice_change" | "invoice_correction" => {
                self.numbers = true;
            }
            "provider_notice" => self.notices = true,
            _ => self.payments = true,
        }
    }
}

/// Shared by the world and the connection's hooks. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Power(Arc<Mutex<State>>);

impl Power {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain values behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called where a transaction is about to become durable; `false` rolls it back.
    pub fn may_commit(&self) -> bool {
        let mut state = self.state();
        let Some(node) = state.acting else {
            return true;
        };
        if state.dead[node] {
            return false;
        }
        match state.armed {
            Some((0, blow)) => {
                state.armed = None;
                state.struck = Some(blow);
                state.dead[node] = blow != Blow::Refused;
                if blow != Blow::AfterCommit {
                    return false;
                }
            }
            Some((left, blow)) => state.armed = Some((left - 1, blow)),
            None => {}
        }
        state.commits += 1;
        true
    }

    /// Called for every changed row.
    pub fn note(&self, table: &str) {
        self.state().touched.note(table);
    }

    /// From here on a process works, with a blow at its commit after `after` others.
    pub fn begin(&self, node: usize, armed: Option<(u64, Blow)>) {
        let mut state = self.state();
        state.acting = Some(node);
        state.armed = armed;
    }

    /// The process pauses; answers the blow that struck meanwhile.
    pub fn pause(&self) -> Option<Blow> {
        let mut state = self.state();
        state.acting = None;
        state.armed = None;
        state.struck.take()
    }

    pub fn kill(&self, node: usize) {
        self.state().dead[node] = true;
    }

    pub fn revive(&self, node: usize) {
        self.state().dead[node] = false;
    }

    pub fn is_dead(&self, node: usize) -> bool {
        self.state().dead[node]
    }

    /// Commits so far, and what was touched since this was last asked.
    pub fn look(&self) -> (u64, Touched) {
        let mut state = self.state();
        (state.commits, std::mem::take(&mut state.touched))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_dies_at_the_commit_it_was_armed_for_and_stays_dead() {
        let power = Power::default();
        power.begin(0, Some((1, Blow::AfterCommit)));
        assert_eq!([(); 3].map(|()| power.may_commit()), [true, true, false]);
        assert_eq!(power.pause(), Some(Blow::AfterCommit));
        power.begin(1, Some((0, Blow::Refused)));
        assert_eq!([(); 2].map(|()| power.may_commit()), [false, true]);
        assert_eq!(power.pause(), Some(Blow::Refused));
        assert!(power.is_dead(0) && !power.is_dead(1));
        power.revive(0);
        power.begin(0, None);
        assert!(power.may_commit());
    }
}
