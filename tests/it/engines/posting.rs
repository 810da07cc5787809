//! Money that comes in is in the books once, whatever providers and parents do.

use hocphi_adapters::contract::{Decision, Outcome, Reason};

use super::fresh_databases;
use crate::support::Books;

#[tokio::test]
async fn a_notice_sent_twenty_times_at_once_to_two_nodes_is_posted_once() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        books
            .bill("a", "B1", "p1", 1, &[("TUITION", 2, 300_000)])
            .await;
        let other = Books::another_desk(&books.db, &books.clock, &books.ids);
        let mut racing = tokio::task::JoinSet::new();
        for turn in 0..20 {
            let arrival = books.credit("a", "t1", 300_000, &["B1"]);
            let desk = if turn % 2 == 0 {
                books.desk.clone()
            } else {
                other.clone()
            };
            racing.spawn(async move { desk.hand_in(arrival).await.unwrap().unwrap().outcome });
        }
        let outcomes = racing.join_all().await;
        let accepted = outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Accepted);
        assert_eq!(accepted.count(), 1, "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Accepted | Outcome::Repeated))
        );
        assert_eq!(books.count("SELECT COUNT(*) FROM payment").await, 1);
        assert_eq!(books.count("SELECT repeats FROM provider_notice").await, 19);
        assert_eq!(
            books.bill_state("B1").await,
            ("PAID".into(), 300_000, 300_000)
        );
        assert_eq!(
            books
                .count("SELECT COUNT(*) FROM job WHERE kind = 'invoice.issue'")
                .await,
            1
        );
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn too_little_is_kept_by_priority_and_the_rest_completes_it() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let lines = [
            ("SERVICE", 3, 200),
            ("ON_BEHALF", 1, 100),
            ("VOLUNTARY", 9, 50),
        ];
        books.bill("a", "B1", "p1", 1, &lines).await;
        let first = books.post(books.credit("a", "t1", 150, &["B1"])).await;
        assert_eq!(first.decision, Decision::RecordPartial);
        assert_eq!(books.line_paid("B1").await, [50, 100, 0]);
        assert_eq!(books.bill_state("B1").await, ("PARTIAL".into(), 350, 150));
        books.post(books.credit("a", "t2", 200, &["B1"])).await;
        assert_eq!(books.bill_state("B1").await, ("PAID".into(), 350, 350));
        let balances = books.balances("a").await;
        assert_eq!(
            (balances["112"], balances["531"], balances["3381"]),
            (350, -200, -150)
        );
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn too_much_and_paid_twice_become_the_pupils_credit() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 130, &["B1"])).await;
        let second = books.post(books.credit("a", "t2", 100, &["B1"])).await;
        assert_eq!(second.outcome, Outcome::Accepted);
        assert_eq!(books.bill_state("B1").await, ("PAID".into(), 100, 100));
        assert_eq!(
            books
                .count("SELECT amount FROM pupil_credit WHERE pupil_id = 'p1'")
                .await,
            130
        );
        assert_eq!(books.balances("a").await["131"], -130);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn two_children_in_one_transfer_are_settled_only_when_it_adds_up() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.bill("a", "B2", "p2", 1, &[("TUITION", 2, 70)]).await;
        books
            .post(books.credit("a", "t1", 169, &["B1", "B2"]))
            .await;
        assert_eq!(books.bill_state("B1").await.0, "OPEN");
        assert_eq!(books.count("SELECT amount FROM suspense_item").await, 169);
        books
            .post(books.credit("a", "t2", 170, &["B1", "B2"]))
            .await;
        assert_eq!(books.bill_state("B1").await.0, "PAID");
        assert_eq!(books.bill_state("B2").await.0, "PAID");
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn money_without_an_owner_is_parked_never_guessed() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.bill("b", "B2", "p1", 1, &[("TUITION", 2, 100)]).await;
        let unnamed = books.post(books.credit("a", "t1", 100, &[])).await;
        assert_eq!(unnamed.reason, Some(Reason::OrderNotFound));
        books.post(books.credit("a", "t2", 100, &["B9"])).await;
        // The code of another school's bill is nobody's here, and nothing happens there.
        books.post(books.credit("a", "t3", 100, &["B2"])).await;
        assert_eq!(books.bill_state("B1").await.0, "OPEN");
        assert_eq!(books.bill_state("B2").await.0, "OPEN");
        let reasons: Vec<(String,)> = books
            .db
            .sql(
                "SELECT s.reason FROM suspense_item s
                   JOIN payment p ON p.school_id = s.school_id AND p.payment_id = s.payment_id
                  ORDER BY p.transaction_id",
            )
            .all()
            .await
            .unwrap();
        let reasons: Vec<_> = reasons.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(
            reasons,
            ["NO_REFERENCE", "UNKNOWN_REFERENCE", "OTHER_SCHOOL"]
        );
        assert_eq!(books.count("SELECT COUNT(*) FROM job").await, 0);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn the_same_transaction_with_another_amount_is_a_conflict_not_a_payment() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 60, &["B1"])).await;
        let again = books.post(books.credit("a", "t1", 90, &["B1"])).await;
        assert_eq!(again.outcome, Outcome::Repeated);
        assert_eq!(books.bill_state("B1").await.2, 60);
        assert_eq!(
            books.count("SELECT conflicts FROM provider_notice").await,
            1
        );
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn one_impossible_notice_does_not_hold_up_its_neighbours() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let mut racing = tokio::task::JoinSet::new();
        for turn in 0..10_u32 {
            let code = format!("B{turn}");
            books
                .bill("a", &code, "p1", turn, &[("TUITION", 2, 100)])
                .await;
            let amount = if turn == 4 { i64::MAX } else { 100 };
            let arrival = books.credit("a", &format!("t{turn}"), amount, &[&code]);
            let desk = books.desk.clone();
            racing.spawn(
                async move { (turn, desk.hand_in(arrival).await.unwrap().unwrap().outcome) },
            );
        }
        for (turn, outcome) in racing.join_all().await {
            let expected = if turn == 4 {
                Outcome::Temporary
            } else {
                Outcome::Accepted
            };
            assert_eq!(outcome, expected);
        }
        assert_eq!(books.count("SELECT COUNT(*) FROM payment").await, 9);
        assert_eq!(books.count("SELECT COUNT(*) FROM provider_notice").await, 9);
        books.must_be_sound().await;
    }
}
