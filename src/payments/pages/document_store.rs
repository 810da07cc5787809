//! What documents the money of a payment, as an accountant sees it.

use crate::fees::pages::store::DocumentFile;
use crate::ids::{InvoiceId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError};

/// An invoice or a receipt that documents money of a payment.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PaymentDocument {
    /// As the archive names it: `INVOICE` or `RECEIPT`.
    pub shelf: String,
    pub subject_id: String,
    /// What an invoice is: `ORIGINAL`, `ADJUSTING`, `REPLACING`; `RECEIPT`.
    pub kind: String,
    /// `1C26TAA-128`, `PT26-15`.
    pub name: String,
    pub state: String,
    #[sqlx(try_from = "i64")]
    pub total: Vnd,
}

impl PaymentDocument {
    pub fn is_invoice(&self) -> bool {
        self.shelf == "INVOICE"
    }

    pub fn is_signed(&self) -> bool {
        self.state != "NUMBERED"
    }
}

/// Invoices with their corrections, then receipts; each as they were numbered.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn documents(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Vec<PaymentDocument>, StoreError> {
    db.sql(
        "SELECT 'INVOICE' AS shelf, invoice_id AS subject_id, kind,
                form || symbol || '-' || number AS name, state, total, symbol, number
           FROM invoice
          WHERE school_id = $1 AND payment_id = $2
          UNION ALL
         SELECT 'RECEIPT', receipt_id, 'RECEIPT', symbol || '-' || number, state, total, symbol, number
           FROM payment_receipt
          WHERE school_id = $1 AND payment_id = $2
          ORDER BY shelf, symbol, number",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .all()
    .await
}

/// The best file of an invoice of this school.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn invoice_file(
    db: &Db,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<Option<DocumentFile>, StoreError> {
    db.sql(
        "SELECT form || symbol AS symbol, number, COALESCE(coded_xml, xml) AS xml
           FROM invoice
          WHERE school_id = $1 AND invoice_id = $2",
    )
    .bind(school.clone())
    .bind(invoice.clone())
    .optional()
    .await
}
