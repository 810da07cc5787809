//! What a provider remembers of one merchant, and the levers of its misbehaviour.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Event, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    Open,
    Paid,
    Failed,
    Cancelled,
    Expired,
}

/// Money that moved for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub number: i64,
    /// Whole đồng.
    pub amount: i64,
    /// Unix seconds.
    pub at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The merchant's own id of it.
    pub id: String,
    pub order: String,
    /// Whole đồng.
    pub amount: i64,
    pub number: i64,
    /// Unix seconds.
    pub at: i64,
    pub fate: RefundFate,
}

impl Refund {
    /// `None` while it is running.
    pub fn done(&self) -> Option<bool> {
        match self.fate {
            RefundFate::Done => Some(true),
            RefundFate::Refused => Some(false),
            RefundFate::DoneAfter(_) | RefundFate::RefusedAfter(_) => None,
        }
    }
}

/// How refunds go from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefundFate {
    #[default]
    Done,
    Refused,
    /// Running for so many questions, then done.
    DoneAfter(u32),
    /// Running for so many questions, then refused.
    RefusedAfter(u32),
}

/// What a merchant asked to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub reference: String,
    /// Whole đồng.
    pub amount: i64,
    pub info: String,
    /// Where the browser goes afterwards.
    pub return_url: String,
    /// Where it goes when the payer gives up, if that is elsewhere.
    pub cancel_url: Option<String>,
    /// Where notices go, if not to the registered address.
    pub notify_url: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    /// The provider's own handle of the order.
    pub handle: String,
    pub state: OrderState,
    pub transactions: Vec<Transaction>,
    /// Given back in notices.
    pub echo: Vec<(&'static str, String)>,
}

impl Order {
    /// A fresh order that its provider knows by its own handle.
    pub fn new(reference: &str, amount: i64, handle: &str, now: i64) -> Self {
        Self {
            reference: reference.to_owned(),
            amount,
            info: String::new(),
            return_url: String::new(),
            cancel_url: None,
            notify_url: None,
            created_at: now,
            expires_at: None,
            handle: handle.to_owned(),
            state: OrderState::Open,
            transactions: Vec::new(),
            echo: Vec::new(),
        }
    }

    /// The number of the payment, 0 before there is one.
    pub fn paid_number(&self) -> i64 {
        self.transactions.first().map_or(0, |paid| paid.number)
    }

    pub fn refunded(&self, book: &Book) -> i64 {
        book.refunds()
            .values()
            .filter(|refund| refund.order == self.reference && refund.done() != Some(false))
            .map(|refund| refund.amount)
            .sum()
    }
}

/// How one call to the provider's API goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// 503, nothing done.
    Unavailable,
    /// Never arrived: silence, nothing done.
    Unheard,
    /// Carried out, but the answer is lost.
    Lost,
    /// Carried out, answered 500.
    ErrorAfterDoing,
    /// Carried out, the answer cut in half.
    Garbled,
    /// Carried out, the answer's numbers changed under its signature.
    WrongSignature,
}

/// How a notice set off by a payment page goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLever {
    /// So many copies at the same time.
    Together(usize),
    /// Sent so much later.
    Late(Duration),
    /// Never sent: only a query finds the payment.
    Dropped,
    /// The payment is reported as failed first and as paid after that.
    FailedThenPaid,
    /// A failure of the same order follows the payment.
    PaidThenFailed,
    /// A second transaction of the same amount follows.
    Twice,
    /// Told with this amount, correctly signed.
    OtherAmount(i64),
}

#[derive(Clone, Debug, Default)]
pub struct Levers {
    /// Faults of the next calls, one each, then good health again.
    pub calls: VecDeque<Option<ApiFault>>,
    pub refunds: RefundFate,
    pub notices: Vec<NoticeLever>,
}

/// One merchant's orders at a provider.
pub struct Book {
    orders: Mutex<BTreeMap<String, Order>>,
    refunds: Mutex<BTreeMap<String, Refund>>,
    requests: Mutex<BTreeSet<String>>,
    movements: Mutex<Vec<Event>>,
    levers: Mutex<Levers>,
    next: AtomicI64,
}

impl Book {
    /// `first` is the first transaction number; a peer started again over the same books begins
    /// higher than it ended.
    pub fn new(first: i64) -> Self {
        Self {
            orders: Mutex::default(),
            refunds: Mutex::default(),
            requests: Mutex::default(),
            movements: Mutex::default(),
            levers: Mutex::default(),
            next: AtomicI64::new(first),
        }
    }

    pub fn orders(&self) -> MutexGuard<'_, BTreeMap<String, Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn order(&self, reference: &str) -> Option<Order> {
        self.orders().get(reference).cloned()
    }

    /// By the provider's own handle.
    pub fn order_by_handle(&self, handle: &str) -> Option<Order> {
        self.orders()
            .values()
            .find(|order| order.handle == handle)
            .cloned()
    }

    pub fn refunds(&self) -> MutexGuard<'_, BTreeMap<String, Refund>> {
        self.refunds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What moved on the account, told or not; a list call shows it.
    pub fn movements(&self) -> Vec<Event> {
        self.movements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Money moved. Telling it is another matter.
    pub fn happened(&self, event: &Event) {
        let mut movements = self
            .movements
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !movements
            .iter()
            .any(|known| known.transaction == event.transaction)
        {
            movements.push(event.clone());
        }
    }

    /// To be set by tests.
    pub fn levers(&self) -> MutexGuard<'_, Levers> {
        self.levers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn next_number(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins numbers here, if that is further on.
    pub fn number_from(&self, first: i64) {
        self.next.fetch_max(first, Ordering::Relaxed);
    }

    /// Opens an order. False when the reference exists with a state that is not open.
    pub fn open(&self, order: Order) -> bool {
        let mut orders = self.orders();
        let taken = orders
            .get(&order.reference)
            .is_some_and(|known| known.state != OrderState::Open);
        if !taken {
            orders.insert(order.reference.clone(), order);
        }
        !taken
    }

    /// True the first time a request id is seen.
    pub(crate) fn fresh(&self, request_id: &str) -> bool {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(request_id.to_owned())
    }

    /// Ends an open order as its payer chose. `None` when it is unknown, ended or run out.
    pub fn finish(&self, reference: &str, outcome: Outcome, now: i64) -> Option<Order> {
        let mut orders = self.orders();
        let order = orders.get_mut(reference)?;
        if order.state != OrderState::Open {
            return None;
        }
        if order.expires_at.is_some_and(|end| end <= now) {
            order.state = OrderState::Expired;
            return None;
        }
        order.state = match outcome {
            Outcome::Paid => OrderState::Paid,
            Outcome::Cancelled => OrderState::Cancelled,
            _ => OrderState::Failed,
        };
        if outcome == Outcome::Paid {
            order.transactions.push(Transaction {
                number: self.next_number(),
                amount: order.amount,
                at: now,
            });
        }
        Some(order.clone())
    }

    /// Counts a further movement of money, as a payer who pays twice makes it.
    pub fn record(&self, reference: &str, transaction: Transaction) {
        if let Some(order) = self.orders().get_mut(reference) {
            order.state = OrderState::Paid;
            order.transactions.push(transaction);
        }
    }

    /// Accepts a refund with the fate the lever says.
    pub(crate) fn refund(&self, id: &str, order: &str, amount: i64, now: i64) -> Refund {
        let refund = Refund {
            id: id.to_owned(),
            order: order.to_owned(),
            amount,
            number: self.next_number(),
            at: now,
            fate: self.levers().refunds,
        };
        self.refunds().insert(id.to_owned(), refund.clone());
        refund
    }

    /// The refund as it stands; every question brings a running one nearer to its end.
    pub fn ask_refund(&self, id: &str) -> Option<Refund> {
        let mut refunds = self.refunds();
        let refund = refunds.get_mut(id)?;
        refund.fate = match refund.fate {
            RefundFate::DoneAfter(0 | 1) => RefundFate::Done,
            RefundFate::DoneAfter(left) => RefundFate::DoneAfter(left - 1),
            RefundFate::RefusedAfter(0 | 1) => RefundFate::Refused,
            RefundFate::RefusedAfter(left) => RefundFate::RefusedAfter(left - 1),
            ended @ (RefundFate::Done | RefundFate::Refused) => ended,
        };
        Some(refund.clone())
    }

    pub(crate) fn next_api_fault(&self) -> Option<ApiFault> {
        self.levers().calls.pop_front().flatten()
    }
}
