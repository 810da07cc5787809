//! Invoices and receipts of before there were corrections keep their numbers, lines and messages.

use hocphi::store::Db;
use sqlx::migrate::Migrator;

use crate::engines::empty_postgres;

/// The migrations up to the sixth.
fn before(mut migrator: Migrator) -> Migrator {
    migrator.migrations = migrator
        .migrations
        .iter()
        .filter(|step| step.version <= 6)
        .cloned()
        .collect();
    migrator
}

const ROWS: &str = "
INSERT INTO org_unit (unit_id, code, name, kind, valid_from) VALUES ('a', 'a', 'a', 'SCHOOL', '2020-01-01');
INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin, bank_account, bank_account_name)
VALUES ('a', 'PRIMARY', 'PUBLIC', '0100233488', 'Hà Nội', '970436', 'a', 'a');
INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name, insurance_group, insurance_months, state)
VALUES ('a', 'p', 'p', 'p', 'p', 'HS', 12, 'STUDYING');
INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day, state, created_at)
VALUES ('a', 'r', 'r', '2026-2027', '2026-11-01', '2026-11-30', 'PUBLISHED', MOMENT);
INSERT INTO fee_bill (school_id, bill_id, round_id, pupil_id, bill_code, access_token, pupil_name, pupil_code,
                      class_name, payer_name, title, state, gross, amount_due, amount_paid, issued_day, due_day)
VALUES ('a', 'b', 'r', 'p', 'b', 'b', 'n', 'c', '1A', 'n', 't', 'PAID', 300, 300, 300, '2026-11-01', '2026-11-30');
INSERT INTO bill_line (school_id, bill_id, line_no, item_id, name, collection_class, calculation, unit_name, quantity,
                       unit_price, gross, state_part, province_part, school_part, amount_due, amount_paid,
                       document_rule, vat_rate, legal_basis, priority)
VALUES ('a', 'b', 1, 'i', 'x', 'TUITION', 'ONCE', 'lần', '1', 200, 200, 0, 0, 0, 200, 200, 'INVOICE', 'KCT', '', 1),
       ('a', 'b', 2, 'j', 'y', 'ON_BEHALF', 'ONCE', 'lần', '1', 100, 100, 0, 0, 0, 100, 100, 'RECEIPT', 'KCT', '', 2);
INSERT INTO payment (school_id, payment_id, provider, transaction_id, channel, amount, to_bills, to_credit,
                     to_suspense, state, bill_id, paid_at, paid_day, received_at)
VALUES ('a', 'm', 'sepay', 'm', 'BANK_TRANSFER', 300, 300, 0, 0, 'SETTLED', 'b', MOMENT, '2026-11-02', MOMENT);
INSERT INTO allocation (school_id, payment_id, seq, target, bill_id, line_no, amount)
VALUES ('a', 'm', 1, 'BILL_LINE', 'b', 1, 200), ('a', 'm', 2, 'BILL_LINE', 'b', 2, 100);
INSERT INTO invoice_series (school_id, form, symbol, last_number, last_day)
VALUES ('a', '1', 'C26TAA', 1, '2026-11-02'), ('a', 'PT', 'PT26AA', 1, '2026-11-02');
INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id, state, issue_day, total, vat,
                     lookup_code, document, xml, message_id, signed_at, sent_at)
VALUES ('a', 'v', '1', 'C26TAA', 1, '2.1.1', 'm', 'SENT', '2026-11-02', 200, 0, 'l1', '{}', '<HDon></HDon>', 'V01', MOMENT, MOMENT);
INSERT INTO invoice_line (school_id, payment_id, seq, invoice_id, amount) VALUES ('a', 'm', 1, 'v', 200);
INSERT INTO payment_receipt (school_id, receipt_id, form, symbol, number, payment_id, state, issue_day, total,
                             lookup_code, document)
VALUES ('a', 'w', 'PT', 'PT26AA', 1, 'm', 'NUMBERED', '2026-11-02', 100, 'l2', '{}');";

async fn old_books(address: &str) {
    if address.starts_with("sqlite") {
        let pool = sqlx::SqlitePool::connect(&format!("{address}?mode=rwc"))
            .await
            .unwrap();
        before(sqlx::migrate!("migrations/sqlite"))
            .run(&pool)
            .await
            .unwrap();
        let sql = ROWS.replace("MOMENT", "1795000000000000");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    } else {
        let pool = sqlx::PgPool::connect(address).await.unwrap();
        before(sqlx::migrate!("migrations/postgres"))
            .run(&pool)
            .await
            .unwrap();
        let sql = ROWS.replace("MOMENT", "to_timestamp(1795000000)");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }
}

#[tokio::test]
async fn rows_of_before_move_and_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("old.db").display());
    for address in [Some(file), empty_postgres().await].into_iter().flatten() {
        old_books(&address).await;
        let db = Db::open(&address).await.unwrap();
        let invoice: (String, i64, String, String, Option<String>) = db
            .sql("SELECT state, number, kind, cause, root_id FROM invoice")
            .one()
            .await
            .unwrap();
        assert_eq!(
            invoice,
            ("SENT".into(), 1, "ORIGINAL".into(), String::new(), None)
        );
        let message: (String, String, String) = db
            .sql("SELECT message_id, invoice_id, state FROM invoice_message")
            .one()
            .await
            .unwrap();
        assert_eq!(message, ("V01".into(), "v".into(), "LIVE".into()));
        let lines: Vec<(i64, i64)> = db
            .sql("SELECT seq, amount FROM payment_receipt_line")
            .all()
            .await
            .unwrap();
        assert_eq!(lines, [(2, 100)]);
        let (documented,): (i64,) = db
            .sql(
                "SELECT COUNT(*) FROM invoice_line l
                   JOIN invoice i ON i.school_id = l.school_id AND i.invoice_id = l.invoice_id",
            )
            .one()
            .await
            .unwrap();
        assert_eq!(documented, 1);
        // A second invoice of the same payment and cause is refused by the table itself.
        let again = db
            .write("test.again", async |tx: &mut hocphi::store::Tx| {
                tx.sql(
                    "INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id,
                                          state, issue_day, total, vat, lookup_code, document)
                     SELECT school_id, 'v2', form, symbol, 2, format, payment_id, 'NUMBERED', issue_day,
                            total, vat, 'l3', document
                       FROM invoice",
                )
                .run()
                .await
            })
            .await;
        assert!(again.is_err());
        db.close().await;
    }
}
