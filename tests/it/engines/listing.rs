//! Notices that an outage lost for good are found in the provider's own list, once.

use std::sync::Arc;

use hocphi::App;
use hocphi::fees::bill_code::BillCode;
use hocphi::ids::{ConnectionId, SchoolId};
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, NewConnection};
use hocphi::payments::listing::jobs::run_due;
use hocphi::payments::listing::store::{ListState, Switch, of_connection};
use hocphi::payments::receive;
use hocphi::store::{Db, Tx};
use hocphi_adapters::contract::{Flow, Inbound, Outcome as Answer};
use hocphi_sandbox::peer::{ApiFault, Event, Outcome, Peer};
use hocphi_sandbox::sepay::{Feed, Key};
use hocphi_sandbox::{Config, Pki, Sandbox, Station};

use super::{app_on, fresh_databases};
use crate::support::{Books, NOW};

const ACCOUNT: &str = "0123499999";
/// More than a page of the list.
const STRANGERS: i64 = 1_005;

struct Stage {
    books: Books,
    app: App,
    feed: Arc<Feed>,
    station: Arc<Station>,
    code: String,
    _sandbox: Sandbox,
}

async fn connect(app: &App, credentials: &[(&str, String)]) {
    let new = NewConnection {
        school_id: SchoolId::new("a"),
        connection_id: ConnectionId::new("a-sepay"),
        provider: "sepay".into(),
        display_name: "Báo có".into(),
        channel: Channel::BankTransfer,
        credentials: credentials
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    };
    let (seal, ids) = (app.seal.clone(), app.ids.clone());
    app.db
        .write("test.connect", async move |tx: &mut Tx| {
            connections::put(tx, &seal, &ids, &new).await
        })
        .await
        .unwrap();
}

async fn stage(db: Db, pki: &Arc<Pki>) -> Stage {
    let books = Books::open(db.clone()).await;
    let code = BillCode::from_number(42).unwrap().as_str().to_owned();
    books
        .bill("a", &code, "p1", 1, &[("TUITION", 2, 300_000)])
        .await;
    let app = app_on(db);
    app.clock.set(NOW);
    let clock = app.clock.clone();
    let now = Arc::new(move || clock.now().unix());
    let sandbox = Sandbox::start(Config::new(now, 7, pki.clone()))
        .await
        .unwrap();
    let key = Key::hmac();
    let feed = Arc::new(Feed::new(
        ACCOUNT,
        "Vietcombank",
        key,
        ("HP", 11),
        92_000_000,
    ));
    let station = sandbox.open("sepay", feed.clone(), "http://127.0.0.1:9/notices");
    Stage {
        books,
        app,
        feed,
        station,
        code,
        _sandbox: sandbox,
    }
}

impl Stage {
    async fn connect_with_list(&self) {
        let mut all: Vec<_> = self.feed.credentials();
        all.retain(|(name, _)| *name != "memo_pattern");
        all.push(("account_number", ACCOUNT.to_owned()));
        all.push(("api_url", format!("{}/userapi", self.station.base_url())));
        connect(&self.app, &all).await;
    }

    async fn state(&self) -> ListState {
        let connection = ConnectionId::new("a-sepay");
        of_connection(&self.app.db, &SchoolId::new("a"), &connection)
            .await
            .unwrap()
            .expect("a list that is followed")
    }

    /// Lets time pass, reading what is due.
    async fn follow(&self, seconds: i64) {
        let until = self.app.clock.now().plus_seconds(seconds);
        while self.app.clock.now() < until {
            while run_due(&self.app).await.unwrap() > 0 {}
            self.app.clock.set(self.app.clock.now().plus_seconds(60));
        }
    }

    fn credit(&self, number: i64, memo: &str, seconds_ago: i64) -> Event {
        let at = self.app.clock.now().unix() - seconds_ago;
        Event::paid(memo, 300_000, 92_100_000 + number, at)
    }

    async fn payments(&self) -> i64 {
        self.books.count("SELECT COUNT(*) FROM payment").await
    }

    /// The webhook of an event, as the gateway's address takes it.
    async fn told(&self, event: &Event) -> Vec<Answer> {
        let event = event.clone().sent_at(self.app.clock.now().unix());
        let message = self.feed.notice(&event);
        let inbound = Inbound {
            method: "POST".into(),
            headers: message
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            body: message.body.clone(),
            received_at_unix: event.sent_at,
            ..Inbound::default()
        };
        let id = ConnectionId::new("a-sepay");
        let now = self.app.clock.now();
        let connection = self.app.connections.get(&self.app.db, &id, now).await;
        let connection = connection.unwrap().expect("a connection");
        let read = receive::read(&connection, Flow::Webhook, &inbound, now).unwrap();
        let raw = receive::raw_text(&inbound);
        let posted = receive::post(&self.app, &connection, &raw, read.read).await;
        posted.into_iter().map(|posted| posted.outcome).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_of_hours_lost_is_found_once_and_told_late_is_a_repeat() {
    let pki = Arc::new(Pki::new(NOW.unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let stage = stage(db, &pki).await;
        // Paid before the school used this program, and booked elsewhere.
        let old = stage.credit(1, "HOC PHI", 3 * 24 * 3_600);
        stage.feed.book().happened(&old);
        stage.connect_with_list().await;
        stage.follow(60).await;
        assert_eq!(stage.state().await.read_at, Some(NOW));
        // Nobody listens for six hours; money comes in, goes out, and comes to a second account.
        stage.app.clock.set(NOW.plus_seconds(6 * 3_600));
        let lost = stage.credit(2, &format!("MBVCB {} nop hoc phi", stage.code), 5 * 3_600);
        let away = stage
            .credit(3, "chi luong", 4 * 3_600)
            .ending(Outcome::Outgoing);
        let foreign = stage.credit(4, &stage.code, 4 * 3_600).for_merchant("0999");
        for event in [&lost, &away, &foreign] {
            stage.feed.book().happened(event);
        }
        for number in 0..STRANGERS {
            let event = stage.credit(10 + number, "khong ma", 3 * 3_600 - number);
            stage.feed.book().happened(&event);
        }
        // Two nodes come back at once; the first calls fail.
        let faults = [ApiFault::Unavailable, ApiFault::Garbled].map(Some);
        stage.feed.book().levers().calls.extend(faults);
        let (one, other) = tokio::join!(run_due(&stage.app), run_due(&stage.app));
        assert_eq!(one.unwrap() + other.unwrap(), 1);
        let failed = stage.state().await;
        assert!(failed.problem.is_some() && failed.faults == 1, "{failed:?}");
        assert_eq!(stage.payments().await, 0);
        stage.follow(600).await;
        assert_eq!(stage.books.bill_state(&stage.code).await.0, "PAID");
        assert_eq!(stage.payments().await, 1 + STRANGERS);
        let found = stage.state().await;
        assert_eq!(
            (found.found, found.faults, found.problem),
            (1 + STRANGERS, 0, None)
        );
        // Late, after all: the same transaction.
        assert_eq!(stage.told(&lost).await, [Answer::Repeated]);
        stage.follow(3 * 3_600).await;
        assert_eq!(stage.payments().await, 1 + STRANGERS);
        let again = stage.state().await;
        assert_eq!(again.found, 1 + STRANGERS);
        assert!(again.after_number.is_some() && again.through_at > found.through_at);
        // What was told is not found, whenever it is read.
        let heard = stage.credit(50_000, "khong ma", 30);
        stage.feed.book().happened(&heard);
        assert_eq!(stage.told(&heard).await, [Answer::UnknownOrder]);
        stage.follow(3_600).await;
        assert_eq!(stage.state().await.found, 1 + STRANGERS);
        let conflicts = "SELECT COUNT(*) FROM provider_notice WHERE conflicts > 0";
        assert_eq!(stage.books.count(conflicts).await, 0);
        stage.books.must_be_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_the_list_is_off_and_a_wrong_key_is_seen() {
    let pki = Arc::new(Pki::new(NOW.unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let stage = stage(db, &pki).await;
        connect(&stage.app, &[("api_key", "webhook-key".to_owned())]).await;
        stage.follow(60).await;
        let off = stage.state().await;
        assert_eq!((off.state, off.read_at), (Switch::Off, None));
        let api_url = format!("{}/userapi", stage.station.base_url());
        let wrong = [
            ("api_key", "webhook-key".to_owned()),
            ("api_token", "wrong-token".to_owned()),
            ("api_url", api_url),
        ];
        connect(&stage.app, &wrong).await;
        stage.follow(2 * 3_600).await;
        let refused = stage.state().await;
        assert_eq!((refused.state, refused.read_at), (Switch::On, None));
        let lines = connections::list(&stage.app.db, &SchoolId::new("a"))
            .await
            .unwrap();
        assert!(lines[0].list_problem.is_some(), "{lines:?}");
        // The right one, and a school that wants to be asked every minute from a day on.
        stage
            .app
            .db
            .write("test.minutes", async |tx: &mut Tx| {
                tx.sql(
                    "INSERT INTO parameter (key, scope, valid_from, value, source, status)
                     VALUES ('provider_list_minutes', 'VN', $1, '1', 'test', 'CONFIRMED')",
                )
                .bind(NOW.day())
                .run()
                .await
            })
            .await
            .unwrap();
        stage.connect_with_list().await;
        stage.follow(2 * 3_600).await;
        let read = stage.state().await;
        assert!(read.problem.is_none() && read.read_at.is_some(), "{read:?}");
        let pause = read.next_at.unix() - read.read_at.unwrap().unix();
        assert!((60..=66).contains(&pause), "{pause}");
    }
}
