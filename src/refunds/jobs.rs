//! A provider's signed notice confirms a refund that was asked of it.

use super::rules::{State, Step};
use super::service::{RefundError, Report, advance};
use super::store;
use crate::App;
use crate::ids::MoveId;
use crate::jobs::{Handler, Job, Outcome};
use crate::payments::review::service::REFUND_CONFIRMED;

/// Handles [`REFUND_CONFIRMED`]; the subject is the movement of the refund.
#[derive(Clone, Debug)]
pub struct ConfirmHandler {
    pub app: App,
}

impl Handler for ConfirmHandler {
    fn kind(&self) -> &'static str {
        REFUND_CONFIRMED
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(match confirm(&self.app, &job).await {
                Ok(State::Done) => Outcome::Done,
                // Money that we took for returned has gone: only a person can say what is right.
                Ok(state) => Outcome::Dead(format!("refund is {state}, its provider says paid")),
                Err(error) => Outcome::Failed(error.to_string()),
            });
        }
        outcomes
    }
}

async fn confirm(app: &App, job: &Job) -> Result<State, RefundError> {
    let of = MoveId::new(job.subject.clone());
    let (refund, state, reference) = store::of_move(&app.db, &job.school_id, &of)
        .await?
        .ok_or(RefundError::NoRefund)?;
    if matches!(state, State::Done | State::Failed) {
        return Ok(state);
    }
    let report = Report {
        step: Step::Paid,
        reference: reference.or_else(|| Some(of.to_string())),
        detail: "signed notice of the provider".to_owned(),
        by: "provider".to_owned(),
    };
    advance(app, &job.school_id, &refund, report).await
}
