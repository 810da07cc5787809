//! After issue: corrections, refunds, further invoices and mended refusals, on both engines.

use std::collections::BTreeSet;

use hocphi::App;
use hocphi::clock::{Clock, Day, Instant};
use hocphi::ids::{BillId, Ids, InvoiceId, MoveId, PaymentId, PupilId, RefundId, SchoolId};
use hocphi::invoices::document::{Correction, CorrectionReason, VatRate};
use hocphi::invoices::life::content::Content;
use hocphi::invoices::life::movements::{Documented, allocated, refunded};
use hocphi::invoices::life::rules::Refusal;
use hocphi::invoices::life::service::{After, Ask, LifeError, correct, mend, show};
use hocphi::invoices::service::{KeyRing, install_key, issue, sign_numbered};
use hocphi::invoices::verify::{Trust, verify};
use hocphi::money::Vnd;
use hocphi::payments::moves::service::{Asked, undo_payment, use_credit};
use hocphi::refunds::rules::{Charge, DocumentState, State, Step, Way};
use hocphi::refunds::service::{From, NewRefund, Report, advance, request};
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, Tx};

use super::books::{app_on, payment, schools};
use super::samples::key;
use crate::engines::fresh_databases;
use crate::support::{Books, NOW};

fn day(of_month: u8) -> Day {
    Day::new(2026, 11, of_month).unwrap()
}

/// The authority takes everything that is signed.
async fn code_all(app: &App) {
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
async fn sign_all(app: &App, keys: &KeyRing) {
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
struct Row {
    number: i64,
    symbol: String,
    kind: String,
    state: String,
    total: i64,
}

async fn rows(db: &Db) -> Vec<Row> {
    db.sql("SELECT number, symbol, kind, state, total FROM invoice ORDER BY symbol, number")
        .all()
        .await
        .unwrap()
}

async fn files(db: &Db) -> Vec<String> {
    let found: Vec<(String,)> = db
        .sql("SELECT xml FROM invoice WHERE xml IS NOT NULL ORDER BY symbol, number")
        .all()
        .await
        .unwrap();
    found.into_iter().map(|(file,)| file).collect()
}

async fn all_verify(db: &Db) {
    for file in files(db).await {
        let report = verify(file.as_bytes(), Trust::default());
        assert!(report.valid, "{:#?}\n{file}", report.findings);
    }
}

async fn sound(db: &Db) {
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

async fn content(app: &App, school: &SchoolId, invoice: &InvoiceId) -> Content {
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

// ---- money that moved ---------------------------------------------------------------------------

/// The ledger's test school, able to issue invoices.
async fn issuing(books: &Books) -> (App, KeyRing, SchoolId) {
    let school = SchoolId::new("a");
    let seal = SealingKey::from_bytes([1; 32]);
    let app = App::tool(
        books.db.clone(),
        Clock::settable(NOW),
        Ids::from_system(),
        seal,
    )
    .unwrap();
    app.db
        .write("test.invoicing", async move |tx: &mut Tx| {
            let first = Day::new(2026, 1, 1).unwrap();
            for (key, value) in [
                ("vat_method", "DEDUCTION"),
                ("invoice_policy", "INVOICE_ALL"),
                ("invoice_format", "2.1.1"),
                ("invoice_coding", "C"),
                ("invoice_symbol_letters", "TAA"),
                ("solution_provider_tax_code", "0100109106"),
            ] {
                tx.sql(
                    "INSERT INTO parameter (key, scope, valid_from, value, source, status)
                     VALUES ($1, 'VN', $2, $3, 'test', 'ILLUSTRATIVE')",
                )
                .bind(key)
                .bind(first)
                .bind(value)
                .run()
                .await?;
            }
            Ok::<_, hocphi::store::StoreError>(())
        })
        .await
        .unwrap();
    install_key(&app, &school, &key(), &[]).await.unwrap();
    (app, KeyRing::default(), school)
}

/// Runs `invoice.issue` of every payment that waits for it.
async fn issue_all(app: &App, keys: &KeyRing) {
    let waiting: Vec<(SchoolId, PaymentId)> = app
        .db
        .sql("SELECT school_id, subject FROM job WHERE kind = 'invoice.issue'")
        .all()
        .await
        .unwrap();
    for outcome in issue(app, keys, &waiting).await.unwrap() {
        outcome.unwrap();
    }
    done(app, "invoice.issue").await;
}

async fn done(app: &App, kind: &'static str) {
    app.db
        .write("test.done", async move |tx: &mut Tx| {
            tx.sql("DELETE FROM job WHERE kind = $1")
                .bind(kind)
                .run()
                .await
        })
        .await
        .unwrap();
}

async fn subject(app: &App, kind: &'static str) -> MoveId {
    let (of,): (MoveId,) = app
        .db
        .sql("SELECT subject FROM job WHERE kind = $1")
        .bind(kind)
        .one()
        .await
        .unwrap();
    of
}

/// A refund of a bill line, paid out in cash.
async fn paid_back(app: &App, school: &SchoolId, amount: i64, charge: Charge) -> RefundId {
    let new = NewRefund {
        from: From::BillLine(BillId::new("B1"), 1),
        amount: Vnd::new(amount),
        way: Way::Cash,
        charge,
        payee: "Nguyễn Văn Tư".into(),
        payee_account: None,
        reason: "thôi học".into(),
        request: format!("r{amount}"),
        by: "kt".into(),
    };
    let refund = request(app, school, new).await.unwrap();
    let report = Report {
        step: Step::Paid,
        reference: Some(format!("PC{amount}")),
        detail: String::new(),
        by: "kt".into(),
    };
    assert_eq!(
        advance(app, school, &refund, report).await.unwrap(),
        State::Done
    );
    refund
}

async fn document_of(
    app: &App,
    school: &SchoolId,
    refund: &RefundId,
) -> (DocumentState, Option<String>) {
    let found = hocphi::refunds::store::refund(&app.db, school, refund)
        .await
        .unwrap()
        .unwrap();
    (found.document, found.document_note)
}

#[tokio::test]
async fn a_refund_ends_with_a_negative_invoice_however_often_each_step_runs() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let (app, keys, school) = issuing(&books).await;
        books
            .bill(
                "a",
                "B1",
                "p1",
                1,
                &[("TUITION", 2, 1_000), ("SERVICE", 3, 500)],
            )
            .await;
        books.post(books.credit("a", "t1", 1_500, &["B1"])).await;
        let refund = paid_back(&app, &school, 400, Charge::Falls).await;
        let of = subject(&app, "invoice.refunded").await;
        let step = async || refunded(&app, &keys, &school, &of).await.unwrap();
        // The invoice itself is still to be made, then to be taken by the authority.
        assert_eq!(step().await, Documented::NotYet);
        issue_all(&app, &keys).await;
        assert_eq!(step().await, Documented::NotYet);
        assert_eq!(rows(&app.db).await.len(), 1);
        code_all(&app).await;
        for _ in 0..3 {
            assert_eq!(step().await, Documented::NotYet);
        }
        sign_all(&app, &keys).await;
        assert_eq!(step().await, Documented::NotYet);
        assert_eq!(
            document_of(&app, &school, &refund).await,
            (DocumentState::Waiting, None)
        );
        sound(&app.db).await;

        // The authority refuses the adjustment; a person mends it.
        let text = "UPDATE invoice SET state = 'REFUSED', refusal = 'sai' WHERE kind = 'ADJUSTING'";
        app.db
            .write("test.refuse", async move |tx: &mut Tx| {
                tx.sql(text).run().await
            })
            .await
            .unwrap();
        done(&app, "invoice.send").await;
        assert!(matches!(step().await, Documented::Stuck(_)));
        assert_eq!(
            document_of(&app, &school, &refund).await.0,
            DocumentState::Failed
        );
        let (adjusting,): (InvoiceId,) = app
            .db
            .sql("SELECT invoice_id FROM invoice WHERE kind = 'ADJUSTING'")
            .one()
            .await
            .unwrap();
        let mut after = content(&app, &school, &adjusting).await;
        after.buyer.name = Some("Nguyễn Thị Đúng".into());
        mend(&app, &school, &adjusting, after, "sai tên")
            .await
            .unwrap();
        sign_all(&app, &keys).await;
        code_all(&app).await;

        for _ in 0..2 {
            assert_eq!(step().await, Documented::Done("1C26TAA-2".into()));
        }
        assert_eq!(
            document_of(&app, &school, &refund).await,
            (DocumentState::Done, Some("1C26TAA-2".into()))
        );
        done(&app, "invoice.refunded").await;
        let found = rows(&app.db).await;
        assert_eq!(
            (found[1].kind.as_str(), found[1].total),
            ("ADJUSTING", -400)
        );
        let file = files(&app.db).await.remove(1);
        assert!(file.contains("<LDDCTThe>08</LDDCTThe>") && file.contains("<TgTTTBSo>-400<"));
        all_verify(&app.db).await;
        sound(&app.db).await;
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn money_taken_back_is_adjusted_and_what_was_never_documented_wants_nothing() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let (app, keys, school) = issuing(&books).await;
        books
            .bill("a", "B1", "p1", 1, &[("TUITION", 2, 1_000)])
            .await;
        books.post(books.credit("a", "t1", 1_000, &["B1"])).await;
        issue_all(&app, &keys).await;
        code_all(&app).await;
        let (paid,): (PaymentId,) = app
            .db
            .sql("SELECT payment_id FROM payment")
            .one()
            .await
            .unwrap();
        let asked = |request: &str| Asked {
            request: request.into(),
            by: "kt".into(),
            reason: "ngân hàng đòi lại".into(),
        };
        undo_payment(&app, &school, &paid, None, false, asked("u1"))
            .await
            .unwrap();
        let of = subject(&app, "invoice.refunded").await;
        assert_eq!(
            refunded(&app, &keys, &school, &of).await.unwrap(),
            Documented::NotYet
        );
        sign_all(&app, &keys).await;
        code_all(&app).await;
        assert_eq!(
            refunded(&app, &keys, &school, &of).await.unwrap(),
            Documented::Done("1C26TAA-2".into())
        );
        done(&app, "invoice.refunded").await;
        let found = rows(&app.db).await;
        assert_eq!(found.iter().map(|row| row.total).sum::<i64>(), 0);
        assert!(files(&app.db).await[1].contains("<LDDCTThe>13<"));

        // Taken back before anything was documented.
        books.bill("a", "B2", "p2", 1, &[("TUITION", 2, 700)]).await;
        books.post(books.credit("a", "t2", 700, &["B2"])).await;
        let (second,): (PaymentId,) = app
            .db
            .sql("SELECT payment_id FROM payment WHERE transaction_id = 't2'")
            .one()
            .await
            .unwrap();
        undo_payment(&app, &school, &second, None, false, asked("u2"))
            .await
            .unwrap();
        issue_all(&app, &keys).await;
        let of = subject(&app, "invoice.refunded").await;
        assert!(matches!(
            refunded(&app, &keys, &school, &of).await.unwrap(),
            Documented::Done(_)
        ));
        done(&app, "invoice.refunded").await;
        assert_eq!(rows(&app.db).await.len(), 2);
        sound(&app.db).await;
        books.must_be_sound().await;
    }
}

#[tokio::test]
async fn credit_that_settles_another_bill_gets_an_invoice_of_its_own_once() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let (app, keys, school) = issuing(&books).await;
        books
            .bill("a", "B1", "p1", 1, &[("TUITION", 2, 1_000)])
            .await;
        books.post(books.credit("a", "t1", 1_300, &["B1"])).await;
        books.bill("a", "B2", "p1", 2, &[("TUITION", 2, 900)]).await;
        let asked = Asked {
            request: "c1".into(),
            by: "kt".into(),
            reason: "dùng ghi có".into(),
        };
        use_credit(&app, &school, &BillId::new("B2"), None, asked)
            .await
            .unwrap();
        let of = subject(&app, "invoice.allocated").await;
        let moves = [(school.clone(), of)];
        let step = async || {
            allocated(&app, &keys, &moves)
                .await
                .unwrap()
                .remove(0)
                .unwrap()
        };
        assert!(!step().await, "the payment's own invoice comes first");
        assert_eq!(rows(&app.db).await.len(), 0);
        // Its own invoice documents all there is, so nothing is left for a second one.
        issue_all(&app, &keys).await;
        assert!(step().await);
        assert_eq!(rows(&app.db).await.len(), 1);
        done(&app, "invoice.allocated").await;

        // Credit used after the invoice.
        books.post(books.credit("a", "t2", 800, &["B2"])).await;
        issue_all(&app, &keys).await;
        code_all(&app).await;
        books.bill("a", "B3", "p1", 3, &[("TUITION", 2, 900)]).await;
        let asked = Asked {
            request: "c2".into(),
            by: "kt".into(),
            reason: "dùng ghi có".into(),
        };
        let used = use_credit(&app, &school, &BillId::new("B3"), None, asked)
            .await
            .unwrap();
        assert_eq!(used.amount, Vnd::new(200));
        let of = subject(&app, "invoice.allocated").await;
        let moves = [(school.clone(), of.clone())];
        for _ in 0..3 {
            assert!(
                allocated(&app, &keys, &moves)
                    .await
                    .unwrap()
                    .remove(0)
                    .unwrap()
            );
        }
        done(&app, "invoice.allocated").await;
        let found = rows(&app.db).await;
        let totals: Vec<i64> = found.iter().map(|row| row.total).collect();
        assert_eq!(totals, [1_300, 600, 200]);
        all_verify(&app.db).await;
        sound(&app.db).await;
        let pupil: PupilId = PupilId::new("p1");
        let (credit,): (i64,) = app
            .db
            .sql("SELECT amount FROM pupil_credit WHERE pupil_id = $1")
            .bind(pupil)
            .one()
            .await
            .unwrap();
        assert_eq!(credit, 0);
    }
}

// ---- the turn of the year -----------------------------------------------------------------------

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
