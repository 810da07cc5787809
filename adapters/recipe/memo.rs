//! Order references in the free text of a bank transfer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use regex::{Regex, RegexBuilder};

/// Longest pattern a school may configure.
const PATTERN_BYTES_MAX: usize = 200;
/// Compiled size of a pattern, against `a{1000}{1000}`.
const PATTERN_COMPILED_BYTES_MAX: usize = 256 * 1024;
/// Patterns kept compiled; schools of one program share a few.
const PATTERNS_MAX: usize = 256;

/// Compiled patterns by their text.
#[derive(Debug, Default)]
pub(super) struct Patterns(RwLock<HashMap<String, Option<Arc<Pattern>>>>);

#[derive(Debug)]
struct Pattern {
    exact: Regex,
    /// Banks change the case of memos.
    any_case: Regex,
}

impl Patterns {
    /// The one reference that stands in the texts. `None` when there is none, when there are
    /// several different ones, or when the pattern itself cannot be used: a reference is never
    /// guessed.
    pub(super) fn find(&self, pattern: &str, texts: &[&str]) -> Option<String> {
        let pattern = self.compiled(pattern)?;
        let exact = single(&pattern.exact, texts, str::to_owned);
        match exact {
            Found::One(reference) => Some(reference),
            Found::Several => None,
            Found::None => match single(&pattern.any_case, texts, str::to_uppercase) {
                Found::One(reference) => Some(reference),
                Found::None | Found::Several => None,
            },
        }
    }

    fn compiled(&self, pattern: &str) -> Option<Arc<Pattern>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(pattern) {
            return compiled.clone();
        }
        drop(known);
        let compiled = Pattern::new(pattern).map(Arc::new);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < PATTERNS_MAX {
            known.insert(pattern.to_owned(), compiled.clone());
        }
        compiled
    }
}

impl Pattern {
    fn new(pattern: &str) -> Option<Self> {
        if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
            return None;
        }
        let build = |any_case| {
            RegexBuilder::new(pattern)
                .case_insensitive(any_case)
                .size_limit(PATTERN_COMPILED_BYTES_MAX)
                .dfa_size_limit(PATTERN_COMPILED_BYTES_MAX)
                .build()
                .ok()
        };
        Some(Self {
            exact: build(false)?,
            any_case: build(true)?,
        })
    }
}

enum Found {
    None,
    One(String),
    Several,
}

fn single(regex: &Regex, texts: &[&str], normal: impl Fn(&str) -> String) -> Found {
    let mut found = Found::None;
    for text in texts {
        for hit in regex.find_iter(text) {
            if hit.is_empty() || cuts_a_number(text, hit.start(), hit.end()) {
                continue;
            }
            let reference = normal(hit.as_str());
            match &found {
                Found::None => found = Found::One(reference),
                Found::One(first) if *first == reference => {}
                Found::One(_) | Found::Several => return Found::Several,
            }
        }
    }
    found
}

/// `HP[0-9]{6}` must not find `HP000042` in `HP0000421`: that is another bill.
fn cuts_a_number(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let inner = (digit(Some(start)), digit(end.checked_sub(1)));
    (inner.0 && digit(start.checked_sub(1))) || (inner.1 && digit(Some(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_found_once_and_never_guessed() {
        let patterns = Patterns::default();
        let find = |texts: &[&str]| patterns.find("HP[0-9]{6}", texts);
        assert_eq!(
            find(&["", "MBVCB.12.HP000042 hoc phi.CT tu 007"]).as_deref(),
            Some("HP000042")
        );
        assert_eq!(
            find(&["HP000042", "hp000042hocphi"]).as_deref(),
            Some("HP000042")
        );
        assert_eq!(find(&["ct tu 1 hp000042"]).as_deref(), Some("HP000042"));
        assert_eq!(find(&["HP000042 va HP000043"]), None);
        assert_eq!(find(&["HP0000421"]), None);
        assert_eq!(find(&["chuyen tien"]), None);
        for unusable in ["", "(", "(?:a{1000}){1000}", &"a".repeat(201)] {
            assert_eq!(patterns.find(unusable, &["aaa"]), None);
        }
    }
}
