//! Schools with settled payments, written straight into the tables.

use hocphi::App;
use hocphi::clock::{Clock, Day, Instant};
use hocphi::ids::{Ids, PaymentId, SchoolId};
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, Tx, rows};

/// Tax codes with valid check digits; the second school uses the direct method.
pub const SCHOOLS: [(&str, &str, &str); 2] = [
    ("s1", "0100233488", "DEDUCTION"),
    ("s2", "0312270160", "DIRECT"),
];

pub fn start() -> Instant {
    Instant::parse_local_iso("2026-11-23T09:00:00").unwrap()
}

pub fn app_on(db: Db) -> App {
    let seal = SealingKey::from_bytes([7; 32]);
    App::tool(db, Clock::settable(start()), Ids::from_system(), seal).unwrap()
}

pub async fn schools(app: &App, policy: &'static str) {
    app.db
        .write("test.schools", async move |tx: &mut Tx| {
            let first = Day::new(2026, 1, 1).unwrap();
            for (id, tax_code, method) in SCHOOLS {
                tx.sql("INSERT INTO org_unit (unit_id, code, name, kind, valid_from) VALUES ($1, $1, $2, 'SCHOOL', $3)")
                    .bind(id).bind(format!("Trường {id}")).bind(first).run().await?;
                tx.sql(
                    "INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin, bank_account, bank_account_name)
                     VALUES ($1, 'PRIMARY', 'PRIVATE', $2, 'Thái Nguyên', '970436', '1', 'T')")
                    .bind(id).bind(tax_code).run().await?;
                tx.sql("INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day, state, created_at)
                        VALUES ($1, 'r', 'Tháng 11', '2026-2027', $2, $2, 'PUBLISHED', $3)")
                    .bind(id).bind(first).bind(start()).run().await?;
                for (key, value) in [
                    ("vat_method", method),
                    ("invoice_policy", policy),
                    ("invoice_format", "2.1.1"),
                    ("invoice_coding", "C"),
                    ("invoice_symbol_letters", "TAA"),
                    ("solution_provider_tax_code", "0100109106"),
                ] {
                    tx.sql("INSERT INTO parameter (key, scope, valid_from, value, source, status)
                            VALUES ($1, $2, $3, $4, 'test', 'ILLUSTRATIVE')")
                        .bind(key).bind(id).bind(first).bind(value).run().await?;
                }
            }
            Ok::<_, hocphi::store::StoreError>(())
        })
        .await
        .unwrap();
}

/// A bill of tuition (invoice, KCT), uniform (invoice, 8%), insurance (receipt) and a gift (none),
/// paid in full on a day.
pub async fn payment(app: &App, school: &str, name: &str, paid_day: Day) -> (SchoolId, PaymentId) {
    let (school, name) = (school.to_owned(), name.to_owned());
    let key = (SchoolId::new(&school), PaymentId::new(&name));
    app.db
        .write("test.payment", async move |tx: &mut Tx| {
            let lines = [
                (1, "Học phí tháng 11", "TUITION", 3_200_000, "INVOICE", "KCT"),
                (2, "Đồng phục", "SERVICE", 604_001, "INVOICE", "8%"),
                (3, "Bảo hiểm y tế", "ON_BEHALF", 683_100, "RECEIPT", "KCT"),
                (4, "Ủng hộ", "VOLUNTARY", 50_000, "NONE", "KCT"),
            ];
            let total: i64 = lines.iter().map(|line| line.3).sum();
            tx.sql(
                "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name, insurance_group, insurance_months, state)
                 VALUES ($1, $2, $2, 'Nguyễn Văn Ví Dụ', 'nguyen van vi du', 'HS', 12, 'STUDYING')")
                .bind(school.clone()).bind(name.clone()).run().await?;
            tx.sql("INSERT INTO guardian (school_id, pupil_id, guardian_id, full_name, relation, address)
                    VALUES ($1, $2, 'g', 'Trần Thị Ví Dụ', 'MOTHER', 'Phường Phan Đình Phùng')")
                .bind(school.clone()).bind(name.clone()).run().await?;
            tx.sql(
                "INSERT INTO fee_bill (school_id, bill_id, round_id, pupil_id, bill_code, access_token, pupil_name, pupil_code,
                     class_name, payer_name, title, state, gross, amount_due, amount_paid, issued_day, due_day)
                 VALUES ($1, $2, 'r', $2, $3, $3, 'Nguyễn Văn Ví Dụ', $2, '6A', 'Trần Thị Ví Dụ', 'T', 'PAID', $4, $4, $4, $5, $5)")
                .bind(school.clone()).bind(name.clone()).bind(format!("HPZ{school}{name}")).bind(total).bind(paid_day)
                .run().await?;
            tx.sql(
                "INSERT INTO bill_line (school_id, bill_id, line_no, item_id, name, collection_class, calculation, unit_name,
                     quantity, unit_price, gross, state_part, province_part, school_part, amount_due, amount_paid,
                     document_rule, vat_rate, legal_basis, priority)
                 SELECT $2, $3, no, 'i', name, class, 'ONCE', 'lần', '1', amount, amount, 0, 0, 0, amount, amount, rule, rate, '', no
                   FROM ROWS($1: no BIGINT, name TEXT, class TEXT, amount BIGINT, rule TEXT, rate TEXT) AS r")
                .bind(rows(lines)).bind(school.clone()).bind(name.clone()).run().await?;
            tx.sql(
                "INSERT INTO payment (school_id, payment_id, provider, transaction_id, channel, amount, to_bills, to_credit,
                     to_suspense, state, bill_id, paid_at, paid_day, received_at)
                 VALUES ($1, $2, 'sepay', $2, 'BANK_TRANSFER', $3, $3, 0, 0, 'SETTLED', $2, $4, $5, $4)")
                .bind(school.clone()).bind(name.clone()).bind(total).bind(paid_day.start()).bind(paid_day)
                .run().await?;
            tx.sql(
                "INSERT INTO allocation (school_id, payment_id, seq, target, bill_id, line_no, amount)
                 SELECT $2, $3, no, 'BILL_LINE', $3, no, amount
                   FROM ROWS($1: no BIGINT, name TEXT, class TEXT, amount BIGINT, rule TEXT, rate TEXT) AS r")
                .bind(rows(lines)).bind(school.clone()).bind(name.clone()).run().await?;
            Ok::<_, hocphi::store::StoreError>(())
        })
        .await
        .unwrap();
    key
}
