//! Every SQL statement of movements.

use super::rules::{Effects, Lot, MoveKind, Piece, Place};
use crate::clock::{Day, Instant};
use crate::ids::{BillId, FeeItemId, MoveId, PaymentId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::payments::books::Channel;
use crate::store::{StoreError, Tx, rows};

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

/// The head of a movement.
#[derive(Clone, Debug)]
pub(super) struct Head {
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
pub(super) async fn write(
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
pub(super) async fn on_bills_before(
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

/// Compare-and-set: `false` when the payment is not [confirmed](crate::payments) any more.
pub(super) async fn mark_settled(
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
pub(super) struct SettlementRow {
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
pub(super) async fn insert_settlement(
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
pub(super) async fn settlement(
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
