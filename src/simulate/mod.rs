//! A deterministic simulation of the money engine: the real posting core, jobs, numbering and
//! exchange with the authority over real SQL, between simulated providers, under drawn faults.
//!
//! One seed is one story. Its [`world`] keeps virtual time and a queue of events, carries every
//! message between the processes ([`node`]) and the sandbox's peers, kills processes at their
//! commits ([`power`]), and after each step holds the books against what was promised outside
//! ([`invariants`]). Nothing is drawn from the machine, so a seed tells the same story again.
//! [`Broken`] lists ways of being wrong that the simulation must find.
//!
//! To add a fault: name it in `fault.rs`, let it strike where its message passes (`deliver.rs`,
//! `carrier.rs`, `gateways.rs`) or its process works (`processes.rs`). To add an invariant: `invariants.rs`.

mod broken;
mod carrier;
mod chance;
mod deliver;
mod fault;
mod gateways;
mod invariants;
mod node;
mod office;
mod payers;
mod power;
mod processes;
mod stage;
mod store;
mod told;
mod world;

use std::fmt::Display;

use crate::clock::Instant;
use crate::store::StoreError;

pub use broken::Broken;
pub use fault::{Counts, Fault};
pub use invariants::Invariant;
pub use stage::Stage;

/// The simulation itself could not go on; nothing is said about the program.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("simulation, {what}: {why}")]
    Trouble { what: &'static str, why: String },
}

fn trouble<E: Display>(what: &'static str) -> impl Fn(E) -> SimulateError {
    move |why| SimulateError::Trouble {
        what,
        why: why.to_string(),
    }
}

/// A promise that was found broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    /// Number of the step after which it was found.
    pub step: u64,
    /// Virtual time.
    pub at: Instant,
    pub detail: String,
}

/// What one seed told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    pub seed: u64,
    pub steps: u64,
    /// Virtual time that passed, in microseconds.
    pub simulated_micros: i64,
    pub commits: u64,
    pub payments: u64,
    pub invoices: u64,
    pub faults: Counts,
    pub violation: Option<Violation>,
    /// Its events, when they were asked for.
    pub trace: Vec<String>,
}

/// Plays one seed, on a runtime of one thread: more would let the machine decide who comes first.
///
/// # Errors
/// [`SimulateError`] when the simulation itself fails; a broken promise is part of the story.
pub async fn play(
    stage: &Stage,
    seed: u64,
    broken: Option<Broken>,
    traced: bool,
) -> Result<Story, SimulateError> {
    world::World::open(stage, seed, broken, traced)
        .await?
        .play()
        .await
}
