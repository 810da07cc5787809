//! Outages, carriers that take over, and copies: no collection is brought twice, and none is given up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hocphi::ids::{InvoiceId, JobId};
use hocphi::invoices::deadline::{Nearness, watch};
use hocphi::invoices::document::{Correction, CorrectionReason};
use hocphi::invoices::jobs::{ExchangeHandler, Step};
use hocphi::invoices::life::service::{After, Ask, correct, mend, show};
use hocphi::invoices::service::{KeyRing, Progress, sign_numbered};
use hocphi::jobs::{Handler, Job, Outcome};
use hocphi::money::Vnd;
use hocphi::store::Tx;
use hocphi_sandbox::{Levers, Pki};

use super::books::{SCHOOLS, app_on, start};
use super::exchange::{Scene, line, scene, scene_of};
use crate::engines::fresh_databases;

fn busy() -> Levers {
    Levers {
        busy: true,
        ..Levers::default()
    }
}

/// State, carrier and name of every message, the first one first.
async fn messages(scene: &Scene) -> Vec<(String, String)> {
    scene
        .app
        .db
        .sql("SELECT state, carrier FROM invoice_message ORDER BY made_at, carrier")
        .all()
        .await
        .unwrap()
}

fn accepted(scene: &Scene) -> usize {
    scene.sandbox.tax().accepted_of(SCHOOLS[0].1).len()
}

async fn two_carriers(scene: &mut Scene) {
    let second = line("b", &scene.sandbox.second_tax_url());
    scene.exchange.others.push(second);
}

#[tokio::test]
async fn an_outage_is_waited_for_however_long_and_the_watch_shows_it() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        scene.sandbox.tax().set_levers(busy());
        let handler = ExchangeHandler {
            app: scene.app.clone(),
            exchange: Arc::new(scene.exchange.clone()),
            outside: scene.client.clone(),
            step: Step::Send,
        };
        let mut pauses = Vec::new();
        for attempt in 1..60 {
            scene.app.clock.set(scene.app.clock.now().plus_seconds(600));
            let job = Job {
                job_id: JobId::new("j"),
                school_id: scene.school.clone(),
                subject: scene.invoice.to_string(),
                attempts: attempt,
            };
            match handler.run(vec![job]).await.remove(0) {
                Outcome::NotYet { millis } => pauses.push(millis),
                other => panic!("{other:?}"),
            }
        }
        assert!(pauses.iter().all(|millis| *millis <= 300_000), "{pauses:?}");
        assert_eq!(scene.row().await.0, "SIGNED");
        // Ten hours after Monday morning's invoice, then on Tuesday and on Wednesday.
        for (days, expected) in [
            (0, Nearness::Later),
            (1, Nearness::Today),
            (2, Nearness::Late),
        ] {
            scene
                .app
                .clock
                .set(start().plus_seconds(days * 86_400 + 36_000));
            let rows = watch(&scene.app, None, 10).await.unwrap();
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].nearness, expected);
            assert_eq!(rows[0].deadline, start().day().plus_days(1));
            assert!(rows[0].problem.as_deref().unwrap().contains("503"));
            assert_eq!(rows[0].invoice.as_deref(), Some("1C26TAA-1"));
        }
        scene.sandbox.tax().set_levers(Levers::default());
        scene.app.clock.set(start());
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(scene.row().await.0, "CODED");
        assert!(watch(&scene.app, None, 10).await.unwrap().is_empty());
        assert_eq!(accepted(&scene), 1);
    }
}

#[tokio::test]
async fn another_carrier_takes_over_what_certainly_did_not_arrive() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let mut scene = scene(app_on(db), &pki).await;
        two_carriers(&mut scene).await;
        scene.sandbox.tax().set_levers(busy());
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(
            messages(&scene).await,
            [("VOID".into(), "a".into()), ("LIVE".into(), "b".into())]
        );
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(scene.row().await.0, "CODED");
        assert_eq!(accepted(&scene), 1);
    }
}

#[tokio::test]
async fn what_may_have_arrived_stays_with_its_carrier_until_that_one_has_spoken() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let mut scene = scene(app_on(db), &pki).await;
        two_carriers(&mut scene).await;
        scene.client.lose.store(1, Ordering::SeqCst);
        assert!(matches!(scene.send().await, Progress::Outage { .. }));
        scene.sandbox.tax().set_levers(busy());
        for _ in 0..5 {
            assert!(matches!(scene.send().await, Progress::Outage { .. }));
        }
        assert_eq!(messages(&scene).await, [("LIVE".into(), "a".into())]);
        assert_eq!(scene.client.posts.load(Ordering::SeqCst), 1);
        scene.sandbox.tax().set_levers(Levers::default());
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.client.posts.load(Ordering::SeqCst), 1);
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(
            (scene.row().await.0.as_str(), accepted(&scene)),
            ("CODED", 1)
        );
    }
}

#[tokio::test]
async fn what_never_arrived_is_sent_again_under_the_same_name() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        // As after a crash between the note and the call.
        scene.client.swallow.store(1, Ordering::SeqCst);
        assert!(matches!(scene.send().await, Progress::Outage { .. }));
        let named = |scene: &Scene| {
            let db = scene.app.db.clone();
            async move {
                let (id,): (String,) = db
                    .sql("SELECT message_id FROM invoice")
                    .one()
                    .await
                    .unwrap();
                id
            }
        };
        let before = named(&scene).await;
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(named(&scene).await, before);
        assert_eq!(messages(&scene).await.len(), 1);
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(scene.row().await.0, "CODED");
    }
}

#[tokio::test]
async fn a_refused_copy_does_not_undo_what_another_carrier_brought() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let mut scene = scene(app_on(db), &pki).await;
        assert_eq!(scene.send().await, Progress::Done);
        // The first carrier had it after all, although it was believed not to.
        scene
            .app
            .db
            .write("test.forget", async |tx: &mut Tx| {
                tx.sql("UPDATE invoice_message SET state = 'VOID', why_void = 'x'")
                    .run()
                    .await?;
                tx.sql("UPDATE invoice SET state = 'SIGNED', message_id = NULL, sent_at = NULL")
                    .run()
                    .await
            })
            .await
            .unwrap();
        let second = line("b", &scene.sandbox.second_tax_url());
        let first = std::mem::replace(&mut scene.exchange.first, second);
        scene.exchange.others.push(first);
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.sandbox.tax().refusals().len(), 1);
        scene.sandbox.tax().set_levers(busy());
        assert!(matches!(scene.collect().await, Progress::Outage { .. }));
        assert_eq!(scene.row().await.0, "SENT");
        scene.sandbox.tax().set_levers(Levers::default());
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(
            (scene.row().await.0.as_str(), accepted(&scene)),
            ("CODED", 1)
        );
    }
}

#[tokio::test]
async fn uncoded_invoices_are_taken_without_a_code() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene_of(app_on(db), &pki, "K").await;
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.collect().await, Progress::Done);
        let (state, code, coded, _) = scene.row().await;
        assert_eq!((state.as_str(), code, coded), ("CODED", None, None));
        assert_eq!(accepted(&scene), 1);
        assert_eq!(
            hocphi::invoices::check::run(&scene.app.db).await.unwrap(),
            []
        );
    }
}

async fn signed(scene: &Scene, invoice: &InvoiceId) {
    let one = [(scene.school.clone(), invoice.clone())];
    sign_numbered(&scene.app, &KeyRing::default(), &one)
        .await
        .unwrap()
        .remove(0)
        .unwrap();
}

async fn state_of(scene: &Scene, invoice: &InvoiceId) -> String {
    let (state,): (String,) = scene
        .app
        .db
        .sql("SELECT state FROM invoice WHERE invoice_id = $1")
        .bind(invoice.clone())
        .one()
        .await
        .unwrap();
    state
}

#[tokio::test]
async fn the_authority_takes_corrections_of_every_kind_and_mended_invoices() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        let keys = KeyRing::default();
        let content = async || {
            show(&scene.app.db, &scene.school, &scene.invoice)
                .await
                .unwrap()
                .unwrap()
                .content
        };
        // Refused for no reason, mended, sent under the same number.
        scene.sandbox.tax().set_levers(Levers {
            refuse_next: 1,
            ..Levers::default()
        });
        scene.send().await;
        scene.collect().await;
        assert_eq!(scene.row().await.0, "REFUSED");
        let mut better = content().await;
        better.buyer.name = Some("Trần Thị Đúng".into());
        mend(&scene.app, &scene.school, &scene.invoice, better, "sai tên")
            .await
            .unwrap();
        signed(&scene, &scene.invoice).await;
        assert_eq!(scene.send().await, Progress::Done);
        assert_eq!(scene.collect().await, Progress::Done);
        assert_eq!(scene.row().await.0, "CODED");
        let states: Vec<String> = messages(&scene)
            .await
            .into_iter()
            .map(|row| row.0)
            .collect();
        assert_eq!(states.iter().filter(|state| *state == "VOID").count(), 1);

        // Amounts, words alone, a price set by an authority.
        let mut less = content().await;
        less.lines[0].amount = Vnd::new(3_000_000);
        let mut words = less.clone();
        words.lines[0].name = "Học phí tháng 10".into();
        let mut priced = words.clone();
        priced.lines[1].amount = Vnd::new(500_000);
        for (after, reason, form) in [
            (less, CorrectionReason::WronglyMade, "f1"),
            (words, CorrectionReason::WronglyMade, "f2"),
            (priced, CorrectionReason::Authority, "f3"),
        ] {
            let ask = Ask {
                target: scene.invoice.clone(),
                method: Correction::Adjusting,
                reason,
                after: After::Said(after),
                why: "ghi sai".into(),
                agreement: None,
                cause: form.into(),
                by: "kt".into(),
            };
            let made = correct(&scene.app, &keys, &scene.school, ask)
                .await
                .unwrap();
            signed(&scene, &made).await;
            assert_eq!(scene.send_one(&made).await, Progress::Done);
            assert_eq!(scene.collect_one(&made).await, Progress::Done);
            assert_eq!(
                state_of(&scene, &made).await,
                "CODED",
                "{:?}",
                scene.sandbox.tax().refusals()
            );
        }
        assert_eq!(accepted(&scene), 4);
        assert_eq!(
            hocphi::invoices::check::run(&scene.app.db).await.unwrap(),
            []
        );
    }
}
