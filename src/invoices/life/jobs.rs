//! Handlers of the jobs `invoice.sign`, `invoice.refunded` and `invoice.allocated`.

use super::movements::{Documented, allocated, refunded};
use super::store;
use crate::App;
use crate::ids::{InvoiceId, MoveId, SchoolId};
use crate::invoices::jobs::failed;
use crate::invoices::service::{KeyRing, kinds, sign_numbered};
use crate::jobs::{Handler, Job, Outcome};
use crate::payments::{INVOICE_ALLOCATED, INVOICE_REFUNDED};

/// How soon something is looked at again that goes on by itself.
const LOOK_MILLIS: i64 = 2_000;
/// What has waited long is looked at more rarely: after an eighth of its age, and no later than this.
const LOOK_MILLIS_MAX: i64 = 600_000;
/// And what waits for a person.
const LOOK_AT_STUCK_MILLIS: i64 = 60_000;

/// Signs numbered corrections and mended invoices; the subject is the invoice.
#[derive(Clone, Debug)]
pub struct SignHandler {
    pub app: App,
    pub keys: KeyRing,
}

impl Handler for SignHandler {
    fn kind(&self) -> &'static str {
        kinds::SIGN
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let invoices: Vec<_> = jobs
            .iter()
            .map(|job| (job.school_id.clone(), InvoiceId::new(job.subject.clone())))
            .collect();
        match sign_numbered(&self.app, &self.keys, &invoices).await {
            Ok(outcomes) => outcomes
                .into_iter()
                .map(|outcome| match outcome {
                    Ok(()) => Outcome::Done,
                    Err(error) => failed(&error),
                })
                .collect(),
            Err(error) => jobs.iter().map(|_| failed(&error)).collect(),
        }
    }
}

/// Money left bill lines; the subject is the movement.
#[derive(Clone, Debug)]
pub struct RefundedHandler {
    pub app: App,
    pub keys: KeyRing,
}

impl Handler for RefundedHandler {
    fn kind(&self) -> &'static str {
        INVOICE_REFUNDED
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let of = MoveId::new(job.subject);
            let done = refunded(&self.app, &self.keys, &job.school_id, &of).await;
            outcomes.push(match done {
                Ok(Documented::Done(_)) => Outcome::Done,
                Ok(Documented::NotYet) => Outcome::NotYet {
                    millis: self.pause(&job.school_id, &of, LOOK_MILLIS).await,
                },
                Ok(Documented::Stuck(problem)) => {
                    tracing::warn!(
                        school.id = %job.school_id, move.id = %of, problem,
                        "a movement waits for a person before it is documented"
                    );
                    Outcome::NotYet {
                        millis: self.pause(&job.school_id, &of, LOOK_AT_STUCK_MILLIS).await,
                    }
                }
                Err(error) => failed(&error),
            });
        }
        outcomes
    }
}

impl RefundedHandler {
    /// How long to leave a movement alone: `least` at first.
    async fn pause(&self, school: &SchoolId, of: &MoveId, least: i64) -> i64 {
        match store::made_at(&self.app.db, school, of).await {
            Ok(Some(made_at)) => {
                let age = (self.app.clock.now().micros() - made_at.micros()) / 1_000;
                (age / 8).clamp(least, LOOK_MILLIS_MAX)
            }
            // It is looked at again all the same.
            Ok(None) | Err(_) => least,
        }
    }
}

/// Money came to further bill lines; the subject is the movement.
#[derive(Clone, Debug)]
pub struct AllocatedHandler {
    pub app: App,
    pub keys: KeyRing,
}

impl Handler for AllocatedHandler {
    fn kind(&self) -> &'static str {
        INVOICE_ALLOCATED
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let moves: Vec<_> = jobs
            .iter()
            .map(|job| (job.school_id.clone(), MoveId::new(job.subject.clone())))
            .collect();
        match allocated(&self.app, &self.keys, &moves).await {
            Ok(outcomes) => outcomes
                .into_iter()
                .map(|outcome| match outcome {
                    Ok(true) => Outcome::Done,
                    Ok(false) => Outcome::NotYet {
                        millis: LOOK_MILLIS,
                    },
                    Err(error) => failed(&error),
                })
                .collect(),
            Err(error) => jobs.iter().map(|_| failed(&error)).collect(),
        }
    }
}
