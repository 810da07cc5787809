//! What happens, drawn from a seed.

use super::fault::Fault;
use crate::ids::Ids;

/// Seeded draws of one run; the same seed draws the same story.
pub struct Chance(Ids);

impl Chance {
    pub fn new(seed: u64) -> Self {
        // Apart from the program's own draws, so that both do not walk the same sequence.
        Self(Ids::seeded(seed ^ 0x5151_6d75_6c61_7465))
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.0.below(bound.max(1))
    }

    pub fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap_or(0);
        low + i64::try_from(self.below(width + 1)).unwrap_or(0)
    }

    /// A place in a list of `count`.
    pub fn place(&self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or(0)
    }
}

/// How often each fault strikes in one run. Most runs know some faults well and others not at all:
/// a fault alone for a while finds what a little of everything hides.
pub struct Weather([u8; Fault::ALL.len()]);

impl Weather {
    pub fn draw(chance: &Chance) -> Self {
        Self(Fault::ALL.map(|fault| {
            if chance.percent(45) {
                // The carrier's faults add up; thirty failures in a row are an outage that jobs are
                // given up for, which is another story.
                let most = if fault.is_of_carrier() { 10 } else { 30 };
                u8::try_from(chance.between(4, most)).unwrap_or(4)
            } else {
                0
            }
        }))
    }

    pub fn strikes(&self, chance: &Chance, fault: Fault) -> bool {
        chance.percent(u64::from(self.0[fault as usize]))
    }
}
