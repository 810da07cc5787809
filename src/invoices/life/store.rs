//! Every SQL statement of corrections, and of movements as invoices see them.

use super::rules::{Ground, Link};
use crate::clock::{Day, Instant};
use crate::ids::{InvoiceId, MoveId, PaymentId, SchoolId};
use crate::invoices::document::{CorrectionReason, Document};
use crate::invoices::store::{InvoiceKind, InvoiceState, Wanted};
use crate::money::Vnd;
use crate::payments::moves::rules::MoveKind;
use crate::refunds::rules::Charge;
use crate::store::{Db, StoreError, Tx, rows};

/// One invoice of a chain, the root first, then its corrections in the order they were made.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ChainRow {
    pub invoice_id: InvoiceId,
    pub payment_id: PaymentId,
    pub kind: InvoiceKind,
    pub state: InvoiceState,
    pub related_id: Option<InvoiceId>,
    pub cause: String,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    #[sqlx(try_from = "i64")]
    pub total: Vnd,
    pub document: String,
    pub refusal: Option<String>,
    pub reason: Option<CorrectionReason>,
    pub why: Option<String>,
    pub content: Option<String>,
    pub made_by: Option<String>,
    pub made_at: Option<Instant>,
}

impl ChainRow {
    pub fn link(&self) -> Link {
        Link {
            invoice_id: self.invoice_id.clone(),
            kind: self.kind,
            state: self.state,
            related: self.related_id.clone(),
            ground: self.reason.map(Ground::of),
        }
    }

    /// As people name it: `1C26TAA-128`.
    pub fn name(&self) -> String {
        format!("{}{}-{}", self.form, self.symbol, self.number)
    }
}

/// The root of the chain that an invoice belongs to.
pub async fn root_of(
    db: &Db,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<Option<InvoiceId>, StoreError> {
    let found: Option<(InvoiceId,)> = db
        .sql(
            "SELECT COALESCE(root_id, invoice_id) FROM invoice
              WHERE school_id = $1 AND invoice_id = $2",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .optional()
        .await?;
    Ok(found.map(|(root,)| root))
}

/// Holds other corrections of the chain off until the transaction ends.
pub async fn lock_root(
    tx: &mut Tx,
    school: &SchoolId,
    root: &InvoiceId,
) -> Result<bool, StoreError> {
    let found = tx
        .sql("UPDATE invoice SET cause = cause WHERE school_id = $1 AND invoice_id = $2 AND root_id IS NULL")
        .bind(school.clone())
        .bind(root.clone())
        .run()
        .await?;
    Ok(found == 1)
}

pub async fn chain(
    tx: &mut Tx,
    school: &SchoolId,
    root: &InvoiceId,
) -> Result<Vec<ChainRow>, StoreError> {
    tx.sql(
        "SELECT i.invoice_id, i.payment_id, i.kind, i.state, i.related_id, i.cause, i.form, i.symbol,
                i.number, i.issue_day, i.total, i.document, i.refusal, c.reason, c.why, c.content,
                c.made_by, c.made_at
           FROM invoice i
           LEFT JOIN invoice_correction c ON c.school_id = i.school_id
                                         AND c.invoice_id = i.invoice_id
          WHERE i.school_id = $1 AND (i.invoice_id = $2 OR i.root_id = $2)
          ORDER BY COALESCE(c.step, 0), i.invoice_id",
    )
    .bind(school.clone())
    .bind(root.clone())
    .all()
    .await
}

/// [`chain`] for pages.
pub async fn chain_shown(
    db: &Db,
    school: &SchoolId,
    root: &InvoiceId,
) -> Result<Vec<ChainRow>, StoreError> {
    db.sql(
        "SELECT i.invoice_id, i.payment_id, i.kind, i.state, i.related_id, i.cause, i.form, i.symbol,
                i.number, i.issue_day, i.total, i.document, i.refusal, c.reason, c.why, c.content,
                COALESCE(u.display_name, c.made_by) AS made_by, c.made_at
           FROM invoice i
           LEFT JOIN invoice_correction c ON c.school_id = i.school_id
                                         AND c.invoice_id = i.invoice_id
           LEFT JOIN user_account u ON u.user_id = c.made_by
          WHERE i.school_id = $1 AND (i.invoice_id = $2 OR i.root_id = $2)
          ORDER BY COALESCE(c.step, 0), i.invoice_id",
    )
    .bind(school.clone())
    .bind(root.clone())
    .all()
    .await
}

/// What the root documents, in the order of its lines.
pub async fn documented(
    tx: &mut Tx,
    school: &SchoolId,
    root: &InvoiceId,
) -> Result<Vec<(i64, i64)>, StoreError> {
    tx.sql("SELECT seq, amount FROM invoice_line WHERE school_id = $1 AND invoice_id = $2 ORDER BY seq")
        .bind(school.clone())
        .bind(root.clone())
        .all()
        .await
}

/// Notes the method of the first correction of an error; answers the one that binds.
pub async fn bind_method(
    tx: &mut Tx,
    school: &SchoolId,
    root: &InvoiceId,
    method: InvoiceKind,
) -> Result<InvoiceKind, StoreError> {
    tx.sql(
        "INSERT INTO invoice_method (school_id, root_id, method) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(school.clone())
    .bind(root.clone())
    .bind(method)
    .run()
    .await?;
    let (bound,): (InvoiceKind,) = tx
        .sql("SELECT method FROM invoice_method WHERE school_id = $1 AND root_id = $2")
        .bind(school.clone())
        .bind(root.clone())
        .one()
        .await?;
    Ok(bound)
}

/// A correction that has just been numbered.
pub struct NewCorrection<'n> {
    pub school_id: &'n SchoolId,
    pub invoice_id: &'n InvoiceId,
    pub payment_id: &'n PaymentId,
    pub kind: InvoiceKind,
    pub cause: &'n str,
    pub related: &'n InvoiceId,
    pub root: &'n InvoiceId,
    pub bound: Option<InvoiceKind>,
    pub document: &'n Document,
    pub changes: &'n [(i64, Vnd)],
    pub reason: CorrectionReason,
    pub why: &'n str,
    pub agreement: Option<&'n str>,
    pub step: i64,
    pub content: String,
    pub made_by: &'n str,
    pub made_at: Instant,
}

pub async fn insert(tx: &mut Tx, new: &NewCorrection<'_>) -> Result<(), StoreError> {
    let numbering = &new.document.numbering;
    tx.sql(
        "INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id, state,
                              issue_day, total, vat, lookup_code, document, kind, cause, related_id,
                              root_id, bound_method)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'NUMBERED', $8, $9, $10, $11, $12, $13, $14, $15, $16,
                 $17)",
    )
    .bind(new.school_id.clone())
    .bind(new.invoice_id.clone())
    .bind(numbering.form)
    .bind(numbering.symbol.clone())
    .bind(numbering.number)
    .bind(numbering.format)
    .bind(new.payment_id.clone())
    .bind(numbering.issue_day)
    .bind(new.document.total.get())
    .bind(new.document.vat.get())
    .bind(new.document.lookup_code.clone())
    // The content holds plain values only; it always serialises.
    .bind(serde_json::to_string(new.document).unwrap_or_default())
    .bind(new.kind)
    .bind(new.cause.to_owned())
    .bind(new.related.clone())
    .bind(new.root.clone())
    .bind(new.bound)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO invoice_correction (school_id, invoice_id, reason, why, agreement, step, content,
                                         made_by, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.school_id.clone())
    .bind(new.invoice_id.clone())
    .bind(new.reason)
    .bind(new.why.to_owned())
    .bind(new.agreement.map(str::to_owned))
    .bind(new.step)
    .bind(new.content.clone())
    .bind(new.made_by.to_owned())
    .bind(new.made_at)
    .run()
    .await?;
    let changes = new
        .changes
        .iter()
        .map(|(seq, amount)| (new.school_id, new.invoice_id, new.payment_id, *seq, *amount));
    tx.sql(
        "INSERT INTO invoice_change (school_id, invoice_id, payment_id, seq, amount)
         SELECT school_id, invoice_id, payment_id, seq, amount
           FROM ROWS($1: school_id TEXT, invoice_id TEXT, payment_id TEXT, seq BIGINT,
                     amount BIGINT) AS r",
    )
    .bind(rows(changes))
    .run()
    .await?;
    Ok(())
}

/// Puts mended content in the place of what the authority refused: the number stays, the old message
/// is void, and the invoice wants a signature again.
pub async fn mend(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    document: &Document,
    why: &str,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE invoice
                SET state = 'NUMBERED', document = $3, total = $4, vat = $5, xml = NULL,
                    signed_at = NULL, sent_at = NULL, message_id = NULL, carrier = NULL,
                    refusal = NULL, problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND invoice_id = $2 AND state = 'REFUSED'",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .bind(serde_json::to_string(document).unwrap_or_default())
        .bind(document.total.get())
        .bind(document.vat.get())
        .run()
        .await?;
    tx.sql(
        "UPDATE invoice_message SET state = 'VOID', why_void = $3
          WHERE school_id = $1 AND invoice_id = $2 AND state = 'LIVE'",
    )
    .bind(school.clone())
    .bind(invoice.clone())
    .bind(why.to_owned())
    .run()
    .await?;
    Ok(changed == 1)
}

/// Replaces the content that a mended correction leaves behind.
pub async fn set_content(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    content: &str,
) -> Result<(), StoreError> {
    tx.sql("UPDATE invoice_correction SET content = $3 WHERE school_id = $1 AND invoice_id = $2")
        .bind(school.clone())
        .bind(invoice.clone())
        .bind(content.to_owned())
        .run()
        .await?;
    Ok(())
}

/// What left bill lines by a movement.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LeftRow {
    pub payment_id: PaymentId,
    pub seq: i64,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub kind: MoveKind,
    pub reason: String,
    pub made_by: String,
    /// The root that documents the allocation.
    pub invoice_id: Option<InvoiceId>,
}

pub async fn left_lines(
    db: &Db,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Vec<LeftRow>, StoreError> {
    db.sql(
        "SELECT p.payment_id, p.from_seq AS seq, p.amount, m.kind, m.reason, m.made_by, n.invoice_id
           FROM money_move m
           JOIN money_move_part p ON p.school_id = m.school_id AND p.move_id = m.move_id
           JOIN allocation a ON a.school_id = p.school_id AND a.payment_id = p.payment_id
                            AND a.seq = p.from_seq AND a.target = 'BILL_LINE'
           LEFT JOIN invoice_line n ON n.school_id = a.school_id AND n.payment_id = a.payment_id
                                   AND n.seq = a.seq
          WHERE m.school_id = $1 AND m.move_id = $2
          ORDER BY p.payment_id, p.from_seq",
    )
    .bind(school.clone())
    .bind(of.clone())
    .all()
    .await
}

/// Jobs that may still document what a movement took away.
pub async fn still_documenting(
    db: &Db,
    school: &SchoolId,
    of: &MoveId,
) -> Result<bool, StoreError> {
    let (waiting,): (i64,) = db
        .sql(
            "SELECT COUNT(*) FROM job
              WHERE school_id = $1
                AND ((kind = 'invoice.issue' AND subject IN (
                        SELECT p.payment_id FROM money_move_part p
                         WHERE p.school_id = $1 AND p.move_id = $2))
                  OR (kind = 'invoice.allocated' AND subject IN (
                        SELECT a.move_id FROM money_move_part p
                          JOIN allocation a ON a.school_id = p.school_id
                                           AND a.payment_id = p.payment_id AND a.seq = p.from_seq
                         WHERE p.school_id = $1 AND p.move_id = $2 AND a.move_id IS NOT NULL)))",
        )
        .bind(school.clone())
        .bind(of.clone())
        .one()
        .await?;
    Ok(waiting > 0)
}

/// When a movement was made.
pub(super) async fn made_at(
    db: &Db,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Option<Instant>, StoreError> {
    let found: Option<(Instant,)> = db
        .sql("SELECT made_at FROM money_move WHERE school_id = $1 AND move_id = $2")
        .bind(school.clone())
        .bind(of.clone())
        .optional()
        .await?;
    Ok(found.map(|(at,)| at))
}

/// Whether the family still owes what a refund paid back; nothing for a movement without a refund.
pub async fn refund_charge(
    db: &Db,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Option<Charge>, StoreError> {
    let found: Option<(Charge,)> = db
        .sql("SELECT charge FROM refund WHERE school_id = $1 AND move_id = $2")
        .bind(school.clone())
        .bind(of.clone())
        .optional()
        .await?;
    Ok(found.map(|(charge,)| charge))
}

/// Corrections that a movement asked for.
pub async fn corrections_of(
    db: &Db,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Vec<CorrectionOf>, StoreError> {
    db.sql(
        "SELECT invoice_id, root_id, form, symbol, number, state, refusal
           FROM invoice
          WHERE school_id = $1 AND cause = $2 AND related_id IS NOT NULL
          ORDER BY form, symbol, number",
    )
    .bind(school.clone())
    .bind(of.clone())
    .all()
    .await
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CorrectionOf {
    pub invoice_id: InvoiceId,
    pub root_id: InvoiceId,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub state: InvoiceState,
    pub refusal: Option<String>,
}

/// Payments of which a movement brought money to bill lines.
pub async fn brought(db: &Db, moves: &[(SchoolId, MoveId)]) -> Result<Vec<Wanted>, StoreError> {
    db.sql(
        "SELECT DISTINCT a.school_id, a.payment_id, r.move_id
           FROM ROWS($1: school_id TEXT, move_id TEXT) AS r
           JOIN money_move_part p ON p.school_id = r.school_id AND p.move_id = r.move_id
           JOIN allocation a ON a.school_id = p.school_id AND a.payment_id = p.payment_id
                            AND a.move_id = r.move_id AND a.target = 'BILL_LINE'
          ORDER BY a.school_id, a.payment_id, r.move_id",
    )
    .bind(rows(moves))
    .all()
    .await
}

/// Of these payments those whose own invoice is still being made.
pub async fn being_issued(db: &Db, wanted: &[Wanted]) -> Result<Vec<String>, StoreError> {
    let found: Vec<(String,)> = db
        .sql(
            "SELECT DISTINCT j.subject
               FROM ROWS($1: school_id TEXT, payment_id TEXT, cause TEXT) AS r
               JOIN job j ON j.kind = 'invoice.issue' AND j.school_id = r.school_id
                         AND j.subject = r.payment_id",
        )
        .bind(rows(wanted))
        .all()
        .await?;
    Ok(found.into_iter().map(|(subject,)| subject).collect())
}

/// A correction in the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CorrectionRow {
    pub invoice_id: InvoiceId,
    pub kind: InvoiceKind,
    pub state: InvoiceState,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    #[sqlx(try_from = "i64")]
    pub total: Vnd,
    pub refusal: Option<String>,
    pub why: String,
    pub related_id: InvoiceId,
    pub related_name: String,
}

/// Corrections of a school, newest first.
pub async fn list(
    db: &Db,
    school: &SchoolId,
    limit: i64,
    offset: i64,
) -> Result<Vec<CorrectionRow>, StoreError> {
    db.sql(
        "SELECT i.invoice_id, i.kind, i.state, i.form, i.symbol, i.number, i.issue_day, i.total,
                i.refusal, c.why, i.related_id, o.form || o.symbol || '-' || o.number AS related_name
           FROM invoice_correction c
           JOIN invoice i ON i.school_id = c.school_id AND i.invoice_id = c.invoice_id
           JOIN invoice o ON o.school_id = i.school_id AND o.invoice_id = i.related_id
          WHERE c.school_id = $1
          ORDER BY c.made_at DESC, c.invoice_id DESC
          LIMIT $2 OFFSET $3",
    )
    .bind(school.clone())
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

/// The invoice of a printed name (form and symbol as printed, number).
pub async fn by_name(
    db: &Db,
    school: &SchoolId,
    series: &str,
    number: i64,
) -> Result<Option<InvoiceId>, StoreError> {
    let found: Option<(InvoiceId,)> = db
        .sql(
            "SELECT invoice_id FROM invoice
              WHERE school_id = $1 AND form || symbol = $2 AND number = $3",
        )
        .bind(school.clone())
        .bind(series.to_owned())
        .bind(number)
        .optional()
        .await?;
    Ok(found.map(|(invoice,)| invoice))
}
