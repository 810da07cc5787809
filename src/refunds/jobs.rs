//! Refunds through providers: asked for and followed, and confirmed by a signed notice.

use super::rules::{State, Step};
use super::service::{RefundError, Report, advance, outgoing};
use super::store;
use crate::App;
use crate::clock::Instant;
use crate::ids::{ConnectionId, MoveId, RefundId};
use crate::jobs::{Handler, Job, Outcome};
use crate::payments::outbound::request::{NewRefund, start_refund};
use crate::payments::outbound::rules as flow_rules;
use crate::payments::outbound::service::FlowError;
use crate::payments::review::service::REFUND_CONFIRMED;
use crate::store::StoreError;

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

/// Handles [`SEND_REFUND`](super::SEND_REFUND): asks the provider to pay back, and follows until it
/// has answered. The subject is the refund.
#[derive(Clone, Debug)]
pub struct SendHandler {
    pub app: App,
}

/// A refund under way is looked at after the provider was asked, by the provider's own schedule, and
/// no later than this: its notice or a person may have been faster.
const LOOK_MILLIS_MAX: i64 = 900_000;
/// What is under way just now.
const LOOK_MILLIS: i64 = 5_000;

impl Handler for SendHandler {
    fn kind(&self) -> &'static str {
        super::SEND_REFUND
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(match send(&self.app, &job).await {
                Ok(outcome) => outcome,
                Err(SendError::Refund(RefundError::NotNow(state))) => {
                    tracing::info!(%state, "a refund was taken on by somebody else");
                    Outcome::Done
                }
                Err(error) => Outcome::Failed(error.to_string()),
            });
        }
        outcomes
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Refund(#[from] RefundError),
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn send(app: &App, job: &Job) -> Result<Outcome, SendError> {
    let refund = RefundId::new(job.subject.clone());
    let school = &job.school_id;
    let Some(out) = outgoing(app, school, &refund).await? else {
        return Ok(Outcome::Dead(
            "no payment of a provider stands behind it".into(),
        ));
    };
    if matches!(out.state, State::Done | State::Failed) {
        return Ok(Outcome::Done);
    }
    let report = async |step, reference: Option<String>, detail: String| {
        let report = Report {
            step,
            reference,
            detail,
            by: "provider".to_owned(),
        };
        advance(app, school, &refund, report).await
    };
    let new = NewRefund {
        school_id: school.clone(),
        subject: refund.to_string(),
        connection_id: ConnectionId::new(out.connection_id),
        order_ref: out.order_ref.unwrap_or_default(),
        transaction_id: out.transaction_id,
        paid_amount: out.payment_amount,
        paid_at: out.paid_at,
        amount: out.amount,
        reason: out.reason,
        requested_by: "hocphi".to_owned(),
    };
    let flow = match start_refund(app, &new).await {
        Ok(flow) => flow,
        // Nothing has left the house and nothing will.
        Err(error @ FlowError::NoRefunds) => {
            report(Step::Fail, None, error.to_string()).await?;
            return Ok(Outcome::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let problem = flow.problem.clone().unwrap_or_default();
    if flow.sends > 0 && out.state == State::Requested {
        report(Step::Send, None, format!("flow {}", flow.flow_id)).await?;
    }
    match flow.state {
        flow_rules::State::Done => {
            let reference = flow.provider_ref.unwrap_or(flow.flow_id.to_string());
            report(Step::Paid, Some(reference), problem).await?;
        }
        flow_rules::State::Failed | flow_rules::State::Expired => {
            report(Step::Fail, None, problem).await?;
        }
        flow_rules::State::Review => {
            if out.state != State::Unknown {
                report(Step::LoseSight, None, problem).await?;
            }
        }
        flow_rules::State::Planned
        | flow_rules::State::Sent
        | flow_rules::State::Unknown
        | flow_rules::State::Pending => {
            let due = flow.next_at.map_or(0, Instant::micros) - app.clock.now().micros();
            return Ok(Outcome::NotYet {
                millis: (due / 1_000 + LOOK_MILLIS).clamp(LOOK_MILLIS, LOOK_MILLIS_MAX),
            });
        }
    }
    Ok(Outcome::Done)
}
