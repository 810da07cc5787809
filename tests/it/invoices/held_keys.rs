//! Keys that this program does not hold: on a PKCS#11 token, in a signing service. And certificates
//! that may not sign.

use std::path::{Path, PathBuf};
use std::process::Command;

use hocphi::clock::Day;
use hocphi::ids::SchoolId;
use hocphi::invoices::document::Form;
use hocphi::invoices::service::{
    InvoiceError, Issued, KeyRing, Registered, install_key, issue, list_keys, register_certificate,
};
use hocphi::invoices::signature::{
    Certificate, CertificateProblem, Holder, KeyError, SignError, SigningKey, TokenPlace,
    pem_blocks,
};
use hocphi::invoices::verify::{Trust, verify};
use hocphi::invoices::xml::write_invoice;

use super::books::{SCHOOLS, app_on, payment, schools, start};
use super::samples::{SELLER, document, issuer, key, signing_moment};
use crate::engines::fresh_databases;
use crate::program::must_run_everything;

const MODULES: [&str; 2] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
];
/// Set in the process that a test starts for itself.
const INNER: &str = "HOCPHI_TEST_WITH_TOKEN";
const PIN: &str = "493817";

/// Runs the named test of this file once more, in a process whose module finds a token: it reads its
/// configuration from the environment, once. `None` in the outer process; in the inner one, the token.
fn with_token(test: &str) -> Option<TokenPlace> {
    let module = MODULES.iter().map(PathBuf::from).find(|file| file.exists());
    let place = |module| TokenPlace {
        module,
        token: "truong-vi-du".into(),
        key: "ky-hoa-don".into(),
        pin: PIN.into(),
    };
    if std::env::var_os(INNER).is_some() {
        return module.map(place);
    }
    let has_tools = ["softhsm2-util", "pkcs11-tool"]
        .iter()
        .all(|tool| Command::new(tool).arg("--help").output().is_ok());
    let Some(module) = module.filter(|_| has_tools) else {
        assert!(
            !must_run_everything(),
            "softhsm2 and opensc must be installed where everything runs"
        );
        eprintln!("skipped: softhsm2 or opensc is not installed");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("softhsm2.conf");
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    std::fs::write(
        &configuration,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    fill(folder.path(), &configuration, &module);
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("invoices::held_keys::{test}"),
            "--nocapture",
        ])
        .env(INNER, "1")
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    None
}

fn fill(folder: &Path, configuration: &Path, module: &Path) {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .env("SOFTHSM2_CONF", configuration)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let pem = super::samples::SELLER_PEM;
    let key_file = folder.join("key.pem");
    let certificate_file = folder.join("certificate.der");
    std::fs::write(
        &key_file,
        &pem[..pem.find("-----BEGIN CERTIFICATE").unwrap()],
    )
    .unwrap();
    std::fs::write(&certificate_file, key().certificate().der()).unwrap();
    let (key_file, certificate_file) = (
        key_file.to_str().unwrap(),
        certificate_file.to_str().unwrap(),
    );
    run(
        "softhsm2-util",
        &[
            "--init-token",
            "--free",
            "--label",
            "truong-vi-du",
            "--so-pin",
            "8472910",
            "--pin",
            PIN,
        ],
    );
    run(
        "softhsm2-util",
        &[
            "--import",
            key_file,
            "--token",
            "truong-vi-du",
            "--label",
            "ky-hoa-don",
            "--id",
            "a1",
            "--pin",
            PIN,
        ],
    );
    run(
        "pkcs11-tool",
        &[
            "--module",
            module.to_str().unwrap(),
            "--token-label",
            "truong-vi-du",
            "--login",
            "--pin",
            PIN,
            "--write-object",
            certificate_file,
            "--type",
            "cert",
            "--label",
            "chung-thu",
            "--id",
            "a1",
        ],
    );
}

#[test]
fn a_token_signs_as_the_key_in_the_file_does_and_from_many_threads() {
    let Some(place) = with_token("a_token_signs_as_the_key_in_the_file_does_and_from_many_threads")
    else {
        return;
    };
    let token = SigningKey::on_token(place.clone(), None).unwrap();
    // The certificate was found by the key's identifier, since its label differs.
    assert_eq!(token.certificate().serial, "5401");
    let sign = |key: &SigningKey| {
        let unsigned = write_invoice(&document(Form::Vat)).unwrap();
        key.sign(unsigned, SELLER, signing_moment()).unwrap()
    };
    // PKCS#1 v1.5 is deterministic: the same bytes come out.
    let expected = sign(&key());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert_eq!(sign(&token), expected);
                }
            });
        }
    });
    assert!(!format!("{token:?}{place:?}").contains(PIN));
}

#[test]
fn a_wrong_pin_label_or_module_is_said_without_the_pin() {
    let Some(place) = with_token("a_wrong_pin_label_or_module_is_said_without_the_pin") else {
        return;
    };
    let cases = [
        TokenPlace {
            key: "khong-co".into(),
            ..place.clone()
        },
        TokenPlace {
            token: "khong-co".into(),
            ..place.clone()
        },
        TokenPlace {
            module: "/no/such/module.so".into(),
            ..place
        },
    ];
    for case in cases {
        let error = SigningKey::on_token(case, None).unwrap_err();
        assert!(matches!(error, KeyError::Elsewhere(_)), "{error}");
        assert!(!error.to_string().contains(PIN));
    }
}

#[tokio::test]
async fn invoices_are_issued_with_a_key_on_a_token() {
    let Some(place) = with_token("invoices_are_issued_with_a_key_on_a_token") else {
        return;
    };
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        let school = SchoolId::new("s1");
        let token = SigningKey::on_token(place.clone(), None).unwrap();
        assert!(
            install_key(&app, &school, &token, &[issuer()])
                .await
                .unwrap()
        );
        let listed = list_keys(&app, &school).await.unwrap();
        assert_eq!(
            (listed[0].holder, listed[0].registered),
            (Holder::Token, None)
        );
        let (sealed,): (String,) = app
            .db
            .sql("SELECT sealed_key FROM signing_key")
            .one()
            .await
            .unwrap();
        assert!(!sealed.contains(PIN) && !sealed.contains("softhsm"));
        let paid = payment(&app, "s1", "p1", start().day()).await;
        // A ring of its own, so that the key is opened again from what is stored.
        let issued = issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert!(matches!(issued[0], Ok(Issued::Signed(_))), "{issued:?}");
        let (xml,): (String,) = app.db.sql("SELECT xml FROM invoice").one().await.unwrap();
        assert!(verify(xml.as_bytes(), Trust::default()).valid);
    }
}

#[tokio::test]
async fn only_registered_certificates_sign_once_a_registration_is_entered() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        let school = SchoolId::new("s1");
        install_key(&app, &school, &key(), &[]).await.unwrap();
        let paid = payment(&app, "s1", "p1", start().day()).await;
        let day = |of_month| Day::new(2026, 11, of_month).unwrap();
        let registered = |serial: &str, to| Registered {
            school_id: school.clone(),
            serial: serial.into(),
            valid_from: day(1),
            valid_to: to,
            source: "thử".into(),
        };
        // Another one, and this one until yesterday.
        for row in [registered("0A0B", None), registered("5401", Some(day(23)))] {
            register_certificate(&app, row).await.unwrap();
        }
        let ring = KeyRing::default();
        let refused = issue(&app, &ring, std::slice::from_ref(&paid))
            .await
            .unwrap();
        assert!(
            matches!(
                &refused[0],
                Err(InvoiceError::Sign(SignError::Certificate(
                    CertificateProblem::NotRegistered { serial, .. }
                ))) if serial == "5401"
            ),
            "{refused:?}"
        );
        assert_eq!(
            list_keys(&app, &school).await.unwrap()[0].registered,
            Some(false)
        );
        let (numbers,): (i64,) = app
            .db
            .sql("SELECT COUNT(*) FROM invoice")
            .one()
            .await
            .unwrap();
        assert_eq!(numbers, 0, "nothing gets a number that cannot be signed");
        register_certificate(&app, registered("5401", None))
            .await
            .unwrap();
        let issued = issue(&app, &ring, &[paid]).await.unwrap();
        assert!(matches!(issued[0], Ok(Issued::Signed(_))), "{issued:?}");
    }
}

#[tokio::test]
async fn a_chain_must_lead_to_a_trusted_issuer() {
    let (db, _keep) = fresh_databases().await.remove(0);
    let app = app_on(db);
    schools(&app, "INVOICE_ALL").await;
    let school = SchoolId::new("s1");
    let stranger =
        Certificate::from_der(&pem_blocks(super::samples::AUTHORITY_PEM)[1].der).unwrap();
    let refused = install_key(&app, &school, &key(), &[stranger]).await;
    assert!(matches!(
        refused,
        Err(InvoiceError::Sign(SignError::Certificate(
            CertificateProblem::Untrusted
        )))
    ));
    assert!(
        install_key(&app, &school, &key(), &[issuer()])
            .await
            .unwrap()
    );
}

#[cfg(feature = "sandbox")]
mod with_an_authority {
    use super::*;
    use hocphi::invoices::signature::RemoteKey;
    use hocphi_sandbox::{Identity, Pki, RemoteAccess, RemoteSigning};

    fn opened(identity: &Identity) -> SigningKey {
        SigningKey::from_pem(&format!("{}{}", identity.key_pem, identity.certificate_pem)).unwrap()
    }

    #[test]
    fn an_expired_certificate_does_not_sign_and_is_found_in_files() {
        let pki = Pki::new(start().unix()).unwrap();
        let four_years = 4 * 365 * 86_400;
        let old = opened(
            &pki.issue_as_of("T", SELLER, start().unix() - four_years)
                .unwrap(),
        );
        let unsigned = || write_invoice(&document(Form::Vat)).unwrap();
        assert!(matches!(
            old.sign(unsigned(), SELLER, signing_moment()),
            Err(SignError::Certificate(
                CertificateProblem::NotValidAt { .. }
            ))
        ));
        // Signed while it held, but the file says another time.
        let fresh = opened(&pki.issue("T", SELLER).unwrap());
        let file = fresh.sign(unsigned(), SELLER, signing_moment()).unwrap();
        assert!(verify(&file, Trust::default()).valid);
    }

    #[tokio::test]
    async fn invoices_are_issued_with_a_key_in_a_signing_service() {
        let pki = Pki::new(start().unix()).unwrap();
        let access = RemoteAccess {
            credential: "tk-01".into(),
            token: "ma-truy-cap".into(),
            authorisation: "uy-quyen".into(),
        };
        for (db, _keep) in fresh_databases().await {
            let app = app_on(db);
            schools(&app, "INVOICE_ALL").await;
            let (id, tax_code, _) = SCHOOLS[0];
            let school = SchoolId::new(id);
            let identity = pki.issue("Trường s1", tax_code).unwrap();
            let certificate = identity.certificate_pem.clone();
            let service = RemoteSigning::start(identity, access.clone())
                .await
                .unwrap();
            let remote = RemoteKey {
                url: service.url.clone(),
                credential: access.credential.clone(),
                token: access.token.clone(),
                authorisation: access.authorisation.clone(),
            };
            let key = SigningKey::remote(remote.clone(), &certificate).unwrap();
            assert!(!format!("{key:?}{remote:?}").contains("ma-truy-cap"));
            install_key(&app, &school, &key, &[]).await.unwrap();
            let mut paid = Vec::new();
            for name in ["p1", "p2", "p3"] {
                paid.push(payment(&app, id, name, start().day()).await);
            }
            let issued = issue(&app, &KeyRing::default(), &paid).await.unwrap();
            assert!(
                issued
                    .iter()
                    .all(|one| matches!(one, Ok(Issued::Signed(_)))),
                "{issued:?}"
            );
            assert_eq!(service.calls(), 1, "one call for the batch");
            let files: Vec<(String,)> = app.db.sql("SELECT xml FROM invoice").all().await.unwrap();
            for (file,) in files {
                assert!(verify(file.as_bytes(), Trust::default()).valid);
            }
            drop(service);
            // The service is away: the number waits for its signature, and for nothing else.
            let late = payment(&app, id, "p4", start().day()).await;
            let waiting = issue(&app, &KeyRing::default(), &[late]).await.unwrap();
            assert!(
                waiting[0].as_ref().is_err_and(InvoiceError::may_pass),
                "{waiting:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_service_that_signs_with_another_key_is_not_believed() {
        let pki = Pki::new(start().unix()).unwrap();
        let (db, _keep) = fresh_databases().await.remove(0);
        let app = app_on(db);
        schools(&app, "INVOICE_ALL").await;
        let (id, tax_code, _) = SCHOOLS[0];
        let access = RemoteAccess {
            credential: "c".into(),
            token: "t".into(),
            authorisation: "s".into(),
        };
        let other = pki.issue("Trường s1", tax_code).unwrap();
        let service = RemoteSigning::start(other, access).await.unwrap();
        let remote = RemoteKey {
            url: service.url.clone(),
            credential: "c".into(),
            token: "t".into(),
            authorisation: "s".into(),
        };
        let mine = pki.issue("Trường s1", tax_code).unwrap();
        let key = SigningKey::remote(remote, &mine.certificate_pem).unwrap();
        install_key(&app, &SchoolId::new(id), &key, &[])
            .await
            .unwrap();
        let paid = payment(&app, id, "p1", start().day()).await;
        let outcome = issue(&app, &KeyRing::default(), &[paid]).await.unwrap();
        assert!(
            matches!(&outcome[0], Err(InvoiceError::Sign(SignError::Key(_)))),
            "{outcome:?}"
        );
    }
}
