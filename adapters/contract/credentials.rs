//! What a school agreed with a provider.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::digest::{Algorithm, KeyForm, Keys, MadeKey};

/// A value that prints as stars. What is made of it to sign with is kept with it and as little shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret {
    value: String,
    #[serde(skip)]
    keys: Keys,
}

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            keys: Keys::default(),
        }
    }

    /// The value itself; never log or format it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The value as a key; `None` when it cannot be one.
    pub(crate) fn key(&self, algorithm: Algorithm, form: KeyForm) -> Option<&MadeKey> {
        self.keys.get(algorithm, form, &self.value)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Merchant number, keys, addresses of one connection by name.
///
/// As JSON an object: a value is a text, a number, or a list of texts for a secret that is being
/// exchanged, the newest first. Empty values count as absent.
#[derive(Clone, Debug, Default)]
pub struct Credentials(
    /// Sorted by name. Few, so that looking at each is the fastest way to one.
    Vec<(String, Vec<Secret>)>,
);

impl Credentials {
    fn sorted(by_name: BTreeMap<String, Vec<Secret>>) -> Self {
        Self(by_name.into_iter().collect())
    }

    /// The value in use.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value in use and those still accepted, newest first.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.secrets(name).map(Secret::expose)
    }

    /// The same with the keys made of them.
    pub(crate) fn secrets<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Secret> + use<'a> {
        let mut all = self.0.iter();
        let found = all.find(|(known, _)| known == name);
        let secrets: &[Secret] = found.map_or(&[], |(_, secrets)| secrets);
        secrets.iter().filter(|secret| !secret.value.is_empty())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Accepts a further, older value of `name` for as long as secrets are being exchanged.
    #[must_use]
    pub fn also_accepting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, secret) = (name.into(), Secret::new(value));
        match self.0.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => self.0[at].1.push(secret),
            Err(at) => self.0.insert(at, (name, vec![secret])),
        }
        self
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let pairs = pairs.map(|(name, value)| (name.into(), vec![Secret::new(value)]));
        Self::sorted(pairs.collect())
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => Ok(Secret::new(text)),
            serde_json::Value::Number(number) => Ok(Secret::new(number.to_string())),
            // The value stays out of the message: it may be a secret.
            _ => Err(D::Error::custom(
                "a credential is a text, a number or a list of texts",
            )),
        };
        let mut credentials = BTreeMap::new();
        for (name, value) in values {
            let all = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::Array(values) => {
                    values.into_iter().map(text).collect::<Result<_, _>>()?
                }
                value => vec![text(value)?],
            };
            credentials.insert(name, all);
        }
        Ok(Self::sorted(credentials))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_being_exchanged_has_two_values_and_prints_neither() {
        let read: Credentials =
            serde_json::from_str(r#"{"key":["new","old"],"app_id":7001,"url":"u","none":null}"#)
                .expect("credentials");
        assert_eq!(read.get("key"), Some("new"));
        assert_eq!(read.all("key").collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(read.get("app_id"), Some("7001"));
        assert_eq!(read.get("none"), None);
        assert!(!format!("{read:?}").contains("new"));
        let told = serde_json::from_str::<Credentials>(r#"{"key":{"s3cret":1}}"#)
            .expect_err("an object")
            .to_string();
        assert!(!told.contains("s3cret"), "{told}");
        let built: Credentials = [("key", "new")].into_iter().collect();
        let both = built.also_accepting("key", "old");
        assert_eq!(both.all("key").collect::<Vec<_>>(), ["new", "old"]);
    }
}
