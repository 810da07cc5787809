//! What was said outside, which the books must agree with.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ConnectionId;

/// Provider and its transaction.
pub type Movement = (String, String);

/// The memory of those around the installation.
#[derive(Debug, Default)]
pub struct Told {
    /// Money that truly moved, by its amount, and was reported at least once.
    pub moved: BTreeMap<Movement, i64>,
    /// Movements for which somebody heard that they are booked.
    pub acknowledged: BTreeSet<Movement>,
    /// Forged notices that were acknowledged.
    pub forged: Vec<String>,
    /// Contradicting repeats that were answered as seen before.
    pub contradicted: BTreeMap<Movement, i64>,
    /// Other amounts that a provider properly told of a movement; a person may find them right.
    pub otherwise: BTreeMap<Movement, BTreeSet<i64>>,
    /// What gateways took back by themselves, by connection and order.
    pub taken_back: BTreeMap<(ConnectionId, String), i64>,
    /// Orders of those whose notice was acknowledged.
    pub taken_back_heard: BTreeSet<(String, String)>,
    /// Places of schools whose terminal (`true`) or account has another key since.
    pub rotated: BTreeSet<(usize, bool)>,
    /// Forms of the staff that were answered with "done".
    pub moves: BTreeSet<String>,
    /// Invoices the authority refused at will.
    pub refusals: u64,
    /// Some process dated by a clock that ran ahead.
    pub clock_was_ahead: bool,
    /// Some process went by a clock that was not right, ahead or behind.
    pub clock_was_wrong: bool,
}
