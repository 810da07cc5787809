//! Every SQL statement of declarations.

use crate::clock::{Day, Instant};
use crate::ids::{DeclarationId, InvoiceId, SchoolId};
use crate::store::{Db, StoreError, Tx, rows};
use crate::stored_as_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Registration,
    ErrorNotice,
}
stored_as_text!(Kind { Registration = "REGISTRATION", ErrorNotice = "ERROR_NOTICE" });

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Signed,
    Sent,
    /// A registration that is examined.
    Admitted,
    Accepted,
    Refused,
}
stored_as_text!(State {
    Signed = "SIGNED",
    Sent = "SENT",
    Admitted = "ADMITTED",
    Accepted = "ACCEPTED",
    Refused = "REFUSED",
});

/// A declaration as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    pub school_id: SchoolId,
    pub declaration_id: DeclarationId,
    pub kind: Kind,
    pub state: State,
    pub format: String,
    pub document: String,
    pub xml: String,
    pub message_id: Option<String>,
    pub carrier: Option<String>,
    pub problem: Option<String>,
    pub tried_at: Option<Instant>,
    pub refusal: Option<String>,
    pub made_by: String,
    pub made_at: Instant,
    pub sent_at: Option<Instant>,
    pub tax_code: String,
}

pub async fn find(
    db: &Db,
    school: &SchoolId,
    declaration: &DeclarationId,
) -> Result<Option<Row>, StoreError> {
    db.sql(
        "SELECT d.school_id, d.declaration_id, d.kind, d.state, d.format, d.document, d.xml,
                d.message_id, d.carrier, d.problem, d.tried_at, d.refusal, d.made_by, d.made_at,
                d.sent_at, s.tax_code
           FROM tax_declaration d JOIN school s ON s.school_id = d.school_id
          WHERE d.school_id = $1 AND d.declaration_id = $2",
    )
    .bind(school.clone())
    .bind(declaration.clone())
    .optional()
    .await
}

/// The declaration that a form made before.
pub async fn by_request(
    tx: &mut Tx,
    school: &SchoolId,
    kind: Kind,
    request: &str,
) -> Result<Option<DeclarationId>, StoreError> {
    let found: Option<(DeclarationId,)> = tx
        .sql(
            "SELECT declaration_id FROM tax_declaration
              WHERE school_id = $1 AND kind = $2 AND request = $3",
        )
        .bind(school.clone())
        .bind(kind)
        .bind(request.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(declaration,)| declaration))
}

/// A signed declaration.
#[derive(Clone, Debug)]
pub struct New {
    pub school_id: SchoolId,
    pub declaration_id: DeclarationId,
    pub kind: Kind,
    pub request: String,
    pub format: &'static str,
    pub document: String,
    pub xml: String,
    /// Of a notice: its invoices and what is wrong with them.
    pub invoices: Vec<(InvoiceId, String)>,
    pub made_by: String,
    pub made_at: Instant,
}

pub async fn insert(tx: &mut Tx, new: &New) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO tax_declaration (school_id, declaration_id, kind, request, state, format,
                                      document, xml, made_by, made_at)
         VALUES ($1, $2, $3, $4, 'SIGNED', $5, $6, $7, $8, $9)",
    )
    .bind(new.school_id.clone())
    .bind(new.declaration_id.clone())
    .bind(new.kind)
    .bind(new.request.clone())
    .bind(new.format.to_owned())
    .bind(new.document.clone())
    .bind(new.xml.clone())
    .bind(new.made_by.clone())
    .bind(new.made_at)
    .run()
    .await?;
    let places = (1_i64..)
        .zip(&new.invoices)
        .map(|(place, (invoice, why))| (&new.school_id, &new.declaration_id, place, invoice, why));
    tx.sql(
        "INSERT INTO tax_declaration_invoice (school_id, declaration_id, place, invoice_id, why)
         SELECT school_id, declaration_id, place, invoice_id, why
           FROM ROWS($1: school_id TEXT, declaration_id TEXT, place BIGINT, invoice_id TEXT,
                     why TEXT) AS r",
    )
    .bind(rows(places))
    .run()
    .await?;
    Ok(())
}

/// Fixes message and carrier before anything is sent; what is fixed stays.
pub async fn fix_message(
    tx: &mut Tx,
    school: &SchoolId,
    declaration: &DeclarationId,
    message: &str,
    carrier: &str,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE tax_declaration SET message_id = $3, carrier = $4
              WHERE school_id = $1 AND declaration_id = $2 AND state = 'SIGNED'
                AND message_id IS NULL",
        )
        .bind(school.clone())
        .bind(declaration.clone())
        .bind(message.to_owned())
        .bind(carrier.to_owned())
        .run()
        .await?;
    Ok(changed == 1)
}

pub async fn set_sent(
    tx: &mut Tx,
    school: &SchoolId,
    declaration: &DeclarationId,
    now: Instant,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE tax_declaration
                SET state = 'SENT', sent_at = $3, problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND declaration_id = $2 AND state = 'SIGNED'",
        )
        .bind(school.clone())
        .bind(declaration.clone())
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// The carrier does not know the message: it is sent once more, under the same id.
pub async fn set_unsent(
    tx: &mut Tx,
    school: &SchoolId,
    declaration: &DeclarationId,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE tax_declaration SET state = 'SIGNED', sent_at = NULL
              WHERE school_id = $1 AND declaration_id = $2 AND state = 'SENT'",
        )
        .bind(school.clone())
        .bind(declaration.clone())
        .run()
        .await?;
    Ok(changed == 1)
}

pub async fn set_admitted(
    tx: &mut Tx,
    school: &SchoolId,
    declaration: &DeclarationId,
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE tax_declaration SET state = 'ADMITTED'
          WHERE school_id = $1 AND declaration_id = $2 AND state = 'SENT'",
    )
    .bind(school.clone())
    .bind(declaration.clone())
    .run()
    .await?;
    Ok(())
}

pub async fn note_problem(
    tx: &mut Tx,
    school: &SchoolId,
    declaration: &DeclarationId,
    problem: &str,
    now: Instant,
) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE tax_declaration SET problem = $3, tried_at = COALESCE(tried_at, $4)
          WHERE school_id = $1 AND declaration_id = $2 AND concluded_at IS NULL",
    )
    .bind(school.clone())
    .bind(declaration.clone())
    .bind(problem.to_owned())
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// How a declaration ended.
#[derive(Clone, Debug)]
pub struct End {
    pub state: State,
    pub refusal: Option<String>,
    /// Of a notice: symbol and number, whether the authority agreed, and its words.
    pub verdicts: Vec<(String, i64, &'static str, String)>,
}

pub async fn conclude(
    tx: &mut Tx,
    school: &SchoolId,
    declaration: &DeclarationId,
    end: &End,
    now: Instant,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE tax_declaration
                SET state = $3, refusal = $4, concluded_at = $5, problem = NULL, tried_at = NULL
              WHERE school_id = $1 AND declaration_id = $2 AND concluded_at IS NULL",
        )
        .bind(school.clone())
        .bind(declaration.clone())
        .bind(end.state)
        .bind(end.refusal.clone())
        .bind(now)
        .run()
        .await?;
    for (symbol, number, verdict, text) in &end.verdicts {
        tx.sql(
            "UPDATE tax_declaration_invoice SET verdict = $5, verdict_text = $6
              WHERE school_id = $1 AND declaration_id = $2
                AND invoice_id IN (SELECT i.invoice_id FROM invoice i
                                    WHERE i.school_id = $1 AND i.symbol = $3 AND i.number = $4)",
        )
        .bind(school.clone())
        .bind(declaration.clone())
        .bind(symbol.clone())
        .bind(*number)
        .bind((*verdict).to_owned())
        .bind(text.clone())
        .run()
        .await?;
    }
    Ok(changed == 1)
}

/// An invoice that a notice names.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Named {
    pub invoice_id: InvoiceId,
    pub form: String,
    pub symbol: String,
    pub number: i64,
    pub issue_day: Day,
    pub authority_code: Option<String>,
    pub state: String,
}

pub async fn named(
    db: &Db,
    school: &SchoolId,
    invoices: &[InvoiceId],
) -> Result<Vec<Named>, StoreError> {
    db.sql(
        "SELECT i.invoice_id, i.form, i.symbol, i.number, i.issue_day, i.authority_code, i.state
           FROM ROWS($1: invoice TEXT) AS r
           JOIN invoice i ON i.school_id = $2 AND i.invoice_id = r.invoice",
    )
    .bind(rows(invoices.iter().map(|invoice| (invoice,))))
    .bind(school.clone())
    .all()
    .await
}

/// A declaration in the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Listed {
    pub declaration_id: DeclarationId,
    pub kind: Kind,
    pub state: State,
    pub made_at: Instant,
    pub problem: Option<String>,
    pub refusal: Option<String>,
    /// Symbols and numbers of a notice's invoices; empty for a registration.
    pub invoices: String,
}

/// Declarations of a school, newest first.
pub async fn list(db: &Db, school: &SchoolId, limit: i64) -> Result<Vec<Listed>, StoreError> {
    db.sql_by_engine(
        "SELECT d.declaration_id, d.kind, d.state, d.made_at, d.problem, d.refusal,
                COALESCE((SELECT group_concat(i.form || i.symbol || '-' || i.number, ', ')
                            FROM tax_declaration_invoice n
                            JOIN invoice i ON i.school_id = n.school_id
                                          AND i.invoice_id = n.invoice_id
                           WHERE n.school_id = d.school_id
                             AND n.declaration_id = d.declaration_id), '') AS invoices
           FROM tax_declaration d
          WHERE d.school_id = $1
          ORDER BY d.made_at DESC, d.declaration_id DESC
          LIMIT $2",
        "SELECT d.declaration_id, d.kind, d.state, d.made_at, d.problem, d.refusal,
                COALESCE((SELECT string_agg(i.form || i.symbol || '-' || i.number, ', ')
                            FROM tax_declaration_invoice n
                            JOIN invoice i ON i.school_id = n.school_id
                                          AND i.invoice_id = n.invoice_id
                           WHERE n.school_id = d.school_id
                             AND n.declaration_id = d.declaration_id), '') AS invoices
           FROM tax_declaration d
          WHERE d.school_id = $1
          ORDER BY d.made_at DESC, d.declaration_id DESC
          LIMIT $2",
    )
    .bind(school.clone())
    .bind(limit)
    .all()
    .await
}
