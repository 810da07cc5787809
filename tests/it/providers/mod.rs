//! Providers as the real program meets them: the behaviours all are held to, and one that is only a
//! folder.

use std::path::Path;

use crate::program::{Said, hocphi, run};

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
    assert!(names.len() >= 5, "{names:?}");
    let arguments = ["adapters", "conformance"].map(str::to_owned);
    let said = run(hocphi(arguments.into_iter().chain(names.clone()))).await;
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    for name in names {
        assert!(said.out.contains(&format!("{name} ")), "{}", said.out);
    }
    assert!(
        said.out.contains("pass  repeated x20 at once"),
        "{}",
        said.out
    );
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
