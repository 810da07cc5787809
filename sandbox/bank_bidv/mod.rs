//! BIDV's bill collection: the bank asks us for the bills of a customer (`getbill`) and reports their
//! payment (`paybill`). Contracts differ in the checksum; two families are known.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::digest::{md5_hex, sha256_hex};
use crate::moment;
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Outcome, Peer, Place, PreludeError, RawRequest,
    RawResponse, Reading, Schedule, Served, plain,
};

/// A bank's teller or app waits; no schedule is published, three tries are an assumption.
const WAITS: [u32; 3] = [60; 3];

/// How a contract writes its checksums.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// `hex(md5(secret + a + b + …))`
    Md5Concat,
    /// `hex(sha256(secret|a|b|…))`
    Sha256Pipes,
}

/// BIDV as one biller meets it.
pub struct Bidv {
    contract: Contract,
    service_id: String,
    secret: String,
    book: Book,
}

impl Bidv {
    pub fn new(contract: Contract, service_id: &str, secret: &str, first_number: i64) -> Self {
        Self {
            contract,
            service_id: service_id.to_owned(),
            secret: secret.to_owned(),
            book: Book::new(first_number),
        }
    }

    pub fn invented(contract: Contract) -> Self {
        Self::new(contract, "000001", "sbxBidvSecret", 26_090_500_000)
    }

    fn checksum(&self, values: &[&str]) -> String {
        match self.contract {
            Contract::Md5Concat => md5_hex(&format!("{}{}", self.secret, values.concat())),
            Contract::Sha256Pipes => sha256_hex(&format!("{}|{}", self.secret, values.join("|"))),
        }
    }

    /// What `paybill` covers.
    fn payment_checksum(&self, body: &Value) -> String {
        let values = ["trans_id", "bill_id", "amount"].map(|name| plain(&body[name]));
        self.checksum(&values.each_ref().map(String::as_str))
    }
}

impl Peer for Bidv {
    fn provider(&self) -> &'static str {
        "bank_bidv"
    }

    fn name(&self) -> &'static str {
        match self.contract {
            Contract::Md5Concat => "bank_bidv-md5",
            Contract::Sha256Pipes => "bank_bidv-sha256",
        }
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let contract = match self.contract {
            Contract::Md5Concat => {
                "hex(md5(secret + service_id + customer_id)); hex(md5(secret + trans_id + bill_id + amount))"
            }
            Contract::Sha256Pipes => {
                "hex(sha256(secret|service_id|customer_id)); hex(sha256(secret|trans_id|bill_id|amount))"
            }
        };
        vec![
            ("secret", self.secret.clone()),
            ("service_id", self.service_id.clone()),
            ("contract", contract.to_owned()),
        ]
    }

    fn merchant(&self) -> &str {
        &self.service_id
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::None,
            queries: false,
            lists: false,
            refunds: false,
            reports: &[Outcome::Paid],
            names_merchant: true,
            names_currency: false,
            signs: true,
            signs_answers: false,
            batches: false,
            prelude: true,
            by_memo: false,
        }
    }

    fn reference(&self, nth: u64, _at: i64) -> String {
        format!("HP{nth:06}")
    }

    fn prelude(&self, event: &Event) -> Option<RawRequest> {
        let service = event.merchant.as_deref().unwrap_or(&self.service_id);
        let body = json!({
            "customer_id": event.reference,
            "service_id": service,
            "checksum": self.checksum(&[service, &event.reference]),
        });
        Some(RawRequest::post_json("/getbill", &body))
    }

    /// Takes the first bill that is listed. One host answers 400 with the code in the body, so the
    /// code decides.
    fn read_prelude(&self, event: &mut Event, answer: &RawResponse) -> Result<(), PreludeError> {
        let body = answer
            .read_json()
            .ok_or(PreludeError::Status(answer.status))?;
        match body["result_code"].as_str() {
            Some("000") => {}
            Some(code) => return Err(PreludeError::Refused(code.to_owned())),
            None => return Err(PreludeError::Lacks("result_code")),
        }
        for name in ["customer_id", "customer_name"] {
            if plain(&body[name]).is_empty() {
                return Err(PreludeError::Lacks("customer"));
            }
        }
        let bill = &body["data"][0];
        let (id, amount) = (plain(&bill["bill_id"]), plain(&bill["amount"]));
        if id.is_empty() || amount.parse::<i64>().is_err() {
            return Err(PreludeError::Lacks("data"));
        }
        event.bill = Some(id);
        Ok(())
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let mut body = json!({
            "trans_id": self.transaction_id(event),
            "trans_date": moment::compact(event.at),
            "customer_id": event.reference,
            "service_id": event.merchant.as_deref().unwrap_or(&self.service_id),
            "bill_id": event.bill.as_deref().unwrap_or(&event.reference),
            "amount": event.amount.to_string(),
        });
        body["checksum"] = Value::from(self.payment_checksum(&body));
        RawRequest::post_json("/paybill", &body)
    }

    fn transaction_id(&self, event: &Event) -> String {
        format!("BIDV{}", event.transaction)
    }

    /// The time, the customer and the service are not covered.
    fn signed_fields(&self) -> Vec<Field> {
        Field::all(&Place::Json, &["trans_id", "bill_id", "amount"])
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Json, "checksum")]
    }

    /// 000, and 023 for what was told before. 031 and 096 are our trouble and worth another try; every
    /// other code makes the bank give the payer the money back.
    fn reading(&self, answer: &RawResponse) -> Reading {
        let code = answer
            .read_json()
            .map(|reply| plain(&reply["result_code"]))
            .unwrap_or_default();
        match code.as_str() {
            "000" | "023" if answer.status < 500 => Reading::Done,
            "" | "031" | "096" => Reading::Again,
            _ if answer.status >= 500 => Reading::Again,
            _ => Reading::Stopped,
        }
    }

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

    /// Billers call nothing at the bank.
    fn serve(&self, _request: &RawRequest, _base_url: &str, _now: i64) -> Served {
        Served::answer(RawResponse::text(404, "not found"))
    }
}
