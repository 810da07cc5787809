//! Every SQL statement of payment receipts.

use super::receipt::Receipt;
use super::store::{PaymentRow, Wanted};
use crate::clock::Instant;
use crate::ids::{PaymentId, ReceiptId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx, rows};

/// Payments of a batch, each with the receipt it has.
pub async fn payments(db: &Db, wanted: &[Wanted]) -> Result<Vec<ReceiptedRow>, StoreError> {
    db.sql(
        "SELECT p.school_id, p.payment_id, r.cause, p.channel, p.paid_at, p.paid_day,
                NULL AS invoice_id, NULL AS state,
                d.receipt_id, d.state AS receipt_state
           FROM ROWS($1: school_id TEXT, payment_id TEXT, cause TEXT) AS r
           JOIN payment p ON p.school_id = r.school_id AND p.payment_id = r.payment_id
           LEFT JOIN payment_receipt d ON d.school_id = p.school_id
                                      AND d.payment_id = p.payment_id AND d.cause = r.cause",
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

/// What of the batch has a receipt by now, with it.
pub async fn receipted(
    tx: &mut Tx,
    wanted: &[Wanted],
) -> Result<Vec<(SchoolId, PaymentId, String, ReceiptId)>, StoreError> {
    tx.sql(
        "SELECT d.school_id, d.payment_id, d.cause, d.receipt_id
           FROM ROWS($1: school_id TEXT, payment_id TEXT, cause TEXT) AS r
           JOIN payment_receipt d ON d.school_id = r.school_id AND d.payment_id = r.payment_id
                                 AND d.cause = r.cause",
    )
    .bind(rows(wanted))
    .all()
    .await
}

/// A receipt that has just been numbered.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    pub school_id: SchoolId,
    pub receipt_id: ReceiptId,
    pub payment_id: PaymentId,
    pub cause: String,
    pub receipt: Receipt,
    /// The allocations it documents.
    pub allocations: Vec<(i64, Vnd)>,
}

pub async fn insert(tx: &mut Tx, receipts: &[NewReceipt]) -> Result<(), StoreError> {
    let added = tx
        .sql(
            "INSERT INTO payment_receipt (school_id, receipt_id, form, symbol, number, payment_id,
                                          cause, state, issue_day, total, lookup_code, document)
             SELECT school_id, receipt_id, form, symbol, number, payment_id,
                    cause, 'NUMBERED', issue_day, total, lookup_code, document
               FROM ROWS($1: school_id TEXT, receipt_id TEXT, form TEXT, symbol TEXT, number BIGINT,
                         payment_id TEXT, cause TEXT, issue_day DAY, total BIGINT,
                         lookup_code TEXT, document TEXT) AS r",
        )
        .bind(rows(receipts.iter().map(|new| {
            (
                &new.school_id,
                &new.receipt_id,
                super::receipt::FORM,
                &new.receipt.symbol,
                new.receipt.number,
                &new.payment_id,
                &new.cause,
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
    let lines = receipts.iter().flat_map(|new| {
        new.allocations.iter().map(|(seq, amount)| {
            (
                &new.school_id,
                &new.payment_id,
                *seq,
                &new.receipt_id,
                *amount,
            )
        })
    });
    tx.sql(
        "INSERT INTO payment_receipt_line (school_id, payment_id, seq, receipt_id, amount)
         SELECT school_id, payment_id, seq, receipt_id, amount
           FROM ROWS($1: school_id TEXT, payment_id TEXT, seq BIGINT, receipt_id TEXT,
                     amount BIGINT) AS r",
    )
    .bind(rows(lines))
    .run()
    .await?;
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
