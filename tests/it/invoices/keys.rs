use hocphi::clock::Instant;
use hocphi::invoices::signature::{CertificateProblem, KeyError, SigningKey};

use super::samples::{SELLER, SELLER_PEM, key, signing_moment};

#[test]
fn the_same_key_opens_from_modern_and_old_pkcs12_and_from_both_pem_forms() {
    let modern = include_bytes!("../../data/keys/seller.p12");
    let old = include_bytes!("../../data/keys/seller-legacy.p12");
    let keys = [
        SigningKey::from_pkcs12(modern, "mật khẩu").unwrap(),
        SigningKey::from_pkcs12(old, "sandbox").unwrap(),
        SigningKey::from_pem(SELLER_PEM).unwrap(),
        SigningKey::from_pem(include_str!("../../data/keys/seller-pkcs1.pem")).unwrap(),
    ];
    for key in &keys {
        let facts = key.certificate();
        assert_eq!(facts.serial, "5401");
        assert_eq!(facts.tax_code.as_deref(), Some(SELLER));
        assert_eq!(
            facts.subject,
            "UID=MST:0100233488,CN=TRƯỜNG VÍ DỤ,O=TRƯỜNG VÍ DỤ,C=VN"
        );
        let (holder, secret) = key.to_parts().unwrap();
        let again = SigningKey::from_parts(holder, &secret, &key.certificate_pem()).unwrap();
        assert_eq!(again.certificate().der(), keys[0].certificate().der());
    }
    assert!(matches!(
        SigningKey::from_pkcs12(modern, "sai"),
        Err(KeyError::Pkcs12(_))
    ));
}

#[test]
fn a_key_without_its_certificate_is_refused() {
    let split = SELLER_PEM.find("-----BEGIN CERTIFICATE").unwrap();
    let (key_alone, certificate_alone) = SELLER_PEM.split_at(split);
    assert_eq!(
        SigningKey::from_pem(key_alone).unwrap_err(),
        KeyError::NoCertificate
    );
    assert_eq!(
        SigningKey::from_pem(certificate_alone).unwrap_err(),
        KeyError::NoKey
    );
    let of_another = format!("{key_alone}{}", include_str!("../../data/keys/ca.pem"));
    assert_eq!(
        SigningKey::from_pem(&of_another).unwrap_err(),
        KeyError::NoCertificate
    );
}

#[test]
fn a_certificate_signs_only_for_its_owner_and_in_its_time() {
    let key = key();
    let certificate = key.certificate();
    assert_eq!(certificate.check(SELLER, signing_moment()), Ok(()));
    assert!(matches!(
        certificate.check("0100109106", signing_moment()),
        Err(CertificateProblem::OtherTaxCode { .. })
    ));
    let too_early = Instant::parse_local_iso("2025-12-31T00:00:00").unwrap();
    assert!(matches!(
        certificate.check(SELLER, too_early),
        Err(CertificateProblem::NotValidAt { .. })
    ));
}
