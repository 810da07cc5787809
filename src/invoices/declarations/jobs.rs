//! Handlers of the jobs `tax.send` and `tax.collect`.

use std::sync::Arc;

use super::service::{COLLECT, SEND, collect, send};
use crate::App;
use crate::ids::DeclarationId;
use crate::invoices::jobs::{Step, after};
use crate::invoices::service::{Exchange, Outside};
use crate::jobs::{Handler, Job, Outcome};

/// Speaks with the carrier about declarations; they are few, so one after the other.
#[derive(Debug)]
pub struct DeclarationHandler<O> {
    pub app: App,
    pub exchange: Arc<Exchange>,
    pub outside: Arc<O>,
    pub step: Step,
}

impl<O: Outside + 'static> Handler for DeclarationHandler<O> {
    fn kind(&self) -> &'static str {
        match self.step {
            Step::Send => SEND,
            Step::Collect => COLLECT,
        }
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let id = DeclarationId::new(job.subject);
            let (app, exchange, outside) = (&self.app, &self.exchange, &*self.outside);
            let progress = match self.step {
                Step::Send => send(app, exchange, outside, &job.school_id, &id).await,
                Step::Collect => collect(app, exchange, outside, &job.school_id, &id).await,
            };
            outcomes.push(after(progress, id.as_str()));
        }
        outcomes
    }
}
