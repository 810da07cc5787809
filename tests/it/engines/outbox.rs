//! Jobs survive their node, and those that were given up are seen and done again.

use std::sync::Mutex;

use hocphi::clock::Clock;
use hocphi::ids::{Ids, SchoolId};
use hocphi::jobs::{
    self, Handler, Job, LEASE_SECONDS, NewJob, Outcome, Runner, State, Wake, Which,
};
use hocphi::store::{Db, Tx};
use tokio::sync::watch;

use super::fresh_databases;
use crate::support::NOW;

const KIND: &str = "test.kind";

/// Answers what it is told and remembers what it ran.
struct Told {
    outcome: Outcome,
    ran: Mutex<Vec<String>>,
}

impl Told {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            ran: Mutex::default(),
        }
    }

    fn ran(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock().unwrap())
    }
}

impl Handler for Told {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let mut ran = self.ran.lock().unwrap();
        ran.extend(jobs.iter().map(|job| job.subject.clone()));
        jobs.iter().map(|_| self.outcome.clone()).collect()
    }
}

fn node(db: &Db, clock: &Clock) -> Runner {
    Runner {
        db: db.clone(),
        clock: clock.clone(),
        wake: Wake::default(),
        stop: watch::channel(false).1,
    }
}

async fn enqueue(db: &Db, subjects: &'static [&'static str]) {
    let ids = Ids::seeded(3);
    db.write("test.enqueue", async move |tx: &mut Tx| {
        let jobs: Vec<NewJob> = subjects
            .iter()
            .map(|subject| NewJob {
                school_id: SchoolId::new("a"),
                kind: KIND,
                subject: (*subject).to_owned(),
                run_at: NOW,
            })
            .collect();
        jobs::enqueue(tx, &ids, &jobs, NOW).await
    })
    .await
    .unwrap();
}

/// As if the node ended between claiming and settling.
async fn die_holding(db: &Db, until: hocphi::clock::Instant) {
    db.write("test.die", async move |tx: &mut Tx| {
        tx.sql("UPDATE job SET leased_until = $1, attempts = attempts + 1")
            .bind(until)
            .run()
            .await
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_a_dead_node_held_is_taken_over_when_its_lease_ends_and_not_before() {
    for (db, _keep) in fresh_databases().await {
        let clock = Clock::settable(NOW);
        let other = node(&db, &clock);
        let handler = Told::new(Outcome::Done);
        enqueue(&db, &["one"]).await;
        die_holding(&db, NOW.plus_seconds(LEASE_SECONDS)).await;
        assert_eq!(other.run_due(&handler).await.unwrap(), 0);
        clock.set(NOW.plus_seconds(LEASE_SECONDS - 1));
        assert_eq!(other.run_due(&handler).await.unwrap(), 0);
        clock.set(NOW.plus_seconds(LEASE_SECONDS));
        assert_eq!(other.run_due(&handler).await.unwrap(), 1);
        assert_eq!(handler.ran(), ["one"]);
        assert_eq!(jobs::waiting(&db).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_lease_of_a_clock_that_is_hours_ahead_holds_nothing() {
    for (db, _keep) in fresh_databases().await {
        let runner = node(&db, &Clock::settable(NOW));
        let handler = Told::new(Outcome::Done);
        enqueue(&db, &["one"]).await;
        die_holding(&db, NOW.plus_seconds(3 * 3_600)).await;
        assert_eq!(runner.run_due(&handler).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn two_nodes_never_hold_the_same_job() {
    for (db, _keep) in fresh_databases().await {
        let clock = Clock::settable(NOW);
        let subjects: &[&str] = &[
            "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12",
        ];
        enqueue(&db, subjects).await;
        let (first, second) = (node(&db, &clock), node(&db, &clock));
        let handler = Told::new(Outcome::Done);
        let (one, two) = tokio::join!(first.run_due(&handler), second.run_due(&handler));
        assert_eq!(one.unwrap() + two.unwrap(), subjects.len());
        let mut ran = handler.ran();
        ran.sort();
        assert_eq!(ran, subjects);
    }
}

#[tokio::test]
async fn a_dead_letter_is_listed_with_its_error_and_runs_again_when_told() {
    for (db, _keep) in fresh_databases().await {
        let clock = Clock::settable(NOW);
        let runner = node(&db, &clock);
        enqueue(&db, &["bad", "worse"]).await;
        let hopeless = Told::new(Outcome::Dead("no such invoice".into()));
        assert_eq!(runner.run_due(&hopeless).await.unwrap(), 2);
        clock.set(NOW.plus_seconds(86_400));
        assert_eq!(runner.run_due(&hopeless).await.unwrap(), 0);

        let dead = jobs::list(&db, State::Dead, None, 10).await.unwrap();
        let seen: Vec<_> = dead.iter().map(|job| job.subject.as_str()).collect();
        assert_eq!(seen, ["bad", "worse"]);
        assert_eq!(dead[0].last_error.as_deref(), Some("no such invoice"));
        assert_eq!(
            jobs::list(&db, State::Dead, Some("other"), 10)
                .await
                .unwrap(),
            []
        );
        let one = dead[1].job_id.clone();
        let found = jobs::find(&db, &one).await.unwrap();
        assert_eq!(found.as_ref(), Some(&dead[1]));

        let now = clock.now();
        let again = one.clone();
        let revived = db
            .write("test.retry", async move |tx: &mut Tx| {
                let ids = Ids::seeded(9);
                let other = Which {
                    kind: Some("other".to_owned()),
                    ..Which::default()
                };
                let one = Which {
                    job: Some(again.clone()),
                    ..Which::default()
                };
                let other_kind = jobs::replay(tx, &ids, &other, "tester", now).await?;
                let once = jobs::replay(tx, &ids, &one, "tester", now).await?;
                let twice = jobs::replay(tx, &ids, &one, "tester", now).await?;
                Ok::<_, hocphi::store::StoreError>((other_kind, once, twice))
            })
            .await
            .unwrap();
        assert_eq!(revived, (0, 1, 0));
        let kept: Vec<(String, String, Option<String>)> = db
            .sql("SELECT subject, replayed_by, last_error FROM job_replay")
            .all()
            .await
            .unwrap();
        let why = Some("no such invoice".to_owned());
        assert_eq!(kept, [("worse".to_owned(), "tester".to_owned(), why)]);
        let waiting = jobs::list(&db, State::Ready, None, 10).await.unwrap();
        assert_eq!((waiting.len(), waiting[0].attempts), (1, 0));
        let healed = Told::new(Outcome::Done);
        assert_eq!(runner.run_due(&healed).await.unwrap(), 1);
        assert_eq!(healed.ran(), ["worse"]);
        assert_eq!(jobs::find(&db, &one).await.unwrap(), None);
    }
}

#[tokio::test]
async fn pauses_grow_and_end_in_a_dead_letter() {
    for (db, _keep) in fresh_databases().await {
        let clock = Clock::settable(NOW);
        let runner = node(&db, &clock);
        let failing = Told::new(Outcome::Failed("no connection".into()));
        enqueue(&db, &["one"]).await;
        let mut pauses = Vec::new();
        while let [job] = jobs::list(&db, State::Ready, None, 2)
            .await
            .unwrap()
            .as_slice()
        {
            clock.set(job.run_at);
            let before = job.run_at;
            assert_eq!(runner.run_due(&failing).await.unwrap(), 1);
            if let [job] = jobs::list(&db, State::Ready, None, 2)
                .await
                .unwrap()
                .as_slice()
            {
                pauses.push((job.run_at.micros() - before.micros()) / 1_000_000);
            }
        }
        assert_eq!(pauses.len(), 29);
        assert_eq!(pauses[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert!(pauses[10..].iter().all(|pause| *pause == 600));
        let dead = jobs::list(&db, State::Dead, None, 2).await.unwrap();
        assert_eq!(dead[0].attempts, 30);
    }
}

#[tokio::test]
async fn not_yet_forgets_the_failures_before_it() {
    for (db, _keep) in fresh_databases().await {
        let clock = Clock::settable(NOW);
        let runner = node(&db, &clock);
        let failing = Told::new(Outcome::Failed("no connection".into()));
        let early = Told::new(Outcome::NotYet { millis: 1_000 });
        enqueue(&db, &["one"]).await;
        let due = async || {
            let waiting = jobs::list(&db, State::Ready, None, 2).await.unwrap();
            clock.set(waiting[0].run_at);
            waiting[0].attempts
        };
        // A slow authority behind an unsteady carrier: sixty failures in all, never thirty in a row.
        for _ in 0..3 {
            for failures in 0..20 {
                assert_eq!(due().await, failures);
                assert_eq!(runner.run_due(&failing).await.unwrap(), 1);
            }
            due().await;
            assert_eq!(runner.run_due(&early).await.unwrap(), 1);
        }
        assert_eq!(due().await, 0);
        assert_eq!(jobs::dead(&db).await.unwrap(), []);
    }
}
