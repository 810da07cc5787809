//! Money that moves after it was posted stays counted once, whoever moves it and however often.

use hocphi::App;
use hocphi::fees::service::USE_CREDIT;
use hocphi::ids::{BillId, PaymentId, ReviewId, SchoolId};
use hocphi::money::Vnd;
use hocphi::payments::books::{Arrival, Channel};
use hocphi::payments::evidence_store::{self, EvidenceKind, Step};
use hocphi::payments::moves::jobs::use_for_round;
use hocphi::payments::moves::rules::Obstacle;
use hocphi::payments::moves::service::{
    Asked, Owner, SettlementLine, assign_suspense, settle, undo_payment, use_credit,
};
use hocphi::payments::moves::{MoveError, Refusal};
use hocphi::payments::review::rules::{Verdict, Why};
use hocphi::payments::review::service::{Decided, Judgement, decide};
use hocphi::payments::review::store as reviews;
use hocphi_adapters::contract::{Outcome, Status};

use super::{app_on, fresh_databases};
use crate::support::{Books, NOW};

pub(super) fn school() -> SchoolId {
    SchoolId::new("a")
}

/// The application on the same books, at the same time.
pub(super) fn app_of(books: &Books) -> App {
    let app = app_on(books.db.clone());
    app.clock.set(NOW);
    app
}

pub(super) fn asked(request: &str) -> Asked {
    Asked {
        request: request.to_owned(),
        by: "kt".to_owned(),
        reason: "kiểm thử".to_owned(),
    }
}

fn back(books: &Books, status: Status, transaction: &str, amount: i64) -> Arrival {
    let mut arrival = books.credit("a", transaction, amount, &[]);
    arrival.notice.status = status;
    arrival
}

pub(super) async fn payment_of(books: &Books, transaction: &'static str) -> PaymentId {
    let (payment,): (PaymentId,) = books
        .db
        .sql("SELECT payment_id FROM payment WHERE transaction_id = $1")
        .bind(transaction)
        .one()
        .await
        .unwrap();
    payment
}

async fn standing(books: &Books, payment: &PaymentId) -> (String, String, i64) {
    books
        .db
        .sql("SELECT state, standing, taken_back FROM payment WHERE payment_id = $1")
        .bind(payment.clone())
        .one()
        .await
        .unwrap()
}

async fn jobs(books: &Books) -> Vec<String> {
    let found: Vec<(String,)> = books
        .db
        .sql("SELECT kind FROM job ORDER BY kind, subject")
        .all()
        .await
        .unwrap();
    found.into_iter().map(|(kind,)| kind).collect()
}

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

#[tokio::test]
async fn of_two_who_assign_parked_money_one_wins_and_the_other_hears_of_it() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.bill("a", "B2", "p2", 1, &[("TUITION", 2, 70)]).await;
        books.bill("b", "B3", "p1", 1, &[("TUITION", 2, 70)]).await;
        books.post(books.credit("a", "t1", 180, &[])).await;
        let payment = payment_of(&books, "t1").await;
        let to = |codes: &[&str]| Owner::Bills(codes.iter().map(|c| (*c).to_owned()).collect());
        let foreign = assign_suspense(&app, &school(), &payment, to(&["B3"]), asked("f0")).await;
        assert!(matches!(
            foreign,
            Err(MoveError::Refused(Refusal::NoBill(code))) if code == "B3"
        ));
        let other_app = app.clone();
        let (here, there) = (school(), school());
        let (one, two) = tokio::join!(
            assign_suspense(&app, &here, &payment, to(&["B1", "B2"]), asked("f1")),
            assign_suspense(
                &other_app,
                &there,
                &payment,
                Owner::Pupil("p2".into()),
                asked("f2")
            ),
        );
        let (won, lost) = match (one, two) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
            other => panic!("{other:?}"),
        };
        assert!(
            matches!(&lost, MoveError::Refused(Refusal::Resolved { by: Some(by), .. }) if by == "kt"),
            "{lost:?}"
        );
        let request: (String,) = books
            .db
            .sql("SELECT request FROM money_move WHERE move_id = $1")
            .bind(won.move_id.clone())
            .one()
            .await
            .unwrap();
        // The same form again is answered as the first time.
        let again = if request.0 == "f1" {
            assert_eq!(books.bill_state("B1").await.0, "PAID");
            assert_eq!(books.bill_state("B2").await.0, "PAID");
            assert_eq!(
                books
                    .count("SELECT amount FROM pupil_credit WHERE pupil_id = 'p1'")
                    .await,
                10
            );
            assert_eq!(jobs(&books).await, ["invoice.issue"]);
            assign_suspense(&app, &school(), &payment, to(&["B1", "B2"]), asked("f1")).await
        } else {
            assert_eq!(
                books
                    .count("SELECT amount FROM pupil_credit WHERE pupil_id = 'p2'")
                    .await,
                180
            );
            assign_suspense(
                &app,
                &school(),
                &payment,
                Owner::Pupil("p2".into()),
                asked("f2"),
            )
            .await
        };
        let again = again.unwrap();
        assert!(again.again && again.move_id == won.move_id);
        assert_eq!(books.balances("a").await["3388"], 0);
        assert_eq!(
            books
                .count("SELECT COUNT(*) FROM suspense_item WHERE state = 'OPEN'")
                .await,
            0
        );
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn credit_settles_the_next_bill_when_its_round_is_published_unless_the_school_wants_to_be_asked()
 {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 150, &["B1"])).await;
        books.post(books.credit("a", "t2", 100, &["B1"])).await;
        let lines = [("TUITION", 2, 120), ("VOLUNTARY", 9, 50)];
        books.bill("a", "B2", "p1", 2, &lines).await;
        books.bill("a", "B3", "p2", 2, &[("TUITION", 2, 100)]).await;
        assert_eq!(USE_CREDIT, "credit.use");
        for _ in 0..2 {
            use_for_round(&app, &school(), "r2").await.unwrap();
        }
        // 150 of credit: 120 for the obligation; the voluntary line is not paid unasked.
        assert_eq!(books.line_paid("B2").await, [120, 0]);
        assert_eq!(books.bill_state("B3").await.2, 0);
        assert_eq!(books.count("SELECT amount FROM pupil_credit").await, 30);
        assert_eq!(books.count("SELECT COUNT(*) FROM money_move").await, 1);
        books.must_be_sound().await;
        let refused = use_credit(
            &app,
            &school(),
            &BillId::new("B2"),
            Some(Vnd::new(31)),
            asked("f"),
        )
        .await
        .unwrap_err();
        assert!(matches!(
            refused,
            MoveError::Refused(Refusal::Obstacle(Obstacle::MoreThanHeld { held })) if held == Vnd::new(30)
        ));
    }
}

#[tokio::test]
async fn an_intermediarys_money_is_settled_by_its_line_once_and_its_fee_stands_apart() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        let mut arrival = books.credit("a", "t1", 100, &["B1"]);
        arrival.channel = Channel::Gateway;
        books.post(arrival).await;
        let payment = payment_of(&books, "t1").await;
        assert_eq!(standing(&books, &payment).await.0, "CONFIRMED");
        assert_eq!(books.balances("a").await["113"], 100);
        let line = |reference: &str, gross, fee| SettlementLine {
            reference: reference.to_owned(),
            gross: Vnd::new(gross),
            fee: Vnd::new(fee),
            day: NOW.day(),
        };
        let wrong = settle(&app, &school(), &payment, line("s0", 99, 1), "kt").await;
        assert!(matches!(
            wrong,
            Err(MoveError::Refused(Refusal::SettlesAnother { .. }))
        ));
        assert!(
            settle(&app, &school(), &payment, line("s1", 100, 3), "kt")
                .await
                .unwrap()
        );
        assert!(
            !settle(&app, &school(), &payment, line("s1", 100, 3), "kt")
                .await
                .unwrap()
        );
        let second = settle(&app, &school(), &payment, line("s2", 100, 3), "kt").await;
        assert!(matches!(
            second,
            Err(MoveError::Refused(Refusal::SettledBefore))
        ));
        assert_eq!(standing(&books, &payment).await.0, "SETTLED");
        let balances = books.balances("a").await;
        assert_eq!(
            (balances["112"], balances["113"], balances["642"]),
            (97, 0, 3)
        );
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn an_accountant_undoes_a_payment_once_and_the_database_refuses_a_dong_twice() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 100, &["B1"])).await;
        let payment = payment_of(&books, "t1").await;
        let undo = async |request: &str| {
            undo_payment(&app, &school(), &payment, None, false, asked(request)).await
        };
        let first = undo("f1").await.unwrap();
        assert_eq!(undo("f1").await.unwrap().move_id, first.move_id);
        assert!(matches!(
            undo("f2").await,
            Err(MoveError::Refused(Refusal::Obstacle(
                Obstacle::MoreThanHeld { .. }
            )))
        ));
        for broken in [
            "UPDATE allocation SET moved_on = 101",
            "UPDATE payment SET taken_back = 101",
            "UPDATE payment SET standing = 'STANDS'",
            "UPDATE payment SET credit_later = 5",
            "UPDATE money_move SET amount = 5",
            "DELETE FROM payment_evidence",
            "DELETE FROM money_move_part",
        ] {
            let refused = books
                .db
                .write("test.break", async move |tx: &mut hocphi::store::Tx| {
                    tx.sql(broken).run().await
                })
                .await;
            assert!(refused.is_err(), "{broken}");
        }
        books.must_be_sound().await;
    }
}
