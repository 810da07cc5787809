//! Virtual time, the queue of events, and the processes that live and die in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hocphi_sandbox::Notice;
use tokio::sync::mpsc;

use super::broken::Broken;
use super::carrier::Calling;
use super::chance::{Chance, Weather};
use super::deliver::Delivery;
use super::fault::{Counts, Fault};
use super::gateways::Providers;
use super::invariants::{self, Truth};
use super::node::{Outgoing, Process, Shared, Work};
use super::office::Chore;
use super::payers::Intent;
use super::power::{Blow, NODES, Power};
use super::stage::{self, Books, Stage};
use super::told::Told;
use super::{SimulateError, Story, Violation, store, trouble};
use crate::clock::{Clock, Instant};
use crate::ids::Ids;

pub use super::processes::{Ended, Task, Working};

pub const MILLI: i64 = 1_000;
pub const SECOND: i64 = 1_000 * MILLI;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// After this time faults cease, and what was begun must come to its end.
const STORM: i64 = 36 * HOUR;
/// Longest that anything may take to come to its end in good weather: a delay of most of a day, and
/// a job's longest pauses.
const CALM: i64 = 72 * HOUR;
/// A story longer than this does not end.
const STEPS_MAX: u64 = 20_000;

/// Something that happens at a moment.
pub enum Event {
    Pay(Intent),
    Office(Box<Chore>),
    Deliver(Box<Delivery>),
    /// A gateway takes back what this notice told of.
    TakeBack(Box<Notice>),
    /// A process looks for due jobs.
    Tick {
        node: usize,
        work: Work,
    },
    /// A call reaches the authority.
    Arrive(u64),
    /// A call's caller hears something.
    Answer(u64),
    Restart(usize),
    /// A process's clock is so far from the truth from here on.
    Clock {
        node: usize,
        skew: i64,
    },
}

pub(super) struct Node {
    pub(super) clock: Clock,
    pub(super) skew: i64,
    pub(super) process: Option<Arc<Process>>,
}

/// One story while it is told.
pub struct World<'s> {
    pub(super) stage: &'s Stage,
    pub(super) seed: u64,
    pub(super) broken: Option<Broken>,
    pub(super) chance: Chance,
    weather: Weather,
    storm: bool,
    pub(super) providers: Providers,
    pub(super) power: Power,
    books: Books,
    pub(super) shared: Shared<'s>,
    pub(super) outgoing: mpsc::UnboundedReceiver<Outgoing>,
    truth: Arc<AtomicI64>,
    begun: i64,
    queue: BTreeMap<(i64, u64), Event>,
    queued: u64,
    pub(super) nodes: Vec<Node>,
    /// Ticks that are already queued, by process and work.
    pub(super) ticks: BTreeMap<(usize, Work), i64>,
    pub(super) busy: BTreeSet<(usize, Work)>,
    pub(super) calls: BTreeMap<u64, Calling>,
    pub(super) called: u64,
    pub(super) sent: u64,
    pub(super) newest_arrived: u64,
    pub(super) told: Told,
    /// What providers had to say about money that came in.
    pub(super) reported: Vec<Notice>,
    faults: Counts,
    steps: u64,
    commits: u64,
    /// Jobs may be due that nobody looks at yet.
    pub(super) overlooked: bool,
    trace: Option<Vec<String>>,
}

impl<'s> World<'s> {
    pub async fn open(
        stage: &'s Stage,
        seed: u64,
        broken: Option<Broken>,
        traced: bool,
    ) -> Result<Self, SimulateError> {
        let chance = Chance::new(seed);
        let weather = Weather::draw(&chance);
        // Some stories cross midnight soon, some the end of the year, when symbols and formats change.
        let begun = match chance.below(8) {
            0 => Instant::parse_local_iso("2026-12-31T14:00:00"),
            1 | 2 => Some(stage.start.plus_seconds(14 * 3_600)),
            _ => Some(stage.start.plus_seconds(chance.between(1, 86_400))),
        }
        .ok_or_else(|| trouble("start")("not a moment"))?
        .micros();
        let truth = Arc::new(AtomicI64::new(begun));
        let answer_after = match chance.below(4) {
            0 => chance.between(MINUTE, 20 * MINUTE),
            _ => chance.between(0, 2 * SECOND),
        };
        let (for_now, for_elapsed) = (truth.clone(), truth.clone());
        let peers = stage.peers(stage::config(
            Arc::new(move || for_now.load(Ordering::SeqCst).div_euclid(SECOND)),
            Arc::new(move || {
                let passed = for_elapsed.load(Ordering::SeqCst) - begun;
                Duration::from_micros(u64::try_from(passed).unwrap_or(0))
            }),
            seed,
            stage.pki(),
            Duration::from_micros(u64::try_from(answer_after).unwrap_or(0)),
        ));
        let power = Power::default();
        let books = stage.open(broken, &power).await?;
        let (calls, outgoing) = mpsc::unbounded_channel();
        let shared = Shared {
            stage,
            db: books.db.clone(),
            ids: Ids::seeded(seed),
            calls,
            broken,
        };
        let nodes = (0..NODES)
            .map(|_| Node {
                clock: Clock::settable(Instant::from_micros(begun)),
                skew: 0,
                process: None,
            })
            .collect();
        let mut world = Self {
            stage,
            seed,
            broken,
            chance,
            weather,
            storm: true,
            providers: Providers {
                peers,
                gateways: stage.gateways(),
            },
            power,
            books,
            shared,
            outgoing,
            truth,
            begun,
            queue: BTreeMap::new(),
            queued: 0,
            nodes,
            ticks: BTreeMap::new(),
            busy: BTreeSet::new(),
            calls: BTreeMap::new(),
            called: 0,
            sent: 0,
            newest_arrived: 0,
            told: Told::default(),
            reported: Vec::new(),
            faults: Counts::default(),
            steps: 0,
            commits: 0,
            overlooked: true,
            trace: traced.then(Vec::new),
        };
        for node in 0..NODES {
            world.start(node);
        }
        world.plan_payments();
        world.plan_office();
        world.plan_clocks();
        Ok(world)
    }

    /// Tells the story to its end or to the first broken promise.
    pub async fn play(mut self) -> Result<Story, SimulateError> {
        let mut violation = None;
        while violation.is_none() {
            if self.storm && self.passed() > STORM {
                self.calm_down();
            }
            if self.steps > STEPS_MAX || self.passed() > STORM + CALM {
                break;
            }
            let Some(((at, _), event)) = self.queue.pop_first() else {
                if !self.storm {
                    break;
                }
                self.calm_down();
                self.look().await?;
                continue;
            };
            self.steps += 1;
            self.set_time(at);
            self.happen(event).await?;
            violation = self.look().await?;
        }
        if violation.is_none() {
            let truth = self.truth_outside();
            violation = invariants::at_the_end(&self.shared.db, &self.stage.chain, &truth)
                .await?
                .map(|found| self.violated(found));
        }
        let (payments, invoices) = store::counts(&self.shared.db).await?;
        for (fault, times) in store::consequences(&self.shared.db).await? {
            self.faults.add_many(fault, times);
        }
        let story = Story {
            seed: self.seed,
            steps: self.steps,
            simulated_micros: self.passed(),
            commits: self.commits,
            payments: u64::try_from(payments).unwrap_or(0),
            invoices: u64::try_from(invoices).unwrap_or(0),
            faults: self.faults.clone(),
            violation,
            trace: self.trace.take().unwrap_or_default(),
        };
        self.calls.clear();
        self.nodes.clear();
        self.books.close().await;
        Ok(story)
    }

    async fn happen(&mut self, event: Event) -> Result<(), SimulateError> {
        match event {
            Event::Pay(intent) => self.pay(intent).await,
            Event::Office(chore) => self.work_in_office(*chore).await,
            Event::Deliver(first) => {
                let mut together = vec![*first];
                let now = self.now();
                while let Some(entry) = self.queue.first_entry() {
                    if entry.key().0 != now || !matches!(entry.get(), Event::Deliver(_)) {
                        break;
                    }
                    if let Event::Deliver(next) = entry.remove() {
                        together.push(*next);
                    }
                }
                self.deliver(together).await
            }
            Event::Tick { node, work } => self.tick(node, work).await,
            Event::TakeBack(paid) => {
                self.take_back(&paid);
                Ok(())
            }
            Event::Arrive(call) => {
                self.arrive(call);
                Ok(())
            }
            Event::Answer(call) => self.answer(call).await,
            Event::Restart(node) => {
                self.start(node);
                self.note(|| format!("node {node} starts"));
                self.overlooked = true;
                Ok(())
            }
            Event::Clock { node, skew } => {
                self.turn_clock(node, skew);
                Ok(())
            }
        }
    }

    // ---- time ----------------------------------------------------------------------------------

    pub(super) fn now(&self) -> i64 {
        self.truth.load(Ordering::SeqCst)
    }

    /// The truth in unix seconds.
    pub(super) fn seconds(&self) -> i64 {
        self.now().div_euclid(SECOND)
    }

    pub(super) fn passed(&self) -> i64 {
        self.now() - self.begun
    }

    pub(super) fn set_time(&self, at: i64) {
        self.truth.store(at.max(self.now()), Ordering::SeqCst);
        for node in &self.nodes {
            node.clock.set(Instant::from_micros(self.now() + node.skew));
        }
    }

    pub(super) fn schedule(&mut self, wait: i64, event: Event) {
        self.queued += 1;
        let at = self.now() + wait.max(0);
        self.queue.insert((at, self.queued), event);
    }

    /// Clocks go wrong by up to 90 minutes for a while: far enough to cross midnight and leases.
    fn plan_clocks(&mut self) {
        for node in 0..NODES {
            for fault in [Fault::ClockForward, Fault::ClockBack] {
                if !(0..4).any(|_| self.strikes(fault)) {
                    continue;
                }
                let size = self.chance.between(SECOND, 90 * MINUTE);
                let skew = if fault == Fault::ClockForward {
                    size
                } else {
                    -size
                };
                let from = self.chance.between(0, 30 * HOUR);
                let lasts = self.chance.between(MINUTE, 3 * HOUR);
                self.schedule(from, Event::Clock { node, skew });
                self.schedule(from + lasts, Event::Clock { node, skew: 0 });
            }
        }
    }

    fn turn_clock(&mut self, node: usize, skew: i64) {
        let before = self.nodes[node].skew;
        self.told.clock_was_ahead |= skew > 0;
        self.told.clock_was_wrong |= skew != 0;
        match skew.cmp(&before) {
            std::cmp::Ordering::Greater => self.count(Fault::ClockForward),
            std::cmp::Ordering::Less => self.count(Fault::ClockBack),
            std::cmp::Ordering::Equal => {}
        }
        self.nodes[node].skew = skew;
        self.overlooked = true;
        self.set_time(self.now());
        self.note(|| format!("node {node}: the clock is {} s off", skew / SECOND));
    }

    // ---- faults --------------------------------------------------------------------------------

    pub(super) fn strikes(&self, fault: Fault) -> bool {
        self.storm && self.weather.strikes(&self.chance, fault)
    }

    pub(super) fn count(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// A blow for the work that is about to begin, if one is due.
    pub(super) fn arm(&self) -> Option<(u64, Blow)> {
        let blow = [
            (Fault::CrashBeforeCommit, Blow::BeforeCommit),
            (Fault::CrashAfterCommit, Blow::AfterCommit),
            (Fault::CommitRefused, Blow::Refused),
        ]
        .into_iter()
        .find(|(fault, _)| self.strikes(*fault))?
        .1;
        Some((self.chance.below(3), blow))
    }

    /// Faults cease, clocks are right, processes run.
    fn calm_down(&mut self) {
        self.storm = false;
        self.note(|| "the weather calms down".into());
        for node in 0..NODES {
            self.turn_clock(node, 0);
            if self.nodes[node].process.is_none() {
                self.schedule(0, Event::Restart(node));
            }
        }
        self.report_again();
        self.tidy_up();
    }

    // ---- looking -------------------------------------------------------------------------------

    /// Holds the books against what was told, if anything was committed.
    async fn look(&mut self) -> Result<Option<Violation>, SimulateError> {
        let (commits, touched) = self.power.look();
        if std::mem::take(&mut self.overlooked) || commits != self.commits {
            self.wake().await?;
        }
        if commits == self.commits {
            return Ok(None);
        }
        self.commits = commits;
        let truth = self.truth_outside();
        let found = invariants::hold(&self.shared.db, &self.stage.chain, &truth, touched).await?;
        Ok(found.map(|found| self.violated(found)))
    }

    fn truth_outside(&self) -> Truth<'_> {
        Truth {
            told: &self.told,
            providers: &self.providers,
            schools: &self.stage.schools,
        }
    }

    fn violated(&self, (invariant, detail): invariants::Found) -> Violation {
        Violation {
            invariant,
            step: self.steps,
            at: Instant::from_micros(self.now()),
            detail,
        }
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let (steps, now) = (self.steps, self.now());
        if let Some(trace) = &mut self.trace {
            let line = line();
            if !line.is_empty() {
                let at = Instant::from_micros(now).local_iso();
                trace.push(format!("{steps:>5}  {at}  {line}"));
            }
        }
    }
}
