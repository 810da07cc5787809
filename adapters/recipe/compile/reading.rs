//! `[*.read]`: how fields become a notice.

use std::ops::Range;

use toml::Spanned;

use super::Compiler;
use crate::contract::Status;
use crate::recipe::file::{CurrencyFile, OrderRefFile, ReadingFile, StatusFile, TextFile};
use crate::recipe::plan::{
    AmountPlan, CurrencyPlan, DirectionPlan, MerchantPlan, OrderRefPlan, ReadingPlan, StatusPlan,
    StatusRow, TextPlan,
};

impl Compiler<'_> {
    pub(super) fn reading(&mut self, file: &Spanned<ReadingFile>) -> Option<ReadingPlan> {
        let place = file.span();
        let file = file.get_ref();
        if file.amount.as_ref().is_some_and(|amount| amount.scale < 1) {
            self.wrong(&place, "a scale is at least 1");
            return None;
        }
        let order_ref = match &file.order_ref {
            None => None,
            Some(OrderRefFile {
                from: Some(from),
                required,
                search,
                pattern: None,
            }) if search.is_empty() => Some(OrderRefPlan::Field(TextPlan {
                from: from.clone(),
                required: *required,
                none_when: Vec::new(),
            })),
            Some(OrderRefFile {
                from: None,
                required: false,
                search,
                pattern: Some(pattern),
            }) if !search.is_empty() => Some(OrderRefPlan::Search {
                fields: search.clone(),
                pattern: pattern.clone(),
            }),
            Some(_) => {
                self.wrong(
                    &place,
                    "order_ref is from a field, or search with a pattern",
                );
                return None;
            }
        };
        if file
            .merchant
            .as_ref()
            .is_some_and(|merchant| merchant.from.is_empty())
        {
            self.wrong(&place, "merchant needs a field");
        }
        let status = match &file.status {
            Some(status) => Some(self.status(&place, status)?),
            None => None,
        };
        Some(ReadingPlan {
            transaction_id: file.transaction_id.as_ref().map(text),
            order_ref,
            amount: file.amount.as_ref().map(|amount| AmountPlan {
                from: amount.from.clone(),
                scale: amount.scale,
                zero_fraction: amount.zero_fraction,
            }),
            currency: match &file.currency {
                CurrencyFile::Constant(code) => CurrencyPlan::Constant(code.clone()),
                CurrencyFile::From(name) => CurrencyPlan::Field(name.clone()),
            },
            occurred_at: file
                .occurred_at
                .as_ref()
                .map(|time| (time.from.clone(), time.format)),
            memo: file.memo.clone(),
            account: file.account.clone(),
            bank_reference: file.bank_reference.clone(),
            merchant: file.merchant.as_ref().map(|merchant| MerchantPlan {
                fields: merchant.from.clone(),
                credential: merchant.credential.clone(),
            }),
            direction: file.direction.as_ref().map(|direction| DirectionPlan {
                from: direction.from.clone(),
                incoming: direction.incoming.clone(),
                outgoing: direction.outgoing.clone(),
            }),
            status,
        })
    }

    fn status(&mut self, place: &Range<usize>, file: &StatusFile) -> Option<StatusPlan> {
        match (file.always, file.codes.is_empty(), file.table.last()) {
            (Some(status), true, None) => Some(StatusPlan::Always(status)),
            (None, false, Some(last)) => {
                for row in &file.table {
                    if row.get_ref().when.len() != file.codes.len() {
                        self.wrong(&row.span(), "a row has one text for each code");
                        return None;
                    }
                }
                let last_row = last.get_ref();
                if last_row.when.iter().any(|code| code != "*") {
                    self.wrong(&last.span(), "the last row must fit every code");
                }
                if last_row.is == Status::Paid {
                    self.wrong(&last.span(), "an unknown code is never a payment");
                }
                let rows = file
                    .table
                    .iter()
                    .map(Spanned::get_ref)
                    .map(|row| StatusRow {
                        when: row
                            .when
                            .iter()
                            .map(|code| (code != "*").then(|| code.clone()))
                            .collect(),
                        status: row.is,
                    });
                Some(StatusPlan::Table {
                    codes: file.codes.clone(),
                    rows: rows.collect(),
                })
            }
            _ => {
                self.wrong(place, "status is always one, or codes with a table");
                None
            }
        }
    }
}

fn text(file: &TextFile) -> TextPlan {
    TextPlan {
        from: file.from.clone(),
        required: file.required,
        none_when: file.none_when.clone(),
    }
}
