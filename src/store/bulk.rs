//! Rows by the million: read from the engine's own memory, nothing made of them on the way.

use std::future::poll_fn;

use sqlx::PgConnection;

use super::StoreError;
use super::bulk_sqlite::Columns;
use crate::clock::Day;

/// Columns a bulk statement may have.
const COLUMNS_MAX: usize = 16;
const POSTGRES_EPOCH_UNIX_DAYS: i32 = 10_957;
const POSTGRES_EPOCH_UNIX_MICROS: i64 = 946_684_800_000_000;

/// One row, read by the places of its columns. A column that is NULL or not of the kind asked for
/// has no value.
pub enum BulkRow<'r> {
    Sqlite(Columns<'r>),
    Postgres(&'r Fields<'r>),
}

impl BulkRow<'_> {
    pub fn text(&self, place: usize) -> Option<&str> {
        match self {
            Self::Sqlite(row) => row.text(place),
            Self::Postgres(fields) => std::str::from_utf8(fields.get(place)?).ok(),
        }
    }

    /// A BIGINT.
    pub fn integer(&self, place: usize) -> Option<i64> {
        match self {
            Self::Sqlite(row) => row.integer(place),
            Self::Postgres(fields) => Some(i64::from_be_bytes(fields.get(place)?.try_into().ok()?)),
        }
    }

    /// A calendar day as days since 1970.
    pub fn day(&self, place: usize) -> Option<i32> {
        match self {
            Self::Sqlite(row) => Day::parse_iso(row.text(place)?).map(Day::unix_days),
            Self::Postgres(fields) => i32::from_be_bytes(fields.get(place)?.try_into().ok()?)
                .checked_add(POSTGRES_EPOCH_UNIX_DAYS),
        }
    }

    /// A moment as microseconds since 1970.
    pub fn instant(&self, place: usize) -> Option<i64> {
        match self {
            Self::Sqlite(_) => self.integer(place),
            Self::Postgres(_) => self.integer(place)?.checked_add(POSTGRES_EPOCH_UNIX_MICROS),
        }
    }

    pub fn is_null(&self, place: usize) -> bool {
        match self {
            Self::Sqlite(row) => row.is_null(place),
            Self::Postgres(fields) => fields.get(place).is_none(),
        }
    }
}

/// The fields of a row in PostgreSQL's binary format.
pub struct Fields<'r> {
    values: [Option<&'r [u8]>; COLUMNS_MAX],
}

impl<'r> Fields<'r> {
    fn get(&self, place: usize) -> Option<&'r [u8]> {
        *self.values.get(place)?
    }

    /// The next row, and what follows it; the end of the data has no row.
    fn read(bytes: &'r [u8]) -> Option<(Option<Self>, &'r [u8])> {
        let (count, mut rest) = bytes.split_first_chunk::<2>()?;
        let Ok(count) = usize::try_from(i16::from_be_bytes(*count)) else {
            return Some((None, rest));
        };
        let mut values = [None; COLUMNS_MAX];
        for value in values.get_mut(..count)? {
            let (length, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            if let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) {
                let (field, after) = rest.split_at_checked(length)?;
                *value = Some(field);
                rest = after;
            }
        }
        Some((Some(Self { values }), rest))
    }
}

pub(super) async fn from_postgres(
    connection: &mut PgConnection,
    text: &str,
    mut each: impl FnMut(&BulkRow<'_>),
) -> Result<(), StoreError> {
    let mut messages = connection
        .copy_out_raw(&format!("COPY ({text}) TO STDOUT (FORMAT binary)"))
        .await?;
    let mut is_first = true;
    while let Some(message) = poll_fn(|context| messages.as_mut().poll_next(context)).await {
        let message = message?;
        let mut rest: &[u8] = &message;
        if std::mem::take(&mut is_first) {
            rest = after_header(rest).ok_or_else(unreadable)?;
        }
        while !rest.is_empty() {
            let (fields, after) = Fields::read(rest).ok_or_else(unreadable)?;
            rest = after;
            if let Some(fields) = fields {
                each(&BulkRow::Postgres(&fields));
            }
        }
    }
    Ok(())
}

/// What follows signature, flags and extension of binary COPY data.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b"PGCOPY\n\xff\r\n\0")?;
    let (_flags, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)
}

fn unreadable() -> StoreError {
    StoreError::Contradiction("PostgreSQL sent COPY data of an unknown form".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_row_are_found_and_a_torn_row_is_refused() {
        let row = [0, 2, 0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 9];
        let (fields, rest) = Fields::read(&row).unwrap();
        let fields = fields.unwrap();
        let fields = BulkRow::Postgres(&fields);
        assert_eq!(
            (fields.text(0), fields.is_null(1), rest),
            (Some("ab"), true, &[9][..])
        );
        assert!(Fields::read(&row[..7]).is_none());
        assert!(matches!(Fields::read(&[255, 255]), Some((None, []))));
    }
}
