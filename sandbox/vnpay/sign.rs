//! HMAC-SHA512 of VNPAY 2.1.0, over the sorted, form-encoded `vnp_` fields.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use crate::forms;

/// Lower-case hexadecimal signature of a canonical string.
pub(super) fn sign(canonical: &str, secret: &str) -> String {
    hex::encode(mac(canonical, secret).finalize().into_bytes())
}

fn mac(canonical: &str, secret: &str) -> Hmac<Sha512> {
    let mut mac =
        Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key length");
    mac.update(canonical.as_bytes());
    mac
}

/// What is signed of a raw query: its `vnp_` pieces without the hash, sorted by name, as they came.
pub(super) fn canonical(query: &str) -> String {
    let mut pieces: Vec<&str> = query
        .split('&')
        .filter(|piece| {
            let name = piece.split('=').next().unwrap_or("");
            name.starts_with("vnp_") && name != "vnp_SecureHash" && name != "vnp_SecureHashType"
        })
        .collect();
    pieces.sort_by_key(|piece| piece.split('=').next().unwrap_or(""));
    pieces.join("&")
}

/// True when the query carries the signature its fields ask for.
pub(super) fn is_signed(query: &str, secret: &str) -> bool {
    let given = query
        .split('&')
        .find_map(|piece| piece.strip_prefix("vnp_SecureHash="));
    let Some(given) = given.and_then(|text| hex::decode(text).ok()) else {
        return false;
    };
    mac(&canonical(query), secret).verify_slice(&given).is_ok()
}

/// Encodes the fields in the order of their names and appends the signature.
pub(crate) fn signed_query(fields: &[(&str, String)], secret: &str) -> String {
    let mut sorted: Vec<_> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    sorted.sort_by_key(|(name, _)| *name);
    let query: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("{name}={}", forms::encode(value)))
        .collect();
    let query = query.join("&");
    let hash = sign(&query, secret);
    format!("{query}&vnp_SecureHash={hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn published_messages_verify_and_tampered_ones_do_not() {
        let mut seen = 0;
        for vector in vectors::read(include_str!("../testdata/vnpay.json"), "") {
            let query = vector.request().query;
            if query.is_empty() {
                continue;
            }
            seen += 1;
            let secret = vector.secret("hash_secret");
            assert_eq!(
                is_signed(&query, &secret),
                vector.valid(),
                "{}",
                vector.name
            );
            let canonical = canonical(&query);
            assert_eq!(vector.expected("canonical_string"), Some(canonical.clone()));
            assert_eq!(
                vector.expected("signature"),
                Some(sign(&canonical, &secret))
            );
        }
        assert!(seen >= 17, "{seen}");
    }

    #[test]
    fn a_query_we_sign_is_one_we_accept() {
        let fields = [
            ("vnp_TxnRef", "A 1*".to_owned()),
            ("vnp_Amount", "100".to_owned()),
        ];
        let query = signed_query(&fields, "secret");
        assert!(query.starts_with("vnp_Amount=100&vnp_TxnRef=A+1%2A&vnp_SecureHash="));
        assert!(is_signed(&query, "secret"));
        assert!(!is_signed(&query, "Secret"));
    }
}
