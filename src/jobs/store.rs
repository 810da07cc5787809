//! Every SQL statement of jobs.

use super::runner::LEASE_SECONDS;
use super::{Job, NewJob};
use crate::clock::Instant;
use crate::ids::{Ids, JobId};
use crate::store::{Db, StoreError, Tx, rows};

/// Writes jobs in the caller's transaction. One that already waits is left as it is.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn enqueue(
    tx: &mut Tx,
    ids: &Ids,
    jobs: &[NewJob],
    now: Instant,
) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO job (job_id, school_id, kind, subject, state, run_at, attempts)
         SELECT job_id, school_id, kind, subject, 'READY', run_at, 0
           FROM ROWS($1: job_id TEXT, school_id TEXT, kind TEXT, subject TEXT, run_at INSTANT) AS r
          WHERE TRUE
         ON CONFLICT (kind, school_id, subject) DO NOTHING",
    )
    .bind(rows(jobs.iter().map(|job| {
        (
            ids.next(now),
            &job.school_id,
            job.kind,
            &job.subject,
            job.run_at,
        )
    })))
    .run()
    .await?;
    Ok(())
}

/// Takes up to `limit` due jobs of a kind until `leased_until`; a job whose lease ran out is due again.
pub(super) async fn claim(
    tx: &mut Tx,
    kind: &str,
    now: Instant,
    leased_until: Instant,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    tx.sql_by_engine(
        "UPDATE job SET leased_until = $3, attempts = attempts + 1
          WHERE job_id IN (
                SELECT job_id FROM job
                 WHERE kind = $1 AND state = 'READY' AND run_at <= $2
                   AND (leased_until IS NULL OR leased_until <= $2 OR leased_until > $5)
                 ORDER BY run_at, job_id LIMIT $4)
         RETURNING job_id, school_id, subject, attempts",
        "UPDATE job SET leased_until = $3, attempts = attempts + 1
          WHERE job_id IN (
                SELECT job_id FROM job
                 WHERE kind = $1 AND state = 'READY' AND run_at <= $2
                   AND (leased_until IS NULL OR leased_until <= $2 OR leased_until > $5)
                 ORDER BY run_at, job_id LIMIT $4
                   FOR UPDATE SKIP LOCKED)
         RETURNING job_id, school_id, subject, attempts",
    )
    .bind(kind.to_owned())
    .bind(now)
    .bind(leased_until)
    .bind(limit)
    .bind(beyond(now))
    .all()
    .await
}

/// No lease reaches beyond this moment, unless the clock of who took it was wrong.
fn beyond(now: Instant) -> Instant {
    now.plus_seconds(10 * LEASE_SECONDS)
}

/// Whether anything of a kind is due: a read, so that idle runners do not disturb the writer.
pub(super) async fn any_due(db: &Db, kind: &str, now: Instant) -> Result<bool, StoreError> {
    let found: Option<(JobId,)> = db
        .sql(
            "SELECT job_id FROM job
              WHERE kind = $1 AND state = 'READY' AND run_at <= $2
                AND (leased_until IS NULL OR leased_until <= $2 OR leased_until > $3)
              LIMIT 1",
        )
        .bind(kind.to_owned())
        .bind(now)
        .bind(beyond(now))
        .optional()
        .await?;
    Ok(found.is_some())
}

pub(super) async fn finish(tx: &mut Tx, done: &[JobId]) -> Result<(), StoreError> {
    tx.sql("DELETE FROM job WHERE job_id IN (SELECT id FROM ROWS($1: id TEXT) AS r)")
        .bind(rows(done.iter().map(|job| (job,))))
        .run()
        .await?;
    Ok(())
}

/// A job given back: to be run again, or to wait for a person.
#[derive(Clone, serde::Serialize)]
pub(super) struct Back(JobId, String, Instant, i64, Option<String>);

impl Back {
    pub fn ready(job: JobId, run_at: Instant, attempts: i64, error: Option<String>) -> Self {
        Self(job, "READY".into(), run_at, attempts, error)
    }

    pub fn dead(job: JobId, at: Instant, attempts: i64, error: String) -> Self {
        Self(job, "DEAD".into(), at, attempts, Some(error))
    }
}

pub(super) async fn give_back(tx: &mut Tx, back: &[Back]) -> Result<(), StoreError> {
    tx.sql(
        "UPDATE job SET state = r.state, run_at = r.run_at, attempts = r.attempts,
                        last_error = r.last_error, leased_until = NULL
           FROM ROWS($1: job_id TEXT, state TEXT, run_at INSTANT, attempts BIGINT,
                     last_error TEXT) AS r
          WHERE job.job_id = r.job_id",
    )
    .bind(rows(back))
    .run()
    .await?;
    Ok(())
}

/// How many jobs of each kind wait, running ones included.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn waiting(db: &Db) -> Result<Vec<(String, i64)>, StoreError> {
    db.sql("SELECT kind, COUNT(*) FROM job WHERE state = 'READY' GROUP BY kind ORDER BY kind")
        .all()
        .await
}

/// Jobs that were given up: kind, subject and the last error, for people.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn dead(db: &Db) -> Result<Vec<(String, String, Option<String>)>, StoreError> {
    db.sql("SELECT kind, subject, last_error FROM job WHERE state = 'DEAD' ORDER BY kind, subject")
        .all()
        .await
}
