//! Second opinions: programs that were not written here must accept what we sign.

use std::path::{Path, PathBuf};
use std::process::Command;

use hocphi::invoices::document::Form;
use hocphi::invoices::verify::{Trust, verify};

use super::every_kind::every_kind;
use super::samples::{SELLER, signed};

pub const ISSUER_PEM: &str = include_str!("../../data/keys/ca.pem");
/// When certificates of tests are valid, whatever the day of the test.
const MOMENT: &str = "2026-11-25 09:30:00";

/// Whether a program is there; in CI it must be.
pub fn is_installed(program: &str, argument: &str) -> bool {
    let found = Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "{program} must be installed in CI"
    );
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// Files for other programs, and the issuer that those trust.
pub struct Bench {
    folder: tempfile::TempDir,
    issuer: PathBuf,
}

impl Bench {
    pub fn trusting(issuer_pem: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = folder.path().join("ca.pem");
        std::fs::write(&issuer, issuer_pem).unwrap();
        Self { folder, issuer }
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    }

    /// Whether xmlsec1 accepts every signature of a file that has so many.
    pub fn xmlsec1(&self, file: &Path, signatures: usize) -> bool {
        (1..=signatures).all(|place| {
            let elements = [
                "DLHDon",
                "DLPhieuThu",
                "DLTBao",
                "DLTKhai",
                "MCCQT",
                "Object",
            ];
            let output = Command::new("xmlsec1")
                .arg("--verify")
                .args(elements.into_iter().flat_map(|name| ["--id-attr:Id", name]))
                .args(["--verification-time", MOMENT])
                .arg("--node-xpath")
                .arg(format!("(//*[local-name()='Signature'])[{place}]"))
                .arg("--trusted-pem")
                .arg(&self.issuer)
                .arg(file)
                .output()
                .unwrap();
            output.status.success()
        })
    }
}

/// Whether the JDK's verifier accepts every signature, for each file.
pub fn java(files: &[PathBuf]) -> Vec<bool> {
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/java/VerifyInvoice.java"
    );
    let output = Command::new("java")
        .arg(program)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let verdicts: Vec<bool> = said.lines().map(|line| line == "valid").collect();
    assert_eq!(
        verdicts.len(),
        files.len(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    verdicts
}

/// How many signatures a file has.
pub fn signatures(file: &[u8]) -> usize {
    String::from_utf8_lossy(file)
        .matches("<Signature xmlns")
        .count()
}

/// All three verifiers on files that must be accepted or refused.
pub fn all_agree(bench: &Bench, files: &[(String, Vec<u8>, bool)]) {
    let mut written = Vec::new();
    for (name, bytes, is_good) in files {
        let report = verify(bytes, Trust::default());
        assert_eq!(report.valid, *is_good, "{name}: {:#?}", report.findings);
        written.push(bench.write(&format!("{name}.xml"), bytes));
    }
    if is_installed("xmlsec1", "--version") {
        for (file, (name, bytes, is_good)) in written.iter().zip(files) {
            let accepted = bench.xmlsec1(file, signatures(bytes));
            assert_eq!(accepted, *is_good, "xmlsec1: {name}");
        }
    }
    if is_installed("java", "-version") {
        for (accepted, (name, _, is_good)) in java(&written).into_iter().zip(files) {
            assert_eq!(accepted, *is_good, "Java: {name}");
        }
    }
}

fn in_a_message(bytes: &[u8]) -> Vec<u8> {
    [
        b"<TDiep><TTChung><PBan>2.1.1</PBan></TTChung><DLieu>".as_slice(),
        bytes,
        b"</DLieu></TDiep>",
    ]
    .concat()
}

#[test]
fn three_verifiers_accept_every_kind_of_document_and_refuse_a_change_in_it() {
    let mut files = Vec::new();
    for (name, file) in every_kind() {
        let changed = String::from_utf8(file.clone())
            .unwrap()
            .replacen(SELLER, "0312270160", 1);
        if file.starts_with(b"<HDon>") {
            files.push((format!("{name}-in-a-message"), in_a_message(&file), true));
        }
        files.push((format!("{name}-changed"), changed.into_bytes(), false));
        files.push((name, file, true));
    }
    all_agree(&Bench::trusting(ISSUER_PEM), &files);
}

#[test]
fn xmlsec1_accepts_a_moved_original_that_we_refuse() {
    if !is_installed("xmlsec1", "--version") {
        return;
    }
    let bench = Bench::trusting(ISSUER_PEM);
    let text = String::from_utf8(signed(Form::Vat)).unwrap();
    let (start, end) = (
        text.find("<DLHDon").unwrap(),
        text.find("</DLHDon>").unwrap(),
    );
    let original = &text[start..end + "</DLHDon>".len()];
    let forged = original
        .replace("Id=\"HD-1C26TAA-128\"", "Id=\"HD-x\"")
        .replace("18297100", "99");
    let moved = format!("{forged}<DLQRCode>{original}</DLQRCode>");
    let attack = text.replacen(original, &moved, 1);
    let file = bench.write("moved.xml", attack.as_bytes());
    assert!(bench.xmlsec1(&file, 1), "the attack would be pointless");
    let report = verify(attack.as_bytes(), Trust::default());
    assert!(report.has("signature.covers"), "{:#?}", report.findings);
}
