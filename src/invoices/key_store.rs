//! Every SQL statement of signing keys and registered certificates.

use super::signature::Holder;
use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::store::{Db, StoreError, Tx, rows};

/// A stored key; the private part, or the way to it, is sealed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KeyRow {
    pub school_id: SchoolId,
    pub key_id: String,
    pub holder: Holder,
    pub sealed_key: String,
    pub certificate: String,
    pub serial: String,
    pub valid_from: Instant,
    pub valid_to: Instant,
}

pub async fn insert_key(tx: &mut Tx, key: &KeyRow) -> Result<bool, StoreError> {
    let added = tx
        .sql(
            "INSERT INTO signing_key (school_id, key_id, holder, sealed_key, certificate, serial,
                                      valid_from, valid_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT DO NOTHING",
        )
        .bind(key.school_id.clone())
        .bind(key.key_id.clone())
        .bind(key.holder)
        .bind(key.sealed_key.clone())
        .bind(key.certificate.clone())
        .bind(key.serial.clone())
        .bind(key.valid_from)
        .bind(key.valid_to)
        .run()
        .await?;
    Ok(added == 1)
}

/// The keys of these schools that hold at a moment, the youngest first.
pub async fn keys(db: &Db, schools: &[SchoolId], at: Instant) -> Result<Vec<KeyRow>, StoreError> {
    db.sql(
        "SELECT k.school_id, k.key_id, k.holder, k.sealed_key, k.certificate, k.serial,
                k.valid_from, k.valid_to
           FROM ROWS($1: school_id TEXT) AS r
           JOIN signing_key k ON k.school_id = r.school_id
          WHERE k.valid_from <= $2 AND k.valid_to >= $2
          ORDER BY k.valid_from DESC, k.key_id",
    )
    .bind(rows(schools.iter().map(|school| (school,))))
    .bind(at)
    .all()
    .await
}

/// All keys of a school, the youngest first.
pub async fn keys_of(db: &Db, school: &SchoolId) -> Result<Vec<KeyRow>, StoreError> {
    db.sql(
        "SELECT school_id, key_id, holder, sealed_key, certificate, serial, valid_from, valid_to
           FROM signing_key
          WHERE school_id = $1
          ORDER BY valid_from DESC, key_id",
    )
    .bind(school.clone())
    .all()
    .await
}

/// A certificate that a seller has registered with the tax authority.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Registered {
    pub school_id: SchoolId,
    /// Upper-case hex.
    pub serial: String,
    pub valid_from: Day,
    /// The first day on which it is no longer registered.
    pub valid_to: Option<Day>,
    pub source: String,
}

impl Registered {
    pub fn holds_on(&self, day: Day) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|end| day < end)
    }
}

pub async fn registered(db: &Db, schools: &[SchoolId]) -> Result<Vec<Registered>, StoreError> {
    db.sql(
        "SELECT c.school_id, c.serial, c.valid_from, c.valid_to, c.source
           FROM ROWS($1: school_id TEXT) AS r
           JOIN registered_certificate c ON c.school_id = r.school_id
          ORDER BY c.school_id, c.serial, c.valid_from",
    )
    .bind(rows(schools.iter().map(|school| (school,))))
    .all()
    .await
}

/// Enters a registration, or its end.
pub async fn register(tx: &mut Tx, new: &Registered) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO registered_certificate (school_id, serial, valid_from, valid_to, source)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (school_id, serial, valid_from)
         DO UPDATE SET valid_to = excluded.valid_to, source = excluded.source",
    )
    .bind(new.school_id.clone())
    .bind(new.serial.clone())
    .bind(new.valid_from)
    .bind(new.valid_to)
    .bind(new.source.clone())
    .run()
    .await?;
    Ok(())
}
