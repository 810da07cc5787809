//! Books of a chosen size for the bench: schools, their bank feeds, and bills that wait for payment.

use anyhow::{Result, ensure};
use hocphi::App;
use hocphi::clock::{Day, Instant};
use hocphi::fees::bill_code::BillCode;
use hocphi::ids::{ConnectionId, SchoolId};
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, NewConnection};
use hocphi::store::{StoreError, Tx, rows};
use hocphi_sandbox::{Account, Bank, FeedKey};

const SCHOOLS: usize = 200;
const PUPILS_A_SCHOOL: usize = 500;
/// Lines of a bill in the order of their making: class, priority, đồng. Tuition and insurance are the
/// usual ones.
const LINES: [(&str, i64, i64); 6] = [
    ("TUITION", 2, 350_000),
    ("ON_BEHALF", 1, 631_800),
    ("SERVICE", 3, 220_000),
    ("SERVICE", 4, 45_000),
    ("ON_BEHALF", 5, 120_000),
    ("SERVICE", 6, 60_000),
];
pub const LINES_MAX: usize = LINES.len();
const BIN: &str = "970436";
const BATCH: usize = 2_000;

/// What a bill of so many lines costs.
pub fn amount(lines: usize) -> i64 {
    LINES.iter().take(lines).map(|(_, _, amount)| amount).sum()
}

/// A bill that waits for payment.
pub struct Payable {
    pub account: String,
    pub code: String,
}

/// The code of a bill: scattered as drawn ones are, and never the same twice.
fn code(bill: usize) -> String {
    // Odd and no multiple of the base of codes, hence a permutation of them.
    const STEP: u64 = 982_451_653;
    let number = u64::try_from(bill).unwrap_or(0).wrapping_mul(STEP) % BillCode::SPACE;
    BillCode::from_number(number)
        .expect("below the space of codes")
        .as_str()
        .to_owned()
}

fn account(school: usize) -> String {
    format!("10{school:08}")
}

/// Schools, pupils, accounts, feeds; no bills yet.
pub async fn lay(app: &App, bank: &Bank) -> Result<()> {
    let day = app.clock.today();
    let now = app.clock.now();
    app.db
        .write("bench.lay", async move |tx: &mut Tx| {
            lay_schools(tx, day, now).await
        })
        .await?;
    let mut feeds = Vec::with_capacity(SCHOOLS);
    for school in 0..SCHOOLS {
        let id = ConnectionId::new(format!("feed-{school}"));
        let secret = app.ids.token();
        bank.register(Account {
            bin: BIN.to_owned(),
            number: account(school),
            holder: format!("TRUONG {school}"),
            webhook_url: format!("{}/notices/sepay/{id}", app.public_url),
            key: FeedKey::Hmac(secret.clone()),
        });
        feeds.push(NewConnection {
            school_id: SchoolId::new(format!("s{school}")),
            connection_id: id,
            provider: "sepay".to_owned(),
            display_name: "Báo có".to_owned(),
            channel: Channel::BankTransfer,
            credentials: vec![
                ("account_number".to_owned(), account(school)),
                ("hmac_secret".to_owned(), secret),
            ],
        });
    }
    let (seal, ids) = (app.seal.clone(), app.ids.clone());
    app.db
        .write("bench.connect", async move |tx: &mut Tx| {
            for feed in &feeds {
                connections::put(tx, &seal, &ids, feed).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(())
}

async fn lay_schools(tx: &mut Tx, day: Day, now: Instant) -> Result<(), StoreError> {
    let school_rows = || rows((0..SCHOOLS).map(|n| (format!("s{n}"), account(n))));
    tx.sql(
        "INSERT INTO org_unit (unit_id, code, name, kind, valid_from)
         SELECT id, id, id, 'SCHOOL', $2 FROM ROWS($1: id TEXT, account TEXT) AS r",
    )
    .bind(school_rows())
    .bind(day)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO school (school_id, education_level, ownership, tax_code, address, bank_bin,
                             bank_account, bank_account_name)
         SELECT id, 'PRIMARY', 'PUBLIC', '0100233488', '', $2, account, id
           FROM ROWS($1: id TEXT, account TEXT) AS r",
    )
    .bind(school_rows())
    .bind(BIN)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO parameter (key, scope, valid_from, value, source, status)
         SELECT key, 'VN', $2, value, 'bench', 'ILLUSTRATIVE'
           FROM ROWS($1: key TEXT, value TEXT) AS r",
    )
    .bind(rows([
        ("account.CASH", "111"),
        ("account.BANK", "112"),
        ("account.IN_TRANSIT", "113"),
        ("account.REVENUE", "531"),
        ("account.ON_BEHALF", "3381"),
        ("account.CREDIT_HELD", "131"),
        ("account.SUSPENSE", "3388"),
    ]))
    .bind(Day::new(2020, 1, 1).ok_or_else(|| StoreError::Contradiction("a day".into()))?)
    .run()
    .await?;
    tx.sql(
        "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day,
                                    state, created_at)
         SELECT id, 'r0', 'r0', '2026-2027', $2, $2, 'PUBLISHED', $3
           FROM ROWS($1: id TEXT, account TEXT) AS r",
    )
    .bind(school_rows())
    .bind(day)
    .bind(now)
    .run()
    .await?;
    for school in 0..SCHOOLS {
        tx.sql(
            "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name, insurance_group,
                                insurance_months, state)
             SELECT $2, id, id, 'Nguyễn Thị Minh Anh', 'nguyen thi minh anh', 'HS', 12, 'STUDYING'
               FROM ROWS($1: id TEXT) AS r",
        )
        .bind(rows((0..PUPILS_A_SCHOOL).map(|n| (format!("p{n}"),))))
        .bind(format!("s{school}"))
        .run()
        .await?;
    }
    Ok(())
}

/// Adds `count` bills that can be paid, `from` being how many there are. Every school has its share.
pub async fn add_payable(
    app: &App,
    from: usize,
    count: usize,
    lines: usize,
) -> Result<Vec<Payable>> {
    let mut payable = Vec::with_capacity(count);
    let today = app.clock.today();
    for start in (from..from + count).step_by(BATCH) {
        let bills: Vec<(String, String, String, String, String, String)> = (start
            ..(start + BATCH).min(from + count))
            .map(|n| {
                let school = n % SCHOOLS;
                let code = code(n);
                payable.push(Payable {
                    account: account(school),
                    code: code.clone(),
                });
                // As published bills are: one after the other in a school, a round a sweep of pupils.
                let sweep = n / (SCHOOLS * PUPILS_A_SCHOOL);
                (
                    format!("s{school}"),
                    format!("b{n:09}"),
                    format!("r{sweep}"),
                    format!("p{}", n / SCHOOLS % PUPILS_A_SCHOOL),
                    code,
                    app.ids.token(),
                )
            })
            .collect();
        let sweep = start / (SCHOOLS * PUPILS_A_SCHOOL);
        let now = app.clock.now();
        app.db
            .write("bench.bills", async move |tx: &mut Tx| {
                // What these rows point to is there: looking it up 25 million times is not measured.
                tx.sql_by_engine(
                    "SELECT 1",
                    "SELECT set_config('session_replication_role', 'replica', TRUE)",
                )
                .run()
                .await?;
                add_round(tx, &format!("r{sweep}"), today, now).await?;
                add_round(tx, &format!("r{}", sweep + 1), today, now).await?;
                tx.sql(
                    "INSERT INTO fee_bill
                            (school_id, bill_id, round_id, pupil_id, bill_code, access_token,
                             pupil_name, pupil_code, class_name, payer_name, title, state, gross,
                             amount_due, amount_paid, issued_day, due_day)
                     SELECT school_id, bill_id, round_id, pupil_id, code, token,
                            'Nguyễn Thị Minh Anh', pupil_id, '6A', 'Trần Văn Phụ Huynh',
                            'Thu tháng 11/2026', 'OPEN', $2, $2, 0, $3, $3
                       FROM ROWS($1: school_id TEXT, bill_id TEXT, round_id TEXT, pupil_id TEXT,
                                 code TEXT, token TEXT) AS r",
                )
                .bind(rows(&bills))
                .bind(amount(lines))
                .bind(today)
                .run()
                .await?;
                for (place, (class, priority, amount)) in LINES.into_iter().take(lines).enumerate()
                {
                    let line_no = i64::try_from(place).unwrap_or_default() + 1;
                    add_lines(tx, &bills, line_no, class, priority, amount).await?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
    }
    ensure!(payable.len() == count, "not all bills were made");
    Ok(payable)
}

async fn add_round(tx: &mut Tx, round: &str, day: Day, now: Instant) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day, due_day,
                                    state, created_at)
         SELECT school_id, $1, $1, '2026-2027', $2, $2, 'PUBLISHED', $3 FROM school WHERE TRUE
         ON CONFLICT DO NOTHING",
    )
    .bind(round.to_owned())
    .bind(day)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

async fn add_lines(
    tx: &mut Tx,
    bills: &[(String, String, String, String, String, String)],
    line_no: i64,
    class: &'static str,
    priority: i64,
    amount: i64,
) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO bill_line
                (school_id, bill_id, line_no, item_id, name, collection_class, calculation,
                 unit_name, quantity, unit_price, gross, state_part, province_part, school_part,
                 amount_due, amount_paid, document_rule, vat_rate, legal_basis, priority)
         SELECT school_id, bill_id, $2, $3, 'Khoản thu theo tháng', $3, 'PER_MONTH', 'tháng', '1',
                $5, $5, 0, 0, 0, $5, 0, 'INVOICE', 'KCT', 'NĐ 238/2025/NĐ-CP', $4
           FROM ROWS($1: school_id TEXT, bill_id TEXT) AS r",
    )
    .bind(rows(
        bills.iter().map(|bill| (bill.0.as_str(), bill.1.as_str())),
    ))
    .bind(line_no)
    .bind(class)
    .bind(priority)
    .bind(amount)
    .run()
    .await?;
    Ok(())
}
