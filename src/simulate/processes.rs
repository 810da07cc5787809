//! The processes of a run: their lives, and the work they do by themselves.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::broken::Broken;
use super::fault::Fault;
use super::node::{Process, Work};
use super::payers::Checkout;
use super::power::{Blow, NODES};
use super::world::{Event, MILLI, MINUTE, SECOND, World};
use super::{SimulateError, store, trouble};
use crate::payments::service::{PayError, Started};
use crate::store::{Db, StoreError};

/// How work ended.
pub enum Ended {
    Jobs(Result<usize, StoreError>),
    Checkout(Result<Started, PayError>),
}

/// What a process is doing.
#[derive(Clone, Debug)]
pub enum Task {
    Jobs(Work),
    Checkout(Checkout),
}

type Batch = Pin<Box<dyn Future<Output = Ended>>>;

/// A process in the middle of something.
pub struct Working {
    pub node: usize,
    pub task: Task,
    pub batch: Batch,
}

impl World<'_> {
    pub(super) fn start(&mut self, node: usize) {
        if self.nodes[node].process.is_some() {
            return;
        }
        self.power.revive(node);
        let process = Process::start(&self.shared, &self.nodes[node].clock);
        self.nodes[node].process = Some(Arc::new(process));
    }

    /// The books, read as the harness: no process acts.
    pub(super) fn db(&self) -> &Db {
        &self.shared.db
    }

    pub(super) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].process.is_some()
    }

    pub(super) fn process(&self, node: usize) -> Result<Arc<Process>, SimulateError> {
        self.nodes[node]
            .process
            .clone()
            .ok_or_else(|| trouble("process")("is down"))
    }

    /// The process that a new request is sent to; it may be down.
    pub(super) fn balance(&self) -> usize {
        self.chance.place(NODES)
    }

    /// A process has paused or finished; answers whether it lives.
    pub(super) fn after_work(&mut self, node: usize) -> bool {
        match self.power.pause() {
            Some(Blow::BeforeCommit) => self.count(Fault::CrashBeforeCommit),
            Some(Blow::AfterCommit) => self.count(Fault::CrashAfterCommit),
            Some(Blow::Refused) => {
                self.count(Fault::CommitRefused);
                self.note(|| format!("node {node}: a commit was refused"));
            }
            None => {}
        }
        if !self.power.is_dead(node) && self.strikes(Fault::CrashIdle) && self.chance.percent(25) {
            // The work is done and heard of; nothing of the process is left.
            self.count(Fault::CrashIdle);
            self.power.kill(node);
            self.bury(node);
            return true;
        }
        let lives = !self.power.is_dead(node);
        if !lives {
            self.bury(node);
        }
        lives
    }

    fn bury(&mut self, node: usize) {
        self.note(|| format!("node {node} is dead"));
        self.nodes[node].process = None;
        self.overlooked = true;
        for work in Work::ALL {
            self.busy.remove(&(node, work));
            self.ticks.remove(&(node, work));
        }
        let dropped: Vec<Task> = self
            .calls
            .values_mut()
            .filter_map(|calling| calling.forget_caller_of(node))
            .collect();
        for task in dropped {
            self.left_alone(task);
        }
        let wait = self.chance.between(SECOND, 10 * MINUTE);
        self.schedule(wait, Event::Restart(node));
    }

    /// What a variant writes after the commit of a notice; the real program wrote it with it.
    pub(super) async fn late_jobs(&mut self, node: usize) -> Result<(), SimulateError> {
        if self.broken != Some(Broken::JobsOutsideTransaction) {
            return Ok(());
        }
        let armed = self.arm();
        self.power.begin(node, armed);
        let written = store::late_jobs(&self.shared.db, false).await;
        let lived = self.after_work(node);
        if written.is_err() || !lived {
            store::late_jobs(&self.shared.db, true).await?;
        }
        Ok(())
    }

    pub(super) async fn tick(&mut self, node: usize, work: Work) -> Result<(), SimulateError> {
        if self
            .ticks
            .get(&(node, work))
            .is_some_and(|known| *known > self.now())
        {
            return Ok(());
        }
        self.ticks.remove(&(node, work));
        if !self.is_up(node) || self.busy.contains(&(node, work)) {
            return Ok(());
        }
        let process = self.process(node)?;
        let working = Working {
            node,
            task: Task::Jobs(work),
            batch: Box::pin(async move { Ended::Jobs(process.work(work).await) }),
        };
        self.drive(working).await
    }

    /// Lets work run until it ends or calls outside.
    pub(super) async fn drive(&mut self, mut working: Working) -> Result<(), SimulateError> {
        let node = working.node;
        let armed = self.arm();
        self.power.begin(node, armed);
        let ended = tokio::select! {
            biased;
            ended = &mut working.batch => Ok(ended),
            outgoing = self.outgoing.recv() => Err(outgoing),
        };
        let lived = self.after_work(node);
        match (ended, working.task.clone()) {
            (Ok(Ended::Jobs(done)), Task::Jobs(work)) => {
                self.busy.remove(&(node, work));
                self.overlooked = true;
                self.note(|| match &done {
                    Ok(0) => String::new(),
                    Ok(count) => format!("node {node}: {} × {count} done", work.kind()),
                    Err(error) => format!("node {node}: {} failed: {error}", work.kind()),
                });
            }
            (Ok(Ended::Checkout(started)), Task::Checkout(checkout)) => {
                self.checkout_ended(node, lived, checkout, started);
            }
            (Ok(_), _) => return Err(trouble("work")("ended as another")),
            (Err(Some(outgoing)), task) if lived && self.is_up(node) => {
                if let Task::Jobs(work) = task {
                    self.busy.insert((node, work));
                }
                self.place_call(working, outgoing);
            }
            // A dead process's call was never made.
            (Err(_), task) => self.left_alone(task),
        }
        Ok(())
    }

    /// The process that did this is gone. Jobs wait in the books; a payer has to come again.
    fn left_alone(&mut self, task: Task) {
        if let Task::Checkout(checkout) = task {
            self.check_out_later(checkout);
        }
    }

    /// Queues a look at jobs where some are due.
    pub(super) async fn wake(&mut self) -> Result<(), SimulateError> {
        let mut all_due = store::due(&self.shared.db).await?;
        if let Some(due) = store::flows_due(&self.shared.db).await? {
            all_due.push((Work::Flows.kind().to_owned(), due));
        }
        for (kind, due) in all_due {
            let Some(work) = Work::ALL.into_iter().find(|work| work.kind() == kind) else {
                continue;
            };
            // Whoever is first gets it; sometimes both come.
            let first = self.chance.place(NODES);
            let both = self.chance.percent(20);
            let free: Vec<usize> = (0..NODES)
                .map(|step| (first + step) % NODES)
                .filter(|node| self.is_up(*node) && !self.busy.contains(&(*node, work)))
                .collect();
            for node in free.into_iter().take(if both { NODES } else { 1 }) {
                let due_here = due.micros() - self.nodes[node].skew;
                let at = due_here.max(self.now()) + self.chance.between(MILLI, 250 * MILLI);
                if self
                    .ticks
                    .get(&(node, work))
                    .is_some_and(|known| *known <= at)
                {
                    continue;
                }
                self.ticks.insert((node, work), at);
                self.schedule(at - self.now(), Event::Tick { node, work });
            }
        }
        Ok(())
    }
}
