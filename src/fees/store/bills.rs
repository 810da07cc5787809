//! Bills and their lines.

use crate::clock::{Day, Instant};
use crate::fees::bill_code::BillCode;
use crate::fees::rules::{Item, Line};
use crate::fees::store::rounds::Round;
use crate::fees::vocabulary::BillState;
use crate::ids::{BillId, FeeItemId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::store::{Db, StoreError, Tx, rows};

/// A bill to be added.
#[derive(Clone, Debug)]
pub struct NewBill {
    pub bill_id: BillId,
    pub pupil_id: PupilId,
    pub code: BillCode,
    pub access_token: String,
    pub pupil_name: String,
    pub pupil_code: String,
    pub class_name: String,
    pub payer_name: String,
    pub state: BillState,
    pub gross: Vnd,
    pub amount_due: Vnd,
    pub priced_until: Option<Day>,
}

/// Adds bills of a round. Answers how many: a code or token that exists already leaves its bill out.
pub async fn insert_bills<'a>(
    tx: &mut Tx,
    school: &SchoolId,
    round: &Round,
    issued_day: Day,
    bills: impl IntoIterator<Item = &'a NewBill>,
) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO fee_bill (school_id, bill_id, round_id, pupil_id, bill_code, access_token,
                               pupil_name, pupil_code, class_name, payer_name, title, state, gross,
                               amount_due, amount_paid, issued_day, due_day, priced_until)
         SELECT $2, r.bill_id, $3, r.pupil_id, r.code, r.token, r.pupil_name, r.pupil_code,
                r.class_name, r.payer_name, $4, r.state, r.gross, r.due, 0, $5, $6, r.until
           FROM ROWS($1: bill_id TEXT, pupil_id TEXT, code TEXT, token TEXT, pupil_name TEXT,
                     pupil_code TEXT, class_name TEXT, payer_name TEXT, state TEXT, gross BIGINT,
                     due BIGINT, until DAY) AS r
          WHERE TRUE
         ON CONFLICT DO NOTHING",
    )
    .bind(rows(bills.into_iter().map(|bill| {
        (
            &bill.bill_id,
            &bill.pupil_id,
            bill.code,
            &bill.access_token,
            &bill.pupil_name,
            &bill.pupil_code,
            &bill.class_name,
            &bill.payer_name,
            bill.state,
            bill.gross,
            bill.amount_due,
            bill.priced_until,
        )
    })))
    .bind(school.clone())
    .bind(round.round_id.clone())
    .bind(round.name.clone())
    .bind(issued_day)
    .bind(round.due_day)
    .run()
    .await
}

/// Which of the bills are not stored.
pub async fn missing_bills<'a>(
    tx: &mut Tx,
    school: &SchoolId,
    bills: impl IntoIterator<Item = &'a NewBill>,
) -> Result<Vec<BillId>, StoreError> {
    let missing: Vec<(BillId,)> = tx
        .sql(
            "SELECT r.bill_id
               FROM ROWS($1: bill_id TEXT) AS r
               LEFT JOIN fee_bill AS b ON b.school_id = $2 AND b.bill_id = r.bill_id
              WHERE b.bill_id IS NULL",
        )
        .bind(rows(bills.into_iter().map(|bill| (&bill.bill_id,))))
        .bind(school.clone())
        .all()
        .await?;
    Ok(missing.into_iter().map(|(id,)| id).collect())
}

/// A line to be added; its wording is that of the item at this moment.
#[derive(Clone, Debug)]
pub struct NewLine<'a> {
    pub bill_id: &'a BillId,
    pub line_no: i64,
    pub item_id: &'a FeeItemId,
    pub line: &'a Line,
}

/// Adds lines of bills that are stored.
pub async fn insert_lines<'a>(
    tx: &mut Tx,
    school: &SchoolId,
    lines: impl IntoIterator<Item = NewLine<'a>>,
) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO bill_line (school_id, bill_id, line_no, item_id, name, collection_class,
                                calculation, unit_name, quantity, unit_price, gross, state_part,
                                province_part, school_part, amount_due, amount_paid,
                                document_rule, vat_rate, legal_basis, priority)
         SELECT $2, r.bill_id, r.line_no, r.item_id, i.name, i.collection_class, i.calculation,
                i.unit_name, r.quantity, r.unit_price, r.gross, r.state_part, r.province_part,
                r.school_part, r.due, 0, i.document_rule, i.vat_rate, r.legal_basis, r.priority
           FROM ROWS($1: bill_id TEXT, line_no BIGINT, item_id TEXT, quantity TEXT,
                     unit_price BIGINT, gross BIGINT, state_part BIGINT, province_part BIGINT,
                     school_part BIGINT, due BIGINT, legal_basis TEXT, priority BIGINT) AS r
           JOIN fee_item AS i ON i.school_id = $2 AND i.item_id = r.item_id",
    )
    .bind(rows(lines.into_iter().map(|new| {
        let line = new.line;
        (
            new.bill_id,
            new.line_no,
            new.item_id,
            line.quantity.normalize().to_string(),
            line.unit_price,
            line.gross,
            line.state_part,
            line.province_part,
            line.school_part,
            line.amount_due,
            &line.legal_basis,
            line.priority,
        )
    })))
    .bind(school.clone())
    .run()
    .await
}

/// A line whose price has run out, with what prices it anew.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DueLine {
    pub school_id: SchoolId,
    pub bill_id: BillId,
    pub line_no: i64,
    #[sqlx(flatten)]
    pub item: Item,
    /// A decimal: the months of the line.
    pub quantity: String,
    #[sqlx(try_from = "i64")]
    pub amount_paid: Vnd,
    pub insurance_group: String,
}

/// Lines of open bills that depend on the day of payment, are not paid in full, and whose bill was
/// priced until `day` or earlier.
pub async fn due_lines(
    tx: &mut Tx,
    bills: &[(SchoolId, BillId)],
    day: Day,
) -> Result<Vec<DueLine>, StoreError> {
    tx.sql(
        "SELECT l.school_id, l.bill_id, l.line_no, i.item_id, i.code, i.name, i.collection_class,
                i.calculation, i.unit_name, i.document_rule, i.vat_rate, i.opt_in, i.legal_basis,
                l.quantity, l.amount_paid, p.insurance_group
           FROM ROWS($1: school_id TEXT, bill_id TEXT) AS r
           JOIN fee_bill AS b ON b.school_id = r.school_id AND b.bill_id = r.bill_id
           JOIN bill_line AS l ON l.school_id = b.school_id AND l.bill_id = b.bill_id
           JOIN fee_item AS i ON i.school_id = l.school_id AND i.item_id = l.item_id
           JOIN pupil AS p ON p.school_id = b.school_id AND p.pupil_id = b.pupil_id
          WHERE b.priced_until <= $2 AND b.state IN ('OPEN', 'PARTIAL')
            AND l.calculation = 'HEALTH_INSURANCE' AND l.amount_paid < l.amount_due
          ORDER BY l.school_id, l.bill_id, l.line_no",
    )
    .bind(rows(bills))
    .bind(day)
    .all()
    .await
}

/// Gives lines their new price. Answers how many took it.
pub async fn put_new_price<'a>(
    tx: &mut Tx,
    lines: impl IntoIterator<Item = (&'a DueLine, &'a Line)>,
) -> Result<u64, StoreError> {
    tx.sql(
        "UPDATE bill_line
            SET unit_price = r.unit_price, gross = r.gross, state_part = r.state_part,
                province_part = r.province_part, amount_due = r.due, legal_basis = r.legal_basis
           FROM ROWS($1: school_id TEXT, bill_id TEXT, line_no BIGINT, unit_price BIGINT,
                     gross BIGINT, state_part BIGINT, province_part BIGINT, due BIGINT,
                     legal_basis TEXT) AS r
          WHERE bill_line.school_id = r.school_id AND bill_line.bill_id = r.bill_id
            AND bill_line.line_no = r.line_no",
    )
    .bind(rows(lines.into_iter().map(|(due, line)| {
        (
            &due.school_id,
            &due.bill_id,
            due.line_no,
            line.unit_price,
            line.gross,
            line.state_part,
            line.province_part,
            line.amount_due,
            &line.legal_basis,
        )
    })))
    .run()
    .await
}

/// Sums repriced bills anew from their lines; one whose payments now cover it is paid.
pub async fn put_new_total(
    tx: &mut Tx,
    bills: &[(SchoolId, BillId, Option<Day>)],
    now: Instant,
) -> Result<u64, StoreError> {
    tx.sql(
        "UPDATE fee_bill
            SET gross = s.gross, amount_due = s.due, priced_until = s.until,
                state = CASE WHEN s.due = fee_bill.amount_paid THEN 'PAID' ELSE fee_bill.state END,
                settled_at = CASE WHEN s.due = fee_bill.amount_paid THEN $2
                                  ELSE fee_bill.settled_at END
           FROM (SELECT r.school_id, r.bill_id, r.until,
                        CAST(SUM(l.gross) AS BIGINT) AS gross,
                        CAST(SUM(l.amount_due) AS BIGINT) AS due
                   FROM ROWS($1: school_id TEXT, bill_id TEXT, until DAY) AS r
                   JOIN bill_line AS l ON l.school_id = r.school_id AND l.bill_id = r.bill_id
                  GROUP BY r.school_id, r.bill_id, r.until) AS s
          WHERE fee_bill.school_id = s.school_id AND fee_bill.bill_id = s.bill_id",
    )
    .bind(rows(bills))
    .bind(now)
    .run()
    .await
}

/// Whether an open bill carries a price that has run out on `day`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_stale(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
    day: Day,
) -> Result<bool, StoreError> {
    let found: Option<(BillId,)> = db
        .sql(
            "SELECT bill_id FROM fee_bill
              WHERE school_id = $1 AND bill_id = $2 AND state IN ('OPEN', 'PARTIAL')
                AND priced_until <= $3",
        )
        .bind(school.clone())
        .bind(bill.clone())
        .bind(day)
        .optional()
        .await?;
    Ok(found.is_some())
}
