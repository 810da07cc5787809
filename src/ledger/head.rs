//! The end of a school's chain, and the seal that holds it. Pure.
//!
//! A head of the first version has no seal: it gets one with its next entry. So somebody who can write
//! to the database could make a whole chain look as if it were of the first version; the checker
//! counts such entries in every report, where a new installation has none.

use std::sync::Arc;

use super::chain::{self, ChainKey, ChainKeys, DigestBytes};
use crate::clock::Day;
use crate::ids::SchoolId;

/// The end of a school's chain, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub school_id: SchoolId,
    pub last_seq: i64,
    /// In hex.
    pub last_digest: String,
    /// The key of the next entry; none before the first keyed one.
    pub key_id: Option<String>,
    /// The first entry with a keyed digest; 0 when there is none.
    pub keyed_from: i64,
    /// Last day of the closed periods: nothing is booked on it or before it any more.
    pub closed_through: Option<Day>,
    pub seal: Option<String>,
}

/// Why nothing may be appended to a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error(
        "ledger of {school_id} is sealed with key {key_id}, which the master key of this node does not make"
    )]
    OtherKey { school_id: SchoolId, key_id: String },
    #[error("head of the ledger of {school_id} was changed by somebody else than hocphi")]
    Forged { school_id: SchoolId },
}

impl Head {
    /// A chain without entries.
    pub fn genesis(school_id: SchoolId) -> Self {
        Self {
            last_digest: hex::encode(chain::genesis(&school_id)),
            school_id,
            last_seq: 0,
            key_id: None,
            keyed_from: 0,
            closed_through: None,
            seal: None,
        }
    }

    /// The key of the next entry and the digest it follows, when the head is as hocphi left it.
    ///
    /// # Errors
    /// [`HeadError`]: an entry after a forged head would make the forgery look genuine.
    pub(super) fn open(&self, keys: &ChainKeys) -> Result<(Arc<ChainKey>, DigestBytes), HeadError> {
        let forged = || HeadError::Forged {
            school_id: self.school_id.clone(),
        };
        let digest = chain::read_digest(&self.last_digest).ok_or_else(forged)?;
        let Some(key_id) = &self.key_id else {
            return Ok((keys.first(), digest));
        };
        let key = keys
            .get(key_id)
            .filter(|_| keys.is_current(key_id))
            .ok_or_else(|| HeadError::OtherKey {
                school_id: self.school_id.clone(),
                key_id: key_id.clone(),
            })?;
        if self.is_sealed_by(&key) {
            Ok((key, digest))
        } else {
            Err(forged())
        }
    }

    pub(super) fn is_sealed_by(&self, key: &ChainKey) -> bool {
        self.seal.as_deref() == Some(self.seal_with(key).as_str())
    }

    fn seal_with(&self, key: &ChainKey) -> String {
        chain::record_seal(
            key,
            "head/1",
            &[
                self.school_id.as_str(),
                &self.last_seq.to_string(),
                &self.last_digest,
                &self.keyed_from.to_string(),
                &self.closed_through.map(Day::iso).unwrap_or_default(),
            ],
        )
    }

    /// The head after entries up to `last_seq`.
    pub(super) fn advance(&mut self, key: &ChainKey, last_seq: i64, digest: &DigestBytes) {
        if self.keyed_from == 0 && last_seq > self.last_seq {
            self.keyed_from = self.last_seq + 1;
        }
        self.last_seq = last_seq;
        self.last_digest = hex::encode(digest);
        self.sign(key);
    }

    /// Changes to the key that follows the present one, which must be at hand.
    pub(super) fn rekey(&mut self, keys: &ChainKeys) -> Result<(), HeadError> {
        let Some(key_id) = self.key_id.clone() else {
            return Ok(());
        };
        let key = keys.get(&key_id).ok_or_else(|| HeadError::OtherKey {
            school_id: self.school_id.clone(),
            key_id: key_id.clone(),
        })?;
        if !self.is_sealed_by(&key) {
            return Err(HeadError::Forged {
                school_id: self.school_id.clone(),
            });
        }
        self.sign(&keys.after(&key_id));
        Ok(())
    }

    /// Seals what the head says now.
    pub(super) fn sign(&mut self, key: &ChainKey) {
        self.key_id = Some(key.id().to_owned());
        self.seal = Some(self.seal_with(key));
    }

    /// Where an entry of this day is booked: on the day itself, or on the first day after the closed
    /// periods. The second value is the true day where the two differ.
    pub(super) fn booking(&self, day: Day) -> (Day, Option<Day>) {
        match self.closed_through {
            Some(closed) if day <= closed => (closed.plus_days(1), Some(day)),
            _ => (day, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealing::SealingKey;

    fn keys(master: u8) -> ChainKeys {
        ChainKeys::of(Arc::new(SealingKey::from_bytes([master; 32])))
    }

    fn sealed() -> Head {
        let mut head = Head::genesis(SchoolId::new("s"));
        let (key, _) = head.open(&keys(1)).unwrap();
        head.advance(&key, 2, &[9; 32]);
        head
    }

    #[test]
    fn a_head_opens_only_as_it_was_left() {
        assert!(sealed().open(&keys(1)).is_ok());
        assert!(matches!(
            sealed().open(&keys(2)),
            Err(HeadError::OtherKey { .. })
        ));
        for forge in [
            |head: &mut Head| head.last_seq -= 1,
            |head: &mut Head| head.last_digest = hex::encode([8; 32]),
            |head: &mut Head| head.keyed_from += 1,
            |head: &mut Head| head.closed_through = Day::new(2026, 10, 31),
            |head: &mut Head| head.seal = None,
        ] {
            let mut head = sealed();
            forge(&mut head);
            assert!(matches!(head.open(&keys(1)), Err(HeadError::Forged { .. })));
        }
    }

    #[test]
    fn keyed_entries_begin_after_those_of_before() {
        let mut head = Head {
            last_seq: 7,
            ..Head::genesis(SchoolId::new("s"))
        };
        let (key, _) = head.open(&keys(1)).unwrap();
        head.advance(&key, 9, &[9; 32]);
        head.advance(&key, 10, &[9; 32]);
        assert_eq!(head.keyed_from, 8);
    }

    #[test]
    fn what_is_late_is_booked_on_the_first_open_day() {
        let day = |d| Day::new(2026, 10, d).unwrap();
        let mut head = Head::genesis(SchoolId::new("s"));
        assert_eq!(head.booking(day(5)), (day(5), None));
        head.closed_through = Some(day(30));
        assert_eq!(head.booking(day(5)), (day(31), Some(day(5))));
        assert_eq!(head.booking(day(31)), (day(31), None));
    }
}
