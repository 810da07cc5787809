//! `[*.read]`: how fields become a notice.

use std::ops::Range;

use toml::Spanned;

use super::Compiler;
use super::levels::Levels;
use crate::contract::Status;
use crate::recipe::file::{CurrencyFile, Names, OrderRefFile, ReadingFile, RowFile, TextFile};
use crate::recipe::plan::{
    AmountPlan, CODES_MAX, CurrencyPlan, DirectionPlan, MerchantPlan, OrderRefPlan, ReadingPlan,
    Row, StatusPlan, Table, TestPlan, TextPlan,
};

impl Compiler<'_> {
    pub(super) fn reading(
        &mut self,
        file: &Spanned<ReadingFile>,
        levels: &mut Levels,
    ) -> Option<ReadingPlan> {
        self.read(file, levels, false)
    }

    /// For replies: a code that is not there fits only a row for everything.
    pub(super) fn reading_leniently(
        &mut self,
        file: &Spanned<ReadingFile>,
        levels: &mut Levels,
    ) -> Option<ReadingPlan> {
        self.read(file, levels, true)
    }

    fn read(
        &mut self,
        spanned: &Spanned<ReadingFile>,
        levels: &mut Levels,
        lenient: bool,
    ) -> Option<ReadingPlan> {
        let place = spanned.span();
        let file = spanned.get_ref();
        if file.amount.as_ref().is_some_and(|amount| amount.scale < 1) {
            self.wrong(&place, "a scale is at least 1");
            return None;
        }
        let order_ref = match &file.order_ref {
            None => None,
            Some(order_ref) => Some(self.order_ref(&place, order_ref, levels)?),
        };
        if let Some(merchant) = &file.merchant {
            self.credential(&place, &merchant.credential);
            if merchant.from.as_slice().is_empty() {
                self.wrong(&place, "merchant needs a field");
            }
        }
        let status = match &file.status {
            None => None,
            Some(status) => {
                let at = status.span();
                let status = status.get_ref();
                match (status.always, status.codes.is_empty()) {
                    (Some(always), true) if status.table.is_empty() => {
                        Some(StatusPlan::Always(always))
                    }
                    (None, false) => {
                        if let Some(last) = status.table.last()
                            && last.get_ref().is == Status::Paid
                        {
                            self.wrong(&last.span(), "an unknown code is never a payment");
                        }
                        let (codes, rows) = (&status.codes, &status.table);
                        let table = self.table(&at, codes, rows, lenient, levels)?;
                        Some(StatusPlan::Table(table))
                    }
                    _ => {
                        self.wrong(&at, "status is always one, or codes with a table");
                        return None;
                    }
                }
            }
        };
        Some(ReadingPlan {
            transaction_id: file.transaction_id.as_ref().map(|f| text(f, levels)),
            order_ref,
            bill_ref: file.bill_ref.as_ref().map(|f| text(f, levels)),
            amount: file.amount.as_ref().map(|amount| AmountPlan {
                from: levels.fields(amount.from.as_slice()),
                scale: amount.scale,
                zero_fraction: amount.zero_fraction,
                negative_is_outgoing: amount.negative.is_some(),
                zero_is_outgoing: amount.zero.is_some(),
            }),
            currency: match &file.currency {
                CurrencyFile::Constant { constant } => CurrencyPlan::Constant(constant.clone()),
                CurrencyFile::From { from, or } => CurrencyPlan::Field {
                    from: levels.fields(from.as_slice()),
                    or: or.clone(),
                },
            },
            occurred_at: file
                .occurred_at
                .as_ref()
                .map(|time| (levels.field(&time.from), time.format)),
            memo: levels.fields(file.memo.as_slice()),
            account: levels.fields(file.account.as_slice()),
            bank_reference: levels.fields(file.bank_reference.as_slice()),
            merchant: file.merchant.as_ref().map(|merchant| MerchantPlan {
                fields: levels.fields(merchant.from.as_slice()),
                credential: merchant.credential.clone(),
            }),
            direction: file.direction.as_ref().map(|direction| DirectionPlan {
                from: levels.fields(direction.from.as_slice()),
                incoming: direction.incoming.clone(),
                outgoing: direction.outgoing.clone(),
                optional: direction.optional,
            }),
            test: file.test.as_ref().map(|test| TestPlan {
                from: levels.fields(test.from.as_slice()),
                is: test.is.clone(),
                if_unknown: test.if_unknown,
            }),
            status,
        })
    }

    fn order_ref(
        &mut self,
        place: &Range<usize>,
        file: &OrderRefFile,
        levels: &mut Levels,
    ) -> Option<OrderRefPlan> {
        let search = match (&file.pattern, file.search.is_empty()) {
            (Some(pattern), false) => {
                self.credential(place, pattern);
                Some((levels.fields(&file.search), pattern.clone()))
            }
            (None, true) => None,
            _ => {
                self.wrong(place, "order_ref is searched for with a pattern");
                return None;
            }
        };
        if file.from.is_none() && search.is_none() || file.required && search.is_some() {
            self.wrong(place, "order_ref is from a field, or search with a pattern");
            return None;
        }
        Some(OrderRefPlan {
            from: file.from.as_ref().map(|from| TextPlan {
                from: levels.fields(from.as_slice()),
                required: file.required,
                none_when: Vec::new(),
            }),
            search,
        })
    }

    pub(super) fn table<T: Copy>(
        &mut self,
        place: &Range<usize>,
        codes: &[Names],
        rows: &[Spanned<RowFile<T>>],
        lenient: bool,
        levels: &mut Levels,
    ) -> Option<Table<T>> {
        let Some(last) = rows.last() else {
            self.wrong(place, "codes need a table");
            return None;
        };
        if codes.len() > CODES_MAX {
            self.wrong(place, format!("a table joins at most {CODES_MAX} codes"));
            return None;
        }
        for row in rows {
            if row.get_ref().when.len() != codes.len() {
                self.wrong(&row.span(), "a row has one text for each code");
                return None;
            }
        }
        if last.get_ref().when.iter().any(|code| code != "*") {
            self.wrong(&last.span(), "the last row must fit every code");
        }
        let texts = |cell: &String| match cell.as_str() {
            "*" => Vec::new(),
            cell => cell.split('|').map(str::to_owned).collect(),
        };
        Some(Table {
            codes: codes
                .iter()
                .map(|names| levels.fields(names.as_slice()))
                .collect(),
            // A row for the empty text says that the code may be missing.
            lenient: lenient
                || rows.iter().any(|row| {
                    let cells = &row.get_ref().when;
                    cells.iter().any(|cell| cell.split('|').any(str::is_empty))
                }),
            rows: rows
                .iter()
                .map(Spanned::get_ref)
                .map(|row| Row {
                    when: row.when.iter().map(texts).collect(),
                    is: row.is,
                })
                .collect(),
        })
    }
}

fn text(file: &TextFile, levels: &mut Levels) -> TextPlan {
    TextPlan {
        from: levels.fields(file.from.as_slice()),
        required: file.required,
        none_when: file.none_when.clone(),
    }
}
