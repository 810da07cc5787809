//! Every SQL statement of payment receipts.

use super::receipt::Receipt;
use super::store::PaymentRow;
use crate::clock::Instant;
use crate::ids::{PaymentId, ReceiptId, SchoolId};
use crate::store::{Db, StoreError, Tx, rows};

/// Payments of a batch, each with the receipt it has.
pub async fn payments(
    db: &Db,
    wanted: &[(SchoolId, PaymentId)],
) -> Result<Vec<ReceiptedRow>, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id, p.channel, p.paid_at, p.paid_day,
                NULL AS invoice_id, NULL AS state,
                d.receipt_id, d.state AS receipt_state
           FROM ROWS($1: school_id TEXT, payment_id TEXT) AS r
           JOIN payment p ON p.school_id = r.school_id AND p.payment_id = r.payment_id
           LEFT JOIN payment_receipt d ON d.school_id = p.school_id
                                      AND d.payment_id = p.payment_id",
    )
    .bind(rows(wanted))
    .all()
    .await
}

/// A payment that may want a receipt, and the receipt it has already.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReceiptedRow {
    #[sqlx(flatten)]
    pub payment: PaymentRow,
    pub receipt_id: Option<ReceiptId>,
    pub receipt_state: Option<String>,
}

/// Payments of the batch that have a receipt by now, with it.
pub async fn receipted(
    tx: &mut Tx,
    payments: &[(SchoolId, PaymentId)],
) -> Result<Vec<(SchoolId, PaymentId, ReceiptId)>, StoreError> {
    tx.sql(
        "SELECT d.school_id, d.payment_id, d.receipt_id
           FROM ROWS($1: school_id TEXT, payment_id TEXT) AS r
           JOIN payment_receipt d ON d.school_id = r.school_id AND d.payment_id = r.payment_id",
    )
    .bind(rows(payments))
    .all()
    .await
}

/// A receipt that has just been numbered.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    pub school_id: SchoolId,
    pub receipt_id: ReceiptId,
    pub payment_id: PaymentId,
    pub receipt: Receipt,
}

pub async fn insert(tx: &mut Tx, receipts: &[NewReceipt]) -> Result<(), StoreError> {
    let added = tx
        .sql(
            "INSERT INTO payment_receipt (school_id, receipt_id, form, symbol, number, payment_id,
                                          state, issue_day, total, lookup_code, document)
             SELECT school_id, receipt_id, form, symbol, number, payment_id,
                    'NUMBERED', issue_day, total, lookup_code, document
               FROM ROWS($1: school_id TEXT, receipt_id TEXT, form TEXT, symbol TEXT, number BIGINT,
                         payment_id TEXT, issue_day DAY, total BIGINT, lookup_code TEXT,
                         document TEXT) AS r",
        )
        .bind(rows(receipts.iter().map(|new| {
            (
                &new.school_id,
                &new.receipt_id,
                super::receipt::FORM,
                &new.receipt.symbol,
                new.receipt.number,
                &new.payment_id,
                new.receipt.issue_day,
                new.receipt.total,
                &new.receipt.lookup_code,
                // The content holds plain values only; it always serialises.
                serde_json::to_string(&new.receipt).unwrap_or_default(),
            )
        })))
        .run()
        .await?;
    if added != u64::try_from(receipts.len()).unwrap_or(u64::MAX) {
        return Err(StoreError::Contradiction(format!(
            "{added} receipts written of {}",
            receipts.len()
        )));
    }
    Ok(())
}

/// The stored content of receipts that wait for their signature.
pub async fn numbered(
    db: &Db,
    receipts: &[(SchoolId, ReceiptId)],
) -> Result<Vec<(SchoolId, ReceiptId, String)>, StoreError> {
    db.sql(
        "SELECT d.school_id, d.receipt_id, d.document
           FROM ROWS($1: school_id TEXT, receipt_id TEXT) AS r
           JOIN payment_receipt d ON d.school_id = r.school_id AND d.receipt_id = r.receipt_id
          WHERE d.state = 'NUMBERED'",
    )
    .bind(rows(receipts))
    .all()
    .await
}

/// Stores signed files of receipts that are still only numbered; answers which.
pub async fn set_signed(
    tx: &mut Tx,
    signed: &[(SchoolId, ReceiptId, String)],
    now: Instant,
) -> Result<Vec<(SchoolId, ReceiptId)>, StoreError> {
    tx.sql(
        "UPDATE payment_receipt SET state = 'SIGNED', xml = r.file, signed_at = $2
           FROM ROWS($1: school TEXT, receipt TEXT, file TEXT) AS r
          WHERE school_id = r.school AND receipt_id = r.receipt AND state = 'NUMBERED'
         RETURNING school_id, receipt_id",
    )
    .bind(rows(signed))
    .bind(now)
    .all()
    .await
}
