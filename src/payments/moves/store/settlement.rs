//! Lines by which intermediaries pay out.

use crate::clock::{Day, Instant};
use crate::ids::{PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx};

/// Compare-and-set: `false` when the payment is not [confirmed](crate::payments) any more.
pub(in crate::payments::moves) async fn mark_settled(
    tx: &mut Tx,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<bool, StoreError> {
    let changed = tx
        .sql(
            "UPDATE payment SET state = 'SETTLED'
              WHERE school_id = $1 AND payment_id = $2 AND state = 'CONFIRMED'",
        )
        .bind(school.clone())
        .bind(payment.clone())
        .run()
        .await?;
    Ok(changed == 1)
}

/// One line of an intermediary's settlement.
#[derive(Clone, Debug)]
pub(in crate::payments::moves) struct SettlementRow {
    pub school_id: SchoolId,
    pub provider: String,
    pub reference: String,
    pub payment_id: PaymentId,
    pub gross: Vnd,
    pub fee: Vnd,
    pub settled_day: Day,
    pub noted_by: String,
    pub noted_at: Instant,
}

/// `false` when the line was noted before.
pub(in crate::payments::moves) async fn insert_settlement(
    tx: &mut Tx,
    row: &SettlementRow,
) -> Result<bool, StoreError> {
    let added = tx
        .sql(
            "INSERT INTO settlement_line (school_id, provider, reference, payment_id, gross, fee,
                                          net, settled_day, noted_by, noted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING",
        )
        .bind(row.school_id.clone())
        .bind(row.provider.clone())
        .bind(row.reference.clone())
        .bind(row.payment_id.clone())
        .bind(row.gross.get())
        .bind(row.fee.get())
        .bind((row.gross - row.fee).get())
        .bind(row.settled_day)
        .bind(row.noted_by.clone())
        .bind(row.noted_at)
        .run()
        .await?;
    Ok(added == 1)
}

/// The payment and amounts of a settlement line noted before.
pub(in crate::payments::moves) async fn settlement(
    tx: &mut Tx,
    school: &SchoolId,
    provider: &str,
    reference: &str,
) -> Result<Option<(PaymentId, i64, i64)>, StoreError> {
    tx.sql(
        "SELECT payment_id, gross, fee FROM settlement_line
          WHERE school_id = $1 AND provider = $2 AND reference = $3",
    )
    .bind(school.clone())
    .bind(provider.to_owned())
    .bind(reference.to_owned())
    .optional()
    .await
}
