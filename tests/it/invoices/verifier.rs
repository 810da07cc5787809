use hocphi::clock::Day;
use hocphi::invoices::document::Form;
use hocphi::invoices::verify::{Report, RuleSet, Trust, verify};
use proptest::prelude::*;

use super::samples::{issuer, signed};

fn check(bytes: &[u8]) -> Report {
    verify(
        bytes,
        Trust {
            authorities: &[issuer()],
            today: Day::new(2026, 11, 24),
            rules: None,
        },
    )
}

#[test]
fn what_we_sign_has_no_finding_but_the_missing_code() {
    for form in [Form::Vat, Form::Sales] {
        let report = check(&signed(form));
        assert!(report.valid, "{:#?}", report.findings);
        let rules: Vec<_> = report.findings.iter().map(|found| found.rule).collect();
        assert_eq!(rules, ["authority.no_code"]);
        let summary = &report.invoices[0];
        assert_eq!(summary.total, "18297100");
        assert_eq!(summary.signed_at.as_deref(), Some("2026-11-23T09:15:00"));
    }
}

#[test]
fn invoices_inside_a_message_are_checked_each() {
    let one = String::from_utf8(signed(Form::Vat)).unwrap();
    let other = one
        .replace("HD-1C26TAA-128", "HD-1C26TAA-129")
        .replace("<SHDon>128", "<SHDon>129");
    let message = format!("<TDiep><TTChung></TTChung><DLieu>{one}{other}</DLieu></TDiep>");
    let report = check(message.as_bytes());
    assert_eq!(report.invoices.len(), 2);
    let broken = report
        .findings
        .iter()
        .find(|found| found.rule == "signature.invalid")
        .unwrap();
    assert!(broken.place.starts_with("/TDiep/DLieu/HDon[2]/"));
}

#[test]
fn a_moved_original_with_a_forged_one_in_its_place_is_refused() {
    let text = String::from_utf8(signed(Form::Vat)).unwrap();
    let start = text.find("<DLHDon").unwrap();
    let end = text.find("</DLHDon>").unwrap() + "</DLHDon>".len();
    let original = &text[start..end];
    let forged = original
        .replace("Id=\"HD-1C26TAA-128\"", "Id=\"HD-x\"")
        .replace("HS000123", "HS000124");
    // The signature still holds for the element that was moved: only place tells.
    for kept in [
        format!("{forged}<MCCQT>{original}</MCCQT>"),
        format!("{forged}{original}"),
        format!("{forged}<DLQRCode>{original}</DLQRCode>"),
    ] {
        let report = check(text.replacen(original, &kept, 1).as_bytes());
        assert!(!report.valid);
        assert!(report.has("signature.covers"), "{:#?}", report.findings);
    }
}

#[test]
fn a_comment_inside_a_value_is_refused_and_does_not_change_the_value() {
    let text = String::from_utf8(signed(Form::Vat)).unwrap();
    // The signature holds: canonical XML leaves comments out.
    let split = text.replacen("<TgTTTBSo>18297100<", "<TgTTTBSo>18<!-- x -->297100<", 1);
    let report = check(split.as_bytes());
    let errors: Vec<_> = report.findings.iter().map(|found| found.rule).collect();
    assert_eq!(errors, ["structure.comment", "authority.no_code"]);
    assert!(!report.valid);
    assert_eq!(report.invoices[0].total, "18297100");
}

#[test]
fn an_unknown_issuer_is_an_error_only_with_a_trust_list() {
    let file = signed(Form::Vat);
    let open = verify(&file, Trust::default());
    assert!(open.valid && open.has("signature.chain_unchecked"));
    let own = super::samples::key().certificate().clone();
    let other = hocphi::invoices::signature::Certificate::from_der(
        &hocphi::invoices::signature::pem_blocks(super::samples::AUTHORITY_PEM)[1].der,
    )
    .unwrap();
    let trusting = |authorities: &[_]| {
        verify(
            &file,
            Trust {
                authorities,
                ..Trust::default()
            },
        )
        .valid
    };
    assert!(trusting(&[own]));
    assert!(!trusting(&[other]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_byte_of_the_signed_parts_can_be_changed(place in any::<prop::sample::Index>(), bit in 0u8..7) {
        let file = SIGNED.as_slice();
        let text = std::str::from_utf8(file).unwrap();
        // Data, SignedInfo with the signature value, and the signing time; not KeyInfo's subject.
        let data = text.find("<DLHDon").unwrap()..text.find("</DLHDon>").unwrap() + 9;
        let info = text.find("<SignedInfo").unwrap()..text.find("</SignatureValue>").unwrap();
        let time = text.find("<Object").unwrap()..text.find("</Object>").unwrap() + 9;
        let signed_bytes: Vec<usize> = data.chain(info).chain(time).collect();
        let at = *place.get(&signed_bytes);
        let mut changed = file.to_vec();
        changed[at] ^= 1 << bit;
        prop_assert!(!check(&changed).valid, "byte {at}: {:?}", text.get(at.saturating_sub(20)..at + 20));
    }
}

static SIGNED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| signed(Form::Vat));

#[test]
fn signatures_of_other_programs_and_older_profiles_are_read() {
    let old = include_bytes!("../../data/signatures/exclusive-sha1-prefixed.xml");
    let inherited = include_bytes!("../../data/signatures/inclusive-inherited-namespace.xml");
    for (file, uses_sha1) in [(old.as_slice(), true), (inherited, false)] {
        let report = check(file);
        // Their content is no invoice; their signatures hold, and for the right element.
        assert!(!report.has("signature.invalid"), "{:#?}", report.findings);
        assert!(!report.has("signature.covers"));
        assert_eq!(report.has("signature.old_algorithm"), uses_sha1);
        let signed_at = report.invoices[0].signed_at.as_deref();
        assert_eq!(signed_at, Some("2026-11-23T09:15:00"));
        let text = String::from_utf8(file.to_vec()).unwrap();
        assert!(check(text.replace("chữ", "chứ").as_bytes()).has("signature.invalid"));
    }
}

#[test]
fn a_file_made_to_be_slow_is_answered_in_bounded_time_and_length() {
    let lines: String = (0..20_000)
        .map(|n| {
            format!(
                "<HHDVu><TChat>9</TChat><Khac{n}/><TSuat>KHAC:{}%</TSuat></HHDVu>",
                n % 100
            )
        })
        .collect();
    let copies = "<DLHDon Id=\"a\"/>".repeat(20_000);
    let file = format!(
        "<HDon><DLHDon Id=\"b\"><NDHDon><DSHHDVu>{lines}</DSHHDVu><TToan/></NDHDon></DLHDon>{copies}</HDon>"
    );
    let report = check(file.as_bytes());
    assert!(!report.valid && report.findings.len() <= 500);
}

#[test]
fn invoices_of_other_vendors_are_read_with_all_their_habits() {
    let old = include_bytes!("../../data/signatures/vendor-sha1-enveloped.xml");
    let exclusive = include_bytes!("../../data/signatures/vendor-exclusive-time.xml");
    for (file, expected) in [
        (
            old.as_slice(),
            &["version.period", "signature.old_algorithm"][..],
        ),
        (exclusive, &[][..]),
    ] {
        let report = check(file);
        let rules: Vec<_> = report.findings.iter().map(|found| found.rule).collect();
        assert!(report.valid, "{:#?}", report.findings);
        let unusual: Vec<_> = rules
            .iter()
            .copied()
            .filter(|rule| *rule != "structure.unknown")
            .collect();
        assert_eq!(unusual, expected);
        let text = String::from_utf8(file.to_vec()).unwrap();
        assert!(!check(text.replace("13690000", "13690001").as_bytes()).valid);
    }
}

#[test]
fn rules_of_another_version_can_be_asked_for() {
    let file = include_bytes!("../../data/signatures/vendor-sha1-enveloped.xml");
    let by = |rules| {
        verify(
            file,
            Trust {
                rules: Some(rules),
                ..Trust::default()
            },
        )
    };
    assert!(by(RuleSet::V2_0).valid);
    let strict = by(RuleSet::V2_1_1);
    let missing = strict
        .findings
        .iter()
        .find(|found| found.rule == "structure.missing")
        .unwrap();
    assert_eq!(missing.rule_set, RuleSet::V2_1_1);
    assert!(missing.place.ends_with("/TTChung/HDCTTChinh"));
}
