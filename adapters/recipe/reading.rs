//! Fields of a message to the normal form.

use std::borrow::Cow;

use super::fields::malformed;
use super::memo::Patterns;
use super::message::Message;
use super::plan::{
    AmountPlan, CODES_MAX, CurrencyPlan, DirectionPlan, MerchantPlan, OrderRefPlan, ReadingPlan,
    Ref, StatusPlan, Table, TextPlan,
};
use super::secrets::Secrets;
use super::values;
use crate::contract::{Claimed, Notice, Reason, Rejection, Status, Vnd};

/// Longest text taken over into an identifier; longer ones are attacks or mistakes.
const IDENTIFIER_BYTES_MAX: usize = 200;

impl ReadingPlan {
    /// The notice of an authentic message.
    ///
    /// # Errors
    /// [`Reason::Malformed`] naming the field that is missing or unreadable.
    pub(super) fn notice(
        &self,
        message: &Message<'_>,
        secrets: Secrets<'_>,
        patterns: &Patterns,
    ) -> Result<Notice, Rejection> {
        let amount = self
            .amount
            .as_ref()
            .ok_or_else(|| malformed("the recipe reads no amount"))?
            .read(message)?;
        let (status, mut remark) = self.status(message, Some(amount))?;
        if remark.is_none() && self.names_a_stranger(message, secrets) {
            remark = Some(Reason::WrongMerchant);
        }
        if remark.is_none() && self.is_test(message)? {
            remark = Some(Reason::TestPing);
        }
        let if_unknown = self.test.as_ref().is_none_or(|test| test.if_unknown);
        let status = match remark {
            Some(Reason::TestPing) if !if_unknown => Status::Ignored,
            _ => status,
        };
        Ok(Notice {
            transaction_id: match &self.transaction_id {
                Some(plan) => plan.read(message)?,
                None => None,
            },
            order_ref: match &self.order_ref {
                Some(plan) => plan.read(message, secrets, patterns)?,
                None => None,
            },
            bill_ref: match &self.bill_ref {
                Some(plan) => plan.read(message)?,
                None => None,
            },
            amount,
            currency: self.currency.read(message)?,
            status,
            remark,
            occurred_at_unix: self.moment(message),
            memo: message.shown(&self.memo),
            account: message.shown(&self.account),
            bank_reference: message.shown(&self.bank_reference),
            merchant: self
                .merchant
                .as_ref()
                .and_then(|plan| message.shown(plan.fields.get(..1)?)),
        })
    }

    /// The same without believing anything: what cannot be read stays empty.
    pub(super) fn claims(
        &self,
        message: &Message<'_>,
        secrets: Secrets<'_>,
        patterns: &Patterns,
    ) -> Claimed {
        let amount = self
            .amount
            .as_ref()
            .and_then(|plan| plan.read(message).ok());
        Claimed {
            transaction_id: self
                .transaction_id
                .as_ref()
                .and_then(|plan| plan.read(message).ok()?),
            order_ref: self
                .order_ref
                .as_ref()
                .and_then(|plan| plan.read(message, secrets, patterns).ok()?),
            amount,
            currency: self.currency.read(message).ok(),
            status: self
                .status
                .as_ref()
                .and_then(|_| self.status(message, amount).ok())
                .map(|(status, _)| status),
        }
    }

    /// When it happened; nothing where the provider does not say it plainly.
    pub(super) fn moment(&self, message: &Message<'_>) -> Option<i64> {
        let (name, format) = self.occurred_at.as_ref()?;
        let text = message.text(std::slice::from_ref(name)).ok()??;
        values::moment(&text, *format)
    }

    pub(super) fn names_a_stranger(&self, message: &Message<'_>, secrets: Secrets<'_>) -> bool {
        self.merchant
            .as_ref()
            .is_some_and(|plan| plan.is_stranger(message, secrets))
    }

    fn is_test(&self, message: &Message<'_>) -> Result<bool, Rejection> {
        let Some(test) = &self.test else {
            return Ok(false);
        };
        let text = message.text(&test.from)?;
        Ok(text.is_some_and(|text| test.is.iter().any(|value| *value == text)))
    }

    /// The status, and why where that is not plain.
    pub(super) fn status(
        &self,
        message: &Message<'_>,
        amount: Option<Vnd>,
    ) -> Result<(Status, Option<Reason>), Rejection> {
        let told = match &self.direction {
            Some(direction) => direction.is_incoming(message)?,
            None => None,
        };
        let outgoing = match told {
            Some(incoming) => !incoming,
            None => amount.is_some_and(|amount| {
                let zero_is_outgoing = || self.amount.as_ref().is_some_and(|a| a.zero_is_outgoing);
                amount.is_negative() || amount.is_zero() && zero_is_outgoing()
            }),
        };
        if outgoing {
            return Ok((Status::Ignored, Some(Reason::Outgoing)));
        }
        match &self.status {
            None => Ok((Status::Unknown, None)),
            Some(StatusPlan::Always(status)) => Ok((*status, None)),
            Some(StatusPlan::Table(table)) => {
                Ok((table.find(message)?.unwrap_or(Status::Unknown), None))
            }
        }
    }
}

impl<T: Copy> Table<T> {
    /// # Errors
    /// [`Rejection`] when a code is missing that must be there.
    pub(super) fn find(&self, message: &Message<'_>) -> Result<Option<T>, Rejection> {
        let mut codes: [Cow<'_, str>; CODES_MAX] = Default::default();
        for (code, names) in codes.iter_mut().zip(&self.codes) {
            match message.text(names)? {
                Some(text) => *code = text,
                None if self.lenient => {}
                None => return Err(missing(names)),
            }
        }
        let row = self.rows.iter().find(|row| {
            let mut pairs = row.when.iter().zip(&codes);
            pairs.all(|(wanted, code)| wanted.is_empty() || wanted.iter().any(|text| text == code))
        });
        Ok(row.map(|row| row.is))
    }
}

impl MerchantPlan {
    fn is_stranger(&self, message: &Message<'_>, secrets: Secrets<'_>) -> bool {
        let ours = secrets.get(&self.credential).unwrap_or_default();
        !ours.is_empty()
            && !self.fields.iter().any(|name| {
                message
                    .text(std::slice::from_ref(name))
                    .ok()
                    .flatten()
                    .is_some_and(|value| value == ours)
            })
    }
}

impl OrderRefPlan {
    fn read(
        &self,
        message: &Message<'_>,
        secrets: Secrets<'_>,
        patterns: &Patterns,
    ) -> Result<Option<String>, Rejection> {
        if let Some(plan) = &self.from
            && let Some(text) = plan.read(message)?
        {
            return Ok(Some(text));
        }
        let Some((names, pattern)) = &self.search else {
            return Ok(None);
        };
        let Some(pattern) = secrets.get(pattern) else {
            return Ok(None);
        };
        let texts: Vec<_> = names
            .iter()
            .filter_map(|name| message.get(name)?.text_lossy())
            .collect();
        let texts: Vec<_> = texts.iter().map(AsRef::as_ref).collect();
        Ok(patterns.find(pattern, &texts))
    }
}

impl CurrencyPlan {
    pub(super) fn read(&self, message: &Message<'_>) -> Result<String, Rejection> {
        match self {
            Self::Constant(code) => Ok(code.clone()),
            Self::Field { from, or } => match (message.text(from)?, or) {
                (Some(text), _) if text.len() <= IDENTIFIER_BYTES_MAX => {
                    Ok(text.to_ascii_uppercase())
                }
                (None, Some(code)) => Ok(code.clone()),
                _ => Err(missing(from)),
            },
        }
    }
}

impl TextPlan {
    pub(super) fn read(&self, message: &Message<'_>) -> Result<Option<String>, Rejection> {
        match message.text(&self.from)? {
            None if self.required => Err(missing(&self.from)),
            None => Ok(None),
            Some(text) if self.none_when.iter().any(|none| *none == text) => Ok(None),
            Some(text) if text.len() > IDENTIFIER_BYTES_MAX || holds_control(&text) => Err(
                malformed(format!("{} is not an identifier", named(&self.from))),
            ),
            Some(text) => Ok(Some(text.into_owned())),
        }
    }
}

impl AmountPlan {
    pub(super) fn read(&self, message: &Message<'_>) -> Result<Vnd, Rejection> {
        let text = message
            .text(&self.from)?
            .ok_or_else(|| missing(&self.from))?;
        let (text, sign) = match text.strip_prefix('-') {
            Some(digits) if self.negative_is_outgoing => (digits, -1),
            _ => (text.as_ref(), 1),
        };
        values::amount(text, self.scale, self.zero_fraction)
            .and_then(|amount| amount.checked_mul(sign))
            .ok_or_else(|| {
                let name = named(&self.from);
                malformed(format!("{name} is not an amount of whole đồng"))
            })
    }
}

impl DirectionPlan {
    /// `None` where it may be left out and is.
    fn is_incoming(&self, message: &Message<'_>) -> Result<Option<bool>, Rejection> {
        let Some(text) = message.text(&self.from)? else {
            return if self.optional {
                Ok(None)
            } else {
                Err(missing(&self.from))
            };
        };
        let among = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(&text));
        if among(&self.incoming) {
            Ok(Some(true))
        } else if among(&self.outgoing) {
            Ok(Some(false))
        } else {
            Err(malformed(format!(
                "{} is not a direction",
                named(&self.from)
            )))
        }
    }
}

fn holds_control(text: &str) -> bool {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    !plain && text.contains(char::is_control)
}

fn named(names: &[Ref]) -> &str {
    names.first().map_or("a field", |name| name.name.as_str())
}

fn missing(names: &[Ref]) -> Rejection {
    malformed(format!("{} is missing", named(names)))
}
