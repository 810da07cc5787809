//! Every SQL statement of movements.

mod effects;
mod lots;
mod settlement;

use super::rules::MoveKind;
use crate::clock::{Day, Instant};
use crate::ids::{BillId, MoveId, PaymentId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::payments::books::Channel;
use crate::store::{StoreError, Tx, rows};

pub(in crate::payments::moves) use effects::{Head, on_bills_before, write};
pub(crate) use lots::{lots_of_credit, lots_of_line, lots_of_payment, pieces_out};
pub(in crate::payments::moves) use settlement::{
    SettlementRow, insert_settlement, mark_settled, settlement,
};

/// A payment as reversal and settlement need it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct PaymentFacts {
    pub payment_id: PaymentId,
    pub provider: String,
    pub channel: Channel,
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
    #[sqlx(try_from = "i64")]
    pub taken_back: Vnd,
    pub paid_day: Day,
    /// Its entry in the journal.
    pub entry_seq: Option<i64>,
}

pub(crate) async fn payment(
    tx: &mut Tx,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Option<PaymentFacts>, StoreError> {
    tx.sql(
        "SELECT p.payment_id, p.provider, p.channel, p.amount, p.taken_back, p.paid_day,
                e.seq AS entry_seq
           FROM payment p
           LEFT JOIN journal_entry e ON e.school_id = p.school_id
                                    AND e.kind = 'PAYMENT_RECEIVED' AND e.source_id = p.payment_id
          WHERE p.school_id = $1 AND p.payment_id = $2",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .optional()
    .await
}

/// A movement that was asked for before, with its amount.
pub(crate) async fn known(
    tx: &mut Tx,
    school: &SchoolId,
    kind: MoveKind,
    request: &str,
) -> Result<Option<(MoveId, i64)>, StoreError> {
    tx.sql(
        "SELECT move_id, amount FROM money_move
          WHERE school_id = $1 AND kind = $2 AND request = $3",
    )
    .bind(school.clone())
    .bind(kind)
    .bind(request.to_owned())
    .optional()
    .await
}

/// State of parked money, and who dealt with it when.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct SuspenseFacts {
    pub state: String,
    pub resolved_by: Option<String>,
    pub resolved_at: Option<Instant>,
}

pub(super) async fn suspense(
    tx: &mut Tx,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Option<SuspenseFacts>, StoreError> {
    tx.sql(
        "SELECT state, resolved_by, resolved_at FROM suspense_item
          WHERE school_id = $1 AND payment_id = $2",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .optional()
    .await
}

/// Bills of this school by code or identifier; what is not there is left out.
pub(super) async fn bills_named(
    tx: &mut Tx,
    school: &SchoolId,
    named: &[String],
) -> Result<Vec<(String, BillId)>, StoreError> {
    tx.sql(
        "WITH asked AS (SELECT r.name FROM ROWS($2: name TEXT) AS r)
         SELECT asked.name, b.bill_id
           FROM asked
           JOIN fee_bill b ON b.bill_code = asked.name
          WHERE b.school_id = $1
         UNION
         SELECT asked.name, b.bill_id
           FROM asked
           JOIN fee_bill b ON b.school_id = $1 AND b.bill_id = asked.name",
    )
    .bind(school.clone())
    .bind(rows(named.iter().map(|name| (name,))))
    .all()
    .await
}

pub(super) async fn pupil_by_code(
    tx: &mut Tx,
    school: &SchoolId,
    code: &str,
) -> Result<Option<PupilId>, StoreError> {
    let found: Option<(PupilId,)> = tx
        .sql("SELECT pupil_id FROM pupil WHERE school_id = $1 AND code = $2")
        .bind(school.clone())
        .bind(code.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(pupil,)| pupil))
}

/// Open bills of a round whose pupil has credit.
pub(super) async fn bills_with_credit(
    tx: &mut Tx,
    school: &SchoolId,
    round: &str,
) -> Result<Vec<BillId>, StoreError> {
    let found: Vec<(BillId,)> = tx
        .sql(
            "SELECT b.bill_id
               FROM fee_bill b
               JOIN pupil_credit c ON c.school_id = b.school_id AND c.pupil_id = b.pupil_id
              WHERE b.school_id = $1 AND b.round_id = $2 AND b.state IN ('OPEN', 'PARTIAL')
                AND c.amount > 0
              ORDER BY b.bill_id",
        )
        .bind(school.clone())
        .bind(round.to_owned())
        .all()
        .await?;
    Ok(found.into_iter().map(|(bill,)| bill).collect())
}
