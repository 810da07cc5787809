//! The configuration file: one section a concern, unknown keys refused, secrets only as files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clock::Day;
use crate::payments::trust::Mode;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cấu hình {path}: {problem}")]
pub struct ConfigError {
    pub path: String,
    /// With line and key, as the parser says.
    pub problem: String,
}

/// `hocphi.toml`. Every key has a default that suits one machine with embedded SQLite, except what
/// only the operator can know.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub secrets: Secrets,
    pub adapters: Adapters,
    /// Without it invoices are numbered and signed, and wait for a carrier.
    pub tax: Option<Tax>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    pub listen: SocketAddr,
    /// As browsers and providers see it; behind a proxy this is the `https://` address.
    pub public_url: String,
    /// Origins that a pay button may lead to; browsers are told to refuse all others.
    pub payment_origins: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self {
            listen,
            public_url: format!("http://{listen}"),
            payment_origins: vec![
                "https://pay.vnpay.vn".into(),
                "https://sandbox.vnpayment.vn".into(),
                "https://payment.momo.vn".into(),
                "https://test-payment.momo.vn".into(),
                "https://openapi.zalopay.vn".into(),
                "https://qcgateway.zalopay.vn".into(),
                "https://sbgateway.zalopay.vn".into(),
                "https://pay.payos.vn".into(),
                "https://pay.sepay.vn".into(),
                "https://pay-sandbox.sepay.vn".into(),
                "https://onepay.vn".into(),
                "https://mtf.onepay.vn".into(),
                "https://payment.9pay.vn".into(),
                "https://sand-payment.9pay.vn".into(),
                "https://alepay-v3.nganluong.vn".into(),
                "https://alepay-v3-sandbox.nganluong.vn".into(),
            ],
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite://FILE` or `postgres://USER@HOST/NAME`; a list of addresses of one PostgreSQL, the
    /// primary and its standbys, stands here with commas between them.
    #[serde(deserialize_with = "one_or_several")]
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://hocphi-data/hocphi.db".into(),
        }
    }
}

fn one_or_several<'de, D: serde::Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an address or a list of addresses")]
    enum Urls {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Urls::deserialize(value)? {
        Urls::One(url) => url,
        Urls::Several(urls) => urls.join(","),
    })
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// 64 hex digits, made at the first start. Whoever loses it loses every stored credential.
    pub master_key_file: PathBuf,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            master_key_file: "hocphi-data/master.key".into(),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adapters {
    /// Folders here are loaded beside, and instead of, the adapters in the program.
    pub directory: Option<PathBuf>,
    /// `production` lets only adapters with a green conformance run carry payments.
    pub mode: Mode,
    /// Adapters marked experimental that may be used all the same.
    pub experimental: Vec<Experimental>,
}

/// Somebody's word that an adapter without published ground may be used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Experimental {
    Named(String),
    /// From the start of this day in Vietnam, `2026-12-01`; looked at when the program starts.
    From(ExperimentalFrom),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentalFrom {
    pub name: String,
    pub from: Day,
}

impl Experimental {
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::From(ExperimentalFrom { name, .. }) => name,
        }
    }

    /// Whether it may be used on this day.
    pub fn is_on(&self, today: Day) -> bool {
        match self {
            Self::Named(_) => true,
            Self::From(dated) => dated.from <= today,
        }
    }
}

/// The certified transmission provider (T-VAN) that carries invoices to the tax authority.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// By which messages remember this carrier; never changed while any is under way.
    #[serde(default)]
    pub name: String,
    pub carrier_url: String,
    /// File that holds the carrier's access token.
    pub token_file: PathBuf,
    /// `MNGui` of our envelopes, as agreed with the carrier, e.g. `V0100233488`.
    pub sender: String,
    /// `MNNhan` of our envelopes, as agreed with the carrier.
    #[serde(default = "authority")]
    pub receiver: String,
    /// PEM files of the certificates by which the authority's signatures are believed.
    #[serde(default)]
    pub authority_certificates: Vec<PathBuf>,
    /// Carriers that take over while the first one takes nothing, in this order.
    #[serde(default)]
    pub others: Vec<OtherCarrier>,
}

/// A further contract with a transmission provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherCarrier {
    /// By which messages remember it; different from all others.
    pub name: String,
    pub carrier_url: String,
    pub token_file: PathBuf,
    pub sender: String,
    #[serde(default = "authority")]
    pub receiver: String,
}

/// The tax authority's own code in envelopes (einvoice §4.1).
fn authority() -> String {
    "TCT".into()
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file and the line.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let problem = |problem: String| ConfigError {
            path: file.display().to_string(),
            problem,
        };
        let text = std::fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
        toml::from_str(&text).map_err(|error| problem(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let error =
            toml::from_str::<Config>("[server]\nlisten_on = \"127.0.0.1:1\"\n").unwrap_err();
        assert!(error.to_string().contains("listen_on"));
    }

    #[test]
    fn a_database_has_one_address_or_several() {
        let read = |text| toml::from_str::<Config>(text).unwrap().database.url;
        assert_eq!(
            read("[database]\nurl = \"postgres://a/x\""),
            "postgres://a/x"
        );
        assert_eq!(
            read("[database]\nurl = [\"postgres://a/x\", \"postgres://b/x\"]"),
            "postgres://a/x,postgres://b/x"
        );
        assert!(toml::from_str::<Config>("[database]\nurl = 5").is_err());
    }

    #[test]
    fn the_example_of_the_readme_is_understood() {
        let text = r#"
            [server]
            listen = "0.0.0.0:8080"
            public_url = "https://hocphi.example.vn"
            [database]
            url = "postgres://hocphi@db.example.vn/hocphi"
            [secrets]
            master_key_file = "/etc/hocphi/master.key"
            [tax]
            carrier_url = "https://tvan.example.vn"
            token_file = "/etc/hocphi/tvan.token"
            sender = "V0100233488"
        "#;
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.server.public_url, "https://hocphi.example.vn");
        assert!(config.tax.is_some());
    }
}
