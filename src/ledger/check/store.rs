//! Every statement of the checker.

use std::collections::{HashMap, VecDeque};

use super::super::chain::{self, ChainKey};
use super::super::head::Head;
use super::super::store::HeadRow;
use super::Verified;
use super::tally::Tally;
use crate::clock::Instant;
use crate::ids::SchoolId;
use crate::store::{Db, Engine, Reader, StoreError, Tx, rows};

/// A piece of the journal: what to read, and the value that bounds it.
#[derive(Debug)]
pub struct Segment {
    range: Range,
    bounds: String,
}

#[derive(Clone, Copy, Debug)]
enum Range {
    /// The table from place to place. SQLite: rows in the order of writing, JSON `[from, to]`, `to`
    /// excluded. PostgreSQL: blocks of its file, `(block,0) (block,0)`.
    Places,
    /// Parts of chains, JSON `[[school, after, up to], …]`.
    Chains,
}

/// Pieces of the table, as it lies; `end` is that of [`extent`].
pub fn by_place(engine: Engine, end: i64, pieces: usize) -> VecDeque<Segment> {
    let least = match engine {
        Engine::Sqlite => 1_000,
        Engine::Postgres => 64,
    };
    let size = (end / i64::try_from(pieces).unwrap_or(1)).max(least);
    let mut found = VecDeque::new();
    let mut from = 0;
    while from < end.max(1) {
        let to = from + size;
        let is_last = to >= end;
        found.push_back(Segment {
            range: Range::Places,
            bounds: match engine {
                Engine::Sqlite => format!("[{from},{}]", if is_last { i64::MAX } else { to }),
                // The table may have grown since it was measured.
                Engine::Postgres => {
                    format!(
                        "({from},0) ({},0)",
                        if is_last { i64::from(u32::MAX) } else { to }
                    )
                }
            },
        });
        from = to;
    }
    found
}

/// What follows the checkpoints.
pub fn after_starts(
    heads: &[Head],
    starts: &HashMap<SchoolId, Checkpoint>,
    pieces: usize,
) -> VecDeque<Segment> {
    let from = |head: &Head| starts.get(&head.school_id).map_or(0, |start| start.seq);
    let total: i64 = heads.iter().map(|head| head.last_seq - from(head)).sum();
    let size = (total / i64::try_from(pieces).unwrap_or(1)).max(1_000);
    let mut found = VecDeque::new();
    let mut piece: Vec<(&SchoolId, i64, i64)> = Vec::new();
    let mut room = size;
    for head in heads {
        let mut at = from(head);
        while head.last_seq - at > room {
            piece.push((&head.school_id, at, at + room));
            at += room;
            room = size;
            found.push_back(chains(&mut piece));
        }
        room -= head.last_seq - at;
        // To the end of the chain, wherever the head says it is.
        piece.push((&head.school_id, at, i64::MAX));
    }
    found.push_back(chains(&mut piece));
    found
}

fn chains(piece: &mut Vec<(&SchoolId, i64, i64)>) -> Segment {
    Segment {
        range: Range::Chains,
        bounds: serde_json::json!(std::mem::take(piece)).to_string(),
    }
}

/// How far the journal goes: rows (SQLite) or blocks (PostgreSQL).
pub async fn extent(tx: &mut Tx) -> Result<i64, StoreError> {
    let (extent,): (i64,) = tx
        .sql_by_engine(
            "SELECT COALESCE(MAX(rowid), 0) FROM journal_entry",
            "SELECT pg_relation_size('journal_entry') / current_setting('block_size')::BIGINT",
        )
        .one()
        .await?;
    Ok(extent)
}

/// Reads a piece into a tally. The order of entries is the one the engine reads fastest.
pub async fn read(
    reader: &mut Reader,
    segment: &Segment,
    tally: Tally,
) -> Result<Tally, StoreError> {
    let take = |tally: &mut Tally, row: &crate::store::BulkRow<'_>| tally.take(row);
    match segment.range {
        Range::Places => {
            reader
                .bulk(
                    "SELECT school_id, seq, kind, source_id, booked_day, event_day, posted_at,
                            reverses, amount, lines, seal
                       FROM journal_entry
                      WHERE rowid >= $1 ->> 0 AND rowid < $1 ->> 1",
                    "SELECT school_id, seq, kind, source_id, booked_day, event_day, posted_at,
                            reverses, amount, lines, seal
                       FROM journal_entry
                      WHERE ctid >= split_part(current_setting('hocphi.bulk'), ' ', 1)::TID
                        AND ctid < split_part(current_setting('hocphi.bulk'), ' ', 2)::TID",
                    &segment.bounds,
                    tally,
                    take,
                )
                .await
        }
        Range::Chains => {
            reader
                .bulk(
                    "SELECT e.school_id, e.seq, e.kind, e.source_id, e.booked_day, e.event_day,
                            e.posted_at, e.reverses, e.amount, e.lines, e.seal
                       FROM json_each($1) r
                      CROSS JOIN journal_entry e
                      WHERE e.school_id = r.value ->> 0 AND e.seq > r.value ->> 1
                        AND e.seq <= r.value ->> 2",
                    "SELECT e.*
                       FROM jsonb_array_elements(current_setting('hocphi.bulk')::JSONB) AS r (part)
                      CROSS JOIN LATERAL (
                            SELECT j.school_id, j.seq, j.kind, j.source_id, j.booked_day, j.event_day,
                                   j.posted_at, j.reverses, j.amount, j.lines, j.seal
                              FROM journal_entry j
                             WHERE j.school_id = (part ->> 0) COLLATE \"C\"
                               AND j.seq > (part ->> 1)::BIGINT AND j.seq <= (part ->> 2)::BIGINT
                            OFFSET 0) AS e",
                    &segment.bounds,
                    tally,
                    take,
                )
                .await
        }
    }
}

/// All heads, in school order.
pub async fn heads(tx: &mut Tx) -> Result<Vec<Head>, StoreError> {
    let found: Vec<HeadRow> = tx
        .sql(
            "SELECT school_id, last_seq, last_digest, key_id, keyed_from, closed_through, seal
               FROM ledger_head ORDER BY school_id",
        )
        .all()
        .await?;
    Ok(found.into_iter().map(Head::from).collect())
}

/// School, account, debit and credit of all stored balances.
pub async fn balances(tx: &mut Tx) -> Result<Vec<(SchoolId, String, i64, i64)>, StoreError> {
    tx.sql("SELECT school_id, account, debit, credit FROM account_balance")
        .all()
        .await
}

/// Schools that have balances but no head: only tampering makes them.
pub async fn headless(tx: &mut Tx) -> Result<Vec<SchoolId>, StoreError> {
    let found: Vec<(SchoolId,)> = tx
        .sql(
            "SELECT DISTINCT school_id FROM account_balance
              WHERE school_id NOT IN (SELECT school_id FROM ledger_head)
              ORDER BY school_id",
        )
        .all()
        .await?;
    Ok(found.into_iter().map(|(school,)| school).collect())
}

/// The next entries of a chain with their seals, in order.
pub async fn seals_after(
    tx: &mut Tx,
    school: &SchoolId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, String)>, StoreError> {
    tx.sql(
        "SELECT seq, seal FROM journal_entry
          WHERE school_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    )
    .bind(school.clone())
    .bind(after)
    .bind(limit)
    .all()
    .await
}

/// Triggers that keep the journal append-only and are not there or switched off.
pub async fn missing_guards(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let found: Vec<(String,)> = tx
        .sql_by_engine(
            "SELECT g.value FROM json_each('[\"journal_entry_no_update\", \"journal_entry_no_delete\",
                    \"journal_entry_no_replace\", \"ledger_period_no_update\",
                    \"ledger_period_no_delete\", \"ledger_period_no_replace\"]') g
              WHERE g.value NOT IN (SELECT name FROM sqlite_schema WHERE type = 'trigger')",
            "SELECT g.name FROM (VALUES ('journal_entry', 'journal_entry_no_change'),
                    ('journal_entry', 'journal_entry_no_truncate'),
                    ('ledger_period', 'ledger_period_no_change'),
                    ('ledger_period', 'ledger_period_no_truncate')) AS g (of_table, name)
              WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t
                                 WHERE t.tgrelid = to_regclass(g.of_table) AND t.tgname = g.name
                                   AND t.tgenabled = 'A')",
        )
        .all()
        .await?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}

/// How far a chain was verified.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub school_id: SchoolId,
    pub seq: i64,
    pub digest: String,
    /// Account, debit, credit.
    pub balances: Vec<(String, i64, i64)>,
    pub key_id: String,
    stored_balances: String,
    pub checked_at: Instant,
    seal: String,
}

impl Checkpoint {
    pub fn of(chain: &Verified, key: &ChainKey, now: Instant) -> Self {
        let mut checkpoint = Self {
            school_id: chain.school_id.clone(),
            seq: chain.seq,
            digest: chain.digest.clone(),
            balances: chain.balances.clone(),
            key_id: key.id().to_owned(),
            stored_balances: serde_json::json!(chain.balances).to_string(),
            checked_at: now,
            seal: String::new(),
        };
        checkpoint.seal = checkpoint.seal_with(key);
        checkpoint
    }

    pub fn is_sealed_by(&self, key: &ChainKey) -> bool {
        self.seal == self.seal_with(key)
    }

    fn seal_with(&self, key: &ChainKey) -> String {
        chain::record_seal(
            key,
            "checkpoint/1",
            &[
                self.school_id.as_str(),
                &self.seq.to_string(),
                &self.digest,
                &self.stored_balances,
                &self.checked_at.micros().to_string(),
            ],
        )
    }
}

/// All stored checkpoints, whether to be believed or not.
pub async fn checkpoints(tx: &mut Tx) -> Result<Vec<Checkpoint>, StoreError> {
    let found: Vec<(SchoolId, i64, String, String, String, Instant, String)> = tx
        .sql(
            "SELECT school_id, seq, digest, balances, key_id, checked_at, seal
               FROM ledger_checkpoint",
        )
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(
            |(school_id, seq, digest, stored_balances, key_id, checked_at, seal)| Checkpoint {
                school_id,
                seq,
                digest,
                // What does not read is not sealed by us either.
                balances: serde_json::from_str(&stored_balances).unwrap_or_default(),
                key_id,
                stored_balances,
                checked_at,
                seal,
            },
        )
        .collect())
}

/// Stores checkpoints. An older one does not replace a newer one.
pub async fn put_checkpoints(db: &Db, checkpoints: Vec<Checkpoint>) -> Result<(), StoreError> {
    let batch = rows(checkpoints.iter().map(|checkpoint| {
        (
            &checkpoint.school_id,
            checkpoint.seq,
            &checkpoint.digest,
            &checkpoint.stored_balances,
            &checkpoint.key_id,
            checkpoint.checked_at,
            &checkpoint.seal,
        )
    }));
    db.write("ledger.checkpoint", async move |tx: &mut Tx| {
        tx.sql(
            "INSERT INTO ledger_checkpoint
                    (school_id, seq, digest, balances, key_id, checked_at, seal)
             SELECT school_id, seq, digest, balances, key_id, checked_at, seal
               FROM ROWS($1: school_id TEXT, seq BIGINT, digest TEXT, balances TEXT, key_id TEXT,
                         checked_at INSTANT, seal TEXT) AS r
              WHERE TRUE
             ON CONFLICT (school_id) DO UPDATE
                SET seq = excluded.seq, digest = excluded.digest, balances = excluded.balances,
                    key_id = excluded.key_id, checked_at = excluded.checked_at,
                    seal = excluded.seal
              WHERE ledger_checkpoint.seq <= excluded.seq",
        )
        .bind(batch.clone())
        .run()
        .await?;
        Ok(())
    })
    .await
}
