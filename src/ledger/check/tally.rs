//! Proves entries one by one, in any order, and adds up what must hold of a chain as a whole. Pure.
//!
//! An entry names the digest before it and its own. Of an unbroken chain every digest but the last
//! is named once more as the previous one, so the sum of all previous digests less the sum of all
//! digests is the digest at its start less the one at its end. With one entry for each number and
//! digests nobody can choose, an entry of another history, left out, doubled or out of its place
//! does not add up.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::chain::{self, ChainKey, ChainKeys, DigestBytes, EntrySeal, EntryText, Scheme};
use super::super::lines;
use super::Finding;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::store::BulkRow;

/// More findings of one run are counted, not kept.
const FINDINGS_MAX: usize = 10_000;

/// What is known of the schools before their entries are read.
pub struct Facts {
    pub keys: Option<ChainKeys>,
    pub schools: HashMap<String, Known>,
    /// Entries are counted, not looked at.
    pub blind: bool,
}

pub struct Known {
    pub keyed_from: i64,
    /// Last entry before, and the last closed day from then on; in order.
    pub closings: Vec<(i64, Option<Day>)>,
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
    places: HashMap<String, usize>,
    sums: Vec<(String, Sums)>,
    /// The school of the row before, which is often that of the next.
    last: usize,
    key: Option<Arc<ChainKey>>,
    findings: Vec<Finding>,
    room: Vec<u8>,
}

impl Tally {
    pub fn new(facts: Arc<Facts>) -> Self {
        Self {
            entries: 0,
            lines: 0,
            unkeyed: 0,
            facts,
            places: HashMap::new(),
            sums: Vec::new(),
            last: 0,
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
        let Some((entry, seal)) = read(row, school, seq) else {
            // Counted, so that the chain it breaks is looked at.
            self.of(school).entries += 1;
            return self.find(
                school,
                Some(seq),
                "entry_unreadable",
                "không đọc được".into(),
            );
        };
        self.prove(&entry, &seal);
        let (mut debit, mut credit) = (0_i128, 0_i128);
        let sums = self.of(school);
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

    fn prove(&mut self, entry: &EntryText<'_>, seal: &EntrySeal<'_>) {
        let facts = self.facts.clone();
        let known = facts.schools.get(entry.school);
        let digest = match seal.scheme {
            Scheme::Unkeyed => {
                self.unkeyed += 1;
                if known.is_some_and(|known| known.keyed_from > 0 && entry.seq >= known.keyed_from)
                {
                    self.find(
                        entry.school,
                        Some(entry.seq),
                        "unkeyed_after_key",
                        "bút toán không có dấu khóa sau khi trường đã dùng khóa".into(),
                    );
                }
                // The first version knew neither; the amount is proven by the lines.
                chain::unkeyed_digest(&seal.previous, entry).filter(|_| entry.event_day.is_none())
            }
            Scheme::Keyed(id) => {
                let Some(keys) = &facts.keys else {
                    return;
                };
                if self.key.as_ref().is_none_or(|key| key.id() != id) {
                    self.key = keys.get(id);
                }
                let Some(key) = &self.key else {
                    let detail = format!("dấu của khóa {id}");
                    return self.find(entry.school, Some(entry.seq), "key_unknown", detail);
                };
                Some(chain::keyed_digest(
                    key,
                    &seal.previous,
                    entry,
                    &mut self.room,
                ))
            }
        };
        if digest != Some(seal.digest) {
            self.find(
                entry.school,
                Some(entry.seq),
                "digest_differs",
                "nội dung bút toán đã bị thay đổi".into(),
            );
        }
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
    }

    fn of(&mut self, school: &str) -> &mut Sums {
        if self
            .sums
            .get(self.last)
            .is_none_or(|known| known.0 != school)
        {
            self.last = match self.places.get(school) {
                Some(place) => *place,
                None => {
                    self.places.insert(school.to_owned(), self.sums.len());
                    self.sums.push((school.to_owned(), Sums::default()));
                    self.sums.len() - 1
                }
            };
        }
        &mut self.sums[self.last].1
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
        for (school, sums) in other.sums {
            self.of(&school).merge(sums);
        }
        self.findings.extend(other.findings);
    }

    /// Sums by school, and findings in the order of the books.
    pub fn into_parts(mut self) -> (HashMap<String, Sums>, Vec<Finding>) {
        self.findings
            .sort_by(|one, other| (&one.school_id, one.seq).cmp(&(&other.school_id, other.seq)));
        (self.sums.into_iter().collect(), self.findings)
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
