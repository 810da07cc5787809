//! Identifiers that cannot be mixed up, and the source they are drawn from.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::clock::Instant;

/// Declares text identifiers, each its own type, stored as `TEXT`.
macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

text_ids! {
    /// A node of the organisation tree: department, commune office or school.
    UnitId,
    /// A school; the same text as its [`UnitId`].
    SchoolId,
    ClassId,
    PupilId,
    GuardianId,
    FeeItemId,
    RoundId,
    BillId,
    /// A school's agreement with a provider; part of the address that provider calls.
    ConnectionId,
    AttemptId,
    /// A payment or refund as a provider is asked for it; the idempotency key of those requests.
    FlowId,
    /// A provider's message as it came in.
    MessageId,
    PaymentId,
    InvoiceId,
    /// A receipt for collected money that takes no invoice.
    ReceiptId,
    JobId,
    UserId,
    ImportId,
    /// Money that moved after it was posted.
    MoveId,
    ReviewId,
    RefundId,
    /// A registration with the tax authority, or a notice of wrong invoices.
    DeclarationId,
}

/// Crockford's alphabet in lower case: no letter that is misread, sorts as its value.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TIME_SYMBOLS: usize = 10;
const RANDOM_SYMBOLS: usize = 14;

/// Draws identifiers and secrets. Seeded in tests and simulations, from the system elsewhere.
#[derive(Clone)]
pub struct Ids(Arc<Mutex<StdRng>>);

impl Ids {
    pub fn from_system() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// An identifier that sorts by time of birth: 10 symbols of milliseconds, 14 of chance (70 bits).
    pub fn next(&self, now: Instant) -> String {
        let mut text = time_symbols(now);
        text.reserve_exact(RANDOM_SYMBOLS);
        self.push_random(&mut text, RANDOM_SYMBOLS);
        text
    }

    /// Where identifiers that are born at a moment or later begin, in their order.
    pub fn from_moment(moment: Instant) -> String {
        time_symbols(moment)
    }

    /// A secret of 32 symbols (160 bits), for links and sessions.
    pub fn token(&self) -> String {
        let mut text = String::with_capacity(32);
        self.push_random(&mut text, 32);
        text
    }

    /// A number below `bound`, evenly spread.
    pub fn below(&self, bound: u64) -> u64 {
        use rand::Rng;
        self.rng().random_range(0..bound)
    }

    /// Random bytes, for keys and nonces.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng().fill_bytes(&mut bytes);
        bytes
    }

    fn push_random(&self, text: &mut String, symbols: usize) {
        let mut rng = self.rng();
        for _ in 0..symbols {
            text.push(symbol(u64::from(rng.next_u32() & 31)));
        }
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, StdRng> {
        // A panic elsewhere leaves the generator in a usable state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn time_symbols(moment: Instant) -> String {
    let millis = u64::try_from(moment.micros() / 1_000).unwrap_or(0);
    (0..TIME_SYMBOLS)
        .rev()
        .map(|place| symbol((millis >> (5 * place)) & 31))
        .collect()
}

fn symbol(five_bits: u64) -> char {
    char::from(ALPHABET[usize::try_from(five_bits & 31).unwrap_or(0)])
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_sort_by_time_and_do_not_repeat() {
        let ids = Ids::seeded(1);
        let early = ids.next(Instant::from_unix(1_700_000_000));
        let late = ids.next(Instant::from_unix(1_700_000_001));
        assert!(early < late);
        assert_ne!(early, ids.next(Instant::from_unix(1_700_000_000)));
        assert_eq!(early.len(), 24);
    }
}
