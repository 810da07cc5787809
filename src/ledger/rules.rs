//! What a valid entry is. Pure.

use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::stored_as_text;

/// What caused an entry; with the cause's identifier it posts at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Money came in and was allocated, credited or parked.
    PaymentReceived,
    /// A bank or provider took money of a payment back, or an accountant undid a payment.
    PaymentTakenBack,
    /// An intermediary's money reached the school's account.
    PaymentSettled,
    /// Parked money found its owner.
    SuspenseAssigned,
    /// A pupil's credit settled a bill.
    CreditUsed,
    /// Money left bills, credit or suspense and is owed to the payer.
    RefundRequested,
    /// What was owed to the payer was paid out.
    RefundPaid,
    /// A refund came to nothing: the money lies again where it was.
    RefundCancelled,
}

stored_as_text!(EntryKind {
    PaymentReceived = "PAYMENT_RECEIVED",
    PaymentTakenBack = "PAYMENT_TAKEN_BACK",
    PaymentSettled = "PAYMENT_SETTLED",
    SuspenseAssigned = "SUSPENSE_ASSIGNED",
    CreditUsed = "CREDIT_USED",
    RefundRequested = "REFUND_REQUESTED",
    RefundPaid = "REFUND_PAID",
    RefundCancelled = "REFUND_CANCELLED",
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Debit,
    Credit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Account number of the school's chart, as it was on the booked day.
    pub account: String,
    pub side: Side,
    pub amount: Vnd,
    /// Fee item or pupil the amount belongs to.
    pub object: Option<String>,
}

/// An entry that balances; not yet part of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub school_id: SchoolId,
    pub kind: EntryKind,
    pub source_id: String,
    pub booked_day: Day,
    pub posted_at: Instant,
    reverses: Option<i64>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    #[error("entry {source_id} does not balance: debit {debit:?}, credit {credit:?}")]
    Unbalanced {
        source_id: String,
        debit: Vnd,
        credit: Vnd,
    },
    #[error("entry {source_id} has a line that is not a positive amount")]
    NotPositive { source_id: String },
}

impl Posting {
    /// # Errors
    /// [`PostingError`] when debit and credit differ, a line is not positive, or nothing is posted.
    pub fn new(
        school_id: SchoolId,
        kind: EntryKind,
        source_id: impl Into<String>,
        booked_day: Day,
        posted_at: Instant,
        lines: Vec<Line>,
    ) -> Result<Self, PostingError> {
        let source_id = source_id.into();
        if lines.is_empty() || lines.iter().any(|line| !line.amount.is_positive()) {
            return Err(PostingError::NotPositive { source_id });
        }
        let sum = |side| {
            lines
                .iter()
                .filter(|line| line.side == side)
                .map(|line| line.amount)
                .sum::<Vnd>()
        };
        let (debit, credit) = (sum(Side::Debit), sum(Side::Credit));
        if debit != credit {
            return Err(PostingError::Unbalanced {
                source_id,
                debit,
                credit,
            });
        }
        Ok(Self {
            school_id,
            kind,
            source_id,
            booked_day,
            posted_at,
            reverses: None,
            lines,
        })
    }

    /// Names the entry of this school that is undone, in whole or in part.
    #[must_use]
    pub const fn reversing(mut self, seq: i64) -> Self {
        self.reverses = Some(seq);
        self
    }

    pub const fn reverses(&self) -> Option<i64> {
        self.reverses
    }

    /// What the entry moves: the sum of its debits.
    pub fn amount(&self) -> Vnd {
        self.lines
            .iter()
            .filter(|line| line.side == Side::Debit)
            .map(|line| line.amount)
            .sum()
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(account: &str, side: Side, amount: i64) -> Line {
        Line {
            account: account.into(),
            side,
            amount: Vnd::new(amount),
            object: None,
        }
    }

    fn posting(lines: Vec<Line>) -> Result<Posting, PostingError> {
        Posting::new(
            SchoolId::new("s"),
            EntryKind::PaymentReceived,
            "p1",
            Day::new(2026, 11, 24).unwrap(),
            Instant::from_unix(0),
            lines,
        )
    }

    #[test]
    fn an_entry_that_does_not_balance_cannot_be_made() {
        assert!(
            posting(vec![
                line("112", Side::Debit, 5),
                line("531", Side::Credit, 5)
            ])
            .is_ok()
        );
        assert!(matches!(
            posting(vec![
                line("112", Side::Debit, 5),
                line("531", Side::Credit, 4)
            ]),
            Err(PostingError::Unbalanced { .. })
        ));
        assert!(posting(vec![]).is_err());
        assert!(
            posting(vec![
                line("112", Side::Debit, 0),
                line("531", Side::Credit, 0)
            ])
            .is_err()
        );
    }
}
