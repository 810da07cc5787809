//! Small books to test against: two schools, a few pupils and bills, written row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use hocphi::clock::{Clock, Day, Instant};
use hocphi::ids::{BillId, ConnectionId, Ids, PaymentId, SchoolId};
use hocphi::jobs::Wake;
use hocphi::ledger::ChainKeys;
use hocphi::money::Vnd;
use hocphi::payments::books::{Arrival, Channel, Receipt, Target};
use hocphi::payments::chart::Charts;
use hocphi::payments::{Desk, Poster};
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, StoreError, Tx, rows};
use hocphi_adapters::contract::{Notice, Settlement, Status};

pub const NOW: Instant = Instant::from_unix(1_795_000_000);

/// What seals the ledgers of test books.
pub fn chain_keys() -> ChainKeys {
    ChainKeys::of(Arc::new(SealingKey::from_bytes([1; 32])))
}

/// The chart of accounts of every school, which posting needs.
pub async fn accounts(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO parameter (key, scope, valid_from, value, source, status)
         SELECT key, 'VN', $2, value, 'test', 'CONFIRMED'
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
        ("account.REFUND_PAYABLE", "3318"),
        ("account.PROVIDER_FEE", "642"),
    ]))
    .bind(Day::new(2020, 1, 1).expect("a day"))
    .run()
    .await
}

/// A line of a test bill: class, priority, amount.
pub type TestLine = (&'static str, i64, i64);

/// A school with bills and a desk that posts to it.
pub struct Books {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub desk: Desk,
}

impl Books {
    /// Two schools, `a` and `b`, without bills.
    pub async fn open(db: Db) -> Self {
        db.write("test.books", async |tx: &mut Tx| {
            let day = Day::new(2020, 1, 1).expect("a day");
            for school in ["a", "b"] {
                tx.sql(
                    "INSERT INTO org_unit (unit_id, code, name, kind, valid_from)
                     VALUES ($1, $1, $1, 'SCHOOL', $2)",
                )
                .bind(school)
                .bind(day)
                .run()
                .await?;
                tx.sql(
                    "INSERT INTO school (school_id, education_level, ownership, tax_code, address,
                                         bank_bin, bank_account, bank_account_name)
                     VALUES ($1, 'PRIMARY', 'PUBLIC', '0100233488', 'Hà Nội', '970436', $1, $1)",
                )
                .bind(school)
                .run()
                .await?;
                tx.sql(
                    "INSERT INTO pupil (school_id, pupil_id, code, full_name, search_name,
                                        insurance_group, insurance_months, state)
                     SELECT $2, id, id, id, id, 'HS', 12, 'STUDYING'
                       FROM ROWS($1: id TEXT) AS r",
                )
                .bind(rows([("p1",), ("p2",)]))
                .bind(school)
                .run()
                .await?;
                tx.sql(
                    "INSERT INTO billing_round (school_id, round_id, name, school_year, charge_day,
                                                due_day, state, created_at)
                     SELECT $2, id, id, '2026-2027', $3, $3, 'PUBLISHED', $4
                       FROM ROWS($1: id TEXT) AS r",
                )
                .bind(rows((0..200).map(|round| (format!("r{round}"),))))
                .bind(school)
                .bind(day)
                .bind(NOW)
                .run()
                .await?;
            }
            accounts(tx).await
        })
        .await
        .expect("test books");
        let clock = Clock::settable(NOW);
        let ids = Ids::seeded(7);
        let desk = Self::another_desk(&db, &clock, &ids);
        Self {
            db,
            clock,
            ids,
            desk,
        }
    }

    /// The desk of another node on the same database.
    pub fn another_desk(db: &Db, clock: &Clock, ids: &Ids) -> Desk {
        Desk::open(Poster {
            db: db.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            wake: Wake::default(),
            charts: Charts::default(),
            chain: chain_keys(),
        })
    }

    /// A published bill; the code is its identifier.
    pub async fn bill(
        &self,
        school: &str,
        code: &str,
        pupil: &str,
        round: u32,
        lines: &[TestLine],
    ) {
        let due: i64 = lines.iter().map(|line| line.2).sum();
        let (school, code, pupil) = (school.to_owned(), code.to_owned(), pupil.to_owned());
        let lines = rows(
            lines
                .iter()
                .enumerate()
                .map(|(place, (class, priority, amount))| (place + 1, class, priority, amount)),
        );
        self.db
            .write("test.bill", async move |tx: &mut Tx| {
                tx.sql(
                    "INSERT INTO fee_bill (school_id, bill_id, round_id, pupil_id, bill_code,
                            access_token, pupil_name, pupil_code, class_name, payer_name, title,
                            state, gross, amount_due, amount_paid, issued_day, due_day)
                     VALUES ($1, $2, $3, $4, $2, $2, 'n', 'c', '1A', 'n', 't', 'OPEN', $5, $5, 0,
                             $6, $6)",
                )
                .bind(school.clone())
                .bind(code.clone())
                .bind(format!("r{round}"))
                .bind(pupil.clone())
                .bind(due)
                .bind(NOW.day())
                .run()
                .await?;
                tx.sql(
                    "INSERT INTO bill_line (school_id, bill_id, line_no, item_id, name,
                            collection_class, calculation, unit_name, quantity, unit_price, gross,
                            state_part, province_part, school_part, amount_due, amount_paid,
                            document_rule, vat_rate, legal_basis, priority)
                     SELECT $2, $3, line_no, 'i', 'khoản', class, 'ONCE', 'lần', '1', amount, amount,
                            0, 0, 0, amount, 0, 'INVOICE', 'KCT', '', priority
                       FROM ROWS($1: line_no BIGINT, class TEXT, priority BIGINT, amount BIGINT) AS r",
                )
                .bind(lines.clone())
                .bind(school.clone())
                .bind(code.clone())
                .run()
                .await
            })
            .await
            .expect("a test bill");
    }

    /// A bank credit of `amount` whose memo names these codes.
    pub fn credit(&self, school: &str, transaction: &str, amount: i64, codes: &[&str]) -> Arrival {
        Arrival {
            school_id: SchoolId::new(school),
            connection_id: ConnectionId::new("c"),
            provider: "sepay".into(),
            channel: Channel::BankTransfer,
            settlement: Settlement::Free,
            target: Target::Codes {
                codes: codes.iter().map(|code| (*code).to_owned()).collect(),
                suggestions: Vec::new(),
            },
            notice: Notice {
                transaction_id: Some(transaction.to_owned()),
                order_ref: None,
                amount: Vnd::new(amount),
                currency: "VND".into(),
                status: Status::Paid,
                remark: None,
                occurred_at_unix: Some(NOW.unix()),
                memo: Some(codes.join(" ")),
                account: None,
                bank_reference: None,
                bill_ref: None,
                merchant: None,
            },
            raw: "{}".into(),
            received_at: NOW,
            payment_id: PaymentId::new(self.ids.next(NOW)),
        }
    }

    /// Hands an arrival in and expects it to be posted.
    pub async fn post(&self, arrival: Arrival) -> Receipt {
        self.desk
            .hand_in(arrival)
            .await
            .expect("room at the desk")
            .expect("a receipt")
    }

    /// State, due and paid of a bill.
    pub async fn bill_state(&self, code: &str) -> (String, i64, i64) {
        self.db
            .sql("SELECT state, amount_due, amount_paid FROM fee_bill WHERE bill_id = $1")
            .bind(BillId::new(code))
            .one()
            .await
            .expect("the bill")
    }

    /// What is paid of each line of a bill.
    pub async fn line_paid(&self, code: &str) -> Vec<i64> {
        let found: Vec<(i64,)> = self
            .db
            .sql("SELECT amount_paid FROM bill_line WHERE bill_id = $1 ORDER BY line_no")
            .bind(BillId::new(code))
            .all()
            .await
            .expect("lines");
        found.into_iter().map(|(paid,)| paid).collect()
    }

    /// Debit minus credit of every account of a school.
    pub async fn balances(&self, school: &str) -> BTreeMap<String, i64> {
        hocphi::ledger::balances(&self.db, &SchoolId::new(school))
            .await
            .expect("balances")
            .into_iter()
            .map(|(account, debit, credit)| (account, debit.get() - credit.get()))
            .collect()
    }

    /// A single number.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let (count,): (i64,) = self.db.sql(sql).one().await.expect("a count");
        count
    }

    /// Fails when any stored figure contradicts another.
    pub async fn must_be_sound(&self) {
        let report = hocphi::ledger::check::run(&self.db, &chain_keys())
            .await
            .expect("a check");
        assert_eq!(report.findings, []);
        let findings = hocphi::payments::check::run(&self.db)
            .await
            .expect("a check");
        assert_eq!(findings, []);
        let sums = hocphi::payments::check::totals(&self.db)
            .await
            .expect("sums");
        assert_eq!(sums.money_in, sums.settled + sums.credits + sums.suspense);
    }
}
