//! The SePay-shaped webhook of a bank account.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::json;
use sha2::Sha256;

use super::{Account, FeedKey, Transfer};
use crate::deliver::{Notice, Peer};
use crate::moment;
use crate::world::World;

/// The payment code configured in the feed's dashboard: prefix and length of what follows.
const CODE_PREFIX: &str = "HPZ";
const CODE_TAIL_CHARS: usize = 10;

pub(super) fn notice(
    world: &World,
    account: &Account,
    transfer: &Transfer,
    content: String,
    balance: i64,
) -> Notice {
    let now = world.now();
    let id = world.transaction_number();
    let body = json!({
        "id": id,
        "gateway": bank_name(&account.bin),
        "transactionDate": moment::spaced(now),
        "accountNumber": account.number,
        "code": recognised_code(&content),
        "content": content,
        "transferType": if transfer.outgoing { "out" } else { "in" },
        "transferAmount": transfer.amount,
        "accumulated": balance,
        "subAccount": null,
        "referenceCode": format!("FT{}{}", &moment::compact(now)[2..8], world.chance.digits(8)),
        "description": "",
    })
    .to_string();
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    match &account.key {
        FeedKey::ApiKey(key) => headers.push(("authorization".to_owned(), format!("Apikey {key}"))),
        FeedKey::Hmac(secret) => {
            headers.push(("x-sepay-timestamp".to_owned(), now.to_string()));
            let signature = sign(secret, now, &body);
            headers.push((
                "x-sepay-signature".to_owned(),
                format!("sha256={signature}"),
            ));
        }
    }
    Notice {
        peer: Peer::Sepay,
        transaction_id: id.to_string(),
        amount: transfer.amount,
        payee: account.number.clone(),
        reference: content,
        money_in: !transfer.outgoing,
        genuine: true,
        method: Method::POST,
        url: account.webhook_url.clone(),
        headers,
        body,
    }
}

fn sign(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key length");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// SePay finds a code only where it stands in one piece; otherwise the field is null.
fn recognised_code(content: &str) -> Option<&str> {
    let start = content.find(CODE_PREFIX)?;
    let code = content.get(start..start + CODE_PREFIX.len() + CODE_TAIL_CHARS)?;
    code.bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        .then_some(code)
}

/// The feed's name of the receiving bank.
pub(super) fn bank_name(bin: &str) -> &'static str {
    match bin {
        "970436" => "Vietcombank",
        "970415" => "VietinBank",
        "970418" => "BIDV",
        "970405" => "Agribank",
        "970422" => "MBBank",
        "970407" => "Techcombank",
        "970416" => "ACB",
        "970423" => "TPBank",
        _ => "Bank",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_recognises_only_whole_codes() {
        assert_eq!(
            recognised_code("CT nhanh den: HPZ37MTFCKQPG 2A"),
            Some("HPZ37MTFCKQPG")
        );
        assert_eq!(recognised_code("MBVCB.123.HPZ37M TFCKQPG"), None);
        assert_eq!(recognised_code("HPZ37"), None);
    }

    #[test]
    fn the_signature_covers_timestamp_and_body() {
        // printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac secret
        let expected = include_str!("../testdata/sepay-hmac.txt").trim();
        assert_eq!(sign("secret", 1_700_000_000, "{\"id\":1}"), expected);
    }
}
