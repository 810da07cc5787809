//! What the simulation reads of the books, and what its broken variants write into them.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{SimulateError, trouble};
use crate::clock::{Day, Instant};
use crate::ids::{BillId, InvoiceId, PaymentId, ReviewId, SchoolId};
use crate::invoices::InvoiceState;
use crate::store::{Db, StoreError, Tx};

pub(super) type BillRow = (SchoolId, BillId, String, String, i64);

/// Bills with something to pay, in an order that does not depend on drawn identifiers.
pub(super) async fn open_bills(db: &Db) -> Result<Vec<BillRow>, StoreError> {
    db.sql(
        "SELECT school_id, bill_id, bill_code, access_token, amount_due
           FROM fee_bill WHERE amount_due > 0 ORDER BY pupil_code",
    )
    .all()
    .await
}

#[derive(sqlx::FromRow)]
pub(super) struct PaymentRow {
    pub provider: String,
    pub transaction_id: String,
    pub amount: i64,
    pub conflicts: Option<i64>,
}

/// Every payment with what its notice was found to contradict.
pub(super) async fn payments(db: &Db) -> Result<Vec<PaymentRow>, StoreError> {
    db.sql(
        "SELECT p.provider, p.transaction_id, p.amount, n.conflicts
           FROM payment p
           LEFT JOIN provider_notice n ON n.school_id = p.school_id AND n.payment_id = p.payment_id",
    )
    .all()
    .await
}

#[derive(sqlx::FromRow)]
pub(super) struct InvoiceRow {
    pub tax_code: String,
    pub school_id: SchoolId,
    pub payment_id: PaymentId,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    pub total: i64,
    pub state: InvoiceState,
    pub authority_code: Option<String>,
    pub refusal: Option<String>,
}

/// Every invoice in the order of its series.
pub(super) async fn invoices(db: &Db) -> Result<Vec<InvoiceRow>, StoreError> {
    db.sql(
        "SELECT s.tax_code, i.school_id, i.payment_id, i.form, i.symbol, i.number,
                i.issue_day, i.total, i.state, i.authority_code, i.refusal
           FROM invoice i JOIN school s ON s.school_id = i.school_id
          ORDER BY i.school_id, i.form, i.symbol, i.number, i.invoice_id",
    )
    .all()
    .await
}

/// Debit and credit of each school.
pub(super) async fn sides(db: &Db) -> Result<Vec<(SchoolId, i64, i64)>, StoreError> {
    db.sql(
        "SELECT school_id, CAST(SUM(debit) AS BIGINT), CAST(SUM(credit) AS BIGINT)
           FROM account_balance GROUP BY school_id",
    )
    .all()
    .await
}

/// When the next job of each kind is due.
pub(super) async fn due(db: &Db) -> Result<Vec<(String, Instant)>, StoreError> {
    db.sql(
        "SELECT kind, MIN(CASE WHEN leased_until > run_at THEN leased_until ELSE run_at END)
           FROM job WHERE state = 'READY' GROUP BY kind ORDER BY kind",
    )
    .all()
    .await
}

/// Payments and invoices there are.
pub(super) async fn counts(db: &Db) -> Result<(i64, i64), StoreError> {
    db.sql("SELECT (SELECT COUNT(*) FROM payment), (SELECT COUNT(*) FROM invoice)")
        .one()
        .await
}

// ---- what staff choose from -----------------------------------------------------------------------

/// Money that waits for an owner.
pub(super) async fn parked(db: &Db) -> Result<Vec<(SchoolId, PaymentId, i64)>, StoreError> {
    db.sql(
        "SELECT school_id, payment_id, amount FROM suspense_item
          WHERE state = 'OPEN' AND amount > 0 ORDER BY school_id, payment_id",
    )
    .all()
    .await
}

/// Payments, and what is left of each.
pub(super) async fn standing(db: &Db) -> Result<Vec<(SchoolId, PaymentId, i64)>, StoreError> {
    db.sql(
        "SELECT school_id, payment_id, amount - taken_back FROM payment
          WHERE taken_back < amount ORDER BY school_id, payment_id",
    )
    .all()
    .await
}

/// Open bills whose pupil has credit.
pub(super) async fn bills_with_credit(db: &Db) -> Result<Vec<(SchoolId, BillId)>, StoreError> {
    db.sql(
        "SELECT b.school_id, b.bill_id
           FROM fee_bill b
           JOIN pupil_credit c ON c.school_id = b.school_id AND c.pupil_id = b.pupil_id
          WHERE c.amount > 0 AND b.amount_paid < b.amount_due ORDER BY b.school_id, b.bill_id",
    )
    .all()
    .await
}

pub(super) async fn credits(db: &Db) -> Result<Vec<(SchoolId, String, i64)>, StoreError> {
    db.sql(
        "SELECT school_id, pupil_id, amount FROM pupil_credit
          WHERE amount > 0 ORDER BY school_id, pupil_id",
    )
    .all()
    .await
}

/// Lines of bills with money on them.
pub(super) async fn paid_lines(db: &Db) -> Result<Vec<(SchoolId, BillId, i64, i64)>, StoreError> {
    db.sql(
        "SELECT school_id, bill_id, line_no, amount_paid FROM bill_line
          WHERE amount_paid > 0 ORDER BY school_id, bill_id, line_no",
    )
    .all()
    .await
}

pub(super) async fn open_reviews(db: &Db) -> Result<Vec<(SchoolId, ReviewId)>, StoreError> {
    db.sql(
        "SELECT school_id, review_id FROM review_item
          WHERE state = 'OPEN' AND kind = 'NOTICE_CONFLICT' ORDER BY school_id, review_id",
    )
    .all()
    .await
}

/// What was moved for which form; a form that called another off is not one of them.
pub(super) async fn moves(db: &Db) -> Result<Vec<(String, i64)>, StoreError> {
    db.sql(
        "SELECT reason, COUNT(*) FROM money_move
          WHERE kind <> 'REFUND_CANCELLED' GROUP BY reason ORDER BY reason",
    )
    .all()
    .await
}

// ---- broken variants ---------------------------------------------------------------------------

/// Makes an empty table anew without a piece of its definition.
pub(super) async fn without(
    db: &mut SqliteConnection,
    table: &str,
    piece: &str,
) -> Result<(), SimulateError> {
    let failed = trouble("broken schema");
    let (definition,): (String,) =
        sqlx::query_as("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = $1")
            .bind(table.to_owned())
            .fetch_one(&mut *db)
            .await
            .map_err(&failed)?;
    let indexes: Vec<(String,)> = sqlx::query_as(
        "SELECT sql FROM sqlite_schema
          WHERE type IN ('index', 'trigger') AND tbl_name = $1 AND sql IS NOT NULL",
    )
    .bind(table.to_owned())
    .fetch_all(&mut *db)
    .await
    .map_err(&failed)?;
    if !definition.contains(piece) {
        return Err(trouble("broken schema")(format!("{table} has no {piece}")));
    }
    let mut script = format!(
        "PRAGMA foreign_keys = OFF; DROP TABLE {table}; {};",
        definition.replacen(piece, "", 1)
    );
    for (index,) in indexes {
        script.push_str(&index);
        script.push(';');
    }
    sqlx::raw_sql(AssertSqlSafe(script))
        .execute(db)
        .await
        .map_err(&failed)?;
    Ok(())
}

/// Takes numbers of a school before they are used, or gives them back.
pub(super) async fn move_numbers(
    tx: &mut Tx,
    school: &SchoolId,
    by: i64,
) -> Result<(), StoreError> {
    tx.sql("UPDATE invoice_series SET last_number = last_number + $2 WHERE school_id = $1")
        .bind(school.clone())
        .bind(by)
        .run()
        .await?;
    Ok(())
}

/// Numbers the invoice of a payment once more, if it has one.
pub(super) async fn number_again(
    tx: &mut Tx,
    school: &SchoolId,
    payment: &PaymentId,
    fresh: &str,
) -> Result<(), StoreError> {
    let added = tx
        .sql(
            "INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id,
                                  state, issue_day, total, vat, lookup_code, document)
             SELECT i.school_id, $3, i.form, i.symbol, s.last_number + 1, i.format, i.payment_id,
                    'NUMBERED', s.last_day, i.total, i.vat, $3, i.document
               FROM invoice i
               JOIN invoice_series s ON s.school_id = i.school_id AND s.form = i.form
                                    AND s.symbol = i.symbol
              WHERE i.school_id = $1 AND i.payment_id = $2
              ORDER BY i.number LIMIT 1",
        )
        .bind(school.clone())
        .bind(payment.clone())
        .bind(fresh.to_owned())
        .run()
        .await?;
    if added > 0 {
        move_numbers(tx, school, 1).await?;
    }
    Ok(())
}

/// Forgets under which id an invoice was sent.
pub(super) async fn forget_message(tx: &mut Tx, invoice: &InvoiceId) -> Result<(), StoreError> {
    tx.sql(
        "DELETE FROM invoice_message
          WHERE invoice_id = (SELECT invoice_id FROM invoice WHERE invoice_id = $1 AND state = 'SIGNED')",
    )
    .bind(invoice.clone())
    .run()
    .await?;
    tx.sql("UPDATE invoice SET message_id = NULL WHERE invoice_id = $1 AND state = 'SIGNED'")
        .bind(invoice.clone())
        .run()
        .await?;
    Ok(())
}

/// Writes the jobs that a variant held back, or loses them.
pub(super) async fn late_jobs(db: &Db, lost: bool) -> Result<(), SimulateError> {
    let Db::Sqlite { write, .. } = db else {
        return Ok(());
    };
    let script = if lost {
        "DELETE FROM late_job"
    } else {
        "BEGIN IMMEDIATE;
         INSERT INTO job (job_id, school_id, kind, subject, state, run_at, attempts, last_error)
         SELECT job_id, school_id, 'invoice.issue', subject, 'READY', run_at, 0, 'late'
           FROM late_job WHERE TRUE
         ON CONFLICT DO NOTHING;
         DELETE FROM late_job;
         COMMIT"
    };
    sqlx::raw_sql(script)
        .execute(write)
        .await
        .map_err(trouble("late jobs"))?;
    Ok(())
}
