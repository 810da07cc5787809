//! Every SQL statement of invoices.

use super::archive::Kind;
use crate::clock::{Day, Instant};
use crate::ids::{InvoiceId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx, rows};
use crate::stored_as_text;

/// Where an invoice stands. `CODED` also means accepted, for uncoded invoices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceState {
    Numbered,
    Signed,
    Sent,
    Coded,
    Refused,
}
stored_as_text!(InvoiceState {
    Numbered = "NUMBERED",
    Signed = "SIGNED",
    Sent = "SENT",
    Coded = "CODED",
    Refused = "REFUSED",
});

/// What a new invoice is beside the others of its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceKind {
    Original,
    Adjusting,
    Replacing,
}
stored_as_text!(InvoiceKind {
    Original = "ORIGINAL",
    Adjusting = "ADJUSTING",
    Replacing = "REPLACING",
});

/// What asks for a document: a payment, and the movement that brought money of it to further bill
/// lines; nothing for the payment itself.
pub type Wanted = (SchoolId, PaymentId, String);

/// A payment that may want an invoice, and the invoice it has already for the same cause.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PaymentRow {
    pub school_id: SchoolId,
    pub payment_id: PaymentId,
    pub cause: String,
    pub channel: String,
    pub paid_at: Instant,
    pub paid_day: Day,
    pub invoice_id: Option<InvoiceId>,
    pub state: Option<InvoiceState>,
}

pub async fn payments(db: &Db, wanted: &[Wanted]) -> Result<Vec<PaymentRow>, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id, r.cause, p.channel, p.paid_at, p.paid_day, i.invoice_id,
                i.state
           FROM ROWS($1: school_id TEXT, payment_id TEXT, cause TEXT) AS r
           JOIN payment p ON p.school_id = r.school_id AND p.payment_id = r.payment_id
           LEFT JOIN invoice i ON i.school_id = p.school_id AND i.payment_id = p.payment_id
                              AND i.cause = r.cause AND i.related_id IS NULL",
    )
    .bind(rows(wanted))
    .all()
    .await
}

/// Money of a payment on a bill line, with the words of bill and line.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AllocationRow {
    pub school_id: SchoolId,
    pub payment_id: PaymentId,
    pub seq: i64,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    pub name: String,
    pub collection_class: String,
    pub unit_name: String,
    pub quantity: String,
    #[sqlx(try_from = "i64")]
    pub unit_price: Vnd,
    pub document_rule: String,
    pub vat_rate: String,
    pub bill_code: String,
    pub pupil_name: String,
    pub pupil_code: String,
    pub class_name: String,
    pub payer_name: String,
    /// Of the guardian whose name the bill carries.
    pub payer_address: Option<String>,
}

/// What no document of this kind documents yet.
pub async fn undocumented(
    db: &Db,
    payments: &[(SchoolId, PaymentId)],
    kind: Kind,
) -> Result<Vec<AllocationRow>, StoreError> {
    db.sql(
        "SELECT a.school_id, a.payment_id, a.seq, a.amount, l.name, l.collection_class,
                l.unit_name, l.quantity, l.unit_price, l.document_rule, l.vat_rate,
                b.bill_code, b.pupil_name, b.pupil_code, b.class_name, b.payer_name,
                (SELECT MIN(g.address) FROM guardian g
                  WHERE g.school_id = b.school_id AND g.pupil_id = b.pupil_id
                    AND g.full_name = b.payer_name) AS payer_address
           FROM ROWS($1: school_id TEXT, payment_id TEXT) AS r
           JOIN allocation a ON a.school_id = r.school_id AND a.payment_id = r.payment_id
                            AND a.target = 'BILL_LINE' AND a.moved_on < a.amount
           JOIN fee_bill b ON b.school_id = a.school_id AND b.bill_id = a.bill_id
           JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                           AND l.line_no = a.line_no
          WHERE NOT EXISTS (SELECT 1 FROM invoice_line n
                             WHERE $2 = 'INVOICE' AND n.school_id = a.school_id
                               AND n.payment_id = a.payment_id AND n.seq = a.seq)
            AND NOT EXISTS (SELECT 1 FROM payment_receipt_line n
                             WHERE $2 = 'RECEIPT' AND n.school_id = a.school_id
                               AND n.payment_id = a.payment_id AND n.seq = a.seq)
            -- What a refund that failed brings back is documented if it was before.
            AND NOT EXISTS (
                SELECT 1 FROM money_move m
                  JOIN allocation e ON e.school_id = a.school_id AND e.payment_id = a.payment_id
                                   AND e.bill_id = a.bill_id AND e.line_no = a.line_no
                 WHERE m.school_id = a.school_id AND m.move_id = a.move_id
                   AND m.kind = 'REFUND_CANCELLED'
                   AND (EXISTS (SELECT 1 FROM invoice_line n
                                 WHERE $2 = 'INVOICE' AND n.school_id = e.school_id
                                   AND n.payment_id = e.payment_id AND n.seq = e.seq)
                        OR EXISTS (SELECT 1 FROM payment_receipt_line n
                                    WHERE $2 = 'RECEIPT' AND n.school_id = e.school_id
                                      AND n.payment_id = e.payment_id AND n.seq = e.seq)))
          ORDER BY a.school_id, a.payment_id, a.seq",
    )
    .bind(rows(payments))
    .bind(kind)
    .all()
    .await
}

/// One numbering of a school.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SeriesKey(pub SchoolId, pub String, pub String);

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SeriesRow {
    pub school_id: SchoolId,
    pub form: String,
    pub symbol: String,
    pub last_number: i64,
    pub last_day: Day,
}

/// Locks series until the transaction ends, making those that are new; answers where they stand.
/// Two issuers of one series therefore follow each other, and numbers have no gap.
pub async fn lock_series(
    tx: &mut Tx,
    keys: &[(SeriesKey, Day)],
) -> Result<Vec<SeriesRow>, StoreError> {
    let batch = rows(
        keys.iter()
            .map(|(SeriesKey(school, form, symbol), day)| (school, form, symbol, day)),
    );
    tx.sql(
        "INSERT INTO invoice_series (school_id, form, symbol, last_number, last_day)
         SELECT school_id, form, symbol, 0, day
           FROM ROWS($1: school_id TEXT, form TEXT, symbol TEXT, day DAY) AS r
          WHERE TRUE
          ORDER BY school_id, form, symbol
         ON CONFLICT DO NOTHING",
    )
    .bind(batch.clone())
    .run()
    .await?;
    tx.sql(
        "UPDATE invoice_series SET last_number = last_number
           FROM ROWS($1: school TEXT, of_form TEXT, of_symbol TEXT, day DAY) AS r
          WHERE school_id = r.school AND form = r.of_form AND symbol = r.of_symbol
         RETURNING school_id, form, symbol, last_number, last_day",
    )
    .bind(batch)
    .all()
    .await
}

pub async fn advance_series(
    tx: &mut Tx,
    series: &[(SeriesKey, i64, Day)],
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE invoice_series SET last_number = r.number, last_day = r.day
           FROM ROWS($1: school TEXT, of_form TEXT, of_symbol TEXT, number BIGINT, day DAY) AS r
          WHERE school_id = r.school AND form = r.of_form AND symbol = r.of_symbol",
    )
    .bind(rows(series.iter().map(
        |(SeriesKey(school, form, symbol), number, day)| (school, form, symbol, number, day),
    )))
    .run()
    .await?;
    Ok(())
}

/// What of the batch has an invoice by now, with it.
pub async fn invoiced(
    tx: &mut Tx,
    wanted: &[Wanted],
) -> Result<Vec<(SchoolId, PaymentId, String, InvoiceId)>, StoreError> {
    tx.sql(
        "SELECT i.school_id, i.payment_id, i.cause, i.invoice_id
           FROM ROWS($1: school_id TEXT, payment_id TEXT, cause TEXT) AS r
           JOIN invoice i ON i.school_id = r.school_id AND i.payment_id = r.payment_id
                         AND i.cause = r.cause AND i.related_id IS NULL",
    )
    .bind(rows(wanted))
    .all()
    .await
}

/// An invoice that has just been numbered.
#[derive(Clone, Debug)]
pub struct NewInvoice {
    pub school_id: SchoolId,
    pub invoice_id: InvoiceId,
    pub payment_id: PaymentId,
    pub cause: String,
    pub document: super::document::Document,
    /// The allocations it documents.
    pub allocations: Vec<(i64, Vnd)>,
}

pub async fn insert(tx: &mut Tx, invoices: &[NewInvoice]) -> Result<(), StoreError> {
    let added = tx
        .sql(
            "INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id,
                                  cause, state, issue_day, total, vat, lookup_code, document)
             SELECT school_id, invoice_id, form, symbol, number, format, payment_id,
                    cause, 'NUMBERED', issue_day, total, vat, lookup_code, document
               FROM ROWS($1: school_id TEXT, invoice_id TEXT, form TEXT, symbol TEXT, number BIGINT,
                         format TEXT, payment_id TEXT, cause TEXT, issue_day DAY, total BIGINT,
                         vat BIGINT, lookup_code TEXT, document TEXT) AS r",
        )
        .bind(rows(invoices.iter().map(|new| {
            let numbering = &new.document.numbering;
            (
                &new.school_id,
                &new.invoice_id,
                numbering.form,
                &numbering.symbol,
                numbering.number,
                numbering.format,
                &new.payment_id,
                &new.cause,
                numbering.issue_day,
                new.document.total,
                new.document.vat,
                &new.document.lookup_code,
                // The content holds plain values only; it always serialises.
                serde_json::to_string(&new.document).unwrap_or_default(),
            )
        })))
        .run()
        .await?;
    let lines: Vec<_> = invoices
        .iter()
        .flat_map(|new| {
            new.allocations.iter().map(|(seq, amount)| {
                (
                    &new.school_id,
                    &new.payment_id,
                    *seq,
                    &new.invoice_id,
                    *amount,
                )
            })
        })
        .collect();
    let wanted_lines = lines.len();
    let added_lines = tx
        .sql(
            "INSERT INTO invoice_line (school_id, payment_id, seq, invoice_id, amount)
             SELECT school_id, payment_id, seq, invoice_id, amount
               FROM ROWS($1: school_id TEXT, payment_id TEXT, seq BIGINT, invoice_id TEXT,
                         amount BIGINT) AS r",
        )
        .bind(rows(lines))
        .run()
        .await?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    if added != count(invoices.len()) || added_lines != count(wanted_lines) {
        return Err(StoreError::Contradiction(format!(
            "{added} invoices with {added_lines} lines written of {} and {wanted_lines}",
            invoices.len()
        )));
    }
    Ok(())
}

/// The stored content of invoices that wait for their signature.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NumberedRow {
    pub school_id: SchoolId,
    pub invoice_id: InvoiceId,
    pub document: String,
}

pub async fn numbered(
    db: &Db,
    invoices: &[(SchoolId, InvoiceId)],
) -> Result<Vec<NumberedRow>, StoreError> {
    db.sql(
        "SELECT i.school_id, i.invoice_id, i.document
           FROM ROWS($1: school_id TEXT, invoice_id TEXT) AS r
           JOIN invoice i ON i.school_id = r.school_id AND i.invoice_id = r.invoice_id
          WHERE i.state = 'NUMBERED'",
    )
    .bind(rows(invoices))
    .all()
    .await
}

/// Stores signed files of invoices that are still only numbered; answers which were.
pub async fn set_signed(
    tx: &mut Tx,
    signed: &[(SchoolId, InvoiceId, String)],
    now: Instant,
) -> Result<Vec<(SchoolId, InvoiceId)>, StoreError> {
    tx.sql(
        "UPDATE invoice SET state = 'SIGNED', xml = r.file, signed_at = $2
           FROM ROWS($1: school TEXT, invoice TEXT, file TEXT) AS r
          WHERE school_id = r.school AND invoice_id = r.invoice AND state = 'NUMBERED'
         RETURNING school_id, invoice_id",
    )
    .bind(rows(signed))
    .bind(now)
    .all()
    .await
}
