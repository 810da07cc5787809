//! Closed periods, and balances of any moment.

use hocphi::clock::{Day, Instant};
use hocphi::ids::SchoolId;
use hocphi::ledger::check::Extent;
use hocphi::ledger::period::{self, Period, PeriodError, Request};
use hocphi::ledger::{self, AsOf, Wanted};
use hocphi::money::Vnd;

use super::{change, codes, drop_guards, findings, pay, payments};
use crate::engines::{day, fresh_databases};
use crate::support::{Books, NOW, chain_keys};

fn request(period: &str, reason: &str, at: Instant) -> Request {
    Request {
        school_id: SchoolId::new("a"),
        period: Period::parse(period).unwrap(),
        actor: "ketoan.a".into(),
        reason: reason.into(),
        at,
    }
}

/// Posts 100 for a new bill, paid on `paid`.
async fn pay_on(books: &Books, number: u32, paid: Day) {
    let code = format!("D{number}");
    books
        .bill("a", &code, "p2", number, &[("TUITION", 2, 100)])
        .await;
    let mut arrival = books.credit("a", &code, 100, &[&code]);
    arrival.notice.occurred_at_unix = Some(paid.start().unix() + 3_600);
    books.post(arrival).await;
}

#[tokio::test]
async fn what_arrives_late_is_booked_on_the_first_open_day_with_its_true_day() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 1).await;
        let (keys, db) = (chain_keys(), books.db.clone());
        let until = period::lock(&db, &keys, request("2026-10", "", NOW))
            .await
            .unwrap();
        assert_eq!(until, day("2026-10-31"));
        pay_on(&books, 1, day("2026-10-15")).await;
        pay_on(&books, 2, day("2026-11-02")).await;
        let booked: Vec<(i64, Day, Option<Day>)> = db
            .sql("SELECT seq, booked_day, event_day FROM journal_entry WHERE seq > 1 ORDER BY seq")
            .all()
            .await
            .unwrap();
        assert_eq!(
            booked,
            [
                (2, day("2026-11-01"), Some(day("2026-10-15"))),
                (3, day("2026-11-02"), None),
            ]
        );
        let (paid,): (Day,) = db
            .sql("SELECT paid_day FROM payment WHERE transaction_id = 'D1'")
            .one()
            .await
            .unwrap();
        assert_eq!(paid, day("2026-10-15"));
        assert_eq!(findings(&books, Extent::Full).await, []);
    }
}

#[tokio::test]
async fn closing_and_opening_are_recorded_and_opening_needs_a_reason() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 2).await;
        let (keys, db) = (chain_keys(), books.db.clone());
        let lock = async |period: &str| period::lock(&db, &keys, request(period, "", NOW)).await;
        let unlock = async |period: &str, reason: &str| {
            period::unlock(&db, &keys, request(period, reason, NOW)).await
        };
        assert!(matches!(
            lock("2026-11").await,
            Err(PeriodError::NotOver { .. })
        ));
        assert!(matches!(
            lock("2026").await,
            Err(PeriodError::NotOver { .. })
        ));
        lock("2026-10").await.unwrap();
        assert!(matches!(
            lock("2026-09").await,
            Err(PeriodError::AlreadyClosed { .. })
        ));
        assert!(matches!(
            unlock("2026-10", " ").await,
            Err(PeriodError::NoReason)
        ));
        assert!(matches!(
            unlock("2026-11", "x").await,
            Err(PeriodError::NotClosed { .. })
        ));
        let until = unlock("2026-10", "ghi thiếu chứng từ").await.unwrap();
        assert_eq!(until, day("2026-09-30"));
        pay_on(&books, 9, day("2026-10-15")).await;
        lock("2026-10").await.unwrap();
        let history = period::history(&db, &SchoolId::new("a")).await.unwrap();
        let told: Vec<_> = history
            .iter()
            .map(|event| {
                (
                    event.action.as_str(),
                    event.after_seq,
                    event.reason.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("LOCKED", 2, ""),
                ("UNLOCKED", 2, "ghi thiếu chứng từ"),
                ("LOCKED", 3, "")
            ]
        );
        // Entry 3 lies in October while October was open: in order.
        assert_eq!(findings(&books, Extent::Full).await, []);
        let refused = change(&db, "DELETE FROM ledger_period").await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
        // A forged history is found, with the entry that it would forbid.
        drop_guards(&db).await;
        change(
            &db,
            "UPDATE ledger_period SET closed_through = '2026-10-31' WHERE event_no = 2",
        )
        .await
        .unwrap();
        let found = findings(&books, Extent::Full).await;
        assert!(codes(&found).contains(&"period_forged"), "{found:?}");
        assert!(
            found
                .iter()
                .any(|f| f.code == "booked_in_closed_period" && f.entry == Some(3)),
            "{found:?}"
        );
        change(&db, "DELETE FROM ledger_period WHERE event_no = 3")
            .await
            .unwrap();
        change(&db, "UPDATE ledger_head SET closed_through = '2026-08-31'")
            .await
            .unwrap();
        let found = codes(&findings(&books, Extent::Full).await);
        assert!(found.contains(&"period_differs") && found.contains(&"head_forged"));
    }
}

#[tokio::test]
async fn a_balance_is_known_for_any_moment_and_leads_to_its_payments() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 1).await;
        pay_on(&books, 1, day("2026-11-02")).await;
        let school = SchoolId::new("a");
        let at = async |as_of| {
            let all = ledger::balances_at(&books.db, &school, as_of)
                .await
                .unwrap();
            all.into_iter().find(|row| row.0 == "112").map(|row| row.1)
        };
        assert_eq!(at(AsOf::Booked(day("2026-11-01"))).await, None);
        assert_eq!(
            at(AsOf::Booked(day("2026-11-02"))).await,
            Some(Vnd::new(100))
        );
        assert_eq!(at(AsOf::Booked(NOW.day())).await, Some(Vnd::new(200)));
        assert_eq!(at(AsOf::Posted(NOW.plus_seconds(-1))).await, None);
        assert_eq!(at(AsOf::Posted(NOW)).await, Some(Vnd::new(200)));
        let stored = ledger::balances(&books.db, &school).await.unwrap();
        let now = ledger::balances_at(&books.db, &school, AsOf::Posted(NOW))
            .await
            .unwrap();
        assert_eq!(stored, now);

        pay(&books, 2..=4).await;
        let wanted = Wanted {
            account: "531".into(),
            from: day("2026-11-01"),
            to: day("2026-11-02"),
            after_seq: 0,
            limit: 10,
        };
        let lines = ledger::account_lines(&books.db, &school, &wanted)
            .await
            .unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].seq, lines[0].credit), (2, Vnd::new(100)));
        let sources = [lines[0].source_id.as_str()];
        let origins = hocphi::payments::lineage::origins(&books.db, &school, &sources)
            .await
            .unwrap();
        let origin = &origins[&lines[0].source_id];
        assert_eq!(
            (origin.transaction_id.as_str(), origin.paid_day),
            ("D1", day("2026-11-02"))
        );
        assert_eq!(origin.bill_codes, ["D1"]);
        assert!(origin.notice_key.is_some());
    }
}
