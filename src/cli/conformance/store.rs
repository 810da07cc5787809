//! The small school that providers are tried against, written row by row.

use hocphi::clock::{Day, Instant};
use hocphi::fees::bill_code::BillCode;
use hocphi::ids::{Ids, SchoolId};
use hocphi::store::{Db, StoreError, Tx, rows};

pub const SCHOOL: &str = "school";
pub const PUPIL_CODE: &str = "HS000001";
const PUPIL: &str = "pupil";

/// A school with a pupil and so many open bills of `amount`; answers their codes. Without `accounts`
/// nothing can be posted.
pub async fn seed(
    db: &Db,
    ids: &Ids,
    now: Instant,
    bills: usize,
    amount: i64,
    accounts: bool,
) -> Result<Vec<String>, StoreError> {
    let codes: Vec<String> = (0..bills)
        .map(|_| BillCode::draw(ids).as_str().to_owned())
        .collect();
    let drawn = codes.clone();
    db.write("conformance.seed", async move |tx: &mut Tx| {
        school(tx, now.day()).await?;
        if accounts {
            chart(tx).await?;
        }
        round(tx, now, &drawn).await?;
        for (place, code) in drawn.iter().enumerate() {
            bill(tx, now, place, code, amount).await?;
        }
        Ok::<_, StoreError>(())
    })
    .await?;
    Ok(codes)
}

async fn school(tx: &mut Tx, today: Day) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO org_unit (unit_id, code, name, kind, valid_from)
         VALUES ($1, $1, 'Trường kiểm thử', 'SCHOOL', $2)",
    )
    .bind(SCHOOL)
    .bind(today)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin,
                             bank_account, bank_account_name)
         VALUES ($1, 'PRIMARY', 'PUBLIC', '0100233488', 'Hà Nội', '970436', '0861000123456', 'TRUONG')",
    )
    .bind(SCHOOL)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name, insurance_group,
                            insurance_months, state)
         VALUES ($1, $2, $3, 'Nguyễn Thị Ánh', 'nguyen thi anh', 'HS', 12, 'STUDYING')",
    )
    .bind(SCHOOL)
    .bind(PUPIL)
    .bind(PUPIL_CODE)
    .run()
    .await?;
    Ok(())
}

async fn chart(tx: &mut Tx) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO parameter (key, scope, valid_from, value, source, status)
         SELECT key, 'VN', $1, value, 'conformance', 'ILLUSTRATIVE'
           FROM ROWS($2: key TEXT, value TEXT) AS r",
    )
    .bind(Instant::from_unix(0).day())
    .bind(rows([
        ("account.CASH", "111"),
        ("account.BANK", "112"),
        ("account.IN_TRANSIT", "113"),
        ("account.REVENUE", "531"),
        ("account.ON_BEHALF", "3381"),
        ("account.CREDIT_HELD", "131"),
        ("account.SUSPENSE", "3388"),
        ("account.REFUND_PAYABLE", "3389"),
    ]))
    .run()
    .await?;
    Ok(())
}

async fn round(tx: &mut Tx, now: Instant, codes: &[String]) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day,
                                    state, created_at)
         SELECT $1, id, id, '2026-2027', $2, $2, 'PUBLISHED', $3
           FROM ROWS($4: id TEXT) AS r",
    )
    .bind(SCHOOL)
    .bind(now.day())
    .bind(now)
    .bind(rows((0..codes.len()).map(|place| (format!("r{place}"),))))
    .run()
    .await?;
    Ok(())
}

async fn bill(
    tx: &mut Tx,
    now: Instant,
    place: usize,
    code: &str,
    amount: i64,
) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO fee_bill (school_id, bill_id, round_id, pupil_id, bill_code, access_token,
                pupil_name, pupil_code, class_name, payer_name, title, state, gross, amount_due,
                amount_paid, issued_day, due_day)
         VALUES ($1, $2, $3, $4, $2, $2, 'Nguyễn Thị Ánh', $5, '1A', 'Nguyễn Văn Bình',
                 'Các khoản thu', 'OPEN', $6, $6, 0, $7, $7)",
    )
    .bind(SCHOOL)
    .bind(code.to_owned())
    .bind(format!("r{place}"))
    .bind(PUPIL)
    .bind(PUPIL_CODE)
    .bind(amount)
    .bind(now.day())
    .run()
    .await?;
    tx.sql(
        "INSERT INTO bill_line (school_id, bill_id, line_no, item_id, name, collection_class,
                calculation, unit_name, quantity, unit_price, gross, state_part, province_part,
                school_part, amount_due, amount_paid, document_rule, vat_rate, legal_basis, priority)
         VALUES ($1, $2, 1, 'item', 'Học phí', 'TUITION', 'ONCE', 'lần', '1', $3, $3, 0, 0, 0, $3, 0,
                 'INVOICE', 'KCT', '', 1)",
    )
    .bind(SCHOOL)
    .bind(code.to_owned())
    .bind(amount)
    .run()
    .await?;
    Ok(())
}

/// State and what is paid of a bill.
pub async fn bill_state(db: &Db, code: &str) -> Result<(String, i64), StoreError> {
    db.sql("SELECT state, amount_paid FROM fee_bill WHERE school_id = $1 AND bill_code = $2")
        .bind(SCHOOL)
        .bind(code.to_owned())
        .one()
        .await
}

/// Number and sum of payments.
pub async fn payments(db: &Db) -> Result<(i64, i64), StoreError> {
    db.sql(
        "SELECT COUNT(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM payment WHERE school_id = $1",
    )
    .bind(SchoolId::new(SCHOOL))
    .one()
    .await
}

/// The order of a bill that was started last, and the provider's number of its payment.
pub async fn last_order(db: &Db, code: &str) -> Result<Option<(String, String)>, StoreError> {
    db.sql(
        "SELECT order_ref, attempt_id FROM payment_attempt
          WHERE school_id = $1 AND bill_id = $2 ORDER BY created_at DESC, attempt_id DESC LIMIT 1",
    )
    .bind(SCHOOL)
    .bind(code.to_owned())
    .optional()
    .await
}
