//! What a family's page reads.

use crate::clock::{Day, Instant};
use crate::fees::vocabulary::BillState;
use crate::ids::{BillId, ConnectionId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError};

/// A bill with what its school prints on it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Bill {
    pub school_id: SchoolId,
    pub bill_id: BillId,
    pub pupil_id: PupilId,
    pub bill_code: String,
    pub access_token: String,
    pub pupil_name: String,
    pub pupil_code: String,
    pub class_name: String,
    pub payer_name: String,
    pub title: String,
    pub state: BillState,
    #[sqlx(try_from = "i64")]
    pub gross: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_paid: Vnd,
    pub issued_day: Day,
    pub due_day: Day,
    pub settled_at: Option<Instant>,
    pub school_name: String,
    pub school_address: String,
    pub school_phone: Option<String>,
    pub bank_bin: String,
    pub bank_account: String,
    pub bank_account_name: String,
}

/// One line of a bill; `gross = state + province + school + due`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Line {
    pub line_no: i64,
    pub name: String,
    pub collection_class: String,
    pub calculation: String,
    pub unit_name: String,
    pub quantity: String,
    #[sqlx(try_from = "i64")]
    pub unit_price: Vnd,
    #[sqlx(try_from = "i64")]
    pub gross: Vnd,
    #[sqlx(try_from = "i64")]
    pub state_part: Vnd,
    #[sqlx(try_from = "i64")]
    pub province_part: Vnd,
    #[sqlx(try_from = "i64")]
    pub school_part: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_paid: Vnd,
    pub legal_basis: String,
}

/// A provider a family may pay through.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PayChoice {
    pub connection_id: ConnectionId,
    pub provider: String,
    pub display_name: String,
    pub channel: String,
}

/// An invoice or a receipt of money paid on a bill.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BillDocument {
    /// `RECEIPT`, or what the invoice is: `ORIGINAL`, `ADJUSTING`, `REPLACING`.
    pub kind: String,
    /// As it is printed: form and symbol of an invoice, the symbol of a receipt.
    pub symbol: String,
    pub number: i64,
    pub state: String,
    pub lookup_code: String,
}

impl BillDocument {
    pub fn is_receipt(&self) -> bool {
        self.kind == "RECEIPT"
    }

    pub fn is_signed(&self) -> bool {
        self.state != "NUMBERED"
    }

    /// The text that names it.
    pub fn label(&self) -> &'static str {
        match self.kind.as_str() {
            "RECEIPT" => "status-receipt",
            "ADJUSTING" => "status-adjusting",
            "REPLACING" => "status-replacing",
            _ => "status-invoice",
        }
    }
}

/// The bill behind an access token.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn by_token(db: &Db, token: &str) -> Result<Option<(SchoolId, BillId)>, StoreError> {
    db.sql("SELECT school_id, bill_id FROM fee_bill WHERE access_token = $1")
        .bind(token.to_owned())
        .optional()
        .await
}

/// The bill with this code.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn by_code(db: &Db, code: &str) -> Result<Option<(SchoolId, BillId)>, StoreError> {
    db.sql("SELECT school_id, bill_id FROM fee_bill WHERE bill_code = $1")
        .bind(code.to_owned())
        .optional()
        .await
}

/// One bill of one school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn bill(db: &Db, school: &SchoolId, bill: &BillId) -> Result<Option<Bill>, StoreError> {
    db.sql(
        "SELECT b.school_id, b.bill_id, b.pupil_id, b.bill_code, b.access_token, b.pupil_name,
                b.pupil_code, b.class_name, b.payer_name, b.title, b.state, b.gross, b.amount_due,
                b.amount_paid, b.issued_day, b.due_day, b.settled_at,
                u.name AS school_name, s.address AS school_address, s.phone AS school_phone,
                s.bank_bin, s.bank_account, s.bank_account_name
           FROM fee_bill b
           JOIN school s ON s.school_id = b.school_id
           JOIN org_unit u ON u.unit_id = b.school_id
          WHERE b.school_id = $1 AND b.bill_id = $2",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .optional()
    .await
}

/// In the order they were priced.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lines(db: &Db, school: &SchoolId, bill: &BillId) -> Result<Vec<Line>, StoreError> {
    db.sql(
        "SELECT line_no, name, collection_class, calculation, unit_name, quantity, unit_price,
                gross, state_part, province_part, school_part, amount_due, amount_paid, legal_basis
           FROM bill_line
          WHERE school_id = $1 AND bill_id = $2
          ORDER BY line_no",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .all()
    .await
}

/// Enabled providers that have a page of their own to pay on; bank transfers need none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pay_choices(db: &Db, school: &SchoolId) -> Result<Vec<PayChoice>, StoreError> {
    db.sql(
        "SELECT connection_id, provider, display_name, channel
           FROM provider_connection
          WHERE school_id = $1 AND state = 'ENABLED' AND channel IN ('GATEWAY', 'WALLET')
          ORDER BY display_name, connection_id",
    )
    .bind(school.clone())
    .all()
    .await
}

/// How the last try to pay through a provider stands.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LastAttempt {
    pub state: String,
    pub expires_at: Instant,
}

/// The last try to pay this bill through a provider, if there was one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn last_attempt(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
) -> Result<Option<LastAttempt>, StoreError> {
    db.sql(
        "SELECT state, expires_at FROM payment_attempt
          WHERE school_id = $1 AND bill_id = $2
          ORDER BY created_at DESC, attempt_id DESC
          LIMIT 1",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .optional()
    .await
}

/// Invoices and receipts of what was paid on this bill: invoices first, oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn documents(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
) -> Result<Vec<BillDocument>, StoreError> {
    db.sql(
        "SELECT DISTINCT i.kind, i.form || i.symbol AS symbol, i.number, i.state, i.lookup_code,
                0 AS place
           FROM allocation a
           JOIN invoice i ON i.school_id = a.school_id AND i.payment_id = a.payment_id
          WHERE a.school_id = $1 AND a.bill_id = $2
          UNION ALL
         SELECT DISTINCT 'RECEIPT', d.symbol, d.number, d.state, d.lookup_code, 1
           FROM allocation a
           JOIN payment_receipt_line l ON l.school_id = a.school_id AND l.payment_id = a.payment_id
                                      AND l.seq = a.seq
           JOIN payment_receipt d ON d.school_id = l.school_id AND d.receipt_id = l.receipt_id
          WHERE a.school_id = $1 AND a.bill_id = $2
          ORDER BY place, symbol, number",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .all()
    .await
}

/// The best file of a document: with the authority's code when it has come, else as signed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DocumentFile {
    /// As it is printed.
    pub symbol: String,
    pub number: i64,
    pub xml: Option<String>,
}

/// An invoice or a receipt that belongs to this bill.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn document_file(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
    lookup_code: &str,
) -> Result<Option<DocumentFile>, StoreError> {
    db.sql(
        "SELECT i.form || i.symbol AS symbol, i.number, COALESCE(i.coded_xml, i.xml) AS xml
           FROM invoice i
          WHERE i.school_id = $1 AND i.lookup_code = $3
            AND EXISTS (SELECT 1 FROM allocation a
                         WHERE a.school_id = i.school_id AND a.payment_id = i.payment_id
                           AND a.bill_id = $2)
          UNION ALL
         SELECT d.symbol, d.number, d.xml
           FROM payment_receipt d
          WHERE d.school_id = $1 AND d.lookup_code = $3
            AND EXISTS (SELECT 1 FROM payment_receipt_line l
                          JOIN allocation a ON a.school_id = l.school_id
                                           AND a.payment_id = l.payment_id AND a.seq = l.seq
                         WHERE l.school_id = d.school_id AND l.receipt_id = d.receipt_id
                           AND a.bill_id = $2)",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .bind(lookup_code.to_owned())
    .optional()
    .await
}
