//! Rounds from plan to bill, and what happens to bills when the law changes under them.

use hocphi::App;
use hocphi::clock::{Clock, Day, Instant};
use hocphi::fees::bill_code::BillCode;
use hocphi::fees::rules::EVERY_GRADE;
use hocphi::fees::service::{FeeError, NewRound, create_round, preview, publish, reprice};
use hocphi::ids::{BillId, Ids, RoundId, SchoolId};
use hocphi::money::{Quantity, Vnd};
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, StoreError, Tx, rows};

use super::fresh_databases;

const SCHOOL: &str = "s1";

fn day(text: &str) -> Day {
    Day::parse_iso(text).unwrap()
}

fn app(db: &Db, today: &str) -> App {
    let clock = Clock::settable(day(today).start().plus_seconds(9 * 3600));
    let seal = SealingKey::from_bytes([7; 32]);
    App::tool(db.clone(), clock, Ids::seeded(7), seal).expect("an application")
}

/// A public lower-secondary school: An (guardian, takes part in boarding), Bình (card of a poor
/// household), Chi (grade 9), Dũng (left), Em (no class).
async fn school(db: &Db) {
    db.write("test.school", async |tx: &mut Tx| {
        let from = day("2020-01-01");
        for (id, code, kind) in [("x1", "X1", "COMMUNE_OFFICE"), (SCHOOL, "T1", "SCHOOL")] {
            tx.sql(
                "INSERT INTO org_unit (unit_id, code, name, kind, valid_from)
                 VALUES ($1, $2, $2, $3, $4)",
            )
            .bind(id)
            .bind(code)
            .bind(kind)
            .bind(from)
            .run()
            .await?;
        }
        tx.sql(
            "INSERT INTO org_relation (child_id, relation, valid_from, parent_id)
             VALUES ('s1', 'MANAGES', $1, 'x1')",
        )
        .bind(from)
        .run()
        .await?;
        tx.sql(
            "INSERT INTO school (school_id, education_level, ownership, tax_code, address,
                                 bank_bin, bank_account, bank_account_name)
             VALUES ('s1', 'LOWER_SECONDARY', 'PUBLIC', '4600000001', 'x', '970436', '1', 'T1')",
        )
        .run()
        .await?;
        tx.sql(
            "INSERT INTO school_class (school_id, class_id, school_year, name, grade)
             VALUES ('s1', 'c6', '2025-2026', '6A1', 6), ('s1', 'c9', '2025-2026', '9A', 9)",
        )
        .run()
        .await?;
        tx.sql(
            "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name,
                                insurance_group, insurance_months, state)
             VALUES ('s1', 'p1', '001', 'An', 'an', 'HS', 12, 'STUDYING'),
                    ('s1', 'p2', '002', 'Bình', 'binh', 'HN', 12, 'STUDYING'),
                    ('s1', 'p3', '003', 'Chi', 'chi', 'HS', 9, 'STUDYING'),
                    ('s1', 'p4', '004', 'Dũng', 'dung', 'HS', 12, 'LEFT'),
                    ('s1', 'p5', '005', 'Em', 'em', 'HS', 12, 'STUDYING')",
        )
        .run()
        .await?;
        for (pupil, class) in [("p1", "c6"), ("p2", "c6"), ("p3", "c9"), ("p4", "c9")] {
            tx.sql(
                "INSERT INTO enrolment (school_id, pupil_id, valid_from, class_id)
                 VALUES ('s1', $1, $2, $3)",
            )
            .bind(pupil)
            .bind(day("2025-09-01"))
            .bind(class)
            .run()
            .await?;
        }
        tx.sql(
            "INSERT INTO guardian (school_id, pupil_id, guardian_id, full_name, relation)
             VALUES ('s1', 'p1', 'g1', 'Nguyễn Thị Hoa', 'MOTHER')",
        )
        .run()
        .await?;
        parameters(tx).await?;
        tx.sql(
            "INSERT INTO fee_item (school_id, item_id, code, name, collection_class, calculation,
                                   unit_name, document_rule, vat_rate, opt_in, legal_basis)
             SELECT 's1', 'i-' || code, code, 'Khoản ' || code, class, calculation, 'tháng',
                    'INVOICE', 'KCT', opt_in, 'NQ 1'
               FROM ROWS($1: code TEXT, class TEXT, calculation TEXT, opt_in TEXT) AS r",
        )
        .bind(rows([
            ("BHYT", "ON_BEHALF", "HEALTH_INSURANCE", "ALL"),
            ("BT", "SERVICE", "PER_MONTH", "CHOSEN"),
            ("HP", "TUITION", "PER_MONTH", "ALL"),
        ]))
        .run()
        .await?;
        tx.sql(
            "INSERT INTO fee_price (school_id, item_id, grade, valid_from, amount, source)
             SELECT 's1', 'i-' || code, grade, $2, amount, 'QĐ 1'
               FROM ROWS($1: code TEXT, grade BIGINT, amount BIGINT) AS r",
        )
        .bind(rows([("HP", EVERY_GRADE, 60_000), ("BT", 6, 100_000)]))
        .bind(day("2026-01-01"))
        .run()
        .await?;
        tx.sql(
            "INSERT INTO pupil_choice (school_id, pupil_id, item_id, quantity, valid_from)
             VALUES ('s1', 'p1', 'i-BT', '1', $1)",
        )
        .bind(day("2026-01-01"))
        .run()
        .await?;
        Ok::<_, StoreError>(())
    })
    .await
    .unwrap();
}

async fn parameters(tx: &mut Tx) -> Result<u64, StoreError> {
    let table = rows([
        (
            "base_reference_level",
            "VN",
            "2024-07-01",
            Some("2026-07-01"),
            "2340000",
        ),
        ("base_reference_level", "VN", "2026-07-01", None, "2530000"),
        ("bhyt_rate", "VN", "2020-01-01", None, "0.045"),
        ("bhyt_state_support", "VN", "2025-07-01", None, "0.5"),
        ("tuition_months_max", "VN", "2021-01-01", None, "9"),
        (
            "tuition_state_share",
            "PUBLIC/LOWER_SECONDARY",
            "2025-09-01",
            None,
            "1",
        ),
    ]);
    tx.sql(
        "INSERT INTO parameter (key, scope, valid_from, valid_to, value, source, status)
         SELECT k, s, f, t, v, 'VB', 'CONFIRMED'
           FROM ROWS($1: k TEXT, s TEXT, f DAY, t DAY, v TEXT) AS r",
    )
    .bind(table)
    .run()
    .await
}

async fn round(app: &App, name: &str, items: &[(&str, i64)]) -> Result<RoundId, FeeError> {
    let new = NewRound {
        name: name.into(),
        school_year: "2025-2026".into(),
        charge_day: day("2026-06-20"),
        due_day: day("2026-07-31"),
        items: items
            .iter()
            .map(|&(code, quantity)| (code.to_owned(), Quantity::from(quantity)))
            .collect(),
    };
    create_round(app, &SchoolId::new(SCHOOL), new).await
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Bill {
    pupil_id: String,
    payer_name: String,
    class_name: String,
    state: String,
    gross: i64,
    amount_due: i64,
    priced_until: Option<Day>,
}

async fn bills(db: &Db) -> Vec<Bill> {
    db.sql(
        "SELECT pupil_id, payer_name, class_name, state, gross, amount_due, priced_until
           FROM fee_bill ORDER BY pupil_id",
    )
    .all()
    .await
    .unwrap()
}

#[tokio::test]
async fn a_round_is_published_once_and_its_bills_carry_the_rules() {
    for (db, _keep) in fresh_databases().await {
        school(&db).await;
        let app = app(&db, "2026-06-25");
        let school = SchoolId::new(SCHOOL);
        let round = round(&app, "Đợt 1", &[("HP", 9), ("BHYT", 12), ("BT", 2)])
            .await
            .unwrap();

        let seen = preview(&app, &school, &round).await.unwrap();
        assert!(seen.problems.is_empty(), "{:?}", seen.problems);
        assert_eq!(seen.warnings.len(), 2, "{:?}", seen.warnings);
        assert!(bills(&db).await.is_empty());

        let published = publish(&app, &school, &round).await.unwrap();
        assert_eq!(
            (seen.bills, seen.total_due),
            (published.bills, published.total_due)
        );
        assert_eq!(published.bills, 3);
        // An 631,800 + 2 × 100,000; Bình only exempt tuition; Chi nine months.
        assert_eq!(published.total_due, Vnd::new(831_800 + 473_850));
        assert_eq!(seen.nothing_due, 1);
        let turn = Some(day("2026-07-01"));
        let expected = [
            (
                "p1",
                "Nguyễn Thị Hoa",
                "6A1",
                "OPEN",
                540_000 + 1_263_600 + 200_000,
                831_800,
                turn,
            ),
            ("p2", "Bình", "6A1", "NOTHING_DUE", 540_000, 0, None),
            ("p3", "Chi", "9A", "OPEN", 540_000 + 947_700, 473_850, turn),
        ]
        .map(|(pupil, payer, class, state, gross, due, until)| Bill {
            pupil_id: pupil.into(),
            payer_name: payer.into(),
            class_name: class.into(),
            state: state.into(),
            gross,
            amount_due: due,
            priced_until: until,
        });
        assert_eq!(bills(&db).await, expected);
        sums_hold(&db).await;

        let again = publish(&app, &school, &round).await.unwrap();
        assert_eq!(
            (again.bills, again.total_due, again.before),
            (3, published.total_due, true)
        );
        assert_eq!(bills(&db).await, expected);
    }
}

/// Every bill is the sum of its lines, every code is a code, no code or token is there twice.
async fn sums_hold(db: &Db) {
    let (wrong,): (i64,) = db
        .sql(
            "SELECT COUNT(*) FROM fee_bill AS b
              WHERE b.gross <> (SELECT CAST(SUM(l.gross) AS BIGINT) FROM bill_line AS l
                                 WHERE l.school_id = b.school_id AND l.bill_id = b.bill_id)
                 OR b.amount_due <> (SELECT CAST(SUM(l.amount_due) AS BIGINT) FROM bill_line AS l
                                      WHERE l.school_id = b.school_id AND l.bill_id = b.bill_id)",
        )
        .one()
        .await
        .unwrap();
    assert_eq!(wrong, 0);
    let codes: Vec<(String,)> = db
        .sql("SELECT bill_code FROM fee_bill")
        .all()
        .await
        .unwrap();
    assert!(codes.iter().all(|(code,)| BillCode::parse(code).is_ok()));
}

#[tokio::test]
async fn a_missing_price_is_named_and_nothing_is_written() {
    for (db, _keep) in fresh_databases().await {
        school(&db).await;
        let app = app(&db, "2026-06-25");
        let school = SchoolId::new(SCHOOL);
        db.write("test.choice", async |tx: &mut Tx| {
            tx.sql(
                "INSERT INTO pupil_choice (school_id, pupil_id, item_id, quantity, valid_from)
                 VALUES ('s1', 'p3', 'i-BT', '1', $1)",
            )
            .bind(day("2026-01-01"))
            .run()
            .await
        })
        .await
        .unwrap();
        let round = round(&app, "Đợt 1", &[("BT", 1), ("HP", 1)]).await.unwrap();
        let problems = preview(&app, &school, &round).await.unwrap().problems;
        let refused = publish(&app, &school, &round).await.unwrap_err();
        assert_eq!(refused.code(), "NO_PRICE");
        assert_eq!(
            refused.to_string(),
            "Khoản BT chưa có đơn giá cho khối 9 vào ngày 20/06/2026."
        );
        assert_eq!(problems[0].to_string(), refused.to_string());
        assert!(bills(&db).await.is_empty());
    }
}

#[tokio::test]
async fn a_round_that_cannot_be_meant_is_refused() {
    for (db, _keep) in fresh_databases().await {
        school(&db).await;
        let app = app(&db, "2026-06-25");
        let code = |outcome: Result<RoundId, FeeError>| outcome.map_err(|error| error.code());
        round(&app, "Đợt 1", &[("HP", 1)]).await.unwrap();
        for (name, items, expected) in [
            ("Đợt 1", &[("HP", 1)][..], "NAME_TAKEN"),
            ("Đợt 2", &[("NO", 1)][..], "ITEM_UNKNOWN"),
            ("Đợt 2", &[][..], "NO_ITEMS"),
            ("Đợt 2", &[("HP", 0)][..], "QUANTITY_INVALID"),
            ("Đợt 2", &[("HP", 1), ("HP", 2)][..], "ITEM_TWICE"),
        ] {
            assert_eq!(code(round(&app, name, items).await), Err(expected));
        }
        let unknown = publish(&app, &SchoolId::new(SCHOOL), &RoundId::new("none")).await;
        assert_eq!(unknown.unwrap_err().code(), "ROUND_UNKNOWN");
    }
}

#[tokio::test]
async fn insurance_unpaid_on_the_first_of_july_costs_the_new_level() {
    for (db, _keep) in fresh_databases().await {
        school(&db).await;
        let app = app(&db, "2026-06-25");
        let school = SchoolId::new(SCHOOL);
        let round = round(&app, "BHYT", &[("BHYT", 6)]).await.unwrap();
        publish(&app, &school, &round).await.unwrap();
        assert_eq!(bills(&db).await[0].amount_due, 315_900);
        let found: Vec<(BillId,)> = db
            .sql("SELECT bill_id FROM fee_bill ORDER BY pupil_id")
            .all()
            .await
            .unwrap();
        let all: Vec<(SchoolId, BillId)> = found
            .into_iter()
            .map(|(bill,)| (school.clone(), bill))
            .collect();
        // Chi has paid half.
        let (_, half_paid) = all[1].clone();
        db.write("test.pay", async move |tx: &mut Tx| {
            tx.sql("UPDATE bill_line SET amount_paid = 150000 WHERE bill_id = $1")
                .bind(half_paid.clone())
                .run()
                .await?;
            tx.sql("UPDATE fee_bill SET amount_paid = 150000, state = 'PARTIAL' WHERE bill_id = $1")
                .bind(half_paid.clone())
                .run()
                .await
        })
        .await
        .unwrap();

        let on = async |on_day: &str| {
            let (all, on_day) = (all.clone(), day(on_day));
            db.write("test.reprice", async move |tx: &mut Tx| {
                reprice(tx, &all, on_day).await
            })
            .await
            .unwrap()
            .len()
        };
        assert_eq!(on("2026-06-30").await, 0);
        assert_eq!(on("2026-07-01").await, 2);
        assert_eq!(on("2026-07-02").await, 0);
        for bill in bills(&db).await {
            assert_eq!((bill.gross, bill.amount_due), (683_100, 341_550));
            assert_eq!(bill.priced_until, None);
        }
        sums_hold(&db).await;
        let (paid, state, at): (i64, String, Option<Instant>) = db
            .sql("SELECT amount_paid, state, settled_at FROM fee_bill WHERE pupil_id = 'p3'")
            .one()
            .await
            .unwrap();
        assert_eq!((paid, state.as_str(), at), (150_000, "PARTIAL", None));
    }
}

#[tokio::test]
async fn a_code_in_use_is_drawn_again() {
    for (db, _keep) in fresh_databases().await {
        school(&db).await;
        let app = self::app(&db, "2026-06-25");
        let school = SchoolId::new(SCHOOL);
        let first = round(&app, "Đợt 1", &[("HP", 1)]).await.unwrap();
        publish(&app, &school, &first).await.unwrap();
        // The same seed a day later draws the same codes and tokens for other bills.
        let later = self::app(&db, "2026-06-26");
        let second = round(&later, "Đợt 2", &[("HP", 1)]).await.unwrap();
        let taken: Vec<(String,)> = db
            .sql("SELECT bill_code FROM fee_bill")
            .all()
            .await
            .unwrap();
        publish(&later, &school, &second).await.unwrap();
        assert_eq!(bills(&db).await.len(), 6);
        assert_eq!(taken.len(), 3);
        sums_hold(&db).await;
    }
}

#[tokio::test]
async fn of_two_who_publish_at_once_one_writes() {
    for (db, _keep) in fresh_databases().await {
        school(&db).await;
        let app = app(&db, "2026-06-25");
        let school = SchoolId::new(SCHOOL);
        let round = round(&app, "Đợt 1", &[("HP", 1)]).await.unwrap();
        let (one, other) = tokio::join!(
            publish(&app, &school, &round),
            publish(&app, &school, &round)
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one.before, other.before);
        assert_eq!((one.bills, one.total_due), (other.bills, other.total_due));
        assert_eq!(bills(&db).await.len(), 3);
    }
}
