//! What people do with money: an owner for what was parked, credit used, settlements, payments undone.

use hocphi::fees::service::USE_CREDIT;
use hocphi::ids::BillId;
use hocphi::money::Vnd;
use hocphi::payments::books::Channel;
use hocphi::payments::moves::jobs::use_for_round;
use hocphi::payments::moves::rules::Obstacle;
use hocphi::payments::moves::service::{
    Owner, SettlementLine, assign_suspense, settle, undo_payment, use_credit,
};
use hocphi::payments::moves::{MoveError, Refusal};

use super::{app_of, asked, jobs, payment_of, school, standing};
use crate::engines::fresh_databases;
use crate::support::{Books, NOW};

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
