//! What we ask providers for is followed until it ends, by any node, once.

use hocphi::App;
use hocphi::clock::Instant;
use hocphi::fees::bill_code::BillCode;
use hocphi::ids::{ConnectionId, PaymentId, SchoolId};
use hocphi::money::Vnd;
use hocphi::payments::books::{Arrival, Channel, Target};
use hocphi::payments::connections::{self, NewConnection};
use hocphi::payments::outbound::jobs::run_due;
use hocphi::payments::outbound::request::{NewRefund, start_refund};
use hocphi::payments::outbound::rules::{Kind, State};
use hocphi::payments::outbound::service::FlowError;
use hocphi::payments::outbound::store::{FlowRow, of_subject};
use hocphi::payments::service::{Started, start_checkout};
use hocphi::store::{Db, Tx};
use hocphi_adapters::contract::{Notice, Settlement, Status};

use super::{app_on, fresh_databases};
use crate::support::{Books, NOW};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9/api";

pub(super) async fn gateway(db: Db) -> (Books, App, String) {
    let books = Books::open(db.clone()).await;
    let code = BillCode::from_number(42).unwrap().as_str().to_owned();
    books
        .bill("a", &code, "p1", 1, &[("TUITION", 2, 300_000)])
        .await;
    let app = app_on(db);
    app.clock.set(NOW);
    let new = NewConnection {
        school_id: SchoolId::new("a"),
        connection_id: ConnectionId::new("a-vnpay"),
        provider: "vnpay".into(),
        display_name: "VNPAY".into(),
        channel: Channel::Gateway,
        credentials: [
            ("tmn_code", "HOCPHI01"),
            ("hash_secret", "SECRET"),
            ("pay_url", "https://pay.example.vn/pay"),
            ("api_url", NOWHERE),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    };
    let (seal, ids) = (app.seal.clone(), app.ids.clone());
    app.db
        .write("test.connect", async move |tx: &mut Tx| {
            connections::put(tx, &seal, &ids, &new).await
        })
        .await
        .unwrap();
    (books, app, code)
}

/// Starts a checkout; answers the attempt and the order's name.
pub(super) async fn checkout(app: &App, code: &str) -> (String, String) {
    let id = ConnectionId::new("a-vnpay");
    let started = start_checkout(app, code, &id, "203.0.113.9").await.unwrap();
    assert!(
        matches!(started, Started::Go(address) if address.starts_with("https://pay.example.vn/pay?"))
    );
    app.db
        .sql("SELECT attempt_id, order_ref FROM payment_attempt ORDER BY attempt_id DESC LIMIT 1")
        .one()
        .await
        .unwrap()
}

async fn flow(app: &App, kind: Kind, subject: &str) -> FlowRow {
    of_subject(&app.db, &SchoolId::new("a"), kind, subject)
        .await
        .unwrap()
        .expect("a flow")
}

/// Lets time pass until nothing is due any more or `until` has come.
async fn follow(app: &App, until: Instant) {
    while app.clock.now() < until {
        app.clock.set(app.clock.now().plus_seconds(30));
        while run_due(app).await.unwrap() > 0 {}
    }
}

pub(super) fn paid(books: &Books, order: &str) -> Arrival {
    Arrival {
        connection_id: ConnectionId::new("a-vnpay"),
        provider: "vnpay".into(),
        channel: Channel::Gateway,
        settlement: Settlement::Exact,
        target: Target::Order(order.to_owned()),
        notice: Notice {
            order_ref: Some(order.to_owned()),
            status: Status::Paid,
            ..books.credit("a", "T1", 300_000, &[]).notice
        },
        payment_id: PaymentId::new(books.ids.next(NOW)),
        ..books.credit("a", "T1", 300_000, &[])
    }
}

#[tokio::test]
async fn a_payment_told_by_its_notice_ends_without_asking() {
    for (db, _keep) in fresh_databases().await {
        let (books, app, code) = gateway(db).await;
        let (attempt, order) = checkout(&app, &code).await;
        assert_eq!(
            flow(&app, Kind::Payment, &attempt).await.state,
            State::Pending
        );
        books.post(paid(&books, &order)).await;
        follow(&app, NOW.plus_seconds(3_600)).await;
        let ended = flow(&app, Kind::Payment, &attempt).await;
        assert_eq!((ended.state, ended.asks), (State::Done, 0));
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_payment_nobody_made_expires_and_money_that_comes_later_is_posted() {
    for (db, _keep) in fresh_databases().await {
        let (books, app, code) = gateway(db).await;
        let (attempt, order) = checkout(&app, &code).await;
        follow(&app, NOW.plus_seconds(3 * 24 * 3600)).await;
        assert_eq!(
            flow(&app, Kind::Payment, &attempt).await.state,
            State::Expired
        );
        let state = "SELECT COUNT(*) FROM payment_attempt WHERE state = 'FAILED'";
        assert_eq!(books.count(state).await, 1);
        books.post(paid(&books, &order)).await;
        assert_eq!(books.bill_state(&code).await.0, "PAID");
        let state = "SELECT COUNT(*) FROM payment_attempt WHERE state = 'PAID'";
        assert_eq!(books.count(state).await, 1);
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn two_nodes_take_a_due_flow_once() {
    for (db, _keep) in fresh_databases().await {
        let (books, app, code) = gateway(db).await;
        let (attempt, order) = checkout(&app, &code).await;
        books.post(paid(&books, &order)).await;
        app.clock.set(NOW.plus_seconds(2 * 24 * 3600));
        let version = flow(&app, Kind::Payment, &attempt).await.version;
        let (one, other) = tokio::join!(run_due(&app), run_due(&app));
        assert_eq!(one.unwrap() + other.unwrap(), 1);
        assert_eq!(
            flow(&app, Kind::Payment, &attempt).await.version,
            version + 1
        );
    }
}

#[tokio::test]
async fn a_refund_is_planned_once_and_never_lost_while_the_provider_is_away() {
    for (db, _keep) in fresh_databases().await {
        let (books, app, code) = gateway(db).await;
        let (_, order) = checkout(&app, &code).await;
        books.post(paid(&books, &order)).await;
        let refund = NewRefund {
            school_id: SchoolId::new("a"),
            subject: "refund-1".into(),
            connection_id: ConnectionId::new("a-vnpay"),
            order_ref: order,
            transaction_id: "T1".into(),
            paid_amount: Vnd::new(300_000),
            paid_at: NOW,
            amount: Vnd::new(300_000),
            reason: "Nộp thừa".into(),
            requested_by: "kế toán".into(),
        };
        let planned = match start_refund(&app, &refund).await {
            Ok(planned) => planned,
            // Whoever cannot pay back says so before anything is written.
            Err(FlowError::NoRefunds) => {
                assert_eq!(
                    books
                        .count("SELECT COUNT(*) FROM provider_flow WHERE kind = 'REFUND'")
                        .await,
                    0
                );
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(planned.state, State::Planned);
        let again = start_refund(&app, &refund).await.unwrap();
        assert_eq!(again.flow_id, planned.flow_id);
        follow(&app, NOW.plus_seconds(600)).await;
        let waiting = flow(&app, Kind::Refund, "refund-1").await;
        assert_eq!(waiting.state, State::Planned, "{waiting:?}");
        assert!(waiting.sends >= 1 && waiting.problem.is_some());
        let too_much = NewRefund {
            subject: "refund-2".into(),
            amount: Vnd::new(300_001),
            ..refund
        };
        let refused = start_refund(&app, &too_much).await;
        assert!(matches!(refused, Err(FlowError::NoRefunds)), "{refused:?}");
    }
}
