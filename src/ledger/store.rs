//! Every SQL statement of the journal.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::chain::{self, ChainKey, ChainKeys, DigestBytes, EntryText};
use super::head::Head;
use super::lines;
use super::rules::{Posting, Side};
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx, rows};

/// Locked ends of chains, and the keys that seal what is appended to them.
#[derive(Debug)]
pub struct Heads {
    keys: ChainKeys,
    by_school: BTreeMap<SchoolId, Head>,
}

/// Locks the chains of these schools until the end of the transaction, creating those that do not
/// exist yet. Holding the head of a school's chain serialises everything that posts for it.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn lock_heads(
    tx: &mut Tx,
    keys: &ChainKeys,
    schools: &[SchoolId],
) -> Result<Heads, StoreError> {
    Ok(Heads {
        keys: keys.clone(),
        by_school: take_heads(tx, schools).await?,
    })
}

/// As [`lock_heads`], for those who post nothing but must not be posted beside.
///
/// # Errors
/// As [`lock_heads`].
pub async fn hold_heads(tx: &mut Tx, schools: &[SchoolId]) -> Result<(), StoreError> {
    take_heads(tx, schools).await.map(drop)
}

pub(super) async fn take_heads(
    tx: &mut Tx,
    schools: &[SchoolId],
) -> Result<BTreeMap<SchoolId, Head>, StoreError> {
    let mut heads = read_heads(tx, schools).await?;
    let missing: Vec<_> = schools
        .iter()
        .filter(|school| !heads.contains_key(*school))
        .map(|school| Head::genesis(school.clone()))
        .collect();
    if !missing.is_empty() {
        tx.sql(
            "INSERT INTO ledger_head (school_id, last_seq, last_digest)
             SELECT school_id, 0, digest FROM ROWS($1: school_id TEXT, digest TEXT) AS r
              WHERE TRUE
             ON CONFLICT DO NOTHING",
        )
        .bind(rows(
            missing
                .iter()
                .map(|head| (&head.school_id, &head.last_digest)),
        ))
        .run()
        .await?;
        heads = read_heads(tx, schools).await?;
    }
    Ok(heads)
}

#[derive(sqlx::FromRow)]
pub(super) struct HeadRow {
    school_id: SchoolId,
    last_seq: i64,
    last_digest: String,
    key_id: Option<String>,
    keyed_from: i64,
    closed_through: Option<Day>,
    seal: Option<String>,
}

impl From<HeadRow> for Head {
    fn from(row: HeadRow) -> Self {
        Self {
            school_id: row.school_id,
            last_seq: row.last_seq,
            last_digest: row.last_digest,
            key_id: row.key_id,
            keyed_from: row.keyed_from,
            closed_through: row.closed_through,
            seal: row.seal,
        }
    }
}

async fn read_heads(
    tx: &mut Tx,
    schools: &[SchoolId],
) -> Result<BTreeMap<SchoolId, Head>, StoreError> {
    let found: Vec<HeadRow> = tx
        .sql_by_engine(
            "SELECT school_id, last_seq, last_digest, key_id, keyed_from, closed_through, seal
               FROM ledger_head
              WHERE school_id IN (SELECT id FROM ROWS($1: id TEXT) AS r)",
            "SELECT school_id, last_seq, last_digest, key_id, keyed_from, closed_through, seal
               FROM ledger_head
              WHERE school_id IN (SELECT id FROM ROWS($1: id TEXT) AS r)
              ORDER BY school_id FOR UPDATE",
        )
        .bind(rows(schools.iter().map(|school| (school,))))
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(|row| (row.school_id.clone(), row.into()))
        .collect())
}

/// Appends postings to the chains whose heads were locked in this transaction, and moves the
/// heads and balances with them. What would be booked in a closed period is booked on the first
/// open day and keeps its true day.
///
/// # Errors
/// [`StoreError`] of the engine; a contradiction when a head was not locked, was forged, or is
/// sealed with a key that is not of this node's master key.
pub async fn append(
    tx: &mut Tx,
    heads: &mut Heads,
    postings: &[Posting],
) -> Result<(), StoreError> {
    if postings.is_empty() {
        return Ok(());
    }
    let Heads { keys, by_school } = heads;
    let mut ends: BTreeMap<&SchoolId, End> = BTreeMap::new();
    let mut entries = Vec::with_capacity(postings.len());
    let mut moved: BTreeMap<(&SchoolId, &str), (i64, i64)> = BTreeMap::new();
    let mut room = Vec::new();
    for posting in postings {
        let head = by_school.get(&posting.school_id).ok_or_else(|| {
            StoreError::Contradiction(format!(
                "ledger head of {} is not locked",
                posting.school_id
            ))
        })?;
        let end = match ends.entry(&posting.school_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(End::open(head, keys)?),
        };
        let (booked_day, event_day) = head.booking(posting.booked_day);
        let lines = lines::write(posting.lines());
        let amount = posting.amount();
        end.last_seq += 1;
        let text = EntryText {
            school: posting.school_id.as_str(),
            seq: end.last_seq,
            kind: posting.kind.as_str(),
            source_id: &posting.source_id,
            booked_day: booked_day.unix_days(),
            event_day: event_day.map(Day::unix_days),
            posted_at: posting.posted_at.micros(),
            reverses: posting.reverses(),
            amount: amount.get(),
            lines: &lines,
        };
        let digest = chain::keyed_digest(&end.key, &end.digest, &text, &mut room);
        let seal = chain::write_seal(&end.key, &end.digest, &digest);
        end.digest = digest;
        entries.push((
            &posting.school_id,
            end.last_seq,
            posting.kind,
            &posting.source_id,
            booked_day,
            event_day,
            posting.posted_at,
            posting.reverses(),
            amount,
            lines,
            seal,
        ));
        for line in posting.lines() {
            let balance = moved
                .entry((&posting.school_id, line.account.as_str()))
                .or_default();
            match line.side {
                Side::Debit => balance.0 += line.amount.get(),
                Side::Credit => balance.1 += line.amount.get(),
            }
        }
    }
    tx.sql(
        "INSERT INTO journal_entry
                (school_id, seq, kind, source_id, booked_day, event_day, posted_at, reverses,
                 amount, lines, seal)
         SELECT school_id, seq, kind, source_id, booked_day, event_day, posted_at, reverses,
                amount, lines, seal
           FROM ROWS($1: school_id TEXT, seq BIGINT, kind TEXT, source_id TEXT, booked_day DAY,
                     event_day DAY, posted_at INSTANT, reverses BIGINT, amount BIGINT, lines TEXT,
                     seal TEXT) AS r",
    )
    .bind(rows(entries))
    .run()
    .await?;
    for (school, end) in ends {
        if let Some(head) = by_school.get_mut(school) {
            head.advance(&end.key, end.last_seq, &end.digest);
        }
    }
    let touched: BTreeSet<_> = postings.iter().map(|posting| &posting.school_id).collect();
    put_heads(
        tx,
        touched
            .into_iter()
            .filter_map(|school| by_school.get(school)),
    )
    .await?;
    tx.sql(
        "INSERT INTO account_balance (school_id, account, debit, credit)
         SELECT school_id, account, debit, credit
           FROM ROWS($1: school_id TEXT, account TEXT, debit BIGINT, credit BIGINT) AS r
          WHERE TRUE
         ON CONFLICT (school_id, account) DO UPDATE
            SET debit = account_balance.debit + excluded.debit,
                credit = account_balance.credit + excluded.credit",
    )
    .bind(rows(moved.into_iter().map(
        |((school, account), (debit, credit))| (school, account, debit, credit),
    )))
    .run()
    .await?;
    Ok(())
}

/// Where a chain stands while a batch is appended.
struct End {
    key: Arc<ChainKey>,
    last_seq: i64,
    digest: DigestBytes,
}

impl End {
    fn open(head: &Head, keys: &ChainKeys) -> Result<Self, StoreError> {
        let (key, digest) = head
            .open(keys)
            .map_err(|error| StoreError::Contradiction(error.to_string()))?;
        Ok(Self {
            key,
            last_seq: head.last_seq,
            digest,
        })
    }
}

/// Writes heads that are locked.
pub(super) async fn put_heads<'h>(
    tx: &mut Tx,
    heads: impl IntoIterator<Item = &'h Head>,
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE ledger_head
            SET last_seq = r.seq, last_digest = r.digest, key_id = r.key_id,
                keyed_from = r.keyed_from, closed_through = r.closed_through, seal = r.seal
           FROM ROWS($1: school_id TEXT, seq BIGINT, digest TEXT, key_id TEXT, keyed_from BIGINT,
                     closed_through DAY, seal TEXT) AS r
          WHERE ledger_head.school_id = r.school_id",
    )
    .bind(rows(heads.into_iter().map(|head| {
        (
            &head.school_id,
            head.last_seq,
            &head.last_digest,
            &head.key_id,
            head.keyed_from,
            head.closed_through,
            &head.seal,
        )
    })))
    .run()
    .await?;
    Ok(())
}

/// Debit and credit totals of a school's accounts, by account number.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn balances(db: &Db, school: &SchoolId) -> Result<Vec<(String, Vnd, Vnd)>, StoreError> {
    let found: Vec<(String, i64, i64)> = db
        .sql(
            "SELECT account, debit, credit FROM account_balance
              WHERE school_id = $1 ORDER BY account",
        )
        .bind(school.clone())
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(|(account, debit, credit)| (account, Vnd::new(debit), Vnd::new(credit)))
        .collect())
}

/// Schools whose chain has a key.
pub(super) async fn keyed_schools(db: &Db) -> Result<Vec<SchoolId>, StoreError> {
    let found: Vec<(SchoolId,)> = db
        .sql("SELECT school_id FROM ledger_head WHERE key_id IS NOT NULL ORDER BY school_id")
        .all()
        .await?;
    Ok(found.into_iter().map(|(school,)| school).collect())
}
