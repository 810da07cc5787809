//! VNPAY: dialects of the signature, refusals, codes, the pay address.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use super::{adapter, one};
use crate::contract::{
    Checkout, Credentials, Errand, Flow, Inbound, Notice, Order, Reason, Rejection, Status, Vnd,
};

pub(super) const SECRET: &str = "DEVVNPAYSECRET0123456789ABCDEFGH";
/// Fields in byte order, as VNPAY signs them.
pub(super) const PAID: &str = "vnp_Amount=125000000&vnp_BankCode=VCB&vnp_BankTranNo=VNP14001234\
    &vnp_CardType=ATM&vnp_OrderInfo=Hoc+phi+thang+9%3A+HS000042&vnp_PayDate=20260905101530\
    &vnp_ResponseCode=00&vnp_TmnCode=DEVHP001&vnp_TransactionNo=14001234\
    &vnp_TransactionStatus=00&vnp_TxnRef=HP2609-000042";

pub(super) fn hash(text: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

pub(super) fn vnpay_credentials() -> Credentials {
    [
        ("tmn_code", "DEVHP001"),
        ("hash_secret", SECRET),
        (
            "pay_url",
            "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html",
        ),
    ]
    .into_iter()
    .collect()
}

pub(super) fn ipn(query: &str) -> Result<Notice, Rejection> {
    let inbound = Inbound {
        method: "GET".to_owned(),
        query: query.to_owned(),
        ..Inbound::default()
    };
    one(adapter("vnpay").read_notice(Flow::Ipn, &inbound, &vnpay_credentials()))
}

/// The query VNPAY would send if it signed `signed`.
pub(super) fn signed_over(query: &str, signed: &str) -> Result<Notice, Rejection> {
    ipn(&format!("{query}&vnp_SecureHash={}", hash(signed)))
}

#[test]
fn vnpay_signatures_are_found_in_every_dialect_that_was_seen() {
    let fits = |query: &str, signed: &str| {
        let notice = signed_over(query, signed).expect(signed);
        assert_eq!(notice.transaction_id.as_deref(), Some("14001234"));
        assert_eq!(
            notice.memo.as_deref().map(|memo| &memo[..7]),
            Some("Hoc phi")
        );
    };
    // The portal's "test call IPN" button signs %20; a proxy may re-encode what was signed.
    fits(PAID, PAID);
    fits(PAID, &PAID.replace('+', "%20"));
    fits(&PAID.replace('+', "%20"), PAID);
    fits(&PAID.replace("%3A", "%3a"), PAID);
    fits(&PAID.replace("%3A", ":"), PAID);
    fits(&PAID.replace("%3A", "%3a"), &PAID.replace("%3A", "%3a"));
    // Java and npm drop empty values, PHP keeps them.
    let with_empty = PAID.replace("vnp_CardType=ATM", "vnp_CardType=");
    fits(&with_empty, &with_empty);
    fits(&with_empty, &PAID.replace("&vnp_CardType=ATM", ""));
    // Signs that languages escape differently stand as received.
    let odd = PAID.replace("HS000042", "*!()'~");
    fits(&odd, &odd);
    // And the escapes beside them in other letters, or the signs escaped after all on their way.
    for marks in ["*!()'~", "*", "~", "*!()", "!*'()~"] {
        let signed = PAID.replace("HS000042", &format!("{marks}%C4%91"));
        let small = |text: &str| text.replace("%3A", "%3a").replace("%C4%91", "%c4%91");
        fits(&small(&signed), &signed);
        fits(&signed, &small(&signed));
        let escaped: String = marks.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let on_the_way = signed.replace(marks, &escaped);
        fits(&on_the_way, &signed);
        fits(&signed, &on_the_way);
        let small_marks = on_the_way.replace(&escaped, &escaped.to_lowercase());
        fits(&small(&small_marks), &signed);
    }
    // New fields are signed too; foreign ones and the hash type are not, even twice.
    let more = format!("{PAID}&vnp_Zone=%F0%9F%8E%92+%C4%91");
    fits(&more, &more);
    fits(
        &format!("lang=vi&lang=en&{PAID}&vnp_SecureHashType=HmacSHA512"),
        PAID,
    );
}

#[test]
fn vnpay_messages_that_cannot_be_trusted_say_why() {
    let reason = |query: &str| ipn(query).expect_err(query).reason;
    let hash = hash(PAID);
    let tail = |given: &str| format!("{PAID}&vnp_SecureHash={given}");
    assert_eq!(reason(PAID), Reason::MissingSignature);
    assert_eq!(reason(&tail("")), Reason::MissingSignature);
    assert_eq!(reason(""), Reason::MissingSignature);
    for short in [&hash[..127], &hash[..64], "00", "zz", &format!("{hash}00")] {
        assert_eq!(reason(&tail(short)), Reason::BadSignature, "{short}");
    }
    let good = tail(&hash);
    for twice in ["vnp_Amount=1", "vnp_Amount=125000000", "vnp%5FAmount=1"] {
        assert_eq!(
            reason(&format!("{good}&{twice}")),
            Reason::DuplicateParameter
        );
        assert_eq!(
            reason(&format!("{twice}&{good}")),
            Reason::DuplicateParameter
        );
    }
    assert_eq!(
        reason(&format!("{good}&vnp_SecureHash={hash}")),
        Reason::DuplicateParameter
    );
    assert_eq!(reason(&"vnp_a=1&".repeat(100_000)), Reason::Malformed);
    let no_keys: [(&str, &str); 0] = [];
    let unconfigured = adapter("vnpay").read_notice(
        Flow::Ipn,
        &Inbound {
            query: good,
            ..Inbound::default()
        },
        &no_keys.into_iter().collect(),
    );
    assert_eq!(
        unconfigured.expect_err("no key").reason,
        Reason::MissingCredentials
    );
}

#[test]
fn authentic_vnpay_messages_without_sense_are_malformed() {
    for (part, instead) in [
        ("vnp_Amount=125000000", "vnp_Amount=125000001"),
        ("vnp_Amount=125000000", "vnp_Amount=-125000000"),
        ("vnp_Amount=125000000", "vnp_Amount=1250000.00"),
        ("vnp_Amount=125000000", "vnp_Amount=99999999999999999999"),
        ("vnp_Amount=125000000", "vnp_Amount="),
        ("&vnp_TxnRef=HP2609-000042", ""),
        ("vnp_TxnRef=HP2609-000042", "vnp_TxnRef=%FF"),
        ("vnp_TxnRef=HP2609-000042", "vnp_TxnRef=HP%"),
        ("&vnp_ResponseCode=00", ""),
    ] {
        let query = PAID.replace(part, instead);
        assert_eq!(
            signed_over(&query, &query).expect_err(instead).reason,
            Reason::Malformed
        );
    }
    // What only people read never costs a payment.
    for memo in ["%FF", "100%", "%ZZ"] {
        let query = PAID.replace("Hoc+phi", memo);
        let notice = signed_over(&query, &query).expect(memo);
        assert_eq!(notice.status, Status::Paid);
    }
}

#[test]
fn a_vnpay_notice_of_another_terminal_is_not_ours() {
    let query = PAID.replace("DEVHP001", "OTHER001");
    let notice = signed_over(&query, &query).expect("signed by us");
    assert_eq!(notice.remark, Some(Reason::WrongMerchant));
    assert_eq!(notice.merchant.as_deref(), Some("OTHER001"));
}

#[test]
fn vnpay_codes_become_paid_only_together() {
    let status = |response: &str, transaction: &str| {
        let query = PAID
            .replace("ResponseCode=00", &format!("ResponseCode={response}"))
            .replace("Status=00", &format!("Status={transaction}"));
        signed_over(&query, &query).expect("signed").status
    };
    for (response, transaction, expected) in [
        ("00", "00", Status::Paid),
        ("07", "00", Status::Review),
        ("00", "07", Status::Review),
        ("00", "04", Status::Review),
        ("00", "05", Status::Review),
        ("00", "01", Status::Pending),
        ("00", "02", Status::Failed),
        ("24", "00", Status::Failed),
        ("24", "02", Status::Failed),
        ("0", "00", Status::Failed),
    ] {
        assert_eq!(
            status(response, transaction),
            expected,
            "{response}/{transaction}"
        );
    }
}

#[test]
fn a_vnpay_checkout_is_the_address_the_sdk_builds() {
    let order = Order {
        order_ref: "HP2609-000042".to_owned(),
        amount: Vnd::new(1_250_000),
        description: "Hoc phi thang 9 HS000042".to_owned(),
        created_at_unix: 1_788_577_800,
        expires_at_unix: 1_788_578_700,
        payer_ip: "113.161.72.10".to_owned(),
        return_url: "https://hocphi.example.vn/vnpay/return?k=1".to_owned(),
        notice_url: String::new(),
    };
    let vnpay = adapter("vnpay");
    let Ok(Checkout::Redirect(url)) =
        vnpay.checkout(&Errand::starting(&order, "rq-1"), &vnpay_credentials())
    else {
        panic!("a redirect");
    };
    // The vector create-pay-url.
    assert!(
        url.ends_with(
            "&vnp_SecureHash=0404ab63c1595d3b3bb89caeae880f6d522615dc299def30287658e8672cf27f\
             0463f07f20ca6dce0eca71e0a72be52e5252271ab73c43d0d2a490c97034e4e3"
        ),
        "{url}"
    );
    for (broken, member) in [
        (
            Order {
                amount: Vnd::ZERO,
                ..order.clone()
            },
            "vnp_Amount",
        ),
        (
            Order {
                amount: Vnd::new(10_000_000_000),
                ..order.clone()
            },
            "vnp_Amount",
        ),
        (
            Order {
                amount: Vnd::new(i64::MAX),
                ..order.clone()
            },
            "vnp_Amount",
        ),
        (
            Order {
                description: "Học phí".to_owned(),
                ..order.clone()
            },
            "vnp_OrderInfo",
        ),
        (
            Order {
                order_ref: "x".repeat(101),
                ..order.clone()
            },
            "vnp_TxnRef",
        ),
        (
            Order {
                payer_ip: String::new(),
                ..order.clone()
            },
            "vnp_IpAddr",
        ),
    ] {
        let fault = vnpay
            .checkout(&Errand::starting(&broken, "rq-1"), &vnpay_credentials())
            .expect_err(member);
        assert!(fault.message.contains(member), "{fault}");
    }
    let odd = Order {
        description: format!("Hoc phi (9)*! {}", "x".repeat(300)),
        ..order
    };
    let Ok(Checkout::Redirect(url)) =
        vnpay.checkout(&Errand::starting(&odd, "rq-1"), &vnpay_credentials())
    else {
        panic!("a redirect");
    };
    assert!(url.contains("vnp_OrderInfo=Hoc+phi++9++++xxx"), "{url}");
}
