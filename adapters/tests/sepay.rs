//! SePay: proofs, amounts, forms of the body, whose account.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{adapter, one};
use crate::contract::{Decision, Flow, Inbound, Notice, Outcome, Reason, Rejection, decide};

pub(super) const BODY: &str = r#"{"id":92000042,"transactionDate":"2026-09-05 10:15:30","accountNumber":"0123499999","code":null,"content":"MBVCB.12.HP000042 h\u1ecdc phí 🎒","transferType":"in","transferAmount":1250000,"subAccount":"VA01","referenceCode":"FT1","description":"BankAPINotify","more":[1,{"id":1}]}"#;

pub(super) fn webhook(
    body: &str,
    headers: &[(&str, &str)],
    secrets: &[(&str, &str)],
) -> Result<Notice, Rejection> {
    let inbound = Inbound {
        method: "POST".to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        received_at_unix: 1_788_578_131,
        ..Inbound::default()
    };
    let credentials = secrets.iter().copied().collect();
    one(adapter("sepay").read_notice(Flow::Webhook, &inbound, &credentials))
}

pub(super) const KEYED: [(&str, &str); 1] = [("Authorization", "Apikey k1")];

#[test]
fn a_sepay_credit_without_pattern_leaves_the_memo_to_the_gateway() {
    let notice = webhook(BODY, &KEYED, &[("api_key", "k1")]).expect("authentic");
    assert_eq!(notice.order_ref, None);
    assert_eq!(notice.memo.as_deref(), Some("MBVCB.12.HP000042 học phí 🎒"));
    assert_eq!(notice.account.as_deref(), Some("0123499999"));
    assert_eq!(notice.bank_reference.as_deref(), Some("FT1"));
    assert_eq!(notice.occurred_at_unix, Some(1_788_578_130));
    assert_eq!(notice.remark, None);
    let empty = BODY.replace("MBVCB.12.HP000042 h\\u1ecdc phí 🎒", "");
    let notice = webhook(&empty, &KEYED, &[("api_key", "k1")]).expect("authentic");
    assert_eq!(notice.memo.as_deref(), Some("BankAPINotify"));
}

#[test]
fn sepay_amounts_and_numbers_keep_every_digit() {
    let amount = |text: &str| {
        let body = BODY.replace(":1250000,", &format!(":{text},"));
        webhook(&body, &KEYED, &[("api_key", "k1")]).map(|notice| notice.amount.get())
    };
    for good in ["1250000", "\"1250000\"", "1250000.00", "\"1250000.0\""] {
        assert_eq!(amount(good), Ok(1_250_000), "{good}");
    }
    assert_eq!(amount("9007199254740993"), Ok(9_007_199_254_740_993));
    for bad in [
        "1250000.5",
        "-1250000",
        "1.25e6",
        "\"1,250,000\"",
        "null",
        "\"\"",
        "true",
        "[1]",
        "{}",
        "18446744073709551616",
    ] {
        assert_eq!(
            amount(bad).expect_err(bad).reason,
            Reason::Malformed,
            "{bad}"
        );
    }
    let huge = BODY.replace("92000042", "123456789012345678901234567890");
    let notice = webhook(&huge, &KEYED, &[("api_key", "k1")]).expect("authentic");
    assert_eq!(
        notice.transaction_id.as_deref(),
        Some("123456789012345678901234567890")
    );
}

#[test]
fn sepay_messages_come_as_json_or_form() {
    let form = "id=92000042&accountNumber=0123499999&content=HP000042+h%E1%BB%8Dc+%26+ph%C3%AD\
        &transferType=in&transferAmount=1250000";
    let kind = (
        "Content-Type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    let headers = [kind, KEYED[0]];
    let secrets = [("api_key", "k1"), ("memo_pattern", "HP[0-9]{6}")];
    let notice = webhook(form, &headers, &secrets).expect("authentic");
    assert_eq!(notice.order_ref.as_deref(), Some("HP000042"));
    assert_eq!(notice.memo.as_deref(), Some("HP000042 học & phí"));
    for (body, reason) in [
        (form, Reason::Malformed),
        ("", Reason::Malformed),
        ("[]", Reason::Malformed),
        ("{\"id\":1", Reason::Malformed),
        (r#"{"id":1,"id":2}"#, Reason::DuplicateParameter),
        (r#"{"id":1,"transferType":"in"}"#, Reason::Malformed),
        (
            r#"{"id":1,"transferType":"sideways","transferAmount":1}"#,
            Reason::Malformed,
        ),
    ] {
        let refused = webhook(body, &KEYED, &secrets).expect_err(body);
        assert_eq!(refused.reason, reason, "{body}");
    }
}

#[test]
fn sepay_proof_is_the_one_the_message_offers() {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s1").unwrap();
    mac.update(format!("1788578130.{BODY}").as_bytes());
    let good = format!("sha256={}", hex::encode_upper(mac.finalize().into_bytes()));
    let time = ("X-SePay-Timestamp", "1788578130");
    let signature = ("X-SePay-Signature", good.as_str());
    let both = [("api_key", "k1"), ("hmac_secret", "s1")];
    let reason = |headers: &[(&str, &str)], secrets: &[(&str, &str)]| {
        webhook(BODY, headers, secrets)
            .err()
            .map(|refused| refused.reason)
    };
    assert_eq!(reason(&[time, signature], &both), None);
    assert_eq!(reason(&[time, signature], &both[1..]), None);
    assert_eq!(reason(&KEYED, &both), None);
    // A bad signature is not rescued by a key, and a key not asked for is none.
    let forged = ("x-sepay-signature", "sha256=00");
    assert_eq!(
        reason(&[time, forged, KEYED[0]], &both),
        Some(Reason::BadSignature)
    );
    assert_eq!(reason(&KEYED, &both[1..]), Some(Reason::MissingSignature));
    assert_eq!(
        reason(&[time, signature], &both[..1]),
        Some(Reason::MissingCredentials)
    );
    assert_eq!(reason(&[time], &both), Some(Reason::MissingSignature));
    assert_eq!(reason(&[signature], &both), Some(Reason::MissingSignature));
    assert_eq!(
        reason(&[time, ("x-sepay-signature", &good[7..])], &both),
        Some(Reason::BadSignature)
    );
    assert_eq!(
        reason(&[time, time, signature], &both),
        Some(Reason::DuplicateParameter)
    );
    assert_eq!(reason(&[], &[]), Some(Reason::MissingCredentials));
    assert_eq!(
        reason(&[("authorization", "Apikey ")], &[("api_key", "")]),
        Some(Reason::MissingCredentials)
    );
    for wrong in [
        "Apikey k",
        "Apikey k12",
        "Apikey K1",
        "Apikey  k1",
        "Bearer k1",
        "k1",
        "Apikey",
    ] {
        assert_eq!(
            reason(&[("authorization", wrong)], &both),
            Some(Reason::BadCredentials),
            "{wrong}"
        );
    }
    assert_eq!(
        reason(&[KEYED[0], ("authorization", "Apikey nope")], &both),
        Some(Reason::DuplicateParameter)
    );
}

#[test]
fn a_sepay_credit_to_another_account_is_received_but_not_ours() {
    let read = |account: &str| {
        webhook(
            BODY,
            &KEYED,
            &[("api_key", "k1"), ("account_number", account)],
        )
        .expect("authentic")
    };
    assert_eq!(read("0123499999").remark, None);
    assert_eq!(read("VA01").remark, None);
    let stranger = read("9999");
    let settlement = adapter("sepay").profile().capability.settlement;
    assert_eq!(
        decide(settlement, &stranger, None),
        (
            Decision::Reject,
            Some(Reason::WrongMerchant),
            Outcome::Accepted
        )
    );
}
