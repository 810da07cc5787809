//! How entries are chained and sealed. Pure.
//!
//! Every entry carries the digest of the one before it and its own: HMAC-SHA256 over its whole
//! content and the previous digest, with a key that is derived from the installation's master key.
//! Who can write to the database but has not the master key can neither change an entry nor add
//! one. Because an entry names both digests, it can be verified by itself, in any order; that the
//! links fit is then a matter of sums (`check/tally.rs`).
//!
//! The head of a chain is sealed as well: otherwise the newest entries could be cut off.
//!
//! The scheme stands in each entry: `sha256/1` (no key, entries of the first version) or
//! `hmac/2/<key id>`. A key id is `<generation>-<fingerprint>`; a school changes to another key with
//! `rotate.rs`, and entries of before keep theirs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::lines;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::sealing::SealingKey;

pub const DIGEST_BYTES: usize = 32;
/// A digest as raw bytes; stored in hex.
pub type DigestBytes = [u8; DIGEST_BYTES];

const UNKEYED: &str = "sha256/1";
const KEYED: &str = "hmac/2/";
/// Two digests in hex with a blank before each.
const SEAL_TAIL_BYTES: usize = 2 * (1 + 2 * DIGEST_BYTES);

/// One key of chains.
#[derive(Clone)]
pub struct ChainKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChainKey({})", self.id)
    }
}

impl ChainKey {
    fn derive(master: &SealingKey, generation: u32) -> Self {
        let secret = master.digest("ledger chain", &[&generation.to_be_bytes()]);
        let fingerprint = Sha256::digest(format!("hocphi ledger key {secret}"));
        Self {
            id: format!("{generation}-{}", hex::encode(&fingerprint[..4])),
            mac: Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length"),
        }
    }

    /// Stored with everything this key seals.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn sum(&self, text: &[u8]) -> DigestBytes {
        self.mac
            .clone()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .into()
    }
}

/// The keys of an installation: those derived from its master key, and from former ones where a
/// tool was given them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ChainKeys(Arc<Masters>);

#[derive(Debug)]
struct Masters {
    current: Arc<SealingKey>,
    former: Vec<SealingKey>,
    derived: RwLock<HashMap<String, Option<Arc<ChainKey>>>>,
}

impl ChainKeys {
    pub fn of(current: Arc<SealingKey>) -> Self {
        Self::with_former(current, Vec::new())
    }

    /// Keys that also verify what was sealed under former master keys.
    pub fn with_former(current: Arc<SealingKey>, former: Vec<SealingKey>) -> Self {
        Self(Arc::new(Masters {
            current,
            former,
            derived: RwLock::default(),
        }))
    }

    /// The master keys themselves, the present one first.
    pub fn masters(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&*self.0.current).chain(&self.0.former)
    }

    /// The key for a school that has none yet.
    pub fn first(&self) -> Arc<ChainKey> {
        self.generation(1)
    }

    /// The key that follows `id`: of the next generation, or the first of the present master key
    /// when `id` is of a former one.
    pub fn after(&self, id: &str) -> Arc<ChainKey> {
        match generation_of(id).filter(|generation| self.generation(*generation).id == id) {
            Some(generation) => self.generation(generation.saturating_add(1)),
            None => self.first(),
        }
    }

    /// The key of this id; none when it is of a master key that is not here.
    pub fn get(&self, id: &str) -> Option<Arc<ChainKey>> {
        let known = self
            .0
            .derived
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(id) {
            return key.clone();
        }
        drop(known);
        let generation = generation_of(id)?;
        let found = self
            .masters()
            .map(|master| ChainKey::derive(master, generation))
            .find(|key| key.id == id)
            .map(Arc::new);
        let mut known = self
            .0
            .derived
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(id.to_owned(), found.clone());
        found
    }

    /// Whether new entries may be sealed with the key of this id: former master keys only verify.
    pub fn is_current(&self, id: &str) -> bool {
        generation_of(id).is_some_and(|generation| self.generation(generation).id == id)
    }

    fn generation(&self, generation: u32) -> Arc<ChainKey> {
        let key = ChainKey::derive(&self.0.current, generation);
        self.get(&key.id).unwrap_or_else(|| Arc::new(key))
    }
}

fn generation_of(id: &str) -> Option<u32> {
    id.split_once('-')?.0.parse().ok()
}

/// What is kept of an entry, and what its digest covers.
#[derive(Clone, Copy, Debug)]
pub struct EntryText<'a> {
    pub school: &'a str,
    pub seq: i64,
    pub kind: &'a str,
    pub source_id: &'a str,
    /// Days since 1970.
    pub booked_day: i32,
    pub event_day: Option<i32>,
    /// Microseconds since 1970.
    pub posted_at: i64,
    pub reverses: Option<i64>,
    pub amount: i64,
    /// The lines as stored, see [`lines`].
    pub lines: &'a str,
}

/// Which scheme and key made a digest, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    Unkeyed,
    Keyed(&'a str),
}

/// The stored seal of an entry, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySeal<'a> {
    pub scheme: Scheme<'a>,
    pub previous: DigestBytes,
    pub digest: DigestBytes,
}

impl<'a> EntrySeal<'a> {
    /// Reads what [`write_seal`] wrote; nothing when it is not of that form.
    pub fn read(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (scheme, tail) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_TAIL_BYTES)?)?;
        let scheme = std::str::from_utf8(scheme).ok()?;
        let (previous, digest) = tail.split_at(SEAL_TAIL_BYTES / 2);
        Some(Self {
            scheme: if scheme == UNKEYED {
                Scheme::Unkeyed
            } else {
                Scheme::Keyed(scheme.strip_prefix(KEYED)?)
            },
            previous: read_hex(previous.strip_prefix(b" ")?)?,
            digest: read_hex(digest.strip_prefix(b" ")?)?,
        })
    }
}

/// A digest from its stored form.
pub fn read_digest(hex: &str) -> Option<DigestBytes> {
    read_hex(hex.as_bytes())
}

/// Digits in lower case only. Without branches and tables, so that many are read at once.
fn read_hex(hex: &[u8]) -> Option<DigestBytes> {
    let hex: &[u8; 2 * DIGEST_BYTES] = hex.try_into().ok()?;
    let mut are_digits = true;
    for digit in hex {
        are_digits &= digit.wrapping_sub(b'0') < 10 || digit.wrapping_sub(b'a') < 6;
    }
    // The low half of a digit's code is its value, of a letter its value less nine.
    let value = |digit: u8| (digit & 0x0f) + 9 * (digit >> 6);
    let (pairs, _) = hex.as_chunks::<2>();
    let mut digest = [0; DIGEST_BYTES];
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    are_digits.then_some(digest)
}

/// The digest of an entry; `text` is room to work in, so that a long row of them allocates nothing.
pub fn keyed_digest(
    key: &ChainKey,
    previous: &DigestBytes,
    entry: &EntryText<'_>,
    text: &mut Vec<u8>,
) -> DigestBytes {
    text.clear();
    text.extend_from_slice(b"entry/2\0");
    text.extend_from_slice(previous);
    // Numbers first, at fixed places; then texts with their lengths: no two entries share one text.
    for number in [
        entry.seq,
        entry.posted_at,
        entry.amount,
        entry.reverses.unwrap_or(0),
    ] {
        text.extend_from_slice(&number.to_be_bytes());
    }
    text.extend_from_slice(&entry.booked_day.to_be_bytes());
    text.extend_from_slice(&entry.event_day.unwrap_or(i32::MIN).to_be_bytes());
    for field in [entry.school, entry.kind, entry.source_id, entry.lines] {
        text.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        text.extend_from_slice(field.as_bytes());
    }
    key.sum(text)
}

/// The digest of the first version, which knew no key, no `event_day` and no `amount`.
pub fn unkeyed_digest(previous: &DigestBytes, entry: &EntryText<'_>) -> Option<DigestBytes> {
    let booked_day = Day::from_unix_days(entry.booked_day)?;
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    };
    field("entry/1");
    field(&hex::encode(previous));
    field(entry.school);
    field(&entry.seq.to_string());
    field(entry.kind);
    field(entry.source_id);
    field(&booked_day.iso());
    field(&entry.posted_at.to_string());
    field(&entry.reverses.map_or(String::new(), |seq| seq.to_string()));
    lines::read(entry.lines, |line| {
        field(&line.account);
        field(&line.debit.to_string());
        field(&line.credit.to_string());
        field(line.object.as_deref().unwrap_or(""));
    })?;
    Some(hash.finalize().into())
}

/// The stored seal of an entry.
pub fn write_seal(key: &ChainKey, previous: &DigestBytes, digest: &DigestBytes) -> String {
    let mut seal = String::with_capacity(KEYED.len() + key.id.len() + SEAL_TAIL_BYTES);
    seal.push_str(KEYED);
    seal.push_str(&key.id);
    for part in [previous, digest] {
        seal.push(' ');
        seal.push_str(&hex::encode(part));
    }
    seal
}

/// Seals a record of few fields: a head, a closed period, a checkpoint. `kind` keeps them apart.
pub fn record_seal(key: &ChainKey, kind: &str, fields: &[&str]) -> String {
    let mut text = Vec::with_capacity(256);
    for field in std::iter::once(&kind).chain(fields) {
        text.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        text.extend_from_slice(field.as_bytes());
    }
    hex::encode(key.sum(&text))
}

/// The start of a chain names its school, so that a chain cannot be passed off as another's.
pub fn genesis(school_id: &SchoolId) -> DigestBytes {
    Sha256::digest(format!("hocphi ledger of {school_id}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(master: u8) -> ChainKeys {
        ChainKeys::of(Arc::new(SealingKey::from_bytes([master; 32])))
    }

    fn entry() -> EntryText<'static> {
        EntryText {
            school: "s",
            seq: 3,
            kind: "PAYMENT_RECEIVED",
            source_id: "p",
            booked_day: 20_000,
            event_day: None,
            posted_at: 1,
            reverses: None,
            amount: 5,
            lines: r#"[["112",5,0,null],["531",0,5,"i"]]"#,
        }
    }

    #[test]
    fn every_part_of_an_entry_changes_its_digest() {
        let key = keys(1).first();
        let previous = [7; DIGEST_BYTES];
        let mut room = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let changed = [
            entry(),
            EntryText {
                school: "t",
                ..entry()
            },
            EntryText { seq: 4, ..entry() },
            EntryText {
                kind: "X",
                ..entry()
            },
            EntryText {
                source_id: "q",
                ..entry()
            },
            EntryText {
                booked_day: 20_001,
                ..entry()
            },
            EntryText {
                event_day: Some(20_000),
                ..entry()
            },
            EntryText {
                posted_at: 2,
                ..entry()
            },
            EntryText {
                reverses: Some(1),
                ..entry()
            },
            EntryText {
                amount: 6,
                ..entry()
            },
            EntryText {
                lines: r#"[["112",5,0,null],["531",0,5,"j"]]"#,
                ..entry()
            },
        ];
        for entry in &changed {
            seen.insert(keyed_digest(&key, &previous, entry, &mut room));
        }
        seen.insert(keyed_digest(&key, &[8; DIGEST_BYTES], &entry(), &mut room));
        seen.insert(keyed_digest(
            &keys(2).first(),
            &previous,
            &entry(),
            &mut room,
        ));
        assert_eq!(seen.len(), changed.len() + 2);
    }

    #[test]
    fn a_seal_reads_back_and_a_damaged_one_does_not() {
        let key = keys(1).first();
        let seal = write_seal(&key, &[1; DIGEST_BYTES], &[0xab; DIGEST_BYTES]);
        let read = EntrySeal::read(&seal).unwrap();
        assert_eq!(read.scheme, Scheme::Keyed(key.id()));
        assert_eq!((read.previous, read.digest), ([1; 32], [0xab; 32]));
        let old = format!("sha256/1 {} {}", "00".repeat(32), "ff".repeat(32));
        assert_eq!(EntrySeal::read(&old).unwrap().scheme, Scheme::Unkeyed);
        for damaged in [
            "",
            "sha256/1",
            &seal[1..],
            &seal.replace("ab", "AB"),
            &seal.replace("01 ", "01x"),
            &format!("md5/1 {} {}", "00".repeat(32), "ff".repeat(32)),
        ] {
            assert_eq!(EntrySeal::read(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn keys_are_found_by_id_and_only_of_master_keys_at_hand() {
        let (one, two) = (keys(1), keys(2));
        let first = one.first();
        let second = one.after(first.id());
        assert_ne!(first.id(), second.id());
        assert_eq!(one.get(second.id()).unwrap().id(), second.id());
        assert!(two.get(first.id()).is_none() && !two.is_current(first.id()));
        let both = ChainKeys::with_former(
            Arc::new(SealingKey::from_bytes([2; 32])),
            vec![SealingKey::from_bytes([1; 32])],
        );
        assert!(both.get(second.id()).is_some() && !both.is_current(second.id()));
        // From a former master key the way leads to the first key of the present one.
        assert_eq!(both.after(second.id()).id(), two.first().id());
        assert!(one.get("no id").is_none() && one.get("1-00000000").is_none());
    }
}
