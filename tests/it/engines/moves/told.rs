//! What providers say afterwards: money taken back, another meaning of what was said.

use hocphi::ids::{BillId, PaymentId, ReviewId};
use hocphi::money::Vnd;
use hocphi::payments::evidence_store::{self, EvidenceKind, Step};
use hocphi::payments::moves::rules::Obstacle;
use hocphi::payments::moves::service::use_credit;
use hocphi::payments::moves::{MoveError, Refusal};
use hocphi::payments::review::rules::{Verdict, Why};
use hocphi::payments::review::service::{Decided, Judgement, decide};
use hocphi::payments::review::store as reviews;
use hocphi_adapters::contract::{Outcome, Status};

use super::{app_of, asked, back, jobs, payment_of, school, standing};
use crate::engines::fresh_databases;
use crate::support::Books;

#[tokio::test]
async fn a_reversal_unposts_its_original_once_however_often_it_is_told() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let lines = [("TUITION", 2, 100), ("ON_BEHALF", 1, 50)];
        books.bill("a", "B1", "p1", 1, &lines).await;
        books.post(books.credit("a", "t1", 170, &["B1"])).await;
        assert_eq!(books.bill_state("B1").await.0, "PAID");
        let payment = payment_of(&books, "t1").await;

        let other = Books::another_desk(&books.db, &books.clock, &books.ids);
        let mut racing = tokio::task::JoinSet::new();
        for turn in 0..10 {
            let arrival = back(&books, Status::Reversed, "t1", 170);
            let desk = if turn % 2 == 0 {
                books.desk.clone()
            } else {
                other.clone()
            };
            racing.spawn(async move { desk.hand_in(arrival).await.unwrap().unwrap().outcome });
        }
        for outcome in racing.join_all().await {
            assert!(
                matches!(outcome, Outcome::Accepted | Outcome::Repeated),
                "{outcome:?}"
            );
        }
        assert_eq!(books.bill_state("B1").await, ("OPEN".into(), 150, 0));
        assert_eq!(books.line_paid("B1").await, [0, 0]);
        assert_eq!(
            standing(&books, &payment).await,
            ("SETTLED".into(), "REVERSED".into(), 170)
        );
        assert_eq!(books.count("SELECT amount FROM pupil_credit").await, 0);
        assert!(books.balances("a").await.values().all(|sum| *sum == 0));
        let entry: Vec<(String, Option<i64>)> = books
            .db
            .sql("SELECT kind, reverses FROM journal_entry ORDER BY seq")
            .all()
            .await
            .unwrap();
        assert_eq!(
            entry,
            [
                ("PAYMENT_RECEIVED".into(), None),
                ("PAYMENT_TAKEN_BACK".into(), Some(1))
            ]
        );
        assert_eq!(jobs(&books).await, ["invoice.issue", "invoice.refunded"]);
        assert_eq!(books.count("SELECT COUNT(*) FROM review_item").await, 0);
        let proof = evidence_store::of_payment(&books.db, &school(), &payment)
            .await
            .unwrap();
        let proof: Vec<_> = proof.iter().map(|row| (row.step, row.kind)).collect();
        assert_eq!(
            proof,
            [
                (Step::Reversed, EvidenceKind::ProviderNotice),
                (Step::Settled, EvidenceKind::BankCredit)
            ]
        );
        books.must_be_sound().await;

        // The family pays again: the bill is paid as if nothing had been.
        books.post(books.credit("a", "t2", 150, &["B1"])).await;
        assert_eq!(books.bill_state("B1").await.0, "PAID");
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_refund_in_part_leaves_what_a_smaller_payment_would_have_left() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let lines = [("TUITION", 2, 100), ("ON_BEHALF", 1, 50)];
        books.bill("a", "B1", "p1", 1, &lines).await;
        books.post(books.credit("a", "t1", 150, &["B1"])).await;
        // In the same batch order: paid, then part of it refunded.
        books.post(back(&books, Status::Refunded, "t1", 60)).await;
        assert_eq!(books.line_paid("B1").await, [40, 50]);
        assert_eq!(books.bill_state("B1").await, ("PARTIAL".into(), 150, 90));
        let payment = payment_of(&books, "t1").await;
        assert_eq!(standing(&books, &payment).await.1, "PART_REVERSED");
        // More than it still holds: a person looks.
        books.post(back(&books, Status::Reversed, "t1", 150)).await;
        assert_eq!(books.bill_state("B1").await.2, 90);
        let items = reviews::list(&books.db, &school(), 10, 0).await.unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].why, Why::MoreThanHeld);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn credit_that_was_used_is_parked_until_a_person_decides_and_one_decision_counts() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.bill("a", "B2", "p1", 2, &[("TUITION", 2, 80)]).await;
        books.post(books.credit("a", "t1", 160, &["B1"])).await;
        let used = use_credit(&app, &school(), &BillId::new("B2"), None, asked("f1"))
            .await
            .unwrap();
        assert_eq!(used.amount, Vnd::new(60));
        assert_eq!(books.bill_state("B2").await, ("PARTIAL".into(), 80, 60));
        books.must_be_sound().await;
        assert_eq!(jobs(&books).await, ["invoice.allocated", "invoice.issue"]);

        books.post(back(&books, Status::Reversed, "t1", 160)).await;
        assert_eq!(books.bill_state("B1").await.0, "PAID");
        let items = reviews::list(&books.db, &school(), 10, 0).await.unwrap();
        assert_eq!((items.len(), items[0].why), (1, Why::CreditUsed));
        let review = items[0].review_id.clone();
        let judgement = |also_used| Judgement {
            verdict: Verdict::TakenBack,
            reason: "ngân hàng đã rút".to_owned(),
            by: "kt".to_owned(),
            payment: None,
            also_used,
        };
        let refused = decide(&app, &school(), &review, judgement(false)).await;
        assert!(matches!(
            refused,
            Err(MoveError::Refused(Refusal::Obstacle(
                Obstacle::CreditUsed { .. }
            )))
        ));
        let wrong = Judgement {
            verdict: Verdict::FirstHolds,
            ..judgement(true)
        };
        assert!(decide(&app, &school(), &review, wrong).await.is_err());
        let (one, two) = (app.clone(), app.clone());
        let (first, second) = (school(), school());
        let (one, two) = tokio::join!(
            decide(&one, &first, &review, judgement(true)),
            decide(&two, &second, &review, judgement(true)),
        );
        let both = [one.unwrap(), two.unwrap()];
        assert!(both.contains(&Decided::Before), "{both:?}");
        assert!(
            both.iter()
                .any(|one| matches!(one, Decided::Closed(Some(_))))
        );
        assert_eq!(books.bill_state("B1").await.0, "OPEN");
        assert_eq!(books.bill_state("B2").await, ("OPEN".into(), 80, 0));
        assert!(books.balances("a").await.values().all(|sum| *sum == 0));
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_reversal_of_nothing_we_know_waits_for_a_person() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        // Told before the payment itself; never guessed.
        books.post(back(&books, Status::Reversed, "t1", 100)).await;
        let items = reviews::list(&books.db, &school(), 10, 0).await.unwrap();
        assert_eq!((items.len(), items[0].why), (1, Why::OriginalUnknown));
        books.post(books.credit("a", "t1", 100, &["B1"])).await;
        let judgement = Judgement {
            verdict: Verdict::TakenBack,
            reason: "đến trước".to_owned(),
            by: "kt".to_owned(),
            payment: Some(payment_of(&books, "t1").await),
            also_used: false,
        };
        let foreign = ReviewId::new("none");
        assert_eq!(
            decide(&app, &school(), &foreign, judgement.clone())
                .await
                .unwrap(),
            Decided::Before
        );
        decide(&app, &school(), &items[0].review_id, judgement)
            .await
            .unwrap();
        assert_eq!(books.bill_state("B1").await.0, "OPEN");
        // The provider repeats itself: known, nothing happens.
        books.post(back(&books, Status::Reversed, "t1", 100)).await;
        assert_eq!(books.count("SELECT COUNT(*) FROM money_move").await, 1);
        // A code in the text with the same amount is a hint, not a proof.
        books.post(books.credit("a", "t2", 100, &["B1"])).await;
        let mut debit = books.credit("a", "t3", 100, &["B1"]);
        debit.notice.status = Status::Reversed;
        books.post(debit).await;
        assert_eq!(books.bill_state("B1").await.0, "PAID");
        let (hint,): (Option<PaymentId>,) = books
            .db
            .sql("SELECT payment_id FROM review_item WHERE transaction_id = 't3'")
            .one()
            .await
            .unwrap();
        assert_eq!(hint, Some(payment_of(&books, "t2").await));
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn another_meaning_of_the_same_transaction_is_an_item_a_person_closes() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 60, &["B1"])).await;
        for _ in 0..3 {
            books.post(books.credit("a", "t1", 90, &["B1"])).await;
        }
        books.post(books.credit("a", "t1", 95, &["B1"])).await;
        let items = reviews::list(&books.db, &school(), 10, 0).await.unwrap();
        assert_eq!(items.len(), 2, "one for each meaning");
        let item = reviews::item(&books.db, &school(), &items[1].review_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(item.amount, Vnd::new(90));
        let first = reviews::first_notice(&books.db, &school(), &item.provider, &item.notice_key)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(first.amount, Vnd::new(60));
        let judgement = Judgement {
            verdict: Verdict::FirstHolds,
            reason: "sao kê ghi 60".to_owned(),
            by: "kt".to_owned(),
            payment: None,
            also_used: false,
        };
        decide(&app, &school(), &item.review_id, judgement)
            .await
            .unwrap();
        assert_eq!(reviews::open_count(&books.db, &school()).await.unwrap(), 1);
        assert_eq!(books.bill_state("B1").await.2, 60);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn when_the_second_meaning_holds_the_first_is_undone_and_the_second_booked_at_once() {
    const CODE: &str = "HPZ37MTFCKQPG";
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", CODE, "p1", 1, &[("TUITION", 2, 100)]).await;
        books.bill("a", "B2", "p1", 2, &[("TUITION", 2, 30)]).await;
        books.post(books.credit("a", "t1", 110, &[CODE])).await;
        books.post(books.credit("a", "t1", 90, &[CODE])).await;
        let judgement = |verdict, also_used| Judgement {
            verdict,
            reason: "sao kê ghi 90".to_owned(),
            by: "kt".to_owned(),
            payment: None,
            also_used,
        };
        let open = async || {
            let items = reviews::list(&books.db, &school(), 10, 0).await.unwrap();
            let open = items.into_iter().find(|item| item.state == "OPEN");
            open.unwrap().review_id
        };
        // Ten of the first were used as credit for the next bill: that is not undone unasked.
        let pay_next = use_credit(&app, &school(), &BillId::new("B2"), None, asked("f1")).await;
        pay_next.unwrap();
        let review = open().await;
        let refused = decide(
            &app,
            &school(),
            &review,
            judgement(Verdict::SecondHolds, false),
        )
        .await;
        assert!(matches!(
            refused,
            Err(MoveError::Refused(Refusal::Obstacle(
                Obstacle::CreditUsed { .. }
            )))
        ));
        assert_eq!(books.bill_state(CODE).await, ("PAID".into(), 100, 100));
        let decided = decide(
            &app,
            &school(),
            &review,
            judgement(Verdict::SecondHolds, true),
        )
        .await
        .unwrap();
        assert!(matches!(decided, Decided::Closed(Some(_))));
        assert_eq!(books.bill_state(CODE).await, ("PARTIAL".into(), 100, 90));
        assert_eq!(books.bill_state("B2").await, ("OPEN".into(), 30, 0));
        assert_eq!(books.balances("a").await["112"], 90);
        let first = payment_of(&books, "t1").await;
        assert_eq!(standing(&books, &first).await.1, "REVERSED");
        let second = payment_of(&books, "t1/2").await;
        assert_eq!(standing(&books, &second).await.1, "STANDS");
        let item = reviews::item(&books.db, &school(), &review).await.unwrap();
        assert_eq!(item.unwrap().payment_id, Some(second.clone()));
        let issued = jobs(&books).await;
        assert!(issued.iter().any(|kind| kind == "invoice.issue"));
        books.must_be_sound().await;

        let again = decide(
            &app,
            &school(),
            &review,
            judgement(Verdict::SecondHolds, true),
        )
        .await;
        assert_eq!(again.unwrap(), Decided::Before);
        // Said once more, it is the same item; what was booked stays one payment.
        books.post(books.credit("a", "t1", 90, &[CODE])).await;
        assert_eq!(reviews::open_count(&books.db, &school()).await.unwrap(), 0);
        assert_eq!(books.count("SELECT COUNT(*) FROM payment").await, 2);

        // A third meaning takes the place of the second, not of the first.
        books.post(books.credit("a", "t1", 95, &[CODE])).await;
        let review = open().await;
        decide(
            &app,
            &school(),
            &review,
            judgement(Verdict::SecondHolds, false),
        )
        .await
        .unwrap();
        assert_eq!(books.bill_state(CODE).await.2, 95);
        assert_eq!(standing(&books, &second).await.1, "REVERSED");
        assert_eq!(books.balances("a").await["112"], 95);

        // What cannot be booked changes nothing, and the item stays open for the other decision.
        let mut foreign = books.credit("a", "t1", 95, &[CODE]);
        foreign.notice.currency = "USD".to_owned();
        books.post(foreign).await;
        let review = open().await;
        let refused = decide(
            &app,
            &school(),
            &review,
            judgement(Verdict::SecondHolds, true),
        )
        .await;
        assert!(matches!(
            refused,
            Err(MoveError::Refused(Refusal::SecondUnusable))
        ));
        assert_eq!(books.bill_state(CODE).await.2, 95);
        decide(
            &app,
            &school(),
            &review,
            judgement(Verdict::FirstHolds, false),
        )
        .await
        .unwrap();
        books.must_be_sound().await;
    }
}
