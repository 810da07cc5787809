//! VietinBank's bill collection: inquiry (`inq-bill`) and payment notice (`notify-bill`), signed with
//! the bank's RSA key; our answers are signed with ours and checked here.

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::moment;
use crate::peer::{
    Abilities, Book, Checkout, Event, Field, Outcome, Peer, Place, PreludeError, RawRequest,
    RawResponse, Reading, Schedule, Served, plain,
};
use crate::pki::PkiError;

/// No schedule is published; three tries are an assumption.
const WAITS: [u32; 3] = [60; 3];
const NOTICE_SIGNED: [&str; 6] = [
    "transId",
    "transTime",
    "custCode",
    "amount",
    "bankTransId",
    "remark",
];

/// The keys of both sides.
pub struct Keys {
    bank: RsaKeyPair,
    ours: RsaKeyPair,
}

impl Keys {
    /// Two fresh keys.
    ///
    /// # Errors
    /// When the system makes none.
    pub fn generate() -> Result<Self, PkiError> {
        let key = || RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| PkiError::Key);
        Ok(Self {
            bank: key()?,
            ours: key()?,
        })
    }
}

/// VietinBank as one biller meets it.
pub struct VietinBank {
    provider_id: String,
    keys: Arc<Keys>,
    book: Book,
}

impl VietinBank {
    pub fn new(provider_id: &str, keys: Arc<Keys>, first_number: i64) -> Self {
        Self {
            provider_id: provider_id.to_owned(),
            keys,
            book: Book::new(first_number),
        }
    }

    /// With keys made once a process.
    pub fn invented() -> Self {
        static KEYS: OnceLock<Arc<Keys>> = OnceLock::new();
        let keys =
            KEYS.get_or_init(|| Arc::new(Keys::generate().expect("the system makes RSA keys")));
        Self::new("SBXPROV", keys.clone(), 26_090_500_000)
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.keys.bank.public_modulus_len()];
        self.keys
            .bank
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .expect("a 2048-bit key signs any text");
        BASE64.encode(signature)
    }

    /// An answer of ours names its outcome in clear and signs transId, errorCode and errorDesc. The
    /// inquiry's answer may keep them in `header` and `data`.
    fn outcome(&self, answer: &RawResponse) -> Result<String, PreludeError> {
        let body = answer
            .read_json()
            .ok_or(PreludeError::Status(answer.status))?;
        let text = |name: &str| {
            [&body, &body["data"], &body["header"]]
                .into_iter()
                .map(|place| plain(&place[name]))
                .find(|text| !text.is_empty())
                .unwrap_or_default()
        };
        let code = text("errorCode");
        if code.is_empty() {
            return Err(PreludeError::Lacks("errorCode"));
        }
        let signed = format!("{}{code}{}", text("transId"), text("errorDesc"));
        let signature = BASE64.decode(text("signature")).unwrap_or_default();
        let key: PublicKeyX509Der<'_> = self
            .keys
            .ours
            .public_key()
            .as_der()
            .map_err(|_| PreludeError::Signature)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| PreludeError::Signature)?;
        Ok(code)
    }
}

/// Values one after another; what is empty adds nothing.
fn canonical(body: &Value, names: &[&str]) -> String {
    names.iter().map(|name| plain(&body[*name])).collect()
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|start| &text[start..text.len().min(start + 64)])
        .collect();
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        lines.join("\n")
    )
}

impl Peer for VietinBank {
    fn provider(&self) -> &'static str {
        "bank_vietinbank"
    }

    fn name(&self) -> &'static str {
        "bank_vietinbank"
    }

    /// `our_private_key_pem` is the private key our answers are signed with.
    fn credentials(&self) -> Vec<(&'static str, String)> {
        let public: PublicKeyX509Der<'_> = self
            .keys
            .bank
            .public_key()
            .as_der()
            .expect("a key we made has a public half");
        let private: Pkcs8V1Der<'_> = self
            .keys
            .ours
            .as_der()
            .expect("a key we made can be written");
        vec![
            ("provider_id", self.provider_id.clone()),
            ("bank_public_key_pem", pem("PUBLIC KEY", public.as_ref())),
            ("our_private_key_pem", pem("PRIVATE KEY", private.as_ref())),
        ]
    }

    fn merchant(&self) -> &str {
        &self.provider_id
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            checkout: Checkout::None,
            queries: false,
            lists: false,
            refunds: false,
            reports: &[Outcome::Paid],
            names_merchant: true,
            names_currency: true,
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
        let data = json!({
            "transId": format!("INQ{}", event.transaction),
            "transTime": moment::compact(event.at),
            "custCode": event.reference,
        });
        let stamp = moment::compact(event.sent_at);
        let header = json!({
            "msgId": format!("i-sbx-{}", event.transaction),
            "msgType": "1100",
            "channelId": "SBX",
            "gatewayId": "",
            "providerId": event.merchant.as_deref().unwrap_or(&self.provider_id),
            "merchantId": "",
            "productId": "",
            // MMddyyyyHHmmss
            "timestamp": format!("{}{}{}", &stamp[4..8], &stamp[..4], &stamp[8..]),
            "username": "",
            "signature": self.sign(&canonical(&data, &["transId", "transTime", "custCode"])),
        });
        Some(RawRequest::post_json(
            "/inq-bill",
            &json!({"header": header, "data": data}),
        ))
    }

    fn read_prelude(&self, event: &mut Event, answer: &RawResponse) -> Result<(), PreludeError> {
        let code = self.outcome(answer)?;
        if code != "00" {
            return Err(PreludeError::Refused(code));
        }
        // The layout of the list is the contract's; the payment names the customer, not the bill.
        event.bill = Some(event.reference.clone());
        Ok(())
    }

    fn notice(&self, event: &Event) -> RawRequest {
        let mut body = json!({
            "msgId": format!("m-sbx-{}", event.transaction),
            "providerId": event.merchant.as_deref().unwrap_or(&self.provider_id),
            "transId": self.transaction_id(event),
            "transTime": moment::compact(event.at),
            "transType": "C",
            "custCode": event.reference,
            "sendAcctNo": "1010",
            "sendAcctName": "TRAN THI B",
            "recvAcctNo": "1234567890",
            "recvAcctName": "TRUONG",
            "amount": event.amount.to_string(),
            "bankTransId": format!("990S{}", event.transaction),
            "remark": event.info,
            "currencyCode": event.currency(),
        });
        body["signature"] = Value::from(self.sign(&canonical(&body, &NOTICE_SIGNED)));
        RawRequest::post_json("/notify-bill", &body)
    }

    fn transaction_id(&self, event: &Event) -> String {
        format!("VTB{}", event.transaction)
    }

    /// Currency, provider and accounts are not covered.
    fn signed_fields(&self) -> Vec<Field> {
        Field::all(&Place::Json, &NOTICE_SIGNED)
    }

    fn proof(&self) -> Vec<Field> {
        vec![Field::new(Place::Json, "signature")]
    }

    /// 00 and 05 (told before) under our signature end it; 03 and 99 are our trouble. Without a
    /// signature that fits, the answer is none.
    fn reading(&self, answer: &RawResponse) -> Reading {
        match self.outcome(answer).as_deref() {
            Ok("00" | "05") if answer.status == 200 => Reading::Done,
            Ok("01" | "02") => Reading::Stopped,
            Ok(_) | Err(_) => Reading::Again,
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
