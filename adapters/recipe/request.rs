//! Messages of ours: an order or a set of fields to a signed call.

use super::fields::Fields;
use super::plan::{OrderMember, OrderValue, Payload, RequestBody, RequestPlan, RequestValue};
use super::values;
use crate::contract::{Call, Credentials, Fault, Order};

impl RequestPlan {
    /// The provider's fields of an order, unsigned.
    ///
    /// # Errors
    /// [`Fault`] naming the field the provider would refuse.
    pub(super) fn fields_of(
        &self,
        order: &Order,
        credentials: &Credentials,
    ) -> Result<Vec<(String, String)>, Fault> {
        self.fields
            .iter()
            .map(|(name, value)| {
                let text = match value {
                    RequestValue::Text(text) => text.clone(),
                    RequestValue::Credential(credential) => {
                        configured(credentials, credential)?.to_owned()
                    }
                    RequestValue::Order(value) => value
                        .text(order)
                        .map_err(|why| Fault::never(format!("{name} cannot be written: {why}")))?,
                };
                Ok((name.clone(), text))
            })
            .collect()
    }

    /// # Errors
    /// [`Fault`] when an address or key is not configured.
    pub(super) fn call(
        &self,
        fields: &[(String, String)],
        credentials: &Credentials,
    ) -> Result<Call, Fault> {
        let address = configured(credentials, &self.address)?;
        let key = self.signature.key(credentials).ok_or_else(|| {
            Fault::never(format!(
                "the credential {} is not usable",
                self.signature.key
            ))
        })?;
        let Payload::Fields(payload) = &self.signature.payload else {
            return Err(Fault::never("the recipe signs received bytes only"));
        };
        let (text, signature) = self.signature.sign(payload, &key, &Fields::plain(fields));
        let mut call = Call {
            method: self.method.clone(),
            url: address.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        match self.carrier {
            RequestBody::Query => {
                let text = String::from_utf8_lossy(&text);
                let mark = if address.contains('?') { '&' } else { '?' };
                call.url = format!("{address}{mark}{text}&{}={signature}", self.signature_field);
            }
            RequestBody::Json => {
                let members = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone().into()))
                    .chain([(self.signature_field.clone(), signature.into())]);
                let body: serde_json::Map<String, serde_json::Value> = members.collect();
                call.headers
                    .push(("content-type".to_owned(), "application/json".to_owned()));
                call.body = serde_json::Value::Object(body).to_string().into_bytes();
            }
        }
        Ok(call)
    }
}

impl OrderValue {
    fn text(&self, order: &Order) -> Result<String, &'static str> {
        let moment =
            |unix| values::moment_text(unix, self.format).ok_or("the time is out of range");
        let text = match self.member {
            OrderMember::OrderRef => order.order_ref.clone(),
            OrderMember::Description => order.description.clone(),
            OrderMember::PayerIp => order.payer_ip.clone(),
            OrderMember::ReturnUrl => order.return_url.clone(),
            OrderMember::NoticeUrl => order.notice_url.clone(),
            OrderMember::CreatedAt => moment(order.created_at_unix)?,
            OrderMember::ExpiresAt => moment(order.expires_at_unix)?,
            OrderMember::Amount if order.amount.is_positive() => order
                .amount
                .checked_mul(self.scale)
                .ok_or("the amount is too large")?
                .get()
                .to_string(),
            OrderMember::Amount => return Err("the amount is not positive"),
        };
        if text.is_empty() {
            return Err("it is empty");
        }
        if self.plain {
            return plain(&text, self.characters_max);
        }
        if text.chars().count() > self.characters_max {
            return Err("it is too long");
        }
        Ok(text)
    }
}

/// Free text as the strictest provider takes it: signs that are encoded differently by different
/// languages become spaces, and the end is cut. Accents are refused: removing them is the caller's
/// choice.
fn plain(text: &str, characters_max: usize) -> Result<String, &'static str> {
    if !text.is_ascii() {
        return Err("it has letters with accents");
    }
    let safe = |sign: char| {
        if sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.' | ':' | ',' | '/') {
            sign
        } else {
            ' '
        }
    };
    Ok(text.chars().map(safe).take(characters_max).collect())
}

fn configured<'a>(credentials: &'a Credentials, name: &str) -> Result<&'a str, Fault> {
    credentials
        .get(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Fault::never(format!("the credential {name} is not configured")))
}
