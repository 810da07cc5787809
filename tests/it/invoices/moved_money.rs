//! Documents of money that moved after its invoice: refunds, reversals, credit that settles another bill.

use hocphi::App;
use hocphi::clock::{Clock, Day};
use hocphi::ids::{BillId, Ids, InvoiceId, MoveId, PaymentId, PupilId, RefundId, SchoolId};
use hocphi::invoices::life::movements::{Documented, allocated, refunded};
use hocphi::invoices::life::service::mend;
use hocphi::invoices::service::{KeyRing, install_key, issue};
use hocphi::money::Vnd;
use hocphi::payments::moves::service::{Asked, undo_payment, use_credit};
use hocphi::refunds::rules::{Charge, DocumentState, State, Step, Way};
use hocphi::refunds::service::{From, NewRefund, Report, advance, request};
use hocphi::sealing::SealingKey;
use hocphi::store::Tx;

use super::life::{all_verify, code_all, content, files, rows, sign_all, sound};
use super::samples::key;
use crate::engines::fresh_databases;
use crate::support::{Books, NOW, TestLine};

/// The ledger's test school, able to issue invoices.
pub(super) async fn issuing(books: &Books) -> (App, KeyRing, SchoolId) {
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
pub(super) async fn issue_all(app: &App, keys: &KeyRing) {
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

/// Money of the first bill line on its way back, in cash.
async fn asked_back(
    app: &App,
    school: &SchoolId,
    amount: i64,
    charge: Charge,
    form: String,
) -> RefundId {
    let new = NewRefund {
        from: From::BillLine(BillId::new("B1"), 1),
        amount: Vnd::new(amount),
        way: Way::Cash,
        charge,
        payee: "Nguyễn Văn Tư".into(),
        payee_account: None,
        reason: "thôi học".into(),
        request: form,
        by: "kt".into(),
    };
    request(app, school, new).await.unwrap()
}

/// A refund of a bill line, paid out in cash.
async fn paid_back(app: &App, school: &SchoolId, amount: i64, charge: Charge) -> RefundId {
    let refund = asked_back(app, school, amount, charge, format!("r{amount}")).await;
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

/// A bill of these lines, and a transfer for it.
async fn paid(books: &Books, lines: &[TestLine], amount: i64) {
    books.bill("a", "B1", "p1", 1, lines).await;
    books.post(books.credit("a", "t1", amount, &["B1"])).await;
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
        paid(&books, &[("TUITION", 2, 1_000), ("SERVICE", 3, 500)], 1_500).await;
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
        paid(&books, &[("TUITION", 2, 1_000)], 1_000).await;
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
        paid(&books, &[("TUITION", 2, 1_000)], 1_300).await;
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

#[tokio::test]
async fn what_a_refund_that_failed_brings_back_is_documented_once() {
    for (db, _keep) in fresh_databases().await {
        let books = Books::open(db).await;
        let (app, keys, school) = issuing(&books).await;
        paid(&books, &[("TUITION", 2, 1_000), ("MEALS", 3, 400)], 1_500).await;
        let ask = async |form: &str| {
            asked_back(&app, &school, 1_000, Charge::Stays, form.to_owned()).await
        };
        let give_up = async |refund: &RefundId| {
            let report = Report {
                step: Step::Fail,
                reference: None,
                detail: "tài khoản sai".into(),
                by: "kt".into(),
            };
            let state = advance(&app, &school, refund, report).await.unwrap();
            assert_eq!(state, State::Failed);
        };
        let tell = async || {
            let of = subject(&app, "invoice.allocated").await;
            let moves = [(school.clone(), of)];
            for _ in 0..2 {
                let told = allocated(&app, &keys, &moves).await.unwrap().remove(0);
                assert!(told.unwrap());
            }
            done(&app, "invoice.allocated").await;
        };
        let totals = async || -> Vec<i64> {
            let found = rows(&app.db).await;
            found.iter().map(|row| row.total).collect()
        };

        // On its way out while the invoice is made.
        let early = ask("early").await;
        issue_all(&app, &keys).await;
        assert_eq!(totals().await, [400]);
        give_up(&early).await;
        tell().await;
        assert_eq!(totals().await, [400, 1_000]);
        sound(&app.db).await;

        // On its way out after that.
        let late = ask("late").await;
        give_up(&late).await;
        tell().await;
        assert_eq!(totals().await, [400, 1_000]);

        // Nor does other money of the payment bring it into a further invoice.
        books.bill("a", "B2", "p1", 2, &[("TUITION", 2, 100)]).await;
        let asked = Asked {
            request: "c1".into(),
            by: "kt".into(),
            reason: "dùng ghi có".into(),
        };
        use_credit(&app, &school, &BillId::new("B2"), None, asked)
            .await
            .unwrap();
        tell().await;
        assert_eq!(totals().await, [400, 1_000, 100]);
        all_verify(&app.db).await;
        sound(&app.db).await;
        books.must_be_sound().await;
    }
}
