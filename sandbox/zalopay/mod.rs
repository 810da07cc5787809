//! ZaloPay v2: create, query, refund, query_refund with `key1`; callback and redirect with `key2`.

mod api;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::digest::hmac_sha256_hex;
use crate::moment;
use crate::peer::counter::{self, Counter};
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Order, Outcome, Peer, Place, RawRequest, RawResponse,
    Reading, Schedule, Served, with_query,
};

/// At most three further calls. ZaloPay publishes no interval; this one is an assumption.
const WAITS: [u32; 3] = [60; 3];

/// ZaloPay as one app meets it.
pub struct ZaloPay {
    app_id: String,
    key1: String,
    key2: String,
    book: Book,
}

impl ZaloPay {
    pub fn new(app_id: &str, key1: &str, key2: &str, first_number: i64) -> Self {
        Self {
            app_id: app_id.to_owned(),
            key1: key1.to_owned(),
            key2: key2.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented() -> Self {
        Self::new(
            "7001",
            "sbxZaloPayKey1_0123456789abcdef",
            "sbxZaloPayKey2_0123456789abcdef",
            260_905_000_001_000,
        )
    }

    /// The callback's `data`: JSON as text, every byte of it signed.
    fn data(&self, event: &Event) -> String {
        let app = event.merchant.as_deref().unwrap_or(&self.app_id);
        json!({
            "app_id": app.parse::<i64>().map_or_else(|_| Value::from(app), Value::from),
            "app_trans_id": event.reference,
            "app_time": event.at * 1000,
            "app_user": event.echoed("app_user").unwrap_or("sandbox"),
            "amount": event.amount,
            "embed_data": event.echoed("embed_data").unwrap_or("{}"),
            "item": event.echoed("item").unwrap_or("[]"),
            "zp_trans_id": event.transaction,
            "server_time": event.at * 1000 + 500,
            "channel": 38,
            "merchant_user_id": "sandbox-merchant-user",
            "user_fee_amount": 0,
            "discount_amount": 0,
        })
        .to_string()
    }

    fn back(&self, order: &Order, event: &Event) -> String {
        // 1 is success; the rest is told by the query call.
        let status = match event.outcome {
            Outcome::Paid => "1",
            Outcome::Cancelled => "-49",
            _ => "-1",
        };
        let values = [
            ("appid", self.app_id.clone()),
            ("apptransid", event.reference.clone()),
            ("pmcid", "38".to_owned()),
            ("bankcode", String::new()),
            ("amount", event.amount.to_string()),
            ("discountamount", "0".to_owned()),
            ("status", status.to_owned()),
        ];
        let signed: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
        let checksum = hmac_sha256_hex(&self.key2, &signed.join("|"));
        let mut pairs = values.to_vec();
        pairs.push(("checksum", checksum));
        with_query(&order.return_url, &pairs)
    }
}

impl Peer for ZaloPay {
    fn provider(&self) -> &'static str {
        "zalopay"
    }

    fn name(&self) -> &'static str {
        "zalopay"
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("app_id", self.app_id.clone()),
            ("key1", self.key1.clone()),
            ("key2", self.key2.clone()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.app_id
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::Call,
            queries: true,
            lists: false,
            refunds: true,
            reports: &[Outcome::Paid],
            names_merchant: true,
            names_currency: false,
            signs: true,
            signs_answers: false,
            batches: false,
            prelude: false,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, at: i64) -> String {
        format!("{}_HP{nth:07}", &moment::compact(at)[2..8])
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let data = self.data(event);
        let mac = hmac_sha256_hex(&self.key2, &data);
        RawRequest::post_json("", &json!({"data": data, "mac": mac, "type": 1}))
    }

    fn transaction_id(&self, event: &Event) -> String {
        event.transaction.to_string()
    }

    fn signed_fields(&self) -> Vec<Field> {
        Field::all(
            &Place::JsonText("data"),
            &[
                "app_id",
                "app_trans_id",
                "app_time",
                "app_user",
                "amount",
                "embed_data",
                "item",
                "zp_trans_id",
                "server_time",
                "channel",
                "merchant_user_id",
                "user_fee_amount",
                "discount_amount",
            ],
        )
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Json, "mac")]
    }

    /// 1 and 2 are done, 0 asks for another call, everything else ends it.
    fn reading(&self, answer: &RawResponse) -> Reading {
        let code = answer
            .read_json()
            .and_then(|reply| reply["return_code"].as_i64());
        match code {
            Some(1 | 2) if answer.is_success() => Reading::Done,
            Some(0) => Reading::Again,
            _ => Reading::Stopped,
        }
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            waits: &WAITS,
            timeout: 30,
            silence: Reading::Stopped,
            published: false,
        }
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn serve(&self, request: &RawRequest, base_url: &str, now: i64) -> Served {
        let back = |order: &Order, event: &Event| self.back(order, event);
        let counter = Counter {
            title: "Ví ZaloPay (mô phỏng)",
            merchant: &self.app_id,
            banks: &[],
            back: &back,
        };
        counter::serve(self, &counter, request, base_url, now)
            .or_else(|| api::serve(self, request, base_url, now))
            .unwrap_or_else(|| Served::answer(RawResponse::text(404, "not found")))
    }
}
