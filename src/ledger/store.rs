//! Every SQL statement of the journal.

use std::collections::BTreeMap;

use super::rules::{EntryText, Head, Posting, Side};
use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx, rows};

/// Locks the chains of these schools until the end of the transaction, creating those that do not
/// exist yet. Holding the head of a school's chain serialises everything that posts for it.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn lock_heads(
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

async fn read_heads(
    tx: &mut Tx,
    schools: &[SchoolId],
) -> Result<BTreeMap<SchoolId, Head>, StoreError> {
    let found: Vec<(SchoolId, i64, String)> = tx
        .sql_by_engine(
            "SELECT school_id, last_seq, last_digest FROM ledger_head
              WHERE school_id IN (SELECT id FROM ROWS($1: id TEXT) AS r)",
            "SELECT school_id, last_seq, last_digest FROM ledger_head
              WHERE school_id IN (SELECT id FROM ROWS($1: id TEXT) AS r)
              ORDER BY school_id FOR UPDATE",
        )
        .bind(rows(schools.iter().map(|school| (school,))))
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(|(school_id, last_seq, last_digest)| {
            (
                school_id.clone(),
                Head {
                    school_id,
                    last_seq,
                    last_digest,
                },
            )
        })
        .collect())
}

/// Appends postings to the chains whose heads were locked in this transaction, and moves the
/// heads and balances with them.
///
/// # Errors
/// [`StoreError`] of the engine; a contradiction when a head was not locked.
pub async fn append(
    tx: &mut Tx,
    heads: &mut BTreeMap<SchoolId, Head>,
    postings: &[Posting],
) -> Result<(), StoreError> {
    if postings.is_empty() {
        return Ok(());
    }
    let mut entries = Vec::with_capacity(postings.len());
    let mut entry_lines = Vec::with_capacity(postings.len() * 3);
    let mut moved: BTreeMap<(&SchoolId, &str), (i64, i64)> = BTreeMap::new();
    for posting in postings {
        let head = heads.get_mut(&posting.school_id).ok_or_else(|| {
            StoreError::Contradiction(format!(
                "ledger head of {} is not locked",
                posting.school_id
            ))
        })?;
        let lines: Vec<(String, i64, i64, Option<String>)> = posting
            .lines()
            .iter()
            .map(|line| {
                let amount = line.amount.get();
                let (debit, credit) = match line.side {
                    Side::Debit => (amount, 0),
                    Side::Credit => (0, amount),
                };
                (line.account.clone(), debit, credit, line.object.clone())
            })
            .collect();
        let digest = head.digest_of_next(&EntryText {
            kind: posting.kind.as_str(),
            source_id: &posting.source_id,
            booked_day: posting.booked_day,
            posted_at: posting.posted_at,
            reverses: posting.reverses(),
            lines: &lines,
        });
        let seq = head.last_seq + 1;
        let previous = std::mem::replace(&mut head.last_digest, digest.clone());
        head.last_seq = seq;
        entries.push((
            &posting.school_id,
            seq,
            posting.kind,
            &posting.source_id,
            posting.booked_day,
            posting.posted_at,
            posting.reverses(),
            previous,
            digest,
        ));
        for (place, (account, debit, credit, object)) in lines.into_iter().enumerate() {
            entry_lines.push((
                &posting.school_id,
                seq,
                place + 1,
                account,
                debit,
                credit,
                object,
            ));
        }
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
                (school_id, seq, kind, source_id, booked_day, posted_at, reverses, prev_digest,
                 digest)
         SELECT school_id, seq, kind, source_id, booked_day, posted_at, reverses, prev_digest,
                digest
           FROM ROWS($1: school_id TEXT, seq BIGINT, kind TEXT, source_id TEXT, booked_day DAY,
                     posted_at INSTANT, reverses BIGINT, prev_digest TEXT, digest TEXT) AS r",
    )
    .bind(rows(entries))
    .run()
    .await?;
    tx.sql(
        "INSERT INTO journal_line (school_id, seq, line_no, account, debit, credit, object)
         SELECT school_id, seq, line_no, account, debit, credit, object
           FROM ROWS($1: school_id TEXT, seq BIGINT, line_no BIGINT, account TEXT, debit BIGINT,
                     credit BIGINT, object TEXT) AS r",
    )
    .bind(rows(entry_lines))
    .run()
    .await?;
    let touched: std::collections::BTreeSet<_> =
        postings.iter().map(|posting| &posting.school_id).collect();
    tx.sql(
        "UPDATE ledger_head SET last_seq = r.seq, last_digest = r.digest
           FROM ROWS($1: school_id TEXT, seq BIGINT, digest TEXT) AS r
          WHERE ledger_head.school_id = r.school_id",
    )
    .bind(rows(touched.into_iter().filter_map(|school| {
        heads
            .get(school)
            .map(|head| (&head.school_id, head.last_seq, &head.last_digest))
    })))
    .run()
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

/// All heads, in school order.
pub(super) async fn heads(db: &Db) -> Result<Vec<Head>, StoreError> {
    let found: Vec<(SchoolId, i64, String)> = db
        .sql("SELECT school_id, last_seq, last_digest FROM ledger_head ORDER BY school_id")
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(|(school_id, last_seq, last_digest)| Head {
            school_id,
            last_seq,
            last_digest,
        })
        .collect())
}

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    pub seq: i64,
    pub kind: String,
    pub source_id: String,
    pub booked_day: Day,
    pub posted_at: Instant,
    pub reverses: Option<i64>,
    pub prev_digest: String,
    pub digest: String,
}

/// The next entries of a school after `after`, in order.
pub(super) async fn entries_after(
    db: &Db,
    school: &SchoolId,
    after: i64,
    limit: i64,
) -> Result<Vec<EntryRow>, StoreError> {
    db.sql(
        "SELECT seq, kind, source_id, booked_day, posted_at, reverses, prev_digest, digest
           FROM journal_entry
          WHERE school_id = $1 AND seq > $2
          ORDER BY seq LIMIT $3",
    )
    .bind(school.clone())
    .bind(after)
    .bind(limit)
    .all()
    .await
}

#[derive(sqlx::FromRow)]
pub(super) struct LineRow {
    pub seq: i64,
    pub account: String,
    pub debit: i64,
    pub credit: i64,
    pub object: Option<String>,
}

/// The lines of the entries in `first..=last`, in order.
pub(super) async fn lines_between(
    db: &Db,
    school: &SchoolId,
    first: i64,
    last: i64,
) -> Result<Vec<LineRow>, StoreError> {
    db.sql(
        "SELECT seq, account, debit, credit, object
           FROM journal_line
          WHERE school_id = $1 AND seq >= $2 AND seq <= $3
          ORDER BY seq, line_no",
    )
    .bind(school.clone())
    .bind(first)
    .bind(last)
    .all()
    .await
}

/// Schools that have entries or balances but no head: only tampering makes them.
pub(super) async fn headless(db: &Db) -> Result<Vec<SchoolId>, StoreError> {
    let found: Vec<(SchoolId,)> = db
        .sql(
            "SELECT DISTINCT school_id FROM account_balance
              WHERE school_id NOT IN (SELECT school_id FROM ledger_head)
              ORDER BY school_id",
        )
        .all()
        .await?;
    Ok(found.into_iter().map(|(school,)| school).collect())
}
