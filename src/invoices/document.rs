//! The content of an invoice: everything that stands in it, fixed together with its number.
//!
//! A school collects amounts that include VAT. [`Document::new`] splits them by the rule "backwards
//! from what was collected" ([`net_of`]), so that the total of the invoice is the collected money to
//! the đồng.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::clock::Day;
use crate::money::{self, MoneyError, Quantity, Vnd};
use crate::stored_as_text;

/// Form of an invoice by the seller's VAT method (einvoice §1.4); the text is KHMSHDon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Hóa đơn giá trị gia tăng: the seller deducts VAT.
    Vat,
    /// Hóa đơn bán hàng: the direct method, no rates.
    Sales,
}
stored_as_text!(Form { Vat = "1", Sales = "2" });

impl Form {
    /// The legal name of the document, THDon.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Vat => "Hóa đơn giá trị gia tăng",
            Self::Sales => "Hóa đơn bán hàng",
        }
    }
}

/// Version of the data format, PBan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    V2_1_0,
    V2_1_1,
}
stored_as_text!(Format { V2_1_0 = "2.1.0", V2_1_1 = "2.1.1" });

/// VAT rate of a line, TSuat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VatRate {
    /// Not subject to VAT: teaching, and money collected for somebody else.
    NotSubject,
    /// Neither declared nor computed.
    NotDeclared,
    Zero,
    Five,
    Eight,
    Ten,
}
stored_as_text!(VatRate {
    NotSubject = "KCT",
    NotDeclared = "KKKNT",
    Zero = "0%",
    Five = "5%",
    Eight = "8%",
    Ten = "10%",
});

impl VatRate {
    /// Whole percent of the net amount; 0 where no VAT arises.
    pub const fn percent(self) -> u32 {
        match self {
            Self::NotSubject | Self::NotDeclared | Self::Zero => 0,
            Self::Five => 5,
            Self::Eight => 8,
            Self::Ten => 10,
        }
    }
}

/// How the money came, HTTToan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentMethod {
    Transfer,
    Cash,
}
stored_as_text!(PaymentMethod { Transfer = "CK", Cash = "TM" });

/// The school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    pub name: String,
    pub tax_code: String,
    pub address: String,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
}

/// The paying parent. Without any name the buyer is printed as [`CONSUMER`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buyer {
    pub name: Option<String>,
    pub address: Option<String>,
    /// The pupil's code, MKHang.
    pub customer_code: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    /// Twelve digits, only when the parent asked for it.
    pub personal_id: Option<String>,
}

/// The literal text for a buyer who gives no data (NĐ 254/2026 annex 4 b).
pub const CONSUMER: &str = "Bán cho người tiêu dùng";

/// What a line documents, before the split: money collected for one bill line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    pub name: String,
    pub unit: String,
    pub quantity: Quantity,
    pub unit_price: Vnd,
    /// VAT included; for a part payment the collected part.
    pub amount: Vnd,
    pub rate: VatRate,
    /// Collected for somebody else: printed as KCT with the text "(thu hộ)".
    pub on_behalf: bool,
}

/// A line as printed (TChat 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub unit: Option<String>,
    /// `quantity × price` rounds to `net`; absent when no such pair of numbers exists.
    pub priced: Option<Priced>,
    pub net: Vnd,
    pub rate: VatRate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    pub quantity: Quantity,
    pub price: Decimal,
}

/// Totals of one rate, LTSuat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateTotal {
    pub rate: VatRate,
    pub net: Vnd,
    pub vat: Vnd,
}

/// A bill that the payment settled, for the extra fields of the invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillReference {
    pub bill_code: String,
    pub pupil_name: String,
    pub pupil_code: String,
    pub class_name: String,
}

/// Number and date, taken from the series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    pub form: Form,
    pub format: Format,
    /// KHHDon, six characters.
    pub symbol: String,
    /// SHDon, 1 to 99,999,999.
    pub number: i64,
    /// NLap.
    pub issue_day: Day,
}

/// The whole content of an invoice. Stored as JSON in `invoice.document`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub numbering: Numbering,
    pub payment_method: PaymentMethod,
    /// MSTTCGP: tax code of the maker of the invoicing software.
    pub solution_provider: String,
    pub seller: Seller,
    pub buyer: Buyer,
    pub bills: Vec<BillReference>,
    /// Opens the invoice on the school's look-up page; printed in it.
    pub lookup_code: String,
    pub lines: Vec<Line>,
    /// In the order in which the rates first appear.
    pub rates: Vec<RateTotal>,
    pub net: Vnd,
    pub vat: Vnd,
    /// `net + vat`: exactly what was collected.
    pub total: Vnd,
}

/// Everything but lines and totals.
#[derive(Clone, Debug)]
pub struct Heading {
    pub numbering: Numbering,
    pub payment_method: PaymentMethod,
    pub solution_provider: String,
    pub seller: Seller,
    pub buyer: Buyer,
    pub bills: Vec<BillReference>,
    pub lookup_code: String,
}

impl Document {
    /// Makes the content of an invoice over collected amounts.
    ///
    /// # Errors
    /// [`MoneyError`] when amounts leave their range.
    pub fn new(heading: Heading, collected: &[Collected]) -> Result<Self, MoneyError> {
        let (lines, rates) = split(heading.numbering.form, collected)?;
        let net = sum(rates.iter().map(|total| total.net))?;
        let vat = sum(rates.iter().map(|total| total.vat))?;
        Ok(Self {
            numbering: heading.numbering,
            payment_method: heading.payment_method,
            solution_provider: heading.solution_provider,
            seller: heading.seller,
            buyer: heading.buyer,
            bills: heading.bills,
            lookup_code: heading.lookup_code,
            lines,
            rates,
            net,
            vat,
            total: net.checked_add(vat).ok_or(MoneyError::OutOfRange)?,
        })
    }
}

fn sum(mut amounts: impl Iterator<Item = Vnd>) -> Result<Vnd, MoneyError> {
    amounts
        .try_fold(Vnd::ZERO, Vnd::checked_add)
        .ok_or(MoneyError::OutOfRange)
}

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
fn split(form: Form, collected: &[Collected]) -> Result<(Vec<Line>, Vec<RateTotal>), MoneyError> {
    let mut lines = Vec::with_capacity(collected.len());
    let mut rates: Vec<(RateTotal, Vnd)> = Vec::new();
    for item in collected {
        let rate = match form {
            Form::Sales => VatRate::NotSubject,
            Form::Vat if item.on_behalf => VatRate::NotSubject,
            Form::Vat => item.rate,
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
        *gross = gross
            .checked_add(item.amount)
            .ok_or(MoneyError::OutOfRange)?;
        let base = net_of(*gross, rate.percent())?;
        let net = base - total.net;
        total.net = base;
        total.vat = *gross - base;
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
    let whole = money::times(item.unit_price, item.quantity) == Ok(item.amount);
    let priced = if whole && !item.quantity.is_zero() {
        // The price of the bill includes VAT; the price of the invoice must multiply to the net.
        let price = if net == item.amount {
            Some(Decimal::from(item.unit_price.get()))
        } else {
            Decimal::from(net.get())
                .checked_div(item.quantity)
                .map(|price| price.round_dp(PRICE_DECIMALS).normalize())
        };
        price
            .filter(|price| {
                price
                    .checked_mul(item.quantity)
                    .is_some_and(|product| money::round_half_up(product) == Ok(net))
            })
            .map(|price| Priced {
                quantity: item.quantity.normalize(),
                price,
            })
    } else {
        None
    };
    Line {
        name,
        // A unit belongs to a quantity; services need neither (NĐ 254/2026 annex 5 a.2).
        unit: priced.is_some().then(|| item.unit.clone()),
        priced,
        net,
        rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::dec;

    fn item(amount: i64, rate: VatRate) -> Collected {
        Collected {
            name: "Áo đồng phục".into(),
            unit: "chiếc".into(),
            quantity: dec!(2),
            unit_price: Vnd::new(amount / 2),
            amount: Vnd::new(amount),
            rate,
            on_behalf: false,
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
