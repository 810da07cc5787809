//! Paper of invoices that the authority has coded: what a family is given.

use std::sync::Arc;

use hocphi::invoices::document::{Correction, CorrectionReason};
use hocphi::invoices::life::service::{After, Ask, correct, show};
use hocphi::invoices::rendition::{Paper, RenditionOptions, pdf};
use hocphi::invoices::service::{KeyRing, Progress, sign_numbered};
use hocphi::money::Vnd;
use hocphi_sandbox::Pki;

use super::books::{app_on, start};
use super::exchange::{Scene, scene};
use super::rendition::{joined, printed, text_of};
use crate::engines::fresh_databases;

/// The coded file that a number has, with its code.
async fn coded(scene: &Scene, number: i64) -> (String, String) {
    scene
        .app
        .db
        .sql("SELECT authority_code, coded_xml FROM invoice WHERE number = $1")
        .bind(number)
        .one()
        .await
        .unwrap()
}

/// The adjustment that takes so much off the first line, taken by the authority.
async fn adjusted(scene: &Scene, less: i64) {
    let shown = show(&scene.app.db, &scene.school, &scene.invoice)
        .await
        .unwrap()
        .unwrap();
    let mut after = shown.content;
    after.lines[0].amount = Vnd::new(after.lines[0].amount.get() - less);
    let ask = Ask {
        target: scene.invoice.clone(),
        method: Correction::Adjusting,
        reason: CorrectionReason::ServiceCancelled,
        after: After::Said(after),
        why: "thôi học".into(),
        agreement: None,
        cause: "f1".into(),
        by: "kt".into(),
    };
    let keys = KeyRing::default();
    let made = correct(&scene.app, &keys, &scene.school, ask)
        .await
        .unwrap();
    sign_numbered(&scene.app, &keys, &[(scene.school.clone(), made.clone())])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(scene.send_one(&made).await, Progress::Done);
    assert_eq!(scene.collect_one(&made).await, Progress::Done);
}

/// Looks for texts on the paper of a file, on both sizes. Words of neighbouring columns interleave, so
/// a text that is longer than a line is looked for word by word.
fn must_say(name: &str, xml: &str, texts: &[&str], never: &[&str]) {
    for (paper, size) in [(Paper::A4, "a4"), (Paper::A5, "a5")] {
        let options = RenditionOptions {
            paper,
            lookup_address: Some("https://hocphi.example.vn/hoa-don"),
            attach_xml: true,
        };
        let file = pdf(xml.as_bytes(), &options).unwrap();
        let Some(text) = text_of(&printed(&format!("{name}-{size}"), &file)) else {
            return;
        };
        let text = joined(&text);
        let words: Vec<&str> = text.split(' ').collect();
        for wanted in texts {
            let found = text.contains(wanted)
                || wanted
                    .split(' ')
                    .all(|word| words.iter().any(|found| found.contains(word)));
            assert!(found, "{name} {size}: {wanted:?} is not in\n{text}");
        }
        for unwanted in never {
            assert!(!text.contains(unwanted), "{name} {size}: {unwanted:?}");
        }
        assert!(!text.contains('\u{fffd}'), "{text}");
    }
}

#[tokio::test]
async fn a_coded_invoice_shows_the_code_and_who_gave_it() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    let (db, _keep) = fresh_databases().await.remove(0);
    let scene = scene(app_on(db), &pki).await;
    scene.send().await;
    scene.collect().await;
    let (code, xml) = coded(&scene, 1).await;
    must_say(
        "coded",
        &xml,
        &[
            "HÓA ĐƠN GIÁ TRỊ GIA TĂNG",
            "Ngày 23 tháng 11 năm 2026",
            &format!("Mã của cơ quan thuế: {code}"),
            "1C26TAA",
            "Mã số thuế: 0100233488",
            "Họ tên người mua hàng: Trần Thị Ví Dụ",
            "Nguyễn Văn Ví Dụ",
            "Học phí tháng 11",
            "3.200.000",
            "4.487.101",
            "Bốn triệu bốn trăm tám mươi bảy nghìn một trăm lẻ một đồng",
            "CƠ QUAN THUẾ",
            "NGƯỜI BÁN HÀNG",
            "Ký lúc: 23/11/2026 09:00:00",
        ],
        &["CHƯA CÓ MÃ", "chưa được giao"],
    );

    adjusted(&scene, 1_200_000).await;
    let (code, xml) = coded(&scene, 2).await;
    must_say(
        "coded-adjusting",
        &xml,
        &[
            &format!("Mã của cơ quan thuế: {code}"),
            "Điều chỉnh cho hóa đơn Mẫu số 1 ký hiệu C26TAA số 1 ngày 23 tháng 11 năm 2026",
            "-1.200.000",
            "Âm một triệu hai trăm nghìn đồng",
            "CƠ QUAN THUẾ",
        ],
        &["CHƯA CÓ MÃ"],
    );
}
