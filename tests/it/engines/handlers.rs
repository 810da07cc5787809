//! Handlers of jobs may run twice, at once or after a crash between what they did and the deletion of
//! their job: the work is done once. Those of invoices are tested with invoices.

use hocphi::App;
use hocphi::ids::{BillId, JobId, RefundId, SchoolId};
use hocphi::jobs::{Handler, Job, LEASE_SECONDS, Outcome, Runner};
use hocphi::money::Vnd;
use hocphi::payments::moves::jobs::CreditHandler;
use hocphi::payments::outbound::jobs::run_due;
use hocphi::refunds::jobs::SendHandler;
use hocphi::refunds::rules::{Charge, State, Way};
use hocphi::refunds::service::{From, NewRefund, request};
use hocphi::refunds::store::refund as refund_of;
use hocphi::store::Tx;
use tokio::sync::watch;

use super::moves::{app_of, school};
use super::outbound::{checkout, gateway, paid};
use super::{app_on, fresh_databases};
use crate::support::{Books, NOW};

fn job(subject: &str) -> Job {
    Job {
        job_id: JobId::new("j1"),
        school_id: SchoolId::new("a"),
        subject: subject.to_owned(),
        attempts: 1,
    }
}

/// Runs a handler whose process dies when the work is done, and then a runner that finds the job
/// when the lease is over.
async fn with_a_crash_before_completion<H: Handler>(app: &App, handler: &H, jobs: &[Job]) {
    let kind = handler.kind();
    let until = app.clock.now().plus_seconds(LEASE_SECONDS);
    app.db
        .write("test.claim", async move |tx: &mut Tx| {
            tx.sql("UPDATE job SET leased_until = $1, attempts = 1 WHERE kind = $2")
                .bind(until)
                .bind(kind)
                .run()
                .await
        })
        .await
        .unwrap();
    handler.run(jobs.to_vec()).await;
    app.clock.set(until);
    let runner = Runner {
        db: app.db.clone(),
        clock: app.clock.clone(),
        wake: app.wake.clone(),
        stop: watch::channel(false).1,
    };
    assert_eq!(runner.run_due(handler).await.unwrap(), 1, "{kind}");
}

#[tokio::test]
async fn credit_is_used_once_for_a_round_however_often_its_job_runs() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 180, &["B1"])).await;
        books.bill("a", "B2", "p1", 2, &[("TUITION", 2, 50)]).await;
        let other = app_of(&books);
        let (one, two) = (
            CreditHandler { app: app.clone() },
            CreditHandler { app: other },
        );
        let jobs = vec![job("r2")];
        let (first, second) = tokio::join!(one.run(jobs.clone()), two.run(jobs.clone()));
        let third = one.run(jobs).await;
        for outcomes in [first, second, third] {
            assert_eq!(outcomes, [Outcome::Done]);
        }
        assert_eq!(books.bill_state("B2").await, ("PAID".into(), 50, 50));
        assert_eq!(books.count("SELECT amount FROM pupil_credit").await, 30);
        assert_eq!(books.count("SELECT COUNT(*) FROM money_move").await, 1);
        books.must_be_sound().await;
    }
}

async fn asked_for(app: &App, bill: &BillId) -> RefundId {
    let new = NewRefund {
        from: From::BillLine(bill.clone(), 1),
        amount: Vnd::new(40_000),
        way: Way::Provider,
        charge: Charge::Stays,
        payee: "Nguyễn Văn Tư".to_owned(),
        payee_account: None,
        reason: "thôi học".to_owned(),
        request: "f1".to_owned(),
        by: "kt".to_owned(),
    };
    request(app, &school(), new).await.unwrap()
}

#[tokio::test]
async fn a_refund_is_asked_of_its_provider_once_and_ends_once() {
    for ended in [State::Done, State::Failed] {
        for (db, _keep) in fresh_databases().await {
            let (books, app, code) = gateway(db.clone()).await;
            let (_, order) = checkout(&app, &code).await;
            books.post(paid(&books, &order)).await;
            let refund = asked_for(&app, &BillId::new(code.as_str())).await;
            let other = app_on(db);
            other.clock.set(NOW);
            let (one, two) = (SendHandler { app: app.clone() }, SendHandler { app: other });
            let jobs = vec![job(refund.as_str())];
            let (first, second) = tokio::join!(one.run(jobs.clone()), two.run(jobs.clone()));
            for outcome in first.iter().chain(&second) {
                assert!(matches!(outcome, Outcome::NotYet { .. }), "{outcome:?}");
            }
            // The provider is away: nothing was sent, whoever asks.
            while run_due(&app).await.unwrap() > 0 {}
            let flows = "SELECT COUNT(*) FROM provider_flow WHERE kind = 'REFUND'";
            assert_eq!(books.count(flows).await, 1);
            // As the provider's answer would leave it.
            let state = ended.to_string();
            app.db
                .write("test.answered", async move |tx: &mut Tx| {
                    tx.sql(
                        "UPDATE provider_flow
                            SET state = $1, sends = 1, next_at = NULL, ended_at = $2,
                                provider_ref = 'R9'
                          WHERE kind = 'REFUND'",
                    )
                    .bind(state.clone())
                    .bind(NOW)
                    .run()
                    .await
                })
                .await
                .unwrap();
            with_a_crash_before_completion(&app, &one, &jobs).await;
            assert_eq!(two.run(jobs).await, [Outcome::Done]);
            let found = refund_of(&app.db, &school(), &refund)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.state, ended);
            assert_eq!(
                books
                    .count("SELECT COUNT(*) FROM job WHERE kind = 'refund.send'")
                    .await,
                0
            );
            let (paid_out, called_off) = match ended {
                State::Done => (1, 0),
                _ => (0, 1),
            };
            assert_eq!(
                books
                    .count("SELECT COUNT(*) FROM journal_entry WHERE kind = 'REFUND_PAID'")
                    .await,
                paid_out
            );
            assert_eq!(
                books
                    .count("SELECT COUNT(*) FROM money_move WHERE kind = 'REFUND_CANCELLED'")
                    .await,
                called_off
            );
            books.must_be_sound().await;
        }
    }
}
