//! The content of an invoice: everything that stands in it, fixed together with its number.
//!
//! A school collects amounts that include VAT. [`Document::new`] splits them by the rule "backwards
//! from what was collected" ([`net_of`]), so that the total of the invoice is the collected money to
//! the đồng.

mod related;
mod split;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::clock::Day;
use crate::money::{MoneyError, Quantity, Vnd};
use crate::stored_as_text;

pub use related::{Correction, CorrectionReason, Regime, Related};
pub use split::net_of;
use split::split;

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
    /// Both, or not yet known.
    Either,
}
stored_as_text!(PaymentMethod {
    Transfer = "CK",
    Cash = "TM",
    Either = "TM/CK",
});

/// The school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    pub name: String,
    pub tax_code: String,
    pub address: String,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
}

/// Who pays (einvoice §1.6): a parent, or an organisation on a pupil's behalf. Without any name the
/// buyer is printed as [`CONSUMER`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Buyer {
    /// HVTNMHang: the person.
    pub name: Option<String>,
    /// Ten: the organisation; it needs an address when it gives a tax or budget code.
    pub organisation: Option<String>,
    pub tax_code: Option<String>,
    /// MDVQHNSach, 7 characters: a unit of the state budget.
    pub budget_code: Option<String>,
    pub address: Option<String>,
    /// The pupil's code, MKHang.
    pub customer_code: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    /// Twelve digits, only when the parent asked for it.
    pub personal_id: Option<String>,
    /// SHChieu, of a foreigner.
    pub passport: Option<String>,
}

/// Who issues and signs for the seller (*ủy nhiệm*, TT 91/2026 art. 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trustee {
    pub tax_code: String,
    pub name: String,
    pub address: String,
}

/// The literal text for a buyer who gives no data (NĐ 254/2026 annex 4 b).
pub const CONSUMER: &str = "Bán cho người tiêu dùng";

/// Nature of a line, TChat (einvoice §2.8). Special goods (5) are read, never made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    #[default]
    Supply,
    /// Given away: printed, not counted.
    Promotion,
    /// A trade discount as a line of its own: its positive amount is subtracted.
    Discount,
    /// Text without amounts.
    Note,
}
stored_as_text!(LineKind {
    Supply = "1",
    Promotion = "2",
    Discount = "3",
    Note = "4",
});

/// What a line documents, before the split: money collected for one bill line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    pub kind: LineKind,
    pub name: String,
    pub unit: String,
    pub quantity: Quantity,
    pub unit_price: Vnd,
    /// What was taken off `quantity × unit_price`, VAT included; zero for none.
    pub discount: Vnd,
    /// VAT included; for a part payment the collected part. Negative on adjusting invoices only;
    /// of a discount line the positive amount to subtract.
    pub amount: Vnd,
    pub rate: VatRate,
    /// Collected for somebody else: printed as KCT with the text "(thu hộ)".
    pub on_behalf: bool,
}

impl Collected {
    /// One supply at its own price, without quantity or discount.
    pub fn supply(name: impl Into<String>, amount: Vnd, rate: VatRate) -> Self {
        Self {
            kind: LineKind::Supply,
            name: name.into(),
            unit: String::new(),
            quantity: Quantity::ZERO,
            unit_price: Vnd::ZERO,
            discount: Vnd::ZERO,
            amount,
            rate,
            on_behalf: false,
        }
    }

    /// A line of text.
    pub fn note(text: impl Into<String>) -> Self {
        Self {
            kind: LineKind::Note,
            ..Self::supply(text, Vnd::ZERO, VatRate::NotSubject)
        }
    }
}

/// A line as printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    #[serde(default)]
    pub kind: LineKind,
    pub name: String,
    pub unit: Option<String>,
    /// `quantity × price - discount` rounds to `net`; absent when no such numbers exist.
    pub priced: Option<Priced>,
    /// STCKhau, without VAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Vnd>,
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
    /// Entrusted issuing: this one signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trustee: Option<Trustee>,
    /// The invoice that this one adjusts or replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related: Option<Related>,
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
    pub trustee: Option<Trustee>,
    pub related: Option<Related>,
    pub bills: Vec<BillReference>,
    pub lookup_code: String,
}

impl Document {
    /// The tax code whose certificate must sign: the seller's, or that of the trustee.
    pub fn signer(&self) -> &str {
        self.trustee
            .as_ref()
            .map_or(&self.seller.tax_code, |trustee| &trustee.tax_code)
    }

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
            trustee: heading.trustee,
            related: heading.related,
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
