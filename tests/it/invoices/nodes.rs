//! Several nodes number the same series at once, and run the same job twice.

use hocphi::App;
use hocphi::ids::{PaymentId, SchoolId};
use hocphi::invoices::jobs::IssueHandler;
use hocphi::invoices::service::{KeyRing, install_key, issue};
use hocphi::jobs::{Handler, Job, Outcome};

use super::books::{app_on, payment, schools};
use super::samples::key;
use crate::engines::fresh_databases;

const PAYMENTS: i64 = 24;
const NODES: usize = 3;

async fn numbers(app: &App) -> Vec<(i64, PaymentId)> {
    app.db
        .sql("SELECT number, payment_id FROM invoice ORDER BY number, payment_id")
        .all()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_number_the_same_payments_at_once_leave_no_gap_and_no_second_invoice() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db.clone());
        schools(&app, "INVOICE_ALL").await;
        install_key(&app, &SchoolId::new("s1"), &key(), &[])
            .await
            .unwrap();
        let mut paid = Vec::new();
        for place in 0..PAYMENTS {
            let name = format!("p{place:02}");
            paid.push(payment(&app, "s1", &name, super::books::start().day()).await);
        }
        let mut nodes = tokio::task::JoinSet::new();
        for place in 0..NODES {
            // Each node begins elsewhere and meets the others in the middle.
            let mut own = paid.clone();
            own.rotate_left(place * 5);
            let node = app_on(db.clone());
            nodes.spawn(async move {
                for part in own.chunks(4) {
                    for outcome in issue(&node, &KeyRing::default(), part).await.unwrap() {
                        outcome.unwrap();
                    }
                }
            });
        }
        nodes.join_all().await;
        let found = numbers(&app).await;
        let taken: Vec<i64> = found.iter().map(|(number, _)| *number).collect();
        assert_eq!(taken, (1..=PAYMENTS).collect::<Vec<_>>());
        let mut documented: Vec<&PaymentId> = found.iter().map(|(_, payment)| payment).collect();
        documented.sort();
        documented.dedup();
        assert_eq!(documented.len(), paid.len());
        assert_eq!(
            hocphi::invoices::check::run(&app.db).await.unwrap().len(),
            0
        );
    }
}

#[tokio::test]
async fn a_handler_that_runs_twice_has_done_its_work_once() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db.clone());
        schools(&app, "INVOICE_ALL").await;
        install_key(&app, &SchoolId::new("s1"), &key(), &[])
            .await
            .unwrap();
        let mut jobs = Vec::new();
        for name in ["p1", "p2", "p3"] {
            let (school_id, paid) = payment(&app, "s1", name, super::books::start().day()).await;
            jobs.push(Job {
                job_id: hocphi::ids::JobId::new(name),
                school_id,
                subject: paid.to_string(),
                attempts: 1,
            });
        }
        let handler = |db| IssueHandler {
            app: app_on(db),
            keys: KeyRing::default(),
        };
        let (one, two) = (handler(db.clone()), handler(db.clone()));
        // At once on two nodes, as when a lease ended early, and once more afterwards.
        let (first, second) = tokio::join!(one.run(jobs.clone()), two.run(jobs.clone()));
        let third = one.run(jobs.clone()).await;
        for outcomes in [first, second, third] {
            assert_eq!(outcomes, vec![Outcome::Done; jobs.len()]);
        }
        let taken: Vec<i64> = numbers(&app).await.into_iter().map(|row| row.0).collect();
        assert_eq!(taken, [1, 2, 3]);
        let (sends,): (i64,) = app
            .db
            .sql("SELECT COUNT(*) FROM job WHERE kind = 'invoice.send'")
            .one()
            .await
            .unwrap();
        assert_eq!(sends, 3);
    }
}
