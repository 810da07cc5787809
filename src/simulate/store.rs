//! What the simulation reads of the books, and what its broken variants write into them.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::fault::Fault;
use super::{SimulateError, trouble};
use crate::clock::{Day, Instant};
use crate::ids::{
    BillId, ConnectionId, InvoiceId, MoveId, PaymentId, RefundId, ReviewId, SchoolId,
};
use crate::invoices::InvoiceState;
use crate::payments::outbound::rules::State as FlowState;
use crate::refunds::rules::State as RefundState;
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
    /// The invoice it corrects.
    pub related_id: Option<InvoiceId>,
    /// Why there is a further one for the payment, or a correction.
    pub cause: String,
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
        "SELECT s.tax_code, i.school_id, i.payment_id, i.related_id, i.cause, i.form, i.symbol, i.number,
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

/// When the next flow is due.
pub(super) async fn flows_due(db: &Db) -> Result<Option<Instant>, StoreError> {
    let (due,): (Option<Instant>,) = db
        .sql(
            "SELECT MIN(CASE WHEN leased_until > next_at THEN leased_until ELSE next_at END)
               FROM provider_flow WHERE next_at IS NOT NULL",
        )
        .one()
        .await?;
    Ok(due)
}

/// A refund that a gateway was asked for.
#[derive(sqlx::FromRow)]
pub(super) struct OutsideRefund {
    pub connection_id: ConnectionId,
    pub order_ref: String,
    pub amount: i64,
    pub state: RefundState,
    /// How far the asking is.
    pub flow: FlowState,
}

pub(super) async fn outside_refunds(db: &Db) -> Result<Vec<OutsideRefund>, StoreError> {
    db.sql(
        "SELECT f.connection_id, f.order_ref, r.amount, r.state, f.state AS flow
           FROM refund r
           JOIN provider_flow f ON f.school_id = r.school_id AND f.kind = 'REFUND'
                               AND f.subject = r.refund_id
          ORDER BY f.connection_id, f.order_ref, r.refund_id",
    )
    .all()
    .await
}

/// Money that gateways took back, by provider, order and amount, as it was booked; amount 0 where a
/// person is asked what to do.
pub(super) async fn taken_back(db: &Db) -> Result<Vec<(String, String, i64)>, StoreError> {
    db.sql(
        "SELECT n.provider, n.order_ref, m.amount
           FROM money_move m
           JOIN provider_notice n ON n.school_id = m.school_id
                                 AND m.request = n.provider || ':' || n.notice_key
          WHERE m.kind = 'TAKEN_BACK' AND n.order_ref IS NOT NULL
         UNION ALL
         SELECT provider, order_ref, 0 FROM review_item
          WHERE kind = 'REVERSAL' AND order_ref IS NOT NULL",
    )
    .all()
    .await
}

/// Adjustments that do not say by how much documented money left: more than the movement took, or of
/// no movement.
pub(super) async fn misadjusted(db: &Db) -> Result<Vec<(String,)>, StoreError> {
    db.sql(
        "SELECT c.payment_id || '/' || c.seq || ' by ' || i.cause
           FROM invoice_change c
           JOIN invoice i ON i.school_id = c.school_id AND i.invoice_id = c.invoice_id
           LEFT JOIN (SELECT school_id, move_id, payment_id, from_seq, SUM(amount) AS amount
                        FROM money_move_part
                       GROUP BY school_id, move_id, payment_id, from_seq) p
                  ON p.school_id = c.school_id AND p.move_id = i.cause
                 AND p.payment_id = c.payment_id AND p.from_seq = c.seq
          GROUP BY c.school_id, i.cause, c.payment_id, c.seq, p.amount
         HAVING p.amount IS NULL OR SUM(c.amount) <> -p.amount",
    )
    .all()
    .await
}

/// How often what follows from money that moved is found in the books.
pub(super) async fn consequences(db: &Db) -> Result<[(Fault, u64); 4], StoreError> {
    let counted: (i64, i64, i64, i64) = db
        .sql(
            "SELECT (SELECT COUNT(*) FROM invoice WHERE related_id IS NOT NULL),
                    (SELECT COUNT(*) FROM invoice WHERE related_id IS NULL AND cause <> ''),
                    (SELECT COUNT(*) FROM money_move WHERE kind = 'CREDIT_USED'),
                    (SELECT COUNT(*) FROM provider_flow f
                       JOIN payment_attempt t ON t.school_id = f.school_id
                                             AND t.attempt_id = f.subject
                      WHERE f.kind = 'PAYMENT' AND f.state = 'DONE' AND f.asks > 0
                        AND t.state = 'PAID')",
        )
        .one()
        .await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok([
        (Fault::InvoiceAdjusted, count(counted.0)),
        (Fault::InvoiceFurther, count(counted.1)),
        (Fault::CreditUsed, count(counted.2)),
        (Fault::AskedAbout, count(counted.3)),
    ])
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

/// Lines with money of one payment through a gateway on them.
pub(super) async fn lines_paid_through_gateways(
    db: &Db,
) -> Result<Vec<(SchoolId, BillId, i64, i64)>, StoreError> {
    db.sql(
        "SELECT a.school_id, a.bill_id, a.line_no, a.amount - a.moved_on
           FROM allocation a
           JOIN payment p ON p.school_id = a.school_id AND p.payment_id = a.payment_id
          WHERE a.target = 'BILL_LINE' AND a.moved_on < a.amount
            AND p.channel IN ('GATEWAY', 'WALLET')
          ORDER BY a.school_id, a.bill_id, a.line_no, a.payment_id, a.seq",
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

/// A refund that nobody knows the end of.
#[derive(sqlx::FromRow)]
pub(super) struct LostRefund {
    pub school_id: SchoolId,
    pub refund_id: RefundId,
    pub connection_id: ConnectionId,
    pub order_ref: String,
    pub flow_id: String,
    /// With our name of it at the gateway.
    pub request: String,
    pub since: Instant,
}

pub(super) async fn lost_refunds(db: &Db) -> Result<Vec<LostRefund>, StoreError> {
    db.sql(
        "SELECT r.school_id, r.refund_id, f.connection_id, f.order_ref, f.flow_id,
                f.request, COALESCE(f.ended_at, f.sent_at, f.created_at) AS since
           FROM refund r
           JOIN provider_flow f ON f.school_id = r.school_id AND f.kind = 'REFUND'
                               AND f.subject = r.refund_id
          WHERE r.state = 'UNKNOWN' ORDER BY r.school_id, r.refund_id",
    )
    .all()
    .await
}

/// An invoice that the authority refused.
pub(super) async fn refused(db: &Db) -> Result<Option<(SchoolId, InvoiceId)>, StoreError> {
    db.sql(
        "SELECT school_id, invoice_id FROM invoice WHERE state = 'REFUSED'
          ORDER BY school_id, invoice_id LIMIT 1",
    )
    .optional()
    .await
}

/// Whether something waits, or may come to wait, for a person who tidies up.
pub(super) async fn left_to_people(db: &Db) -> Result<bool, StoreError> {
    let (left,): (i64,) = db
        .sql(
            "SELECT (SELECT COUNT(*) FROM invoice WHERE state <> 'CODED')
                    + (SELECT COUNT(*) FROM job WHERE state = 'READY')
                    + (SELECT COUNT(*) FROM refund
                        WHERE way = 'PROVIDER' AND state NOT IN ('DONE', 'FAILED'))",
        )
        .one()
        .await?;
    Ok(left > 0)
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

/// Forgets for which movement an invoice was adjusted.
pub(super) async fn forget_adjustment(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE invoice SET cause = cause || '#' || number
          WHERE school_id = $1 AND cause = $2 AND related_id IS NOT NULL",
    )
    .bind(school.clone())
    .bind(of.clone())
    .run()
    .await?;
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
