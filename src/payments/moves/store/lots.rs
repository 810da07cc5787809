//! Which đồng lie where.

use super::super::rules::{Lot, MoveKind, Piece, Place};
use crate::ids::{BillId, FeeItemId, MoveId, PaymentId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx};

#[derive(sqlx::FromRow)]
struct LotRow {
    payment_id: PaymentId,
    seq: i64,
    target: String,
    bill_id: Option<BillId>,
    line_no: Option<i64>,
    pupil_id: Option<PupilId>,
    #[sqlx(try_from = "i64")]
    rest: Vnd,
    item_id: Option<FeeItemId>,
    collection_class: Option<String>,
    brought_by: Option<MoveKind>,
}

impl LotRow {
    fn read(self) -> Result<Lot, StoreError> {
        let broken = || {
            StoreError::Contradiction(format!(
                "allocation {}/{} has no place",
                self.payment_id, self.seq
            ))
        };
        let place = match self.target.as_str() {
            "SUSPENSE" => Place::Suspense,
            "CREDIT" => Place::Credit(self.pupil_id.clone().ok_or_else(broken)?),
            _ => Place::Line {
                bill_id: self.bill_id.clone().ok_or_else(broken)?,
                line_no: self.line_no.ok_or_else(broken)?,
                item_id: self.item_id.clone().ok_or_else(broken)?,
                own_revenue: matches!(
                    self.collection_class.as_deref(),
                    Some("TUITION" | "SERVICE")
                ),
            },
        };
        Ok(Lot {
            payment_id: self.payment_id,
            seq: self.seq,
            place,
            left: self.rest,
            brought_by: self.brought_by,
        })
    }
}

fn read(found: Vec<LotRow>) -> Result<Vec<Lot>, StoreError> {
    found.into_iter().map(LotRow::read).collect()
}

/// What a payment still holds, in the order it was allocated.
pub(crate) async fn lots_of_payment(
    tx: &mut Tx,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Vec<Lot>, StoreError> {
    let found = tx
        .sql(
            "SELECT a.payment_id, a.seq, a.target, a.bill_id, a.line_no, a.pupil_id,
                    a.amount - a.moved_on AS rest, l.item_id, l.collection_class,
                    m.kind AS brought_by
               FROM allocation a
               LEFT JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                                    AND l.line_no = a.line_no
               LEFT JOIN money_move m ON m.school_id = a.school_id AND m.move_id = a.move_id
              WHERE a.school_id = $1 AND a.payment_id = $2 AND a.moved_on < a.amount
              ORDER BY a.seq",
        )
        .bind(school.clone())
        .bind(payment.clone())
        .all()
        .await?;
    read(found)
}

/// A pupil's credit, oldest money first.
pub(crate) async fn lots_of_credit(
    tx: &mut Tx,
    school: &SchoolId,
    pupil: &PupilId,
) -> Result<Vec<Lot>, StoreError> {
    let found = tx
        .sql(
            "SELECT a.payment_id, a.seq, a.target, a.bill_id, a.line_no, a.pupil_id,
                    a.amount - a.moved_on AS rest, l.item_id, l.collection_class,
                    m.kind AS brought_by
               FROM allocation a
               JOIN payment p ON p.school_id = a.school_id AND p.payment_id = a.payment_id
               LEFT JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                                    AND l.line_no = a.line_no
               LEFT JOIN money_move m ON m.school_id = a.school_id AND m.move_id = a.move_id
              WHERE a.school_id = $1 AND a.pupil_id = $2 AND a.target = 'CREDIT'
                AND a.moved_on < a.amount
              ORDER BY p.received_at, a.payment_id, a.seq",
        )
        .bind(school.clone())
        .bind(pupil.clone())
        .all()
        .await?;
    read(found)
}

/// What was paid on a bill line, newest money first.
pub(crate) async fn lots_of_line(
    tx: &mut Tx,
    school: &SchoolId,
    bill: &BillId,
    line_no: i64,
) -> Result<Vec<Lot>, StoreError> {
    let found = tx
        .sql(
            "SELECT a.payment_id, a.seq, a.target, a.bill_id, a.line_no, a.pupil_id,
                    a.amount - a.moved_on AS rest, l.item_id, l.collection_class,
                    m.kind AS brought_by
               FROM allocation a
               JOIN payment p ON p.school_id = a.school_id AND p.payment_id = a.payment_id
               LEFT JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                                    AND l.line_no = a.line_no
               LEFT JOIN money_move m ON m.school_id = a.school_id AND m.move_id = a.move_id
              WHERE a.school_id = $1 AND a.bill_id = $2 AND a.line_no = $3
                AND a.target = 'BILL_LINE' AND a.moved_on < a.amount
              ORDER BY p.received_at DESC, a.payment_id DESC, a.seq DESC",
        )
        .bind(school.clone())
        .bind(bill.clone())
        .bind(line_no)
        .all()
        .await?;
    read(found)
}

/// What a movement took out of allocations, as it lay before.
pub(crate) async fn pieces_out(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Vec<Piece>, StoreError> {
    let found = tx
        .sql(
            "SELECT a.payment_id, a.seq, a.target, a.bill_id, a.line_no, a.pupil_id,
                    d.amount AS rest, l.item_id, l.collection_class, m.kind AS brought_by
               FROM money_move_part d
               JOIN allocation a ON a.school_id = d.school_id AND a.payment_id = d.payment_id
                                AND a.seq = d.from_seq
               LEFT JOIN bill_line l ON l.school_id = a.school_id AND l.bill_id = a.bill_id
                                    AND l.line_no = a.line_no
               LEFT JOIN money_move m ON m.school_id = a.school_id AND m.move_id = a.move_id
              WHERE d.school_id = $1 AND d.move_id = $2
              ORDER BY d.part_no",
        )
        .bind(school.clone())
        .bind(of.clone())
        .all()
        .await?;
    Ok(read(found)?
        .into_iter()
        .map(|lot| Piece {
            payment_id: lot.payment_id,
            from_seq: Some(lot.seq),
            from: lot.place,
            to: Place::Gone,
            amount: lot.left,
        })
        .collect())
}
