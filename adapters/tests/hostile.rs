//! Bytes of an attacker, and recipes with random mistakes.

use proptest::prelude::*;

use super::adapter;
use super::sepay::{KEYED, webhook};
use super::vnpay::{PAID, SECRET, hash, ipn};
use crate::contract::{Credentials, Flow, Inbound};
use crate::recipe::Recipe;

proptest! {
    #[test]
    fn a_changed_byte_of_a_signed_query_changes_nothing_or_is_refused(
        place in any::<prop::sample::Index>(),
        byte in 0x20u8..0x7f,
    ) {
        let good = format!("{PAID}&vnp_SecureHash={}", hash(PAID));
        let mut bytes = good.clone().into_bytes();
        let at = place.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        // `%3a` for `%3A`, or the hash in capitals, is the same message in other letters.
        if let Ok(notice) = ipn(&changed) {
            prop_assert_eq!(notice, ipn(&good).unwrap(), "{}", changed);
            prop_assert!(changed.eq_ignore_ascii_case(&good), "{}", changed);
        }
    }

    #[test]
    fn no_bytes_make_an_adapter_panic_or_believe(
        query in ".{0,200}",
        pieces in prop::collection::vec("(vnp_[A-Z]{0,3}|id|transferType|%)=?[a-z0-9%+&\"]{0,6}", 0..8),
        body in prop::collection::vec(any::<u8>(), 0..200),
        json in "[{}\\[\\]\":,a-z0-9. \\\\]{0,60}",
        header in ".{0,80}",
        clock in any::<i64>(),
    ) {
        let secrets = [("hash_secret", SECRET), ("api_key", "k1"), ("hmac_secret", "s1"), ("memo_pattern", "HP[0-9]{6}")];
        let credentials: Credentials = secrets.into_iter().collect();
        for name in ["vnpay", "sepay"] {
            for flow in [Flow::Ipn, Flow::Return, Flow::Webhook, Flow::Create, Flow::Query, Flow::Refund] {
                for (query, body) in [(query.clone(), body.clone()), (pieces.join("&"), json.clone().into_bytes())] {
                    let inbound = Inbound {
                        query,
                        body,
                        headers: ["authorization", "x-sepay-timestamp", "x-sepay-signature", "content-type"]
                            .map(|name| (name.to_owned(), header.clone()))
                            .to_vec(),
                        received_at_unix: clock,
                        ..Inbound::default()
                    };
                    let adapter = adapter(name);
                    adapter.inspect(flow, &inbound, &credentials);
                    prop_assert!(adapter.read_notice(flow, &inbound, &credentials).is_err());
                }
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let _authentic_but_odd = webhook(&body, &KEYED, &[("api_key", "k1")]);
        let _authentic_but_odd = webhook(&json, &KEYED, &[("api_key", "k1"), ("memo_pattern", &header)]);
    }

    #[test]
    fn no_recipe_makes_the_compiler_panic(
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        instead in "[a-z\\[\\]{}=\"'\n0-9,.]{0,12}",
        anything in ".{0,200}",
    ) {
        for text in [include_str!("../vnpay/adapter.toml"), include_str!("../sepay/adapter.toml")] {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            let mut bytes = text.as_bytes().to_vec();
            bytes.splice(start..end, instead.bytes());
            let changed = String::from_utf8_lossy(&bytes);
            if let Err(faults) = Recipe::compile("f", &changed) {
                let lines = changed.lines().count() + 1;
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
            }
        }
        prop_assert!(Recipe::compile("f", &anything).is_err());
    }
}
