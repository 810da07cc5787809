//! Every SQL statement of jobs.

use super::runner::LEASE_SECONDS;
use super::{Job, NewJob};
use crate::clock::Instant;
use crate::ids::{Ids, JobId, SchoolId};
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

/// How many jobs of a school were given up.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn dead_of(db: &Db, school: &SchoolId) -> Result<i64, StoreError> {
    let (count,): (i64,) = db
        .sql("SELECT COUNT(*) FROM job WHERE school_id = $1 AND state = 'DEAD'")
        .bind(school.clone())
        .one()
        .await?;
    Ok(count)
}

/// Whether a job still runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ready,
    /// Given up; waits for a person.
    Dead,
}

crate::stored_as_text! {
    State { Ready = "READY", Dead = "DEAD" }
}

/// A job as people see it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Listed {
    pub job_id: JobId,
    pub school_id: SchoolId,
    pub kind: String,
    pub subject: String,
    pub state: State,
    /// When it is due; for a dead job, when it was given up.
    pub run_at: Instant,
    pub attempts: i64,
    pub leased_until: Option<Instant>,
    pub last_error: Option<String>,
}

/// Jobs in one state, of one kind or of all, dead or due longest first.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn list(
    db: &Db,
    state: State,
    kind: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    db.sql(
        "SELECT job_id, school_id, kind, subject, state, run_at, attempts, leased_until, last_error
           FROM job
          WHERE state = $1 AND ($2 = '' OR kind = $2)
          ORDER BY run_at, job_id LIMIT $3",
    )
    .bind(state)
    .bind(kind.unwrap_or_default().to_owned())
    .bind(limit)
    .all()
    .await
}

/// One job, whatever its state.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn find(db: &Db, job_id: &JobId) -> Result<Option<Listed>, StoreError> {
    db.sql(
        "SELECT job_id, school_id, kind, subject, state, run_at, attempts, leased_until, last_error
           FROM job WHERE job_id = $1",
    )
    .bind(job_id.clone())
    .optional()
    .await
}

/// Which dead jobs are meant; what is not said is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    pub school: Option<SchoolId>,
    pub job: Option<JobId>,
    pub kind: Option<String>,
}

/// A dead job that was made due again.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Revived {
    school_id: SchoolId,
    job_id: JobId,
    kind: String,
    subject: String,
    last_error: Option<String>,
}

/// Makes dead jobs due again, with all their attempts before them, and keeps who wanted it. The last
/// error stays until the next run. Answers how many there were.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn replay(
    tx: &mut Tx,
    ids: &Ids,
    which: &Which,
    by: &str,
    now: Instant,
) -> Result<u64, StoreError> {
    let given = |text: Option<String>| text.unwrap_or_default();
    let revived: Vec<Revived> = tx
        .sql(
            "UPDATE job SET state = 'READY', run_at = $1, attempts = 0, leased_until = NULL
              WHERE state = 'DEAD' AND ($2 = '' OR job_id = $2) AND ($3 = '' OR kind = $3)
                AND ($4 = '' OR school_id = $4)
             RETURNING school_id, job_id, kind, subject, last_error",
        )
        .bind(now)
        .bind(given(which.job.as_ref().map(ToString::to_string)))
        .bind(given(which.kind.clone()))
        .bind(given(which.school.as_ref().map(ToString::to_string)))
        .all()
        .await?;
    if revived.is_empty() {
        return Ok(0);
    }
    let count = revived.len() as u64;
    tx.sql(
        "INSERT INTO job_replay (school_id, replay_id, job_id, kind, subject, last_error,
                                 replayed_by, replayed_at)
         SELECT school_id, replay_id, job_id, kind, subject, last_error, $2, $3
           FROM ROWS($1: replay_id TEXT, school_id TEXT, job_id TEXT, kind TEXT, subject TEXT,
                     last_error TEXT) AS r",
    )
    .bind(rows(revived.into_iter().map(|job| {
        (
            ids.next(now),
            job.school_id,
            job.job_id,
            job.kind,
            job.subject,
            job.last_error,
        )
    })))
    .bind(by.to_owned())
    .bind(now)
    .run()
    .await?;
    Ok(count)
}
