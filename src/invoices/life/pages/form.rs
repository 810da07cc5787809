//! The form for a wrong invoice, as typed and as content.

use std::collections::HashMap;

use crate::invoices::document::{Buyer, VatRate};
use crate::invoices::life::content::{Content, ContentLine};
use crate::money;
use crate::schools::text::clean;

/// What a person wants done about a wrong invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// 04/SS-HĐĐT: nothing is issued again.
    Notice,
    Adjust,
    Replace,
    /// A price that an authority set later.
    Authority,
    /// The authority refused it: the same number again.
    Mend,
}
crate::stored_as_text!(Deed {
    Notice = "NOTICE",
    Adjust = "ADJUST",
    Replace = "REPLACE",
    Authority = "AUTHORITY",
    Mend = "MEND",
});

/// A line of the form.
#[derive(Clone, Debug)]
pub struct LineForm {
    pub seq: i64,
    pub name: String,
    pub amount: String,
    pub rate: String,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct CorrectForm {
    pub once: String,
    pub deed: String,
    pub why: String,
    pub agreement: String,
    pub name: String,
    pub organisation: String,
    pub tax_code: String,
    pub budget_code: String,
    pub address: String,
    pub personal_id: String,
    pub lines: Vec<LineForm>,
}

impl CorrectForm {
    pub fn of(content: &Content, once: String) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let buyer = &content.buyer;
        Self {
            once,
            name: text(&buyer.name),
            organisation: text(&buyer.organisation),
            tax_code: text(&buyer.tax_code),
            budget_code: text(&buyer.budget_code),
            address: text(&buyer.address),
            personal_id: text(&buyer.personal_id),
            lines: content
                .lines
                .iter()
                .map(|line| LineForm {
                    seq: line.seq,
                    name: line.name.clone(),
                    amount: line.amount.to_string().replace("\u{a0}₫", ""),
                    rate: line.rate.as_str().to_owned(),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// Over what stands, so that a field that was not sent stays.
    pub fn typed(content: &Content, sent: &HashMap<String, String>) -> Self {
        let mut form = Self::of(content, String::new());
        let take = |field: &str, place: &mut String| {
            if let Some(value) = sent.get(field) {
                *place = clean(value);
            }
        };
        take("once", &mut form.once);
        take("deed", &mut form.deed);
        take("why", &mut form.why);
        take("agreement", &mut form.agreement);
        take("name", &mut form.name);
        take("organisation", &mut form.organisation);
        take("tax_code", &mut form.tax_code);
        take("budget_code", &mut form.budget_code);
        take("address", &mut form.address);
        take("personal_id", &mut form.personal_id);
        for line in &mut form.lines {
            take(&format!("name_{}", line.seq), &mut line.name);
            take(&format!("amount_{}", line.seq), &mut line.amount);
            take(&format!("rate_{}", line.seq), &mut line.rate);
        }
        form
    }

    /// The content as typed; the sequence number of a line whose amount or rate is not understood.
    pub fn read(&self, before: &Content) -> Result<Content, i64> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut lines = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            lines.push(ContentLine {
                seq: line.seq,
                name: line.name.clone(),
                amount: money::typed(&line.amount)
                    .filter(|amount| !amount.is_negative())
                    .ok_or(line.seq)?,
                rate: VatRate::parse(&line.rate).ok_or(line.seq)?,
            });
        }
        Ok(Content {
            buyer: Buyer {
                name: given(&self.name),
                organisation: given(&self.organisation),
                tax_code: given(&self.tax_code),
                budget_code: given(&self.budget_code),
                address: given(&self.address),
                personal_id: given(&self.personal_id),
                ..before.buyer.clone()
            },
            lines,
        })
    }
}
