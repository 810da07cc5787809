//! Secrets under exchange, signed answers, tokens, errands: what vectors cannot say.

use aws_lc_rs::{rsa, signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::adapter;
use super::vnpay::{PAID, SECRET, hash};
use crate::contract::{
    Checkout, Credentials, Errand, Flow, Inbound, Order, Outcome, Reason, Received, Reception,
    Refund, Reply, Status, Vnd,
};

fn ipn(credentials: &Credentials) -> Result<(), Reason> {
    let inbound = Inbound {
        query: format!("{PAID}&vnp_SecureHash={}", hash(PAID)),
        ..Inbound::default()
    };
    let read = adapter("vnpay").read_notice(Flow::Ipn, &inbound, credentials);
    read.map(|_| ()).map_err(|rejection| rejection.reason)
}

#[test]
fn the_secret_before_is_accepted_while_it_is_given_and_the_new_one_signs() {
    let new = [("tmn_code", "DEVHP001"), ("hash_secret", "NEWSECRET")];
    let only_new: Credentials = new.into_iter().collect();
    assert_eq!(ipn(&only_new), Err(Reason::BadSignature));
    let both = only_new.also_accepting("hash_secret", SECRET);
    assert_eq!(ipn(&both), Ok(()));
    // A key that stands in a plain digest is exchanged in the same way.
    let text = "eyJhIjoxfQ==";
    let body = |key: &str| {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(format!("{text}{key}"));
        format!("result={text}&checksum={}", hex::encode(digest)).into_bytes()
    };
    let both: Credentials = [("checksum_key", "new")].into_iter().collect();
    let both = both.also_accepting("checksum_key", "old");
    for (key, reason) in [
        ("new", Reason::Malformed),
        ("old", Reason::Malformed),
        ("other", Reason::BadSignature),
    ] {
        let inbound = Inbound {
            body: body(key),
            ..Inbound::default()
        };
        let read = adapter("ninepay").read_notice(Flow::Ipn, &inbound, &both);
        assert_eq!(read.expect_err("no notice").reason, reason, "{key}");
    }
}

#[test]
fn vietinbank_is_answered_with_our_signature() {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair)
        .expect("DER");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let credentials: Credentials = [("our_private_key_pem", pem.as_str())]
        .into_iter()
        .collect();
    let inbound = Inbound {
        body: br#"{"transId":"V1","providerId":"P"}"#.to_vec(),
        ..Inbound::default()
    };
    let received = Received {
        flow: Flow::Notify,
        inbound: &inbound,
        credentials: &credentials,
        our_reference: None,
    };
    let ack = adapter("bank_vietinbank").acknowledge(Outcome::Accepted, &received);
    let body: serde_json::Value = serde_json::from_slice(&ack.body).expect("JSON");
    let signed = STANDARD
        .decode(body["signature"].as_str().expect("a signature"))
        .expect("base64");
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair)
        .as_ref()
        .to_vec();
    let key = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, public);
    let text = format!("V100{}", body["errorDesc"].as_str().expect("a text"));
    key.verify(text.as_bytes(), &signed).expect("our signature");
}

#[test]
fn a_token_of_ours_opens_its_own_connection_until_it_runs_out() {
    let credentials = |password: &str| -> Credentials {
        [("username", "u"), ("password", password)]
            .into_iter()
            .collect()
    };
    let ours = credentials("p:1");
    let vietqr = adapter("vietqr_callback");
    let ask = Inbound {
        headers: vec![(
            "authorization".to_owned(),
            format!("Basic {}", STANDARD.encode("u:p:1")),
        )],
        received_at_unix: 1_000,
        ..Inbound::default()
    };
    let issued = vietqr.issue_token(&ask, &ours, [1; 16]).expect("a token");
    assert_eq!(issued.expires_at_unix, 1_300);
    let body: serde_json::Value = serde_json::from_slice(&issued.ack.body).expect("JSON");
    let token = body["access_token"].as_str().expect("a token");
    let sync = |token: &str, at: i64, credentials: &Credentials| {
        let inbound = Inbound {
            headers: vec![("authorization".to_owned(), format!("Bearer {token}"))],
            body: br#"{"transactionid":"t","amount":1000,"transType":"C"}"#.to_vec(),
            received_at_unix: at,
            ..Inbound::default()
        };
        let read = vietqr.read_notice(Flow::Webhook, &inbound, credentials);
        read.map(|_| ()).map_err(|rejection| rejection.reason)
    };
    assert_eq!(sync(token, 1_299, &ours), Ok(()));
    assert_eq!(sync(token, 1_300, &ours), Err(Reason::BadCredentials));
    let later = token.replacen("1300", "9300", 1);
    assert_eq!(sync(&later, 1_299, &ours), Err(Reason::BadCredentials));
    let other = credentials("p:2");
    assert_eq!(sync(token, 1_299, &other), Err(Reason::BadCredentials));
}

fn order(order_ref: &str) -> Order {
    Order {
        order_ref: order_ref.to_owned(),
        amount: Vnd::new(1_250_000),
        description: "Hoc phi".to_owned(),
        created_at_unix: 1_788_577_800,
        expires_at_unix: 1_788_578_700,
        payer_ip: "113.161.72.10".to_owned(),
        return_url: "https://hocphi.example.vn/r".to_owned(),
        notice_url: "https://hocphi.example.vn/n".to_owned(),
    }
}

#[test]
fn every_request_a_provider_has_can_be_built_from_an_errand() {
    let registry = &*super::SHIPPED;
    for (name, entry) in registry.entries() {
        let adapter = entry.adapter.as_ref();
        let profile = adapter.profile();
        let credentials: Credentials = profile
            .credentials
            .iter()
            .map(|spec| {
                let value = match spec.name.as_str() {
                    "hash_code_hex" => "00ff".to_owned(),
                    "app_id" => "7001".to_owned(),
                    name if name.ends_with("_url") => "https://provider.example.vn".to_owned(),
                    other => format!("v-{other}"),
                };
                (spec.name.clone(), value)
            })
            .collect();
        let order = order(&profile.order_ref.write("HP000042", 77, 1_788_577_800));
        let mut errand = Errand::starting(&order, "rq-1");
        if profile.capability.checkout {
            let checkout = adapter.checkout(&errand, &credentials);
            let url = match checkout.unwrap_or_else(|fault| panic!("{name}: {fault}")) {
                Checkout::Redirect(url) => url,
                Checkout::Form { action, fields } => {
                    assert!(fields.len() > 3, "{name}");
                    action
                }
                Checkout::Send(call) => call.url,
            };
            assert!(
                url.starts_with("https://provider.example.vn"),
                "{name}: {url}"
            );
        }
        errand.transaction_id = Some("123456");
        errand.provider_order = Some("po-1");
        errand.refund = Some(Refund {
            refund_ref: "260906_RF-1",
            amount: Vnd::new(250_000),
            reason: "Hoan tien an",
            requested_by: "ketoan",
            provider_refund: None,
        });
        for flow in [
            Flow::Query,
            Flow::Refund,
            Flow::QueryRefund,
            Flow::Cancel,
            Flow::Confirm,
        ] {
            match adapter.call(flow, &errand, &credentials) {
                Ok(call) => {
                    assert!(
                        call.url.starts_with("https://provider.example.vn"),
                        "{name}"
                    );
                }
                Err(fault) => assert!(fault.message.contains("has no"), "{name}: {fault}"),
            }
        }
    }
}

#[test]
fn replies_say_how_far_a_request_came() {
    let none = Credentials::default();
    let read = |name: &str, flow, status, body: &str| {
        let reply = Reply {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        adapter(name).read_reply(flow, &reply, &none)
    };
    for (name, flow, body, reception, status) in [
        (
            "momo",
            Flow::Query,
            r#"{"resultCode":0,"transId":7,"amount":1000}"#,
            Reception::Taken,
            Status::Paid,
        ),
        (
            "momo",
            Flow::Query,
            r#"{"resultCode":7000}"#,
            Reception::Taken,
            Status::Pending,
        ),
        (
            "momo",
            Flow::Query,
            r#"{"resultCode":42}"#,
            Reception::NotFound,
            Status::Unknown,
        ),
        (
            "momo",
            Flow::Refund,
            r#"{"resultCode":1080}"#,
            Reception::Later,
            Status::Unknown,
        ),
        (
            "momo",
            Flow::Refund,
            r#"{"resultCode":99}"#,
            Reception::Unclear,
            Status::Unknown,
        ),
        (
            "zalopay",
            Flow::Query,
            r#"{"return_code":1,"is_processing":false,"zp_trans_id":9,"amount":1}"#,
            Reception::Taken,
            Status::Paid,
        ),
        (
            "zalopay",
            Flow::Query,
            r#"{"return_code":3,"is_processing":true}"#,
            Reception::Taken,
            Status::Pending,
        ),
        (
            "zalopay",
            Flow::Query,
            r#"{"return_code":2,"sub_return_code":-500}"#,
            Reception::Later,
            Status::Unknown,
        ),
        (
            "zalopay",
            Flow::QueryRefund,
            r#"{"return_code":1}"#,
            Reception::Taken,
            Status::Refunded,
        ),
    ] {
        let observation = read(name, flow, 200, body).expect("a reply").into_inner();
        assert_eq!(
            (observation.reception, observation.status),
            (reception, status),
            "{name} {body}"
        );
    }
    let created = read(
        "momo",
        Flow::Create,
        200,
        r#"{"resultCode":0,"payUrl":"https://momo.vn/p"}"#,
    );
    let created = created.expect("a reply").into_inner();
    assert_eq!(created.redirect.as_deref(), Some("https://momo.vn/p"));
    let trap = read(
        "momo",
        Flow::Create,
        200,
        r#"{"resultCode":0,"payUrl":"javascript:alert(1)"}"#,
    );
    assert_eq!(trap.expect("a reply").into_inner().redirect, None);
    assert!(read("vnpay", Flow::Query, 200, r#"{"vnp_ResponseCode":"00"}"#).is_err());
    assert!(read("momo", Flow::Query, 502, "<html>").is_err());
}
