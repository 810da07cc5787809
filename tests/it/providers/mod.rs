//! Providers as the real program meets them: the behaviours all are held to, and one that is only a
//! folder.

use std::path::Path;

use crate::program::{Said, hocphi, run};

const PAYOS: &str = include_str!("../../../adapters/payos/adapter.toml");
const VNPAY: &str = include_str!("../../../adapters/vnpay/adapter.toml");
const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/province/units.csv");

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// Those with a recorded green run, by name.
fn recorded() -> Vec<String> {
    let lines = include_str!("../../../adapters/conformance.toml").lines();
    lines
        .filter_map(|line| line.strip_prefix("provider = "))
        .map(|name| name.trim_matches('"').to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_with_a_green_record_behaves_before_the_simulated_one() {
    let names = recorded();
    assert_eq!(names.len(), 14, "{names:?}");
    let arguments = ["adapters", "conformance"].map(str::to_owned);
    let said = run(hocphi(arguments.into_iter().chain(names.clone()))).await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    for name in names {
        assert!(said.out.contains(&format!("{name} ")), "{}", said.out);
    }
    for case in ["repeated x20 at once", "answers as prescribed"] {
        assert!(
            said.out.contains(&format!("pass  {case}")),
            "{case}: {}",
            said.out
        );
    }
}

/// A provider whose answer is a code and no page: it is shown, scanned, and left when it is paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_without_a_page_leads_from_the_bill_to_paid() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("quet_ma");
    std::fs::create_dir_all(&own).expect("a folder");
    let redirect = "redirect = \"data.checkoutUrl\"\n";
    assert!(PAYOS.contains(redirect));
    let recipe = PAYOS
        .replacen("name = \"payos\"", "name = \"quet_ma\"", 1)
        .replacen(redirect, "", 1);
    std::fs::write(own.join("adapter.toml"), recipe).expect("a description");
    let said = run(hocphi([
        "adapters".to_owned(),
        "--adapters".to_owned(),
        text(folder.path()),
        "conformance".to_owned(),
        "quet_ma".to_owned(),
        "--against".to_owned(),
        "payos".to_owned(),
    ]))
    .await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    assert!(said.out.contains("pass  genuine"), "{}", said.out);
}

/// Off, on by the word of the configuration, off until the day it says.
#[tokio::test(flavor = "multi_thread")]
async fn an_experimental_provider_is_on_when_the_configuration_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let config = place.join("hocphi.toml");
    let credentials = place.join("credentials.toml");
    std::fs::write(
        &credentials,
        "client_id = \"C1\"\nsecret_key = \"SECRETSECRET\"\n",
    )
    .expect("credentials");
    let words = |text: &[&str]| -> Vec<String> { text.iter().map(|w| (*w).to_owned()).collect() };
    let database = format!("sqlite://{}/books.db", place.display());
    let units = words(&["import", "units", "--database-url", &database, UNITS]);
    let units = run(hocphi(units)).await;
    assert_eq!(units.code, Some(0), "{}{}", units.out, units.err);
    for (experimental, is_on) in [
        ("", false),
        ("experimental = [\"pay2s\"]", false),
        ("experimental = [\"shopeepay\"]", true),
        (
            "experimental = [{ name = \"shopeepay\", from = \"2026-01-01\" }]",
            true,
        ),
        (
            "experimental = [{ name = \"shopeepay\", from = \"9998-01-01\" }]",
            false,
        ),
    ] {
        std::fs::write(
            &config,
            format!(
                "[database]\nurl = \"{database}\"\n[secrets]\nmaster_key_file = \"{}/master.key\"\n\
                 [adapters]\nmode = \"sandbox\"\n{experimental}\n",
                place.display()
            ),
        )
        .expect("a configuration");
        let said = run(hocphi(words(&[
            "connect",
            "--config",
            &text(&config),
            "--school",
            "TH-HS",
            "--provider",
            "shopeepay",
            "--channel",
            "wallet",
            "--name",
            "ShopeePay",
            "--credentials",
            &text(&credentials),
        ])))
        .await;
        assert_eq!(
            said.code == Some(0),
            is_on,
            "{experimental}: {}{}",
            said.out,
            said.err
        );
    }
}

/// A provider that nobody compiled in: written as a folder, proven against a simulated provider,
/// switched on in production, and off again by any change of its description.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_a_new_provider_that_takes_payments_once_it_is_proven() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let adapters = place.join("adapters");
    let own = adapters.join("truong_pay");
    std::fs::create_dir_all(&own).expect("a folder");
    let recipe = VNPAY.replacen("name = \"vnpay\"", "name = \"truong_pay\"", 1);
    std::fs::write(own.join("adapter.toml"), &recipe).expect("a description");
    let config = place.join("hocphi.toml");
    std::fs::write(
        &config,
        format!(
            "[database]\nurl = \"sqlite://{0}/books.db\"\n[secrets]\nmaster_key_file = \"{0}/master.key\"\n\
             [adapters]\ndirectory = \"{0}/adapters\"\n",
            place.display()
        ),
    )
    .expect("a configuration");
    let credentials = place.join("credentials.toml");
    std::fs::write(
        &credentials,
        "tmn_code = \"HOCPHI01\"\nhash_secret = \"SECRETSECRET\"\n\
         pay_url = \"https://pay.example.vn/pay\"\napi_url = \"https://pay.example.vn/api\"\n",
    )
    .expect("credentials");
    let at =
        |more: &[&str]| -> Vec<String> { more.iter().map(|word| (*word).to_owned()).collect() };
    let (config, adapters, credentials) = (text(&config), text(&adapters), text(&credentials));
    let database = format!("sqlite://{}/books.db", place.display());
    let units = run(hocphi(at(&[
        "import",
        "units",
        "--database-url",
        &database,
        UNITS,
    ])))
    .await;
    assert_eq!(units.code, Some(0), "{}{}", units.out, units.err);
    let connect = async || -> Said {
        run(hocphi(at(&[
            "connect",
            "--config",
            &config,
            "--school",
            "TH-HS",
            "--provider",
            "truong_pay",
            "--channel",
            "gateway",
            "--name",
            "Trường Pay",
            "--credentials",
            &credentials,
        ])))
        .await
    };
    let early = connect().await;
    assert_ne!(early.code, Some(0));
    assert!(
        early.err.contains("chưa qua kiểm thử tương thích"),
        "{}",
        early.err
    );
    // Takes payments, through the whole gateway and by its own name.
    let proven = run(hocphi(at(&[
        "adapters",
        "--adapters",
        &adapters,
        "conformance",
        "truong_pay",
        "--against",
        "vnpay",
        "--record",
    ])))
    .await;
    assert_eq!(proven.code, Some(0), "{}{}", proven.out, proven.err);
    assert!(proven.out.contains("pass  genuine"), "{}", proven.out);
    assert!(own.join("conformance.toml").exists());
    let connected = connect().await;
    assert_eq!(
        connected.code,
        Some(0),
        "{}{}",
        connected.out,
        connected.err
    );
    assert!(
        connected
            .out
            .contains("/notices/truong_pay/th-hs-truong_pay"),
        "{}",
        connected.out
    );
    std::fs::write(own.join("adapter.toml"), format!("{recipe}\n# changed\n")).expect("a change");
    let late = connect().await;
    assert_ne!(late.code, Some(0));
    assert!(late.err.contains("đã thay đổi"), "{}", late.err);
}
