//! Seeded chance: the same seed plays the same story.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngCore, SeedableRng};

pub(crate) struct Chance(Mutex<StdRng>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    fn source(&self) -> MutexGuard<'_, StdRng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many decimal digits, leading zeros included.
    pub fn digits(&self, count: usize) -> String {
        let mut source = self.source();
        (0..count)
            .map(|_| char::from(b'0' + source.random_range(0..10u8)))
            .collect()
    }

    /// So many ASCII letters of both cases, as in a bank's own trace tokens.
    pub fn letters(&self, count: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut source = self.source();
        (0..count)
            .map(|_| char::from(LETTERS[source.random_range(0..LETTERS.len())]))
            .collect()
    }

    /// 32 upper-case hexadecimal characters.
    pub fn hex32(&self) -> String {
        let mut bytes = [0; 16];
        self.source().fill_bytes(&mut bytes);
        hex::encode_upper(bytes)
    }

    /// True in `percent` of a hundred draws.
    pub fn percent(&self, percent: u8) -> bool {
        percent > 0 && self.source().random_range(0..100u8) < percent
    }

    /// An index below `count`, 0 for an empty choice.
    pub fn index(&self, count: usize) -> usize {
        if count == 0 {
            0
        } else {
            self.source().random_range(0..count)
        }
    }

    pub fn shuffle<T>(&self, items: &mut [T]) {
        items.shuffle(&mut *self.source());
    }
}
