//! Proves entries one by one, in any order, and adds up what must hold of a chain as a whole. Pure.
//!
//! An entry names the digest before it and its own. Of an unbroken chain every digest but the last
//! is named once more as the previous one, so the sum of all previous digests less the sum of all
//! digests is the digest at its start less the one at its end. With one entry for each number and
//! digests nobody can choose, an entry of another history, left out, doubled or out of its place
//! does not add up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::super::chain::{self, ChainKey, ChainKeys, DigestBytes, EntrySeal, EntryText, Scheme};
use super::super::lines;
use super::Finding;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::store::BulkRow;

/// More findings of one run are counted, not kept.
const FINDINGS_MAX: usize = 10_000;

/// What is known before entries are read.
pub struct Facts {
    pub keys: Option<ChainKeys>,
    pub schools: Schools,
    /// Entries are counted, not looked at.
    pub blind: bool,
}

/// Schools by number.
#[derive(Default)]
pub struct Schools {
    numbers: HashMap<String, usize, BuildHasherDefault<Folded>>,
    known: Vec<Known>,
}

impl Schools {
    pub fn add(&mut self, school: String, known: Known) {
        self.numbers.insert(school, self.known.len());
        self.known.push(known);
    }
}

pub struct Known {
    pub keyed_from: i64,
    /// Last entry before, and the last closed day from then on; in order.
    pub closings: Vec<(i64, Option<Day>)>,
}

/// A hash of identifiers that costs a few nanoseconds; nobody outside chooses them.
#[derive(Default)]
pub struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last]) {
            self.0 = (self.0 ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.0 ^= self.0 >> 32;
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Sums over the entries of one school.
#[derive(Debug, Default)]
pub struct Sums {
    entries: i64,
    last_seq: i64,
    /// Previous digests less digests, modulo 2^128.
    links: u128,
    balances: Vec<(String, i128, i128)>,
}

impl Sums {
    pub fn add(&mut self, account: &str, debit: i128, credit: i128) {
        match self.balances.iter_mut().find(|known| known.0 == account) {
            Some(known) => {
                known.1 += debit;
                known.2 += credit;
            }
            None => self.balances.push((account.to_owned(), debit, credit)),
        }
    }

    /// Account, debit and credit.
    pub fn balances(&self) -> impl Iterator<Item = (&str, (i128, i128))> {
        self.balances
            .iter()
            .map(|(account, debit, credit)| (account.as_str(), (*debit, *credit)))
    }

    /// Whether the entries are the unbroken chain after `from` up to `last_seq`.
    pub fn is_chain(
        &self,
        from: i64,
        from_digest: &DigestBytes,
        last_seq: i64,
        last_digest: &DigestBytes,
    ) -> bool {
        self.entries == last_seq - from
            && (self.entries == 0 || self.last_seq == last_seq)
            && self.links == short(from_digest).wrapping_sub(short(last_digest))
    }

    fn merge(&mut self, other: Self) {
        self.entries += other.entries;
        self.last_seq = self.last_seq.max(other.last_seq);
        self.links = self.links.wrapping_add(other.links);
        for (account, debit, credit) in other.balances {
            self.add(&account, debit, credit);
        }
    }
}

fn short(digest: &DigestBytes) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(half)
}

/// What one reader has seen.
pub struct Tally {
    pub entries: u64,
    pub lines: u64,
    pub unkeyed: u64,
    facts: Arc<Facts>,
    /// By number of the school.
    sums: Vec<Sums>,
    /// Of schools that have no head.
    strangers: HashMap<String, Sums>,
    key: Option<Arc<ChainKey>>,
    findings: Vec<Finding>,
    room: Vec<u8>,
}

impl Tally {
    pub fn new(facts: Arc<Facts>) -> Self {
        let mut sums = Vec::new();
        sums.resize_with(facts.schools.known.len(), Sums::default);
        Self {
            entries: 0,
            lines: 0,
            unkeyed: 0,
            facts,
            sums,
            strangers: HashMap::new(),
            key: None,
            findings: Vec::new(),
            room: Vec::with_capacity(1024),
        }
    }

    /// Takes one row of `store::read`.
    pub fn take(&mut self, row: &BulkRow<'_>) {
        self.entries += 1;
        if self.facts.blind {
            return;
        }
        let (Some(school), Some(seq)) = (row.text(0), row.integer(1)) else {
            return self.find("?", None, "entry_unreadable", "không đọc được".into());
        };
        let number = self.facts.schools.numbers.get(school).copied();
        let Some((entry, seal)) = read(row, school, seq) else {
            // Counted, so that the chain it breaks is looked at.
            self.of(number, school).entries += 1;
            return self.find(
                school,
                Some(seq),
                "entry_unreadable",
                "không đọc được".into(),
            );
        };
        self.prove(number, &entry, &seal);
        let (mut debit, mut credit) = (0_i128, 0_i128);
        let sums = self.of(number, school);
        sums.entries += 1;
        sums.last_seq = sums.last_seq.max(seq);
        sums.links = sums
            .links
            .wrapping_add(short(&seal.previous))
            .wrapping_sub(short(&seal.digest));
        let mut is_odd = false;
        let count = lines::read(entry.lines, |line| {
            debit += i128::from(line.debit);
            credit += i128::from(line.credit);
            is_odd |= (line.debit == 0) == (line.credit == 0);
            sums.add(&line.account, line.debit.into(), line.credit.into());
        });
        self.lines += count.unwrap_or(0) as u64;
        if count.is_none_or(|count| count == 0) || is_odd {
            self.find(
                school,
                Some(seq),
                "lines_unreadable",
                "các dòng không đúng dạng".into(),
            );
        } else if debit != credit {
            self.find(
                school,
                Some(seq),
                "unbalanced",
                format!("Nợ {debit} khác Có {credit}"),
            );
        } else if debit != i128::from(entry.amount) {
            let detail = format!("ghi số tiền {}, các dòng cộng {debit}", entry.amount);
            self.find(school, Some(seq), "amount_differs", detail);
        }
    }

    fn prove(&mut self, number: Option<usize>, entry: &EntryText<'_>, seal: &EntrySeal<'_>) {
        let mut wrong: Option<(&'static str, String)> = None;
        let known = number.and_then(|number| self.facts.schools.known.get(number));
        let digest = match seal.scheme {
            Scheme::Unkeyed => {
                self.unkeyed += 1;
                if known.is_some_and(|known| known.keyed_from > 0 && entry.seq >= known.keyed_from)
                {
                    wrong = Some((
                        "unkeyed_after_key",
                        "bút toán không có dấu khóa sau khi trường đã dùng khóa".into(),
                    ));
                }
                // The first version knew neither; the amount is proven by the lines.
                chain::unkeyed_digest(&seal.previous, entry).filter(|_| entry.event_day.is_none())
            }
            Scheme::Keyed(id) => match &self.facts.keys {
                None => Some(seal.digest),
                Some(keys) => {
                    if self.key.as_ref().is_none_or(|key| key.id() != id) {
                        self.key = keys.get(id);
                    }
                    match &self.key {
                        Some(key) => {
                            let room = &mut self.room;
                            Some(chain::keyed_digest(key, &seal.previous, entry, room))
                        }
                        None => {
                            wrong = Some(("key_unknown", format!("dấu của khóa {id}")));
                            Some(seal.digest)
                        }
                    }
                }
            },
        };
        let closed = known.and_then(|known| {
            let before = known
                .closings
                .partition_point(|closing| closing.0 < entry.seq);
            known.closings[..before].last()?.1
        });
        if closed.is_some_and(|closed| entry.booked_day <= closed.unix_days()) {
            self.find(
                entry.school,
                Some(entry.seq),
                "booked_in_closed_period",
                "ghi vào kỳ đã khóa sổ".into(),
            );
        }
        if let Some((code, detail)) = wrong {
            self.find(entry.school, Some(entry.seq), code, detail);
        }
        if digest != Some(seal.digest) {
            self.find(
                entry.school,
                Some(entry.seq),
                "digest_differs",
                "nội dung bút toán đã bị thay đổi".into(),
            );
        }
    }

    fn of(&mut self, number: Option<usize>, school: &str) -> &mut Sums {
        match number {
            Some(number) => &mut self.sums[number],
            None => self.strangers.entry(school.to_owned()).or_default(),
        }
    }

    fn find(&mut self, school: &str, seq: Option<i64>, code: &'static str, detail: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                school_id: SchoolId::new(school),
                seq,
                code,
                detail,
            });
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.entries += other.entries;
        self.lines += other.lines;
        self.unkeyed += other.unkeyed;
        for (sums, more) in self.sums.iter_mut().zip(other.sums) {
            sums.merge(more);
        }
        for (school, more) in other.strangers {
            self.strangers.entry(school).or_default().merge(more);
        }
        self.findings.extend(other.findings);
    }

    /// Sums by school, and findings in the order of the books.
    pub fn into_parts(mut self) -> (HashMap<String, Sums>, Vec<Finding>) {
        self.findings
            .sort_by(|one, other| (&one.school_id, one.seq).cmp(&(&other.school_id, other.seq)));
        let mut sums = self.strangers;
        for (school, number) in &self.facts.schools.numbers {
            if let Some(own) = self.sums.get_mut(*number) {
                sums.insert(school.clone(), std::mem::take(own));
            }
        }
        (sums, self.findings)
    }
}

fn read<'r>(
    row: &'r BulkRow<'_>,
    school: &'r str,
    seq: i64,
) -> Option<(EntryText<'r>, EntrySeal<'r>)> {
    let entry = EntryText {
        school,
        seq,
        kind: row.text(2)?,
        source_id: row.text(3)?,
        booked_day: row.day(4)?,
        event_day: if row.is_null(5) {
            None
        } else {
            Some(row.day(5)?)
        },
        posted_at: row.instant(6)?,
        reverses: if row.is_null(7) {
            None
        } else {
            Some(row.integer(7)?)
        },
        amount: row.integer(8)?,
        lines: row.text(9)?,
    };
    Some((entry, EntrySeal::read(row.text(10)?)?))
}
