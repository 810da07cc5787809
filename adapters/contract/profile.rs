//! What a provider is, as data.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Credentials, Flow, ListPlan, Settlement};

/// Everything about a provider that is not a message.
#[derive(Clone, Debug)]
pub struct Profile {
    /// For people.
    pub title: String,
    pub standing: Standing,
    pub capability: Capability,
    pub credentials: Vec<CredentialSpec>,
    pub order_ref: OrderRefForm,
    pub schedule: Schedule,
    /// How movements are found whose notices never came; none where the provider has no list.
    pub list: Option<ListPlan>,
    pub addresses: Addresses,
}

/// How well a recipe is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Published documentation, code or samples.
    Founded,
    /// Third-party text only: off unless it is switched on by name.
    Experimental,
}

/// What a provider can do; the conformance suite picks its tests from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The payer is sent to the provider's page for one order.
    pub checkout: bool,
    /// The browser comes back with a signed result.
    pub returns: bool,
    /// Which message carries payments in, first of [`notices`](Self::notices).
    pub notice: Flow,
    /// All messages that carry payments in, without the browser's return.
    pub notices: Vec<Flow>,
    /// How the amount relates to the order.
    pub settlement: Settlement,
    /// What the order reference of a notice is.
    pub naming: Naming,
    /// A payment can be asked about.
    pub query: bool,
    pub refund: RefundSupport,
    /// A refund can be asked about.
    pub query_refund: bool,
    /// An order nobody has paid can be ended.
    pub cancel: bool,
    /// The provider fetches bearer tokens from us.
    pub token: bool,
    /// The provider asks for open bills.
    pub inquiry: bool,
}

/// What the order reference of a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// The reference of an order of ours ([`Order::order_ref`](super::Order::order_ref)).
    Order,
    /// A code printed on a bill, keyed at the bank; a notice may name the bill too.
    Code,
    /// Words of the payer: a bill code may stand in the memo.
    Memo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundSupport {
    None,
    /// Only the whole amount.
    Full,
    Partial,
}

/// One named value of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSpec {
    pub name: String,
    pub kind: CredentialKind,
    pub need: Need,
    /// One sentence for who fills it in, Vietnamese.
    pub label: String,
    /// Stands in when the connection gives none.
    pub default: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A number or name that may be shown.
    Text,
    /// An https address.
    Url,
    /// A regular expression.
    Pattern,
    /// A public key in PEM.
    PublicKey,
    /// Never shown; may be exchanged with overlap.
    Secret,
    /// A secret written in hexadecimal digits.
    HexSecret,
    /// A private key in PEM (PKCS#8).
    PrivateKey,
}

impl CredentialKind {
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::HexSecret | Self::PrivateKey)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    Always,
    /// At least one credential of this group.
    OneOf(String),
    Optional,
}

/// How a provider wants order references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderRefForm {
    /// Letters, digits and `-`.
    Text { characters_max: usize },
    /// A number within 2^53.
    Digits,
    /// The Vietnamese day as `yyMMdd`, `_`, text.
    DayFirst { characters_max: usize },
}

impl OrderRefForm {
    /// An order reference of this form. `unique` must not repeat on a connection; it is drawn from
    /// at least 48 bits where chance decides.
    pub fn write(self, bill_code: &str, unique: u64, created_at_unix: i64) -> String {
        let suffix = base36(unique);
        match self {
            Self::Text { characters_max } => joined("", bill_code, &suffix, characters_max),
            Self::Digits => (1 + unique % ((1 << 53) - 1)).to_string(),
            Self::DayFirst { characters_max } => {
                let day = time::OffsetDateTime::from_unix_timestamp(created_at_unix)
                    .ok()
                    .and_then(|at| at.checked_to_offset(time::macros::offset!(+7)))
                    .map_or_else(String::new, |at| {
                        let year = at.year().rem_euclid(100);
                        format!("{year:02}{:02}{:02}_", u8::from(at.month()), at.day())
                    });
                joined(&day, bill_code, &suffix, characters_max)
            }
        }
    }
}

/// The suffix makes the reference unique: of a text that is too long the bill code gives way.
fn joined(day: &str, bill_code: &str, suffix: &str, characters_max: usize) -> String {
    let room = characters_max.saturating_sub(day.len() + suffix.len() + 1);
    let code: String = bill_code.chars().take(room).collect();
    format!("{day}{code}-{suffix}")
}

fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::with_capacity(13);
    loop {
        digits.push(DIGITS[usize::try_from(number % 36).unwrap_or_default()]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(*digit))
        .collect()
}

/// When to call, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Longest wait for a reply.
    pub reply: u32,
    /// Waits between a checkout and the questions about it, one after the other; the last repeats
    /// until [`give_up`](Self::give_up). Empty when the provider answers no question.
    pub poll: Vec<u32>,
    /// After a checkout, when no further question is asked and a person decides.
    pub give_up: u32,
    /// Waits between questions about a refund under way.
    pub poll_refund: Vec<u32>,
    /// Waits between the provider's own repeats of an unacknowledged notice, as documented; empty
    /// when nothing is published.
    pub repeats: Vec<u32>,
}

/// From where a provider calls. Signatures decide; an operator may filter as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub sandbox: Vec<IpAddr>,
    pub production: Vec<IpAddr>,
    /// Whether the provider itself publishes the list.
    pub confirmed: bool,
}

/// Why credentials cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    #[error("{0} is missing")]
    Missing(String),
    #[error("one of {} is needed", .0.join(", "))]
    NoneOf(Vec<String>),
    #[error("{0} is no credential of this provider")]
    Unknown(String),
    #[error("{name} {why}")]
    Form { name: String, why: &'static str },
}

impl Profile {
    /// Everything wrong with the credentials of a connection; never shows a value.
    pub fn check(&self, credentials: &Credentials) -> Vec<CredentialFault> {
        let mut faults: Vec<_> = credentials
            .names()
            .filter(|name| self.credentials.iter().all(|spec| spec.name != *name))
            .map(|name| CredentialFault::Unknown(name.to_owned()))
            .collect();
        let mut groups: Vec<&str> = Vec::new();
        for spec in &self.credentials {
            let given = credentials.get(&spec.name);
            match &spec.need {
                Need::Always if given.is_none() && spec.default.is_none() => {
                    faults.push(CredentialFault::Missing(spec.name.clone()));
                }
                Need::OneOf(group) if !groups.contains(&group.as_str()) => groups.push(group),
                Need::Always | Need::OneOf(_) | Need::Optional => {}
            }
            for value in credentials.all(&spec.name) {
                if let Some(why) = spec.kind.fault(value) {
                    let name = spec.name.clone();
                    faults.push(CredentialFault::Form { name, why });
                }
            }
        }
        for group in groups {
            let members = self
                .credentials
                .iter()
                .filter(|spec| matches!(&spec.need, Need::OneOf(other) if other == group));
            let names: Vec<_> = members.map(|spec| spec.name.clone()).collect();
            if names.iter().all(|name| credentials.get(name).is_none()) {
                faults.push(CredentialFault::NoneOf(names));
            }
        }
        faults
    }
}

impl CredentialKind {
    fn fault(self, value: &str) -> Option<&'static str> {
        let fits = match self {
            Self::Text | Self::Secret => !value.trim().is_empty() && value.trim() == value,
            Self::Url => value.starts_with("https://") || value.starts_with("http://"),
            Self::Pattern => regex::Regex::new(value).is_ok(),
            Self::HexSecret => value.len() >= 2 && hex::decode(value).is_ok(),
            Self::PublicKey => value.contains("-----BEGIN PUBLIC KEY-----"),
            Self::PrivateKey => value.contains("-----BEGIN PRIVATE KEY-----"),
        };
        let why = match self {
            Self::Text | Self::Secret => "is empty or has blanks at an end",
            Self::Url => "is not an address",
            Self::Pattern => "is not a regular expression",
            Self::HexSecret => "is not hexadecimal",
            Self::PublicKey => "is not a public key in PEM",
            Self::PrivateKey => "is not a private key in PEM (PKCS#8)",
        };
        (!fits).then_some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_references_keep_their_form_and_stay_unique() {
        let at = 1_788_543_000; // 2026-09-04 17:30 UTC, already the 5th in Vietnam
        let text = OrderRefForm::Text { characters_max: 34 };
        assert_eq!(text.write("HP000042", 35, at), "HP000042-z");
        let short = OrderRefForm::Text { characters_max: 12 };
        assert_eq!(short.write("HP000042", 36 * 36 * 36, at), "HP00004-1000");
        let day = OrderRefForm::DayFirst { characters_max: 40 };
        assert_eq!(day.write("HP000042", 1, at), "260905_HP000042-1");
        for unique in [0, 1, u64::MAX] {
            let number: i64 = OrderRefForm::Digits
                .write("HP000042", unique, at)
                .parse()
                .expect("a number");
            assert!((1..1 << 53).contains(&number));
        }
    }
}
