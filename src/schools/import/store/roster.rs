//! SQL of rosters: classes, pupils, enrolments, guardians, choices.

use serde::Serialize;

use super::batches;
use crate::clock::Day;
use crate::schools::import::roster::{Gender, Kinship};
use crate::store::{StoreError, Tx};
use crate::stored_as_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PupilState {
    Studying,
    Left,
}

stored_as_text!(PupilState {
    Studying = "STUDYING",
    Left = "LEFT",
});

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PupilRow {
    pub pupil_id: String,
    pub code: String,
    pub full_name: String,
    pub search_name: String,
    pub born_on: Option<Day>,
    pub gender: Option<Gender>,
    pub insurance_group: String,
    pub insurance_months: i64,
    pub state: PupilState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ClassRow {
    pub class_id: String,
    pub name: String,
    pub grade: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EnrolmentRow {
    pub pupil_id: String,
    pub class_id: String,
    pub class_name: String,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct GuardianRow {
    pub pupil_id: String,
    pub guardian_id: String,
    pub full_name: String,
    pub relation: Kinship,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub address: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct FeeCode {
    pub item_id: String,
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ChoiceRow {
    pub pupil_id: String,
    pub item_id: String,
    pub quantity: String,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
}

/// A choice that begins on the day of the roster.
pub struct NewChoice {
    pub pupil_id: String,
    pub item_id: String,
    pub quantity: String,
}

pub async fn pupils(tx: &mut Tx, school: &str) -> Result<Vec<PupilRow>, StoreError> {
    tx.sql(
        "SELECT pupil_id, code, full_name, search_name, born_on, gender, insurance_group,
                insurance_months, state
           FROM pupil WHERE school_id = $1",
    )
    .bind(school.to_owned())
    .all()
    .await
}

pub async fn classes(
    tx: &mut Tx,
    school: &str,
    school_year: &str,
) -> Result<Vec<ClassRow>, StoreError> {
    tx.sql(
        "SELECT class_id, name, grade FROM school_class
          WHERE school_id = $1 AND school_year = $2",
    )
    .bind(school.to_owned())
    .bind(school_year.to_owned())
    .all()
    .await
}

/// Enrolments that hold on `day` or later, in order.
pub async fn enrolments(
    tx: &mut Tx,
    school: &str,
    day: Day,
) -> Result<Vec<EnrolmentRow>, StoreError> {
    tx.sql(
        "SELECT e.pupil_id, e.class_id, c.name AS class_name, e.valid_from, e.valid_to
           FROM enrolment e
           JOIN school_class c ON c.school_id = e.school_id AND c.class_id = e.class_id
          WHERE e.school_id = $1 AND (e.valid_to IS NULL OR e.valid_to > $2)
          ORDER BY e.pupil_id, e.valid_from",
    )
    .bind(school.to_owned())
    .bind(day)
    .all()
    .await
}

pub async fn guardians(tx: &mut Tx, school: &str) -> Result<Vec<GuardianRow>, StoreError> {
    tx.sql(
        "SELECT pupil_id, guardian_id, full_name, relation, phone, email, address
           FROM guardian WHERE school_id = $1 ORDER BY pupil_id, guardian_id",
    )
    .bind(school.to_owned())
    .all()
    .await
}

pub async fn fee_codes(tx: &mut Tx, school: &str) -> Result<Vec<FeeCode>, StoreError> {
    tx.sql("SELECT item_id, code FROM fee_item WHERE school_id = $1")
        .bind(school.to_owned())
        .all()
        .await
}

/// Choices that hold on `day` or later, in order.
pub async fn choices(tx: &mut Tx, school: &str, day: Day) -> Result<Vec<ChoiceRow>, StoreError> {
    tx.sql(
        "SELECT pupil_id, item_id, quantity, valid_from, valid_to
           FROM pupil_choice
          WHERE school_id = $1 AND (valid_to IS NULL OR valid_to > $2)
          ORDER BY pupil_id, item_id, valid_from",
    )
    .bind(school.to_owned())
    .bind(day)
    .all()
    .await
}

pub async fn write_classes(
    tx: &mut Tx,
    school: &str,
    school_year: &str,
    classes: &[ClassRow],
) -> Result<(), StoreError> {
    let classes: Vec<_> = classes
        .iter()
        .map(|c| (&c.class_id, &c.name, c.grade))
        .collect();
    for batch in batches(&classes) {
        tx.sql(
            "INSERT INTO school_class (school_id, class_id, school_year, name, grade)
             SELECT $2, r.id, $3, r.name, r.grade
               FROM ROWS($1: id TEXT, name TEXT, grade BIGINT) AS r",
        )
        .bind(batch)
        .bind(school.to_owned())
        .bind(school_year.to_owned())
        .run()
        .await?;
    }
    Ok(())
}

/// Adds new pupils and changes known ones.
pub async fn write_pupils(
    tx: &mut Tx,
    school: &str,
    pupils: &[PupilRow],
) -> Result<(), StoreError> {
    let pupils: Vec<_> = pupils
        .iter()
        .map(|p| {
            (
                &p.pupil_id,
                &p.code,
                &p.full_name,
                &p.search_name,
                p.born_on,
                p.gender,
                &p.insurance_group,
                p.insurance_months,
                p.state,
            )
        })
        .collect();
    for batch in batches(&pupils) {
        tx.sql(
            "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name, born_on, gender,
                                insurance_group, insurance_months, state)
             SELECT $2, r.id, r.code, r.name, r.search, r.born, r.gender, r.grp, r.months, r.state
               FROM ROWS($1: id TEXT, code TEXT, name TEXT, search TEXT, born DAY, gender TEXT,
                         grp TEXT, months BIGINT, state TEXT) AS r
              WHERE TRUE
             ON CONFLICT (school_id, pupil_id) DO UPDATE
                SET full_name = excluded.full_name, search_name = excluded.search_name,
                    born_on = excluded.born_on, gender = excluded.gender,
                    insurance_group = excluded.insurance_group,
                    insurance_months = excluded.insurance_months, state = excluded.state",
        )
        .bind(batch)
        .bind(school.to_owned())
        .run()
        .await?;
    }
    Ok(())
}

/// Ends the enrolments that hold on `day`; one that began that very day never was.
pub async fn end_enrolments(
    tx: &mut Tx,
    school: &str,
    day: Day,
    pupils: &[String],
) -> Result<(), StoreError> {
    let pupils: Vec<_> = pupils.iter().map(|pupil| (pupil,)).collect();
    for batch in batches(&pupils) {
        tx.sql(
            "DELETE FROM enrolment
              WHERE school_id = $2 AND valid_from = $3
                AND pupil_id IN (SELECT r.id FROM ROWS($1: id TEXT) AS r)",
        )
        .bind(batch.clone())
        .bind(school.to_owned())
        .bind(day)
        .run()
        .await?;
        tx.sql(
            "UPDATE enrolment SET valid_to = $3
              WHERE school_id = $2 AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $3)
                AND pupil_id IN (SELECT r.id FROM ROWS($1: id TEXT) AS r)",
        )
        .bind(batch)
        .bind(school.to_owned())
        .bind(day)
        .run()
        .await?;
    }
    Ok(())
}

/// Pupil and class from `day` on.
pub async fn write_enrolments(
    tx: &mut Tx,
    school: &str,
    day: Day,
    enrolments: &[(String, String)],
) -> Result<(), StoreError> {
    for batch in batches(enrolments) {
        tx.sql(
            "INSERT INTO enrolment (school_id, pupil_id, valid_from, class_id)
             SELECT $2, r.pupil, $3, r.class FROM ROWS($1: pupil TEXT, class TEXT) AS r",
        )
        .bind(batch)
        .bind(school.to_owned())
        .bind(day)
        .run()
        .await?;
    }
    Ok(())
}

/// Adds new guardians and changes known ones.
pub async fn write_guardians(
    tx: &mut Tx,
    school: &str,
    guardians: &[GuardianRow],
) -> Result<(), StoreError> {
    let guardians: Vec<_> = guardians
        .iter()
        .map(|g| {
            (
                &g.pupil_id,
                &g.guardian_id,
                &g.full_name,
                g.relation,
                &g.phone,
                &g.email,
                &g.address,
            )
        })
        .collect();
    for batch in batches(&guardians) {
        tx.sql(
            "INSERT INTO guardian (school_id, pupil_id, guardian_id, full_name, relation, phone,
                                   email, address)
             SELECT $2, r.pupil, r.id, r.name, r.relation, r.phone, r.email, r.address
               FROM ROWS($1: pupil TEXT, id TEXT, name TEXT, relation TEXT, phone TEXT, email TEXT,
                         address TEXT) AS r
              WHERE TRUE
             ON CONFLICT (school_id, pupil_id, guardian_id) DO UPDATE
                SET full_name = excluded.full_name, relation = excluded.relation,
                    phone = excluded.phone, email = excluded.email, address = excluded.address",
        )
        .bind(batch)
        .bind(school.to_owned())
        .run()
        .await?;
    }
    Ok(())
}

/// Ends the choices (pupil, item) that hold on `day`; one that began that very day never was.
pub async fn end_choices(
    tx: &mut Tx,
    school: &str,
    day: Day,
    choices: &[(String, String)],
) -> Result<(), StoreError> {
    for batch in batches(choices) {
        tx.sql(
            "DELETE FROM pupil_choice
              WHERE school_id = $2 AND valid_from = $3
                AND (pupil_id, item_id) IN
                    (SELECT r.pupil, r.item FROM ROWS($1: pupil TEXT, item TEXT) AS r)",
        )
        .bind(batch.clone())
        .bind(school.to_owned())
        .bind(day)
        .run()
        .await?;
        tx.sql(
            "UPDATE pupil_choice SET valid_to = $3
              WHERE school_id = $2 AND valid_from < $3 AND (valid_to IS NULL OR valid_to > $3)
                AND (pupil_id, item_id) IN
                    (SELECT r.pupil, r.item FROM ROWS($1: pupil TEXT, item TEXT) AS r)",
        )
        .bind(batch)
        .bind(school.to_owned())
        .bind(day)
        .run()
        .await?;
    }
    Ok(())
}

pub async fn write_choices(
    tx: &mut Tx,
    school: &str,
    day: Day,
    choices: &[NewChoice],
) -> Result<(), StoreError> {
    let choices: Vec<_> = choices
        .iter()
        .map(|c| (&c.pupil_id, &c.item_id, &c.quantity))
        .collect();
    for batch in batches(&choices) {
        tx.sql(
            "INSERT INTO pupil_choice (school_id, pupil_id, item_id, quantity, valid_from)
             SELECT $2, r.pupil, r.item, r.quantity, $3
               FROM ROWS($1: pupil TEXT, item TEXT, quantity TEXT) AS r",
        )
        .bind(batch)
        .bind(school.to_owned())
        .bind(day)
        .run()
        .await?;
    }
    Ok(())
}
