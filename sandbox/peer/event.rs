//! What happened at the provider, before it is written in the provider's words.

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Money arrived.
    Paid,
    /// Final, no money.
    Failed,
    /// The payer gave up.
    Cancelled,
    /// Not decided yet.
    Pending,
    /// Debited but suspected; a person decides.
    Suspect,
    /// Held for us, not yet ours.
    Authorized,
    /// A payment told before was taken back; the event carries its number.
    Reversed,
    /// Money left the account: nothing that pays us.
    Outgoing,
}

impl Outcome {
    pub const fn moves_money_in(self) -> bool {
        matches!(self, Self::Paid)
    }
}

/// One movement or attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The order, or the memo as the receiving bank shows it.
    pub reference: String,
    /// Whole đồng.
    pub amount: i64,
    pub outcome: Outcome,
    /// The provider's number; two events with the same number are one movement told twice.
    pub transaction: i64,
    /// Description the payer saw; any text.
    pub info: String,
    /// When it happened, unix seconds.
    pub at: i64,
    /// When this delivery leaves, unix seconds: signed stamps follow it.
    pub sent_at: i64,
    /// Another merchant, terminal or account than our own.
    pub merchant: Option<String>,
    /// Another currency than VND.
    pub currency: Option<String>,
    /// Token from [`super::Peer::read_prelude`].
    pub token: Option<String>,
    /// Bill from [`super::Peer::read_prelude`].
    pub bill: Option<String>,
    /// What the order carried and the provider gives back (MoMo's `extraData`, `requestId`, …).
    pub echo: Vec<(&'static str, String)>,
}

impl Event {
    /// Money in for a reference.
    pub fn paid(reference: &str, amount: i64, transaction: i64, at: i64) -> Self {
        Self {
            reference: reference.to_owned(),
            amount,
            outcome: Outcome::Paid,
            transaction,
            info: format!("Hoc phi {reference}"),
            at,
            sent_at: at,
            merchant: None,
            currency: None,
            token: None,
            bill: None,
            echo: Vec::new(),
        }
    }

    pub fn ending(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub fn about(mut self, info: &str) -> Self {
        self.info = info.to_owned();
        self
    }

    pub fn sent_at(mut self, unix: i64) -> Self {
        self.sent_at = unix;
        self
    }

    pub fn of_amount(mut self, amount: i64) -> Self {
        self.amount = amount;
        self
    }

    /// A further movement for the same order.
    pub fn as_transaction(mut self, transaction: i64) -> Self {
        self.transaction = transaction;
        self
    }

    /// Correctly signed by the provider, but for somebody else.
    pub fn for_merchant(mut self, merchant: &str) -> Self {
        self.merchant = Some(merchant.to_owned());
        self
    }

    /// Correctly signed, in other money.
    pub fn in_currency(mut self, currency: &str) -> Self {
        self.currency = Some(currency.to_owned());
        self
    }

    pub(crate) fn echoed(&self, name: &str) -> Option<&str> {
        self.echo
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn currency(&self) -> &str {
        self.currency.as_deref().unwrap_or("VND")
    }
}
