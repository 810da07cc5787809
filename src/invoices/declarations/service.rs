//! Makes declarations ([`make`]), sends them and follows them to their end ([`exchange`]).

mod exchange;
mod make;

pub use exchange::{collect, send};
pub use make::{
    DeclarationError, NewNotice, NewRegistration, OFFICE_CODE, OFFICE_NAME, PLACE, notify, register,
};

use crate::clock::Instant;
use crate::ids::{DeclarationId, Ids, SchoolId};
use crate::jobs::{self, NewJob};
use crate::store::{StoreError, Tx};

/// The job that sends a declaration; the subject is the declaration.
pub const SEND: &str = "tax.send";
/// The job that fetches the answer.
pub const COLLECT: &str = "tax.collect";
async fn enqueue(
    tx: &mut Tx,
    ids: &Ids,
    kind: &'static str,
    school: &SchoolId,
    declaration: &DeclarationId,
    now: Instant,
) -> Result<(), StoreError> {
    let job = NewJob {
        school_id: school.clone(),
        kind,
        subject: declaration.to_string(),
        run_at: now,
    };
    jobs::enqueue(tx, ids, &[job], now).await
}
