//! Handlers of the jobs `invoice.issue`, `invoice.send` and `invoice.collect`.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::service::{
    Exchange, InvoiceError, KeyRing, Outside, Progress, collect, issue, kinds, receipt_payments,
    send,
};
use super::spoken;
use crate::App;
use crate::ids::{InvoiceId, PaymentId};
use crate::jobs::{Handler, Job, Outcome};

/// Calls to the carrier at the same time, of one batch.
const CALLS_MAX: usize = 16;

/// Numbers and signs the invoice and the receipt of a payment, its subject.
#[derive(Clone, Debug)]
pub struct IssueHandler {
    pub app: App,
    pub keys: KeyRing,
}

impl Handler for IssueHandler {
    fn kind(&self) -> &'static str {
        kinds::ISSUE
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let payments: Vec<_> = jobs
            .iter()
            .map(|job| (job.school_id.clone(), PaymentId::new(job.subject.clone())))
            .collect();
        let invoices = issue(&self.app, &self.keys, &payments).await;
        let receipts = receipt_payments(&self.app, &self.keys, &payments).await;
        match (invoices, receipts) {
            (Ok(invoices), Ok(receipts)) => invoices
                .into_iter()
                .zip(receipts)
                .map(|outcome| match outcome {
                    (Ok(_), Ok(())) => Outcome::Done,
                    (Err(error), _) | (_, Err(error)) => failed(&error),
                })
                .collect(),
            (Err(error), _) | (_, Err(error)) => jobs.iter().map(|_| failed(&error)).collect(),
        }
    }
}

pub(super) fn failed(error: &InvoiceError) -> Outcome {
    let said = spoken::invoice(error);
    if error.may_pass() {
        Outcome::Failed(said)
    } else {
        Outcome::Dead(said)
    }
}

/// What a step of the exchange means for its job. An outage is no failure, however long it lasts: the
/// deadline watch shows it.
pub(super) fn after(progress: Result<Progress, InvoiceError>, subject: &str) -> Outcome {
    match progress {
        Ok(Progress::Done) => Outcome::Done,
        Ok(Progress::NotYet { millis }) => Outcome::NotYet { millis },
        Ok(Progress::Outage { problem, millis }) => {
            tracing::info!(subject, problem, "the carrier will be asked again");
            Outcome::NotYet { millis }
        }
        Ok(Progress::Stuck(problem)) => Outcome::Dead(problem),
        Err(error) => failed(&error),
    }
}

/// Which step of the exchange a handler does; subject is an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Send,
    Collect,
}

/// Speaks with the carrier.
#[derive(Debug)]
pub struct ExchangeHandler<O> {
    pub app: App,
    pub exchange: Arc<Exchange>,
    pub outside: Arc<O>,
    pub step: Step,
}

impl<O: Outside + 'static> Handler for ExchangeHandler<O> {
    fn kind(&self) -> &'static str {
        match self.step {
            Step::Send => kinds::SEND,
            Step::Collect => kinds::COLLECT,
        }
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let count = jobs.len();
        let gate = Arc::new(Semaphore::new(CALLS_MAX));
        let mut tasks = JoinSet::new();
        for (place, job) in jobs.into_iter().enumerate() {
            let (app, exchange, outside) = (
                self.app.clone(),
                Arc::clone(&self.exchange),
                Arc::clone(&self.outside),
            );
            let (gate, step) = (Arc::clone(&gate), self.step);
            tasks.spawn(async move {
                // Never closed, so a permit always comes.
                let _permit = gate.acquire_owned().await;
                let invoice = InvoiceId::new(job.subject);
                let school = job.school_id;
                let progress = match step {
                    Step::Send => send(&app, &exchange, &*outside, &school, &invoice).await,
                    Step::Collect => collect(&app, &exchange, &*outside, &school, &invoice).await,
                };
                (place, after(progress, invoice.as_str()))
            });
        }
        let mut outcomes = vec![Outcome::Failed("the task ended early".into()); count];
        while let Some(ended) = tasks.join_next().await {
            if let Ok((place, outcome)) = ended {
                outcomes[place] = outcome;
            }
        }
        outcomes
    }
}
