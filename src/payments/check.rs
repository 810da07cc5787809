//! Derives what payments claim again from allocations and the journal.

use crate::ids::SchoolId;
use crate::store::{Db, StoreError};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub school_id: SchoolId,
    /// Stable code.
    pub code: &'static str,
    /// The row at fault.
    pub subject: String,
}

/// Money in and where it is, for a school or for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Totals {
    pub payments: i64,
    /// Without what was taken back or paid back.
    pub money_in: i64,
    pub settled: i64,
    pub credits: i64,
    pub suspense: i64,
    pub taken_back: i64,
}

/// Every contradiction between payments, allocations, bills, credits, suspense and journal.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn run(db: &Db) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let checks = [
        ("allocation_differs", unallocated(db).await?),
        ("line_paid_differs", line_paid(db).await?),
        ("bill_paid_differs", bill_paid(db).await?),
        ("bill_state_differs", bill_state(db).await?),
        ("credit_differs", credit(db).await?),
        ("suspense_differs", suspense(db).await?),
        ("journal_differs", journal(db).await?),
        ("notice_without_payment", notice(db).await?),
        ("moved_on_differs", moved_on(db).await?),
        ("movement_differs", movement(db).await?),
        ("taken_back_differs", taken_back(db).await?),
        ("settlement_differs", settlement(db).await?),
        ("step_without_evidence", evidence(db).await?),
        ("refund_differs", refund(db).await?),
        ("attempt_differs", attempt(db).await?),
    ];
    for (code, rows) in checks {
        findings.extend(rows.into_iter().map(|(school_id, subject)| Finding {
            school_id,
            code,
            subject,
        }));
    }
    Ok(findings)
}

/// Sums over all schools: money in must equal the other three together.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn totals(db: &Db) -> Result<Totals, StoreError> {
    db.sql(
        "SELECT (SELECT COUNT(*) FROM payment) AS payments,
                CAST((SELECT COALESCE(SUM(amount - taken_back), 0) FROM payment) AS BIGINT)
                    AS money_in,
                CAST((SELECT COALESCE(SUM(amount_paid), 0) FROM fee_bill) AS BIGINT) AS settled,
                CAST((SELECT COALESCE(SUM(amount), 0) FROM pupil_credit) AS BIGINT) AS credits,
                CAST((SELECT COALESCE(SUM(to_suspense + suspense_later), 0) FROM payment) AS BIGINT)
                    AS suspense,
                CAST((SELECT COALESCE(SUM(taken_back), 0) FROM payment) AS BIGINT) AS taken_back",
    )
    .one()
    .await
}

type Rows = Vec<(SchoolId, String)>;

/// The receipt's own allocations against how it was spread on arrival, and what of all allocations has
/// not moved on against how it is spread now.
async fn unallocated(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN (
                SELECT school_id, payment_id,
                       SUM(CASE WHEN move_id IS NULL AND target = 'BILL_LINE'
                                THEN amount ELSE 0 END) AS bills,
                       SUM(CASE WHEN move_id IS NULL AND target = 'CREDIT'
                                THEN amount ELSE 0 END) AS credit,
                       SUM(CASE WHEN move_id IS NULL AND target = 'SUSPENSE'
                                THEN amount ELSE 0 END) AS suspense,
                       SUM(CASE target WHEN 'BILL_LINE' THEN amount - moved_on ELSE 0 END)
                           AS bills_now,
                       SUM(CASE target WHEN 'CREDIT' THEN amount - moved_on ELSE 0 END)
                           AS credit_now,
                       SUM(CASE target WHEN 'SUSPENSE' THEN amount - moved_on ELSE 0 END)
                           AS suspense_now
                  FROM allocation GROUP BY school_id, payment_id) a
             ON a.school_id = p.school_id AND a.payment_id = p.payment_id
          WHERE COALESCE(a.bills, 0) <> p.to_bills OR COALESCE(a.credit, 0) <> p.to_credit
             OR COALESCE(a.suspense, 0) <> p.to_suspense
             OR COALESCE(a.bills_now, 0) <> p.to_bills + p.bills_later
             OR COALESCE(a.credit_now, 0) <> p.to_credit + p.credit_later
             OR COALESCE(a.suspense_now, 0) <> p.to_suspense + p.suspense_later",
    )
    .all()
    .await
}

async fn line_paid(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT l.school_id, l.bill_id
           FROM bill_line l
           LEFT JOIN (
                SELECT school_id, bill_id, line_no, SUM(amount - moved_on) AS paid
                  FROM allocation WHERE target = 'BILL_LINE'
                 GROUP BY school_id, bill_id, line_no) a
             ON a.school_id = l.school_id AND a.bill_id = l.bill_id AND a.line_no = l.line_no
          WHERE COALESCE(a.paid, 0) <> l.amount_paid",
    )
    .all()
    .await
}

async fn bill_paid(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT b.school_id, b.bill_id
           FROM fee_bill b
           JOIN (SELECT school_id, bill_id, SUM(amount_due) AS due, SUM(amount_paid) AS paid,
                        SUM(gross) AS gross
                   FROM bill_line GROUP BY school_id, bill_id) l
             ON l.school_id = b.school_id AND l.bill_id = b.bill_id
          WHERE l.due <> b.amount_due OR l.paid <> b.amount_paid OR l.gross <> b.gross",
    )
    .all()
    .await
}

async fn bill_state(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT school_id, bill_id FROM fee_bill
          WHERE state <> 'CANCELLED'
            AND state <> CASE WHEN amount_due = 0 THEN 'NOTHING_DUE'
                              WHEN amount_paid = amount_due THEN 'PAID'
                              WHEN amount_paid > 0 THEN 'PARTIAL' ELSE 'OPEN' END",
    )
    .all()
    .await
}

async fn credit(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT c.school_id, c.pupil_id
           FROM pupil_credit c
           LEFT JOIN (SELECT school_id, pupil_id, SUM(amount - moved_on) AS held
                        FROM allocation WHERE target = 'CREDIT'
                       GROUP BY school_id, pupil_id) a
             ON a.school_id = c.school_id AND a.pupil_id = c.pupil_id
          WHERE COALESCE(a.held, 0) <> c.amount
         UNION ALL
         SELECT a.school_id, a.pupil_id FROM allocation a
          WHERE a.target = 'CREDIT' AND NOT EXISTS (
                SELECT 1 FROM pupil_credit c
                 WHERE c.school_id = a.school_id AND c.pupil_id = a.pupil_id)",
    )
    .all()
    .await
}

async fn suspense(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN suspense_item s ON s.school_id = p.school_id AND s.payment_id = p.payment_id
          WHERE COALESCE(s.amount, 0) <> p.to_suspense
             OR COALESCE(s.state, 'RESOLVED')
                <> CASE WHEN p.to_suspense + p.suspense_later > 0 THEN 'OPEN' ELSE 'RESOLVED' END",
    )
    .all()
    .await
}

/// One entry for each payment; that its amount is the sum of its lines is for the ledger to prove.
async fn journal(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN journal_entry e ON e.school_id = p.school_id AND e.kind = 'PAYMENT_RECEIVED'
                                    AND e.source_id = p.payment_id
          WHERE COALESCE(e.amount, 0) <> p.amount
         UNION ALL
         SELECT e.school_id, e.source_id FROM journal_entry e
          WHERE e.kind = 'PAYMENT_RECEIVED' AND NOT EXISTS (
                SELECT 1 FROM payment p
                 WHERE p.school_id = e.school_id AND p.payment_id = e.source_id)",
    )
    .all()
    .await
}

async fn notice(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT n.school_id, n.notice_key
           FROM provider_notice n
           LEFT JOIN payment p ON p.school_id = n.school_id AND p.payment_id = n.payment_id
          WHERE n.payment_id IS NOT NULL AND (p.payment_id IS NULL OR p.amount <> n.amount)
         UNION ALL
         SELECT p.school_id, p.payment_id FROM payment p
          WHERE NOT EXISTS (
                SELECT 1 FROM provider_notice n
                 WHERE n.school_id = p.school_id AND n.payment_id = p.payment_id)",
    )
    .all()
    .await
}

/// What left allocations and what came to them, by the movements.
async fn moved_on(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT a.school_id, a.payment_id
           FROM allocation a
           LEFT JOIN (SELECT school_id, payment_id, from_seq, SUM(amount) AS amount
                        FROM money_move_part WHERE from_seq IS NOT NULL
                       GROUP BY school_id, payment_id, from_seq) d
             ON d.school_id = a.school_id AND d.payment_id = a.payment_id AND d.from_seq = a.seq
          WHERE COALESCE(d.amount, 0) <> a.moved_on
         UNION ALL
         SELECT a.school_id, a.payment_id
           FROM allocation a
           LEFT JOIN money_move_part d ON d.school_id = a.school_id AND d.move_id = a.move_id
                                      AND d.payment_id = a.payment_id AND d.to_seq = a.seq
          WHERE a.move_id IS NOT NULL AND COALESCE(d.amount, 0) <> a.amount",
    )
    .all()
    .await
}

/// Movements against their parts and their one entry in the journal.
async fn movement(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT m.school_id, m.move_id
           FROM money_move m
           LEFT JOIN (SELECT school_id, move_id, SUM(amount) AS amount
                        FROM money_move_part GROUP BY school_id, move_id) d
             ON d.school_id = m.school_id AND d.move_id = m.move_id
           LEFT JOIN (
                SELECT e.school_id, e.source_id, SUM(e.amount) AS debit, COUNT(*) AS entries
                  FROM journal_entry e
                 WHERE e.kind IN ('PAYMENT_TAKEN_BACK', 'SUSPENSE_ASSIGNED', 'CREDIT_USED',
                                  'REFUND_REQUESTED', 'REFUND_CANCELLED')
                 GROUP BY e.school_id, e.source_id) j
             ON j.school_id = m.school_id AND j.source_id = m.move_id
          WHERE COALESCE(d.amount, 0) <> m.amount OR COALESCE(j.debit, 0) <> m.amount
             OR COALESCE(j.entries, 0) <> 1
         UNION ALL
         SELECT e.school_id, e.source_id FROM journal_entry e
          WHERE e.kind IN ('PAYMENT_TAKEN_BACK', 'SUSPENSE_ASSIGNED', 'CREDIT_USED',
                           'REFUND_REQUESTED', 'REFUND_CANCELLED')
            AND NOT EXISTS (SELECT 1 FROM money_move m
                             WHERE m.school_id = e.school_id AND m.move_id = e.source_id)",
    )
    .all()
    .await
}

async fn taken_back(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN (SELECT school_id, payment_id,
                             SUM(CASE WHEN to_seq IS NULL THEN amount ELSE 0 END)
                             - SUM(CASE WHEN from_seq IS NULL THEN amount ELSE 0 END) AS gone
                        FROM money_move_part GROUP BY school_id, payment_id) d
             ON d.school_id = p.school_id AND d.payment_id = p.payment_id
          WHERE COALESCE(d.gone, 0) <> p.taken_back",
    )
    .all()
    .await
}

/// Money of intermediaries is settled by a line and an entry, and by nothing else.
async fn settlement(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id
           FROM payment p
           LEFT JOIN settlement_line s ON s.school_id = p.school_id AND s.payment_id = p.payment_id
           LEFT JOIN (
                SELECT e.school_id, e.source_id, SUM(e.amount) AS credit
                  FROM journal_entry e
                 WHERE e.kind = 'PAYMENT_SETTLED'
                 GROUP BY e.school_id, e.source_id) j
             ON j.school_id = p.school_id AND j.source_id = p.payment_id
          WHERE COALESCE(s.gross, 0) <> COALESCE(j.credit, 0)
             OR p.state <> CASE WHEN p.channel IN ('BANK_TRANSFER', 'CASH') THEN 'SETTLED'
                                WHEN s.gross IS NULL THEN 'CONFIRMED' ELSE 'SETTLED' END",
    )
    .all()
    .await
}

async fn evidence(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id FROM payment p
          WHERE NOT EXISTS (
                SELECT 1 FROM payment_evidence e
                 WHERE e.school_id = p.school_id AND e.subject_id = p.payment_id
                   AND e.step = p.state)
             OR (p.taken_back > 0 AND NOT EXISTS (
                SELECT 1 FROM payment_evidence e
                 WHERE e.school_id = p.school_id AND e.subject_id = p.payment_id
                   AND e.step = 'REVERSED'))",
    )
    .all()
    .await
}

/// A refund that is done has an entry of its amount, one that failed has brought the money back, and
/// none has both.
async fn refund(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT r.school_id, r.refund_id
           FROM refund r
           LEFT JOIN money_move m ON m.school_id = r.school_id AND m.move_id = r.move_id
           LEFT JOIN money_move c ON c.school_id = r.school_id AND c.kind = 'REFUND_CANCELLED'
                                 AND c.request = r.refund_id
           LEFT JOIN (
                SELECT e.school_id, e.source_id, SUM(e.amount) AS debit
                  FROM journal_entry e
                 WHERE e.kind = 'REFUND_PAID'
                 GROUP BY e.school_id, e.source_id) j
             ON j.school_id = r.school_id AND j.source_id = r.refund_id
          WHERE COALESCE(m.amount, 0) <> r.amount
             OR COALESCE(j.debit, 0) <> CASE r.state WHEN 'DONE' THEN r.amount ELSE 0 END
             OR COALESCE(c.amount, 0) <> CASE r.state WHEN 'FAILED' THEN r.amount ELSE 0 END",
    )
    .all()
    .await
}

/// Orders that are said to be paid without a payment that says so.
async fn attempt(db: &Db) -> Result<Rows, StoreError> {
    db.sql(
        "SELECT a.school_id, a.attempt_id
           FROM payment_attempt a
          WHERE a.state = 'PAID' AND NOT EXISTS (
                SELECT 1 FROM provider_notice n
                 WHERE n.school_id = a.school_id AND n.order_ref = a.order_ref
                   AND n.payment_id IS NOT NULL)",
    )
    .all()
    .await
}
