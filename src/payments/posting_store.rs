//! Writes what a batch adds to the books, one statement a table.

use super::books::{Arrival, Plan};
use crate::clock::Instant;
use crate::store::{StoreError, Tx, rows};

/// Everything but the journal and the jobs.
pub(super) async fn write(
    tx: &mut Tx,
    plan: &Plan,
    arrivals: &[Arrival],
    now: Instant,
) -> Result<(), StoreError> {
    write_notices(tx, plan, arrivals, now).await?;
    write_repeats(tx, plan).await?;
    write_payments(tx, plan, arrivals).await?;
    write_bills(tx, plan, now).await?;
    write_attempts(tx, plan).await?;
    write_credits(tx, plan).await?;
    write_suspense(tx, plan, arrivals, now).await
}

async fn write_notices(
    tx: &mut Tx,
    plan: &Plan,
    arrivals: &[Arrival],
    now: Instant,
) -> Result<(), StoreError> {
    if plan.notices.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO provider_notice
                (school_id, provider, notice_key, connection_id, order_ref, status, amount, memo,
                 occurred_at, fingerprint, raw, decision, reason, outcome, payment_id, received_at)
         SELECT school_id, provider, notice_key, connection_id, order_ref, status, amount, memo,
                occurred_at, fingerprint, raw, decision, reason, outcome, payment_id, $2
           FROM ROWS($1: school_id TEXT, provider TEXT, notice_key TEXT, connection_id TEXT,
                     order_ref TEXT, status TEXT, amount BIGINT, memo TEXT, occurred_at INSTANT,
                     fingerprint TEXT, raw TEXT, decision TEXT, reason TEXT, outcome TEXT,
                     payment_id TEXT) AS r",
    )
    .bind(rows(plan.notices.iter().map(|row| {
        let arrival = &arrivals[row.arrival];
        let (school, provider, key) = &row.key;
        (
            school,
            provider,
            key,
            &arrival.connection_id,
            &arrival.notice.order_ref,
            arrival.notice.status,
            arrival.notice.amount,
            &arrival.notice.memo,
            arrival.notice.occurred_at_unix.map(Instant::from_unix),
            &row.fingerprint,
            &arrival.raw,
            row.decision,
            row.reason.map(|reason| reason.code()),
            row.outcome,
            &row.payment_id,
        )
    })))
    .bind(now)
    .run()
    .await?;
    Ok(())
}

async fn write_repeats(tx: &mut Tx, plan: &Plan) -> Result<(), StoreError> {
    // Summed here: an UPDATE takes one row of a join per target, not several.
    let mut sums = std::collections::BTreeMap::new();
    for (key, conflict) in &plan.repeats {
        let sum: &mut (i64, i64) = sums.entry(key).or_default();
        sum.0 += 1;
        sum.1 += i64::from(*conflict);
    }
    if sums.is_empty() {
        return Ok(());
    }
    tx.sql(
        "UPDATE provider_notice
            SET repeats = provider_notice.repeats + r.repeats,
                conflicts = provider_notice.conflicts + r.conflicts
           FROM ROWS($1: school_id TEXT, provider TEXT, notice_key TEXT, repeats BIGINT,
                     conflicts BIGINT) AS r
          WHERE provider_notice.school_id = r.school_id
            AND provider_notice.provider = r.provider
            AND provider_notice.notice_key = r.notice_key",
    )
    .bind(rows(sums.into_iter().map(
        |((school, provider, key), (repeats, conflicts))| {
            (school, provider, key, repeats, conflicts)
        },
    )))
    .run()
    .await?;
    Ok(())
}

async fn write_payments(tx: &mut Tx, plan: &Plan, arrivals: &[Arrival]) -> Result<(), StoreError> {
    if plan.payments.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO payment
                (school_id, payment_id, provider, transaction_id, channel, amount, to_bills,
                 to_credit, to_suspense, state, bill_id, memo, paid_at, paid_day, received_at)
         SELECT school_id, payment_id, provider, transaction_id, channel, amount, to_bills,
                to_credit, to_suspense,
                CASE WHEN channel IN ('BANK_TRANSFER', 'CASH') THEN 'SETTLED' ELSE 'CONFIRMED' END,
                bill_id, memo, paid_at, paid_day, received_at
           FROM ROWS($1: school_id TEXT, payment_id TEXT, provider TEXT, transaction_id TEXT,
                     channel TEXT, amount BIGINT, to_bills BIGINT, to_credit BIGINT,
                     to_suspense BIGINT, bill_id TEXT, memo TEXT, paid_at INSTANT, paid_day DAY,
                     received_at INSTANT) AS r",
    )
    .bind(rows(plan.payments.iter().map(|row| {
        let arrival = &arrivals[row.arrival];
        (
            &arrival.school_id,
            &arrival.payment_id,
            &arrival.provider,
            &row.transaction_id,
            arrival.channel,
            row.amount,
            row.to_bills,
            row.to_credit,
            row.to_suspense,
            &row.bill_id,
            &arrival.notice.memo,
            row.paid_at,
            row.paid_day,
            arrival.received_at,
        )
    })))
    .run()
    .await?;
    tx.sql(
        "INSERT INTO allocation
                (school_id, payment_id, seq, target, bill_id, line_no, pupil_id, amount)
         SELECT school_id, payment_id, seq, target, bill_id, line_no, pupil_id, amount
           FROM ROWS($1: school_id TEXT, payment_id TEXT, seq BIGINT, target TEXT, bill_id TEXT,
                     line_no BIGINT, pupil_id TEXT, amount BIGINT) AS r",
    )
    .bind(rows(plan.allocations.iter().map(|row| {
        let arrival = &arrivals[row.arrival];
        (
            &arrival.school_id,
            &arrival.payment_id,
            row.seq,
            row.target,
            &row.bill_id,
            row.line_no,
            &row.pupil_id,
            row.amount,
        )
    })))
    .run()
    .await?;
    Ok(())
}

async fn write_bills(tx: &mut Tx, plan: &Plan, now: Instant) -> Result<(), StoreError> {
    if plan.paid_bills.is_empty() {
        return Ok(());
    }
    tx.sql(
        "UPDATE bill_line SET amount_paid = bill_line.amount_paid + r.amount
           FROM ROWS($1: school_id TEXT, bill_id TEXT, line_no BIGINT, amount BIGINT) AS r
          WHERE bill_line.school_id = r.school_id AND bill_line.bill_id = r.bill_id
            AND bill_line.line_no = r.line_no",
    )
    .bind(rows(plan.paid_lines.iter().map(
        |((school, bill, line_no), amount)| (school, bill, line_no, amount),
    )))
    .run()
    .await?;
    tx.sql(
        "UPDATE fee_bill
            SET amount_paid = r.paid,
                state = CASE WHEN r.paid = fee_bill.amount_due THEN 'PAID' ELSE 'PARTIAL' END,
                settled_at = CASE WHEN r.paid = fee_bill.amount_due THEN $2
                                  ELSE fee_bill.settled_at END
           FROM ROWS($1: school_id TEXT, bill_id TEXT, paid BIGINT) AS r
          WHERE fee_bill.school_id = r.school_id AND fee_bill.bill_id = r.bill_id",
    )
    .bind(rows(
        plan.paid_bills
            .iter()
            .map(|((school, bill), paid)| (school, bill, paid)),
    ))
    .bind(now)
    .run()
    .await?;
    Ok(())
}

async fn write_attempts(tx: &mut Tx, plan: &Plan) -> Result<(), StoreError> {
    if plan.attempts.is_empty() {
        return Ok(());
    }
    tx.sql(
        "UPDATE payment_attempt SET state = r.state
           FROM ROWS($1: school_id TEXT, attempt_id TEXT, state TEXT) AS r
          WHERE payment_attempt.school_id = r.school_id
            AND payment_attempt.attempt_id = r.attempt_id",
    )
    // One batch may hold "failed" and then "paid" of an attempt: the last word counts.
    .bind(rows(
        plan.attempts
            .iter()
            .map(|(school, attempt, state)| ((school, attempt), state))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into_iter()
            .map(|((school, attempt), state)| (school, attempt, state)),
    ))
    .run()
    .await?;
    Ok(())
}

async fn write_credits(tx: &mut Tx, plan: &Plan) -> Result<(), StoreError> {
    if plan.credits.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO pupil_credit (school_id, pupil_id, amount)
         SELECT school_id, pupil_id, amount
           FROM ROWS($1: school_id TEXT, pupil_id TEXT, amount BIGINT) AS r
          WHERE TRUE
         ON CONFLICT (school_id, pupil_id) DO UPDATE
            SET amount = pupil_credit.amount + excluded.amount",
    )
    .bind(rows(
        plan.credits
            .iter()
            .map(|((school, pupil), amount)| (school, pupil, amount)),
    ))
    .run()
    .await?;
    Ok(())
}

async fn write_suspense(
    tx: &mut Tx,
    plan: &Plan,
    arrivals: &[Arrival],
    now: Instant,
) -> Result<(), StoreError> {
    if plan.suspense.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO suspense_item
                (school_id, payment_id, amount, reason, candidates, state, created_at)
         SELECT school_id, payment_id, amount, reason, candidates, 'OPEN', $2
           FROM ROWS($1: school_id TEXT, payment_id TEXT, amount BIGINT, reason TEXT,
                     candidates TEXT) AS r",
    )
    .bind(rows(plan.suspense.iter().map(|row| {
        let arrival = &arrivals[row.arrival];
        (
            &arrival.school_id,
            &arrival.payment_id,
            row.amount,
            row.reason,
            serde_json::Value::from(row.candidates.clone()).to_string(),
        )
    })))
    .bind(now)
    .run()
    .await?;
    Ok(())
}
