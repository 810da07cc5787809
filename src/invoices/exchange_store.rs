//! Statements of the exchange with the authority: the live message of an invoice, and what came of it.

use super::store::InvoiceState;
use crate::clock::{Day, Instant};
use crate::ids::{InvoiceId, PaymentId, SchoolId};
use crate::store::{Db, StoreError, Tx, rows};

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
