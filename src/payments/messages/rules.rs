//! How a message is kept: secrets replaced by their keyed digest, card numbers starred, sizes
//! bounded; and how the message is made whole again to be replayed.
//!
//! A digest says nothing without the master key, but a credential we hold can be recognised by it
//! and put back, so that a replay checks the very bytes that came in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hocphi_adapters::contract::Inbound;

use crate::stored_as_text;

const QUERY_CHARACTERS_MAX: usize = 16 * 1024;
const BODY_CHARACTERS_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;
const HEADER_CHARACTERS_MAX: usize = 4 * 1024;
/// Shorter texts are no secrets, and would be found everywhere.
const SECRET_BYTES_MIN: usize = 8;

const SECRET_OPENS: &str = "‹secret:";
const SECRET_CLOSES: &str = "›";
const DIGEST_CHARACTERS: usize = 32;

/// How a body is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    Text,
    /// Not text, or text that PostgreSQL does not take.
    Base64,
}

stored_as_text!(BodyForm {
    Text = "TEXT",
    Base64 = "BASE64",
});

/// A message without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub body_form: BodyForm,
    /// False when something is gone for good: cut, or a card number starred.
    pub is_whole: bool,
}

/// Keyed digest of a secret; at least [`DIGEST_CHARACTERS`] hex digits.
pub type Digest<'a> = &'a dyn Fn(&str) -> String;

/// Takes secrets and card numbers out; answers also the secrets that are not among ours. `secrets` are
/// credentials of the connection; `spare` are numbers known to be something else than cards, such as
/// transaction numbers.
pub fn mask(
    inbound: &Inbound,
    secrets: &[&str],
    spare: &[&str],
    digest: Digest<'_>,
) -> (Masked, Vec<String>) {
    let mut foreign = Vec::new();
    let mut is_whole = true;
    let mut clean = |text: &str, characters_max: usize| {
        let (text, starred) = without_cards(&without_secrets(text, secrets, digest), spare);
        let (text, cut) = shortened(text.replace('\0', "\u{fffd}"), characters_max);
        is_whole &= !starred && !cut;
        text
    };
    let headers = inbound
        .headers
        .iter()
        .take(HEADERS_MAX)
        .map(|(name, value)| {
            let value = clean(value, HEADER_CHARACTERS_MAX);
            let value = if carries_secret(name) {
                masked_header(&value, digest, &mut foreign)
            } else {
                value
            };
            (name.to_ascii_lowercase(), value)
        })
        .collect();
    let query = clean(&inbound.query, QUERY_CHARACTERS_MAX);
    let path = clean(&inbound.path, QUERY_CHARACTERS_MAX);
    let as_text = std::str::from_utf8(&inbound.body)
        .ok()
        .filter(|text| !text.contains('\0'));
    let (body, body_form) = match as_text {
        Some(text) => (clean(text, BODY_CHARACTERS_MAX), BodyForm::Text),
        None => {
            let kept = &inbound.body[..inbound.body.len().min(BODY_CHARACTERS_MAX)];
            is_whole &= kept.len() == inbound.body.len();
            (STANDARD.encode(kept), BodyForm::Base64)
        }
    };
    is_whole &= inbound.headers.len() <= HEADERS_MAX;
    let masked = Masked {
        method: inbound.method.clone(),
        path,
        query,
        headers,
        body,
        body_form,
        is_whole,
    };
    (masked, foreign)
}

/// Text for the inbox: without secrets and card numbers.
pub fn mask_text(text: &str, secrets: &[&str], spare: &[&str], digest: Digest<'_>) -> String {
    without_cards(&without_secrets(text, secrets, digest), spare).0
}

/// The message as it came in, as far as the masked secrets are among `known`.
pub fn unmask(
    masked: &Masked,
    known: &[String],
    received_at_unix: i64,
    digest: Digest<'_>,
) -> Inbound {
    let placeholders: Vec<(String, &str)> = known
        .iter()
        .filter(|value| !value.is_empty())
        .map(|value| (placeholder(value, digest), value.as_str()))
        .collect();
    let whole = |text: &str| {
        let mut text = text.to_owned();
        if text.contains(SECRET_OPENS) {
            for (placeholder, value) in &placeholders {
                text = text.replace(placeholder, value);
            }
        }
        text
    };
    Inbound {
        method: masked.method.clone(),
        path: whole(&masked.path),
        query: whole(&masked.query),
        headers: masked
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), whole(value)))
            .collect(),
        body: match masked.body_form {
            BodyForm::Text => whole(&masked.body).into_bytes(),
            // What we wrote decodes; somebody else's text is no message.
            BodyForm::Base64 => STANDARD.decode(&masked.body).unwrap_or_default(),
        },
        received_at_unix,
    }
}

/// Whether a text still holds a secret that nobody put back.
pub fn holds_secret(text: &str) -> bool {
    text.contains(SECRET_OPENS)
}

fn placeholder(value: &str, digest: Digest<'_>) -> String {
    let mut digest = digest(value);
    digest.truncate(DIGEST_CHARACTERS);
    format!("{SECRET_OPENS}{digest}{SECRET_CLOSES}")
}

fn without_secrets(text: &str, secrets: &[&str], digest: Digest<'_>) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if secret.len() >= SECRET_BYTES_MIN && text.contains(secret) {
            text = text.replace(secret, &placeholder(secret, digest));
        }
    }
    text
}

/// Headers whose value lets somebody in, known to us or not.
fn carries_secret(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "key",
        "password",
    ]
    .iter()
    .any(|word| header.contains(word))
}

/// `Bearer x` keeps its scheme.
fn masked_header(value: &str, digest: Digest<'_>, foreign: &mut Vec<String>) -> String {
    let (scheme, secret) = value.split_once(' ').unwrap_or(("", value));
    let secret = if secret.contains(SECRET_OPENS) || secret.is_empty() {
        secret.to_owned()
    } else {
        foreign.push(secret.to_owned());
        placeholder(secret, digest)
    };
    if scheme.is_empty() {
        secret
    } else {
        format!("{scheme} {secret}")
    }
}

fn shortened(mut text: String, characters_max: usize) -> (String, bool) {
    if text.len() <= characters_max {
        return (text, false);
    }
    let mut end = characters_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    (text, true)
}

/// Stars the middle of what can only be the number of a payment card.
fn without_cards(text: &str, spare: &[&str]) -> (String, bool) {
    let bytes = text.as_bytes();
    let mut clean = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        let alone = |place: Option<&u8>| place.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let before = start.checked_sub(1).and_then(|place| bytes.get(place));
        let number = &text[start..at];
        if alone(before) && alone(bytes.get(at)) && is_card(number) && !spare.contains(&number) {
            clean.push_str(&text[copied..start + 6]);
            clean.extend(std::iter::repeat_n('*', number.len() - 10));
            clean.push_str(&number[number.len() - 4..]);
            copied = at;
        }
    }
    if copied == 0 {
        return (text.to_owned(), false);
    }
    clean.push_str(&text[copied..]);
    (clean, true)
}

/// The length and first digits of NAPAS (9704), Visa, Mastercard, JCB and American Express, and the
/// check digit they share.
fn is_card(number: &str) -> bool {
    let first = |digits: usize| number[..digits].parse::<u32>().unwrap_or(0);
    let issued = match number.len() {
        15 => matches!(first(2), 34 | 37),
        16 => {
            first(1) == 4
                || matches!(first(2), 35 | 51..=55)
                || matches!(first(4), 2221..=2720 | 9704)
        }
        19 => first(4) == 9704,
        _ => false,
    };
    issued && passes_luhn(number)
}

fn passes_luhn(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .map(|byte| u32::from(byte - b'0'))
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(value: &str) -> String {
        use sha2::{Digest as _, Sha256};
        hex::encode(Sha256::digest(format!("key{value}")))
    }

    fn message(headers: &[(&str, &str)], query: &str, body: &str) -> Inbound {
        Inbound {
            method: "POST".into(),
            path: "/notices/x/y".into(),
            query: query.into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
            received_at_unix: 7,
        }
    }

    #[test]
    fn secrets_are_gone_and_come_back_only_with_the_credential() {
        let sent = message(
            &[
                ("authorization", "Apikey s3cr3t-key-1"),
                ("x-other", "plain"),
            ],
            "token=s3cr3t-key-1&x=1",
            "{\"k\":\"s3cr3t-key-1\"}",
        );
        let (masked, foreign) = mask(&sent, &["s3cr3t-key-1"], &[], &digest);
        assert!(masked.is_whole && foreign.is_empty());
        assert!(!format!("{masked:?}").contains("s3cr3t"));
        assert!(masked.headers[0].1.starts_with("Apikey ‹secret:"));
        let again = unmask(&masked, &["s3cr3t-key-1".into()], 7, &digest);
        assert_eq!((again.query, again.body), (sent.query, sent.body));
        assert_eq!(again.headers, sent.headers);
        let stranger = unmask(&masked, &["another-key-2".into()], 7, &digest);
        assert!(holds_secret(&stranger.headers[0].1));
    }

    #[test]
    fn an_unknown_key_in_a_header_is_kept_as_a_digest_that_the_right_key_opens() {
        let sent = message(&[("X-Secret-Key", "not-ours")], "", "{}");
        let (masked, foreign) = mask(&sent, &["ours-ours"], &[], &digest);
        assert_eq!(foreign, ["not-ours"]);
        assert!(!format!("{masked:?}").contains("not-ours"));
        let again = unmask(&masked, &["not-ours".into()], 7, &digest);
        assert_eq!(again.header("x-secret-key"), Some("not-ours"));
    }

    #[test]
    fn card_numbers_are_starred_and_other_long_numbers_are_not() {
        let body = r#"{"card":"4111111111111111","napas":"9704000000000018","txn":"4111111111111111x",
                       "at":1788578130123,"zp":240331000000175}"#;
        let (masked, _) = mask(&message(&[], "", body), &[], &[], &digest);
        assert!(!masked.is_whole);
        assert!(masked.body.contains("\"411111******1111\""));
        assert!(masked.body.contains("\"970400******0018\""));
        assert!(masked.body.contains("4111111111111111x"));
        assert!(masked.body.contains("1788578130123") && masked.body.contains("240331000000175"));
        let (spared, _) = mask(
            &message(&[], "", "4111111111111111"),
            &[],
            &["4111111111111111"],
            &digest,
        );
        assert!(spared.is_whole);
    }

    #[test]
    fn what_is_too_long_is_cut_and_not_whole() {
        let long = "đ".repeat(BODY_CHARACTERS_MAX);
        let (masked, _) = mask(&message(&[], "", &long), &[], &[], &digest);
        assert!(!masked.is_whole && masked.body.len() <= BODY_CHARACTERS_MAX);
    }

    proptest! {
        #[test]
        fn a_message_without_cards_comes_back_byte_for_byte(
            body in prop::collection::vec(any::<u8>(), 0..400),
            query in "[a-z0-9=&%+]{0,80}",
            secret in "[a-zA-Z0-9:+/=]{8,40}",
            scheme in "(Bearer|Basic|Apikey)",
        ) {
            let mut sent = message(&[("authorization", &format!("{scheme} {secret}"))], &query, "");
            sent.body = body;
            let (masked, _) = mask(&sent, &[&secret], &[], &digest);
            if masked.is_whole {
                let again = unmask(&masked, &[secret], 7, &digest);
                prop_assert_eq!(again.body, sent.body);
                prop_assert_eq!(again.query, sent.query);
                prop_assert_eq!(again.headers, sent.headers);
            }
        }
    }
}
