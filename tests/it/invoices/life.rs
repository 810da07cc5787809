//! After issue: corrections, mended refusals and the turn of the year, on both engines.

use std::collections::BTreeSet;

use hocphi::App;
use hocphi::clock::{Day, Instant};
use hocphi::ids::{InvoiceId, SchoolId};
use hocphi::invoices::document::{Correction, CorrectionReason, VatRate};
use hocphi::invoices::life::content::Content;
use hocphi::invoices::life::rules::Refusal;
use hocphi::invoices::life::service::{After, Ask, LifeError, correct, mend, show};
use hocphi::invoices::service::{KeyRing, install_key, issue, sign_numbered};
use hocphi::invoices::verify::{Trust, verify};
use hocphi::money::Vnd;
use hocphi::store::{Db, Tx};

use super::books::{app_on, payment, schools};
use super::samples::key;
use crate::engines::fresh_databases;

pub(super) fn day(of_month: u8) -> Day {
    Day::new(2026, 11, of_month).unwrap()
}

/// The authority takes everything that is signed.
pub(super) async fn code_all(app: &App) {
    let now = app.clock.now();
    app.db
        .write("test.code", async move |tx: &mut Tx| {
            tx.sql("DELETE FROM job WHERE kind = 'invoice.send'").run().await?;
            tx.sql(
                "UPDATE invoice SET state = 'CODED', coded_xml = xml, authority_code = '00', coded_at = $1
                  WHERE state = 'SIGNED'",
            )
            .bind(now)
            .run()
            .await
        })
        .await
        .unwrap();
}

/// Signs what waits for it, as the job `invoice.sign` does.
pub(super) async fn sign_all(app: &App, keys: &KeyRing) {
    let waiting: Vec<(SchoolId, InvoiceId)> = app
        .db
        .sql("SELECT school_id, subject FROM job WHERE kind = 'invoice.sign'")
        .all()
        .await
        .unwrap();
    for outcome in sign_numbered(app, keys, &waiting).await.unwrap() {
        outcome.unwrap();
    }
    app.db
        .write("test.signed", async move |tx: &mut Tx| {
            tx.sql("DELETE FROM job WHERE kind = 'invoice.sign'")
                .run()
                .await
        })
        .await
        .unwrap();
}

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Row {
    pub number: i64,
    symbol: String,
    pub kind: String,
    state: String,
    pub total: i64,
}

pub(super) async fn rows(db: &Db) -> Vec<Row> {
    db.sql("SELECT number, symbol, kind, state, total FROM invoice ORDER BY symbol, number")
        .all()
        .await
        .unwrap()
}

pub(super) async fn files(db: &Db) -> Vec<String> {
    let found: Vec<(String,)> = db
        .sql("SELECT xml FROM invoice WHERE xml IS NOT NULL ORDER BY symbol, number")
        .all()
        .await
        .unwrap();
    found.into_iter().map(|(file,)| file).collect()
}

pub(super) async fn all_verify(db: &Db) {
    for file in files(db).await {
        let report = verify(file.as_bytes(), Trust::default());
        assert!(report.valid, "{:#?}\n{file}", report.findings);
    }
}

pub(super) async fn sound(db: &Db) {
    let findings = hocphi::invoices::check::run(db).await.unwrap();
    assert_eq!(findings, []);
}

/// One issued and coded invoice of tuition, uniform and insurance.
async fn issued(db: Db) -> (App, KeyRing, SchoolId, InvoiceId) {
    let app = app_on(db);
    schools(&app, "INVOICE_ALL").await;
    let school = SchoolId::new("s1");
    install_key(&app, &school, &key(), &[]).await.unwrap();
    let keys = KeyRing::default();
    let paid = payment(&app, "s1", "p1", day(23)).await;
    issue(&app, &keys, &[paid])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    code_all(&app).await;
    let (invoice,): (InvoiceId,) = app
        .db
        .sql("SELECT invoice_id FROM invoice")
        .one()
        .await
        .unwrap();
    (app, keys, school, invoice)
}

pub(super) async fn content(app: &App, school: &SchoolId, invoice: &InvoiceId) -> Content {
    show(&app.db, school, invoice)
        .await
        .unwrap()
        .unwrap()
        .content
}

fn ask(target: &InvoiceId, method: Correction, after: Content, form: &str) -> Ask {
    Ask {
        target: target.clone(),
        method,
        reason: CorrectionReason::WronglyMade,
        after: After::Said(after),
        why: "ghi sai".into(),
        agreement: None,
        cause: form.into(),
        by: "kt".into(),
    }
}

#[tokio::test]
async fn an_invoice_is_adjusted_by_differences_and_stays_bound_to_that() {
    for (db, _keep) in fresh_databases().await {
        let (app, keys, school, original) = issued(db).await;
        // The uniform was taken at 8 % and is not subject.
        let mut after = content(&app, &school, &original).await;
        after.lines[1].rate = VatRate::NotSubject;
        after.buyer.name = Some("Trần Thị Đúng".into());
        let asked = ask(&original, Correction::Adjusting, after.clone(), "f1");
        let first = correct(&app, &keys, &school, asked.clone()).await.unwrap();
        let again = correct(&app, &keys, &school, asked).await.unwrap();
        assert_eq!(first, again);
        sound(&app.db).await;
        sign_all(&app, &keys).await;
        let second = files(&app.db).await.remove(1);
        for said in [
            "<TCHDon>2</TCHDon>",
            "<ThTien>-559260</ThTien><TSuat>8%</TSuat>",
            "<ThTien>604001</ThTien><TSuat>KCT</TSuat>",
            "<HVTNMHang>Trần Thị Đúng</HVTNMHang>",
            "Điều chỉnh cho hóa đơn Mẫu số 1 ký hiệu C26TAA số 1 ngày 23 tháng 11 năm 2026",
            "<TgTTTBSo>0</TgTTTBSo>",
        ] {
            assert!(second.contains(said), "{said}\n{second}");
        }
        code_all(&app).await;
        // Wrong once more: the same way, and what is different is different from what stands now.
        let mut less = content(&app, &school, &original).await;
        assert_eq!(less, after);
        less.lines[0].amount = Vnd::new(3_000_000);
        let other_way = ask(&original, Correction::Replacing, less.clone(), "f2");
        assert!(matches!(
            correct(&app, &keys, &school, other_way).await,
            Err(LifeError::Refused(Refusal::BoundTo(Correction::Adjusting)))
        ));
        let same_way = ask(&original, Correction::Adjusting, less.clone(), "f3");
        correct(&app, &keys, &school, same_way).await.unwrap();
        let unchanged = ask(&original, Correction::Adjusting, less, "f4");
        assert!(matches!(
            correct(&app, &keys, &school, unchanged).await,
            Err(LifeError::Refused(Refusal::NothingChanges))
        ));
        sign_all(&app, &keys).await;
        let found = rows(&app.db).await;
        let figures: Vec<_> = found.iter().map(|row| (row.number, row.total)).collect();
        assert_eq!(figures, [(1, 4_487_101), (2, 0), (3, -200_000)]);
        all_verify(&app.db).await;
        sound(&app.db).await;
    }
}

#[tokio::test]
async fn a_replacement_says_everything_and_is_itself_replaced() {
    for (db, _keep) in fresh_databases().await {
        let (app, keys, school, original) = issued(db).await;
        let mut after = content(&app, &school, &original).await;
        after.buyer.organisation = Some("Công ty TNHH Ví Dụ".into());
        after.buyer.tax_code = Some("0100109106".into());
        let asked = ask(&original, Correction::Replacing, after.clone(), "f1");
        let first = correct(&app, &keys, &school, asked).await.unwrap();
        // Not before the authority has taken it.
        let mut wrong_again = after.clone();
        wrong_again.lines[0].name = "Học phí tháng 10".into();
        let too_early = ask(&first, Correction::Replacing, wrong_again.clone(), "f2");
        assert!(matches!(
            correct(&app, &keys, &school, too_early).await,
            Err(LifeError::Refused(Refusal::Pending))
        ));
        sign_all(&app, &keys).await;
        code_all(&app).await;
        for target in [&original, &first] {
            let bad = ask(target, Correction::Adjusting, wrong_again.clone(), "f3");
            assert!(matches!(
                correct(&app, &keys, &school, bad).await,
                Err(LifeError::Refused(
                    Refusal::Replaced | Refusal::BoundTo(Correction::Replacing)
                ))
            ));
        }
        let second = ask(&first, Correction::Replacing, wrong_again, "f4");
        // The buyer is an organisation now: it has to agree.
        assert!(matches!(
            correct(&app, &keys, &school, second.clone()).await,
            Err(LifeError::Refused(Refusal::NoAgreement))
        ));
        let agreed = Ask {
            agreement: Some("Biên bản 01/BB".into()),
            ..second
        };
        correct(&app, &keys, &school, agreed).await.unwrap();
        sign_all(&app, &keys).await;
        let third = files(&app.db).await.remove(2);
        assert!(third.contains("<TCHDon>1</TCHDon>") && third.contains("<SHDCLQuan>2</SHDCLQuan>"));
        assert!(third.contains("Học phí tháng 10") && third.contains("<SLuong>1</SLuong>"));
        assert!(third.contains("<MST>0100109106</MST>"));
        assert!(rows(&app.db).await.iter().all(|row| row.total == 4_487_101));
        all_verify(&app.db).await;
        sound(&app.db).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_corrections_at_once_all_use_the_method_of_the_first() {
    for (db, _keep) in fresh_databases().await {
        let (app, keys, school, original) = issued(db).await;
        let before = content(&app, &school, &original).await;
        let mut racing = tokio::task::JoinSet::new();
        for turn in 0..8 {
            let (app, keys, school) = (app.clone(), keys.clone(), school.clone());
            let (original, mut after) = (original.clone(), before.clone());
            after.lines[0].amount = Vnd::new(3_000_000 + turn % 4);
            let method = [Correction::Adjusting, Correction::Replacing][usize::from(turn % 2 == 0)];
            racing.spawn(async move {
                let asked = ask(&original, method, after, &format!("f{}", turn % 4));
                correct(&app, &keys, &school, asked).await
            });
        }
        let made: BTreeSet<InvoiceId> = racing
            .join_all()
            .await
            .into_iter()
            .filter_map(Result::ok)
            .collect();
        let found = rows(&app.db).await;
        assert_eq!(found.len(), 1 + made.len());
        let kinds: BTreeSet<&str> = found[1..].iter().map(|row| row.kind.as_str()).collect();
        assert_eq!(kinds.len(), 1, "{found:?}");
        let numbers: Vec<i64> = found.iter().map(|row| row.number).collect();
        assert_eq!(
            numbers,
            (1..=i64::try_from(found.len()).unwrap()).collect::<Vec<_>>()
        );
        sound(&app.db).await;
    }
}

#[tokio::test]
async fn a_refused_invoice_keeps_its_number_and_is_sent_again_mended() {
    for (db, _keep) in fresh_databases().await {
        let (app, keys, school, original) = issued(db).await;
        let text = "UPDATE invoice SET state = 'REFUSED', refusal = '3001: sai', coded_xml = NULL, authority_code = NULL, coded_at = NULL";
        app.db
            .write("test.refuse", async move |tx: &mut Tx| {
                tx.sql(text).run().await
            })
            .await
            .unwrap();
        let mut after = content(&app, &school, &original).await;
        let correction = ask(&original, Correction::Replacing, after.clone(), "f1");
        assert!(matches!(
            correct(&app, &keys, &school, correction).await,
            Err(LifeError::Refused(Refusal::NotAccepted(_)))
        ));
        after.buyer.name = Some("Trần Thị Đúng".into());
        mend(&app, &school, &original, after.clone(), "sai tên")
            .await
            .unwrap();
        sound(&app.db).await;
        assert!(matches!(
            mend(&app, &school, &original, after, "sai tên").await,
            Err(LifeError::Refused(Refusal::NotRefused(_)))
        ));
        sign_all(&app, &keys).await;
        let found = rows(&app.db).await;
        assert_eq!(
            (found.len(), found[0].number, found[0].state.as_str()),
            (1, 1, "SIGNED")
        );
        assert!(files(&app.db).await[0].contains("Trần Thị Đúng"));
        all_verify(&app.db).await;
    }
}

#[tokio::test]
async fn symbols_roll_over_at_the_turn_of_the_year_by_themselves() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        let school = SchoolId::new("s1");
        install_key(&app, &school, &key(), &[]).await.unwrap();
        let keys = KeyRing::default();
        let at = |text| Instant::parse_local_iso(text).unwrap();
        let last = Day::new(2026, 12, 31).unwrap();
        let first = Day::new(2027, 1, 1).unwrap();
        app.clock.set(at("2026-12-31T23:58:00"));
        let before = payment(&app, "s1", "p1", last).await;
        issue(&app, &keys, &[before])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        // Collected in the old year and issued in the new one; then the first of the new year.
        app.clock.set(at("2027-01-01T00:01:00"));
        for (name, paid) in [("p2", last), ("p3", first), ("p4", first)] {
            let paid = payment(&app, "s1", name, paid).await;
            issue(&app, &keys, &[paid])
                .await
                .unwrap()
                .remove(0)
                .unwrap();
        }
        code_all(&app).await;
        let (old,): (InvoiceId,) = app
            .db
            .sql("SELECT invoice_id FROM invoice WHERE symbol = 'C26TAA' AND number = 1")
            .one()
            .await
            .unwrap();
        // A correction of an invoice of the old year takes a number of the new one.
        let mut after = content(&app, &school, &old).await;
        after.lines[0].amount = Vnd::new(3_000_000);
        correct(
            &app,
            &keys,
            &school,
            ask(&old, Correction::Adjusting, after, "f"),
        )
        .await
        .unwrap();
        sign_all(&app, &keys).await;
        let found: Vec<(String, i64, Day)> = app
            .db
            .sql("SELECT symbol, number, issue_day FROM invoice ORDER BY symbol, number")
            .all()
            .await
            .unwrap();
        let of = |symbol: &str, number, day| (symbol.to_owned(), number, day);
        assert_eq!(
            found,
            [
                of("C26TAA", 1, last),
                of("C26TAA", 2, last),
                of("C27TAA", 1, first),
                of("C27TAA", 2, first),
                of("C27TAA", 3, first),
            ]
        );
        all_verify(&app.db).await;
        sound(&app.db).await;
    }
}
