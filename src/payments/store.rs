//! Statements of checkout; those of posting are in `posting_store`.

use super::service::OpenCode;
use crate::clock::{Day, Instant};
use crate::ids::{AttemptId, BillId, ConnectionId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx};

/// A bill as checkout needs it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PayableBill {
    pub school_id: SchoolId,
    pub bill_id: BillId,
    pub bill_code: String,
    pub state: String,
    #[sqlx(try_from = "i64")]
    pub amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    pub amount_paid: Vnd,
}

/// The bill behind a link token or a bill code.
pub(super) async fn payable_bill(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<PayableBill>, StoreError> {
    tx.sql(
        "SELECT school_id, bill_id, bill_code, state, amount_due, amount_paid
           FROM fee_bill WHERE access_token = $1 OR bill_code = $1",
    )
    .bind(key.to_owned())
    .optional()
    .await
}

/// The bill of a school by its identifier.
pub(super) async fn bill(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
) -> Result<Option<PayableBill>, StoreError> {
    db.sql(
        "SELECT school_id, bill_id, bill_code, state, amount_due, amount_paid
           FROM fee_bill WHERE school_id = $1 AND bill_id = $2",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .optional()
    .await
}

#[derive(Clone, Debug)]
pub(super) struct NewAttempt {
    pub school_id: SchoolId,
    pub attempt_id: AttemptId,
    pub connection_id: ConnectionId,
    pub order_ref: String,
    pub bill_id: BillId,
    pub amount: Vnd,
    pub created_at: Instant,
    pub expires_at: Instant,
}

pub(super) async fn insert_attempt(tx: &mut Tx, new: &NewAttempt) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO payment_attempt
                (school_id, attempt_id, connection_id, order_ref, bill_id, amount, state,
                 created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'WAITING', $7, $8)",
    )
    .bind(new.school_id.clone())
    .bind(new.attempt_id.clone())
    .bind(new.connection_id.clone())
    .bind(new.order_ref.clone())
    .bind(new.bill_id.clone())
    .bind(new.amount.get())
    .bind(new.created_at)
    .bind(new.expires_at)
    .run()
    .await?;
    Ok(())
}

/// Where the payer of a payment that is under way goes, or what is scanned: of the same bill,
/// connection and amount, with time left until `open_at`.
pub(super) async fn open_way(
    tx: &mut Tx,
    bill: &PayableBill,
    connection: &ConnectionId,
    amount: Vnd,
    open_at: Instant,
) -> Result<Option<(Option<String>, Option<String>)>, StoreError> {
    tx.sql(
        "SELECT f.pay_address, f.pay_qr
           FROM payment_attempt a
           JOIN provider_flow f ON f.school_id = a.school_id AND f.kind = 'PAYMENT'
            AND f.subject = a.attempt_id
          WHERE a.school_id = $1 AND a.bill_id = $2 AND a.connection_id = $3 AND a.amount = $4
            AND a.state = 'WAITING' AND f.state = 'PENDING'
            AND COALESCE(f.pay_address, f.pay_qr) IS NOT NULL AND f.expires_at > $5
          ORDER BY a.attempt_id DESC LIMIT 1",
    )
    .bind(bill.school_id.clone())
    .bind(bill.bill_id.clone())
    .bind(connection.clone())
    .bind(amount.get())
    .bind(open_at)
    .optional()
    .await
}

/// The code of a payment that is under way for the bill behind a link token or a bill code.
pub(super) async fn open_code(
    db: &Db,
    key: &str,
    connection: &ConnectionId,
    now: Instant,
) -> Result<Option<OpenCode>, StoreError> {
    db.sql(
        "SELECT f.pay_qr AS text, a.amount
           FROM fee_bill b
           JOIN payment_attempt a ON a.school_id = b.school_id AND a.bill_id = b.bill_id
           JOIN provider_flow f ON f.school_id = a.school_id AND f.kind = 'PAYMENT'
            AND f.subject = a.attempt_id
          WHERE (b.access_token = $1 OR b.bill_code = $1) AND a.connection_id = $2
            AND a.state = 'WAITING' AND f.state = 'PENDING' AND f.pay_qr IS NOT NULL
            AND f.pay_address IS NULL AND f.expires_at > $3
          ORDER BY a.attempt_id DESC LIMIT 1",
    )
    .bind(key.to_owned())
    .bind(connection.clone())
    .bind(now)
    .optional()
    .await
}

/// The link token of the bill that an order of this school was made for.
pub(super) async fn token_of_order(
    db: &Db,
    school: &SchoolId,
    order_ref: &str,
) -> Result<Option<String>, StoreError> {
    let found: Option<(String,)> = db
        .sql(
            "SELECT b.access_token
               FROM payment_attempt a
               JOIN fee_bill b ON b.school_id = a.school_id AND b.bill_id = a.bill_id
              WHERE a.school_id = $1 AND a.order_ref = $2",
        )
        .bind(school.clone())
        .bind(order_ref.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(token,)| token))
}

/// Whether this movement is already a payment.
pub(super) async fn has_payment(
    db: &Db,
    school: &SchoolId,
    provider: &str,
    transaction_id: &str,
) -> Result<bool, StoreError> {
    let found: Option<(i64,)> = db
        .sql(
            "SELECT amount FROM payment
              WHERE school_id = $1 AND provider = $2 AND transaction_id = $3",
        )
        .bind(school.clone())
        .bind(provider.to_owned())
        .bind(transaction_id.to_owned())
        .optional()
        .await?;
    Ok(found.is_some())
}

/// A bill as a bank's customer sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct OwedBill {
    pub bill_id: BillId,
    pub bill_code: String,
    pub title: String,
    pub pupil_name: String,
    pub class_name: String,
    pub school_name: String,
    pub amount_due: i64,
    pub amount_paid: i64,
    pub due_day: Day,
}

impl OwedBill {
    pub fn open(&self) -> i64 {
        self.amount_due - self.amount_paid
    }
}

/// The bill of a code, open or not; none when it was cancelled or is another school's.
pub(super) async fn owed_by_code(
    db: &Db,
    school: &SchoolId,
    code: &str,
) -> Result<Vec<OwedBill>, StoreError> {
    db.sql(
        "SELECT b.bill_id, b.bill_code, b.title, b.pupil_name, b.class_name, u.name AS school_name,
                b.amount_due, b.amount_paid, b.due_day
           FROM fee_bill b JOIN org_unit u ON u.unit_id = b.school_id
          WHERE b.school_id = $1 AND b.bill_code = $2 AND b.state <> 'CANCELLED'",
    )
    .bind(school.clone())
    .bind(code.to_owned())
    .all()
    .await
}

/// Open bills of the pupil of a code, the oldest first.
pub(super) async fn owed_by_pupil(
    db: &Db,
    school: &SchoolId,
    pupil_code: &str,
) -> Result<Vec<OwedBill>, StoreError> {
    db.sql(
        "SELECT b.bill_id, b.bill_code, b.title, b.pupil_name, b.class_name, u.name AS school_name,
                b.amount_due, b.amount_paid, b.due_day
           FROM pupil p
           JOIN fee_bill b ON b.school_id = p.school_id AND b.pupil_id = p.pupil_id
           JOIN org_unit u ON u.unit_id = b.school_id
          WHERE p.school_id = $1 AND p.code = $2 AND b.state IN ('OPEN', 'PARTIAL')
          ORDER BY b.due_day, b.bill_id LIMIT 24",
    )
    .bind(school.clone())
    .bind(pupil_code.to_owned())
    .all()
    .await
}

/// Whether a pupil of this school has this code.
pub(super) async fn is_pupil(
    db: &Db,
    school: &SchoolId,
    pupil_code: &str,
) -> Result<bool, StoreError> {
    let found: Option<(String,)> = db
        .sql("SELECT pupil_id FROM pupil WHERE school_id = $1 AND code = $2")
        .bind(school.clone())
        .bind(pupil_code.to_owned())
        .optional()
        .await?;
    Ok(found.is_some())
}
