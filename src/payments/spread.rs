//! Where every đồng of a payment goes, and the journal entry that says so. Pure.

use super::allocation::{OpenLine, allocate};
use super::books::{Arrival, Channel, Chart, Snapshot, SuspenseReason};
use crate::clock::Day;
use crate::ids::{BillId, FeeItemId, PupilId};
use crate::ledger::{EntryKind, Line, Posting, PostingError, Side};
use crate::money::Vnd;

/// Where money goes before it is spread over lines.
pub enum Destination {
    Bills(Vec<BillId>),
    Suspense(SuspenseReason, Vec<String>),
}

/// A piece of a payment with one owner.
pub enum Part {
    Line {
        bill_id: BillId,
        line_no: i64,
        item_id: FeeItemId,
        own_revenue: bool,
        amount: Vnd,
    },
    Credit(PupilId, Vnd),
    Suspense(Vnd),
}

impl Part {
    pub const fn amount(&self) -> Vnd {
        match self {
            Self::Line { amount, .. } | Self::Credit(_, amount) | Self::Suspense(amount) => *amount,
        }
    }
}

/// Every đồng of the payment to a bill line, the pupil's credit, or suspense.
pub fn spread(snapshot: &Snapshot, destination: &Destination, amount: Vnd) -> Vec<Part> {
    let Destination::Bills(bills) = destination else {
        return vec![Part::Suspense(amount)];
    };
    let mut rest = amount;
    let mut parts = Vec::new();
    let mut owner = None;
    for bill in bills.iter().filter_map(|id| snapshot.bills.get(id)) {
        owner.get_or_insert_with(|| bill.pupil_id.clone());
        if bill.cancelled {
            continue;
        }
        let lines: Vec<OpenLine> = bill
            .lines
            .iter()
            .map(|line| OpenLine {
                line_no: line.line_no,
                priority: line.priority,
                voluntary: line.voluntary,
                outstanding: line.amount_due - line.amount_paid,
            })
            .collect();
        // One bill takes all it can; of several, each takes its own open amount.
        let share = if bills.len() == 1 {
            rest
        } else {
            rest.min(bill.outstanding())
        };
        let allocated = allocate(&lines, share);
        for (line_no, part) in allocated.lines {
            if let Some(line) = bill.lines.iter().find(|line| line.line_no == line_no) {
                rest -= part;
                parts.push(Part::Line {
                    bill_id: bill.bill_id.clone(),
                    line_no,
                    item_id: line.item_id.clone(),
                    own_revenue: line.own_revenue,
                    amount: part,
                });
            }
        }
    }
    match owner {
        Some(pupil) if rest.is_positive() => parts.push(Part::Credit(pupil, rest)),
        None => parts.push(Part::Suspense(rest)),
        Some(_) => {}
    }
    parts
}

/// The journal entry of a payment: the channel's account against what the parts belong to.
pub fn posting(
    arrival: &Arrival,
    chart: &Chart,
    parts: &[Part],
    booked_day: Day,
) -> Result<Posting, PostingError> {
    let money_in = match arrival.channel {
        Channel::BankTransfer => &chart.bank,
        Channel::Gateway | Channel::Wallet => &chart.in_transit,
        Channel::Cash => &chart.cash,
    };
    let mut lines = vec![Line {
        account: money_in.clone(),
        side: Side::Debit,
        amount: arrival.notice.amount,
        object: None,
    }];
    for part in parts {
        let (account, object) = match part {
            Part::Line {
                own_revenue,
                item_id,
                ..
            } => (
                if *own_revenue {
                    &chart.revenue
                } else {
                    &chart.on_behalf
                },
                Some(item_id.to_string()),
            ),
            Part::Credit(pupil, _) => (&chart.credit_held, Some(pupil.to_string())),
            Part::Suspense(_) => (&chart.suspense, None),
        };
        lines.push(Line {
            account: account.clone(),
            side: Side::Credit,
            amount: part.amount(),
            object,
        });
    }
    Posting::new(
        arrival.school_id.clone(),
        EntryKind::PaymentReceived,
        arrival.payment_id.as_str(),
        booked_day,
        arrival.received_at,
        lines,
    )
}
