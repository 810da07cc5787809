//! A movement and all that follows from it but the journal.

use super::super::rules::{Effects, MoveKind, Piece, Place};
use crate::clock::Instant;
use crate::ids::{BillId, MoveId, PaymentId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx, rows};

/// The head of a movement.
#[derive(Clone, Debug)]
pub(in crate::payments::moves) struct Head {
    pub school_id: SchoolId,
    pub move_id: MoveId,
    pub kind: MoveKind,
    pub request: String,
    pub reason: String,
    pub made_by: String,
    pub made_at: Instant,
    /// Bill lines fall by what leaves them: the family owes it no longer.
    pub charge_falls: bool,
}

/// Writes a movement and everything that follows from it but the journal.
pub(in crate::payments::moves) async fn write(
    tx: &mut Tx,
    head: &Head,
    pieces: &[Piece],
    effects: &Effects,
) -> Result<(), StoreError> {
    let amount: Vnd = pieces.iter().map(|piece| piece.amount).sum();
    tx.sql(
        "INSERT INTO money_move (school_id, move_id, kind, request, amount, reason, made_by, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(head.school_id.clone())
    .bind(head.move_id.clone())
    .bind(head.kind)
    .bind(head.request.clone())
    .bind(amount.get())
    .bind(head.reason.clone())
    .bind(head.made_by.clone())
    .bind(head.made_at)
    .run()
    .await?;
    write_lots(tx, head, pieces).await?;
    write_moved_on(tx, head, effects).await?;
    write_bills(tx, head, effects).await?;
    write_credits(tx, head, effects).await?;
    write_payments(tx, head, effects).await
}

async fn write_lots(tx: &mut Tx, head: &Head, pieces: &[Piece]) -> Result<(), StoreError> {
    let last: Vec<(PaymentId, i64)> = tx
        .sql(
            "SELECT a.payment_id, MAX(a.seq)
               FROM ROWS($2: payment_id TEXT) AS r
               JOIN allocation a ON a.school_id = $1 AND a.payment_id = r.payment_id
              GROUP BY a.payment_id",
        )
        .bind(head.school_id.clone())
        .bind(rows(
            pieces
                .iter()
                .map(|piece| &piece.payment_id)
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .map(|payment| (payment,)),
        ))
        .all()
        .await?;
    let mut last: std::collections::BTreeMap<PaymentId, i64> = last.into_iter().collect();
    let mut lots = Vec::new();
    let mut parts = Vec::with_capacity(pieces.len());
    for (piece, part_no) in pieces.iter().zip(1_i64..) {
        let (target, bill, line_no, pupil) = match &piece.to {
            Place::Gone => {
                parts.push((
                    part_no,
                    &piece.payment_id,
                    piece.from_seq,
                    None,
                    piece.amount,
                ));
                continue;
            }
            Place::Line {
                bill_id, line_no, ..
            } => ("BILL_LINE", Some(bill_id), Some(*line_no), None),
            Place::Credit(pupil) => ("CREDIT", None, None, Some(pupil)),
            Place::Suspense => ("SUSPENSE", None, None, None),
        };
        let seq = last.entry(piece.payment_id.clone()).or_default();
        *seq += 1;
        lots.push((
            &piece.payment_id,
            *seq,
            target,
            bill,
            line_no,
            pupil,
            piece.amount,
        ));
        parts.push((
            part_no,
            &piece.payment_id,
            piece.from_seq,
            Some(*seq),
            piece.amount,
        ));
    }
    if !lots.is_empty() {
        tx.sql(
            "INSERT INTO allocation
                    (school_id, payment_id, seq, target, bill_id, line_no, pupil_id, amount, move_id)
             SELECT $1, payment_id, seq, target, bill_id, line_no, pupil_id, amount, $2
               FROM ROWS($3: payment_id TEXT, seq BIGINT, target TEXT, bill_id TEXT,
                         line_no BIGINT, pupil_id TEXT, amount BIGINT) AS r",
        )
        .bind(head.school_id.clone())
        .bind(head.move_id.clone())
        .bind(rows(lots))
        .run()
        .await?;
    }
    tx.sql(
        "INSERT INTO money_move_part (school_id, move_id, part_no, payment_id, from_seq, to_seq, amount)
         SELECT $1, $2, part_no, payment_id, from_seq, to_seq, amount
           FROM ROWS($3: part_no BIGINT, payment_id TEXT, from_seq BIGINT, to_seq BIGINT,
                     amount BIGINT) AS r",
    )
    .bind(head.school_id.clone())
    .bind(head.move_id.clone())
    .bind(rows(parts))
    .run()
    .await?;
    Ok(())
}

async fn write_moved_on(tx: &mut Tx, head: &Head, effects: &Effects) -> Result<(), StoreError> {
    if effects.moved_on.is_empty() {
        return Ok(());
    }
    let moved = tx
        .sql(
            "UPDATE allocation SET moved_on = allocation.moved_on + r.amount
               FROM ROWS($2: payment_id TEXT, seq BIGINT, amount BIGINT) AS r
              WHERE allocation.school_id = $1 AND allocation.payment_id = r.payment_id
                AND allocation.seq = r.seq",
        )
        .bind(head.school_id.clone())
        .bind(rows(
            effects
                .moved_on
                .iter()
                .map(|((payment, seq), amount)| (payment, seq, amount)),
        ))
        .run()
        .await?;
    if usize::try_from(moved) != Ok(effects.moved_on.len()) {
        return Err(StoreError::Contradiction(format!(
            "movement {} leaves allocations that are not there",
            head.move_id
        )));
    }
    Ok(())
}

async fn write_bills(tx: &mut Tx, head: &Head, effects: &Effects) -> Result<(), StoreError> {
    if effects.lines.is_empty() {
        return Ok(());
    }
    tx.sql(
        "UPDATE bill_line
            SET amount_paid = bill_line.amount_paid + r.paid,
                amount_due = bill_line.amount_due + r.due, gross = bill_line.gross + r.due
           FROM ROWS($2: bill_id TEXT, line_no BIGINT, paid BIGINT, due BIGINT) AS r
          WHERE bill_line.school_id = $1 AND bill_line.bill_id = r.bill_id
            AND bill_line.line_no = r.line_no",
    )
    .bind(head.school_id.clone())
    .bind(rows(effects.lines.iter().map(
        |((bill, line_no), change)| {
            let due = if head.charge_falls {
                *change
            } else {
                Vnd::ZERO
            };
            (bill, line_no, *change, due)
        },
    )))
    .run()
    .await?;
    let bills: std::collections::BTreeSet<&BillId> =
        effects.lines.keys().map(|(bill, _)| bill).collect();
    tx.sql(
        "UPDATE fee_bill
            SET gross = s.gross, amount_due = s.due, amount_paid = s.paid,
                state = CASE WHEN fee_bill.state = 'CANCELLED' THEN 'CANCELLED'
                             WHEN s.due = 0 THEN 'NOTHING_DUE' WHEN s.paid = s.due THEN 'PAID'
                             WHEN s.paid > 0 THEN 'PARTIAL' ELSE 'OPEN' END,
                settled_at = CASE WHEN s.paid = s.due AND s.due > 0
                                  THEN COALESCE(fee_bill.settled_at, $2) END
           FROM (SELECT l.bill_id, CAST(SUM(l.gross) AS BIGINT) AS gross,
                        CAST(SUM(l.amount_due) AS BIGINT) AS due,
                        CAST(SUM(l.amount_paid) AS BIGINT) AS paid
                   FROM ROWS($3: bill_id TEXT) AS r
                   JOIN bill_line l ON l.school_id = $1 AND l.bill_id = r.bill_id
                  GROUP BY l.bill_id) AS s
          WHERE fee_bill.school_id = $1 AND fee_bill.bill_id = s.bill_id",
    )
    .bind(head.school_id.clone())
    .bind(head.made_at)
    .bind(rows(bills.into_iter().map(|bill| (bill,))))
    .run()
    .await?;
    Ok(())
}

async fn write_credits(tx: &mut Tx, head: &Head, effects: &Effects) -> Result<(), StoreError> {
    if effects.credits.is_empty() {
        return Ok(());
    }
    // Two statements: what is taken must not look, even for a moment, like a negative credit.
    tx.sql(
        "INSERT INTO pupil_credit (school_id, pupil_id, amount)
         SELECT $1, pupil_id, 0 FROM ROWS($2: pupil_id TEXT) AS r
          WHERE TRUE
         ON CONFLICT (school_id, pupil_id) DO NOTHING",
    )
    .bind(head.school_id.clone())
    .bind(rows(effects.credits.keys().map(|pupil| (pupil,))))
    .run()
    .await?;
    tx.sql(
        "UPDATE pupil_credit SET amount = pupil_credit.amount + r.amount
           FROM ROWS($2: pupil_id TEXT, amount BIGINT) AS r
          WHERE pupil_credit.school_id = $1 AND pupil_credit.pupil_id = r.pupil_id",
    )
    .bind(head.school_id.clone())
    .bind(rows(effects.credits.iter()))
    .run()
    .await?;
    Ok(())
}

async fn write_payments(tx: &mut Tx, head: &Head, effects: &Effects) -> Result<(), StoreError> {
    let changed = rows(effects.payments.iter().map(|(payment, later)| {
        (
            payment,
            later.bills,
            later.credit,
            later.suspense,
            later.taken_back,
        )
    }));
    tx.sql(
        "UPDATE payment
            SET bills_later = payment.bills_later + r.bills,
                credit_later = payment.credit_later + r.credit,
                suspense_later = payment.suspense_later + r.suspense,
                taken_back = payment.taken_back + r.gone,
                standing = CASE WHEN payment.taken_back + r.gone = 0 THEN 'STANDS'
                                WHEN payment.taken_back + r.gone < payment.amount
                                THEN 'PART_REVERSED' ELSE 'REVERSED' END
           FROM ROWS($2: payment_id TEXT, bills BIGINT, credit BIGINT, suspense BIGINT,
                     gone BIGINT) AS r
          WHERE payment.school_id = $1 AND payment.payment_id = r.payment_id",
    )
    .bind(head.school_id.clone())
    .bind(changed.clone())
    .run()
    .await?;
    tx.sql(
        "UPDATE suspense_item
            SET state = CASE WHEN p.to_suspense + p.suspense_later > 0 THEN 'OPEN'
                             ELSE 'RESOLVED' END,
                move_id = $2, resolved_by = $3, resolved_at = $4
           FROM ROWS($5: payment_id TEXT, bills BIGINT, credit BIGINT, suspense BIGINT,
                     gone BIGINT) AS r
           JOIN payment p ON p.school_id = $1 AND p.payment_id = r.payment_id
          WHERE suspense_item.school_id = $1 AND suspense_item.payment_id = r.payment_id
            AND r.suspense <> 0",
    )
    .bind(head.school_id.clone())
    .bind(head.move_id.clone())
    .bind(head.made_by.clone())
    .bind(head.made_at)
    .bind(changed)
    .run()
    .await?;
    Ok(())
}

/// Payments among these that had money on a bill line before this movement.
pub(in crate::payments::moves) async fn on_bills_before(
    tx: &mut Tx,
    school: &SchoolId,
    of: &MoveId,
    payments: impl IntoIterator<Item = &PaymentId>,
) -> Result<Vec<PaymentId>, StoreError> {
    let found: Vec<(PaymentId,)> = tx
        .sql(
            "SELECT DISTINCT a.payment_id
               FROM ROWS($3: payment_id TEXT) AS r
               JOIN allocation a ON a.school_id = $1 AND a.payment_id = r.payment_id
              WHERE a.target = 'BILL_LINE' AND (a.move_id IS NULL OR a.move_id <> $2)",
        )
        .bind(school.clone())
        .bind(of.clone())
        .bind(rows(payments.into_iter().map(|payment| (payment,))))
        .all()
        .await?;
    Ok(found.into_iter().map(|(payment,)| payment).collect())
}
