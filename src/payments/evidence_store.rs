//! Why we believe what we say about money: every step of a payment with what proves it. Append-only.
//!
//! *Claimed*: somebody says that money is on its way (a checkout was opened, the payer's browser came
//! back, the provider says "pending"); shown as waiting, never as paid. *Confirmed*: a provider's
//! signed word. *Settled*: the money is the school's (a bank credit, cash, an intermediary's
//! settlement line). *Reversed*: it was taken back.

use super::books::{Arrival, Channel, Plan};
use crate::clock::Instant;
use crate::ids::{BillId, PaymentId, SchoolId};
use crate::store::{Db, StoreError, Tx, rows};
use crate::stored_as_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Claimed,
    Confirmed,
    Settled,
    Reversed,
}

stored_as_text!(Step {
    Claimed = "CLAIMED",
    Confirmed = "CONFIRMED",
    Settled = "SETTLED",
    Reversed = "REVERSED",
});

/// What a step rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// We sent the payer to the provider.
    Checkout,
    /// The payer's browser came back with the provider's signature.
    ReturnPage,
    PendingNotice,
    /// Our question was answered with "pending".
    PendingQuery,
    ProviderNotice,
    ProviderQuery,
    BankCredit,
    CashTaken,
    SettlementLine,
    Accountant,
}

stored_as_text!(EvidenceKind {
    Checkout = "CHECKOUT",
    ReturnPage = "RETURN_PAGE",
    PendingNotice = "PENDING_NOTICE",
    PendingQuery = "PENDING_QUERY",
    ProviderNotice = "PROVIDER_NOTICE",
    ProviderQuery = "PROVIDER_QUERY",
    BankCredit = "BANK_CREDIT",
    CashTaken = "CASH_TAKEN",
    SettlementLine = "SETTLEMENT_LINE",
    Accountant = "ACCOUNTANT",
});

/// Notes one piece of evidence; noted before, it stays as it was. `subject` is a payment, or of
/// [`Step::Claimed`] an attempt.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn note(
    tx: &mut Tx,
    school: &SchoolId,
    subject: &str,
    step: Step,
    kind: EvidenceKind,
    reference: &str,
    at: Instant,
) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO payment_evidence (school_id, subject_id, step, kind, reference, noted_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(school.clone())
    .bind(subject.to_owned())
    .bind(step)
    .bind(kind)
    .bind(reference.to_owned())
    .bind(at)
    .run()
    .await?;
    Ok(())
}

/// Evidence of the attempt of an order, for callers that know only the order.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn note_claim(
    tx: &mut Tx,
    school: &SchoolId,
    order_ref: &str,
    kind: EvidenceKind,
    at: Instant,
) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO payment_evidence (school_id, subject_id, step, kind, reference, noted_at)
         SELECT school_id, attempt_id, 'CLAIMED', $3, order_ref, $4
           FROM payment_attempt
          WHERE school_id = $1 AND order_ref = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(school.clone())
    .bind(order_ref.to_owned())
    .bind(kind)
    .bind(at)
    .run()
    .await?;
    Ok(())
}

/// What a batch of arrivals proves: a step for each payment, a claim for each order that is pending.
pub(super) async fn note_batch(
    tx: &mut Tx,
    plan: &Plan,
    arrivals: &[Arrival],
    now: Instant,
) -> Result<(), StoreError> {
    let payments = plan.payments.iter().map(|payment| {
        let arrival = &arrivals[payment.arrival];
        // A bank credit and cash confirm and settle in one.
        let (step, kind) = match arrival.channel {
            Channel::BankTransfer => (Step::Settled, EvidenceKind::BankCredit),
            Channel::Cash => (Step::Settled, EvidenceKind::CashTaken),
            Channel::Gateway | Channel::Wallet => (Step::Confirmed, EvidenceKind::ProviderNotice),
        };
        (
            &arrival.school_id,
            arrival.payment_id.as_str(),
            step,
            kind,
            payment.transaction_id.as_str(),
        )
    });
    let claims = plan.claims.iter().map(|(school, attempt, key)| {
        (
            school,
            attempt.as_str(),
            Step::Claimed,
            EvidenceKind::PendingNotice,
            key.as_str(),
        )
    });
    let noted: Vec<_> = payments.chain(claims).collect();
    if noted.is_empty() {
        return Ok(());
    }
    tx.sql(
        "INSERT INTO payment_evidence (school_id, subject_id, step, kind, reference, noted_at)
         SELECT school_id, subject_id, step, kind, reference, $2
           FROM ROWS($1: school_id TEXT, subject_id TEXT, step TEXT, kind TEXT, reference TEXT) AS r
          WHERE TRUE
         ON CONFLICT DO NOTHING",
    )
    .bind(rows(noted))
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// One piece of evidence, as pages show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Evidence {
    pub step: Step,
    pub kind: EvidenceKind,
    pub reference: String,
    pub noted_at: Instant,
}

/// What is known about a payment and the claims that came before it, oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_payment(
    db: &Db,
    school: &SchoolId,
    payment: &PaymentId,
) -> Result<Vec<Evidence>, StoreError> {
    db.sql(
        "SELECT step, kind, reference, noted_at FROM payment_evidence
          WHERE school_id = $1 AND subject_id = $2
         UNION ALL
         SELECT e.step, e.kind, e.reference, e.noted_at
           FROM provider_notice n
           JOIN payment p ON p.school_id = n.school_id AND p.payment_id = n.payment_id
           JOIN payment_attempt a ON a.school_id = n.school_id AND a.order_ref = n.order_ref
           JOIN payment_evidence e ON e.school_id = a.school_id AND e.subject_id = a.attempt_id
          WHERE p.school_id = $1 AND p.payment_id = $2
            AND n.provider = p.provider AND n.notice_key = p.transaction_id
          ORDER BY 4, 1, 2",
    )
    .bind(school.clone())
    .bind(payment.clone())
    .all()
    .await
}

/// What is known about attempts to pay a bill and payments that settled it, oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_bill(
    db: &Db,
    school: &SchoolId,
    bill: &BillId,
) -> Result<Vec<Evidence>, StoreError> {
    db.sql(
        "SELECT e.step, e.kind, e.reference, e.noted_at
           FROM payment_evidence e
          WHERE e.school_id = $1
            AND e.subject_id IN (
                SELECT a.attempt_id FROM payment_attempt a
                 WHERE a.school_id = $1 AND a.bill_id = $2
                UNION
                SELECT a.payment_id FROM allocation a
                 WHERE a.school_id = $1 AND a.bill_id = $2)
          ORDER BY e.noted_at, e.step, e.kind
          LIMIT 200",
    )
    .bind(school.clone())
    .bind(bill.clone())
    .all()
    .await
}
