//! Every SQL statement of invoices.

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

/// What no invoice documents yet.
pub async fn allocations(
    db: &Db,
    payments: &[(SchoolId, PaymentId)],
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
                             WHERE n.school_id = a.school_id AND n.payment_id = a.payment_id
                               AND n.seq = a.seq)
          ORDER BY a.school_id, a.payment_id, a.seq",
    )
    .bind(rows(payments))
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

/// What sending and collecting need of an invoice.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ExchangeRow {
    pub school_id: SchoolId,
    pub invoice_id: InvoiceId,
    pub symbol: String,
    pub format: String,
    pub state: InvoiceState,
    pub xml: Option<String>,
    pub message_id: Option<String>,
    pub carrier: Option<String>,
    /// 1 while the live message may have arrived without our knowing.
    pub uncertain: i64,
    pub sent_at: Option<Instant>,
    pub problem: Option<String>,
    pub tried_at: Option<Instant>,
    pub tax_code: String,
}

/// The message that alone may carry an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub message_id: String,
    pub carrier: String,
    /// It may have arrived without our knowing.
    pub uncertain: bool,
}

impl ExchangeRow {
    pub fn live(&self) -> Option<Live> {
        Some(Live {
            message_id: self.message_id.clone()?,
            carrier: self.carrier.clone().unwrap_or_default(),
            uncertain: self.uncertain == 1,
        })
    }
}

pub async fn for_exchange(
    db: &Db,
    invoices: &[(SchoolId, InvoiceId)],
) -> Result<Vec<ExchangeRow>, StoreError> {
    db.sql(
        "SELECT i.school_id, i.invoice_id, i.symbol, i.format, i.state, i.xml, i.message_id,
                m.carrier,
                CAST(CASE WHEN m.uncertain_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS uncertain,
                i.sent_at, i.problem, i.tried_at, s.tax_code
           FROM ROWS($1: school_id TEXT, invoice_id TEXT) AS r
           JOIN invoice i ON i.school_id = r.school_id AND i.invoice_id = r.invoice_id
           JOIN school s ON s.school_id = i.school_id
           LEFT JOIN invoice_message m ON m.school_id = i.school_id
                                      AND m.message_id = i.message_id",
    )
    .bind(rows(invoices))
    .all()
    .await
}

/// Writes a first or a next message down before it leaves; `false` when the invoice has a live one
/// or does not wait for one.
pub async fn begin_message(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    new: &Live,
    now: Instant,
) -> Result<bool, StoreError> {
    let begun = tx
        .sql(
            "INSERT INTO invoice_message (school_id, message_id, invoice_id, carrier, state,
                                          uncertain_at, made_at)
             SELECT i.school_id, $3, i.invoice_id, $4, 'LIVE', $5, $5
               FROM invoice i
              WHERE i.school_id = $1 AND i.invoice_id = $2 AND i.state = 'SIGNED'
                AND i.message_id IS NULL
             ON CONFLICT DO NOTHING",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .bind(new.message_id.clone())
        .bind(new.carrier.clone())
        .bind(now)
        .run()
        .await?;
    if begun == 0 {
        return Ok(false);
    }
    tx.sql(
        "UPDATE invoice SET message_id = $3, carrier = $4
          WHERE school_id = $1 AND invoice_id = $2",
    )
    .bind(school.clone())
    .bind(invoice.clone())
    .bind(new.message_id.clone())
    .bind(new.carrier.clone())
    .run()
    .await?;
    Ok(true)
}

/// Whether the live message may have arrived: noted before it is sent, taken back when it certainly
/// did not. `false` when it is not live any more.
pub async fn set_uncertain(
    tx: &mut Tx,
    school: &SchoolId,
    message: &str,
    at: Option<Instant>,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE invoice_message SET uncertain_at = $3
              WHERE school_id = $1 AND message_id = $2 AND state = 'LIVE'",
        )
        .bind(school.clone())
        .bind(message.to_owned())
        .bind(at)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Ends a live message that certainly did not arrive.
pub async fn void_message(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    message: &str,
    why: &str,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE invoice_message SET state = 'VOID', why_void = $3
              WHERE school_id = $1 AND message_id = $2 AND state = 'LIVE' AND uncertain_at IS NULL",
        )
        .bind(school.clone())
        .bind(message.to_owned())
        .bind(why.to_owned())
        .run()
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    tx.sql(
        "UPDATE invoice SET message_id = NULL, carrier = NULL
          WHERE school_id = $1 AND invoice_id = $2 AND message_id = $3",
    )
    .bind(school.clone())
    .bind(invoice.clone())
    .bind(message.to_owned())
    .run()
    .await?;
    Ok(true)
}

/// Earlier messages of an invoice, with their carriers.
pub async fn void_messages(
    db: &Db,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<Vec<(String, String)>, StoreError> {
    db.sql(
        "SELECT message_id, carrier FROM invoice_message
          WHERE school_id = $1 AND invoice_id = $2 AND state = 'VOID'
          ORDER BY made_at, message_id",
    )
    .bind(school.clone())
    .bind(invoice.clone())
    .all()
    .await
}

/// Notes what stands in the way, and since when something does.
pub async fn note_problem(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    problem: &str,
    now: Instant,
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE invoice SET problem = $3, tried_at = COALESCE(tried_at, $4)
          WHERE school_id = $1 AND invoice_id = $2 AND state IN ('SIGNED', 'SENT')",
    )
    .bind(school.clone())
    .bind(invoice.clone())
    .bind(problem.to_owned())
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// What must still reach the authority.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PendingRow {
    pub school_id: SchoolId,
    pub code: String,
    pub payment_id: PaymentId,
    pub invoice_id: Option<InvoiceId>,
    pub name: Option<String>,
    pub state: Option<InvoiceState>,
    pub issue_day: Day,
    pub problem: Option<String>,
    pub tried_at: Option<Instant>,
}

/// Invoices that the authority has not taken, and collections that still want one; by school, the
/// oldest first.
pub async fn pending(
    db: &Db,
    school: Option<&SchoolId>,
    limit: i64,
) -> Result<Vec<PendingRow>, StoreError> {
    db.sql(
        "SELECT i.school_id, u.code, i.payment_id, i.invoice_id,
                i.form || i.symbol || '-' || i.number AS name, i.state, i.issue_day,
                COALESCE(i.refusal, i.problem, j.last_error) AS problem, i.tried_at
           FROM invoice i
           JOIN org_unit u ON u.unit_id = i.school_id
           LEFT JOIN job j ON j.school_id = i.school_id AND j.subject = i.invoice_id
                          AND j.kind = CASE i.state WHEN 'NUMBERED' THEN 'invoice.sign'
                                                    WHEN 'SIGNED' THEN 'invoice.send'
                                                    ELSE 'invoice.collect' END
          WHERE i.state <> 'CODED' AND ($1 = '' OR i.school_id = $1)
          UNION ALL
         SELECT p.school_id, u.code, p.payment_id, NULL, NULL, NULL, p.paid_day, j.last_error,
                CASE WHEN j.last_error IS NULL THEN NULL ELSE p.received_at END
           FROM job j
           JOIN payment p ON p.school_id = j.school_id AND p.payment_id = j.subject
           JOIN org_unit u ON u.unit_id = p.school_id
          WHERE j.kind = 'invoice.issue' AND ($1 = '' OR j.school_id = $1)
            AND NOT EXISTS (SELECT 1 FROM invoice o
                             WHERE o.school_id = p.school_id AND o.payment_id = p.payment_id
                               AND o.related_id IS NULL AND o.cause = '')
          ORDER BY 1, 7, 3
          LIMIT $2",
    )
    .bind(school.map_or_else(String::new, ToString::to_string))
    .bind(limit)
    .all()
    .await
}

pub async fn set_sent(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    now: Instant,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE invoice SET state = 'SENT', sent_at = $3, problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND invoice_id = $2 AND state = 'SIGNED'",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// The carrier does not know the message: it must be sent once more, under the same id.
pub async fn set_unsent(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE invoice SET state = 'SIGNED', sent_at = NULL, problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND invoice_id = $2 AND state = 'SENT'",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .run()
        .await?;
    Ok(changed == 1)
}

/// The file with the authority's code, as received; both are absent for an accepted uncoded one.
pub async fn set_coded(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    coded: Option<(String, String)>,
    now: Instant,
) -> Result<bool, StoreError> {
    let (file, code) = coded.unzip();
    let changed = tx
        .sql(
            "UPDATE invoice SET state = 'CODED', coded_xml = $3, authority_code = $4, coded_at = $5,
                                problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND invoice_id = $2 AND state IN ('SIGNED', 'SENT')",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .bind(file)
        .bind(code)
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

pub async fn set_refused(
    tx: &mut Tx,
    school: &SchoolId,
    invoice: &InvoiceId,
    refusal: &str,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE invoice SET state = 'REFUSED', refusal = $3, problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND invoice_id = $2 AND state IN ('SIGNED', 'SENT')",
        )
        .bind(school.clone())
        .bind(invoice.clone())
        .bind(refusal.to_owned())
        .run()
        .await?;
    Ok(changed == 1)
}
