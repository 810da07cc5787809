//! Which adapters may carry real money: those whose very description has passed the conformance
//! suite. What was tried is known by its digest; a changed description is another one.

use std::collections::BTreeMap;
use std::fs;

use hocphi_adapters::{Entry, Origin, Registry};
use serde::{Deserialize, Serialize};

/// Green runs of the adapters in the program, written by `hocphi adapters conformance --record`.
const SHIPPED: &str = include_str!("../../adapters/conformance.toml");

/// What an installation is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Real money: proven adapters only.
    #[default]
    Production,
    /// Trying things out: every adapter that loads.
    Sandbox,
}

/// One green run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub provider: String,
    /// Of the description that was tried.
    pub digest: String,
    /// `2026-11-24`.
    pub day: String,
}

/// Green runs, one a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    #[serde(default)]
    run: Vec<Record>,
}

/// A file of records cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("records of conformance: {0}")]
pub struct RecordsFault(String);

impl Records {
    /// Reads a file of records.
    ///
    /// # Errors
    /// [`RecordsFault`] with the place.
    pub fn parse(text: &str) -> Result<Self, RecordsFault> {
        toml::from_str(text).map_err(|error| RecordsFault(error.to_string()))
    }

    /// The text of a file of records.
    ///
    /// # Errors
    /// [`RecordsFault`] when something cannot be written as TOML.
    pub fn to_text(&self) -> Result<String, RecordsFault> {
        let lines = toml::to_string(self).map_err(|error| RecordsFault(error.to_string()))?;
        Ok(format!(
            "# Green runs of `hocphi adapters conformance --record`. Not to be written by hand.\n\n{lines}"
        ))
    }

    /// Puts a run in the place of an earlier one of the same provider.
    pub fn put(&mut self, record: Record) {
        self.run.retain(|known| known.provider != record.provider);
        self.run.push(record);
        self.run
            .sort_by(|one, other| one.provider.cmp(&other.provider));
    }

    fn of(&self, provider: &str) -> Option<&Record> {
        self.run.iter().find(|record| record.provider == provider)
    }
}

/// Why an adapter may not be switched on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    #[error("{0} has no green conformance run")]
    NeverTried(String),
    #[error("{0} was changed since its green conformance run")]
    Changed(String),
    #[error("{0} is experimental and not named in the configuration")]
    Experimental(String),
}

/// Decides for an installation; the default trusts every adapter that loads, as a sandbox does.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    untrusted: BTreeMap<String, Untrusted>,
}

impl Trust {
    /// Looks at every adapter once; records are read here and not later.
    pub fn new(mode: Mode, registry: &Registry) -> Self {
        if mode == Mode::Sandbox {
            return Self::default();
        }
        let shipped = Records::parse(SHIPPED).unwrap_or_else(|error| {
            tracing::error!(%error, "no shipped adapter is taken for proven");
            Records::default()
        });
        let untrusted = registry
            .entries()
            .filter_map(|(name, entry)| {
                doubt(name, entry, &shipped).map(|doubt| (name.to_owned(), doubt))
            })
            .collect();
        Self { untrusted }
    }

    /// Whether an adapter may carry payments here.
    ///
    /// # Errors
    /// [`Untrusted`] says why not.
    pub fn check(&self, provider: &str) -> Result<(), Untrusted> {
        match self.untrusted.get(provider) {
            Some(doubt) => Err(doubt.clone()),
            None => Ok(()),
        }
    }
}

fn doubt(name: &str, entry: &Entry, shipped: &Records) -> Option<Untrusted> {
    if !entry.is_on() {
        return Some(Untrusted::Experimental(name.to_owned()));
    }
    let own;
    let records = match &entry.origin {
        Origin::Shipped => shipped,
        Origin::Folder(folder) => {
            own = fs::read_to_string(folder.join("conformance.toml"))
                .ok()
                .and_then(|text| Records::parse(&text).ok())
                .unwrap_or_default();
            &own
        }
    };
    match records.of(name) {
        None => Some(Untrusted::NeverTried(name.to_owned())),
        Some(record) if record.digest != entry.digest => Some(Untrusted::Changed(name.to_owned())),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_record_is_of_the_description_that_is_shipped() {
        let registry = Registry::builtin();
        let records = Records::parse(SHIPPED).expect("the shipped records");
        for record in &records.run {
            let entry = registry
                .entries()
                .find(|(name, _)| *name == record.provider)
                .map(|(_, entry)| entry)
                .unwrap_or_else(|| panic!("{} is not shipped", record.provider));
            assert_eq!(
                record.digest, entry.digest,
                "{}: run `hocphi adapters conformance --record {}`",
                record.provider, record.provider
            );
        }
    }

    #[test]
    fn in_production_only_the_very_description_that_was_tried_is_trusted() {
        let registry = Registry::builtin();
        let (name, entry) = registry
            .entries()
            .find(|(name, _)| *name == "vnpay")
            .expect("an adapter");
        let mut records = Records::default();
        assert_eq!(
            doubt(name, entry, &records),
            Some(Untrusted::NeverTried(name.to_owned()))
        );
        let mut record = Record {
            provider: name.to_owned(),
            digest: entry.digest.clone(),
            day: "2026-11-24".to_owned(),
        };
        records.put(record.clone());
        assert_eq!(doubt(name, entry, &records), None);
        record.digest.replace_range(..1, "x");
        records.put(record);
        assert_eq!(
            doubt(name, entry, &records),
            Some(Untrusted::Changed(name.to_owned()))
        );
        assert_eq!(
            Records::parse(&records.to_text().unwrap()).unwrap(),
            records
        );
        assert!(Trust::new(Mode::Sandbox, &registry).check(name).is_ok());
    }
}
