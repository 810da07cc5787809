//! OnePay: the signed redirect, its page, return and IPN, `queryDR` and refund as forms.

mod api;
#[cfg(test)]
mod tests;

use crate::digest::hmac_sha256;
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served, with_query,
};

/// Three further calls, 50 seconds apart.
const WAITS: [u32; 3] = [50; 3];
pub(super) const PAY_PATHS: [&str; 3] = [
    "/paygate/vpcpay.op",
    "/onecomm-pay/vpc.op",
    "/vpcpay/vpcpay.op",
];

/// OnePay as one merchant meets it.
pub struct OnePay {
    merchant: String,
    access_code: String,
    /// Hexadecimal; the signature's key is the bytes it stands for.
    hash_code_hex: String,
    /// Of the query and refund calls.
    user: String,
    password: String,
    book: Book,
}

impl OnePay {
    pub fn new(merchant: &str, access_code: &str, hash_code_hex: &str, first_number: i64) -> Self {
        Self {
            merchant: merchant.to_owned(),
            access_code: access_code.to_owned(),
            hash_code_hex: hash_code_hex.to_owned(),
            user: "sbx-op-user".to_owned(),
            password: "sbx-op-password".to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new(
            "SBXONEPAY",
            "00SBX001",
            "5B112233445566778899AABBCCDDEEFF",
            2_050_000,
        )
    }

    /// Upper-case signature over the non-empty `vpc_` and `user_` fields, sorted by bytes, raw.
    fn sign(&self, pairs: &[(String, String)]) -> String {
        let key = hex::decode(&self.hash_code_hex).unwrap_or_default();
        hex::encode_upper(hmac_sha256(&key, &canonical(pairs)))
    }

    fn report(&self, event: &Event) -> Vec<(String, String)> {
        let (code, message) = result(event.outcome);
        let merchant = event.merchant.as_deref().unwrap_or(&self.merchant);
        let mut fields: Vec<(String, String)> = [
            ("vpc_AdditionData", "970436"),
            ("vpc_Amount", &format!("{}00", event.amount)),
            ("vpc_Command", "pay"),
            ("vpc_CurrencyCode", event.currency()),
            ("vpc_Locale", "vn"),
            ("vpc_MerchTxnRef", &event.reference),
            ("vpc_Merchant", merchant),
            ("vpc_Message", message),
            ("vpc_OrderInfo", &event.info),
            ("vpc_TransactionNo", &event.transaction.to_string()),
            ("vpc_TxnResponseCode", code),
            ("vpc_Version", "2"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let signature = self.sign(&fields);
        fields.push(("vpc_SecureHash".to_owned(), signature));
        fields
    }
}

fn canonical(pairs: &[(String, String)]) -> String {
    let mut signed: Vec<&(String, String)> = pairs
        .iter()
        .filter(|(name, value)| {
            (name.starts_with("vpc_") || name.starts_with("user_"))
                && !value.is_empty()
                && name != "vpc_SecureHash"
                && name != "vpc_SecureHashType"
        })
        .collect();
    signed.sort_by(|one, other| one.0.cmp(&other.0));
    let pieces: Vec<String> = signed
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pieces.join("&")
}

fn result(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Paid => ("0", "Approved"),
        Outcome::Cancelled => ("99", "Canceled"),
        Outcome::Pending | Outcome::Suspect | Outcome::Authorized => ("300", "Pending"),
        Outcome::Failed | Outcome::Outgoing | Outcome::Reversed => ("21", "Insufficient fund"),
    }
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, String)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect()
}

impl Peer for OnePay {
    fn provider(&self) -> &'static str {
        "onepay"
    }

    fn name(&self) -> &'static str {
        "onepay"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("merchant", self.merchant.clone()),
            ("access_code", self.access_code.clone()),
            ("hash_code_hex", self.hash_code_hex.clone()),
            ("query_user", self.user.clone()),
            ("query_password", self.password.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.merchant
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
            ],
            names_merchant: true,
            names_currency: true,
            signs: true,
            signs_answers: true,
            batches: false,
            prelude: false,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        format!("HPSBX-{nth:07}")
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let report = self.report(event);
        let pairs = report
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        RawRequest::get("", crate::forms::join(pairs))
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn signed_fields(&self) -> Vec<Field> {
        Field::all(
            &Place::Query,
            &[
                "vpc_AdditionData",
                "vpc_Amount",
                "vpc_Command",
                "vpc_CurrencyCode",
                "vpc_Locale",
                "vpc_MerchTxnRef",
                "vpc_Merchant",
                "vpc_Message",
                "vpc_OrderInfo",
                "vpc_TransactionNo",
                "vpc_TxnResponseCode",
                "vpc_Version",
            ],
        )
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Query, "vpc_SecureHash")]
    }

    /// 200 with the agreed text ends it; another 200 is taken as heard and refused; anything else is
    /// repeated.
    fn reading(&self, answer: &RawResponse) -> Reading {
        match answer.status {
            200 if answer.body.starts_with(b"responsecode=1&") => Reading::Done,
            200 => Reading::Stopped,
            _ => Reading::Again,
        }
    }

    /// As several integrations note it; OnePay publishes none.
    fn schedule(&self) -> Schedule {
        Schedule {
            waits: &WAITS,
            timeout: 30,
            silence: Reading::Again,
            published: false,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        let back = |order: &Order, event: &Event| {
            with_query(&order.return_url, &borrowed(&self.report(event)))
        };
        let counter = Counter {
            title: "Cổng thanh toán OnePay (mô phỏng)",
            merchant: &self.merchant,
            banks: &[],
            back: &back,
        };
        if PAY_PATHS.contains(&request.path.as_str()) && request.method == "GET" {
            return match api::accept(self, request, now) {
                Ok(handle) => {
                    Served::answer(RawResponse::see(&counter::address(base_url, &handle)))
                }
                Err(field) => counter::refuse("Yêu cầu thanh toán không hợp lệ.", field),
            };
        }
        counter::serve(self, &counter, request, base_url, now)
            .or_else(|| api::serve(self, request, now))
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
