//! One byte of what is signed is changed: this verifier, xmlsec1 and Java must all refuse.
//!
//! `HOCPHI_TEST_MUTATIONS=1000` runs the full number; the test suite runs a short form.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;

use hocphi::invoices::document::Form;
use hocphi::invoices::verify::{Trust, verify};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::outside_verifiers::{is_installed, xmlsec1};
use super::samples::signed;

const SHORT_FORM: usize = 60;
/// Base64 of 256 bytes ends in a digit with four unused bits, which lenient readers ignore, and `==`.
const LOOSE_END: usize = 3;

/// What the signature covers: data, SignedInfo, its value, the signing time.
fn signed_places(text: &str) -> Vec<usize> {
    let element = |name: &str| -> Range<usize> {
        let start = text.find(&format!("<{name}")).unwrap();
        let end = format!("</{name}>");
        start..text.find(&end).unwrap() + end.len()
    };
    let start = "<SignatureValue>".len();
    let value = element("SignatureValue");
    let end = value.end - "</SignatureValue>".len() - LOOSE_END;
    [
        element("DLHDon"),
        element("SignedInfo"),
        value.start + start..end,
        element("Object"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn no_single_byte_of_what_is_signed_can_be_changed_before_any_of_three_verifiers() {
    let count = std::env::var("HOCPHI_TEST_MUTATIONS")
        .map_or(SHORT_FORM, |text| text.parse().expect("a number"));
    let seed = std::env::var("HOCPHI_TEST_SEED")
        .map_or(20_261_124, |text| text.parse().expect("a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let originals = [Form::Vat, Form::Sales].map(signed);
    for (place, bytes) in originals.iter().enumerate() {
        let file = folder.path().join(format!("original-{place}.xml"));
        std::fs::write(&file, bytes).unwrap();
        files.push((file, "original".into()));
    }
    let mut seen = BTreeSet::new();
    while files.len() < count + originals.len() {
        let which = random.random_range(0..originals.len());
        let original = &originals[which];
        let places = signed_places(std::str::from_utf8(original).unwrap());
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
        let what = format!("{which}, byte {at}: {:#04x} to {byte:#04x}", original[at]);
        assert!(!verify(&changed, Trust::default()).valid, "{what}");
        let file = folder.path().join(format!("{}.xml", files.len()));
        std::fs::write(&file, changed).unwrap();
        files.push((file, what));
    }
    if is_installed("xmlsec1", "--version") {
        for (file, what) in &files {
            let accepted = xmlsec1(file).status.success();
            assert_eq!(accepted, what == "original", "xmlsec1: {what}");
        }
    }
    if is_installed("java", "-version") {
        let program = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/java/VerifyInvoice.java"
        );
        let output = Command::new("java")
            .arg(program)
            .args(files.iter().map(|(file, _)| file))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let verdicts: Vec<_> = said.lines().collect();
        assert_eq!(
            verdicts.len(),
            files.len(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for (verdict, (_, what)) in verdicts.iter().zip(&files) {
            assert_eq!(*verdict == "valid", what == "original", "Java: {what}");
        }
    }
    eprintln!("{count} mutations refused");
}
