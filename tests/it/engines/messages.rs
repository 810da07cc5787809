//! What providers send is kept as it came, without its secrets, and can be read again.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hocphi::App;
use hocphi::clock::Instant;
use hocphi::fees::bill_code::BillCode;
use hocphi::ids::{ConnectionId, MessageId, SchoolId};
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, ConnectionError, NewConnection, State};
use hocphi::payments::http::provider_routes;
use hocphi::payments::messages::replay::{ReplayError, replay};
use hocphi::payments::messages::store::{self, MessageLine};
use hocphi::store::Tx;
use hocphi_adapters::contract::Outcome;
use tower::ServiceExt;

use super::{app_on, fresh_databases};
use crate::support::{Books, NOW};

const KEY: &str = "key-of-the-school-1";

struct Gateway {
    books: Books,
    app: App,
    router: Router,
    code: String,
    id: ConnectionId,
}

impl Gateway {
    /// A bill of 300,000 and a bank feed whose key is `key`.
    async fn open(db: hocphi::store::Db, key: &str) -> Self {
        let books = Books::open(db.clone()).await;
        let code = BillCode::from_number(42).unwrap().as_str().to_owned();
        books
            .bill("a", &code, "p1", 1, &[("TUITION", 2, 300_000)])
            .await;
        let app = app_on(db);
        app.clock.set(NOW);
        let gateway = Self {
            router: provider_routes(app.clone()),
            books,
            app,
            code,
            id: ConnectionId::new("a-sepay"),
        };
        gateway.connect(key).await;
        gateway
    }

    async fn connect(&self, key: &str) {
        let new = NewConnection {
            school_id: SchoolId::new("a"),
            connection_id: self.id.clone(),
            provider: "sepay".into(),
            display_name: "Báo có".into(),
            channel: Channel::BankTransfer,
            credentials: vec![("api_key".into(), key.into())],
        };
        let (seal, ids) = (self.app.seal.clone(), self.app.ids.clone());
        self.app
            .db
            .write("test.connect", async move |tx: &mut Tx| {
                connections::put(tx, &seal, &ids, &new).await
            })
            .await
            .unwrap();
        self.app.connections.forget(&self.id);
    }

    async fn rotate(&self, key: &str, until: Instant) {
        let (seal, ids, id) = (self.app.seal.clone(), self.app.ids.clone(), self.id.clone());
        let key = vec![("api_key".to_owned(), key.to_owned())];
        self.app
            .db
            .write("test.rotate", async move |tx: &mut Tx| {
                connections::rotate(tx, &seal, &ids, &id, &key, until).await
            })
            .await
            .unwrap();
        self.app.connections.forget(&self.id);
    }

    /// A bank credit as the provider tells it.
    async fn tell(&self, key: &str, transaction: u32, amount: u32) -> StatusCode {
        let body = format!(
            r#"{{"id":{transaction},"gateway":"VCB","transactionDate":"2026-11-18 10:00:00","accountNumber":"a","code":null,"content":"{} nop tien","transferType":"in","transferAmount":{amount},"accumulated":0,"subAccount":null,"referenceCode":"FT1","description":""}}"#,
            self.code
        );
        let request = Request::post("/notices/sepay/a-sepay")
            .header("content-type", "application/json")
            .header("authorization", format!("Apikey {key}"))
            .body(Body::from(body))
            .unwrap();
        let status = self.router.clone().oneshot(request).await.unwrap().status();
        self.app.keeper.flush().await;
        status
    }

    async fn kept(&self) -> Vec<MessageLine> {
        store::list(&self.app.db, &SchoolId::new("a"), false, 0)
            .await
            .unwrap()
    }

    async fn replay(&self, id: &MessageId) -> Result<Outcome, ReplayError> {
        let posted = replay(&self.app, &SchoolId::new("a"), id, "test").await?;
        Ok(posted[0].outcome)
    }
}

#[tokio::test]
async fn a_message_refused_for_our_wrong_key_is_posted_once_when_the_key_is_right() {
    for (db, _keep) in fresh_databases().await {
        let gateway = Gateway::open(db, "mistyped-key-9").await;
        assert_eq!(
            gateway.tell(KEY, 7, 300_000).await,
            StatusCode::UNAUTHORIZED
        );
        let [line] = gateway.kept().await.try_into().unwrap();
        assert_eq!(line.outcome, "not_authentic");
        let school = SchoolId::new("a");
        let message = store::message(&gateway.app.db, &school, &line.message_id)
            .await
            .unwrap()
            .unwrap();
        assert!(!format!("{message:?}").contains(KEY));
        assert!(message.body.contains("nop tien"));
        // Nobody vouches for it yet.
        let refused = gateway.replay(&line.message_id).await;
        assert!(
            matches!(refused, Err(ReplayError::SecretGone)),
            "{refused:?}"
        );
        assert_eq!(gateway.books.bill_state(&gateway.code).await.2, 0);
        gateway.connect(KEY).await;
        // Long after: what counts is when it came.
        gateway.app.clock.set(NOW.plus_seconds(90 * 24 * 3600));
        assert_eq!(
            gateway.replay(&line.message_id).await.unwrap(),
            Outcome::Accepted
        );
        assert_eq!(
            gateway.replay(&line.message_id).await.unwrap(),
            Outcome::Repeated
        );
        assert_eq!(gateway.tell(KEY, 7, 300_000).await, StatusCode::OK);
        assert_eq!(
            gateway.books.bill_state(&gateway.code).await,
            ("PAID".into(), 300_000, 300_000)
        );
        assert_eq!(gateway.books.count("SELECT COUNT(*) FROM payment").await, 1);
        let line = &gateway.kept().await[1];
        assert_eq!(
            (line.replays, line.replay_outcome.as_deref()),
            (3, Some("repeated"))
        );
        gateway.books.must_be_sound().await;
    }
}

#[tokio::test]
async fn a_kept_message_that_somebody_changed_is_not_replayed() {
    for (db, _keep) in fresh_databases().await {
        let gateway = Gateway::open(db, KEY).await;
        assert_eq!(gateway.tell(KEY, 7, 100_000).await, StatusCode::OK);
        let [line] = gateway.kept().await.try_into().unwrap();
        gateway
            .app
            .db
            .write("test.forge", async |tx: &mut Tx| {
                tx.sql(
                    "UPDATE inbound_message
                        SET body = replace(replace(body, '100000', '900000'), ':7,', ':8,')",
                )
                .run()
                .await
            })
            .await
            .unwrap();
        let forged = gateway.replay(&line.message_id).await;
        assert!(matches!(forged, Err(ReplayError::Changed)), "{forged:?}");
        let gone = gateway.replay(&MessageId::new("nothing")).await;
        assert!(matches!(gone, Err(ReplayError::Unknown)), "{gone:?}");
        assert_eq!(gateway.books.count("SELECT COUNT(*) FROM payment").await, 1);
    }
}

#[tokio::test]
async fn refused_messages_do_not_fill_the_database() {
    for (db, _keep) in fresh_databases().await {
        let gateway = Gateway::open(db, KEY).await;
        for turn in 0..150 {
            gateway.tell("forged-key-77", turn, 1).await;
        }
        let kept = gateway
            .books
            .count("SELECT COUNT(*) FROM inbound_message")
            .await;
        assert!((50..=110).contains(&kept), "{kept}");
        // Proven ones are kept whatever others send.
        assert_eq!(gateway.tell(KEY, 900, 100_000).await, StatusCode::OK);
        let proven = "SELECT COUNT(*) FROM inbound_message WHERE verdict = 'AUTHENTIC'";
        assert_eq!(gateway.books.count(proven).await, 1);
    }
}

#[tokio::test]
async fn old_and_new_credentials_are_both_good_until_the_overlap_ends() {
    for (db, _keep) in fresh_databases().await {
        let gateway = Gateway::open(db, KEY).await;
        let until = NOW.plus_seconds(3_600);
        gateway.rotate("key-of-the-school-2", until).await;
        assert_eq!(gateway.tell(KEY, 1, 1_000).await, StatusCode::OK);
        assert_eq!(
            gateway.tell("key-of-the-school-2", 2, 1_000).await,
            StatusCode::OK
        );
        assert_eq!(
            gateway.tell("key-of-the-school-3", 3, 1_000).await,
            StatusCode::UNAUTHORIZED
        );
        gateway.app.clock.set(until);
        assert_eq!(gateway.tell(KEY, 4, 1_000).await, StatusCode::UNAUTHORIZED);
        assert_eq!(
            gateway.tell("key-of-the-school-2", 5, 1_000).await,
            StatusCode::OK
        );
        let kept = format!("{:?}", gateway.kept().await);
        assert!(!kept.contains("key-of-the-school"), "{kept}");
        assert_eq!(gateway.books.count("SELECT COUNT(*) FROM payment").await, 3);
    }
}

#[tokio::test]
async fn a_connection_is_switched_off_and_held_to_its_networks() {
    for (db, _keep) in fresh_databases().await {
        let gateway = Gateway::open(db, KEY).await;
        let change = async |state: Option<State>, sources: &[&str]| {
            let id = gateway.id.clone();
            let sources: Vec<_> = sources.iter().map(|text| text.parse().unwrap()).collect();
            gateway
                .app
                .db
                .write("test.change", async move |tx: &mut Tx| {
                    if let Some(state) = state {
                        connections::switch(tx, &id, state).await?;
                    }
                    connections::set_sources(tx, &id, &sources).await
                })
                .await
                .unwrap();
            gateway.app.connections.forget(&gateway.id);
        };
        change(Some(State::Disabled), &[]).await;
        assert_eq!(gateway.tell(KEY, 1, 1_000).await, StatusCode::NOT_FOUND);
        change(Some(State::Enabled), &["203.0.113.0/24"]).await;
        // No address at all, as here without a socket, is none of those.
        assert_eq!(gateway.tell(KEY, 1, 1_000).await, StatusCode::UNAUTHORIZED);
        change(None, &[]).await;
        assert_eq!(gateway.tell(KEY, 1, 1_000).await, StatusCode::OK);
        let lines = connections::list(&gateway.app.db, &SchoolId::new("a"))
            .await
            .unwrap();
        assert_eq!(lines[0].last_proven, Some(NOW));
        let unknown = gateway
            .app
            .db
            .write("test.unknown", async |tx: &mut Tx| {
                connections::switch(tx, &ConnectionId::new("nobody"), State::Enabled).await
            })
            .await;
        assert!(matches!(unknown, Err(ConnectionError::Unknown)));
    }
}

#[tokio::test]
async fn a_body_beyond_all_bounds_is_refused_and_noted() {
    for (db, _keep) in fresh_databases().await {
        let gateway = Gateway::open(db, KEY).await;
        let request = Request::post("/notices/sepay/a-sepay")
            .header("authorization", format!("Apikey {KEY}"))
            .body(Body::from(vec![b'x'; 1024 * 1024]))
            .unwrap();
        let status = gateway
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status();
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        gateway.app.keeper.flush().await;
        assert_eq!(gateway.kept().await[0].reason.as_deref(), Some("malformed"));
    }
}
