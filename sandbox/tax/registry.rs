//! Invoices that have a code. A refused number stays unused and may come again.

use std::collections::BTreeMap;

use super::check::Invoice;
use super::reason::{self, Reason};

/// One coded invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedInvoice {
    pub tax_code: String,
    pub form: String,
    pub symbol: String,
    pub number: u32,
    /// `NLap`, ISO.
    pub day: String,
    /// `TgTTTBSo`, whole đồng.
    pub total: i64,
    /// `MCCQT`
    pub code: String,
    /// `MTDiep` of the message that brought it.
    pub message_id: String,
    /// Unix seconds.
    pub accepted_at: i64,
}

type Series = (String, String, String);

#[derive(Default)]
pub(super) struct Registry {
    series: BTreeMap<Series, BTreeMap<u32, AcceptedInvoice>>,
}

impl Registry {
    pub fn find(
        &self,
        tax_code: &str,
        form: &str,
        symbol: &str,
        number: u32,
    ) -> Option<&AcceptedInvoice> {
        let series = (tax_code.to_owned(), form.to_owned(), symbol.to_owned());
        self.series.get(&series)?.get(&number)
    }

    pub fn of(&self, tax_code: &str) -> Vec<AcceptedInvoice> {
        self.series
            .iter()
            .filter(|((seller, _, _), _)| seller == tax_code)
            .flat_map(|(_, numbers)| numbers.values().cloned())
            .collect()
    }

    /// A number is used once, and dates do not fall while numbers rise.
    pub fn conflicts(&self, invoice: &Invoice) -> Vec<Reason> {
        let series = (
            invoice.tax_code.clone(),
            invoice.form.clone(),
            invoice.symbol.clone(),
        );
        let Some(numbers) = self.series.get(&series) else {
            return Vec::new();
        };
        if numbers.contains_key(&invoice.number) {
            let text = format!(
                "Số hóa đơn {} của ký hiệu {} đã được cấp mã",
                invoice.number, invoice.symbol
            );
            return vec![Reason::new(reason::NUMBER_USED, text)];
        }
        let before = numbers
            .range(..invoice.number)
            .next_back()
            .map(|(_, other)| other);
        let after = numbers
            .range(invoice.number..)
            .next()
            .map(|(_, other)| other);
        if before.is_some_and(|other| other.day > invoice.day) {
            return vec![Reason::new(
                reason::DATE,
                "NLap trước ngày của hóa đơn có số nhỏ hơn",
            )];
        }
        if after.is_some_and(|other| other.day < invoice.day) {
            return vec![Reason::new(
                reason::DATE,
                "NLap sau ngày của hóa đơn có số lớn hơn",
            )];
        }
        Vec::new()
    }

    pub fn enter(&mut self, invoice: Invoice, code: String, message_id: String, now: i64) {
        let series = (
            invoice.tax_code.clone(),
            invoice.form.clone(),
            invoice.symbol.clone(),
        );
        let accepted = AcceptedInvoice {
            tax_code: invoice.tax_code,
            form: invoice.form,
            symbol: invoice.symbol,
            number: invoice.number,
            day: invoice.day,
            total: invoice.total,
            code,
            message_id,
            accepted_at: now,
        };
        self.series
            .entry(series)
            .or_default()
            .insert(accepted.number, accepted);
    }
}
