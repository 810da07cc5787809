//! Second opinions: programs that were not written here must accept what we sign.

use std::path::Path;
use std::process::Command;

use hocphi::invoices::document::Form;

use super::samples::{corrections, signed};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, bytes).unwrap();
    file
}

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

/// The verdict of xmlsec1 on a file.
pub fn xmlsec1(file: &Path) -> std::process::Output {
    let issuer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys/ca.pem");
    Command::new("xmlsec1")
        .args(["--verify", "--id-attr:Id", "DLHDon"])
        .args(["--id-attr:Id", "Object", "--trusted-pem", issuer])
        .arg(file)
        .output()
        .unwrap()
}

fn altered(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .replacen("<TgTTTBSo>18297100", "<TgTTTBSo>18297101", 1)
        .into_bytes()
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
fn xmlsec1_accepts_what_we_sign_and_refuses_a_change() {
    if !is_installed("xmlsec1", "--version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let verdict = |name: &str, bytes: &[u8]| xmlsec1(&write(folder.path(), name, bytes));
    for form in [Form::Vat, Form::Sales] {
        let file = signed(form);
        for (name, bytes) in [
            ("bare.xml", file.clone()),
            ("message.xml", in_a_message(&file)),
        ] {
            let output = verdict(name, &bytes);
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        assert!(!verdict("changed.xml", &altered(&file)).status.success());
    }
    for (name, file) in corrections() {
        let output = verdict(name, &file);
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let report = hocphi::invoices::verify::verify(&file, Default::default());
        assert!(report.valid, "{name}: {:#?}", report.findings);
        let changed = String::from_utf8(file).unwrap().replacen("129", "130", 1);
        assert!(!verdict(name, changed.as_bytes()).status.success());
    }
}

#[test]
fn java_accepts_what_we_sign_and_refuses_a_change() {
    if !is_installed("java", "-version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = signed(Form::Vat);
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/java/VerifyInvoice.java"
    );
    let output = Command::new("java")
        .arg(program)
        .arg(write(folder.path(), "bare.xml", &file))
        .arg(write(folder.path(), "sales.xml", &signed(Form::Sales)))
        .arg(write(folder.path(), "message.xml", &in_a_message(&file)))
        .args(
            corrections()
                .into_iter()
                .map(|(name, file)| write(folder.path(), name, &file)),
        )
        .arg(write(folder.path(), "changed.xml", &altered(&file)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let verdicts: Vec<_> = text.lines().collect();
    assert_eq!(
        verdicts,
        [
            "valid", "valid", "valid", "valid", "valid", "valid", "valid", "invalid"
        ],
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn xmlsec1_accepts_a_moved_original_that_we_refuse() {
    if !is_installed("xmlsec1", "--version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
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
    let file = write(folder.path(), "moved.xml", attack.as_bytes());
    assert!(
        xmlsec1(&file).status.success(),
        "the attack would be pointless"
    );
    let report = hocphi::invoices::verify::verify(attack.as_bytes(), Default::default());
    assert!(report.has("signature.covers"), "{:#?}", report.findings);
}
