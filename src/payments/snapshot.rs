//! Reads what a batch of arrivals names. Called with the schools' ledger heads locked, so nothing
//! here changes before the batch is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hocphi_adapters::contract::OrderState;

use super::books::{
    Arrival, AttemptView, BillView, Chart, Known, LineView, Snapshot, StoredOutcome, Target,
};
use super::rules::{notice_key, paid_when};
use crate::clock::Day;
use crate::ids::{AttemptId, BillId, FeeItemId, PaymentId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx, rows};

/// The snapshot of everything `arrivals` name; charts are put in by the caller.
pub(super) async fn read(
    tx: &mut Tx,
    arrivals: &[Arrival],
    charts: HashMap<SchoolId, Chart>,
) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot {
        charts,
        ..Snapshot::default()
    };
    read_known(tx, arrivals, &mut snapshot).await?;
    let mut bills: BTreeSet<(SchoolId, BillId)> = arrivals
        .iter()
        .filter_map(|arrival| match &arrival.target {
            Target::Bill(bill) => Some((arrival.school_id.clone(), bill.clone())),
            Target::Order(_) | Target::Codes { .. } => None,
        })
        .collect();
    read_attempts(tx, arrivals, &mut snapshot, &mut bills).await?;
    read_codes(tx, arrivals, &mut snapshot).await?;
    read_heads(tx, &bills, &mut snapshot).await?;
    read_lines(tx, &mut snapshot).await?;
    Ok(snapshot)
}

async fn read_known(
    tx: &mut Tx,
    arrivals: &[Arrival],
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    let found: Vec<(
        SchoolId,
        String,
        String,
        StoredOutcome,
        String,
        Option<PaymentId>,
    )> = tx
        .sql(
            "SELECT n.school_id, n.provider, n.notice_key, n.outcome, n.fingerprint, n.payment_id
               FROM ROWS($1: school_id TEXT, provider TEXT, notice_key TEXT) AS r
               JOIN provider_notice n ON n.school_id = r.school_id AND n.provider = r.provider
                AND n.notice_key = r.notice_key",
        )
        .bind(rows(arrivals.iter().map(notice_key)))
        .all()
        .await?;
    for (school, provider, key, outcome, fingerprint, payment_id) in found {
        snapshot.known.insert(
            (school, provider, key),
            Known {
                outcome,
                fingerprint,
                payment_id,
            },
        );
    }
    Ok(())
}

async fn read_attempts(
    tx: &mut Tx,
    arrivals: &[Arrival],
    snapshot: &mut Snapshot,
    bills: &mut BTreeSet<(SchoolId, BillId)>,
) -> Result<(), StoreError> {
    let orders: Vec<(&SchoolId, &String)> = arrivals
        .iter()
        .filter_map(|arrival| match &arrival.target {
            Target::Order(order_ref) => Some((&arrival.school_id, order_ref)),
            Target::Codes { .. } | Target::Bill(_) => None,
        })
        .collect();
    if orders.is_empty() {
        return Ok(());
    }
    let found: Vec<(SchoolId, String, AttemptId, BillId, i64, String)> = tx
        .sql(
            "SELECT a.school_id, a.order_ref, a.attempt_id, a.bill_id, a.amount, a.state
               FROM ROWS($1: school_id TEXT, order_ref TEXT) AS r
               JOIN payment_attempt a ON a.school_id = r.school_id AND a.order_ref = r.order_ref",
        )
        .bind(rows(orders))
        .all()
        .await?;
    for (school, order_ref, attempt_id, bill_id, amount, state) in found {
        bills.insert((school.clone(), bill_id.clone()));
        let state = match state.as_str() {
            "PAID" => OrderState::Paid,
            "FAILED" => OrderState::Failed,
            _ => OrderState::Open,
        };
        snapshot.attempts.insert(
            (school, order_ref),
            AttemptView {
                attempt_id,
                bill_id,
                amount: Vnd::new(amount),
                state,
            },
        );
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CodeRow {
    bill_code: String,
    #[sqlx(flatten)]
    bill: BillRow,
}

async fn read_codes(
    tx: &mut Tx,
    arrivals: &[Arrival],
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    let codes: BTreeSet<&String> = arrivals
        .iter()
        .filter_map(|arrival| match &arrival.target {
            Target::Codes { codes, suggestions } => Some(codes.iter().chain(suggestions)),
            Target::Order(_) | Target::Bill(_) => None,
        })
        .flatten()
        .collect();
    if codes.is_empty() {
        return Ok(());
    }
    let found: Vec<CodeRow> = tx
        .sql(
            "SELECT b.bill_code, b.school_id, b.bill_id, b.pupil_id, b.state, b.amount_due,
                    b.amount_paid, b.priced_until
               FROM ROWS($1: bill_code TEXT) AS r
               JOIN fee_bill b ON b.bill_code = r.bill_code",
        )
        .bind(rows(codes.into_iter().map(|code| (code,))))
        .all()
        .await?;
    let schools: BTreeSet<&SchoolId> = arrivals.iter().map(|arrival| &arrival.school_id).collect();
    for CodeRow { bill_code, bill } in found {
        snapshot
            .codes
            .insert(bill_code, (bill.school_id.clone(), bill.bill_id.clone()));
        // A bill of a school outside the batch is only known to exist.
        if schools.contains(&bill.school_id) {
            snapshot.bills.insert(bill.bill_id.clone(), bill.into());
        }
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct BillRow {
    school_id: SchoolId,
    bill_id: BillId,
    pupil_id: PupilId,
    state: String,
    #[sqlx(try_from = "i64")]
    amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    amount_paid: Vnd,
    priced_until: Option<Day>,
}

impl From<BillRow> for BillView {
    fn from(row: BillRow) -> Self {
        Self {
            school_id: row.school_id,
            bill_id: row.bill_id,
            pupil_id: row.pupil_id,
            cancelled: row.state == "CANCELLED",
            amount_due: row.amount_due,
            amount_paid: row.amount_paid,
            priced_until: row
                .priced_until
                .filter(|_| matches!(row.state.as_str(), "OPEN" | "PARTIAL")),
            lines: Vec::new(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct LineRow {
    bill_id: BillId,
    line_no: i64,
    item_id: FeeItemId,
    collection_class: String,
    priority: i64,
    #[sqlx(try_from = "i64")]
    amount_due: Vnd,
    #[sqlx(try_from = "i64")]
    amount_paid: Vnd,
}

/// These bills with their lines, into an empty snapshot.
pub(super) async fn read_bills(
    tx: &mut Tx,
    bills: &BTreeSet<(SchoolId, BillId)>,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    read_heads(tx, bills, snapshot).await?;
    read_lines(tx, snapshot).await
}

async fn read_heads(
    tx: &mut Tx,
    bills: &BTreeSet<(SchoolId, BillId)>,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    if bills.is_empty() {
        return Ok(());
    }
    let found: Vec<BillRow> = tx
        .sql(
            "SELECT b.school_id, b.bill_id, b.pupil_id, b.state, b.amount_due, b.amount_paid,
                    b.priced_until
               FROM ROWS($1: school_id TEXT, bill_id TEXT) AS r
               JOIN fee_bill b ON b.school_id = r.school_id AND b.bill_id = r.bill_id",
        )
        .bind(rows(bills))
        .all()
        .await?;
    for bill in found {
        snapshot.bills.insert(bill.bill_id.clone(), bill.into());
    }
    Ok(())
}

/// The lines of every bill in the snapshot.
async fn read_lines(tx: &mut Tx, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    if snapshot.bills.is_empty() {
        return Ok(());
    }
    let found: Vec<LineRow> = tx
        .sql(
            "SELECT l.bill_id, l.line_no, l.item_id, l.collection_class, l.priority,
                    l.amount_due, l.amount_paid
               FROM ROWS($1: school_id TEXT, bill_id TEXT) AS r
               JOIN bill_line l ON l.school_id = r.school_id AND l.bill_id = r.bill_id",
        )
        .bind(rows(
            snapshot
                .bills
                .values()
                .map(|bill| (&bill.school_id, &bill.bill_id)),
        ))
        .all()
        .await?;
    for line in found {
        let Some(bill) = snapshot.bills.get_mut(&line.bill_id) else {
            continue;
        };
        bill.lines.push(LineView {
            line_no: line.line_no,
            item_id: line.item_id,
            own_revenue: matches!(line.collection_class.as_str(), "TUITION" | "SERVICE"),
            voluntary: line.collection_class == "VOLUNTARY",
            priority: line.priority,
            amount_due: line.amount_due,
            amount_paid: line.amount_paid,
        });
    }
    for bill in snapshot.bills.values_mut() {
        bill.lines.sort_unstable_by_key(|line| line.line_no);
    }
    Ok(())
}

/// Bills that are priced for an earlier time than the day their money was paid on, by that day.
/// The day of payment selects the price, not the day we hear of it.
pub(super) fn stale_bills(
    snapshot: &Snapshot,
    arrivals: &[Arrival],
) -> BTreeMap<Day, Vec<(SchoolId, BillId)>> {
    let mut paid_on: BTreeMap<(&SchoolId, &BillId), Day> = BTreeMap::new();
    for arrival in arrivals {
        let day = paid_when(arrival).day();
        for bill in bills_of(arrival, snapshot) {
            let first = paid_on.entry((&arrival.school_id, bill)).or_insert(day);
            *first = day.min(*first);
        }
    }
    let mut by_day: BTreeMap<Day, Vec<(SchoolId, BillId)>> = BTreeMap::new();
    for ((school, bill), day) in paid_on {
        let stale = snapshot.bills.get(bill).is_some_and(|view| {
            view.school_id == *school && view.priced_until.is_some_and(|until| until <= day)
        });
        if stale {
            by_day
                .entry(day)
                .or_default()
                .push((school.clone(), bill.clone()));
        }
    }
    by_day
}

fn bills_of<'a>(arrival: &'a Arrival, snapshot: &'a Snapshot) -> Vec<&'a BillId> {
    match &arrival.target {
        Target::Bill(bill) => vec![bill],
        Target::Order(order_ref) => snapshot
            .attempts
            .get(&(arrival.school_id.clone(), order_ref.clone()))
            .map(|attempt| &attempt.bill_id)
            .into_iter()
            .collect(),
        Target::Codes { codes, .. } => codes
            .iter()
            .filter_map(|code| snapshot.codes.get(code))
            .filter(|(school, _)| *school == arrival.school_id)
            .map(|(_, bill)| bill)
            .collect(),
    }
}
