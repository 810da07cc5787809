use super::*;
use crate::vectors;

const NOW: i64 = 1_795_538_645;
const FILE: &str = include_str!("../testdata/bank_vietinbank.json");

fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    BASE64.decode(lines).unwrap()
}

#[test]
fn notices_of_the_public_recipe_fit() {
    for vector in vectors::read(FILE, "notify") {
        let body = vector.request().json().unwrap();
        let text = canonical(&body, &NOTICE_SIGNED);
        assert_eq!(
            vector.expected("canonical_string"),
            Some(text.clone()),
            "{}",
            vector.name
        );
        let key = der(&vector.secret("bank_public_key_pem"));
        let signature = BASE64.decode(plain(&body["signature"])).unwrap();
        let fits = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key)
            .verify(text.as_bytes(), &signature)
            .is_ok();
        assert_eq!(fits, vector.valid(), "{}", vector.name);
    }
}

#[test]
fn our_notice_is_signed_with_the_key_we_hand_out_and_has_the_members_of_theirs() {
    let bank = VietinBank::invented();
    let ours = bank
        .notice(&Event::paid("HP000042", 5_000, 1, NOW))
        .json()
        .unwrap();
    let theirs = vectors::read(FILE, "notify")[0].request().json().unwrap();
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&ours), names(&theirs));
    let key = der(&bank.credentials()[1].1);
    let signature = BASE64.decode(plain(&ours["signature"])).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key)
        .verify(canonical(&ours, &NOTICE_SIGNED).as_bytes(), &signature)
        .unwrap();
}

fn signed_answer(bank: &VietinBank, code: &str) -> RawResponse {
    let key = RsaKeyPair::from_pkcs8(&der(&bank.credentials()[2].1)).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    let text = format!("VTB1{code}ok");
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .unwrap();
    RawResponse::json(&json!({
        "transId": "VTB1", "providerId": "SBXPROV", "errorCode": code, "errorDesc": "ok",
        "signature": BASE64.encode(signature),
    }))
}

#[test]
fn an_answer_counts_only_under_our_signature() {
    let bank = VietinBank::invented();
    for (code, reading) in [
        ("00", Reading::Done),
        ("05", Reading::Done),
        ("02", Reading::Stopped),
        ("99", Reading::Again),
    ] {
        assert_eq!(bank.reading(&signed_answer(&bank, code)), reading, "{code}");
    }
    let mut forged = signed_answer(&bank, "99");
    forged.body = String::from_utf8(forged.body)
        .unwrap()
        .replace("99", "00")
        .into_bytes();
    assert_eq!(bank.reading(&forged), Reading::Again);
    let mut event = Event::paid("HP000042", 5_000, 1, NOW);
    assert_eq!(
        bank.read_prelude(&mut event, &forged),
        Err(PreludeError::Signature)
    );
    let unknown = signed_answer(&bank, "02");
    assert_eq!(
        bank.read_prelude(&mut event, &unknown),
        Err(PreludeError::Refused("02".to_owned()))
    );
}
