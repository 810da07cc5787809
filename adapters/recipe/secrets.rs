//! Credentials as a recipe sees them: with defaults, and with one secret of several in use.

use std::collections::BTreeMap;

use crate::contract::{Credentials, Secret};

/// Exchanged secrets that are tried, newest first.
const GENERATIONS_MAX: usize = 4;

#[derive(Clone, Copy)]
pub(super) struct Secrets<'a> {
    credentials: &'a Credentials,
    defaults: &'a BTreeMap<String, Secret>,
    generation: usize,
}

impl<'a> Secrets<'a> {
    pub(super) const fn new(
        credentials: &'a Credentials,
        defaults: &'a BTreeMap<String, Secret>,
    ) -> Self {
        Self {
            credentials,
            defaults,
            generation: 0,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.secret(name).map(Secret::expose)
    }

    /// The same with the keys made of it.
    pub(super) fn secret(&self, name: &str) -> Option<&'a Secret> {
        let credentials = self.credentials;
        credentials
            .secrets(name)
            .nth(self.generation)
            .or_else(|| credentials.secrets(name).next())
            .or_else(|| self.defaults.get(name))
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many secrets may still be used; `names` are the credentials that matter.
    pub(super) fn generations<'n>(&self, names: impl Iterator<Item = &'n str>) -> usize {
        names
            .map(|name| self.credentials.all(name).count())
            .max()
            .unwrap_or(1)
            .clamp(1, GENERATIONS_MAX)
    }

    /// The same with another secret first, 0 being the newest.
    pub(super) const fn generation(&self, generation: usize) -> Self {
        Self {
            generation,
            ..*self
        }
    }

    /// All values of one credential that may be used.
    pub(super) fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let given = self.credentials.get(name).is_some();
        let default = self.defaults.get(name).filter(|_| !given);
        self.credentials
            .all(name)
            .chain(default.map(Secret::expose))
            .take(GENERATIONS_MAX)
    }
}
