//! What an account held at any moment, and the entries that made it so.

use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::store::{Db, StoreError};

/// A moment of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// With everything booked up to and including this day, whenever it was posted.
    Booked(Day),
    /// With everything that had been posted by then: what the books said at that moment.
    Posted(Instant),
}

/// Debit and credit totals of a school's accounts at a moment, by account number.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn balances_at(
    db: &Db,
    school: &SchoolId,
    as_of: AsOf,
) -> Result<Vec<(String, Vnd, Vnd)>, StoreError> {
    let statement = match as_of {
        AsOf::Booked(day) => db
            .sql(
                "SELECT account, CAST(SUM(debit) AS BIGINT), CAST(SUM(credit) AS BIGINT)
                   FROM journal_line WHERE school_id = $1 AND booked_day <= $2
                  GROUP BY account ORDER BY account",
            )
            .bind(school.clone())
            .bind(day),
        AsOf::Posted(moment) => db
            .sql(
                "SELECT account, CAST(SUM(debit) AS BIGINT), CAST(SUM(credit) AS BIGINT)
                   FROM journal_line WHERE school_id = $1 AND posted_at <= $2
                  GROUP BY account ORDER BY account",
            )
            .bind(school.clone())
            .bind(moment),
    };
    let found: Vec<(String, i64, i64)> = statement.all().await?;
    Ok(found
        .into_iter()
        .map(|(account, debit, credit)| (account, Vnd::new(debit), Vnd::new(credit)))
        .collect())
}

/// A line of an account with the entry it stands in and what caused that.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AccountLine {
    pub seq: i64,
    pub kind: String,
    /// What caused the entry, in the words of its kind: a payment, a movement.
    pub source_id: String,
    pub booked_day: Day,
    /// The day it happened, where that day's period was closed.
    pub event_day: Option<Day>,
    /// The entry that this one takes back.
    pub reverses: Option<i64>,
    pub account: String,
    #[sqlx(try_from = "i64")]
    pub debit: Vnd,
    #[sqlx(try_from = "i64")]
    pub credit: Vnd,
    pub object: Option<String>,
}

/// Which lines are asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub account: String,
    /// Days of booking, both included.
    pub from: Day,
    pub to: Day,
    /// Lines of entries after this one, so that long accounts are read page by page.
    pub after_seq: i64,
    pub limit: i64,
}

/// Lines of an account in the order of the journal. Over all days their sums are its balance.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn account_lines(
    db: &Db,
    school: &SchoolId,
    wanted: &Wanted,
) -> Result<Vec<AccountLine>, StoreError> {
    db.sql(
        "SELECT seq, kind, source_id, booked_day, event_day, reverses, account, debit, credit, object
           FROM journal_line
          WHERE school_id = $1 AND account = $2 AND booked_day >= $3 AND booked_day <= $4
            AND seq > $5
          ORDER BY seq, line_no LIMIT $6",
    )
    .bind(school.clone())
    .bind(wanted.account.clone())
    .bind(wanted.from)
    .bind(wanted.to)
    .bind(wanted.after_seq)
    .bind(wanted.limit)
    .all()
    .await
}

/// The lines of one entry.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn entry_lines(
    db: &Db,
    school: &SchoolId,
    seq: i64,
) -> Result<Vec<AccountLine>, StoreError> {
    db.sql(
        "SELECT seq, kind, source_id, booked_day, event_day, reverses, account, debit, credit, object
           FROM journal_line WHERE school_id = $1 AND seq = $2 ORDER BY line_no",
    )
    .bind(school.clone())
    .bind(seq)
    .all()
    .await
}
