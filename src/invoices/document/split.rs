//! From collected amounts, which include VAT, to lines and totals that sum to them.

use rust_decimal::Decimal;

use super::{Collected, Form, Line, LineKind, Priced, RateTotal, VatRate};
use crate::money::{self, MoneyError, Vnd};

/// The net part of an amount that includes VAT: `round(gross × 100 / (100 + percent))`.
///
/// The rule of the whole invoice, applied to the sum of a rate: base = `net_of(collected)`, VAT =
/// collected − base. Not every gross is `base + round(base × rate)` (13,690,000 at 10 % is not), so
/// the VAT may differ from `round(base × rate)` by one đồng: base is off by at most ½, hence the VAT
/// by at most ½ × (1 + rate) before rounding. einvoice §5.1 shows real invoices doing the same.
///
/// # Errors
/// [`MoneyError`] when the amount leaves its range.
pub fn net_of(gross: Vnd, percent: u32) -> Result<Vnd, MoneyError> {
    if percent == 0 {
        return Ok(gross);
    }
    let exact = Decimal::from(gross.get())
        .checked_mul(Decimal::ONE_HUNDRED)
        .and_then(|hundredfold| {
            hundredfold.checked_div(Decimal::ONE_HUNDRED + Decimal::from(percent))
        })
        .ok_or(MoneyError::OutOfRange)?;
    money::round_half_up(exact)
}

/// Lines and totals per rate. Inside a rate each line gets the growth of the net of the running
/// total, so the lines sum to the base of the rate and none is off by more than one đồng.
pub(super) fn split(
    form: Form,
    collected: &[Collected],
) -> Result<(Vec<Line>, Vec<RateTotal>), MoneyError> {
    let mut lines = Vec::with_capacity(collected.len());
    let mut rates: Vec<(RateTotal, Vnd)> = Vec::new();
    for item in collected {
        let rate = match form {
            Form::Sales => VatRate::NotSubject,
            Form::Vat if item.on_behalf => VatRate::NotSubject,
            Form::Vat => item.rate,
        };
        let counted = match item.kind {
            LineKind::Supply => item.amount,
            LineKind::Discount => -item.amount,
            LineKind::Promotion | LineKind::Note => {
                lines.push(printed(item, rate, Vnd::ZERO));
                continue;
            }
        };
        let place = match rates.iter().position(|(total, _)| total.rate == rate) {
            Some(place) => place,
            None => {
                let empty = RateTotal {
                    rate,
                    net: Vnd::ZERO,
                    vat: Vnd::ZERO,
                };
                rates.push((empty, Vnd::ZERO));
                rates.len() - 1
            }
        };
        let (total, gross) = &mut rates[place];
        *gross = gross.checked_add(counted).ok_or(MoneyError::OutOfRange)?;
        let base = net_of(*gross, rate.percent())?;
        let grown = base - total.net;
        total.net = base;
        total.vat = *gross - base;
        let net = match item.kind {
            LineKind::Discount => -grown,
            _ => grown,
        };
        lines.push(printed(item, rate, net));
    }
    Ok((lines, rates.into_iter().map(|(total, _)| total).collect()))
}

/// Decimals that a unit price may have (einvoice §2.1: 21,6).
const PRICE_DECIMALS: u32 = 6;

fn printed(item: &Collected, rate: VatRate, net: Vnd) -> Line {
    let name = if item.on_behalf {
        format!("{} (thu hộ)", item.name)
    } else {
        item.name.clone()
    };
    let (priced, discount) = match priced(item, rate, net) {
        Some((priced, discount)) => (Some(priced), discount),
        None => (None, None),
    };
    Line {
        kind: item.kind,
        name,
        // A unit belongs to a quantity; services need neither (NĐ 254/2026 annex 5 a.2).
        unit: priced.is_some().then(|| item.unit.clone()),
        priced,
        discount,
        net,
        rate,
    }
}

/// Quantity, price and discount without VAT, where they exist that multiply to the net.
fn priced(item: &Collected, rate: VatRate, net: Vnd) -> Option<(Priced, Option<Vnd>)> {
    if item.quantity.is_zero() || item.kind != LineKind::Supply {
        return None;
    }
    let before_discount = money::times(item.unit_price, item.quantity).ok()?;
    if before_discount.checked_sub(item.discount)? != item.amount {
        return None;
    }
    // The price of the bill includes VAT; the price of the invoice must multiply to the net.
    let (price, discount) = if net == item.amount {
        (Decimal::from(item.unit_price.get()), item.discount)
    } else {
        let net_before = if item.discount == Vnd::ZERO {
            net
        } else {
            net_of(before_discount, rate.percent()).ok()?
        };
        let price = Decimal::from(net_before.get())
            .checked_div(item.quantity)?
            .round_dp(PRICE_DECIMALS)
            .normalize();
        (price, net_before - net)
    };
    let product = price.checked_mul(item.quantity)?;
    let fits = money::round_half_up(product - Decimal::from(discount.get())) == Ok(net);
    fits.then(|| {
        let priced = Priced {
            quantity: item.quantity.normalize(),
            price,
        };
        (priced, (discount != Vnd::ZERO).then_some(discount))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::dec;

    fn item(amount: i64, rate: VatRate) -> Collected {
        Collected {
            unit: "chiếc".into(),
            quantity: dec!(2),
            unit_price: Vnd::new(amount / 2),
            ..Collected::supply("Áo đồng phục", Vnd::new(amount), rate)
        }
    }

    #[test]
    fn the_advertised_price_is_kept_where_no_base_rounds_to_it() {
        // The real invoice of einvoice §5.1.
        let (lines, rates) = split(Form::Vat, &[item(13_690_000, VatRate::Ten)]).unwrap();
        assert_eq!(rates[0].net, Vnd::new(12_445_455));
        assert_eq!(rates[0].vat, Vnd::new(1_244_545));
        assert_eq!(lines[0].priced.unwrap().price, dec!(6222727.5));
    }

    #[test]
    fn money_for_others_is_outside_vat_and_says_so() {
        let mut insurance = item(683_100, VatRate::Eight);
        insurance.on_behalf = true;
        insurance.quantity = dec!(12);
        insurance.unit_price = Vnd::new(113_850);
        let (lines, rates) = split(Form::Vat, &[insurance]).unwrap();
        assert_eq!(lines[0].name, "Áo đồng phục (thu hộ)");
        assert_eq!(lines[0].rate, VatRate::NotSubject);
        // Twelve times the full contribution is not what the pupil pays: no quantity is printed.
        assert_eq!((lines[0].priced, lines[0].unit.as_deref()), (None, None));
        assert_eq!(rates[0].vat, Vnd::ZERO);
    }

    #[test]
    fn a_discount_is_shown_without_vat_and_a_note_counts_nothing() {
        let mut uniform = item(1_080_000, VatRate::Eight);
        uniform.discount = Vnd::new(108_000);
        uniform.amount = Vnd::new(972_000);
        let off = Collected {
            kind: LineKind::Discount,
            ..Collected::supply("Chiết khấu", Vnd::new(108_000), VatRate::Eight)
        };
        let (lines, rates) = split(Form::Vat, &[uniform, off, Collected::note("Ghi chú")]).unwrap();
        assert_eq!(lines[0].priced.unwrap().price, dec!(500000));
        assert_eq!(lines[0].discount, Some(Vnd::new(100_000)));
        let nets: Vec<i64> = lines.iter().map(|line| line.net.get()).collect();
        assert_eq!(nets, [900_000, 100_000, 0]);
        assert_eq!((rates[0].net.get(), rates[0].vat.get()), (800_000, 64_000));
    }

    #[test]
    fn an_adjustment_downwards_mirrors_the_invoice_it_adjusts() {
        let up = [
            item(604_001, VatRate::Eight),
            item(13_690_000, VatRate::Ten),
        ];
        let down = up.clone().map(|mut line| {
            line.amount = -line.amount;
            line.quantity = -line.quantity;
            line
        });
        let (there, totals) = split(Form::Vat, &up).unwrap();
        let (back, against) = split(Form::Vat, &down).unwrap();
        for (one, other) in there.iter().zip(&back) {
            assert_eq!(one.net, -other.net);
        }
        for (one, other) in totals.iter().zip(&against) {
            assert_eq!((one.net, one.vat), (-other.net, -other.vat));
        }
    }

    proptest! {
        #[test]
        fn the_invoice_sums_to_what_was_collected_and_its_vat_is_within_one_dong(
            amounts in prop::collection::vec((1i64..50_000_000, 0usize..6), 1..12),
        ) {
            const RATES: [VatRate; 6] = [VatRate::NotSubject, VatRate::NotDeclared, VatRate::Zero,
                VatRate::Five, VatRate::Eight, VatRate::Ten];
            let items: Vec<_> = amounts.iter().map(|&(amount, rate)| item(amount, RATES[rate])).collect();
            let (lines, rates) = split(Form::Vat, &items).unwrap();
            let collected: Vnd = items.iter().map(|item| item.amount).sum();
            prop_assert_eq!(rates.iter().map(|total| total.net + total.vat).sum::<Vnd>(), collected);
            for total in &rates {
                let of_lines: Vnd = lines.iter().filter(|line| line.rate == total.rate).map(|line| line.net).sum();
                prop_assert_eq!(of_lines, total.net);
                let by_rate = Decimal::from(total.net.get()) * Decimal::new(total.rate.percent().into(), 2);
                let off = total.vat - money::round_half_up(by_rate).unwrap();
                prop_assert!(off.get().abs() <= 1, "{:?}", total);
            }
            for (line, item) in lines.iter().zip(&items) {
                prop_assert!(!line.net.is_negative() && line.net <= item.amount);
            }
        }
    }
}
