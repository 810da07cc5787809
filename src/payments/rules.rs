//! What a notice does to the books. Pure: a snapshot and arrivals in, rows to write out.

use hocphi_adapters::contract::{
    Decision, Notice, OrderState, OrderView, Outcome, Reason, Settlement, Status, decide,
};
use sha2::{Digest, Sha256};

use super::books::{
    AllocationRow, Arrival, AttemptView, BillView, Conflict, Known, NoticeKey, NoticeRow,
    PaymentRow, Plan, Receipt, Snapshot, StoredOutcome, SuspenseReason, SuspenseRow, Target,
};
use super::spread::{Destination, Part, posting, spread};
use crate::clock::{Day, Instant};
use crate::ids::{BillId, PaymentId};
use crate::money::Vnd;

/// More than any transfer: a larger amount is a provider's defect and must not reach the books.
const AMOUNT_MAX: Vnd = Vnd::new(1_000_000_000_000_000);

/// Decides every arrival in turn. An arrival that cannot be posted is answered
/// [`Outcome::Temporary`] and leaves no trace; its neighbours are not touched.
pub fn plan(snapshot: &mut Snapshot, arrivals: &[Arrival]) -> Plan {
    let mut plan = Plan::default();
    for (place, arrival) in arrivals.iter().enumerate() {
        let receipt = Planner {
            snapshot,
            plan: &mut plan,
            place,
            arrival,
        }
        .decide();
        plan.receipts.push(receipt);
    }
    plan
}

/// Identity of a notice: the transaction for money that moved, otherwise the order with the status,
/// so that "pending" and "paid" of one order are two notices.
pub fn notice_key(arrival: &Arrival) -> NoticeKey {
    let notice = &arrival.notice;
    let key = match (&notice.transaction_id, notice.status) {
        (Some(transaction), Status::Paid) => transaction.clone(),
        (transaction, status) => format!(
            "{}:{status:?}",
            transaction
                .as_deref()
                .or(notice.order_ref.as_deref())
                .unwrap_or("none")
        ),
    };
    (arrival.school_id.clone(), arrival.provider.clone(), key)
}

/// When the payer's money was received, by the provider's word; never later than we heard of it.
pub fn paid_when(arrival: &Arrival) -> Instant {
    arrival
        .notice
        .occurred_at_unix
        .map_or(arrival.received_at, Instant::from_unix)
        .min(arrival.received_at)
}

/// Digest of a notice's meaning: the same key with another fingerprint is a conflict.
pub fn fingerprint(notice: &Notice) -> String {
    let meaning = format!(
        "{:?}|{}|{}|{:?}",
        notice.order_ref,
        notice.amount.get(),
        notice.currency,
        notice.status
    );
    hex::encode(&Sha256::digest(meaning)[..16])
}

struct Planner<'a> {
    snapshot: &'a mut Snapshot,
    plan: &'a mut Plan,
    place: usize,
    arrival: &'a Arrival,
}

impl Planner<'_> {
    fn decide(mut self) -> Receipt {
        let key = notice_key(self.arrival);
        let print = fingerprint(&self.arrival.notice);
        if let Some(known) = self.snapshot.known.get(&key) {
            let conflict = known.fingerprint != print;
            let receipt = Receipt {
                outcome: repeated(known.outcome),
                decision: Decision::AlreadyApplied,
                reason: None,
                payment_id: known.payment_id.clone(),
            };
            if conflict {
                self.plan.conflicts.push(Conflict {
                    key: key.clone(),
                    arrival: self.place,
                    fingerprint: print,
                    payment_id: known.payment_id.clone(),
                });
            }
            self.plan.repeats.push((key, conflict));
            return receipt;
        }
        let destination = self.destination();
        let view = self.order_view(&destination);
        let (decision, reason, outcome) =
            decide(self.arrival.settlement, &self.arrival.notice, view.as_ref());
        // Received and kept, whatever it turns out to mean: done or before a person's eyes.
        let (decision, reason, outcome) = if takes_back(&self.arrival.notice, reason) {
            self.plan.reversals.push(self.place);
            (Decision::RecordReversal, None, Outcome::Accepted)
        } else {
            (decision, reason, outcome)
        };
        let Ok(payment_id) = self.post(&destination, decision, reason) else {
            return Receipt {
                outcome: Outcome::Temporary,
                decision: Decision::HoldReview,
                reason: None,
                payment_id: None,
            };
        };
        self.note_claim(decision, &key.2);
        let stored = match outcome {
            Outcome::UnknownOrder => StoredOutcome::UnknownOrder,
            Outcome::AmountDiffers => StoredOutcome::AmountDiffers,
            Outcome::Unusable | Outcome::NotAuthentic => StoredOutcome::Unusable,
            Outcome::Accepted | Outcome::Repeated | Outcome::Temporary => StoredOutcome::Accepted,
        };
        self.snapshot.known.insert(
            key.clone(),
            Known {
                outcome: stored,
                fingerprint: print.clone(),
                payment_id: payment_id.clone(),
            },
        );
        self.plan.notices.push(NoticeRow {
            key,
            arrival: self.place,
            fingerprint: print,
            decision,
            reason,
            outcome: stored,
            payment_id: payment_id.clone(),
        });
        Receipt {
            outcome,
            decision,
            reason,
            payment_id,
        }
    }

    fn destination(&self) -> Destination {
        match &self.arrival.target {
            Target::Bill(bill_id) => Destination::Bills(vec![bill_id.clone()]),
            Target::Order(order_ref) => match self.attempt(order_ref) {
                None => Destination::Suspense(SuspenseReason::UnknownReference, Vec::new()),
                // Another amount than we asked for was charged: an alarm, not a payment of this bill.
                Some(attempt)
                    if attempt.amount != self.arrival.notice.amount
                        && self.arrival.settlement != Settlement::Free =>
                {
                    Destination::Suspense(SuspenseReason::AmountDiffers, Vec::new())
                }
                Some(attempt) => Destination::Bills(vec![attempt.bill_id.clone()]),
            },
            Target::Codes { codes, suggestions } => self.by_codes(codes, suggestions),
        }
    }

    fn by_codes(&self, codes: &[String], suggestions: &[String]) -> Destination {
        let mut bills = Vec::new();
        let mut elsewhere = false;
        for code in codes {
            match self.snapshot.codes.get(code) {
                Some((school, bill)) if *school == self.arrival.school_id => {
                    bills.push(bill.clone());
                }
                Some(_) => elsewhere = true,
                None => {}
            }
        }
        let all_found = bills.len() == codes.len();
        match bills.as_slice() {
            [bill] if all_found && self.is_held(bill) => {
                Destination::Suspense(SuspenseReason::AmountDiffers, codes.to_vec())
            }
            [_] if all_found => Destination::Bills(bills),
            // Several children in one transfer: settled unattended only when it adds up exactly.
            [_, _, ..] if all_found => {
                let open: Vnd = bills
                    .iter()
                    .filter_map(|bill| self.snapshot.bills.get(bill))
                    .map(BillView::outstanding)
                    .sum();
                if open == self.arrival.notice.amount {
                    Destination::Bills(bills)
                } else {
                    Destination::Suspense(SuspenseReason::SeveralBills, codes.to_vec())
                }
            }
            [_, ..] => Destination::Suspense(SuspenseReason::SeveralBills, codes.to_vec()),
            [] if elsewhere => Destination::Suspense(SuspenseReason::OtherSchool, codes.to_vec()),
            [] if !codes.is_empty() => {
                Destination::Suspense(SuspenseReason::UnknownReference, codes.to_vec())
            }
            // A damaged code is offered to a clerk only when it is an open bill of this school.
            [] => Destination::Suspense(
                SuspenseReason::NoReference,
                suggestions
                    .iter()
                    .filter(|code| self.is_open_here(code))
                    .cloned()
                    .collect(),
            ),
        }
    }

    /// Whether the bank agreed to report what is open of a bill and nothing else, and did not.
    fn is_held(&self, bill: &BillId) -> bool {
        let exact = matches!(
            self.arrival.settlement,
            Settlement::Exact | Settlement::ExactHeld
        );
        let bill = self.snapshot.bills.get(bill);
        exact && bill.is_some_and(|bill| bill.outstanding() != self.arrival.notice.amount)
    }

    fn is_open_here(&self, code: &str) -> bool {
        self.snapshot
            .codes
            .get(code)
            .filter(|(school, _)| *school == self.arrival.school_id)
            .and_then(|(_, bill)| self.snapshot.bills.get(bill))
            .is_some_and(|bill| bill.outstanding().is_positive())
    }

    fn attempt(&self, order_ref: &str) -> Option<&AttemptView> {
        self.snapshot
            .attempts
            .get(&(self.arrival.school_id.clone(), order_ref.to_owned()))
    }

    /// The order as the shared rule of all providers sees it.
    fn order_view(&self, destination: &Destination) -> Option<OrderView> {
        if let Target::Order(order_ref) = &self.arrival.target {
            let attempt = self.attempt(order_ref)?;
            return Some(OrderView {
                amount: attempt.amount,
                state: attempt.state,
                applied_transaction: None,
            });
        }
        let bills: Vec<&BillId> = match destination {
            Destination::Bills(bills) => bills.iter().collect(),
            // The bill is known, the money is not what it asks for.
            Destination::Suspense(SuspenseReason::AmountDiffers, codes) => codes
                .iter()
                .filter_map(|code| self.snapshot.codes.get(code))
                .map(|(_, bill)| bill)
                .collect(),
            Destination::Suspense(..) => return None,
        };
        let open: Vnd = bills
            .into_iter()
            .filter_map(|bill| self.snapshot.bills.get(bill))
            .map(BillView::outstanding)
            .sum();
        let is_paid = open.is_zero();
        Some(OrderView {
            // Of what is paid already the state decides, not the amount.
            amount: if is_paid {
                self.arrival.notice.amount
            } else {
                open
            },
            state: if is_paid {
                OrderState::Paid
            } else {
                OrderState::Open
            },
            applied_transaction: None,
        })
    }

    /// Books the money, if money moved. Fails without leaving anything behind.
    fn post(
        &mut self,
        destination: &Destination,
        decision: Decision,
        reason: Option<Reason>,
    ) -> Result<Option<PaymentId>, ()> {
        let notice = &self.arrival.notice;
        let ours = !matches!(
            reason,
            Some(
                Reason::WrongMerchant | Reason::WrongCurrency | Reason::Outgoing | Reason::TestPing
            )
        );
        // A bank that asks first took nothing when we refuse; a test ping speaks of no money.
        let no_money = decision == Decision::Ignore
            || (self.arrival.settlement == Settlement::Asked && decision == Decision::Reject);
        let transaction_id = match &notice.transaction_id {
            Some(id)
                if notice.status == Status::Paid
                    && ours
                    && notice.amount.is_positive()
                    && !no_money =>
            {
                id.clone()
            }
            _ => {
                self.note_failure(decision);
                return Ok(None);
            }
        };
        if notice.amount > AMOUNT_MAX {
            tracing::error!(
                provider = self.arrival.provider,
                "amount beyond any transfer"
            );
            return Err(());
        }
        let Some(chart) = self.snapshot.charts.get(&self.arrival.school_id).cloned() else {
            tracing::error!(school.id = %self.arrival.school_id, "no chart of accounts on this day");
            return Err(());
        };
        let parts = spread(self.snapshot, destination, self.arrival.notice.amount);
        let paid_at = paid_when(self.arrival);
        let paid_day = paid_at.day();
        let posting = posting(self.arrival, &chart, &parts, paid_day)
            .map_err(|error| tracing::error!(%error, "a payment cannot be posted"))?;
        self.record(destination, parts, transaction_id, paid_at, paid_day);
        self.plan.postings.push(posting);
        if let Target::Order(order_ref) = &self.arrival.target {
            let key = (self.arrival.school_id.clone(), order_ref.clone());
            if let Some(attempt) = self.snapshot.attempts.get_mut(&key)
                && matches!(destination, Destination::Bills(_))
            {
                attempt.state = OrderState::Paid;
                let attempt_id = attempt.attempt_id.clone();
                self.plan
                    .attempts
                    .push((self.arrival.school_id.clone(), attempt_id, "PAID"));
            }
        }
        Ok(Some(self.arrival.payment_id.clone()))
    }

    /// A pending order is a claim: shown as waiting, never as paid.
    fn note_claim(&mut self, decision: Decision, key: &str) {
        if decision != Decision::RecordPending {
            return;
        }
        if let Target::Order(order_ref) = &self.arrival.target
            && let Some(attempt) = self.attempt(order_ref)
        {
            let claim = (
                self.arrival.school_id.clone(),
                attempt.attempt_id.clone(),
                key.to_owned(),
            );
            self.plan.claims.push(claim);
        }
    }

    fn note_failure(&mut self, decision: Decision) {
        if decision != Decision::RecordFailed {
            return;
        }
        if let Target::Order(order_ref) = &self.arrival.target {
            let key = (self.arrival.school_id.clone(), order_ref.clone());
            if let Some(attempt) = self.snapshot.attempts.get_mut(&key)
                && attempt.state == OrderState::Open
            {
                attempt.state = OrderState::Failed;
                let attempt_id = attempt.attempt_id.clone();
                self.plan
                    .attempts
                    .push((self.arrival.school_id.clone(), attempt_id, "FAILED"));
            }
        }
    }

    fn record(
        &mut self,
        destination: &Destination,
        parts: Vec<Part>,
        transaction_id: String,
        paid_at: Instant,
        paid_day: Day,
    ) {
        let school = &self.arrival.school_id;
        let mut row = PaymentRow {
            arrival: self.place,
            transaction_id,
            amount: self.arrival.notice.amount,
            to_bills: Vnd::ZERO,
            to_credit: Vnd::ZERO,
            to_suspense: Vnd::ZERO,
            bill_id: match destination {
                Destination::Bills(bills) => bills.first().cloned(),
                Destination::Suspense(..) => None,
            },
            paid_at,
            paid_day,
        };
        for (place, part) in parts.into_iter().enumerate() {
            let amount = part.amount();
            let mut allocation = AllocationRow {
                arrival: self.place,
                seq: i64::try_from(place).unwrap_or(i64::MAX - 1) + 1,
                target: "SUSPENSE",
                bill_id: None,
                line_no: None,
                pupil_id: None,
                amount,
            };
            match part {
                Part::Line {
                    bill_id, line_no, ..
                } => {
                    row.to_bills += amount;
                    self.pay_line(&bill_id, line_no, amount);
                    allocation.target = "BILL_LINE";
                    allocation.bill_id = Some(bill_id);
                    allocation.line_no = Some(line_no);
                }
                Part::Credit(pupil, _) => {
                    row.to_credit += amount;
                    *self
                        .plan
                        .credits
                        .entry((school.clone(), pupil.clone()))
                        .or_default() += amount;
                    allocation.target = "CREDIT";
                    allocation.pupil_id = Some(pupil);
                }
                Part::Suspense(_) => {
                    row.to_suspense += amount;
                    let (reason, candidates) = match destination {
                        Destination::Suspense(reason, candidates) => (*reason, candidates.clone()),
                        Destination::Bills(_) => (SuspenseReason::UnknownReference, Vec::new()),
                    };
                    self.plan.suspense.push(SuspenseRow {
                        arrival: self.place,
                        amount,
                        reason,
                        candidates,
                    });
                }
            }
            self.plan.allocations.push(allocation);
        }
        self.plan.payments.push(row);
    }

    fn pay_line(&mut self, bill_id: &BillId, line_no: i64, amount: Vnd) {
        let school = self.arrival.school_id.clone();
        *self
            .plan
            .paid_lines
            .entry((school.clone(), bill_id.clone(), line_no))
            .or_default() += amount;
        if let Some(bill) = self.snapshot.bills.get_mut(bill_id) {
            bill.amount_paid += amount;
            if let Some(line) = bill.lines.iter_mut().find(|line| line.line_no == line_no) {
                line.amount_paid += amount;
            }
            self.plan
                .paid_bills
                .insert((school, bill_id.clone()), bill.amount_paid);
        }
    }
}

/// Whether money that came in goes back. The provider's word on a transaction of ours is enough; which
/// payment it means is found under the lock of the books.
fn takes_back(notice: &Notice, reason: Option<Reason>) -> bool {
    matches!(notice.status, Status::Reversed | Status::Refunded)
        && !matches!(
            reason,
            Some(
                Reason::WrongMerchant | Reason::WrongCurrency | Reason::Outgoing | Reason::TestPing
            )
        )
}

const fn repeated(stored: StoredOutcome) -> Outcome {
    match stored {
        StoredOutcome::Accepted => Outcome::Repeated,
        StoredOutcome::UnknownOrder => Outcome::UnknownOrder,
        StoredOutcome::AmountDiffers => Outcome::AmountDiffers,
        StoredOutcome::Unusable => Outcome::Unusable,
    }
}
