//! Which payment a notice of money going back means. Pure.

use crate::ids::PaymentId;
use crate::money::Vnd;
use crate::payments::moves::rules::Obstacle;
use crate::stored_as_text;

/// What kind of judgement an item asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewKind {
    NoticeConflict,
    Reversal,
}

stored_as_text!(ReviewKind {
    NoticeConflict = "NOTICE_CONFLICT",
    Reversal = "REVERSAL",
});

/// Why a person must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The same transaction was told with another amount, order or status.
    OtherMeaning,
    /// No payment of ours is named.
    OriginalUnknown,
    /// More than one payment may be meant.
    SeveralOriginals,
    /// The notice does not say how much.
    AmountUnknown,
    /// More than the payment still holds.
    MoreThanHeld,
    /// Credit of the payment has settled another bill.
    CreditUsed,
}

stored_as_text!(Why {
    OtherMeaning = "OTHER_MEANING",
    OriginalUnknown = "ORIGINAL_UNKNOWN",
    SeveralOriginals = "SEVERAL_ORIGINALS",
    AmountUnknown = "AMOUNT_UNKNOWN",
    MoreThanHeld = "MORE_THAN_HELD",
    CreditUsed = "CREDIT_USED",
});

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The books stay as the first notice made them.
    FirstHolds,
    /// The second is right: what the first booked is undone, the second is booked anew.
    SecondHolds,
    TakenBack,
    Dismissed,
}

stored_as_text!(Verdict {
    FirstHolds = "FIRST_HOLDS",
    SecondHolds = "SECOND_HOLDS",
    TakenBack = "TAKEN_BACK",
    Dismissed = "DISMISSED",
});

impl Verdict {
    /// Whether this decision fits this kind of item.
    pub const fn fits(self, kind: ReviewKind) -> bool {
        match kind {
            ReviewKind::NoticeConflict => matches!(self, Self::FirstHolds | Self::SecondHolds),
            ReviewKind::Reversal => matches!(self, Self::TakenBack | Self::Dismissed),
        }
    }
}

/// The payments a notice may mean, by the strength of what names them.
#[derive(Clone, Debug, Default)]
pub struct Originals {
    /// The payment of the transaction the notice carries.
    pub by_transaction: Option<PaymentId>,
    /// Payments of the order it names.
    pub by_order: Vec<PaymentId>,
    /// Payments of the same amount on a bill whose code its text holds: never enough by itself.
    pub by_memo: Vec<PaymentId>,
}

/// The payment that is meant, or why it is not plain and which one a person may think of.
pub fn original(found: &Originals) -> Result<PaymentId, (Why, Option<PaymentId>)> {
    if let Some(payment) = &found.by_transaction {
        return Ok(payment.clone());
    }
    match (found.by_order.as_slice(), found.by_memo.as_slice()) {
        ([payment], _) => Ok(payment.clone()),
        ([], [payment]) => Err((Why::OriginalUnknown, Some(payment.clone()))),
        ([], _) => Err((Why::OriginalUnknown, None)),
        ([_, ..], _) => Err((Why::SeveralOriginals, None)),
    }
}

/// How much a notice takes back; a notice without amount does not say.
pub fn amount_taken(told: Vnd) -> Result<Vnd, Why> {
    if told.is_positive() {
        Ok(told)
    } else {
        Err(Why::AmountUnknown)
    }
}

impl From<&Obstacle> for Why {
    fn from(obstacle: &Obstacle) -> Self {
        match obstacle {
            Obstacle::MoreThanHeld { .. } => Self::MoreThanHeld,
            Obstacle::CreditUsed { .. } => Self::CreditUsed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_transaction_or_a_single_order_names_the_original() {
        let id = |text: &str| PaymentId::new(text);
        let found = |by_transaction: Option<&str>, by_order: &[&str], by_memo: &[&str]| Originals {
            by_transaction: by_transaction.map(id),
            by_order: by_order.iter().map(|text| id(text)).collect(),
            by_memo: by_memo.iter().map(|text| id(text)).collect(),
        };
        assert_eq!(
            original(&found(Some("a"), &["b", "c"], &["d"])),
            Ok(id("a"))
        );
        assert_eq!(original(&found(None, &["b"], &["d"])), Ok(id("b")));
        assert_eq!(
            original(&found(None, &["b", "c"], &[])),
            Err((Why::SeveralOriginals, None))
        );
        assert_eq!(
            original(&found(None, &[], &["d"])),
            Err((Why::OriginalUnknown, Some(id("d"))))
        );
        assert_eq!(
            original(&found(None, &[], &["d", "e"])),
            Err((Why::OriginalUnknown, None))
        );
    }
}
