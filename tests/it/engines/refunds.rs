//! Money that goes back to a family leaves once, or comes back to where it was.

use hocphi::App;
use hocphi::ids::{BillId, PupilId, RefundId};
use hocphi::jobs::{Handler, Job, Outcome};
use hocphi::money::Vnd;
use hocphi::payments::books::Channel;
use hocphi::payments::moves::{MoveError, Refusal};
use hocphi::refunds::jobs::ConfirmHandler;
use hocphi::refunds::rules::{Charge, DocumentState, State, Step, Way};
use hocphi::refunds::service::{
    From, NewRefund, RefundError, Report, advance, documented, outgoing, request,
};
use hocphi::refunds::store;
use hocphi_adapters::contract::Status;

use super::fresh_databases;
use super::moves::{app_of, payment_of, school};
use crate::support::Books;

fn new(from: From, amount: i64, form: &str) -> NewRefund {
    NewRefund {
        from,
        amount: Vnd::new(amount),
        way: Way::BankTransfer,
        charge: Charge::Stays,
        payee: "Nguyễn Văn Tư".to_owned(),
        payee_account: Some("VCB 0861000123456".to_owned()),
        reason: "thôi học".to_owned(),
        request: form.to_owned(),
        by: "kt".to_owned(),
    }
}

async fn step(
    app: &App,
    refund: &RefundId,
    step: Step,
    reference: Option<&str>,
) -> Result<State, RefundError> {
    let report = Report {
        step,
        reference: reference.map(str::to_owned),
        detail: "kiểm thử".to_owned(),
        by: "kt".to_owned(),
    };
    advance(app, &school(), refund, report).await
}

fn line(bill: &str) -> From {
    From::BillLine(BillId::new(bill), 1)
}

#[tokio::test]
async fn credit_is_paid_back_once() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 130, &["B1"])).await;
        let credit = || From::Credit(PupilId::new("p1"));
        let mut racing = tokio::task::JoinSet::new();
        for turn in 0..6 {
            let (app, form) = (app.clone(), format!("f{}", turn % 3));
            racing.spawn(async move { request(&app, &school(), new(credit(), 30, &form)).await });
        }
        let asked = racing.join_all().await;
        let won: std::collections::BTreeSet<RefundId> =
            asked.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1, "thirty đồng are thirty đồng");
        let refund = won.into_iter().next().unwrap();
        assert_eq!(books.count("SELECT amount FROM pupil_credit").await, 0);
        let balances = books.balances("a").await;
        assert_eq!((balances["131"], balances["3318"]), (0, -30));
        books.must_be_sound().await;

        assert_eq!(
            step(&app, &refund, Step::Send, None).await.unwrap(),
            State::Sent
        );
        assert!(matches!(
            step(&app, &refund, Step::Paid, None).await,
            Err(RefundError::NoReference)
        ));
        for _ in 0..2 {
            let state = step(&app, &refund, Step::Paid, Some("FT1")).await.unwrap();
            assert_eq!(state, State::Done);
        }
        assert!(matches!(
            step(&app, &refund, Step::Fail, None).await,
            Err(RefundError::NotNow(State::Done))
        ));
        let balances = books.balances("a").await;
        assert_eq!((balances["3318"], balances["112"]), (0, 100));
        let found = store::refund(&books.db, &school(), &refund)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.document, DocumentState::None);
        let events = store::events(&books.db, &school(), &refund).await.unwrap();
        let states: Vec<State> = events.iter().map(|event| event.to_state).collect();
        assert_eq!(states, [State::Requested, State::Sent, State::Done]);
        assert_eq!(
            books
                .count("SELECT COUNT(*) FROM job WHERE kind = 'invoice.refunded'")
                .await,
            0
        );
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_refund_of_unknown_fate_is_found_out_and_a_failed_one_puts_everything_back() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 100, &["B1"])).await;
        let before = books.balances("a").await;
        for charge in [Charge::Stays, Charge::Falls] {
            let form = format!("{charge}");
            let refund = request(
                &app,
                &school(),
                NewRefund {
                    charge,
                    ..new(line("B1"), 40, &form)
                },
            )
            .await
            .unwrap();
            let expected = match charge {
                Charge::Stays => ("PARTIAL".to_owned(), 100, 60),
                Charge::Falls => ("PAID".to_owned(), 60, 60),
            };
            assert_eq!(books.bill_state("B1").await, expected);
            books.must_be_sound().await;
            step(&app, &refund, Step::Send, None).await.unwrap();
            step(&app, &refund, Step::LoseSight, None).await.unwrap();
            assert!(matches!(
                step(&app, &refund, Step::Send, None).await,
                Err(RefundError::NotNow(State::Unknown))
            ));
            step(&app, &refund, Step::Fail, None).await.unwrap();
            assert_eq!(books.bill_state("B1").await, ("PAID".into(), 100, 100));
            let mut after = books.balances("a").await;
            after.remove("3318");
            assert_eq!(after, before);
            books.must_be_sound().await;
        }
        assert_eq!(
            books
                .count("SELECT COUNT(*) FROM journal_entry WHERE kind = 'REFUND_CANCELLED' AND reverses IS NOT NULL")
                .await,
            2
        );
    }
}

#[tokio::test]
async fn money_that_comes_back_to_a_bill_paid_meanwhile_is_credit() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 100, &["B1"])).await;
        let refund = request(&app, &school(), new(line("B1"), 40, "f"))
            .await
            .unwrap();
        books.post(books.credit("a", "t2", 30, &["B1"])).await;
        step(&app, &refund, Step::Fail, None).await.unwrap();
        assert_eq!(books.bill_state("B1").await, ("PAID".into(), 100, 100));
        assert_eq!(books.count("SELECT amount FROM pupil_credit").await, 30);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_paid_refund_of_a_bill_waits_for_its_document_and_says_so() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 100, &["B1"])).await;
        let asked = NewRefund {
            way: Way::Cash,
            charge: Charge::Falls,
            ..new(line("B1"), 100, "f")
        };
        let refund = request(&app, &school(), asked).await.unwrap();
        assert_eq!(books.bill_state("B1").await, ("NOTHING_DUE".into(), 0, 0));
        step(&app, &refund, Step::Paid, Some("PC12/2026"))
            .await
            .unwrap();
        let found = store::refund(&books.db, &school(), &refund)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.document, DocumentState::Waiting);
        let balances = books.balances("a").await;
        assert_eq!((balances["111"], balances["531"]), (-100, 0));
        let (subject,): (String,) = books
            .db
            .sql("SELECT subject FROM job WHERE kind = 'invoice.refunded'")
            .one()
            .await
            .unwrap();
        assert_eq!(subject, found.move_id.to_string());
        let told = documented(&app, &school(), &found.move_id, Err("chưa ký được".into())).await;
        assert!(told.unwrap());
        let told = documented(&app, &school(), &found.move_id, Ok("1C26TAA 8".into())).await;
        assert!(told.unwrap());
        let again = documented(&app, &school(), &found.move_id, Ok("1C26TAA 9".into())).await;
        assert!(!again.unwrap());
        let found = store::refund(&books.db, &school(), &refund)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.document, DocumentState::Done);
        assert_eq!(found.document_note.as_deref(), Some("1C26TAA 8"));

        // The voucher of one refund pays no second one.
        books.bill("a", "B2", "p2", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t2", 100, &["B2"])).await;
        let asked = NewRefund {
            way: Way::Cash,
            ..new(line("B2"), 10, "g")
        };
        let second = request(&app, &school(), asked).await.unwrap();
        assert!(matches!(
            step(&app, &second, Step::Paid, Some("PC12/2026")).await,
            Err(RefundError::ReferenceUsed)
        ));
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_provider_is_asked_for_its_own_payment_and_its_notice_ends_the_refund() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.bill("a", "B2", "p2", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t0", 100, &["B2"])).await;
        let by_provider = |bill, form| NewRefund {
            way: Way::Provider,
            ..new(line(bill), 40, form)
        };
        assert!(matches!(
            request(&app, &school(), by_provider("B2", "f0")).await,
            Err(RefundError::NotOneProviderPayment)
        ));
        let gateway = |status, amount| {
            let mut arrival = books.credit("a", "t1", amount, &["B1"]);
            arrival.channel = Channel::Gateway;
            arrival.notice.status = status;
            arrival
        };
        books.post(gateway(Status::Paid, 100)).await;
        let refund = request(&app, &school(), by_provider("B1", "f1"))
            .await
            .unwrap();
        assert_eq!(
            books
                .count("SELECT COUNT(*) FROM job WHERE kind = 'refund.send'")
                .await,
            1
        );
        let asked = outgoing(&app, &school(), &refund).await.unwrap().unwrap();
        assert_eq!(
            (
                asked.transaction_id.as_str(),
                asked.amount,
                asked.payment_amount
            ),
            ("t1", Vnd::new(40), Vnd::new(100))
        );
        step(&app, &refund, Step::Send, None).await.unwrap();
        step(&app, &refund, Step::LoseSight, None).await.unwrap();
        // The provider's own word about it takes nothing back a second time.
        books.post(gateway(Status::Refunded, 40)).await;
        let payment = payment_of(&books, "t1").await;
        let (taken,): (i64,) = books
            .db
            .sql("SELECT taken_back FROM payment WHERE payment_id = $1")
            .bind(payment)
            .one()
            .await
            .unwrap();
        assert_eq!(taken, 40);
        let jobs: Vec<Job> = books
            .db
            .sql("SELECT job_id, school_id, subject, attempts FROM job WHERE kind = 'refund.confirmed'")
            .all()
            .await
            .unwrap();
        assert_eq!(jobs.len(), 1);
        let handler = ConfirmHandler { app: app.clone() };
        for _ in 0..2 {
            assert_eq!(handler.run(jobs.clone()).await, [Outcome::Done]);
        }
        let found = store::refund(&books.db, &school(), &refund)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.state, State::Done);
        assert_eq!(books.balances("a").await["113"], 60);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn parked_money_is_sent_back_and_nobody_assigns_it_meanwhile() {
    use hocphi::payments::moves::service::{Owner, assign_suspense};
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let app = app_of(&books);
        books.bill("a", "B1", "p1", 1, &[("TUITION", 2, 100)]).await;
        books.post(books.credit("a", "t1", 100, &[])).await;
        let payment = payment_of(&books, "t1").await;
        let refund = request(
            &app,
            &school(),
            new(From::Suspense(payment.clone()), 100, "f"),
        )
        .await
        .unwrap();
        let owner = || Owner::Bills(vec!["B1".to_owned()]);
        let asked = super::moves::asked("g");
        let late = assign_suspense(&app, &school(), &payment, owner(), asked.clone()).await;
        assert!(matches!(
            late,
            Err(MoveError::Refused(Refusal::Resolved { .. }))
        ));
        step(&app, &refund, Step::Fail, None).await.unwrap();
        books.must_be_sound().await;
        assign_suspense(&app, &school(), &payment, owner(), asked)
            .await
            .unwrap();
        assert_eq!(books.bill_state("B1").await.0, "PAID");
        books.must_be_sound().await;
    }
}
