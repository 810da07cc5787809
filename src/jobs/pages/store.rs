//! Reads of the page of jobs.

use crate::clock::Instant;
use crate::ids::SchoolId;
use crate::jobs::Listed;
use crate::store::{Db, StoreError};

/// Dead letters of a school, longest dead first.
pub(super) async fn dead(
    db: &Db,
    school: &SchoolId,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    db.sql(
        "SELECT job_id, school_id, kind, subject, state, run_at, attempts, leased_until, last_error
           FROM job
          WHERE school_id = $1 AND state = 'DEAD'
          ORDER BY run_at, job_id LIMIT $2",
    )
    .bind(school.clone())
    .bind(limit)
    .all()
    .await
}

/// Jobs of a school that failed and will be repeated, next first.
pub(super) async fn failing(
    db: &Db,
    school: &SchoolId,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    db.sql(
        "SELECT job_id, school_id, kind, subject, state, run_at, attempts, leased_until, last_error
           FROM job
          WHERE school_id = $1 AND state = 'READY' AND last_error IS NOT NULL AND attempts > 0
          ORDER BY run_at, job_id LIMIT $2",
    )
    .bind(school.clone())
    .bind(limit)
    .all()
    .await
}

/// A job that somebody had done again.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Replayed {
    pub kind: String,
    pub subject: String,
    /// What had stopped it.
    pub last_error: Option<String>,
    /// The name of the person, or what a command was called with.
    pub replayed_by: String,
    pub replayed_at: Instant,
}

/// Who had what of a school done again, latest first.
pub(super) async fn replayed(
    db: &Db,
    school: &SchoolId,
    limit: i64,
) -> Result<Vec<Replayed>, StoreError> {
    db.sql(
        "SELECT r.kind, r.subject, r.last_error,
                COALESCE(u.display_name, r.replayed_by) AS replayed_by, r.replayed_at
           FROM job_replay r
           LEFT JOIN user_account u ON u.user_id = r.replayed_by
          WHERE r.school_id = $1
          ORDER BY r.replayed_at DESC, r.replay_id DESC LIMIT $2",
    )
    .bind(school.clone())
    .bind(limit)
    .all()
    .await
}
