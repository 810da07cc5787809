use super::*;
use crate::vectors;

#[test]
fn the_message_is_the_one_openssl_signed() {
    let vector = &vectors::read(include_str!("../testdata/bank_webhook.json"), "webhook")[0];
    let bank = BankWebhook::new(&vector.secret("hmac_secret"), 1);
    let event = Event::paid("HP000042 học phí", 1_250_000, 42, 1_788_578_130);
    let ours = bank.notice(&event);
    assert_eq!(ours.body, vector.request().body);
    assert_eq!(
        ours.header("x-signature"),
        vector.expected("signature").as_deref()
    );
}
