use hocphi::clock::{Day, Instant};
use hocphi::store::{StoreError, Tx, rows};

use super::fresh_databases;

#[tokio::test]
async fn a_batch_of_rows_is_one_statement_on_both_engines() {
    for (db, _keep) in fresh_databases().await {
        let day = Day::new(2026, 9, 1).unwrap();
        let units = rows([
            ("u1", "TN", "Sở Giáo dục và Đào tạo", day, None::<Day>),
            ("u2", "X1", "Xã Một", day, Some(day.plus_days(30))),
        ]);
        let added = db
            .write("test.units", async move |tx: &mut Tx| {
                tx.sql(
                    "INSERT INTO org_unit (unit_id, code, name, kind, valid_from, valid_to)
                     SELECT id, code, name, 'COMMUNE_OFFICE', f, t
                       FROM ROWS($1: id TEXT, code TEXT, name TEXT, f DAY, t DAY) AS r
                      WHERE TRUE
                     ON CONFLICT DO NOTHING",
                )
                .bind(units.clone())
                .run()
                .await
            })
            .await
            .unwrap();
        assert_eq!(added, 2);
        let found: Vec<(String, Day, Option<Day>)> = db
            .sql("SELECT name, valid_from, valid_to FROM org_unit WHERE valid_from >= $1 ORDER BY unit_id")
            .bind(day)
            .all()
            .await
            .unwrap();
        assert_eq!(found[0], ("Sở Giáo dục và Đào tạo".to_owned(), day, None));
        assert_eq!(found[1].2, Some(day.plus_days(30)));
    }
}

#[tokio::test]
async fn an_error_rolls_everything_back() {
    for (db, _keep) in fresh_databases().await {
        let outcome: Result<(), StoreError> = db
            .write("test.fail", async |tx: &mut Tx| {
                tx.sql(
                    "INSERT INTO parameter (key, scope, valid_from, value, source, status)
                     VALUES ('k', 'VN', $1, 'v', 's', 'CONFIRMED')",
                )
                .bind(Day::new(2026, 1, 1).unwrap())
                .run()
                .await?;
                Err(StoreError::Contradiction("on purpose".into()))
            })
            .await;
        assert!(outcome.is_err());
        let (count,): (i64,) = db
            .sql("SELECT COUNT(*) FROM parameter")
            .one()
            .await
            .unwrap();
        assert_eq!(count, 0);
    }
}

#[tokio::test]
async fn moments_keep_their_microseconds() {
    for (db, _keep) in fresh_databases().await {
        let moment = Instant::from_micros(1_790_000_000_123_456);
        let batch = rows([("j1", moment)]);
        db.write("test.job", async move |tx: &mut Tx| {
            tx.sql(
                "INSERT INTO job (job_id, school_id, kind, subject, state, run_at, attempts, leased_until)
                 SELECT id, 's', 'k', id, 'READY', at, 0, $2 FROM ROWS($1: id TEXT, at INSTANT) AS r",
            )
            .bind(batch.clone())
            .bind(moment)
            .run()
            .await
        })
        .await
        .unwrap();
        let found: (Instant, Instant) = db
            .sql("SELECT run_at, leased_until FROM job WHERE run_at = $1")
            .bind(moment)
            .one()
            .await
            .unwrap();
        assert_eq!(found, (moment, moment));
    }
}
