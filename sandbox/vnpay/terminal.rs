//! One terminal as a [`Peer`]: pay page, IPN, return, and the calls of [`super::api`].

use std::sync::Arc;

use super::{Merchant, PayOrder, RequestError, api, request, sign};
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, OrderState, Outcome, Peer, Place, RawRequest,
    RawResponse, Reading, Schedule, Served,
};
use crate::{forms, moment};

pub(super) const PAY_PATH: &str = "/paymentv2/vpcpay.html";

/// Test banks offered, with the code VNPAY reports.
const BANKS: [(&str, &str); 4] = [
    ("NCB", "Ngân hàng NCB"),
    ("VIETCOMBANK", "Vietcombank"),
    ("BIDV", "BIDV"),
    ("AGRIBANK", "Agribank"),
];

/// Ten calls, five minutes apart.
const WAITS: [u32; 9] = [300; 9];

/// VNPAY as one terminal meets it.
pub struct Terminal {
    pub(super) merchant: Merchant,
    book: Arc<Book>,
}

impl Terminal {
    pub fn new(merchant: Merchant, first_number: i64) -> Self {
        Self::over(merchant, Arc::new(Book::new(first_number)))
    }

    /// A terminal over the orders it had before it was set up anew.
    pub(super) fn over(merchant: Merchant, book: Arc<Book>) -> Self {
        Self { merchant, book }
    }

    pub fn invented() -> Self {
        Self::new(
            Merchant {
                tmn_code: "SANDBX01".to_owned(),
                hash_secret: "SANDBOXVNPAYSECRET0123456789ABCD".to_owned(),
                ipn_url: String::new(),
                name: "Trường thử nghiệm".to_owned(),
            },
            14_000_000,
        )
    }

    /// Reads and checks a pay request, and opens the order it asks for.
    pub(super) fn accept(&self, query: &str, now: i64) -> Result<PayOrder, RequestError> {
        let order = request::read(query, &self.merchant, now)?;
        let opened = self.book.open(Order {
            reference: order.order_ref.clone(),
            amount: order.amount,
            info: order.info.clone(),
            return_url: order.return_url.clone(),
            cancel_url: None,
            notify_url: None,
            created_at: order.created_at,
            expires_at: Some(order.expires_at),
            handle: order.order_ref.clone(),
            state: OrderState::Open,
            transactions: Vec::new(),
            echo: Vec::new(),
        });
        if opened {
            Ok(order)
        } else {
            Err(RequestError::AlreadyPaid)
        }
    }

    /// What the IPN and the return both carry.
    fn report(&self, event: &Event) -> String {
        let (response, status) = codes(event.outcome);
        let mut fields = vec![
            ("vnp_Amount", format!("{}00", event.amount)),
            (
                "vnp_BankCode",
                event.echoed("bank").unwrap_or("NCB").to_owned(),
            ),
            ("vnp_CardType", "ATM".to_owned()),
            ("vnp_OrderInfo", event.info.clone()),
            ("vnp_PayDate", moment::compact(event.at)),
            ("vnp_ResponseCode", response.to_owned()),
            (
                "vnp_TmnCode",
                event
                    .merchant
                    .clone()
                    .unwrap_or_else(|| self.merchant.tmn_code.clone()),
            ),
            ("vnp_TransactionNo", self.transaction_id(event)),
            ("vnp_TransactionStatus", status.to_owned()),
            ("vnp_TxnRef", event.reference.clone()),
        ];
        if event.outcome == Outcome::Paid {
            fields.push(("vnp_BankTranNo", format!("VNP{}", event.transaction)));
        }
        sign::signed_query(&fields, &self.merchant.hash_secret)
    }
}

/// `vnp_ResponseCode` and `vnp_TransactionStatus`.
fn codes(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Paid => ("00", "00"),
        Outcome::Cancelled => ("24", "02"),
        Outcome::Failed | Outcome::Outgoing => ("51", "02"),
        // Debited at the bank, not successful at VNPAY.
        Outcome::Reversed => ("99", "04"),
        Outcome::Pending | Outcome::Authorized => ("00", "01"),
        Outcome::Suspect => ("07", "07"),
    }
}

pub(super) fn join(address: &str, query: &str) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{query}")
}

impl Peer for Terminal {
    fn provider(&self) -> &'static str {
        "vnpay"
    }

    fn name(&self) -> &'static str {
        "vnpay"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("tmn_code", self.merchant.tmn_code.clone()),
            ("hash_secret", self.merchant.hash_secret.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.merchant.tmn_code
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::Redirect,
            queries: true,
            lists: false,
            refunds: true,
            reports: &[
                Outcome::Paid,
                Outcome::Failed,
                Outcome::Cancelled,
                Outcome::Pending,
                Outcome::Suspect,
                Outcome::Reversed,
            ],
            names_merchant: true,
            names_currency: false,
            signs: true,
            signs_answers: true,
            batches: false,
            prelude: false,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        format!("HPSBX{nth:07}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        RawRequest::get("", self.report(event))
    }

    fn transaction_id(&self, event: &Event) -> String {
        if matches!(
            event.outcome,
            Outcome::Paid | Outcome::Suspect | Outcome::Reversed
        ) {
            event.transaction.to_string()
        } else {
            "0".to_owned()
        }
    }

    fn signed_fields(&self) -> Vec<Field> {
        Field::all(
            &Place::Query,
            &[
                "vnp_Amount",
                "vnp_BankCode",
                "vnp_BankTranNo",
                "vnp_CardType",
                "vnp_OrderInfo",
                "vnp_PayDate",
                "vnp_ResponseCode",
                "vnp_TmnCode",
                "vnp_TransactionNo",
                "vnp_TransactionStatus",
                "vnp_TxnRef",
            ],
        )
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Query, "vnp_SecureHash")]
    }

    /// VNPAY stops at `RspCode` 00 and 02.
    fn reading(&self, answer: &RawResponse) -> Reading {
        let settled = answer.status == 200
            && answer
                .read_json()
                .is_some_and(|reply| matches!(reply["RspCode"].as_str(), Some("00" | "02")));
        if settled {
            Reading::Done
        } else {
            Reading::Again
        }
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            waits: &WAITS,
            timeout: 30,
            silence: Reading::Again,
            published: true,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        let back = |order: &Order, event: &Event| join(&order.return_url, &self.report(event));
        let counter = Counter {
            title: "Cổng thanh toán VNPAY (mô phỏng)",
            merchant: &self.merchant.name,
            banks: &BANKS,
            back: &back,
        };
        if request.path == PAY_PATH && request.method == "GET" {
            let accepted = request::tmn_code(&request.query).and_then(|tmn_code| {
                if tmn_code == self.merchant.tmn_code {
                    self.accept(&request.query, now)
                } else {
                    Err(RequestError::UnknownTerminal)
                }
            });
            return match accepted {
                Err(error) => counter::refuse(&error.to_string(), error.code()),
                Ok(order) => match self.book.order(&order.order_ref) {
                    Some(order) => Served::answer(counter::show(&counter, &order, base_url)),
                    None => counter::refuse("Giao dịch không tồn tại", "91"),
                },
            };
        }
        if request.path == api::PATH && request.method == "POST" {
            return Served::answer(api::answer(self, request, now));
        }
        counter::serve(self, &counter, request, base_url, now)
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}

/// The terminal a request is for, wherever it names it.
pub(super) fn named_in(request: &RawRequest) -> Option<String> {
    let pairs = request.query_pairs().unwrap_or_default();
    if let Some(tmn_code) = forms::value(&pairs, "vnp_TmnCode") {
        return Some(tmn_code.to_owned());
    }
    request.json()?["vnp_TmnCode"].as_str().map(str::to_owned)
}
