//! Which collected money is invoiced, how it is described, and on which day.

use rust_decimal::Decimal;

use super::document::{Collected, VatRate};
use crate::clock::Day;
use crate::money::Vnd;
use crate::stored_as_text;

/// What a school's office wants invoiced (school-fees §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The directive's wish: tuition, insurance and every other collection.
    InvoiceAll,
    /// Only what the school itself supplies.
    ByNature,
}
stored_as_text!(Policy { InvoiceAll = "INVOICE_ALL", ByNature = "BY_NATURE" });

/// The document an item asks for by its nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentRule {
    Invoice,
    Receipt,
    None,
}
stored_as_text!(DocumentRule { Invoice = "INVOICE", Receipt = "RECEIPT", None = "NONE" });

/// Settled money of one bill line, with what an invoice says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub name: String,
    pub unit: String,
    pub quantity: Decimal,
    pub unit_price: Vnd,
    /// The part that this payment settled.
    pub amount: Vnd,
    pub collection_class: String,
    pub document_rule: DocumentRule,
    pub rate: VatRate,
}

/// Whether this money wants an invoice.
pub const fn wants_invoice(policy: Policy, rule: DocumentRule) -> bool {
    match (policy, rule) {
        (_, DocumentRule::None) => false,
        (_, DocumentRule::Invoice) | (Policy::InvoiceAll, DocumentRule::Receipt) => true,
        (Policy::ByNature, DocumentRule::Receipt) => false,
    }
}

/// Whether this money wants a receipt: what by nature takes no invoice, where that decides.
pub const fn wants_receipt(policy: Policy, rule: DocumentRule) -> bool {
    matches!((policy, rule), (Policy::ByNature, DocumentRule::Receipt))
}

/// The line of the invoice. Money that by nature gets a receipt is somebody else's, so under
/// `INVOICE_ALL` it is printed outside VAT and as collected on behalf.
pub fn described(settled: Settled) -> Collected {
    let on_behalf =
        settled.collection_class == "ON_BEHALF" || settled.document_rule == DocumentRule::Receipt;
    Collected {
        unit: settled.unit,
        quantity: settled.quantity,
        unit_price: settled.unit_price,
        on_behalf,
        ..Collected::supply(settled.name, settled.amount, settled.rate)
    }
}

/// The symbol of a school's invoices of a year: `C26TAA`.
pub fn symbol(coding: &str, day: Day, letters: &str) -> String {
    format!("{coding}{:02}{letters}", day.year().rem_euclid(100))
}

/// The day that selects rules and symbol: when the money came (PC-9), never after today.
pub fn collection_day(paid: Day, today: Day) -> Day {
    paid.min(today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_decides_over_receipts_and_nothing_over_none() {
        use DocumentRule::{Invoice, None, Receipt};
        let wanted = |policy| [Invoice, Receipt, None].map(|rule| wants_invoice(policy, rule));
        assert_eq!(wanted(Policy::InvoiceAll), [true, true, false]);
        assert_eq!(wanted(Policy::ByNature), [true, false, false]);
        let receipted = |policy| [Invoice, Receipt, None].map(|rule| wants_receipt(policy, rule));
        assert_eq!(receipted(Policy::InvoiceAll), [false, false, false]);
        assert_eq!(receipted(Policy::ByNature), [false, true, false]);
        let day = Day::new(2026, 11, 23).unwrap();
        assert_eq!(symbol("C", day, "TAA"), "C26TAA");
    }
}
