//! A provider hears "accepted" only of what the disk took.

use hocphi::store::Db;

use crate::support::Books;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_did_not_take_must_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.db");
    let db = Db::open(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let books = Books::open(db).await;
    books
        .bill("a", "B1", "p1", 1, &[("TUITION", 2, 300_000)])
        .await;
    books.post(books.credit("a", "t1", 1_000, &["B1"])).await;
    // The log stays open for SQLite, which goes on writing; its name leads to itself, and nobody can
    // flush it.
    let log = folder.path().join("books.db-wal");
    std::fs::rename(&log, folder.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(&log, &log).unwrap();
    for transaction in ["t2", "t3"] {
        let arrival = books.credit("a", transaction, 1_000, &["B1"]);
        assert!(books.desk.hand_in(arrival).await.unwrap().is_none());
    }
    // The disk is well again, and the program is started anew; SQLite takes its log with it.
    books.db.close().await;
    let db = Db::open(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let desk = Books::another_desk(&db, &books.clock, &books.ids);
    for transaction in ["t1", "t2", "t3"] {
        let arrival = books.credit("a", transaction, 1_000, &["B1"]);
        assert!(desk.hand_in(arrival).await.unwrap().is_some());
    }
    let (paid, payments): (i64, i64) = db
        .sql("SELECT SUM(amount), COUNT(*) FROM payment")
        .one()
        .await
        .unwrap();
    assert_eq!((paid, payments), (3_000, 3));
}
