//! More notices than the desk can hold: the rest is told to come again, and nothing taken is lost.

use std::sync::Arc;
use std::time::Duration;

use hocphi::store::{StoreError, Tx};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::fresh_databases;
use crate::support::Books;

/// Beyond what a desk takes in.
const NOTICES: usize = 9_500;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_desk_refuses_and_posts_everything_it_took() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        books
            .bill("a", "B1", "p1", 1, &[("TUITION", 2, 300_000_000)])
            .await;
        // The first notice makes the head of the school's ledger, which is held afterwards.
        books.post(books.credit("a", "first", 1_000, &["B1"])).await;
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let holder = tokio::spawn({
            let (db, held, release) = (books.db.clone(), held.clone(), release.clone());
            async move {
                db.write("test.hold", async move |tx: &mut Tx| {
                    tx.sql("UPDATE ledger_head SET last_seq = last_seq")
                        .run()
                        .await?;
                    held.notify_one();
                    release.notified().await;
                    Ok::<_, StoreError>(())
                })
                .await
            }
        });
        held.notified().await;
        let mut handing = JoinSet::new();
        for place in 0..NOTICES {
            let arrival = books.credit("a", &format!("t{place}"), 1_000, &["B1"]);
            let desk = books.desk.clone();
            handing.spawn(async move { desk.hand_in(arrival).await });
        }
        // Refusals come at once, while the database still stands.
        let mut refused = 0;
        while let Ok(Some(answer)) =
            tokio::time::timeout(Duration::from_secs(2), handing.join_next()).await
        {
            assert!(answer.unwrap().is_err(), "answered before it was durable");
            refused += 1;
        }
        assert!(refused > 0, "nobody was refused");
        assert!(refused < NOTICES, "everybody was refused");
        release.notify_one();
        holder.await.unwrap().unwrap();
        let mut taken = 0;
        while let Some(answer) = handing.join_next().await {
            assert!(answer.unwrap().unwrap().is_some(), "taken and not posted");
            taken += 1;
        }
        assert_eq!(taken + refused, NOTICES);
        assert_eq!(
            books.count("SELECT COUNT(*) FROM payment").await,
            1 + taken as i64
        );
        books.must_be_sound().await;
    }
}
