use super::*;
use crate::peer::{RefundFate, Reply};
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/vietqr_callback.json");

#[test]
fn calls_look_as_documented() {
    let peer = VietQrCallback::new("dev-user", "dev-pass", "dev.token", 1);
    let event = Event::paid("VQR HP000042 hoc phi", 1_250_000, 42, 1_788_578_130);
    let token = peer.prelude(&event).unwrap();
    let theirs = vectors::read(FILE, "token")[0].request();
    assert_eq!(
        token.header("authorization"),
        theirs.header("authorization")
    );
    let ours = peer.notice(&event);
    let theirs = vectors::read(FILE, "webhook")[0].request();
    assert_eq!(ours.header("authorization"), theirs.header("authorization"));
    let (ours, theirs) = (ours.json().unwrap(), theirs.json().unwrap());
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(ours["transactiontime"], theirs["transactiontime"]);
}

#[test]
fn a_token_is_taken_from_the_answer_and_carried() {
    let peer = VietQrCallback::invented();
    let mut event = Event::paid("HP000042", 5_000, 1, NOW);
    let given = json!({"access_token": "t1", "token_type": "Bearer", "expires_in": 59});
    peer.read_prelude(&mut event, &RawResponse::json(&given))
        .unwrap();
    assert_eq!(
        peer.notice(&event).header("authorization"),
        Some("Bearer t1")
    );
    let lacking = json!({"token_type": "Bearer", "expires_in": 59});
    assert_eq!(
        peer.read_prelude(&mut event, &RawResponse::json(&lacking)),
        Err(PreludeError::Lacks("access_token"))
    );
    let refused = RawResponse::json_as(401, &given);
    assert_eq!(
        peer.read_prelude(&mut event, &refused),
        Err(PreludeError::Status(401))
    );
}

#[test]
fn only_a_reference_of_ours_ends_it() {
    let peer = VietQrCallback::invented();
    let answer = |reference: &str| {
        RawResponse::json(&json!({
            "error": false, "errorReason": "000", "toastMessage": "", "object": {"reftransactionid": reference},
        }))
    };
    assert_eq!(peer.reading(&answer("r1")), Reading::Done);
    assert_eq!(peer.reading(&answer("")), Reading::Again);
}

#[test]
fn money_is_given_back_once() {
    let peer = VietQrCallback::invented();
    let paid = Event::paid("HP000042", 5_000, 1, NOW);
    peer.book().happened(&paid);
    let refund = |amount: i64| {
        let reference = bank_reference(&paid);
        let sum = md5_hex(&format!("sbx-vietqr-secret{reference}{amount}{ACCOUNT}"));
        let body = json!({
            "referenceNumber": reference, "amount": amount, "bankAccount": ACCOUNT, "checkSum": sum,
        });
        let request = RawRequest::post_json("/vqr/api/transaction/refund", &body)
            .with_header("authorization", "Bearer sbx.vietqr.token");
        match peer.handle(&request, "", NOW).reply {
            Reply::Answer(answer) => answer.read_json().unwrap(),
            Reply::Silence => panic!("silence"),
        }
    };
    assert_eq!(refund(5_001)["status"], "FAILED");
    peer.book().levers().refunds = RefundFate::Done;
    assert_eq!(refund(5_000)["status"], "SUCCESS");
    assert_eq!(refund(5_000)["status"], "FAILED");
}
