//! What the books hold about a batch of arrivals, and the rows a batch adds to them.

use std::collections::{BTreeMap, HashMap};

use hocphi_adapters::contract::{Decision, Notice, OrderState, Outcome, Reason, Settlement};

use crate::clock::{Day, Instant};
use crate::ids::{AttemptId, BillId, ConnectionId, FeeItemId, PaymentId, PupilId, SchoolId};
use crate::ledger::Posting;
use crate::money::Vnd;
use crate::stored_as_text;

/// The way money travelled; decides the account it is booked to and whether it counts as cashless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    BankTransfer,
    Gateway,
    Wallet,
    Cash,
}

stored_as_text!(Channel {
    BankTransfer = "BANK_TRANSFER",
    Gateway = "GATEWAY",
    Wallet = "WALLET",
    Cash = "CASH",
});

/// An authentic notice on its way into the books.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub school_id: SchoolId,
    pub connection_id: ConnectionId,
    pub provider: String,
    pub channel: Channel,
    pub settlement: Settlement,
    pub target: Target,
    pub notice: Notice,
    /// Query or body as received; headers, which carry static keys, are not kept.
    pub raw: String,
    pub received_at: Instant,
    /// Drawn beforehand, so that a repeated transaction writes the same identifiers.
    pub payment_id: PaymentId,
}

/// What a notice says it pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An order we gave the provider.
    Order(String),
    /// Bill codes found in a transfer's text, and codes a damaged one may stand for.
    Codes {
        codes: Vec<String>,
        suggestions: Vec<String>,
    },
    /// A bill named by our own staff.
    Bill(BillId),
}

/// Accounts of a school's chart, by what hocphi uses them for (school-fees §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    pub cash: String,
    pub bank: String,
    /// Collected by an intermediary, not yet on the school's account.
    pub in_transit: String,
    pub revenue: String,
    pub on_behalf: String,
    pub credit_held: String,
    pub suspense: String,
}

#[derive(Clone, Debug)]
pub struct AttemptView {
    pub attempt_id: AttemptId,
    pub bill_id: BillId,
    pub amount: Vnd,
    pub state: OrderState,
}

#[derive(Clone, Debug)]
pub struct BillView {
    pub school_id: SchoolId,
    pub bill_id: BillId,
    pub pupil_id: PupilId,
    pub cancelled: bool,
    pub amount_due: Vnd,
    pub amount_paid: Vnd,
    /// From this day on a bill still open must be priced anew.
    pub priced_until: Option<Day>,
    pub lines: Vec<LineView>,
}

impl BillView {
    pub fn outstanding(&self) -> Vnd {
        self.amount_due - self.amount_paid
    }
}

#[derive(Clone, Debug)]
pub struct LineView {
    pub line_no: i64,
    pub item_id: FeeItemId,
    pub own_revenue: bool,
    pub voluntary: bool,
    pub priority: i64,
    pub amount_due: Vnd,
    pub amount_paid: Vnd,
}

/// A notice that is already in the inbox.
#[derive(Clone, Debug)]
pub struct Known {
    pub outcome: StoredOutcome,
    pub fingerprint: String,
    pub payment_id: Option<PaymentId>,
}

/// The acknowledgement a notice got, which its repeats get in the words for repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredOutcome {
    Accepted,
    UnknownOrder,
    AmountDiffers,
    Unusable,
}

stored_as_text!(StoredOutcome {
    Accepted = "ACCEPTED",
    UnknownOrder = "UNKNOWN_ORDER",
    AmountDiffers = "AMOUNT_DIFFERS",
    Unusable = "UNUSABLE",
});

/// What the books hold about everything a batch names. Planning updates it, so that two arrivals
/// of one batch see each other.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub known: HashMap<NoticeKey, Known>,
    pub attempts: HashMap<(SchoolId, String), AttemptView>,
    pub bills: HashMap<BillId, BillView>,
    /// Of any school: a code of another school is money for nobody here.
    pub codes: HashMap<String, (SchoolId, BillId)>,
    pub charts: HashMap<SchoolId, Chart>,
}

pub type NoticeKey = (SchoolId, String, String);

/// Rows to write, and the answer to each arrival.
#[derive(Debug, Default)]
pub struct Plan {
    pub receipts: Vec<Receipt>,
    pub notices: Vec<NoticeRow>,
    /// Known notices that came again; the flag says that they came with another meaning.
    pub repeats: Vec<(NoticeKey, bool)>,
    pub payments: Vec<PaymentRow>,
    pub allocations: Vec<AllocationRow>,
    pub credits: BTreeMap<(SchoolId, PupilId), Vnd>,
    pub suspense: Vec<SuspenseRow>,
    pub paid_lines: BTreeMap<(SchoolId, BillId, i64), Vnd>,
    /// Bills touched, with what is now paid of them.
    pub paid_bills: BTreeMap<(SchoolId, BillId), Vnd>,
    pub attempts: Vec<(SchoolId, AttemptId, &'static str)>,
    pub postings: Vec<Posting>,
    /// Attempts that a provider calls pending, with the key of the notice.
    pub claims: Vec<(SchoolId, AttemptId, String)>,
    /// Notices that came again with another meaning, for a person to judge.
    pub conflicts: Vec<Conflict>,
    /// Arrivals that take money back.
    pub reversals: Vec<usize>,
}

/// A known notice that came again with another meaning.
#[derive(Debug, Clone)]
pub struct Conflict {
    pub key: NoticeKey,
    pub arrival: usize,
    pub fingerprint: String,
    /// Of the first meaning.
    pub payment_id: Option<PaymentId>,
}

/// What became of an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub outcome: Outcome,
    pub decision: Decision,
    pub reason: Option<Reason>,
    pub payment_id: Option<PaymentId>,
}

#[derive(Debug, Clone)]
pub struct NoticeRow {
    pub key: NoticeKey,
    pub arrival: usize,
    pub fingerprint: String,
    pub decision: Decision,
    pub reason: Option<Reason>,
    pub outcome: StoredOutcome,
    pub payment_id: Option<PaymentId>,
}

#[derive(Debug, Clone)]
pub struct PaymentRow {
    pub arrival: usize,
    pub transaction_id: String,
    pub amount: Vnd,
    pub to_bills: Vnd,
    pub to_credit: Vnd,
    pub to_suspense: Vnd,
    pub bill_id: Option<BillId>,
    pub paid_at: Instant,
    pub paid_day: Day,
}

#[derive(Debug, Clone)]
pub struct AllocationRow {
    pub arrival: usize,
    pub seq: i64,
    pub target: &'static str,
    pub bill_id: Option<BillId>,
    pub line_no: Option<i64>,
    pub pupil_id: Option<PupilId>,
    pub amount: Vnd,
}

#[derive(Debug, Clone)]
pub struct SuspenseRow {
    pub arrival: usize,
    pub amount: Vnd,
    pub reason: SuspenseReason,
    pub candidates: Vec<String>,
}

/// Why nobody's name could be put on money without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspenseReason {
    /// No bill code, no order.
    NoReference,
    /// A well-formed code or order that we never issued.
    UnknownReference,
    /// Several bills whose open amounts do not add up to the transfer.
    SeveralBills,
    /// The bill belongs to another school.
    OtherSchool,
    /// The provider charged another amount than we asked for.
    AmountDiffers,
}

stored_as_text!(SuspenseReason {
    NoReference = "NO_REFERENCE",
    UnknownReference = "UNKNOWN_REFERENCE",
    SeveralBills = "SEVERAL_BILLS",
    OtherSchool = "OTHER_SCHOOL",
    AmountDiffers = "AMOUNT_DIFFERS",
});
