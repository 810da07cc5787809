//! Which đồng move, and what that does to every figure that counts them. Pure.
//!
//! A payment is cut into lots; each lies in one place. A movement takes from lots and lays the same
//! đồng down elsewhere, so that nothing is made and nothing is lost.

use std::collections::BTreeMap;

use crate::ids::{BillId, FeeItemId, PaymentId, PupilId};
use crate::ledger::{Line, Side};
use crate::money::Vnd;
use crate::payments::books::Chart;
use crate::payments::spread::Part;
use crate::stored_as_text;

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MoveKind {
    /// By the bank, the provider, or an accountant who undid the payment.
    TakenBack,
    SuspenseAssigned,
    CreditUsed,
    Refund,
    RefundCancelled,
}

stored_as_text!(MoveKind {
    TakenBack = "TAKEN_BACK",
    SuspenseAssigned = "SUSPENSE_ASSIGNED",
    CreditUsed = "CREDIT_USED",
    Refund = "REFUND",
    RefundCancelled = "REFUND_CANCELLED",
});

/// Where a đồng of a payment lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Line {
        bill_id: BillId,
        line_no: i64,
        item_id: FeeItemId,
        own_revenue: bool,
    },
    Credit(PupilId),
    Suspense,
    /// With the payer or the bank; no longer the school's to use.
    Gone,
}

/// A part of a payment that lies in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    pub payment_id: PaymentId,
    /// The allocation.
    pub seq: i64,
    pub place: Place,
    /// What has not moved on.
    pub left: Vnd,
    /// The movement that brought it; nothing for the receipt itself.
    pub brought_by: Option<MoveKind>,
}

/// Đồng of one payment from one place to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub payment_id: PaymentId,
    /// The allocation it leaves; nothing when it comes from outside.
    pub from_seq: Option<i64>,
    pub from: Place,
    pub to: Place,
    pub amount: Vnd,
}

/// Why money cannot be moved as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("only {held} is there")]
    MoreThanHeld { held: Vnd },
    /// Credit of this payment has meanwhile settled another bill: whose it is now, a person says.
    #[error("{used} of it was credit and has settled another bill")]
    CreditUsed { used: Vnd },
}

/// Takes from lots in their order until the amount is reached.
///
/// # Errors
/// [`Obstacle::MoreThanHeld`] when the lots hold less.
pub fn draw<'l>(
    lots: impl IntoIterator<Item = &'l Lot>,
    amount: Vnd,
) -> Result<Vec<(&'l Lot, Vnd)>, Obstacle> {
    let mut rest = amount;
    let mut taken = Vec::new();
    for lot in lots {
        let part = lot.left.min(rest);
        if part.is_positive() {
            taken.push((lot, part));
            rest -= part;
        }
    }
    if rest.is_zero() && amount.is_positive() {
        Ok(taken)
    } else {
        Err(Obstacle::MoreThanHeld {
            held: amount - rest,
        })
    }
}

/// What leaves a payment when `amount` of it is taken back: what was allocated last goes first, so
/// that the rest lies as if so much less had been paid.
///
/// Credit that has settled another bill in the meantime is not touched unless `also_used` says that
/// a person decided so.
///
/// # Errors
/// [`Obstacle`]; nothing may be moved then.
pub fn take_back(lots: &[Lot], amount: Vnd, also_used: bool) -> Result<Vec<Piece>, Obstacle> {
    let mut newest_first: Vec<&Lot> = lots.iter().collect();
    newest_first.sort_by_key(|lot| std::cmp::Reverse(lot.seq));
    let taken = draw(newest_first, amount)?;
    let used: Vnd = taken
        .iter()
        .filter(|(lot, _)| lot.brought_by == Some(MoveKind::CreditUsed))
        .map(|(_, part)| *part)
        .sum();
    if used.is_positive() && !also_used {
        return Err(Obstacle::CreditUsed { used });
    }
    Ok(leave(taken))
}

/// Everything taken leaves the school.
pub fn leave(taken: Vec<(&Lot, Vnd)>) -> Vec<Piece> {
    taken
        .into_iter()
        .map(|(lot, amount)| Piece {
            payment_id: lot.payment_id.clone(),
            from_seq: Some(lot.seq),
            from: lot.place.clone(),
            to: Place::Gone,
            amount,
        })
        .collect()
}

/// What came out of lots lies again where it was: the mirror of [`leave`].
pub fn come_back(left: &[Piece]) -> Vec<Piece> {
    left.iter()
        .map(|piece| Piece {
            payment_id: piece.payment_id.clone(),
            from_seq: None,
            from: Place::Gone,
            to: piece.from.clone(),
            amount: piece.amount,
        })
        .collect()
}

/// Money that comes back to a bill line which takes no more, because it was paid meanwhile or its bill
/// was cancelled, becomes credit of the bill's pupil. `room` says what each line takes, and whose it is.
pub fn fit(pieces: Vec<Piece>, room: &BTreeMap<(BillId, i64), (Vnd, PupilId)>) -> Vec<Piece> {
    let mut left: BTreeMap<&(BillId, i64), Vnd> =
        room.iter().map(|(line, (open, _))| (line, *open)).collect();
    let mut fitted = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let Place::Line {
            bill_id, line_no, ..
        } = &piece.to
        else {
            fitted.push(piece);
            continue;
        };
        let line = (bill_id.clone(), *line_no);
        let (Some(open), Some((_, pupil))) = (left.get_mut(&line), room.get(&line)) else {
            fitted.push(piece);
            continue;
        };
        let fits = piece.amount.min(*open);
        let rest = piece.amount - fits;
        *open -= fits;
        let pupil = pupil.clone();
        if fits.is_positive() {
            fitted.push(Piece {
                amount: fits,
                ..piece.clone()
            });
        }
        if rest.is_positive() {
            fitted.push(Piece {
                to: Place::Credit(pupil),
                amount: rest,
                ..piece
            });
        }
    }
    fitted
}

/// Lays what was taken down on `parts`, in order. Both sums are equal, or the surplus of either side
/// stays where it is.
pub fn lay_down(taken: Vec<(&Lot, Vnd)>, parts: Vec<Part>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut sources = taken.into_iter();
    let mut source = sources.next();
    for part in parts {
        let mut wanted = part.amount();
        let place = place_of(part);
        while wanted.is_positive() {
            let Some((lot, left)) = source.take() else {
                return pieces;
            };
            let amount = left.min(wanted);
            wanted -= amount;
            pieces.push(Piece {
                payment_id: lot.payment_id.clone(),
                from_seq: Some(lot.seq),
                from: lot.place.clone(),
                to: place.clone(),
                amount,
            });
            let rest = left - amount;
            source = if rest.is_positive() {
                Some((lot, rest))
            } else {
                sources.next()
            };
        }
    }
    pieces
}

fn place_of(part: Part) -> Place {
    match part {
        Part::Line {
            bill_id,
            line_no,
            item_id,
            own_revenue,
            ..
        } => Place::Line {
            bill_id,
            line_no,
            item_id,
            own_revenue,
        },
        Part::Credit(pupil, _) => Place::Credit(pupil),
        Part::Suspense(_) => Place::Suspense,
    }
}

/// How a payment's money is spread after a movement, against before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Later {
    pub bills: Vnd,
    pub credit: Vnd,
    pub suspense: Vnd,
    pub taken_back: Vnd,
}

/// What a movement does to every figure that counts money. Changes of a sum are signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// What leaves each allocation.
    pub moved_on: BTreeMap<(PaymentId, i64), Vnd>,
    pub lines: BTreeMap<(BillId, i64), Vnd>,
    pub credits: BTreeMap<PupilId, Vnd>,
    pub payments: BTreeMap<PaymentId, Later>,
}

pub fn effects(pieces: &[Piece]) -> Effects {
    let mut effects = Effects::default();
    for piece in pieces {
        if let Some(seq) = piece.from_seq {
            *effects
                .moved_on
                .entry((piece.payment_id.clone(), seq))
                .or_default() += piece.amount;
        }
        for (place, change) in [(&piece.from, -piece.amount), (&piece.to, piece.amount)] {
            let later = effects
                .payments
                .entry(piece.payment_id.clone())
                .or_default();
            match place {
                Place::Line {
                    bill_id, line_no, ..
                } => {
                    later.bills += change;
                    *effects
                        .lines
                        .entry((bill_id.clone(), *line_no))
                        .or_default() += change;
                }
                Place::Credit(pupil) => {
                    later.credit += change;
                    *effects.credits.entry(pupil.clone()).or_default() += change;
                }
                Place::Suspense => later.suspense += change,
                Place::Gone => later.taken_back += change,
            }
        }
    }
    effects
}

/// The journal lines of a movement: each place's account is debited for what leaves it and credited
/// for what comes. `gone` is the account that money outside belongs to.
///
/// A chart may give two places one account; they are written apart all the same, so that the entry
/// shows the whole amount.
pub fn journal(pieces: &[Piece], chart: &Chart, gone: &str) -> Vec<Line> {
    let mut sums: BTreeMap<(u8, &str, Option<String>), Vnd> = BTreeMap::new();
    for piece in pieces {
        for (place, change) in [(&piece.from, piece.amount), (&piece.to, -piece.amount)] {
            let key = match place {
                Place::Line {
                    item_id,
                    own_revenue: true,
                    ..
                } => (0, chart.revenue.as_str(), Some(item_id.to_string())),
                Place::Line { item_id, .. } => {
                    (1, chart.on_behalf.as_str(), Some(item_id.to_string()))
                }
                Place::Credit(pupil) => (2, chart.credit_held.as_str(), Some(pupil.to_string())),
                Place::Suspense => (3, chart.suspense.as_str(), None),
                Place::Gone => (4, gone, None),
            };
            *sums.entry(key).or_default() += change;
        }
    }
    sums.into_iter()
        .filter(|(_, debit)| !debit.is_zero())
        .map(|((_, account, object), debit)| Line {
            account: account.to_owned(),
            side: if debit.is_positive() {
                Side::Debit
            } else {
                Side::Credit
            },
            amount: if debit.is_positive() { debit } else { -debit },
            object,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chart() -> Chart {
        Chart {
            cash: "111".into(),
            bank: "112".into(),
            in_transit: "113".into(),
            revenue: "531".into(),
            on_behalf: "3381".into(),
            credit_held: "131".into(),
            suspense: "3388".into(),
        }
    }

    fn place(kind: u8, line_no: i64) -> Place {
        match kind {
            0 | 1 => Place::Line {
                bill_id: BillId::new(format!("b{kind}")),
                line_no,
                item_id: FeeItemId::new(format!("i{line_no}")),
                own_revenue: kind == 0,
            },
            2 => Place::Credit(PupilId::new("p")),
            _ => Place::Suspense,
        }
    }

    fn lots(cut: &[(u8, i64)]) -> Vec<Lot> {
        cut.iter()
            .zip(1..)
            .map(|((kind, amount), seq)| Lot {
                payment_id: PaymentId::new("pay"),
                seq,
                place: place(*kind, seq),
                left: Vnd::new(*amount),
                brought_by: None,
            })
            .collect()
    }

    fn balances(lines: &[Line]) -> BTreeMap<(String, Option<String>), i64> {
        let mut sums = BTreeMap::new();
        for line in lines {
            let signed = match line.side {
                Side::Debit => line.amount.get(),
                Side::Credit => -line.amount.get(),
            };
            *sums
                .entry((line.account.clone(), line.object.clone()))
                .or_insert(0) += signed;
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }

    #[test]
    fn what_was_allocated_last_goes_first() {
        let lots = lots(&[(1, 100), (0, 200), (2, 30)]);
        let pieces = take_back(&lots, Vnd::new(130), false).unwrap();
        let taken: Vec<_> = pieces
            .iter()
            .map(|p| (p.from_seq, p.amount.get()))
            .collect();
        assert_eq!(taken, [(Some(3), 30), (Some(2), 100)]);
        assert_eq!(
            take_back(&lots, Vnd::new(331), false),
            Err(Obstacle::MoreThanHeld {
                held: Vnd::new(330)
            })
        );
        assert!(take_back(&lots, Vnd::ZERO, false).is_err());
    }

    #[test]
    fn what_a_line_takes_no_more_becomes_credit() {
        let lots = lots(&[(0, 100), (3, 7)]);
        let back = come_back(&take_back(&lots, Vnd::new(107), false).unwrap());
        let line = (BillId::new("b0"), 1);
        let room = BTreeMap::from([(line.clone(), (Vnd::new(30), PupilId::new("p")))]);
        let effects = effects(&fit(back, &room));
        assert_eq!(effects.lines[&line], Vnd::new(30));
        assert_eq!(effects.credits[&PupilId::new("p")], Vnd::new(70));
        assert_eq!(
            effects.payments[&PaymentId::new("pay")].suspense,
            Vnd::new(7)
        );
    }

    #[test]
    fn credit_that_settled_another_bill_is_taken_only_by_a_persons_word() {
        let mut lots = lots(&[(0, 100), (1, 50)]);
        lots[1].brought_by = Some(MoveKind::CreditUsed);
        assert_eq!(
            take_back(&lots, Vnd::new(120), false),
            Err(Obstacle::CreditUsed { used: Vnd::new(50) })
        );
        assert_eq!(take_back(&lots, Vnd::new(120), true).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn every_dong_stays_in_exactly_one_place(
            cut in prop::collection::vec((0u8..4, 0i64..1_000_000), 1..8),
            share in 1i64..100,
        ) {
            let lots = lots(&cut);
            let held: i64 = cut.iter().map(|(_, amount)| amount).sum();
            let amount = (held * share / 100).max(1);
            match take_back(&lots, Vnd::new(amount), false) {
                Err(obstacle) => {
                    prop_assert!(held < amount);
                    prop_assert_eq!(obstacle, Obstacle::MoreThanHeld { held: Vnd::new(held) });
                }
                Ok(pieces) => {
                    let effects = effects(&pieces);
                    for later in effects.payments.values() {
                        prop_assert_eq!(later.taken_back, Vnd::new(amount));
                        prop_assert_eq!(later.bills + later.credit + later.suspense + later.taken_back, Vnd::ZERO);
                    }
                    for ((_, seq), moved) in &effects.moved_on {
                        let lot = lots.iter().find(|lot| lot.seq == *seq).unwrap();
                        prop_assert!(moved.is_positive() && *moved <= lot.left);
                    }
                    let lines = journal(&pieces, &chart(), "112");
                    prop_assert_eq!(balances(&lines).values().sum::<i64>(), 0);
                    prop_assert_eq!(balances(&lines)[&("112".to_owned(), None)], -amount);
                }
            }
        }

        #[test]
        fn leaving_and_coming_back_changes_no_figure_and_no_balance(
            cut in prop::collection::vec((0u8..4, 1i64..1_000_000), 1..8),
            share in 1i64..=100,
        ) {
            let lots = lots(&cut);
            let held: i64 = cut.iter().map(|(_, amount)| amount).sum();
            let left = take_back(&lots, Vnd::new((held * share / 100).max(1)), false).unwrap();
            let both: Vec<Piece> = left.iter().cloned().chain(come_back(&left)).collect();
            let effects = effects(&both);
            prop_assert!(effects.lines.values().all(|change| change.is_zero()));
            prop_assert!(effects.credits.values().all(|change| change.is_zero()));
            prop_assert!(effects.payments.values().all(|later| *later == Later::default()));
            prop_assert_eq!(journal(&both, &chart(), "3388x"), Vec::new());
        }

        #[test]
        fn laying_down_uses_up_exactly_what_was_taken(
            cut in prop::collection::vec(1i64..1_000_000, 1..6),
            targets in prop::collection::vec(1i64..1_000_000, 1..6),
        ) {
            let cut: Vec<_> = cut.into_iter().map(|amount| (3u8, amount)).collect();
            let lots = lots(&cut);
            let held: i64 = cut.iter().map(|(_, amount)| amount).sum();
            let wanted: i64 = targets.iter().sum();
            let amount = held.min(wanted);
            let parts: Vec<Part> = targets.iter().zip(1..).map(|(amount, line_no)| Part::Line {
                bill_id: BillId::new("b"),
                line_no,
                item_id: FeeItemId::new("i"),
                own_revenue: true,
                amount: Vnd::new(*amount),
            }).collect();
            let pieces = lay_down(draw(&lots, Vnd::new(amount)).unwrap(), parts);
            prop_assert_eq!(pieces.iter().map(|piece| piece.amount).sum::<Vnd>(), Vnd::new(amount));
            for ((_, line_no), paid) in effects(&pieces).lines {
                let wanted = targets[usize::try_from(line_no - 1).unwrap()];
                prop_assert!(paid <= Vnd::new(wanted));
            }
        }
    }
}
