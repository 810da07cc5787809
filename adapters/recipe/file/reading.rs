//! `[*.read]`: how fields become a notice.

use serde::Deserialize;
use toml::Spanned;

use super::Names;
use crate::contract::Status;
use crate::recipe::values::TimeFormat;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct ReadingFile {
    pub(in crate::recipe) transaction_id: Option<TextFile>,
    pub(in crate::recipe) order_ref: Option<OrderRefFile>,
    pub(in crate::recipe) bill_ref: Option<TextFile>,
    pub(in crate::recipe) amount: Option<AmountFile>,
    #[serde(default)]
    pub(in crate::recipe) currency: CurrencyFile,
    pub(in crate::recipe) occurred_at: Option<TimeFile>,
    #[serde(default)]
    pub(in crate::recipe) memo: Names,
    #[serde(default)]
    pub(in crate::recipe) account: Names,
    #[serde(default)]
    pub(in crate::recipe) bank_reference: Names,
    pub(in crate::recipe) merchant: Option<MerchantFile>,
    pub(in crate::recipe) direction: Option<DirectionFile>,
    pub(in crate::recipe) test: Option<TestFile>,
    pub(in crate::recipe) status: Option<Spanned<StatusFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct TextFile {
    pub(in crate::recipe) from: Names,
    #[serde(default)]
    pub(in crate::recipe) required: bool,
    #[serde(default)]
    pub(in crate::recipe) none_when: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct OrderRefFile {
    pub(in crate::recipe) from: Option<Names>,
    #[serde(default)]
    pub(in crate::recipe) required: bool,
    #[serde(default)]
    pub(in crate::recipe) search: Vec<String>,
    pub(in crate::recipe) pattern: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct AmountFile {
    pub(in crate::recipe) from: Names,
    pub(in crate::recipe) scale: i64,
    #[serde(default)]
    pub(in crate::recipe) zero_fraction: bool,
    pub(in crate::recipe) negative: Option<NegativeFile>,
    /// What nothing came in by is money that went out.
    pub(in crate::recipe) zero: Option<NegativeFile>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipe) enum NegativeFile {
    Outgoing,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(in crate::recipe) enum CurrencyFile {
    Constant {
        constant: String,
    },
    From {
        from: Names,
        /// Where the field may be left out.
        or: Option<String>,
    },
}

impl Default for CurrencyFile {
    fn default() -> Self {
        Self::Constant {
            constant: "VND".to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct TimeFile {
    pub(in crate::recipe) from: String,
    pub(in crate::recipe) format: TimeFormat,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct MerchantFile {
    pub(in crate::recipe) from: Names,
    pub(in crate::recipe) credential: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct DirectionFile {
    pub(in crate::recipe) from: Names,
    pub(in crate::recipe) incoming: Vec<String>,
    pub(in crate::recipe) outgoing: Vec<String>,
    /// Where nothing is said the sign of the amount decides.
    #[serde(default)]
    pub(in crate::recipe) optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct TestFile {
    pub(in crate::recipe) from: Names,
    pub(in crate::recipe) is: Vec<String>,
    #[serde(default)]
    pub(in crate::recipe) if_unknown: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct StatusFile {
    pub(in crate::recipe) always: Option<Status>,
    #[serde(default)]
    pub(in crate::recipe) codes: Vec<Names>,
    #[serde(default)]
    pub(in crate::recipe) table: Vec<Spanned<RowFile<Status>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipe) struct RowFile<T> {
    /// One text a code; `*` fits everything, `a|b` either.
    pub(in crate::recipe) when: Vec<String>,
    pub(in crate::recipe) is: T,
}
