//! Invoices the authority has taken. A refused number stays unused and may come again.

use std::collections::BTreeMap;

use super::check::{Corrects, Invoice};
use super::reason::{self, Reason};

/// One invoice in the authority's books.
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
    /// `MCCQT`; empty for an invoice without code.
    pub code: String,
    /// `MTDiep` of the message that brought it.
    pub message_id: String,
    /// Unix seconds.
    pub accepted_at: i64,
    /// It has been replaced by another one.
    pub replaced: bool,
    /// How its first error was corrected, `TCHDon`.
    pub method: Option<String>,
}

type Series = (String, String, String);

/// A mistake of the seller, as far as the reason code says so; 2.1.0 has none.
fn is_error(corrects: &Corrects) -> bool {
    corrects.reason.as_deref() == Some("13")
}

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

    pub fn all(&self) -> Vec<AcceptedInvoice> {
        self.series
            .values()
            .flat_map(|numbers| numbers.values().cloned())
            .collect()
    }

    /// A number is used once, dates do not fall while numbers rise, and a correction names an invoice in
    /// force and uses the method of the first one.
    pub fn conflicts(&self, invoice: &Invoice) -> Vec<Reason> {
        let mut reasons = self.conflicts_of_number(invoice);
        reasons.extend(self.conflict_of_correction(invoice));
        reasons
    }

    fn conflict_of_correction(&self, invoice: &Invoice) -> Option<Reason> {
        let corrects = invoice.corrects.as_ref()?;
        let wrong = |text: &str| Some(Reason::new(reason::RELATED, text));
        let Some(target) = self.find(
            &invoice.tax_code,
            &corrects.form,
            &corrects.symbol,
            corrects.number,
        ) else {
            return wrong("Hóa đơn liên quan không có");
        };
        if target.replaced {
            return wrong("Hóa đơn liên quan đã bị thay thế");
        }
        let other_way = target
            .method
            .as_ref()
            .is_some_and(|first| *first != corrects.nature);
        if other_way && is_error(corrects) {
            return wrong("Sai sót lần sau phải xử lý theo hình thức đã chọn lần đầu");
        }
        None
    }

    fn conflicts_of_number(&self, invoice: &Invoice) -> Vec<Reason> {
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
                "Số hóa đơn {} của ký hiệu {} đã được sử dụng",
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
        let method = invoice.corrects.as_ref().and_then(|corrects| {
            let series = (
                invoice.tax_code.clone(),
                corrects.form.clone(),
                corrects.symbol.clone(),
            );
            let target = self.series.get_mut(&series)?.get_mut(&corrects.number)?;
            if is_error(corrects) {
                target.method.get_or_insert(corrects.nature.clone());
            }
            target.replaced |= corrects.nature == "1";
            // A replacement goes on with what bound the invoice it replaces.
            (corrects.nature == "1").then(|| target.method.clone())?
        });
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
            replaced: false,
            method,
        };
        self.series
            .entry(series)
            .or_default()
            .insert(accepted.number, accepted);
    }
}
