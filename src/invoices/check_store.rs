//! Statements of the checker: what contradicts itself, and what is missing.

use crate::clock::Day;
use crate::ids::{PaymentId, SchoolId};
use crate::invoices::rules::DocumentRule;
use crate::store::{Db, StoreError};

/// Series whose numbers are not exactly 1 to the last one.
pub(super) async fn broken_series(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT s.school_id, s.form || s.symbol
           FROM invoice_series s
           LEFT JOIN (SELECT school_id, form, symbol, COUNT(*) AS count, MIN(number) AS first,
                             MAX(number) AS last
                        FROM invoice GROUP BY school_id, form, symbol) i
             ON i.school_id = s.school_id AND i.form = s.form AND i.symbol = s.symbol
          WHERE COALESCE(i.count, 0) <> s.last_number OR COALESCE(i.last, 0) <> s.last_number
             OR COALESCE(i.first, 1) <> 1",
    )
    .all()
    .await
}

/// Invoices whose total is not the sum of the collected money they document; of corrections not the
/// change they make, of replacements not that on top of what they replace.
pub(super) async fn differing_totals(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT i.school_id, i.form || i.symbol || '-' || i.number
           FROM invoice i
           LEFT JOIN (SELECT school_id, invoice_id, SUM(amount) AS amount
                        FROM invoice_line GROUP BY school_id, invoice_id) l
             ON l.school_id = i.school_id AND l.invoice_id = i.invoice_id
           LEFT JOIN (SELECT school_id, invoice_id, SUM(amount) AS amount
                        FROM invoice_change GROUP BY school_id, invoice_id) c
             ON c.school_id = i.school_id AND c.invoice_id = i.invoice_id
           LEFT JOIN invoice o ON o.school_id = i.school_id AND o.invoice_id = i.related_id
          WHERE COALESCE(l.amount, 0) + COALESCE(c.amount, 0)
                + CASE WHEN i.kind = 'REPLACING' THEN COALESCE(o.total, 0) ELSE 0 END <> i.total",
    )
    .all()
    .await
}

/// Invoice lines that document another amount than was allocated, or of another payment.
pub(super) async fn unfounded_lines(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT l.school_id, l.payment_id || '/' || l.seq
           FROM invoice_line l
           JOIN invoice i ON i.school_id = l.school_id AND i.invoice_id = l.invoice_id
           LEFT JOIN allocation a ON a.school_id = l.school_id AND a.payment_id = l.payment_id
                                 AND a.seq = l.seq AND a.target = 'BILL_LINE'
          WHERE a.amount IS NULL OR a.amount <> l.amount OR i.payment_id <> l.payment_id
             OR i.kind <> 'ORIGINAL'
          UNION ALL
         SELECT c.school_id, c.payment_id || '/' || c.seq
           FROM invoice_change c
           JOIN invoice_line l ON l.school_id = c.school_id AND l.payment_id = c.payment_id
                              AND l.seq = c.seq
          GROUP BY c.school_id, c.payment_id, c.seq, l.amount
         HAVING l.amount + SUM(c.amount) < 0",
    )
    .all()
    .await
}

/// Invoices whose state is not borne out by what it must have left behind.
pub(super) async fn unproven_states(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT school_id, form || symbol || '-' || number
           FROM invoice
          WHERE CASE state
                WHEN 'NUMBERED' THEN xml IS NULL AND coded_xml IS NULL
                WHEN 'SIGNED' THEN xml IS NOT NULL AND signed_at IS NOT NULL AND coded_xml IS NULL
                WHEN 'SENT' THEN xml IS NOT NULL AND message_id IS NOT NULL AND sent_at IS NOT NULL
                             AND coded_xml IS NULL
                WHEN 'CODED' THEN xml IS NOT NULL AND coded_at IS NOT NULL
                              AND (symbol LIKE 'K%'
                                   OR coded_xml IS NOT NULL AND authority_code IS NOT NULL)
                WHEN 'REFUSED' THEN xml IS NOT NULL AND refusal IS NOT NULL AND coded_xml IS NULL
                ELSE TRUE END = FALSE",
    )
    .all()
    .await
}

/// Invoices on their way that no job carries on, dead ones included: those wait for a person.
pub(super) async fn stranded(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT i.school_id, i.form || i.symbol || '-' || i.number
           FROM invoice i
           LEFT JOIN job j ON j.school_id = i.school_id
                          AND j.kind = CASE WHEN i.state = 'SIGNED' THEN 'invoice.send'
                                            WHEN i.state = 'SENT' THEN 'invoice.collect'
                                            WHEN i.related_id IS NOT NULL THEN 'invoice.sign'
                                            WHEN i.cause <> '' THEN 'invoice.allocated'
                                            ELSE 'invoice.issue' END
                          AND j.subject = CASE WHEN i.state <> 'NUMBERED' OR i.related_id IS NOT NULL
                                               THEN i.invoice_id
                                               WHEN i.cause <> '' THEN i.cause
                                               ELSE i.payment_id END
           LEFT JOIN job m ON m.school_id = i.school_id AND m.kind = 'invoice.sign'
                          AND m.subject = i.invoice_id
          WHERE i.state IN ('NUMBERED', 'SIGNED', 'SENT') AND j.job_id IS NULL
            AND (i.state <> 'NUMBERED' OR m.job_id IS NULL)",
    )
    .all()
    .await
}

/// Jobs about payments and invoices that are not there.
pub(super) async fn unfounded_jobs(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT j.school_id, j.kind || ' ' || j.subject
           FROM job j
          WHERE (j.kind = 'invoice.issue' AND NOT EXISTS (
                    SELECT 1 FROM payment p
                     WHERE p.school_id = j.school_id AND p.payment_id = j.subject))
             OR (j.kind IN ('invoice.sign', 'invoice.send', 'invoice.collect') AND NOT EXISTS (
                    SELECT 1 FROM invoice i
                     WHERE i.school_id = j.school_id AND i.invoice_id = j.subject))
             OR (j.kind IN ('invoice.refunded', 'invoice.allocated') AND NOT EXISTS (
                    SELECT 1 FROM money_move m
                     WHERE m.school_id = j.school_id AND m.move_id = j.subject))",
    )
    .all()
    .await
}

/// Documented money that left its bill line for good, without a correction and without a job that
/// makes one. A refund on its way leaves the invoice alone until it is paid out.
pub(super) async fn uncorrected(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id || '/' || p.from_seq
           FROM money_move m
           JOIN money_move_part p ON p.school_id = m.school_id AND p.move_id = m.move_id
           JOIN invoice_line l ON l.school_id = p.school_id AND l.payment_id = p.payment_id
                              AND l.seq = p.from_seq
           LEFT JOIN refund r ON r.school_id = m.school_id AND r.move_id = m.move_id
           LEFT JOIN job j ON j.kind = 'invoice.refunded' AND j.school_id = m.school_id
                          AND j.subject = m.move_id
          WHERE (m.kind = 'TAKEN_BACK' OR (m.kind = 'REFUND' AND r.state = 'DONE'))
            AND j.job_id IS NULL
            AND NOT EXISTS (SELECT 1 FROM invoice_change c
                              JOIN invoice i ON i.school_id = c.school_id
                                            AND i.invoice_id = c.invoice_id
                             WHERE c.school_id = p.school_id AND c.payment_id = p.payment_id
                               AND c.seq = p.from_seq AND i.cause = m.move_id)",
    )
    .all()
    .await
}

/// Corrections that belong to no chain, or correct an error otherwise than the first one did.
pub(super) async fn broken_chains(db: &Db) -> Result<Vec<(SchoolId, String)>, StoreError> {
    db.sql(
        "SELECT i.school_id, i.form || i.symbol || '-' || i.number
           FROM invoice i
           LEFT JOIN invoice_correction c ON c.school_id = i.school_id
                                         AND c.invoice_id = i.invoice_id
           LEFT JOIN invoice o ON o.school_id = i.school_id AND o.invoice_id = i.related_id
           LEFT JOIN invoice_method b ON b.school_id = i.school_id AND b.root_id = i.root_id
          WHERE i.related_id IS NOT NULL
            AND (c.invoice_id IS NULL OR o.invoice_id IS NULL
                 OR COALESCE(o.root_id, o.invoice_id) <> i.root_id
                 OR (c.reason = '13' AND (i.bound_method IS NULL OR b.method <> i.kind)))",
    )
    .all()
    .await
}

/// Settled money of a bill line that no invoice documents and no job is about to.
#[derive(sqlx::FromRow)]
pub(super) struct Undocumented {
    pub school_id: SchoolId,
    pub payment_id: PaymentId,
    pub seq: i64,
    pub paid_day: Day,
    pub document_rule: DocumentRule,
}

pub(super) async fn undocumented(db: &Db) -> Result<Vec<Undocumented>, StoreError> {
    db.sql(
        "SELECT a.school_id, a.payment_id, a.seq, p.paid_day, b.document_rule
           FROM allocation a
           JOIN payment p ON p.school_id = a.school_id AND p.payment_id = a.payment_id
           JOIN bill_line b ON b.school_id = a.school_id AND b.bill_id = a.bill_id
                           AND b.line_no = a.line_no
           LEFT JOIN invoice_line l ON l.school_id = a.school_id AND l.payment_id = a.payment_id
                                   AND l.seq = a.seq
           LEFT JOIN job j ON j.kind = 'invoice.issue' AND j.school_id = a.school_id
                          AND j.subject = a.payment_id
           LEFT JOIN job k ON k.kind = 'invoice.allocated' AND k.school_id = a.school_id
                          AND k.subject = a.move_id
          WHERE a.target = 'BILL_LINE' AND a.moved_on < a.amount AND l.seq IS NULL
            AND j.job_id IS NULL AND k.job_id IS NULL
            AND b.document_rule <> 'NONE'
            -- What a refund that failed brings back is documented as it was before.
            AND NOT EXISTS (
                SELECT 1 FROM money_move m
                  JOIN allocation e ON e.school_id = a.school_id AND e.payment_id = a.payment_id
                                   AND e.bill_id = a.bill_id AND e.line_no = a.line_no
                  JOIN invoice_line d ON d.school_id = e.school_id AND d.payment_id = e.payment_id
                                     AND d.seq = e.seq
                 WHERE m.school_id = a.school_id AND m.move_id = a.move_id
                   AND m.kind = 'REFUND_CANCELLED')
          ORDER BY a.school_id, a.payment_id, a.seq",
    )
    .all()
    .await
}
