//! Credentials as a recipe sees them: with defaults, and with one secret of several in use.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::contract::Credentials;

/// Exchanged secrets that are tried, newest first.
const GENERATIONS_MAX: usize = 4;

#[derive(Clone, Copy)]
pub(super) struct Secrets<'a> {
    credentials: &'a Credentials,
    defaults: &'a BTreeMap<String, String>,
    generation: usize,
}

impl<'a> Secrets<'a> {
    pub(super) const fn new(
        credentials: &'a Credentials,
        defaults: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            credentials,
            defaults,
            generation: 0,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let credentials = self.credentials;
        credentials
            .all(name)
            .nth(self.generation)
            .or_else(|| credentials.get(name))
            .or_else(|| self.defaults.get(name).map(String::as_str))
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many secrets may still be used; `names` are the credentials that matter.
    pub(super) fn generations<'n>(&self, names: impl Iterator<Item = Cow<'n, str>>) -> usize {
        names
            .map(|name| self.credentials.all(&name).count())
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
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let default = self.defaults.get(name).map(String::as_str);
        let given = self.credentials.get(name).is_some();
        let credentials = self.credentials;
        let name = name.to_owned();
        let all: Vec<&'a str> = credentials.all(&name).collect();
        all.into_iter()
            .chain(default.filter(|_| !given))
            .take(GENERATIONS_MAX)
    }
}
