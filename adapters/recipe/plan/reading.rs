//! How fields become a notice, an inquiry or an observation.

use super::Ref;
use crate::contract::Status;
use crate::recipe::values::TimeFormat;

/// How fields become a notice, an inquiry or an observation.
#[derive(Debug, Default)]
pub(in crate::recipe) struct ReadingPlan {
    pub(in crate::recipe) transaction_id: Option<TextPlan>,
    pub(in crate::recipe) order_ref: Option<OrderRefPlan>,
    pub(in crate::recipe) bill_ref: Option<TextPlan>,
    pub(in crate::recipe) amount: Option<AmountPlan>,
    pub(in crate::recipe) currency: CurrencyPlan,
    pub(in crate::recipe) occurred_at: Option<(Ref, TimeFormat)>,
    /// Names tried in turn for the first text that is not empty.
    pub(in crate::recipe) memo: Vec<Ref>,
    pub(in crate::recipe) account: Vec<Ref>,
    pub(in crate::recipe) bank_reference: Vec<Ref>,
    pub(in crate::recipe) merchant: Option<MerchantPlan>,
    pub(in crate::recipe) direction: Option<DirectionPlan>,
    pub(in crate::recipe) test: Option<TestPlan>,
    pub(in crate::recipe) status: Option<StatusPlan>,
}

#[derive(Debug)]
pub(in crate::recipe) struct TextPlan {
    pub(in crate::recipe) from: Vec<Ref>,
    pub(in crate::recipe) required: bool,
    /// Values that mean "none".
    pub(in crate::recipe) none_when: Vec<String>,
}

#[derive(Debug)]
pub(in crate::recipe) struct OrderRefPlan {
    pub(in crate::recipe) from: Option<TextPlan>,
    /// Where it is found by a pattern of the credentials when the field says nothing; without a
    /// pattern nothing is guessed.
    pub(in crate::recipe) search: Option<(Vec<Ref>, String)>,
}

#[derive(Debug)]
pub(in crate::recipe) struct AmountPlan {
    pub(in crate::recipe) from: Vec<Ref>,
    /// Units of the provider in one đồng.
    pub(in crate::recipe) scale: i64,
    pub(in crate::recipe) zero_fraction: bool,
    /// A minus sign is money going out.
    pub(in crate::recipe) negative_is_outgoing: bool,
    /// Nothing came in: the money went out.
    pub(in crate::recipe) zero_is_outgoing: bool,
}

#[derive(Debug)]
pub(in crate::recipe) enum CurrencyPlan {
    Constant(String),
    Field {
        from: Vec<Ref>,
        /// Where the provider may leave it out.
        or: Option<String>,
    },
}

impl Default for CurrencyPlan {
    fn default() -> Self {
        Self::Constant("VND".to_owned())
    }
}

/// One of the fields must equal the credential, when that is configured.
#[derive(Debug)]
pub(in crate::recipe) struct MerchantPlan {
    pub(in crate::recipe) fields: Vec<Ref>,
    pub(in crate::recipe) credential: String,
}

#[derive(Debug)]
pub(in crate::recipe) struct DirectionPlan {
    pub(in crate::recipe) from: Vec<Ref>,
    pub(in crate::recipe) incoming: Vec<String>,
    pub(in crate::recipe) outgoing: Vec<String>,
    /// Where nothing is said the sign of the amount decides.
    pub(in crate::recipe) optional: bool,
}

/// A message that tries the address.
#[derive(Debug)]
pub(in crate::recipe) struct TestPlan {
    pub(in crate::recipe) from: Vec<Ref>,
    pub(in crate::recipe) is: Vec<String>,
    /// Only while no order fits.
    pub(in crate::recipe) if_unknown: bool,
}

#[derive(Debug)]
pub(in crate::recipe) enum StatusPlan {
    Always(Status),
    Table(Table<Status>),
}

/// Codes that one table may join.
pub(in crate::recipe) const CODES_MAX: usize = 4;

/// The first row that fits; the last row fits everything.
#[derive(Debug)]
pub(in crate::recipe) struct Table<T> {
    /// At most [`CODES_MAX`].
    pub(in crate::recipe) codes: Vec<Vec<Ref>>,
    /// A code that is not there counts as an empty one.
    pub(in crate::recipe) lenient: bool,
    pub(in crate::recipe) rows: Vec<Row<T>>,
}

#[derive(Debug)]
pub(in crate::recipe) struct Row<T> {
    /// One a code: the texts that fit; empty fits everything.
    pub(in crate::recipe) when: Vec<Vec<String>>,
    pub(in crate::recipe) is: T,
}
