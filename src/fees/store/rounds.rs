//! Rounds, and who is billed in them.

use super::Source;
use crate::clock::{Day, Instant};
use crate::fees::rules::Item;
use crate::fees::vocabulary::RoundState;
use crate::ids::{FeeItemId, PupilId, RoundId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx, rows};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Round {
    pub round_id: RoundId,
    pub name: String,
    pub school_year: String,
    /// Selects prices and classes.
    pub charge_day: Day,
    pub due_day: Day,
    pub state: RoundState,
    pub bill_count: i64,
    #[sqlx(try_from = "i64")]
    pub total_due: Vnd,
}

/// Adds a draft; answers whether its name was free.
pub async fn insert_round(
    tx: &mut Tx,
    school: &SchoolId,
    round: &Round,
    now: Instant,
) -> Result<bool, StoreError> {
    let added = tx
        .sql(
            "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day,
                                        state, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT DO NOTHING",
        )
        .bind(school.clone())
        .bind(round.round_id.clone())
        .bind(round.name.clone())
        .bind(round.school_year.clone())
        .bind(round.charge_day)
        .bind(round.due_day)
        .bind(round.state)
        .bind(now)
        .run()
        .await?;
    Ok(added == 1)
}

/// Adds what a round asks for: item and quantity (a decimal).
pub async fn insert_round_items(
    tx: &mut Tx,
    school: &SchoolId,
    round: &RoundId,
    items: &[(FeeItemId, String)],
) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO billing_round_item (school_id, round_id, item_id, quantity)
         SELECT $2, $3, r.item_id, r.quantity
           FROM ROWS($1: item_id TEXT, quantity TEXT) AS r
          WHERE TRUE
         ON CONFLICT DO NOTHING",
    )
    .bind(rows(items))
    .bind(school.clone())
    .bind(round.clone())
    .run()
    .await
}

pub async fn round(
    source: &mut impl Source,
    school: &SchoolId,
    round: &RoundId,
) -> Result<Option<Round>, StoreError> {
    source
        .sql(
            "SELECT round_id, name, school_year, charge_day, due_day, state, bill_count, total_due
               FROM billing_round
              WHERE school_id = $1 AND round_id = $2",
        )
        .bind(school.clone())
        .bind(round.clone())
        .optional()
        .await
}

/// An item of a round.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RoundItem {
    #[sqlx(flatten)]
    pub item: Item,
    /// A decimal.
    pub quantity: String,
}

/// The items of a round in the order in which they are printed.
pub async fn round_items(
    source: &mut impl Source,
    school: &SchoolId,
    round: &RoundId,
) -> Result<Vec<RoundItem>, StoreError> {
    source
        .sql(
            "SELECT i.item_id, i.code, i.name, i.collection_class, i.calculation, i.unit_name,
                    i.document_rule, i.vat_rate, i.opt_in, i.legal_basis, r.quantity
               FROM billing_round_item AS r
               JOIN fee_item AS i ON i.school_id = r.school_id AND i.item_id = r.item_id
              WHERE r.school_id = $1 AND r.round_id = $2
              ORDER BY i.code",
        )
        .bind(school.clone())
        .bind(round.clone())
        .all()
        .await
}

/// Moves a draft to published; answers whether it was one.
pub async fn mark_published(
    tx: &mut Tx,
    school: &SchoolId,
    round: &RoundId,
    now: Instant,
) -> Result<bool, StoreError> {
    let moved = tx
        .sql(
            "UPDATE billing_round SET state = 'PUBLISHED', published_at = $3
              WHERE school_id = $1 AND round_id = $2 AND state = 'DRAFT'",
        )
        .bind(school.clone())
        .bind(round.clone())
        .bind(now)
        .run()
        .await?;
    Ok(moved == 1)
}

/// Keeps with the round what its publication came to.
pub async fn finish_round(
    tx: &mut Tx,
    school: &SchoolId,
    round: &RoundId,
    bills: i64,
    total_due: Vnd,
) -> Result<u64, StoreError> {
    tx.sql(
        "UPDATE billing_round SET bill_count = $3, total_due = $4
          WHERE school_id = $1 AND round_id = $2",
    )
    .bind(school.clone())
    .bind(round.clone())
    .bind(bills)
    .bind(total_due.get())
    .run()
    .await
}

/// A pupil to be billed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Pupil {
    pub pupil_id: PupilId,
    pub code: String,
    pub full_name: String,
    pub insurance_group: String,
    pub insurance_months: i64,
    pub class_name: String,
    pub grade: i64,
    /// The guardian entered first.
    pub payer_name: Option<String>,
}

/// Pupils who study and have a class on the day, after a pupil, in order of their identifiers.
pub async fn pupils(
    source: &mut impl Source,
    school: &SchoolId,
    day: Day,
    after: &str,
    max: i64,
) -> Result<Vec<Pupil>, StoreError> {
    let mut found: Vec<Pupil> = source
        .sql(
            "SELECT p.pupil_id, p.code, p.full_name, p.insurance_group, p.insurance_months,
                    c.name AS class_name, c.grade,
                    (SELECT g.full_name FROM guardian AS g
                      WHERE g.school_id = p.school_id AND g.pupil_id = p.pupil_id
                      ORDER BY g.guardian_id LIMIT 1) AS payer_name
               FROM pupil AS p
               JOIN enrolment AS e ON e.school_id = p.school_id AND e.pupil_id = p.pupil_id
                AND e.valid_from <= $2 AND (e.valid_to IS NULL OR e.valid_to > $2)
               JOIN school_class AS c ON c.school_id = e.school_id AND c.class_id = e.class_id
              WHERE p.school_id = $1 AND p.state = 'STUDYING' AND p.pupil_id > $3
              ORDER BY p.pupil_id, e.valid_from DESC
              LIMIT $4",
        )
        .bind(school.clone())
        .bind(day)
        .bind(after.to_owned())
        .bind(max)
        .all()
        .await?;
    // Two enrolments that overlap are one pupil: the later one counts.
    found.dedup_by(|later, kept| later.pupil_id == kept.pupil_id);
    Ok(found)
}

/// How many pupils study without a class on the day; they get no bill.
pub async fn pupils_without_class(
    source: &mut impl Source,
    school: &SchoolId,
    day: Day,
) -> Result<i64, StoreError> {
    let (count,): (i64,) = source
        .sql(
            "SELECT COUNT(*)
               FROM pupil AS p
              WHERE p.school_id = $1 AND p.state = 'STUDYING'
                AND NOT EXISTS (SELECT 1 FROM enrolment AS e
                                 WHERE e.school_id = p.school_id AND e.pupil_id = p.pupil_id
                                   AND e.valid_from <= $2
                                   AND (e.valid_to IS NULL OR e.valid_to > $2))",
        )
        .bind(school.clone())
        .bind(day)
        .one()
        .await?;
    Ok(count)
}

/// What a family chose.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Choice {
    pub pupil_id: PupilId,
    pub item_id: FeeItemId,
    /// A decimal.
    pub quantity: String,
}

/// Choices that hold on the day, of the pupils after `after` up to and including `last`.
pub async fn choices(
    source: &mut impl Source,
    school: &SchoolId,
    day: Day,
    after: &str,
    last: &str,
) -> Result<Vec<Choice>, StoreError> {
    source
        .sql(
            "SELECT pupil_id, item_id, quantity
               FROM pupil_choice
              WHERE school_id = $1 AND pupil_id > $3 AND pupil_id <= $4
                AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2)
              ORDER BY pupil_id, item_id, valid_from",
        )
        .bind(school.clone())
        .bind(day)
        .bind(after.to_owned())
        .bind(last.to_owned())
        .all()
        .await
}
