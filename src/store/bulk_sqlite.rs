//! SQLite's own interface, for reading rows by the million: sqlx hands every row through a channel
//! between two threads, which costs several times what reading it does. The only unsafe code of hocphi.

use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Once;

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

use super::StoreError;
use super::bulk::BulkRow;

/// SQLite counts the memory it takes under one lock for all threads; nobody asks for the sum. To be
/// called before the first connection; later it does nothing.
pub fn count_no_memory() {
    static ONCE: Once = Once::new();
    // SAFETY: `sqlite3_config` must not run beside itself, which `Once` sees to. SQLite refuses it when a
    // connection was opened before.
    ONCE.call_once(|| unsafe {
        let done = ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
        if done != ffi::SQLITE_OK {
            tracing::debug!(
                done,
                "SQLite was in use already and goes on counting its memory"
            );
        }
    });
}

/// The row a statement stands on.
pub struct Columns<'r> {
    statement: NonNull<ffi::sqlite3_stmt>,
    row: PhantomData<&'r ()>,
}

impl Columns<'_> {
    pub(super) fn text(&self, place: usize) -> Option<&str> {
        let place = self.column(place, ffi::SQLITE_TEXT)?;
        // SAFETY: the statement stands on a row for as long as `self` is borrowed, and `place` is one
        // of its columns. Of a TEXT value both calls convert nothing, so the bytes stay where they are
        // until the next step, which takes `Columns` away first.
        let bytes = unsafe {
            let start = ffi::sqlite3_column_text(self.statement.as_ptr(), place);
            let length = ffi::sqlite3_column_bytes(self.statement.as_ptr(), place);
            if start.is_null() {
                return None;
            }
            std::slice::from_raw_parts(start, usize::try_from(length).ok()?)
        };
        std::str::from_utf8(bytes).ok()
    }

    pub(super) fn integer(&self, place: usize) -> Option<i64> {
        let place = self.column(place, ffi::SQLITE_INTEGER)?;
        // SAFETY: as above; the value is returned by copy.
        Some(unsafe { ffi::sqlite3_column_int64(self.statement.as_ptr(), place) })
    }

    pub(super) fn is_null(&self, place: usize) -> bool {
        self.column(place, ffi::SQLITE_NULL).is_some()
    }

    /// The column, when the row has it and its value is of this kind.
    fn column(&self, place: usize, kind: c_int) -> Option<c_int> {
        let place = c_int::try_from(place).ok()?;
        // SAFETY: the statement lives as long as `self`; a place beyond the columns is not asked for.
        unsafe {
            if place >= ffi::sqlite3_data_count(self.statement.as_ptr()) {
                return None;
            }
            (ffi::sqlite3_column_type(self.statement.as_ptr(), place) == kind).then_some(place)
        }
    }
}

/// A prepared statement that ends with its scope.
struct Statement(NonNull<ffi::sqlite3_stmt>);

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: prepared by `read`, ended once. Its answer repeats the error of the last step.
        unsafe { ffi::sqlite3_finalize(self.0.as_ptr()) };
    }
}

/// Hands every row to `each`. The handle is locked, so that nobody else uses the connection.
pub(super) fn read(
    handle: &mut LockedSqliteHandle<'_>,
    text: &str,
    value: &str,
    mut each: impl FnMut(&BulkRow<'_>),
) -> Result<(), StoreError> {
    let database = handle.as_raw_handle();
    let failed = || {
        // SAFETY: the connection is open; the message is copied before anything else is called on it.
        let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(database.as_ptr())) };
        StoreError::Bulk(message.to_string_lossy().into_owned())
    };
    let text = CString::new(text).map_err(|error| StoreError::Bulk(error.to_string()))?;
    let length =
        c_int::try_from(value.len()).map_err(|error| StoreError::Bulk(error.to_string()))?;
    let mut prepared = ptr::null_mut();
    // SAFETY: an open connection, a text that ends with NUL, a place for the statement.
    let outcome = unsafe {
        ffi::sqlite3_prepare_v2(
            database.as_ptr(),
            text.as_ptr(),
            -1,
            &mut prepared,
            ptr::null_mut(),
        )
    };
    if outcome != ffi::SQLITE_OK {
        return Err(failed());
    }
    let statement = Statement(NonNull::new(prepared).ok_or_else(failed)?);
    // SAFETY: the statement was just prepared; SQLite copies the value (SQLITE_TRANSIENT).
    let outcome = unsafe {
        ffi::sqlite3_bind_text(
            statement.0.as_ptr(),
            1,
            value.as_ptr().cast(),
            length,
            ffi::SQLITE_TRANSIENT(),
        )
    };
    if outcome != ffi::SQLITE_OK {
        return Err(failed());
    }
    loop {
        // SAFETY: no `Columns` of the row before is left.
        match unsafe { ffi::sqlite3_step(statement.0.as_ptr()) } {
            ffi::SQLITE_ROW => each(&BulkRow::Sqlite(Columns {
                statement: statement.0,
                row: PhantomData,
            })),
            ffi::SQLITE_DONE => return Ok(()),
            _ => return Err(failed()),
        }
    }
}
