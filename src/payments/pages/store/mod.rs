//! What an accountant's pages read, always of one school.

mod receipts;
mod suspense;

use crate::clock::{Day, Instant};
use crate::ids::{BillId, RoundId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError};

pub use receipts::*;
pub use suspense::*;

/// Rows of one page of a list; one more is read to know whether there is a next page.
pub const PAGE_ROWS: i64 = 50;

/// A count and a sum under a name.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Tally {
    pub name: String,
    pub count: i64,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
}

/// Money of one day by channel.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn collected(db: &Db, school: &SchoolId, day: Day) -> Result<Vec<Tally>, StoreError> {
    db.sql(
        "SELECT channel AS name, COUNT(*) AS count, CAST(SUM(amount) AS BIGINT) AS amount
           FROM payment
          WHERE school_id = $1 AND paid_day = $2
          GROUP BY channel
          ORDER BY channel",
    )
    .bind(school.clone())
    .bind(day)
    .all()
    .await
}

/// Bills by state, with what is still owed on them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bills_by_state(db: &Db, school: &SchoolId) -> Result<Vec<Tally>, StoreError> {
    db.sql(
        "SELECT state AS name, COUNT(*) AS count,
                CAST(SUM(amount_due - amount_paid) AS BIGINT) AS amount
           FROM fee_bill
          WHERE school_id = $1
          GROUP BY state
          ORDER BY state",
    )
    .bind(school.clone())
    .all()
    .await
}

/// Invoices by state, with their totals.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn invoices_by_state(db: &Db, school: &SchoolId) -> Result<Vec<Tally>, StoreError> {
    db.sql(
        "SELECT state AS name, COUNT(*) AS count, CAST(SUM(total) AS BIGINT) AS amount
           FROM invoice
          WHERE school_id = $1
          GROUP BY state
          ORDER BY state",
    )
    .bind(school.clone())
    .all()
    .await
}

/// Money whose owner is not known yet.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn open_suspense(db: &Db, school: &SchoolId) -> Result<Tally, StoreError> {
    db.sql(
        "SELECT 'OPEN' AS name, COUNT(*) AS count,
                CAST(COALESCE(SUM(p.to_suspense + p.suspense_later), 0) AS BIGINT) AS amount
           FROM suspense_item s
           JOIN payment p ON p.school_id = s.school_id AND p.payment_id = s.payment_id
          WHERE s.school_id = $1 AND s.state = 'OPEN'",
    )
    .bind(school.clone())
    .one()
    .await
}

/// One bill in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BillRow {
    pub bill_id: BillId,
    pub bill_code: String,
    pub pupil_name: String,
    pub class_name: String,
    pub title: String,
    pub state: String,
    pub due_day: Day,
    #[sqlx(try_from = "i64")]
    pub amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_paid: Vnd,
}

/// Bills by class and name; empty texts narrow nothing. One row more than a page shows.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bills(
    db: &Db,
    school: &SchoolId,
    (name, code, state): (&str, &str, &str),
    page: i64,
) -> Result<Vec<BillRow>, StoreError> {
    db.sql(
        "SELECT b.bill_id, b.bill_code, b.pupil_name, b.class_name, b.title, b.state, b.due_day,
                b.amount_due, b.amount_paid
           FROM fee_bill b
           JOIN pupil u ON u.school_id = b.school_id AND u.pupil_id = b.pupil_id
          WHERE b.school_id = $1
            AND ($2 = '' OR u.search_name LIKE '%' || $2 || '%')
            AND ($3 = '' OR b.bill_code = $3)
            AND ($4 = '' OR b.state = $4)
          ORDER BY b.class_name, u.search_name, b.bill_id
          LIMIT $5 OFFSET $6",
    )
    .bind(school.clone())
    .bind(name.to_owned())
    .bind(code.to_owned())
    .bind(state.to_owned())
    .bind(PAGE_ROWS + 1)
    .bind(page * PAGE_ROWS)
    .all()
    .await
}

/// One billing round.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RoundRow {
    pub round_id: RoundId,
    pub name: String,
    pub school_year: String,
    pub charge_day: Day,
    pub due_day: Day,
    pub state: String,
    pub published_at: Option<Instant>,
    pub bill_count: i64,
    #[sqlx(try_from = "i64")]
    pub total_due: Vnd,
}

/// Newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rounds(db: &Db, school: &SchoolId) -> Result<Vec<RoundRow>, StoreError> {
    db.sql(
        "SELECT round_id, name, school_year, charge_day, due_day, state, published_at, bill_count,
                total_due
           FROM billing_round
          WHERE school_id = $1
          ORDER BY charge_day DESC, round_id DESC",
    )
    .bind(school.clone())
    .all()
    .await
}

/// The name of a person who may act for the school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn person(db: &Db, user: &str) -> Result<Option<String>, StoreError> {
    let found: Option<(String,)> = db
        .sql("SELECT display_name FROM user_account WHERE user_id = $1")
        .bind(user.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(name,)| name))
}
