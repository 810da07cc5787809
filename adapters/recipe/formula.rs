//! Checksum formulas of a contract: `hex(md5(secret + trans_id + bill_id + amount))`.
//!
//! Banks agree a formula of their own with each biller, so it is part of the connection. Several
//! are separated by `;`: one for inquiries, one for payments. `+` joins without a separator, `|`
//! with itself; `secret` is the credential of that name, every other word a field.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::digest::{Algorithm, Output};

const FORMULA_BYTES_MAX: usize = 500;
/// Contracts kept compiled.
const FORMULAS_MAX: usize = 256;

/// The word that stands for the secret.
pub(super) const SECRET: &str = "secret";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formula {
    pub(super) output: Output,
    pub(super) algorithm: Algorithm,
    pub(super) separator: &'static str,
    pub(super) words: Vec<String>,
}

/// Compiled contracts by their text.
#[derive(Debug, Default)]
pub(super) struct Formulas(RwLock<HashMap<String, Arc<Vec<Formula>>>>);

impl Formulas {
    /// The formulas of a contract; empty when it cannot be read.
    pub(super) fn of(&self, contract: &str) -> Arc<Vec<Formula>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(formulas) = known.get(contract) {
            return Arc::clone(formulas);
        }
        drop(known);
        let formulas = Arc::new(parse(contract).unwrap_or_default());
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < FORMULAS_MAX {
            known.insert(contract.to_owned(), Arc::clone(&formulas));
        }
        formulas
    }
}

/// `None` when the text is no contract.
pub(super) fn parse(contract: &str) -> Option<Vec<Formula>> {
    if contract.len() > FORMULA_BYTES_MAX {
        return None;
    }
    contract
        .split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(one)
        .collect()
}

fn one(text: &str) -> Option<Formula> {
    let call = |text: &'_ str| -> Option<(String, String)> {
        let (name, rest) = text.trim().split_once('(')?;
        let inner = rest.trim_end().strip_suffix(')')?;
        Some((name.trim().to_ascii_lowercase(), inner.to_owned()))
    };
    let (output, inner) = call(text)?;
    let (digest, inner) = call(&inner)?;
    let output = match output.as_str() {
        "hex" => Output::HexLower,
        "base64" => Output::Base64,
        _ => return None,
    };
    let algorithm = match digest.as_str() {
        "md5" => Algorithm::Md5,
        "sha1" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return None,
    };
    let (sign, separator) = if inner.contains('|') {
        ('|', "|")
    } else {
        ('+', "")
    };
    let words: Vec<String> = inner
        .split(sign)
        .map(|word| word.trim().to_owned())
        .collect();
    let named = |word: &String| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // Without a secret anybody could compute it.
    (words.iter().all(named) && words.iter().any(|word| word == SECRET)).then_some(Formula {
        output,
        algorithm,
        separator,
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_are_read_or_refused() {
        let contract =
            "hex(md5(secret + service_id + customer_id)); hex(sha256(secret|trans_id|amount))";
        let formulas = parse(contract).expect("a contract");
        assert_eq!(formulas.len(), 2);
        assert_eq!(formulas[0].words, ["secret", "service_id", "customer_id"]);
        assert_eq!(formulas[0].separator, "");
        assert_eq!(
            (formulas[1].separator, formulas[1].algorithm),
            ("|", Algorithm::Sha256)
        );
        for wrong in [
            "",
            "md5(secret)",
            "hex(md5(customer_id))",
            "hex(crc(secret))",
            "hex(md5(secret + ))",
        ] {
            assert!(
                parse(wrong).is_none_or(|formulas| formulas.is_empty()),
                "{wrong}"
            );
        }
    }
}
