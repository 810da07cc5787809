//! `/ke-toan/jobs`: work that was given up is seen by its school, and who had it done again is kept.

use axum::http::StatusCode;
use hocphi::clock::Clock;
use hocphi::ids::{Ids, SchoolId};
use hocphi::jobs::{self, Handler, Job, NewJob, Outcome, Runner, State, Wake};
use hocphi::store::{Db, Tx};
use hocphi::web::{self, PageConfig};
use tokio::sync::watch;

use super::fresh_databases;
use super::pages::{app, get, noon, session, two_schools};
use super::staff_forms::{hidden, post};

const PAGE: &str = "/ke-toan/jobs";

/// Gives up everything, or fails once.
struct Hopeless {
    kind: &'static str,
    outcome: Outcome,
}

impl Handler for Hopeless {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        vec![self.outcome.clone(); jobs.len()]
    }
}

/// Two dead letters of the first school, one of the second, and one job that is still tried.
async fn give_up(db: &Db) {
    let ids = Ids::seeded(3);
    db.write("test.enqueue", async move |tx: &mut Tx| {
        let jobs: Vec<NewJob> = [
            ("s1", "invoice.issue", "pay1"),
            ("s1", "invoice.send", "inv1"),
            ("s2", "invoice.send", "inv2"),
            ("s1", "invoice.collect", "inv3"),
        ]
        .into_iter()
        .map(|(school, kind, subject)| NewJob {
            school_id: SchoolId::new(school),
            kind,
            subject: subject.to_owned(),
            run_at: noon(),
        })
        .collect();
        jobs::enqueue(tx, &ids, &jobs, noon()).await
    })
    .await
    .unwrap();
    let runner = Runner {
        db: db.clone(),
        clock: Clock::settable(noon()),
        wake: Wake::default(),
        stop: watch::channel(false).1,
    };
    for (kind, outcome) in [
        ("invoice.issue", Outcome::Dead("no signing key".to_owned())),
        (
            "invoice.send",
            Outcome::Dead("<b>no carrier</b>".to_owned()),
        ),
        ("invoice.collect", Outcome::Failed("HTTP 503".to_owned())),
    ] {
        runner.run_due(&Hopeless { kind, outcome }).await.unwrap();
    }
}

#[tokio::test]
async fn dead_letters_are_seen_and_done_again_by_the_schools_accountant_alone() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        give_up(&db).await;
        let router = web::router(app(db.clone()), PageConfig::default());
        let (one, two) = (session(&router, "kt1").await, session(&router, "kt2").await);
        let officer = session(&router, "so1").await;
        assert_eq!(
            get(&router, PAGE, &officer).await.status,
            StatusCode::FORBIDDEN
        );
        let overview = get(&router, "/ke-toan", &one).await.text;
        assert!(overview.contains("2 việc bị dừng") && overview.contains(PAGE));

        let page = get(&router, PAGE, &one).await.text;
        for shown in [
            "Lập hóa đơn",
            "/ke-toan/receipts/pay1",
            "no signing key",
            "no carrier",
            "HTTP 503",
        ] {
            assert!(page.contains(shown), "{shown}");
        }
        assert!(!page.contains("inv2"), "of another school");
        assert!(!page.contains("<b>no carrier"), "escaped");
        let dead = jobs::list(&db, State::Dead, None, 10).await.unwrap();
        let of = |subject: &str| {
            let job = dead.iter().find(|job| job.subject == subject).unwrap();
            format!("{PAGE}/{}/replay", job.job_id)
        };
        let again = async |cookie: &str, path: &str, token: &str| {
            post(&router, path, cookie, &[("form_token", token)]).await
        };
        let guessed = again(&one, &of("pay1"), "guessed").await;
        assert_eq!(guessed.status, StatusCode::FORBIDDEN);
        let theirs = get(&router, PAGE, &two).await.text;
        let (mine, other) = (hidden(&page, "form_token"), hidden(&theirs, "form_token"));
        let not_theirs = again(&two, &of("pay1"), other).await;
        assert_eq!(not_theirs.headers["location"], "/ke-toan/jobs?done=0");
        let refused = get(&router, "/ke-toan/jobs?done=0", &two).await.text;
        assert!(refused.contains("Không còn việc nào như vậy"));
        assert_eq!(jobs::dead(&db).await.unwrap().len(), 3);

        let done = again(&one, &of("pay1"), mine).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
        assert_eq!(done.headers["location"], "/ke-toan/jobs?done=1");
        let twice = again(&one, &of("pay1"), mine).await;
        assert_eq!(twice.headers["location"], "/ke-toan/jobs?done=0");
        let rest = again(&one, "/ke-toan/jobs/replay", mine).await;
        assert_eq!(rest.headers["location"], "/ke-toan/jobs?done=1");
        let left = jobs::dead(&db).await.unwrap();
        assert_eq!(left.len(), 1, "the other school's stays");
        let waiting = jobs::list(&db, State::Ready, Some("invoice.issue"), 10)
            .await
            .unwrap();
        assert_eq!((waiting[0].attempts, waiting[0].run_at), (0, noon()));

        let page = get(&router, "/ke-toan/jobs?done=1", &one).await.text;
        for shown in ["Ai đã cho làm lại", "Người kt1", "no signing key", "1 việc"] {
            assert!(page.contains(shown), "{shown}");
        }
        let kept: Vec<(String, String, String)> = db
            .sql("SELECT school_id, subject, replayed_by FROM job_replay ORDER BY subject")
            .all()
            .await
            .unwrap();
        let kept: Vec<_> = kept
            .iter()
            .map(|(school, subject, by)| (school.as_str(), subject.as_str(), by.as_str()))
            .collect();
        assert_eq!(kept, [("s1", "inv1", "kt1"), ("s1", "pay1", "kt1")]);
    }
}
