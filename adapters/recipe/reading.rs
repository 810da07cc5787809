//! Fields of a message to the normal form.

use std::borrow::Cow;

use super::fields::{Fields, malformed};
use super::memo::Patterns;
use super::plan::{
    AmountPlan, CurrencyPlan, DirectionPlan, OrderRefPlan, ReadingPlan, StatusPlan, TextPlan,
};
use super::values;
use crate::contract::{Claimed, Credentials, Notice, Reason, Rejection, Status, Vnd};

/// Longest text taken over into an identifier; longer ones are attacks or mistakes.
const IDENTIFIER_BYTES_MAX: usize = 200;

impl ReadingPlan {
    /// The notice of an authentic message.
    ///
    /// # Errors
    /// [`Reason::Malformed`] naming the field that is missing or unreadable.
    pub(super) fn notice(
        &self,
        fields: &Fields<'_>,
        credentials: &Credentials,
        patterns: &Patterns,
    ) -> Result<Notice, Rejection> {
        let amount = self
            .amount
            .as_ref()
            .ok_or_else(|| malformed("the recipe reads no amount"))?;
        let (status, mut remark) = self.status(fields)?;
        if remark.is_none() && self.names_a_stranger(fields, credentials) {
            remark = Some(Reason::WrongMerchant);
        }
        let shown = |name: &str| {
            let text = fields.get(name)?.text_lossy()?;
            (!text.is_empty()).then(|| text.into_owned())
        };
        let merchant = self.merchant.as_ref().and_then(|plan| {
            let field = fields.get(plan.fields.first()?)?;
            field.text_lossy().map(Cow::into_owned)
        });
        Ok(Notice {
            transaction_id: match &self.transaction_id {
                Some(plan) => plan.read(fields)?,
                None => None,
            },
            order_ref: self.order_ref(fields, credentials, patterns)?,
            amount: amount.read(fields)?,
            currency: self.currency(fields)?,
            status,
            remark,
            occurred_at_unix: self.occurred_at.as_ref().and_then(|(name, format)| {
                let text = fields.get(name)?.text().ok()??;
                values::moment(&text, *format)
            }),
            memo: self.memo.iter().find_map(|name| shown(name)),
            account: self.account.as_deref().and_then(shown),
            bank_reference: self.bank_reference.as_deref().and_then(shown),
            merchant,
            bill_ref: None,
        })
    }

    /// The same without believing anything: what cannot be read stays empty.
    pub(super) fn claims(
        &self,
        fields: &Fields<'_>,
        credentials: &Credentials,
        patterns: &Patterns,
    ) -> Claimed {
        Claimed {
            transaction_id: self
                .transaction_id
                .as_ref()
                .and_then(|plan| plan.read(fields).ok()?),
            order_ref: self.order_ref(fields, credentials, patterns).ok().flatten(),
            amount: self.amount.as_ref().and_then(|plan| plan.read(fields).ok()),
            currency: self.currency(fields).ok(),
            status: self
                .status
                .as_ref()
                .and_then(|_| self.status(fields).ok())
                .map(|(status, _)| status),
        }
    }

    fn order_ref(
        &self,
        fields: &Fields<'_>,
        credentials: &Credentials,
        patterns: &Patterns,
    ) -> Result<Option<String>, Rejection> {
        match &self.order_ref {
            None => Ok(None),
            Some(OrderRefPlan::Field(plan)) => plan.read(fields),
            Some(OrderRefPlan::Search {
                fields: names,
                pattern,
            }) => {
                let Some(pattern) = credentials.get(pattern) else {
                    return Ok(None);
                };
                let texts: Vec<_> = names
                    .iter()
                    .filter_map(|name| fields.get(name)?.text_lossy())
                    .collect();
                let texts: Vec<_> = texts.iter().map(AsRef::as_ref).collect();
                Ok(patterns.find(pattern, &texts))
            }
        }
    }

    fn currency(&self, fields: &Fields<'_>) -> Result<String, Rejection> {
        match &self.currency {
            CurrencyPlan::Constant(code) => Ok(code.clone()),
            CurrencyPlan::Field(name) => Ok(required(fields, name)?.to_ascii_uppercase()),
        }
    }

    fn names_a_stranger(&self, fields: &Fields<'_>, credentials: &Credentials) -> bool {
        let Some(plan) = &self.merchant else {
            return false;
        };
        let ours = credentials.get(&plan.credential).unwrap_or_default();
        !ours.is_empty()
            && !plan.fields.iter().any(|name| {
                fields
                    .get(name)
                    .and_then(|field| field.text().ok()?)
                    .is_some_and(|value| value == ours)
            })
    }

    fn status(&self, fields: &Fields<'_>) -> Result<(Status, Option<Reason>), Rejection> {
        if let Some(direction) = &self.direction
            && !direction.is_incoming(fields)?
        {
            return Ok((Status::Ignored, Some(Reason::Outgoing)));
        }
        match &self.status {
            None => Ok((Status::Unknown, None)),
            Some(StatusPlan::Always(status)) => Ok((*status, None)),
            Some(StatusPlan::Table { codes, rows }) => {
                let codes = codes
                    .iter()
                    .map(|name| required(fields, name))
                    .collect::<Result<Vec<_>, _>>()?;
                let row = rows.iter().find(|row| {
                    let mut pairs = row.when.iter().zip(&codes);
                    pairs.all(|(want, code)| want.as_ref().is_none_or(|want| want == code))
                });
                Ok((row.map_or(Status::Unknown, |row| row.status), None))
            }
        }
    }
}

impl TextPlan {
    fn read(&self, fields: &Fields<'_>) -> Result<Option<String>, Rejection> {
        let text = text(fields, &self.from)?.filter(|text| !text.is_empty());
        match text {
            None if self.required => Err(malformed(format!("{} is missing", self.from))),
            None => Ok(None),
            Some(text) if self.none_when.iter().any(|none| *none == text) => Ok(None),
            Some(text) if text.len() > IDENTIFIER_BYTES_MAX || text.contains(char::is_control) => {
                Err(malformed(format!("{} is not an identifier", self.from)))
            }
            Some(text) => Ok(Some(text.into_owned())),
        }
    }
}

impl AmountPlan {
    fn read(&self, fields: &Fields<'_>) -> Result<Vnd, Rejection> {
        let text = required(fields, &self.from)?;
        values::amount(&text, self.scale, self.zero_fraction)
            .ok_or_else(|| malformed(format!("{} is not an amount of whole đồng", self.from)))
    }
}

impl DirectionPlan {
    fn is_incoming(&self, fields: &Fields<'_>) -> Result<bool, Rejection> {
        let text = required(fields, &self.from)?;
        let among = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(&text));
        if among(&self.incoming) {
            Ok(true)
        } else if among(&self.outgoing) {
            Ok(false)
        } else {
            Err(malformed(format!("{} is not a direction", self.from)))
        }
    }
}

fn required<'a>(fields: &Fields<'a>, name: &str) -> Result<Cow<'a, str>, Rejection> {
    text(fields, name)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(format!("{name} is missing")))
}

fn text<'a>(fields: &Fields<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Rejection> {
    match fields.get(name) {
        None => Ok(None),
        Some(field) => field
            .text()
            .map_err(|_| malformed(format!("{name} cannot be read"))),
    }
}
