//! Bytes of an attacker for the recipe loader and the callback path; what fuzzers and the short run of
//! the tests call. Nothing may panic or grow without bound, and nothing unproven may be believed.

use crate::contract::{Adapter, Credentials, Flow, Inbound, Outcome, Received, Reply};
use crate::recipe::Recipe;
use crate::registry::Registry;

/// Loads the bytes as a recipe; a fault must name a line of the text.
///
/// # Panics
/// When a fault points outside the text: that is what the fuzzer looks for.
pub fn recipe(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(faults) = Recipe::compile("fuzz", &text) {
        let lines = text.lines().count() + 1;
        assert!(!faults.is_empty());
        assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
    }
}

/// Sends the bytes to a shipped provider as query, body and reply, under every flow. The first three
/// bytes choose provider, headers and clock.
///
/// # Panics
/// When a message without proof is believed: that is what the fuzzer looks for.
pub fn callback(registry: &Registry, bytes: &[u8]) {
    let (choice, rest) = bytes.split_at(bytes.len().min(3));
    let chosen = |place: usize| usize::from(choice.get(place).copied().unwrap_or_default());
    let text = String::from_utf8_lossy(rest);
    let credentials = credentials();
    let header = text.get(..64).unwrap_or(&text).replace(['\r', '\n'], "");
    let inbound = Inbound {
        method: "POST".to_owned(),
        path: "/notices".to_owned(),
        query: text.clone().into_owned(),
        headers: HEADERS
            .iter()
            .skip(chosen(1) % HEADERS.len())
            .map(|name| ((*name).to_owned(), header.clone()))
            .collect(),
        body: rest.to_vec(),
        received_at_unix: i64::from(choice.get(2).copied().unwrap_or_default()) * 86_400,
    };
    let place = chosen(0) % registry.entries().count().max(1);
    let Some((name, entry)) = registry.entries().nth(place) else {
        return;
    };
    let adapter = entry.adapter.as_ref();
    adapter.route(&inbound);
    assert!(
        adapter.read_inquiry(&inbound, &credentials).is_err(),
        "{name}"
    );
    let token = adapter.issue_token(&inbound, &credentials, [0; 16]);
    assert!(token.is_err(), "{name}");
    for flow in Flow::ALL {
        one(adapter, flow, &inbound, &credentials);
    }
}

fn one(adapter: &dyn Adapter, flow: Flow, inbound: &Inbound, credentials: &Credentials) {
    let name = adapter.name();
    let notices = adapter.read_notice(flow, inbound, credentials);
    assert!(notices.is_err(), "{name} believed a {}", flow.code());
    adapter.inspect(flow, inbound, credentials);
    if flow.is_inbound() {
        let received = Received {
            flow,
            inbound,
            credentials,
            our_reference: None,
        };
        for outcome in Outcome::ALL {
            adapter.acknowledge(outcome, &received);
        }
        return;
    }
    let reply = Reply {
        status: 200,
        headers: inbound.headers.clone(),
        body: inbound.body.clone(),
    };
    let _any = adapter.read_reply(flow, &reply, credentials);
    let _any = adapter.read_list(&reply, credentials);
}

const HEADERS: [&str; 8] = [
    "authorization",
    "content-type",
    "x-sepay-signature",
    "x-sepay-timestamp",
    "x-casso-signature",
    "x-secret-key",
    "x-signature",
    "x-timestamp",
];

/// One secret for every name a recipe uses, of no message in any corpus.
fn credentials() -> Credentials {
    const NAMES: [&str; 23] = [
        "hash_secret",
        "secret_key",
        "access_key",
        "key1",
        "key2",
        "checksum_key",
        "api_key",
        "hmac_secret",
        "secure_token",
        "username",
        "password",
        "bearer",
        "secret",
        "hash_key",
        "webhook_token",
        "provider_id",
        "service_id",
        "access_code",
        "token_key",
        "client_id",
        "oauth_client_id",
        "oauth_client_secret",
        "api_token",
    ];
    NAMES
        .into_iter()
        .map(|name| (name, "8b1a9953c4611296a827abf8c47804d7-not-in-any-corpus"))
        .chain([
            ("hash_code_hex", "8b1a9953c4611296a827abf8c47804d7"),
            ("memo_pattern", "HP[0-9]{6}"),
        ])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Bounds of the short run; the long one is `cargo fuzz` (adapters/fuzz/README.md).
    const SHORT_RUN: Duration = Duration::from_secs(4);
    const ROUNDS_MAX: u64 = 20_000;

    /// A small generator, so that a failure repeats (xorshift64*).
    fn next(state: &mut u64) -> usize {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or_default()
    }

    fn mutated(seed: &[u8], state: &mut u64) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..1 + next(state) % 4 {
            let at = next(state) % (bytes.len() + 1);
            match next(state) % 4 {
                0 if at < bytes.len() => bytes[at] = next(state).to_le_bytes()[0],
                1 => bytes.insert(at, b"{}[]\"%&=\\+,.0-"[next(state) % 14]),
                2 => bytes.truncate(at),
                _ => {
                    let end = (at + next(state) % 64).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    }

    fn corpus() -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        let registry = Registry::builtin();
        for (place, (name, _)) in registry.entries().enumerate() {
            let place = u8::try_from(place).expect("a few providers");
            let vectors = registry.vectors(name).expect("shipped").expect("vectors");
            let list: serde_json::Value = serde_json::from_str(&vectors).expect("JSON");
            for vector in list.as_array().into_iter().flatten() {
                for member in ["query", "body"] {
                    if let Some(text) = vector["request"][member].as_str() {
                        seeds.push([&[place, 0, 0], text.as_bytes()].concat());
                    }
                }
            }
        }
        seeds
    }

    #[test]
    fn mutated_messages_are_neither_believed_nor_fatal() {
        let registry = Registry::builtin();
        let seeds = corpus();
        assert!(seeds.len() > 200, "the corpus lost seeds: {}", seeds.len());
        let started = Instant::now();
        let mut state = 0x9E37_79B9_7F4A_7C15;
        for _ in 0..ROUNDS_MAX {
            if started.elapsed() > SHORT_RUN {
                break;
            }
            let seed = &seeds[next(&mut state) % seeds.len()];
            callback(&registry, &mutated(seed, &mut state));
        }
    }

    #[test]
    fn mutated_recipes_are_refused_with_their_lines() {
        let seeds = [
            include_str!("../vnpay/adapter.toml"),
            include_str!("../ninepay/adapter.toml"),
            include_str!("../bank_vietinbank/adapter.toml"),
            include_str!("../casso/adapter.toml"),
            include_str!("../sepay/adapter.toml"),
        ];
        let started = Instant::now();
        let mut state = 0xD1B5_4A32_D192_ED03;
        for _ in 0..ROUNDS_MAX {
            if started.elapsed() > SHORT_RUN {
                break;
            }
            let seed = seeds[next(&mut state) % seeds.len()].as_bytes();
            recipe(&mutated(seed, &mut state));
        }
    }
}
