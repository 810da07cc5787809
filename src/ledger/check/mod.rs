//! Derives everything the ledger claims again from the journal.
//!
//! Every entry is read once and proven by itself, in whatever order the engine reads fastest and by
//! as many readers as there are; [`tally`] adds up what must hold of each chain as a whole. Where a
//! chain does not add up, it is walked in order to name the place.
//!
//! A full check looks at every entry. An incremental one goes on from the sealed checkpoints of
//! earlier checks: it proves all entries after them, the heads, and that balances follow from what
//! was verified before. An entry below a checkpoint that is changed *afterwards* is found by the
//! next full check alone. A chain cut off below its checkpoint is found by both.

mod store;
mod tally;
mod walk;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::chain::{self, ChainKeys};
use super::head::Head;
use super::{period, period_store};
use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::store::{Db, Reader, StoreError, Tx};
use store::Segment;
use tally::{Facts, Known, Schools, Tally};

/// Entries are cut into so many pieces a reader, so that none waits long for the last.
const SEGMENTS_PER_READER: usize = 8;
/// Readers of [`run`].
const READERS: usize = 2;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Full,
    /// From the sealed checkpoints on, where there are any.
    Incremental,
}

/// What the checker saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub schools: u64,
    /// Entries that were looked at, and their lines.
    pub entries: u64,
    pub lines: u64,
    /// Entries among them whose digest has no key: of the first version. A number that grows is a
    /// forgery.
    pub unkeyed: u64,
    /// Entries below checkpoints, which were not looked at.
    pub below_checkpoints: u64,
    pub findings: Vec<Finding>,
    /// Chains that are in order up to their head, for checkpoints.
    pub verified: Vec<Verified>,
    /// When the chains were checked from whose checkpoints this check went on.
    pub resumed: BTreeMap<SchoolId, Instant>,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub school_id: SchoolId,
    /// The entry at fault, where one can be named.
    pub seq: Option<i64>,
    /// Stable code.
    pub code: &'static str,
    /// For people, in Vietnamese.
    pub detail: String,
}

/// A chain that was found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub school_id: SchoolId,
    pub seq: i64,
    pub digest: String,
    /// Account, debit, credit.
    balances: Vec<(String, i64, i64)>,
}

/// Verifies every chain, head, closed period and balance of one moment, beside writers.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn run(db: &Db, keys: &ChainKeys) -> Result<Report, StoreError> {
    let readers = db.snapshot(READERS).await?;
    Ok(verify(readers, Some(keys), Extent::Full).await?.0)
}

/// As [`run`], with the readers of a snapshot, which are handed back. Without keys everything is
/// derived again except the keyed digests themselves, and checkpoints are not believed.
///
/// # Errors
/// As [`run`].
pub async fn verify(
    mut readers: Vec<Reader>,
    keys: Option<&ChainKeys>,
    extent: Extent,
) -> Result<(Report, Vec<Reader>), StoreError> {
    let at_once = readers.len();
    let Some(first) = readers.first_mut() else {
        return Err(StoreError::Contradiction(
            "a snapshot without readers".into(),
        ));
    };
    let tx = first.tx();
    let heads = store::heads(tx).await?;
    let mut findings = Vec::new();
    guards(tx, &mut findings).await?;
    for school_id in store::headless(tx).await? {
        findings.push(Finding {
            school_id,
            seq: None,
            code: "head_missing",
            detail: "có số dư hoặc bút toán nhưng không có đầu chuỗi".into(),
        });
    }
    let closings = period_store::closings(tx).await?;
    let starts = starts(tx, &heads, keys, extent, &mut findings).await?;
    let stored = store::balances(tx).await?;
    let segments = segments(tx, &heads, &starts, at_once).await?;
    let mut schools = Schools::default();
    for head in &heads {
        let known = Known {
            keyed_from: head.keyed_from,
            closings: closings
                .get(&head.school_id)
                .map_or_else(Vec::new, |events| {
                    events.iter().map(period::Event::as_closing).collect()
                }),
        };
        schools.add(head.school_id.to_string(), known);
    }
    let facts = Arc::new(Facts {
        keys: keys.cloned(),
        blind: false,
        schools,
    });
    let (tally, mut readers) = scan(readers, segments, &facts).await?;

    let mut report = Report {
        schools: heads.len() as u64,
        entries: tally.entries,
        lines: tally.lines,
        unkeyed: tally.unkeyed,
        below_checkpoints: starts.values().map(|start| start.seq.unsigned_abs()).sum(),
        findings,
        verified: Vec::new(),
        resumed: starts
            .values()
            .map(|start| (start.school_id.clone(), start.checked_at))
            .collect(),
    };
    let Some(first) = readers.first_mut() else {
        return Ok((report, readers));
    };
    let tx = first.tx();
    let (mut sums, found) = tally.into_parts();
    report.findings.extend(found);
    let mut by_school: BTreeMap<SchoolId, BTreeMap<String, (i128, i128)>> = BTreeMap::new();
    for (school, account, debit, credit) in stored {
        by_school
            .entry(school)
            .or_default()
            .insert(account, (i128::from(debit), i128::from(credit)));
    }
    for head in &heads {
        let before = report.findings.len();
        let start = starts.get(&head.school_id);
        let mut sum = sums.remove(head.school_id.as_str()).unwrap_or_default();
        check_head(
            head,
            keys,
            closings.get(&head.school_id),
            &mut report.findings,
        );
        let from = start.map_or(0, |start| start.seq);
        let from_digest = start.map_or_else(
            || Some(chain::genesis(&head.school_id)),
            |start| chain::read_digest(&start.digest),
        );
        let end_digest = chain::read_digest(&head.last_digest);
        let adds_up = from_digest
            .zip(end_digest)
            .is_some_and(|(from_digest, end)| {
                sum.is_chain(from, &from_digest, head.last_seq, &end)
            });
        if !adds_up {
            walk::walk(tx, head, from, from_digest, &mut report.findings).await?;
        }
        for (account, debit, credit) in start.map_or(&[] as &[_], |start| &start.balances) {
            sum.add(account, i128::from(*debit), i128::from(*credit));
        }
        let claimed = by_school.remove(&head.school_id).unwrap_or_default();
        let derived: BTreeMap<&str, (i128, i128)> = sum.balances().collect();
        for (account, found) in &derived {
            if claimed.get(*account) != Some(found) {
                report
                    .findings
                    .push(balance_differs(&head.school_id, account));
            }
        }
        for account in claimed.keys() {
            if !derived.contains_key(account.as_str()) {
                report
                    .findings
                    .push(balance_differs(&head.school_id, account));
            }
        }
        if report.findings.len() == before {
            report.verified.push(Verified {
                school_id: head.school_id.clone(),
                seq: head.last_seq,
                digest: head.last_digest.clone(),
                balances: derived
                    .into_iter()
                    .filter_map(|(account, (debit, credit))| {
                        Some((
                            account.to_owned(),
                            debit.try_into().ok()?,
                            credit.try_into().ok()?,
                        ))
                    })
                    .collect(),
            });
        }
    }
    // Entries found wrong one by one are known before the chains are summed up.
    let wrong: std::collections::BTreeSet<_> = report
        .findings
        .iter()
        .map(|finding| finding.school_id.clone())
        .collect();
    report
        .verified
        .retain(|chain| !wrong.contains(&chain.school_id));
    for school in sums.into_keys() {
        report.findings.push(Finding {
            school_id: SchoolId::new(school),
            seq: None,
            code: "head_missing",
            detail: "có bút toán nhưng không có đầu chuỗi".into(),
        });
    }
    Ok((report, readers))
}

/// Reads the journal as [`verify`] does and looks at nothing: what the checker is compared with.
/// Answers how many entries there were.
///
/// # Errors
/// As [`verify`].
pub async fn read_through(mut readers: Vec<Reader>) -> Result<u64, StoreError> {
    let at_once = readers.len();
    let Some(first) = readers.first_mut() else {
        return Ok(0);
    };
    let heads = store::heads(first.tx()).await?;
    let segments = segments(first.tx(), &heads, &HashMap::new(), at_once).await?;
    let facts = Arc::new(Facts {
        keys: None,
        schools: Schools::default(),
        blind: true,
    });
    Ok(scan(readers, segments, &facts).await?.0.entries)
}

/// Stores how far chains were verified, so that the next incremental check goes on from there.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn keep(
    db: &Db,
    keys: &ChainKeys,
    verified: &[Verified],
    now: Instant,
) -> Result<(), StoreError> {
    let key = keys.first();
    let checkpoints: Vec<_> = verified
        .iter()
        .filter(|chain| chain.seq > 0)
        .map(|chain| store::Checkpoint::of(chain, &key, now))
        .collect();
    store::put_checkpoints(db, checkpoints).await
}

/// Reads all segments with all readers.
async fn scan(
    readers: Vec<Reader>,
    segments: VecDeque<Segment>,
    facts: &Arc<Facts>,
) -> Result<(Tally, Vec<Reader>), StoreError> {
    let waiting = Arc::new(Mutex::new(segments));
    let mut running = tokio::task::JoinSet::new();
    for mut reader in readers {
        let waiting = waiting.clone();
        let mut tally = Tally::new(facts.clone());
        running.spawn(async move {
            loop {
                let next = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_front();
                let Some(segment) = next else {
                    return Ok::<_, StoreError>((reader, tally));
                };
                tally = store::read(&mut reader, &segment, tally).await?;
            }
        });
    }
    let mut all = Tally::new(facts.clone());
    let mut readers = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (reader, tally) = ended.map_err(|_| StoreError::Sql(sqlx::Error::WorkerCrashed))??;
        readers.push(reader);
        all.merge(tally);
    }
    Ok((all, readers))
}

/// Where each chain is taken up: at its checkpoint, when there is one to be believed.
async fn starts(
    tx: &mut Tx,
    heads: &[Head],
    keys: Option<&ChainKeys>,
    extent: Extent,
    findings: &mut Vec<Finding>,
) -> Result<HashMap<SchoolId, store::Checkpoint>, StoreError> {
    let mut starts = HashMap::new();
    let (Some(keys), Extent::Incremental) = (keys, extent) else {
        return Ok(starts);
    };
    let ends: HashMap<&SchoolId, i64> = heads
        .iter()
        .map(|head| (&head.school_id, head.last_seq))
        .collect();
    for checkpoint in store::checkpoints(tx).await? {
        let school_id = checkpoint.school_id.clone();
        let genuine = keys
            .get(&checkpoint.key_id)
            .is_some_and(|key| checkpoint.is_sealed_by(&key));
        if !genuine {
            findings.push(Finding {
                school_id,
                seq: None,
                code: "checkpoint_forged",
                detail: "mốc kiểm tra không phải do hocphi ghi".into(),
            });
            continue;
        }
        let end = ends.get(&school_id).copied().unwrap_or(0);
        if checkpoint.seq > end {
            findings.push(Finding {
                school_id,
                seq: None,
                code: "head_behind_checkpoint",
                detail: format!(
                    "đã kiểm tra đến bút toán {}, nay chuỗi chỉ đến {end}",
                    checkpoint.seq
                ),
            });
            continue;
        }
        starts.insert(school_id, checkpoint);
    }
    Ok(starts)
}

async fn segments(
    tx: &mut Tx,
    heads: &[Head],
    starts: &HashMap<SchoolId, store::Checkpoint>,
    readers: usize,
) -> Result<VecDeque<Segment>, StoreError> {
    let pieces = readers.max(1) * SEGMENTS_PER_READER;
    if !starts.is_empty() {
        return Ok(store::after_starts(heads, starts, pieces));
    }
    let extent = store::extent(tx).await?;
    Ok(store::by_place(tx.engine(), extent, pieces))
}

/// The head against its seal and against the closed periods.
fn check_head(
    head: &Head,
    keys: Option<&ChainKeys>,
    closings: Option<&Vec<period::Event>>,
    findings: &mut Vec<Finding>,
) {
    let mut find = |code, detail: String| {
        findings.push(Finding {
            school_id: head.school_id.clone(),
            seq: None,
            code,
            detail,
        });
    };
    if let (Some(keys), Some(key_id)) = (keys, &head.key_id) {
        match keys.get(key_id) {
            None => find("key_unknown", format!("đầu chuỗi dùng khóa {key_id}")),
            Some(key) if !head.is_sealed_by(&key) => {
                find("head_forged", "đầu chuỗi không phải do hocphi ghi".into());
            }
            Some(_) => {}
        }
    }
    if head.key_id.is_none() && (head.seal.is_some() || head.keyed_from != 0) {
        find("head_forged", "đầu chuỗi không phải do hocphi ghi".into());
    }
    let events = closings.map_or(&[] as &[_], Vec::as_slice);
    let last = events.last().and_then(|event| event.closed_through);
    if last != head.closed_through {
        let shown = |day: Option<Day>| day.map_or("không".to_owned(), Day::shown);
        find(
            "period_differs",
            format!(
                "đầu chuỗi ghi khóa sổ đến {}, lịch sử khóa sổ ghi {}",
                shown(head.closed_through),
                shown(last)
            ),
        );
    }
    for (place, event) in events.iter().enumerate() {
        let is_next = i64::try_from(place + 1) == Ok(event.event_no);
        let genuine = keys.is_none_or(|keys| event.is_genuine(keys));
        if !is_next || !genuine {
            find(
                "period_forged",
                format!("lần khóa sổ {} không phải do hocphi ghi", event.event_no),
            );
        }
    }
}

fn balance_differs(school_id: &SchoolId, account: &str) -> Finding {
    Finding {
        school_id: school_id.clone(),
        seq: None,
        code: "balance_differs",
        detail: format!("số dư tài khoản {account} không khớp nhật ký"),
    }
}

/// The triggers that refuse changes must be there and on.
async fn guards(tx: &mut Tx, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let missing = store::missing_guards(tx).await?;
    findings.extend(missing.into_iter().map(|guard| Finding {
        school_id: SchoolId::new("*"),
        seq: None,
        code: "guard_missing",
        detail: format!("cơ sở dữ liệu thiếu chốt {guard}"),
    }));
    Ok(())
}
