//! One byte of what is signed is changed: this verifier, xmlsec1 and Java must all refuse, for every
//! kind of document.
//!
//! `HOCPHI_TEST_MUTATIONS=1000` runs the full number; the test suite runs a short form.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::every_kind::every_kind;
use super::outside_verifiers::{Bench, ISSUER_PEM, all_agree};

const SHORT_FORM: usize = 60;
/// Base64 of 256 bytes ends in a digit with four unused bits, which lenient readers ignore, and `==`.
const LOOSE_END: usize = 3;

/// What signatures cover: data, the authority's code, and of each signature SignedInfo, its value and
/// the signing time.
fn signed_places(file: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(file).unwrap();
    let all = |name: &str| -> Vec<Range<usize>> {
        let end = format!("</{name}>");
        text.match_indices(&format!("<{name}"))
            // A name that only begins like this one is another element.
            .filter(|(at, found)| matches!(text.as_bytes()[at + found.len()], b' ' | b'>'))
            .map(|(at, _)| at..at + text[at..].find(&end).unwrap() + end.len())
            .collect()
    };
    let whole = [
        "DLHDon",
        "DLPhieuThu",
        "DLTBao",
        "DLTKhai",
        "MCCQT",
        "SignedInfo",
        "Object",
    ];
    let mut places: BTreeSet<usize> = whole.into_iter().flat_map(all).flatten().collect();
    for value in all("SignatureValue") {
        let start = value.start + "<SignatureValue>".len();
        places.extend(start..value.end - "</SignatureValue>".len() - LOOSE_END);
    }
    places.into_iter().collect()
}

/// How many mutations, and from which seed.
fn wanted() -> (usize, u64) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    (
        number("HOCPHI_TEST_MUTATIONS").map_or(SHORT_FORM, |count| usize::try_from(count).unwrap()),
        number("HOCPHI_TEST_SEED").unwrap_or(20_261_124),
    )
}

fn no_byte_can_change(bench: &Bench, originals: &[(String, Vec<u8>)], count: usize, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut files: Vec<(String, Vec<u8>, bool)> = originals
        .iter()
        .map(|(name, file)| (name.clone(), file.clone(), true))
        .collect();
    let mut seen = BTreeSet::new();
    while files.len() < count + originals.len() {
        let which = random.random_range(0..originals.len());
        let (name, original) = &originals[which];
        let places = signed_places(original);
        let at = places[random.random_range(0..places.len())];
        let byte: u8 = random.random();
        let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        // White space between attributes is the same whichever it is.
        if byte == original[at]
            || (is_space(byte) && is_space(original[at]))
            || !seen.insert((which, at, byte))
        {
            continue;
        }
        let mut changed = original.clone();
        changed[at] = byte;
        let what = format!("{name}-byte-{at}-{:02x}-to-{byte:02x}", original[at]);
        files.push((what, changed, false));
    }
    all_agree(bench, &files);
    eprintln!("{count} mutations refused");
}

#[test]
fn no_single_byte_of_what_is_signed_can_be_changed_before_any_of_three_verifiers() {
    let (count, seed) = wanted();
    no_byte_can_change(&Bench::trusting(ISSUER_PEM), &every_kind(), count, seed);
}

/// With the authority's code and signature beside the seller's.
#[cfg(feature = "sandbox")]
#[tokio::test]
async fn no_single_byte_of_a_coded_invoice_can_be_changed_either() {
    use super::books::{app_on, start};
    use super::exchange::scene;
    let pki = std::sync::Arc::new(hocphi_sandbox::Pki::new(start().unix()).unwrap());
    let (db, _keep) = crate::engines::fresh_databases().await.remove(0);
    let scene = scene(app_on(db), &pki).await;
    scene.send().await;
    scene.collect().await;
    let coded = scene.row().await.2.unwrap().into_bytes();
    let (count, seed) = wanted();
    let originals = [("coded".to_owned(), coded)];
    no_byte_can_change(
        &Bench::trusting(&pki.root_pem),
        &originals,
        count.div_ceil(3),
        seed,
    );
}
